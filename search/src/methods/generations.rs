//! What methods share that go on from generation to generation: how the texts are
//! dealt out, the first population, and scores that can be compared.

use std::collections::BTreeMap;

use super::{MethodPlan, PlannedStep, steps};
use crate::event::Phase;
use crate::gateway::RunError;
use crate::propose::{ParaphraseProposer, TargetUse};
use crate::run::{CandidateIndex, InputIndex, SearchContext};
use crate::spec::SearchSpec;

/// The largest population (`EvoPrompt` and CAPO: 10).
const POPULATION: usize = 10;
/// Below so many there is nothing to choose parents from.
const LEAST_POPULATION: usize = 4;
/// Answers at the group's mean that every score is mixed with: a prompt that was
/// asked three times and was right three times is not known to be perfect.
const PRIOR_ANSWERS: f64 = 4.0;

/// How the texts of a run are dealt out: `start` before the first race, then
/// `rounds` times `each`. They come to [`SearchSpec::proposals`] in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GenerationPlan {
    /// Texts of the start.
    pub start: usize,
    /// Rounds after it.
    pub rounds: usize,
    /// Texts of each round.
    pub each: usize,
}

impl GenerationPlan {
    /// At least `start` texts at the start, and then as many rounds of `step` texts
    /// as there are texts for; or `search.rounds` of fewer texts each, where those
    /// are more. What that leaves over goes to the start.
    pub fn of(spec: &SearchSpec, start: usize, step: usize) -> Self {
        let start = start.min(spec.proposals / 2);
        let rest = spec.proposals - start;
        let rounds = (rest / step.max(1)).max(spec.rounds).clamp(1, rest.max(1));
        let each = (rest / rounds).min(step.max(1));
        Self {
            start: start + rest - rounds * each,
            rounds,
            each,
        }
    }

    /// What the start asks for; `prompts` may enter.
    pub fn begun(self, prompts: usize) -> PlannedStep {
        PlannedStep {
            texts: self.start,
            prompts,
            ..PlannedStep::new(Phase::Propose, "the first prompts")
        }
    }

    /// What the rounds ask for; `share`: of all rounds together.
    pub fn refined(self, share: f64, what: &'static str) -> PlannedStep {
        PlannedStep {
            times: self.rounds,
            texts: self.each,
            prompts: self.each,
            share: share / self.rounds as f64,
            ..PlannedStep::new(Phase::Refine, what)
        }
    }

    /// A start, a race, rounds with a race each, and the final.
    pub fn plan(self, screen: f64, refine: f64, what: &'static str) -> MethodPlan {
        MethodPlan {
            steps: vec![
                self.begun(self.start),
                steps::screened(screen),
                self.refined(refine, what),
            ],
            final_share: 1.0 - screen - refine,
        }
    }
}

/// Prompts of a population: a quarter of the texts fills it, at most
/// [`POPULATION`].
pub(super) fn population_size(spec: &SearchSpec) -> usize {
    (spec.proposals / 4).clamp(LEAST_POPULATION, POPULATION)
}

/// Fills the first population: what the study gives, then half of `texts` induced
/// from examples and half paraphrases of what is given. Returns everything in the
/// race.
pub(super) async fn populate(
    context: &mut SearchContext<'_>,
    texts: usize,
) -> Result<Vec<CandidateIndex>, RunError> {
    let given = context.candidates();
    context.enter_phase(
        Phase::Propose,
        format!(
            "{texts} texts beside {} given prompts: induced and paraphrased",
            given.len()
        ),
    )?;
    let proposer = steps::induction(context.spec(), TargetUse::Nothing);
    let induced = texts.div_ceil(2);
    context
        .propose(&proposer, &given, induced, "population induced")
        .await?;
    context
        .propose(
            &ParaphraseProposer,
            &given,
            texts - induced,
            "population paraphrased",
        )
        .await?;
    Ok(context.candidates())
}

/// The first race; returns the `keep` best. The seed, which is in every race, is
/// among them where it is one of them.
pub(super) async fn screen(
    context: &mut SearchContext<'_>,
    entrants: Vec<CandidateIndex>,
    keep: usize,
) -> Result<Vec<CandidateIndex>, RunError> {
    let mut best = steps::screen(context, entrants, keep).await?;
    best.truncate(keep);
    Ok(best)
}

