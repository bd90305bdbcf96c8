//! Prompt ensemble labelling of target inputs (Li et al. 2023, §4.2): all
//! voters answer, the plurality wins, and the label is kept when its share of
//! *all* votes exceeds the threshold.

use std::collections::BTreeMap;

use shiftproof_tasks::{Label, PromptId};

use crate::board::{Answers, Board, InputIndex};
use crate::event::{ClassVotes, Vote, Voted};

/// The plurality among `votes`, where `None` is a voter without a usable
/// answer. Ties go to the answer seen first. Returns the winner and its share.
pub fn plurality<T: PartialEq + Clone>(votes: &[Option<T>]) -> Option<(T, f64)> {
    let mut counts: Vec<(&T, usize)> = Vec::new();
    for vote in votes.iter().flatten() {
        match counts.iter_mut().find(|(answer, _)| *answer == vote) {
            Some((_, count)) => *count += 1,
            None => counts.push((vote, 1)),
        }
    }
    // `max_by_key` would return the last of equals; the first is wanted.
    let (winner, count) = counts
        .into_iter()
        .reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    Some((winner.clone(), count as f64 / votes.len() as f64))
}

/// What each voter says of one input; `None` for a voter without a usable
/// answer.
pub(crate) fn ballot(voters: &[Answers<'_>], input: InputIndex) -> Vec<Option<String>> {
    voters
        .iter()
        .map(|voter| voter.answer(input).and_then(|answer| answer.vote()))
        .collect()
}

/// Lets `voters` label `inputs`; writes the kept labels on the board.
pub(crate) fn label_by_vote(
    voters: &[Answers<'_>],
    ids: Vec<PromptId>,
    inputs: &[InputIndex],
    threshold: f64,
    board: &Board,
) -> (Voted, Vec<(InputIndex, Label)>) {
    let mut classes: BTreeMap<String, ClassVotes> = BTreeMap::new();
    let mut votes = Vec::with_capacity(inputs.len());
    let mut labels = Vec::new();
    for &input in inputs {
        let ballot = ballot(voters, input);
        let won = plurality(&ballot);
        let kept = won.as_ref().is_some_and(|(_, share)| *share > threshold);
        if let Some((winner, _)) = &won {
            let class = classes.entry(winner.clone()).or_insert_with(|| ClassVotes {
                label: winner.clone(),
                won: 0,
                kept: 0,
            });
            class.won += 1;
            class.kept += usize::from(kept);
            if kept {
                labels.push((input, Label::Class(winner.clone())));
            }
        }
        votes.push(Vote {
            input: board.input(input).id.clone(),
            share: won.as_ref().map_or(0.0, |(_, share)| *share),
            winner: won.map(|(winner, _)| winner),
            kept,
        });
    }
    let voted = Voted {
        voters: ids,
        threshold,
        inputs: inputs.len(),
        kept: labels.len(),
        source_accuracy: None,
        classes: classes.into_values().collect(),
        votes,
    };
    (voted, labels)
}

/// How often votes above the threshold are right on labelled inputs that every
/// voter was asked about: kept votes, and right ones among them.
pub(crate) fn accuracy(
    voters: &[Answers<'_>],
    labelled: &[InputIndex],
    threshold: f64,
    board: &Board,
) -> (usize, usize) {
    let (mut kept, mut right) = (0, 0);
    for &input in labelled {
        let answers: Option<Vec<Option<String>>> = voters
            .iter()
            .map(|voter| voter.answer(input).map(|answer| answer.vote()))
            .collect();
        let Some((winner, share)) = answers.as_deref().and_then(plurality) else {
            continue;
        };
        if share > threshold {
            kept += 1;
            right += usize::from(board.label(input).is_some_and(|l| l.to_answer() == winner));
        }
    }
    (kept, right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(votes: &[Option<&str>], expect: Option<(&str, f64)>) {
        assert_eq!(plurality(votes), expect);
    }

    #[test]
    fn plurality_counts_all_voters() {
        check(&[Some("a"), Some("b"), Some("b")], Some(("b", 2.0 / 3.0)));
        check(&[Some("a"), None, None, None], Some(("a", 0.25)));
        check(&[None, None], None);
        check(&[], None);
    }

    #[test]
    fn ties_go_to_the_first_seen() {
        check(
            &[Some("b"), Some("a"), Some("a"), Some("b")],
            Some(("b", 0.5)),
        );
    }
}
