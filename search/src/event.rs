//! What a run tells the world: one stream that every screen, file and report
//! folds.
//!
//! *Durable* events are decisions and measurements. They carry no clock time,
//! so the same study, seed and replies give the same events, byte for byte; they
//! are logged and replay. *Ticks* ([`ProgressTick`]) tell how the work is going right
//! now; they are shown and forgotten.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shiftproof_tasks::{Prompt, PromptId};

use crate::budget::{BudgetLimits, Spend};
use crate::calibrate::{Calibration, CalibrationFit};
use crate::llm::ClientTraffic;
use crate::unusable::{AnswerFault, AnswerSurvey};

/// A durable fact about a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The run began.
    Started(RunStarted),
    /// A phase of the run began.
    Phase {
        /// Which.
        phase: Phase,
        /// What it is about to do, as a sentence.
        plan: String,
    },
    /// A prompt entered the race.
    Proposed(CandidateProposed),
    /// Proposed texts that were thrown away, by rule.
    Discarded {
        /// The rule.
        reason: String,
        /// How many texts it threw away in this phase.
        count: u64,
        /// One of them.
        example: String,
    },
    /// What became of a request for prompts.
    Proposals(ProposalSummary),
    /// A candidate's scores so far in one phase.
    Evaluated {
        /// The candidate.
        candidate: PromptId,
        /// The phase.
        phase: Phase,
        /// The objective's value, higher is better.
        score: f64,
        /// Per group, in the study's order.
        groups: Vec<GroupOutcome>,
    },
    /// Inputs that answers are about to name by their place among all inputs told
    /// so far, from 0. Each is told once.
    Inputs {
        /// The inputs.
        inputs: Vec<ShownInput>,
    },
    /// What a candidate answered, as far as it is news: an answer that was told
    /// and means the same is not told again.
    Answered {
        /// The candidate.
        candidate: PromptId,
        /// The phase.
        phase: Phase,
        /// The texts that the answers name by their place, each once.
        texts: Vec<String>,
        /// The answers.
        answers: Vec<ShownAnswer>,
    },
    /// Answers that cannot be used, as far as they are news; told only where there
    /// are any.
    Unusable {
        /// The phase.
        phase: Phase,
        /// The answers looked at since this was last told.
        #[serde(flatten)]
        survey: AnswerSurvey,
    },
    /// The candidate that leads a race under way, or that won it.
    Leading {
        /// The candidate.
        candidate: PromptId,
        /// The phase.
        phase: Phase,
        /// Calls the run had spent by then.
        calls: u64,
        /// The objective's value, higher is better.
        score: f64,
        /// Per group, in the study's order.
        groups: Vec<GroupOutcome>,
    },
    /// Target inputs were labelled by vote.
    Voted(VoteSummary),
    /// A candidate left the race or stayed in it.
    Decided {
        /// The candidate.
        candidate: PromptId,
        /// Whether it is still in the race.
        kept: bool,
        /// Why, as a sentence.
        reason: String,
    },
    /// The search made its choice.
    Selected {
        /// The chosen prompt.
        candidate: PromptId,
        /// Why, as a sentence.
        reason: String,
        /// The prompts that vote together where the method keeps an ensemble.
        ensemble: Vec<PromptId>,
    },
    /// How scored labels will be calibrated in the audit; told only by a run that
    /// calibrates.
    Calibrated {
        /// The calibration.
        calibration: Calibration,
        /// What it was learnt from, prompt by prompt.
        prompts: Vec<CalibrationFit>,
    },
    /// One contestant was scored on the sealed audit.
    Audited {
        /// Who.
        contestant: AuditedPrompt,
        /// Per group, in the study's order.
        groups: Vec<GroupOutcome>,
    },
    /// A method without a language model was scored on the sealed audit.
    Baseline {
        /// Its name: `most-pop`, `liked-fraction`, …
        name: String,
        /// Per group, in the study's order.
        groups: Vec<GroupOutcome>,
    },
    /// The selected prompt against the seed on the same audit examples.
    Compared {
        /// Per group: difference selected − seed and its interval.
        groups: Vec<ScoreDifference>,
        /// The difference of the worst target group's scores.
        worst: ScoreDifference,
    },
    /// The run ended.
    Finished {
        /// How.
        ending: RunEnding,
        /// Everything spent, proposer and task model together, counting an
        /// answer found in the store like one that was paid for in this run.
        spent: Spend,
        /// Labels of target examples read before the audit.
        target_labels_read: u64,
        /// Labels read by the sealed audit.
        audit_labels_read: u64,
    },
}

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
    /// Inputs without labels.
    pub unlabelled: usize,
    /// Sealed labelled examples.
    pub audit: usize,
}

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupRole {
    /// Labelled, free to use.
    Source,
    /// Shifted, unlabelled for the search.
    Target,
}

impl std::fmt::Display for GroupRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// The phases of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Prompts are proposed from source demonstrations.
    Propose,
    /// Proposals are screened on a small balanced sample.
    Screen,
    /// Target inputs are labelled by vote.
    Vote,
    /// Prompts are proposed again from the mix of source and voted target.
    Repropose,
    /// The best prompts are edited and recombined.
    Refine,
    /// The finalists are measured on everything the search may use.
    Final,
    /// The sealed audit is opened.
    Audit,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Propose => "propose",
            Self::Screen => "screen",
            Self::Vote => "vote",
            Self::Repropose => "repropose",
            Self::Refine => "refine",
            Self::Final => "final",
            Self::Audit => "audit",
        })
    }
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
/// before, one [`Event::Discarded`] a rule.
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

