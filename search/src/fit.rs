//! A plan scaled down to a limit on calls, and the least limit that works.

use shiftproof_tasks::{Data, Task, evaluation_calls};

use crate::event::Phase;
use crate::methods::{DataCounts, SearchMethod};
use crate::plan::{self, PhasePlan, plan};
use crate::propose::library;
use crate::select::{AllocationStep, ExampleGroup, LabelRole, OutcomeTable, SelectionProblem};
use crate::spec::SearchSpec;

/// What a run will ask under its limit on calls.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedPlan {
    /// The study's numbers as they will be used.
    pub spec: SearchSpec,
    /// The phases as they will be run.
    pub phases: Vec<PhasePlan>,
    /// Calls of the plan before it was scaled down, the audit included.
    pub whole: u64,
    /// Whether it was scaled down.
    pub scaled: bool,
    /// The least limit on calls with which a run is sure to score the seed and to
    /// audit it; `None` where the study's own numbers are too low for that.
    pub smallest: Option<u64>,
}

impl FittedPlan {
    /// All calls at most.
    pub fn calls(&self) -> u64 {
        total(&self.phases)
    }
}

/// Calls of some phases.
pub fn total(phases: &[PhasePlan]) -> u64 {
    let calls = |phase: &PhasePlan| (phase.proposer_calls + phase.task_calls) as u64;
    phases.iter().map(calls).sum()
}

/// The plan of a run by `method` with these numbers and at most `calls` calls;
/// `human`: prompts that the study names beside the seed.
pub fn fitted(
    method: &dyn SearchMethod,
    spec: &SearchSpec,
    data: &Data,
    task: &dyn Task,
    human: usize,
    calls: Option<u64>,
) -> FittedPlan {
    let each = evaluation_calls(task);
    let whole = plan(method, spec, data, each);
    let (mut own, mut copy) = (spec.clone(), data.clone());
    let audit = data.audit.len();
    let scaled = calls.is_some_and(|calls| fit(method, &mut own, &mut copy, audit, each, calls));
    let mut phases = plan(method, &own, &copy, each);
    if let Some(limit) = calls {
        let search: u64 = total(&phases) - total(audits(&phases));
        let left = usize::try_from(limit.saturating_sub(search)).unwrap_or(usize::MAX);
        for phase in phases.iter_mut().filter(|p| p.phase == Phase::Audit) {
            if phase.task_calls > left {
                phase.task_calls = left;
                "seed and selected; the limit leaves the ensemble short"
                    .clone_into(&mut phase.what);
            }
        }
    }
    FittedPlan {
        spec: own,
        phases,
        whole: total(&whole),
        scaled,
        smallest: smallest(
            method,
            spec,
            data,
            each,
            1 + human + generic(method, spec, data, task),
        ),
    }
}

fn audits(phases: &[PhasePlan]) -> &[PhasePlan] {
    let at = phases.iter().position(|phase| phase.phase == Phase::Audit);
    at.map_or(&[], |at| &phases[at..])
}

/// Scales spec and data down to a limit on calls that they exceed, so that every
/// phase gets its share instead of the first ones taking all; `audit`: examples
/// of the audit, which the seed and the selected prompt must have; `each`: calls
/// of one evaluation. Returns whether anything was scaled.
pub(crate) fn fit(
    method: &dyn SearchMethod,
    spec: &mut SearchSpec,
    data: &mut Data,
    audit: usize,
    each: usize,
    calls: u64,
) -> bool {
    let counts = DataCounts::of(data);
    let left = usize::try_from(calls)
        .unwrap_or(usize::MAX)
        .saturating_sub(2 * audit * each);
    if searching(method, spec, &counts, each) <= left {
        return false;
    }
    let ratio = ratio(method, spec, &counts, each, left);
    scale(spec, ratio);
    // An even selection, whatever the order of the groups.
    let inputs = &mut data.target.inputs;
    let mut index = 0.0;
    inputs.retain(|_| {
        let before = f64::floor(index);
        index += ratio;
        f64::floor(index) > before
    });
    true
}

/// Steps in which the ratio of a scaled plan is looked for.
const RATIOS: usize = 10_000;

