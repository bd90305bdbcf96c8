//! A vote's ballots, read from the answers of a run, and what is told of them.

use std::collections::BTreeMap;

use shiftproof_tasks::{Outcome, PromptId, Task};

use crate::event::{CheckedVotes, ClassVotes, InputVote, VoteSummary, VoterStanding};
use crate::response_matrix::{CandidateAnswers, EvalContext, InputIndex, ResponseMatrix};
use crate::select::votes::{ItemVotes, VoterModel};
use crate::target_vote::{TargetVote, VoteCounting, VotePanel, VotedItem};
use crate::vote::{is_right, pseudo_label};

/// From how many answers to target inputs on a candidate has a say: with fewer its
/// likeness to others is a guess.
const LEAST_ANSWERS: usize = 12;

/// The answers of `members` to `inputs`; `check`: labelled examples that tell how
/// right they are.
pub(crate) fn panel(
    task: &dyn Task,
    matrix: &ResponseMatrix,
    members: &[CandidateAnswers<'_>],
    (inputs, check): (&[InputIndex], &[InputIndex]),
) -> VotePanel {
    let mut items = Vec::with_capacity(inputs.len());
    let mut ballots = Vec::with_capacity(inputs.len());
    for &input in inputs {
        let (ballot, answers) = ballot(task, matrix, members, input);
        let form = task.answer_form(matrix.input(input));
        items.push(VotedItem {
            labels: answers.iter().map(|a| pseudo_label(&form, a)).collect(),
            answers,
        });
        ballots.push(ballot);
    }
    let checked: Vec<Vec<Option<bool>>> = members
        .iter()
        .map(|member| checked(member, matrix, check))
        .collect();
    // Nobody wrote the prompt in use for these examples.
    let steady: Vec<bool> = members
        .iter()
        .map(|member| matrix.candidates[member.candidate()].is_given)
        .collect();
    VotePanel {
        members: members.iter().map(CandidateAnswers::candidate).collect(),
        model: VoterModel::fit(&checked, &steady, &ballots),
        items,
        ballots,
    }
}

/// Lets all that answered enough target inputs have a say in judging others by a
/// weighted vote. Heads are not counted anew.
pub(crate) fn refresh_panel(
    matrix: &mut ResponseMatrix,
    context: EvalContext<'_>,
    check: &[InputIndex],
) {
    let Some(mut vote) = matrix.take_vote() else {
        return;
    };
    if vote.counting() == VoteCounting::Weighted {
        let inputs = vote.inputs();
        let enough = LEAST_ANSWERS.min(inputs.len());
        let views = (0..matrix.candidates.len()).map(|c| matrix.answers(context, c));
        let heard: Vec<CandidateAnswers<'_>> = views
            .filter(|view| {
                let answered = inputs.iter().filter(|&&input| view.was_asked(input));
                answered.take(enough).count() == enough
            })
            .collect();
        let panel = panel(context.task, matrix, &heard, (inputs, check));
        vote.replace_panel(panel);
    }
    matrix.put_vote(vote);
}

/// What is told of a vote of `voters`; `check` as in [`panel`].
pub(crate) fn summary(
    vote: &TargetVote,
    task: &dyn Task,
    matrix: &ResponseMatrix,
    (voters, ids): (&[CandidateAnswers<'_>], Vec<PromptId>),
    check: &[InputIndex],
) -> VoteSummary {
    let counts = check_votes(vote, task, matrix, voters, check);
    let model = vote.model();
    let standings = voters.iter().enumerate().map(|(at, voter)| {
        let known = checked(voter, matrix, check);
        VoterStanding {
            asked: known.iter().flatten().count(),
            right: known.iter().flatten().filter(|right| **right).count(),
            accuracy: model.target_accuracies[at],
            independence: model.independence[at],
            family: model.families[at],
        }
    });
    let votes = vote.outcomes().map(|(input, won, kept)| InputVote {
        input: matrix.input(input).id.clone(),
        winner: won.map(|(winner, _)| winner.to_owned()),
        share: won.map_or(0.0, |(_, share)| share),
        kept,
    });
    VoteSummary {
        voters: ids,
        threshold: vote.threshold(),
        inputs: vote.inputs().len(),
        kept: vote.labels().filter(|(.., kept)| *kept).count(),
        source_accuracy: (counts.kept > 0).then(|| counts.right as f64 / counts.kept as f64),
        checked: Some(counts),
        // Heads are counted whatever is known of them.
        standings: match vote.counting() {
            VoteCounting::Weighted => standings.collect(),
            VoteCounting::Heads => Vec::new(),
        },
        classes: classes(vote, task, matrix),
        votes: votes.collect(),
    }
}

/// The vote held over labelled examples.
fn check_votes(
    vote: &TargetVote,
    task: &dyn Task,
    matrix: &ResponseMatrix,
    voters: &[CandidateAnswers<'_>],
    check: &[InputIndex],
) -> CheckedVotes {
    let mut counts = CheckedVotes {
        examples: 0,
        kept: 0,
        right: 0,
    };
    for &input in check {
        if voters.iter().any(|voter| voter.answer(input).is_none()) {
            continue;
        }
        counts.examples += 1;
        let (ballot, answers) = ballot(task, matrix, voters, input);
        if let Some((winner, share)) = vote.winner(&ballot)
            && share > vote.threshold()
        {
            let label = matrix.label(input);
            let answer = &answers[winner as usize];
            counts.kept += 1;
            counts.right += usize::from(label.is_some_and(|l| is_right(l, answer)));
        }
    }
    counts
}

/// Inputs won and kept by class, where answers are classes.
fn classes(vote: &TargetVote, task: &dyn Task, matrix: &ResponseMatrix) -> Vec<ClassVotes> {
    let mut classes: BTreeMap<&str, ClassVotes> = BTreeMap::new();
    for (input, won, kept) in vote.outcomes() {
        let Some((label, _)) = won else { continue };
        if task.answer_form(matrix.input(input)).labels().is_none() {
            continue;
        }
        let class = classes.entry(label).or_insert_with(|| ClassVotes {
            label: label.to_owned(),
            won: 0,
            kept: 0,
        });
        class.won += 1;
        class.kept += usize::from(kept);
    }
    classes.into_values().collect()
}

/// The voters' answers to an input, numbered in the order in which they were first
/// given.
fn ballot(
    task: &dyn Task,
    matrix: &ResponseMatrix,
    voters: &[CandidateAnswers<'_>],
    input: InputIndex,
) -> (ItemVotes, Vec<String>) {
    let mut answers: Vec<String> = Vec::new();
    let votes = voters
        .iter()
        .map(|voter| {
            let answer = voter.answer(input)?.vote()?;
            let known = answers.iter().position(|other| *other == answer);
            Some(known.unwrap_or_else(|| {
                answers.push(answer);
                answers.len() - 1
            }) as u32)
        })
        .collect();
    let form = task.answer_form(matrix.input(input));
    let closed = form.labels().or(form.candidates()).map(<[String]>::len);
    let alternatives = closed
        .unwrap_or(answers.len() + 1)
        .max(answers.len())
        .max(2);
    let ballot = ItemVotes {
        votes,
        alternatives,
    };
    (ballot, answers)
}

/// Whether a voter is right about labelled examples; `None` where it has no answer.
fn checked(
    voter: &CandidateAnswers<'_>,
    matrix: &ResponseMatrix,
    check: &[InputIndex],
) -> Vec<Option<bool>> {
    let right = |input: &InputIndex| match voter.outcome(*input)? {
        Outcome::Scored(scored) => {
            let label = matrix.label(*input)?;
            let vote = scored.answer.vote();
            Some(vote.is_some_and(|vote| is_right(label, &vote)))
        }
        Outcome::Unparseable { .. } => Some(false),
        // Nobody knows what it would have been.
        Outcome::Truncated { .. } | Outcome::Failed { .. } => None,
    };
    check.iter().map(right).collect()
}
