//! What events carry: who started, what was proposed, scores, votes.

use serde::{Deserialize, Serialize};
use shiftproof_tasks::{Prompt, PromptId};

use super::words::{GroupRole, Origin};
use crate::budget::BudgetLimits;

/// What a run starts with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The study's name.
    pub study: String,
    /// The task's name.
    pub task: String,
    /// The metric's name.
    pub metric: String,
    /// The method's name.
    pub method: String,
    /// The objective's name.
    pub objective: String,
    /// Identity of the model that does the task.
    pub task_model: String,
    /// Identity of the model that proposes.
    pub proposer_model: String,
    /// The random seed.
    pub seed: u64,
    /// What may be spent.
    pub limits: BudgetLimits,
    /// Groups in the study's order, sources first.
    pub groups: Vec<GroupInfo>,
    /// Version of the program; another version may decide differently.
    pub version: String,
}

/// One group of the study.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupInfo {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: GroupRole,
    /// Labelled examples for proposals.
    pub train: usize,
    /// Labelled examples for scoring candidates.
    pub validation: usize,
    /// Labelled examples of a target that the search scores candidates on.
    #[serde(default, skip_serializing_if = "is_none")]
    pub labelled: usize,
    /// Inputs without labels.
    pub unlabelled: usize,
    /// Sealed labelled examples.
    pub audit: usize,
}

/// What a run that goes on from an earlier one has of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedOver {
    /// The earlier run.
    pub run: String,
    /// What it chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<PromptId>,
    /// Its candidates that the study itself does not bring.
    pub candidates: usize,
    /// Stored answers of its candidates to inputs of this run; they count against no
    /// limit of this run.
    pub answers: usize,
}

/// A prompt that entered the race.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateProposed {
    /// Its content address.
    pub candidate: PromptId,
    /// Its content.
    pub prompt: Prompt,
    /// How it came about.
    pub origin: Origin,
    /// The prompts it was made from; empty for the first generation.
    pub parents: Vec<PromptId>,
}

/// What became of a request for prompts. Which rules threw texts away was told
/// before, one [`Event::Discarded`](super::Event::Discarded) a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalSummary {
    /// The proposer's name.
    pub proposer: String,
    /// Whether a model was asked; else prompts were made without one.
    pub model: bool,
    /// Texts that a model sent (or refused to), or prompts that were to be made.
    pub asked: u64,
    /// Prompts among them that entered the race.
    pub used: u64,
    /// Texts that were asked for once more: cut off or refused at first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub again: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde asks for")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One group's score of one candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupOutcome {
    /// The group.
    pub group: String,
    /// Its role.
    pub role: GroupRole,
    /// Whether the labels are votes rather than truth.
    pub voted: bool,
    /// The metric's value; `None` where it has none (no usable answer, one class).
    pub value: Option<f64>,
    /// Lower end of the 95% interval.
    pub low: Option<f64>,
    /// Upper end of the 95% interval.
    pub high: Option<f64>,
    /// Answers that count.
    pub n: usize,
    /// Of those, answers not of the form asked for.
    pub unparseable: usize,
    /// Replies that were cut off before they could be read; they count in no score.
    #[serde(default, skip_serializing_if = "is_none")]
    pub truncated: usize,
    /// Calls that can never be answered; they count in no score.
    pub failed: usize,
}

/// What there is none of is not written: most runs have no such answer.
#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
const fn is_none(count: &usize) -> bool {
    *count == 0
}

impl GroupOutcome {
    /// Answers that were looked at, whether they count or not.
    pub const fn asked(&self) -> usize {
        self.n + self.truncated + self.failed
    }

    /// Answers that cannot be used.
    pub const fn unusable(&self) -> usize {
        self.unparseable + self.truncated + self.failed
    }
}

/// What choosing by labelled target examples gains, measured on those that a choice did
/// not see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossFittedChoice {
    /// Chosen − seed: the mean over target groups, its 95% interval and the labels it
    /// rests on.
    pub gain: ScoreDifference,
    /// How often the labels were cut into halves.
    pub splits: usize,
    /// How often half of the labels chose what all of them chose, in `0..=1`.
    pub agreement: f64,
}

/// A difference of scores with its interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreDifference {
    /// The group, or what the row is.
    pub group: String,
    /// Selected − seed.
    pub value: f64,
    /// Lower end of the 95% interval.
    pub low: f64,
    /// Upper end of the 95% interval.
    pub high: f64,
    /// Paired examples.
    pub n: usize,
}

/// What the vote over target inputs came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VoteSummary {
    /// The voters.
    pub voters: Vec<PromptId>,
    /// An input is kept when its winner's share of the votes is above this.
    pub threshold: f64,
    /// Inputs voted on.
    pub inputs: usize,
    /// Inputs kept.
    pub kept: usize,
    /// How often a kept vote is right, as the same voters' votes on labelled
    /// source examples show; `None` where none of those was kept.
    pub source_accuracy: Option<f64>,
    /// The counts behind `source_accuracy`; absent in logs of earlier programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<CheckedVotes>,
    /// How far each voter is believed, in the order of `voters`; absent where heads are
    /// counted, and in logs of earlier programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standings: Vec<VoterStanding>,
    /// Per class: how many inputs it won, and how many of those were kept.
    pub classes: Vec<ClassVotes>,
    /// Every input's vote, in the data's order.
    pub votes: Vec<InputVote>,
}

/// A vote of the same voters over labelled source examples that no voter was chosen
/// by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedVotes {
    /// Examples that every voter answered.
    pub examples: usize,
    /// Of those, votes that would be kept.
    pub kept: usize,
    /// Of those, right ones.
    pub right: usize,
}

/// How far a voter is believed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct VoterStanding {
    /// Labelled source examples it answered.
    pub asked: usize,
    /// Of those, right answers.
    pub right: usize,
    /// The chance that it is right about a target input, in `0..=1`: what the source
    /// says, lowered where it has left the other voters.
    pub accuracy: f64,
    /// How many voters that err apart it counts as, in `0..=1`.
    pub independence: f64,
    /// Voters that answer much alike are of one family.
    pub family: usize,
}

/// One class's share in the vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassVotes {
    /// The class.
    pub label: String,
    /// Inputs it won.
    pub won: usize,
    /// Of those, inputs kept.
    pub kept: usize,
}

/// One target input's vote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputVote {
    /// The input.
    pub input: String,
    /// The winning answer; `None` when no voter gave a usable one.
    pub winner: Option<String>,
    /// Its votes over all voters, in `0..=1`.
    pub share: f64,
    /// Whether it was kept.
    pub kept: bool,
}