/// The greatest part of a plan that `left` calls pay for.
fn ratio(
    method: &dyn SearchMethod,
    spec: &SearchSpec,
    counts: &DataCounts,
    each: usize,
    left: usize,
) -> f64 {
    let at = |step: usize| step as f64 / RATIOS as f64;
    let fits = |step: usize| {
        let (own, counts) = scaled_plan(spec, counts, at(step));
        searching(method, &own, &counts, each) <= left
    };
    let (mut fitting, mut too_much) = (0, RATIOS);
    while fitting + 1 < too_much {
        let middle = usize::midpoint(fitting, too_much);
        if fits(middle) {
            fitting = middle;
        } else {
            too_much = middle;
        }
    }
    at(fitting)
}

fn scaled_plan(spec: &SearchSpec, counts: &DataCounts, ratio: f64) -> (SearchSpec, DataCounts) {
    let (mut own, mut counts) = (spec.clone(), *counts);
    scale(&mut own, ratio);
    counts.target_inputs = scaled(counts.target_inputs, ratio);
    (own, counts)
}

/// Scales what a study asks for. Texts, which are few beside evaluations and the
/// point of a search, by the root of the ratio: a tenth of the plan has a third of
/// its proposals.
fn scale(spec: &mut SearchSpec, ratio: f64) {
    for count in [&mut spec.evaluations, &mut spec.edits] {
        *count = scaled(*count, ratio);
    }
    for count in [&mut spec.proposals, &mut spec.paraphrases] {
        *count = scaled(*count, ratio.sqrt());
    }
}

fn scaled(count: usize, ratio: f64) -> usize {
    (count as f64 * ratio) as usize
}

/// Calls of the plan but for the audit.
fn searching(
    method: &dyn SearchMethod,
    spec: &SearchSpec,
    counts: &DataCounts,
    each: usize,
) -> usize {
    let phases = plan::searching(method, spec, counts, each);
    let calls = phases
        .iter()
        .map(|phase| phase.proposer_calls + phase.task_calls);
    calls.sum()
}

/// Generic prompts that will enter beside the seed.
fn generic(method: &dyn SearchMethod, spec: &SearchSpec, data: &Data, task: &dyn Task) -> usize {
    let library = spec.library || method.needs_library();
    let like = data.source.train.first().filter(|_| library);
    like.map_or(0, |example| {
        library::prompts(&task.answer_form(&example.input)).len()
    })
}

/// The least limit on calls under which the seed is scored in the first race and
/// in the final, and seed and winner can be audited; `given`: prompts that enter
/// without being proposed; `each`: calls of one evaluation. (Where target inputs are voted on, answers to them can
/// stand in for the final's; that is luck, and not counted on.)
fn smallest(
    method: &dyn SearchMethod,
    spec: &SearchSpec,
    data: &Data,
    each: usize,
    given: usize,
) -> Option<u64> {
    let counts = DataCounts::of(data);
    let planned = searching(method, spec, &counts, each);
    let works = |left: usize| {
        let ratio = if left >= planned {
            1.0
        } else {
            ratio(method, spec, &counts, each, left)
        };
        let (own, counts) = scaled_plan(spec, &counts, ratio);
        let plan = method.plan(&own, &counts);
        let scores = |prompts: usize, evaluations: usize| scores_seed(&own, prompts, evaluations);
        let (entrants, first) = match plan.first_scoring() {
            Some((step, prompts)) => (
                given + prompts,
                scores(given + prompts, step.evaluations(own.evaluations)),
            ),
            None => (given, true),
        };
        first
            && scores(
                entrants.min(own.finalists + 1),
                plan.final_evaluations(own.evaluations),
            )
    };
    if !works(planned) {
        return None;
    }
    // More calls never leave fewer evaluations.
    let (mut too_few, mut enough) = (0, planned);
    while too_few + 1 < enough {
        let middle = usize::midpoint(too_few, enough);
        if works(middle) {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Some((enough + 2 * data.audit.len() * each) as u64)
}

/// Whether a race of these many prompts buys the seed an answer: each rule has a
/// budget of its own below which it buys nothing.
fn scores_seed(spec: &SearchSpec, entrants: usize, evaluations: usize) -> bool {
    let problem = SelectionProblem {
        candidates: entrants,
        groups: vec![ExampleGroup {
            name: String::new(),
            role: LabelRole::Source,
            weight: 1.0,
            examples: vec![0, 1],
        }],
        keep: vec![0],
        ..SelectionProblem::default()
    };
    let scores = OutcomeTable::new(entrants, vec![0, 0], 1);
    let step = spec
        .rule(0)
        .next(&problem, &scores, evaluations, &mut Vec::new());
    matches!(step, AllocationStep::Evaluate(asks) if asks.iter().any(|ask| ask.candidate == 0))
}

#[cfg(test)]
mod tests;
