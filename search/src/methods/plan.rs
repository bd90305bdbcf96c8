//! What a method will ask at most.

use shiftproof_tasks::Data;

use crate::event::Phase;

/// What there is to work with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DataCounts {
    /// Labelled source examples shown to proposers.
    pub train: usize,
    /// Labelled source examples that candidates are scored on.
    pub validation: usize,
    /// Target inputs without labels.
    pub target_inputs: usize,
    /// Target examples with labels, scored in every race.
    pub labelled_target: usize,
}

impl DataCounts {
    /// Of these data.
    pub fn of(data: &Data) -> Self {
        Self {
            train: data.source.train.len(),
            validation: data.source.validation.len(),
            target_inputs: data.target.inputs.len(),
            labelled_target: data.labelled_target.len(),
        }
    }
}

/// The steps of a method and what each may ask at most.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodPlan {
    /// The steps in their order, one for each phase that asks for anything.
    pub steps: Vec<PlannedStep>,
    /// The part of [`SearchSpec::evaluations`](crate::spec::SearchSpec::evaluations)
    /// kept for the final; with the [shares](PlannedStep::share) of all steps at most 1.
    pub final_share: f64,
}

/// One step: all numbers are of one time it is taken.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    /// The phase it is taken in; no two steps of a plan share one.
    pub phase: Phase,
    /// What it is for, as the estimate says it.
    pub what: &'static str,
    /// How often it is taken.
    pub times: usize,
    /// Texts asked of the proposer's model.
    pub texts: usize,
    /// Prompts that may enter the race, those of the texts among them.
    pub prompts: usize,
    /// Evaluations that come on top of the study's `search.evaluations`.
    pub extra: usize,
    /// The part of `search.evaluations` that it may use, in `0..=1`.
    pub share: f64,
}

impl PlannedStep {
    /// A step taken once that asks for nothing yet.
    pub const fn new(phase: Phase, what: &'static str) -> Self {
        Self {
            phase,
            what,
            times: 1,
            texts: 0,
            prompts: 0,
            extra: 0,
            share: 0.0,
        }
    }

    /// Evaluations of the study's `evaluations` that one time may use.
    pub(crate) fn evaluations(&self, evaluations: usize) -> usize {
        (evaluations as f64 * self.share) as usize
    }
}

impl MethodPlan {
    /// Evaluations of the study's `evaluations` that the final may use.
    pub(crate) fn final_evaluations(&self, evaluations: usize) -> usize {
        (evaluations as f64 * self.final_share) as usize
    }

    /// The step of a phase.
    pub fn step(&self, phase: Phase) -> Option<&PlannedStep> {
        self.steps.iter().find(|step| step.phase == phase)
    }

    /// The first step that scores candidates, and the prompts that may have entered
    /// by then beside those that were there.
    pub(crate) fn first_scoring(&self) -> Option<(&PlannedStep, usize)> {
        let at = self.steps.iter().position(|step| step.share > 0.0)?;
        let before = self.steps[..=at].iter();
        Some((
            &self.steps[at],
            before.map(|step| step.times * step.prompts).sum(),
        ))
    }

    /// Prompts that may enter in all, beside those that are there.
    pub(crate) fn prompts(&self) -> usize {
        let steps = self.steps.iter();
        steps.map(|step| step.times * step.prompts).sum()
    }

    /// Texts asked of the proposer's model in all.
    pub(crate) fn texts(&self) -> usize {
        let steps = self.steps.iter();
        steps.map(|step| step.times * step.texts).sum()
    }

    /// Why it cannot be held to: a phase that is planned twice, or more than all
    /// evaluations.
    pub(crate) fn fault(&self) -> Option<String> {
        let twice = |step: &&PlannedStep| {
            let same = self.steps.iter().filter(|other| other.phase == step.phase);
            same.count() > 1
        };
        if let Some(step) = self.steps.iter().find(twice) {
            return Some(format!("its plan has the phase {} twice", step.phase));
        }
        let steps = self.steps.iter();
        let shares: f64 = steps.map(|step| step.times as f64 * step.share).sum();
        // Shares are decimal fractions, whose sum need not be 1 to the last bit.
        (shares + self.final_share > 1.0 + 1e-9).then(|| {
            format!(
                "its plan gives away {:.2} of the evaluations",
                shares + self.final_share
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(phase: Phase, times: usize, share: f64) -> PlannedStep {
        PlannedStep {
            times,
            share,
            texts: 2,
            prompts: 3,
            ..PlannedStep::new(phase, "step")
        }
    }

    fn plan(steps: &[PlannedStep], final_share: f64) -> MethodPlan {
        MethodPlan {
            steps: steps.to_vec(),
            final_share,
        }
    }

    #[test]
    fn faults_are_named() {
        let check = |steps: &[PlannedStep], final_share, expected: Option<&str>| {
            let fault = plan(steps, final_share).fault();
            assert_eq!(fault.as_deref(), expected);
        };
        check(&[], 1.0, None);
        // Ten times a tenth is all there is, whatever the last bit says.
        check(&[step(Phase::Screen, 7, 0.1)], 0.3, None);
        check(
            &[step(Phase::Screen, 7, 0.1)],
            0.31,
            Some("its plan gives away 1.01 of the evaluations"),
        );
        check(
            &[
                step(Phase::Vote, 1, 0.0),
                step(Phase::Screen, 1, 0.1),
                step(Phase::Vote, 1, 0.0),
            ],
            0.5,
            Some("its plan has the phase vote twice"),
        );
    }

    #[test]
    fn sums_count_every_time() {
        let own = plan(
            &[
                step(Phase::Propose, 1, 0.0),
                step(Phase::Screen, 2, 0.25),
                step(Phase::Refine, 4, 0.1),
            ],
            0.3,
        );
        assert_eq!((own.texts(), own.prompts()), (14, 21));
        let (first, entered) = own.first_scoring().unwrap();
        // Those of the race's own step may have entered before it is run.
        assert_eq!((first.phase, entered), (Phase::Screen, 3 + 2 * 3));
        assert_eq!(first.evaluations(41), 10);
        assert_eq!(own.final_evaluations(41), 12);
        assert_eq!(own.step(Phase::Refine).unwrap().times, 4);
        assert_eq!(own.step(Phase::Vote), None);
        let silent = plan(&[step(Phase::Propose, 1, 0.0)], 0.3);
        assert_eq!(silent.first_scoring(), None);
    }
}
