//! Prompt ensemble labelling of target inputs (Li et al. 2023, §4.2), and what the
//! votes say of a candidate that did not cast them.

use std::collections::BTreeMap;

use shiftproof_tasks::{Label, PromptId, Task};

use crate::event::{CheckedVotes, ClassVotes, InputVote, VoteSummary, VoterStanding};
use crate::response_matrix::{CandidateAnswers, CandidateIndex, InputIndex, ResponseMatrix};
use crate::select::votes::{AnswerBelief, ItemVotes, VoterModel};
use crate::vote::{is_right, plurality, pseudo_label};

/// How votes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoteCounting {
    /// A voter counts by how often it is right, and voters that answer alike count
    /// as about one; see [`VoterModel`].
    Weighted,
    /// A voter is a vote, as published.
    Heads,
}

/// A vote that was held, and who has a say in judging others by it.
pub(crate) struct TargetVote {
    counting: VoteCounting,
    threshold: f64,
    inputs: Vec<InputIndex>,
    /// What won each input.
    won: Vec<Option<WonLabel>>,
    place: BTreeMap<InputIndex, usize>,
    panel: VotePanel,
}

/// The answer that won an input.
struct WonLabel {
    answer: String,
    label: Option<Label>,
    /// Its share of all votes.
    share: f64,
}

/// Candidates whose answers to the target inputs count when another is judged: the
/// voters, and whoever answered enough of the inputs since.
struct VotePanel {
    members: Vec<CandidateIndex>,
    model: VoterModel,
    items: Vec<VotedItem>,
    /// The items' votes alone, in their order.
    ballots: Vec<ItemVotes>,
}

struct VotedItem {
    /// What was answered, by the numbers of the ballot.
    answers: Vec<String>,
    /// The labels those stand for.
    labels: Vec<Option<Label>>,
}

/// What the others say of an input when a candidate is judged.
pub(crate) struct JudgingBelief<'a> {
    belief: AnswerBelief,
    item: &'a VotedItem,
}

/// From how many answers to target inputs on a candidate has a say: with fewer its
/// likeness to others is a guess.
const LEAST_ANSWERS: usize = 12;

