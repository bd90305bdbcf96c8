//! How candidates stand in each group, with the noise of few answers taken out.

use super::SearchContext;
use crate::race::Race;
use crate::response_matrix::{CandidateIndex, InputIndex};
use crate::select::{GroupEstimate, GroupEstimates};

/// A candidate's standing in one group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupStanding {
    /// The group's name.
    pub group: String,
    /// What is known of the candidate there.
    pub estimate: GroupEstimate,
}

impl SearchContext<'_> {
    /// The shrunken group means of some candidates on those of `examples` that they
    /// were asked about ([`GroupEstimates`]), one list for each candidate, in the same
    /// order of groups: few answers of one group say little, and a minimum over groups
    /// is taken of these and not of what was seen. True labels of target examples
    /// count here, as in every score; groups whose votes cannot be trusted are left
    /// out.
    pub fn group_standings(
        &self,
        candidates: &[CandidateIndex],
        examples: &[InputIndex],
    ) -> Vec<Vec<GroupStanding>> {
        let race = Race {
            phase: self.phase,
            spec: &self.run.spec,
            inputs: examples,
            check: &self.screen,
            pseudo_label_weight: self.pseudo_label_weight,
            evaluations: 0,
            keep: 0,
            seed: self.seed,
            draws: 0,
            classes: self.run.task.options().is_none(),
        };
        let problem = race.problem(&self.matrix, candidates, false);
        let scores = race.scores(&self.matrix, self.run.context(), candidates, &problem);
        let estimates = GroupEstimates::fit(&problem, &scores);
        let weighed = problem.groups.iter().filter(|group| group.weight > 0.0);
        let names: Vec<&str> = weighed.map(|group| group.name.as_str()).collect();
        (0..candidates.len())
            .map(|candidate| {
                let groups = estimates.groups(candidate);
                let named = names.iter().zip(groups);
                named
                    .map(|(name, estimate)| GroupStanding {
                        group: (*name).to_owned(),
                        estimate,
                    })
                    .collect()
            })
            .collect()
    }
}
