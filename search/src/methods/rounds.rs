//! What methods share that improve prompts round by round.

use super::PlannedStep;
use crate::event::Phase;
use crate::gateway::RunError;
use crate::propose::TracedAnswer;
use crate::run::{CandidateIndex, InputIndex, SearchContext, in_turn};

/// Rounds and the texts that each asks for: the study's `search.proposals` are those
/// of the whole run, so that methods that propose at once and methods that propose
/// step by step cost the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rounds {
    pub times: usize,
    pub texts: usize,
}

impl Rounds {
    /// At most `most` rounds of at least `least` texts, `texts` in all.
    pub const fn of(texts: usize, most: usize, least: usize) -> Self {
        if texts == 0 {
            return Self { times: 0, texts: 0 };
        }
        let times = match texts / least {
            0 => 1,
            times if times < most => times,
            _ => most,
        };
        Self {
            times,
            texts: texts / times,
        }
    }

    /// The step of the plan that all rounds are; `share`: of the evaluations, of all
    /// rounds together.
    pub fn step(self, what: &'static str, share: f64) -> PlannedStep {
        PlannedStep {
            times: self.times,
            texts: self.texts,
            prompts: self.texts,
            share: share / self.times.max(1) as f64,
            ..PlannedStep::new(Phase::Refine, what)
        }
    }

    /// What a round may use of the evaluations that are left.
    pub fn evaluations(self, context: &SearchContext<'_>, round: usize) -> usize {
        context.evaluations_left() / self.times.saturating_sub(round).max(1)
    }

    /// How a round is announced.
    pub fn told(self, round: usize, what: &str) -> String {
        format!("round {} of {}: {what}", round + 1, self.times)
    }
}

/// A minibatch of examples that proposers may be shown, drawn anew for each name.
pub(super) fn minibatch(context: &SearchContext<'_>, stream: &str, size: usize) -> Vec<InputIndex> {
    let mut examples = context.training_examples(stream);
    examples.truncate(size);
    examples
}

/// What a candidate got wrong and right, the groups taking turns.
pub(super) fn traces(
    context: &SearchContext<'_>,
    candidate: CandidateIndex,
    examples: &[InputIndex],
) -> (Vec<TracedAnswer>, Vec<TracedAnswer>) {
    let groups = context.answers_by_group(candidate, examples);
    let take = |wrong: bool| {
        let lists: Vec<Vec<TracedAnswer>> = groups
            .iter()
            .map(|group| {
                let answers = if wrong {
                    &group.failures
                } else {
                    &group.successes
                };
                let traced = answers.iter();
                traced
                    .map(|answer| TracedAnswer::new(answer, group.pseudo_labelled))
                    .collect()
            })
            .collect();
        in_turn(&lists)
    };
    (take(true), take(false))
}

/// Stops a search that asked for prompts, got none and has the seed alone: there is
/// nothing to choose from. Where nothing went wrong there was nothing to ask for.
pub(super) fn expect_proposals(context: &SearchContext<'_>) -> Result<(), RunError> {
    let alone = context.candidates().len() == 1;
    if alone && context.texts_answered() > 0 && !context.is_fitted() {
        return Err(context.nothing_proposed());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shared_out_over_rounds() {
        let of = |texts| {
            let rounds = Rounds::of(texts, 3, 4);
            (rounds.times, rounds.texts)
        };
        assert_eq!([of(36), of(9), of(8)], [(3, 12), (2, 4), (2, 4)]);
        assert_eq!([of(3), of(1), of(0)], [(1, 3), (1, 1), (0, 0)]);
        for texts in 0..50 {
            let rounds = Rounds::of(texts, 6, 2);
            assert!(rounds.times * rounds.texts <= texts);
        }
    }
}
