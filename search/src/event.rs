//! What a run tells the world: one stream that every screen, file and report
//! folds.
//!
//! *Durable* events are decisions and measurements. They carry no clock time,
//! so the same study, seed and replies give the same events, byte for byte; they
//! are logged and replay. *Ticks* ([`ProgressTick`]) tell how the work is going right
//! now; they are shown and forgotten.

mod answers;
mod judged;
mod knowledge;
mod progress;
mod records;
mod words;

use serde::{Deserialize, Serialize};
use shiftproof_tasks::PromptId;

pub use self::answers::{
    AnswerDetail, AnswerVerdict, SHOWN_ANSWER, SHOWN_DETAIL, SHOWN_INPUT, ShownAnswer, ShownInput,
    UngradedReason,
};
pub use self::judged::{CorrectedScore, CorrectedScores, JudgeStanding};
pub use self::knowledge::WrittenKnowledge;
pub use self::progress::{EndedBatch, ProgressTick};
pub use self::records::{
    CandidateProposed, CarriedOver, CheckedVotes, ClassVotes, CrossFittedChoice, GroupInfo,
    GroupOutcome, InputVote, ProposalSummary, RunStarted, ScoreDifference, VoteSummary,
    VoterStanding,
};
pub use self::words::{AuditedPrompt, GroupRole, Origin, Phase, RunEnding};
use crate::budget::Spend;
use crate::calibrate::{Calibration, CalibrationFit};
use crate::headroom::HeadroomEstimate;
use crate::unusable::AnswerSurvey;

/// A durable fact about a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The run began.
    Started(RunStarted),
    /// The run goes on from an earlier one.
    Continued(CarriedOver),
    /// A phase of the run began.
    Phase {
        /// Which.
        phase: Phase,
        /// What it is about to do, as a sentence.
        plan: String,
    },
    /// What a model wrote about the inputs, field by field; only by a study that has it
    /// written.
    Augmented {
        /// The fields, in the order in which they are shown.
        knowledge: Vec<WrittenKnowledge>,
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
    /// What is to be gained over the prompts that were there, out of the first answers
    /// that a run makes anyhow.
    Headroom(HeadroomEstimate),
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
    /// What the choice is worth by the labels it was made on, cross-fitted; told only
    /// where there are enough labelled target examples.
    CrossFitted(CrossFittedChoice),
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
    /// What the study's judge is worth, told before the search; only by a run whose answers
    /// a model judges.
    Judged(JudgeStanding),
    /// Audited scores as the person would have given them who graded some answers of the
    /// judge's.
    Corrected {
        /// The seed's and the selected prompt's.
        scores: Vec<CorrectedScores>,
    },
    /// The run ended.
    Finished {
        /// How.
        ending: RunEnding,
        /// Everything spent, proposer and task model together, counting an
        /// answer found in the store like one that was paid for in this run.
        spent: Spend,
        /// Requests beside these that brought no answer, each at its worst case:
        /// retries, failures, questions on what the models can do, and what was on
        /// the way when a process was killed.
        #[serde(default, skip_serializing_if = "Spend::is_nothing")]
        unanswered: Spend,
        /// Labels of target examples read before the audit.
        target_labels_read: u64,
        /// Labels read by the sealed audit.
        audit_labels_read: u64,
    },
}

/// Receives what a run tells. An observer returns nothing: it cannot fail or
/// steer the run.
pub trait RunObserver: Send {
    /// A durable event; `replayed` when a resumed run tells it again.
    fn event(&mut self, event: &Event, replayed: bool);

    /// A sign of life.
    fn tick(&mut self, _tick: &ProgressTick) {}

    /// More of an answer that is not right than its event holds, told before the event
    /// that tells of the answer; of an answer told anew, anew.
    fn detail(&mut self, _detail: &AnswerDetail) {}
}
