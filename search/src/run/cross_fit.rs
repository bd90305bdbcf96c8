//! What the final choice is worth by the target labels it was made on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::SearchContext;
use crate::event::{CrossFittedChoice, Event, ScoreDifference};
use crate::gateway::RunError;
use crate::race::Race;
use crate::response_matrix::{CandidateIndex, InputIndex};
use crate::seeds;
use crate::select::{
    ExampleClasses, GroupEstimates, OutcomeTable, SelectionProblem, chance_to_beat,
};
use crate::stats::{LabelledOutcomes, cross_fitted};

/// Halvings of the labels.
const SPLITS: usize = 20;

impl SearchContext<'_> {
    /// Tells what choosing among `finalists` gains over the seed on labelled target
    /// examples, each choice measured on labels that it did not see; nothing where
    /// these are too few. Nothing is asked.
    pub(super) fn tell_cross_fit(
        &self,
        finalists: &[CandidateIndex],
        best: CandidateIndex,
        inputs: &[InputIndex],
    ) -> Result<(), RunError> {
        if let Some(told) = self.cross_fit(finalists, best, inputs) {
            self.run.gateway.emit(&Event::CrossFitted(told))?;
        }
        Ok(())
    }

    fn cross_fit(
        &self,
        finalists: &[CandidateIndex],
        best: CandidateIndex,
        inputs: &[InputIndex],
    ) -> Option<CrossFittedChoice> {
        let entrants: BTreeSet<CandidateIndex> =
            finalists.iter().copied().chain([self.seed]).collect();
        let entrants: Vec<CandidateIndex> = entrants.into_iter().collect();
        let place = |candidate| entrants.iter().position(|&entrant| entrant == candidate);
        // Labels that were picked say nothing of how frequent their like are.
        let labelled: Vec<usize> = (0..inputs.len())
            .filter(|&at| self.labelled.contains(&inputs[at]))
            .filter(|&at| !self.matrix.is_chosen(inputs[at]))
            .collect();
        let values: Vec<Vec<Option<f64>>> = entrants
            .iter()
            .map(|&candidate| self.outcomes(candidate, inputs))
            .collect();
        let clusters = self.matrix.clusters(inputs);
        let rows: Vec<LabelledOutcomes> = labelled
            .iter()
            .map(|&at| LabelledOutcomes {
                group: self.matrix.group_of(inputs[at]),
                cluster: clusters[at],
                outcomes: values.iter().map(|own| own[at]).collect(),
            })
            .collect();
        let race = Race {
            pseudo_label_weight: self.pseudo_label_weight,
            ..self.run.race(self.phase, self.seed, inputs, &self.screen)
        };
        let problem = race.problem(&self.matrix, &entrants, false);
        let seed_place = place(self.seed)?;
        let objective = self.run.spec.objective();
        let choose = |seen: &[bool]| {
            let hidden: BTreeSet<usize> = labelled
                .iter()
                .zip(seen)
                .filter(|(_, seen)| !**seen)
                .map(|(&at, _)| at)
                .collect();
            let problem = without(&problem, &hidden);
            let table = table(&problem, &values, &clusters, &hidden);
            let estimates = GroupEstimates::fit(&problem, &table);
            let best = (0..entrants.len())
                .map(|entrant| {
                    let score = objective.score(&estimates.groups(entrant));
                    (score - problem.charge(entrant), entrant)
                })
                .filter(|(score, _)| score.is_finite())
                .reduce(|best, next| if next.0 > best.0 { next } else { best })
                .map(|(_, entrant)| entrant)?;
            // As in the run, the seed prompt stays where too little speaks for another.
            let pair = (best, seed_place);
            let chance = chance_to_beat(&problem, &table, pair, self.run.spec.own_objective());
            let goes = chance.is_some_and(|chance| chance >= self.least_chance(entrants[best]));
            Some(if goes { best } else { seed_place })
        };
        let seed = seeds::number(self.run.seed, "cross-fit");
        let fitted = cross_fitted(&rows, seed_place, (SPLITS, seed), choose)?;
        Some(CrossFittedChoice {
            gain: ScoreDifference {
                group: "labelled target".to_owned(),
                value: fitted.estimate,
                low: fitted.interval.low,
                high: fitted.interval.high,
                n: fitted.n,
            },
            splits: SPLITS,
            agreement: fitted.chosen[place(best)?],
        })
    }
}

/// The problem as if the classes of these examples were not known.
fn without(problem: &SelectionProblem, hidden: &BTreeSet<usize>) -> SelectionProblem {
    let mut problem = problem.clone();
    if let Some(classes) = &problem.classes {
        let of_example = classes.of_example.iter().enumerate();
        let of_example = of_example.map(|(at, class)| class.filter(|_| !hidden.contains(&at)));
        problem.classes = Some(Arc::new(ExampleClasses {
            of_example: of_example.collect(),
            target_shares: classes.target_shares.clone(),
        }));
    }
    problem
}

/// All outcomes but those on the hidden examples.
fn table(
    problem: &SelectionProblem,
    values: &[Vec<Option<f64>>],
    clusters: &[u64],
    hidden: &BTreeSet<usize>,
) -> OutcomeTable {
    let mut group_of = vec![0; clusters.len()];
    for (index, group) in problem.groups.iter().enumerate() {
        for &example in &group.examples {
            group_of[example as usize] = index as u32;
        }
    }
    let groups = problem.groups.len();
    let mut table = OutcomeTable::clustered(values.len(), group_of, clusters.to_vec(), groups);
    for (entrant, own) in values.iter().enumerate() {
        for (at, value) in own
            .iter()
            .enumerate()
            .filter(|(at, _)| !hidden.contains(at))
        {
            if let Some(value) = value {
                let _new = table.push(entrant, at as u32, *value);
            }
        }
    }
    table
}