impl VotePanel {
    fn of(
        task: &dyn Task,
        matrix: &ResponseMatrix,
        members: &[CandidateAnswers<'_>],
        (inputs, check): (&[InputIndex], &[InputIndex]),
    ) -> Self {
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
        Self {
            members: members.iter().map(CandidateAnswers::candidate).collect(),
            model: VoterModel::fit(&checked, &steady, &ballots),
            items,
            ballots,
        }
    }
}

impl TargetVote {
    /// Counts the voters' answers to `inputs`; `check`: labelled examples that they
    /// all answered too, by which none of them was chosen.
    pub fn hold(
        task: &dyn Task,
        matrix: &ResponseMatrix,
        voters: &[CandidateAnswers<'_>],
        (inputs, check): (&[InputIndex], &[InputIndex]),
        counting: VoteCounting,
        threshold: f64,
    ) -> Self {
        let panel = VotePanel::of(task, matrix, voters, (inputs, check));
        let place = inputs.iter().enumerate().map(|(at, &input)| (input, at));
        let mut vote = Self {
            counting,
            threshold,
            inputs: inputs.to_vec(),
            won: Vec::new(),
            place: place.collect(),
            panel,
        };
        let items = vote.panel.items.iter().zip(&vote.panel.ballots);
        let won = items.map(|(item, ballot)| {
            let (winner, share) = vote.winner(ballot)?;
            let at = winner as usize;
            Some(WonLabel {
                answer: item.answers[at].clone(),
                label: item.labels[at].clone(),
                share,
            })
        });
        vote.won = won.collect();
        vote
    }

    /// Hears candidates that have answered target inputs since, beside the voters;
    /// the labels that were won stay. Heads are not counted anew.
    pub fn hear(
        &mut self,
        task: &dyn Task,
        matrix: &ResponseMatrix,
        candidates: &[CandidateAnswers<'_>],
        check: &[InputIndex],
    ) {
        if self.counting == VoteCounting::Weighted {
            self.panel = VotePanel::of(task, matrix, candidates, (&self.inputs, check));
        }
    }

    /// Whether a candidate is to be [heard](Self::hear): it votes, or answered
    /// enough target inputs.
    pub fn hears(&self, answers: &CandidateAnswers<'_>) -> bool {
        let answered = self
            .inputs
            .iter()
            .filter(|&&input| answers.asked(input).is_some());
        answered.take(LEAST_ANSWERS).count() == LEAST_ANSWERS.min(self.inputs.len())
    }

    /// The answer that wins and its share of all votes.
    fn winner(&self, ballot: &ItemVotes) -> Option<(u32, f64)> {
        match self.counting {
            VoteCounting::Weighted => self.panel.model.share(ballot),
            VoteCounting::Heads => plurality(&ballot.votes),
        }
    }

    /// Inputs with a winner, the label it stands for, and whether it is kept.
    pub fn labels(&self) -> impl Iterator<Item = (InputIndex, &Label, bool)> {
        self.inputs
            .iter()
            .zip(&self.won)
            .filter_map(|(&input, won)| {
                let won = won.as_ref()?;
                Some((input, won.label.as_ref()?, won.share > self.threshold))
            })
    }

    /// How votes are counted.
    pub fn counting(&self) -> VoteCounting {
        self.counting
    }

    /// Families of those that are heard: with fewer than three nobody can tell who is
    /// right.
    pub fn families(&self) -> usize {
        self.panel.model.family_count()
    }

    /// How right a candidate is on the labelled examples, and on the target inputs as
    /// far as agreement can tell; `None` where it is not heard.
    pub fn accuracies(&self, candidate: CandidateIndex) -> Option<(f64, f64)> {
        let at = self
            .panel
            .members
            .iter()
            .position(|&member| member == candidate)?;
        let model = &self.panel.model;
        Some((model.told[at], model.accuracies[at]))
    }

    /// Which members say nothing about this candidate: itself, and by weighted votes
    /// all that answer like it. `answers`: what it said of an input.
    pub fn silent(
        &self,
        candidate: CandidateIndex,
        answers: impl Fn(InputIndex) -> Option<String>,
    ) -> Vec<bool> {
        let panel = &self.panel;
        let own: Vec<bool> = panel.members.iter().map(|&v| v == candidate).collect();
        if self.counting == VoteCounting::Heads {
            return own;
        }
        if own.contains(&true) {
            return panel.model.with_families(&own);
        }
        let said: Vec<Option<u32>> = self
            .inputs
            .iter()
            .zip(&panel.items)
            .map(|(&input, item)| Some(item.number(&answers(input)?)))
            .collect();
        panel.model.silent(&panel.ballots, &said)
    }

    /// What the members that may speak say of an input, by weighted votes; `None`
    /// where they say nothing.
    pub fn belief(&self, input: InputIndex, silent: &[bool]) -> Option<JudgingBelief<'_>> {
        let &at = self.place.get(&input)?;
        let belief = self.panel.model.belief(&self.panel.ballots[at], silent);
        let flat = 1.0 / belief.alternatives as f64;
        let item = &self.panel.items[at];
        (belief.sharpness() > flat + 1e-9).then_some(JudgingBelief { belief, item })
    }

    /// The label that the voters that may speak keep by counting heads.
    pub fn label_without(&self, input: InputIndex, silent: &[bool]) -> Option<&Label> {
        let &at = self.place.get(&input)?;
        let votes = self.panel.ballots[at].votes.iter().zip(silent);
        let votes: Vec<Option<u32>> = votes
            .map(|(vote, silent)| vote.filter(|_| !silent))
            .collect();
        let (winner, share) = plurality(&votes)?;
        let label = self.panel.items[at].labels[winner as usize].as_ref();
        label.filter(|_| share > self.threshold)
    }

    /// What is told of it; `check` as in [`hold`](Self::hold).
    pub fn summary(
        &self,
        task: &dyn Task,
        matrix: &ResponseMatrix,
        voters: &[CandidateAnswers<'_>],
        ids: Vec<PromptId>,
        check: &[InputIndex],
    ) -> VoteSummary {
        let counts = self.check(task, matrix, voters, check);
        let standings = voters.iter().enumerate().map(|(at, voter)| {
            let known = checked(voter, matrix, check);
            VoterStanding {
                asked: known.iter().flatten().count(),
                right: known.iter().flatten().filter(|right| **right).count(),
                accuracy: self.panel.model.accuracies[at],
                independence: self.panel.model.independence[at],
                family: self.panel.model.families[at],
            }
        });
        let votes = self.inputs.iter().zip(&self.won).map(|(&input, won)| {
            let share = won.as_ref().map_or(0.0, |won| won.share);
            InputVote {
                input: matrix.input(input).id.clone(),
                winner: won.as_ref().map(|won| won.answer.clone()),
                share,
                kept: share > self.threshold,
            }
        });
        VoteSummary {
            voters: ids,
            threshold: self.threshold,
            inputs: self.inputs.len(),
            kept: self.labels().filter(|(.., kept)| *kept).count(),
            source_accuracy: (counts.kept > 0).then(|| counts.right as f64 / counts.kept as f64),
            checked: Some(counts),
            standings: standings.collect(),
            classes: self.classes(task, matrix),
            votes: votes.collect(),
        }
    }

    /// The vote held over labelled examples.
    fn check(
        &self,
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
            if let Some((winner, share)) = self.winner(&ballot)
                && share > self.threshold
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
    fn classes(&self, task: &dyn Task, matrix: &ResponseMatrix) -> Vec<ClassVotes> {
        let mut classes: BTreeMap<&str, ClassVotes> = BTreeMap::new();
        for (&input, won) in self.inputs.iter().zip(&self.won) {
            let Some(won) = won else { continue };
            if task.answer_form(matrix.input(input)).labels().is_none() {
                continue;
            }
            let class = classes.entry(&won.answer).or_insert_with(|| ClassVotes {
                label: won.answer.clone(),
                won: 0,
                kept: 0,
            });
            class.won += 1;
            class.kept += usize::from(won.share > self.threshold);
        }
        classes.into_values().collect()
    }
}

impl VotedItem {
    /// The number of an answer; one that no voter gave has a number of its own.
    fn number(&self, answer: &str) -> u32 {
        let at = self.answers.iter().position(|other| other == answer);
        at.unwrap_or(self.answers.len()) as u32
    }
}

impl JudgingBelief<'_> {
    /// The label most likely right.
    pub fn label(&self) -> Option<&Label> {
        self.item
            .labels
            .get(self.belief.winner()? as usize)?
            .as_ref()
    }

    /// The expected worth of an answer over the labels that may be right: those that
    /// voters gave, and `own`, the one that the answer itself stands for.
    pub fn expect(&self, own: Option<(&str, Label)>, worth: impl Fn(&Label) -> f64) -> f64 {
        let given: f64 = self
            .belief
            .given
            .iter()
            .filter_map(|(answer, chance)| {
                let label = self.item.labels[*answer as usize].as_ref()?;
                Some(chance * worth(label))
            })
            .sum();
        let alone = own.filter(|(answer, _)| !self.item.answers.iter().any(|a| a == answer));
        given + alone.map_or(0.0, |(_, label)| self.belief.other * worth(&label))
    }
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
    let right = |input: &InputIndex| {
        let answer = voter.answer(*input)?;
        let label = matrix.label(*input)?;
        Some(answer.vote().is_some_and(|vote| is_right(label, &vote)))
    };
    check.iter().map(right).collect()
}
