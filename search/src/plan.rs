//! What a run will ask of the models, before anything is asked.

use serde::Serialize;
use shiftproof_tasks::Data;

use crate::calibrate::Calibration;
use crate::event::Phase;
use crate::spec::{SearchMethod, SearchSpec};

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

/// The phases of a run with their calls at most. Answers that the store already
/// has, and equal requests, cost less. `calls`: what one evaluation takes at most
/// ([`Task::calls`](shiftproof_tasks::Task::calls)).
pub fn plan(spec: &SearchSpec, data: &Data, calls: usize) -> Vec<PhasePlan> {
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
    let induces = spec.method != SearchMethod::Edits;
    let proposals = if induces { spec.proposals } else { 0 };
    add(
        Phase::Propose,
        "prompts from source demonstrations",
        proposals,
        0,
    );
    if spec.method == SearchMethod::Gpo {
        let inputs = data.target.inputs.len();
        add(
            Phase::Vote,
            "target inputs labelled by vote",
            0,
            spec.chunks * inputs,
        );
        add(
            Phase::Repropose,
            "prompts from source and voted target",
            spec.proposals,
            0,
        );
    }
    add(
        Phase::Refine,
        "paraphrases of the best",
        spec.rounds * spec.paraphrases,
        0,
    );
    let texts = proposals
        * if spec.method == SearchMethod::Gpo {
            2
        } else {
            1
        }
        + spec.rounds * spec.paraphrases;
    add(
        Phase::Propose,
        "how the proposer answers; texts cut off or refused, once more",
        texts + usize::from(texts > 0),
        0,
    );
    let candidates = 1
        + spec.proposals
            * if spec.method == SearchMethod::Gpo {
                2
            } else {
                1
            }
        + spec.rounds * (spec.edits + spec.paraphrases);
    let neutral = if spec.calibration == Calibration::Contextual {
        3 * candidates
    } else {
        0
    };
    add(
        Phase::Screen,
        "races, the final included",
        0,
        spec.evaluations + neutral,
    );
    let contestants = 2 + spec.ensemble.saturating_sub(1);
    add(
        Phase::Audit,
        "seed, selected and ensemble",
        0,
        contestants * data.audit.len(),
    );
    phases
}