/// A candidate's score in `0..=1` on the examples of races, every group alike, in
/// the order of `candidates`; candidates that have no answer are left out.
///
/// Candidates were asked about different numbers of examples. So in each group the
/// mean of n answers is drawn towards the group's mean m over all of them,
/// (Σ + 4 m) / (n + 4), and a group that a candidate was not asked about counts as m.
pub(super) fn scores(
    context: &SearchContext<'_>,
    candidates: &[CandidateIndex],
) -> Vec<(CandidateIndex, f64)> {
    let examples = context.race_examples();
    let tables: Vec<BTreeMap<&str, (f64, f64)>> = candidates
        .iter()
        .map(|&candidate| group_sums(context, candidate, &examples))
        .collect();
    balanced(&tables)
        .into_iter()
        .zip(candidates)
        .filter_map(|(score, &candidate)| Some((candidate, score?)))
        .collect()
}

/// What a candidate's answers to these examples are worth and how many there are, by
/// group.
pub(super) fn group_sums<'c>(
    context: &'c SearchContext<'_>,
    candidate: CandidateIndex,
    examples: &[InputIndex],
) -> BTreeMap<&'c str, (f64, f64)> {
    let mut groups: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    let outcomes = context.outcomes(candidate, examples);
    for (&example, value) in examples.iter().zip(outcomes) {
        if let Some(value) = value {
            let own = groups.entry(context.group(example)).or_default();
            own.0 += value;
            own.1 += 1.0;
        }
    }
    groups
}

/// See [`scores`]: sums and counts by group.
fn balanced(tables: &[BTreeMap<&str, (f64, f64)>]) -> Vec<Option<f64>> {
    let mut pooled: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (&group, &(sum, count)) in tables.iter().flatten() {
        let all = pooled.entry(group).or_default();
        all.0 += sum;
        all.1 += count;
    }
    let score = |own: &BTreeMap<&str, (f64, f64)>| {
        if own.is_empty() {
            return None;
        }
        let groups = pooled.iter().map(|(group, (sum, count))| {
            let mean = sum / count;
            let (sum, count) = own.get(group).copied().unwrap_or_default();
            (sum + PRIOR_ANSWERS * mean) / (count + PRIOR_ANSWERS)
        });
        Some(groups.sum::<f64>() / pooled.len() as f64)
    };
    tables.iter().map(score).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_to_proposals() {
        for proposals in 0..120 {
            for rounds in [0, 1, 3, 200] {
                for (start, step) in [(0, 8), (9, 9), (10, 8)] {
                    let spec = SearchSpec {
                        proposals,
                        rounds,
                        ..SearchSpec::default()
                    };
                    let dealt = GenerationPlan::of(&spec, start, step);
                    assert_eq!(
                        dealt.start + dealt.rounds * dealt.each,
                        proposals,
                        "{dealt:?}"
                    );
                    assert!(dealt.rounds >= rounds.min((proposals - dealt.start).max(1)));
                }
            }
        }
        // Eight a step as published; what is left begins the trajectory.
        let dealt = GenerationPlan::of(&SearchSpec::default(), 0, 8);
        assert_eq!((dealt.start, dealt.rounds, dealt.each), (4, 4, 8));
    }

    #[test]
    fn few_answers_say_little() {
        let table = |groups: &[(&'static str, f64, f64)]| -> BTreeMap<&'static str, (f64, f64)> {
            groups.iter().map(|&(g, s, n)| (g, (s, n))).collect()
        };
        let lucky = table(&[("a", 3.0, 3.0), ("b", 3.0, 3.0)]);
        let good = table(&[("a", 45.0, 50.0), ("b", 45.0, 50.0)]);
        let bad = table(&[("a", 10.0, 50.0), ("b", 10.0, 50.0)]);
        // Ninety examples of one group do not outweigh ten of the other.
        let one_sided = table(&[("a", 90.0, 90.0), ("b", 1.0, 10.0)]);
        let found = balanced(&[lucky, good, bad, one_sided, table(&[])]);
        assert_eq!(found[4], None);
        let of = |index: usize| found[index].unwrap();
        assert!(of(1) > of(0) && of(0) > of(2), "{found:?}");
        assert!(of(3) < of(1) && of(3) < 0.7, "{found:?}");
    }
}
