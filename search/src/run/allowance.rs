//! What a method may still ask in each phase: its own plan, counted down.

use std::collections::BTreeMap;

use crate::event::Phase;
use crate::methods::MethodPlan;

/// See the [module](self). A phase that the plan does not have has nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowance(BTreeMap<Phase, PhaseAllowance>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct PhaseAllowance {
    texts: usize,
    prompts: usize,
    evaluations: usize,
    /// What one race takes.
    race: usize,
}

impl Allowance {
    /// All of `plan`, where the study has `evaluations` for its races.
    pub fn of(plan: &MethodPlan, evaluations: usize) -> Self {
        let phases = plan.steps.iter().map(|step| {
            let race = step.evaluations(evaluations);
            let allowance = PhaseAllowance {
                texts: step.times * step.texts,
                prompts: step.times * step.prompts,
                evaluations: step.times * (race + step.extra),
                race,
            };
            (step.phase, allowance)
        });
        Self(phases.collect())
    }

    fn get(&mut self, phase: Phase) -> &mut PhaseAllowance {
        self.0.entry(phase).or_default()
    }

    /// Takes up to `count` proposals, by a model or without one; returns how many
    /// there were.
    pub fn take_proposals(&mut self, phase: Phase, count: usize, by_model: bool) -> usize {
        let left = self.get(phase);
        let most = if by_model {
            left.prompts.min(left.texts)
        } else {
            left.prompts
        };
        let taken = count.min(most);
        left.prompts -= taken;
        if by_model {
            left.texts -= taken;
        }
        taken
    }

    /// Takes `count` evaluations if there are as many, else none.
    pub fn take_evaluations(&mut self, phase: Phase, count: usize) -> bool {
        let left = &mut self.get(phase).evaluations;
        let enough = count <= *left;
        if enough {
            *left -= count;
        }
        enough
    }

    /// Takes the evaluations of one race, up to `most`; fewer where the phase used
    /// some already.
    pub fn take_race(&mut self, phase: Phase, most: usize) -> usize {
        let left = self.get(phase);
        let taken = left.race.min(left.evaluations).min(most);
        left.evaluations -= taken;
        taken
    }

    pub fn evaluations_left(&self, phase: Phase) -> usize {
        self.0.get(&phase).map_or(0, |left| left.evaluations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::PlannedStep;

    fn allowance() -> Allowance {
        let plan = MethodPlan {
            steps: vec![PlannedStep {
                times: 2,
                texts: 3,
                prompts: 5,
                extra: 4,
                share: 0.1,
                ..PlannedStep::new(Phase::Refine, "rounds")
            }],
            final_share: 0.5,
        };
        Allowance::of(&plan, 100)
    }

    #[test]
    fn proposals_end_with_plan() {
        let mut left = allowance();
        assert_eq!(left.take_proposals(Phase::Refine, 4, true), 4);
        // Two texts are left, and six prompts.
        assert_eq!(left.take_proposals(Phase::Refine, 4, true), 2);
        assert_eq!(left.take_proposals(Phase::Refine, 9, false), 4);
        assert_eq!(left.take_proposals(Phase::Refine, 1, false), 0);
        assert_eq!(left.take_proposals(Phase::Vote, 1, false), 0);
    }

    #[test]
    fn evaluations_are_whole_or_none() {
        let mut left = allowance();
        assert_eq!(left.evaluations_left(Phase::Refine), 28);
        assert_eq!(left.take_race(Phase::Refine, usize::MAX), 10);
        assert!(!left.take_evaluations(Phase::Refine, 19));
        assert!(left.take_evaluations(Phase::Refine, 10));
        assert_eq!(left.take_race(Phase::Refine, 2), 2);
        assert_eq!(left.take_race(Phase::Refine, usize::MAX), 6);
        assert_eq!(left.take_race(Phase::Refine, usize::MAX), 0);
        assert!(!left.take_evaluations(Phase::Screen, 1));
    }
}