/// How a candidate came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The prompt in use today.
    Seed,
    /// A further human-written prompt of the study.
    Human,
    /// A generic prompt for the answer form.
    Library,
    /// Induced by a model from demonstrations.
    Induced,
    /// Induced by a model from demonstrations that include voted target inputs.
    InducedFromMix,
    /// A model's paraphrase of another prompt.
    Paraphrase,
    /// Phrases deleted, swapped or added without a model (`GrIPS`).
    Edit,
    /// Sentences of two prompts recombined without a model.
    Crossover,
    /// The same instruction with demonstrations.
    Demonstrated,
    /// Written by a model that was shown what prompts got wrong.
    Reflected,
    /// Written by a model from prompts, and their scores where the method shows them.
    Evolved,
    /// Put together by a model from two prompts.
    Merged,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Seed => "seed",
            Self::Human => "human",
            Self::Library => "library",
            Self::Induced => "induced",
            Self::InducedFromMix => "induced from mix",
            Self::Paraphrase => "paraphrase",
            Self::Edit => "edit",
            Self::Crossover => "crossover",
            Self::Demonstrated => "demonstrations",
            Self::Reflected => "reflected",
            Self::Evolved => "evolved",
            Self::Merged => "merged",
        })
    }
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

/// An input as screens and reports show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownInput {
    /// Its name in the data.
    pub id: String,
    /// Its group.
    pub group: String,
    /// What the model sees of it, cut to [`SHOWN_INPUT`] characters.
    pub text: String,
    /// The true label, cut alike: of source examples, and of audited ones once
    /// the seal is open. A label that a target input won by vote is in [`VoteSummary`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Characters of an input that are told.
pub const SHOWN_INPUT: usize = 240;
/// Characters of an answer that are told.
pub const SHOWN_ANSWER: usize = 80;

/// One answer. A run tells very many: it is written as `[input, text, verdict]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(u32, u32, AnswerVerdict)", into = "(u32, u32, AnswerVerdict)")]
pub struct ShownAnswer {
    /// Place of the input among all inputs told.
    pub input: u32,
    /// Place of the answer's text among the event's texts.
    pub text: u32,
    /// What it was worth.
    pub verdict: AnswerVerdict,
}

impl From<(u32, u32, AnswerVerdict)> for ShownAnswer {
    fn from((input, text, verdict): (u32, u32, AnswerVerdict)) -> Self {
        Self {
            input,
            text,
            verdict,
        }
    }
}

impl From<ShownAnswer> for (u32, u32, AnswerVerdict) {
    fn from(answer: ShownAnswer) -> Self {
        (answer.input, answer.text, answer.verdict)
    }
}

/// What an answer was worth: a number where it was graded, else a word.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AnswerVerdict {
    /// Graded, in `0..=1`, higher is better.
    Graded(f64),
    /// Not graded; why.
    Ungraded(UngradedReason),
}

/// Why an answer has no grade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UngradedReason {
    /// Not of the form asked for. It counts as wrong.
    Unparseable,
    /// Cut off before it could be read. It counts in no score.
    Truncated,
    /// The call can never be answered. It counts in no score.
    Failed,
    /// No label is known, or the label is not to be told before the audit.
    Unlabelled,
}

impl From<AnswerFault> for UngradedReason {
    fn from(fault: AnswerFault) -> Self {
        match fault {
            AnswerFault::Unparseable => Self::Unparseable,
            AnswerFault::Truncated => Self::Truncated,
            AnswerFault::Failed => Self::Failed,
        }
    }
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
    /// How far each voter is believed, in the order of `voters`; absent in logs of
    /// earlier programs.
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

/// Who is audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditedPrompt {
    /// The seed prompt.
    Seed,
    /// The selected prompt.
    Selected,
    /// The vote of the ensemble, at as many calls as it has prompts.
    Ensemble,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnding {
    /// All phases were done.
    Completed,
    /// The budget ran out before the last phase: the best so far was chosen.
    BudgetExhausted,
}

/// How the work is going right now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgressTick {
    /// The phase.
    pub phase: Phase,
    /// Calls of the current block answered so far.
    pub done: u64,
    /// Calls of the current block.
    pub total: u64,
    /// Calls sent to a model since the process started; the rest came from the
    /// store.
    pub sent: u64,
    /// Settled spending of the run.
    pub spent: Spend,
    /// The call or batch that just ended; `None` for a mere sign of life.
    pub ended: Option<EndedBatch>,
    /// Calls that wait for their answer now.
    pub in_flight: u64,
    /// Calls that may wait for their answer at once.
    pub slots: u64,
    /// What the model's client counts, where it counts.
    pub traffic: Option<ClientTraffic>,
    /// Whether the user has paused the run.
    pub paused: bool,
    /// What the model's client is busy with beside answering.
    pub status: Option<String>,
}

/// A call, or a batch of calls sent together, that just ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedBatch {
    /// Calls in it.
    pub calls: u64,
    /// How long it took.
    pub latency: Duration,
    /// Tokens of its prompts and completions; of failed calls, none.
    pub tokens: u64,
    /// Calls that can never be answered.
    pub failed: u64,
    /// What was said of a call without a reply, whether it ends the run or not.
    pub error: Option<String>,
}

/// Receives what a run tells. An observer returns nothing: it cannot fail or
/// steer the run.
pub trait RunObserver: Send {
    /// A durable event; `replayed` when a resumed run tells it again.
    fn event(&mut self, event: &Event, replayed: bool);

    /// A sign of life.
    fn tick(&mut self, _tick: &ProgressTick) {}
}
