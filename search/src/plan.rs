//! What a run will ask of the models, before anything is asked.

use serde::Serialize;
use shiftproof_tasks::Data;

use crate::calibrate::{CONTENT_FREE, Calibration};
use crate::event::Phase;
use crate::methods::{DataCounts, SearchMethod};
use crate::spec::SearchSpec;

/// An upper bound on the calls of one phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhasePlan {
    /// The phase; races of all phases are counted under [`Phase::Screen`].
    pub phase: Phase,
    /// What the calls are for.
    pub what: String,
    /// Calls of the proposer.
    pub proposer_calls: usize,
    /// Calls of the task model.
    pub task_calls: usize,
}

/// The phases of a run by `method` with their calls at most. Answers that the store
/// already has, and equal requests, cost less. `calls`: what one evaluation takes at
/// most ([`Task::calls`](shiftproof_tasks::Task::calls)).
pub fn plan(
    method: &dyn SearchMethod,
    spec: &SearchSpec,
    data: &Data,
    calls: usize,
) -> Vec<PhasePlan> {
    let mut phases = searching(method, spec, &DataCounts::of(data), calls);
    let contestants = 2 + spec.ensemble.saturating_sub(1);
    let audited = contestants * data.audit.len() * calls.max(1);
    if audited > 0 {
        phases.push(PhasePlan {
            phase: Phase::Audit,
            what: "seed, selected and ensemble".to_owned(),
            proposer_calls: 0,
            task_calls: audited,
        });
    }
    phases
}

/// The phases before the audit.
pub(crate) fn searching(
    method: &dyn SearchMethod,
    spec: &SearchSpec,
    counts: &DataCounts,
    calls: usize,
) -> Vec<PhasePlan> {
    let planned = method.plan(spec, counts);
    let mut phases = Vec::new();
    let mut add = |phase, what: &str, proposer_calls: usize, task_calls: usize| {
        if proposer_calls + task_calls > 0 {
            phases.push(PhasePlan {
                phase,
                what: what.to_owned(),
                proposer_calls,
                task_calls: task_calls * calls.max(1),
            });
        }
    };
    for step in &planned.steps {
        let (texts, extra) = (step.times * step.texts, step.times * step.extra);
        add(step.phase, step.what, texts, extra);
    }
    let texts = planned.texts();
    add(
        Phase::Propose,
        "how the proposer answers; texts cut off or refused, once more",
        texts + usize::from(texts > 0),
        0,
    );
    let neutral = if spec.calibration == Calibration::Contextual {
        CONTENT_FREE.len() * (1 + planned.prompts())
    } else {
        0
    };
    add(
        Phase::Screen,
        "races, the final included",
        0,
        spec.evaluations + neutral,
    );
    phases
}
