//! The gate: may a prompt replace the one in use, and does the one in use still
//! hold?
//!
//! [`judge`](decide::judge) turns paired grades into a [`GateReport`]; everything
//! shown or written is a rendering of that one value. The statistics are
//! [`mod@shiftproof_search::stats::gate`].

pub mod baseline;
pub mod decide;
pub mod holdout_log;
mod html;
pub(crate) mod junit;
mod markdown;
pub mod power;
pub mod prompts;
mod sarif;
mod text;

use std::path::Path;

use serde::Serialize;
use shiftproof_search::budget::Spend;
use shiftproof_search::event::{GroupOutcome, GroupRole};
use shiftproof_search::stats::{BoundedDifference, GroupProof, GroupState};
use shiftproof_search::unusable::AnswerSurvey;
use shiftproof_tasks::{Prompt, PromptId};

use crate::exit::{ExitStatus, Failure};
use crate::report::to_json;
use crate::wording::shown;

/// Version of the JSON report's form.
pub const FORMAT: u32 = 1;

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum GateMode {
    /// Whether a candidate may replace the incumbent.
    Ship,
    /// Whether the prompt in use still holds.
    Guard,
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateDecision {
    /// A candidate may replace the incumbent.
    Ship,
    /// Nothing is shown to be better; the incumbent stays.
    NoSignificantWinner,
    /// The judged prompt is shown to be worse.
    Regressed,
    /// The judged prompt is below a bar that was set.
    BelowBar,
    /// The guarded prompt is not shown to be worse and reaches every bar.
    Holds,
    /// One prompt was scored and compared with none.
    Measured,
}

impl GateDecision {
    /// The process's exit code.
    pub const fn exit(self) -> ExitStatus {
        match self {
            Self::Ship | Self::Holds | Self::Measured => ExitStatus::Done,
            Self::NoSignificantWinner => ExitStatus::NoWinner,
            Self::Regressed | Self::BelowBar => ExitStatus::Below,
        }
    }

    /// The name in JSON and in the log of openings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ship => "ship",
            Self::NoSignificantWinner => "no-significant-winner",
            Self::Regressed => "regressed",
            Self::BelowBar => "below-bar",
            Self::Holds => "holds",
            Self::Measured => "measured",
        }
    }

    const fn headline(self) -> &'static str {
        match self {
            Self::Ship => "ship",
            Self::NoSignificantWinner => "no significant winner",
            Self::Regressed => "regressed",
            Self::BelowBar => "below the bar",
            Self::Holds => "holds",
            Self::Measured => "measured",
        }
    }
}

/// A decision with its evidence; `docs/schema/gate.json` describes its JSON.
#[derive(Debug, Clone, Serialize)]
pub struct GateReport {
    /// [`FORMAT`].
    pub format: u32,
    /// The study's name.
    pub study: String,
    /// What was to be decided.
    pub mode: GateMode,
    /// The decision.
    pub decision: GateDecision,
    /// Why, in sentences.
    pub reason: String,
    /// Identity of the model.
    pub model: String,
    /// The metric behind the groups' scores. Differences are of per-example
    /// grades, whatever the metric.
    pub metric: String,
    /// What was demanded.
    pub demand: GateCriteria,
    /// The audit it was decided on.
    pub audit: GateAudit,
    /// What a reader has to know beside the decision.
    pub notes: Vec<String>,
    /// Answers that cannot be used, of all that were asked for; absent where there
    /// is none.
    #[serde(skip_serializing_if = "no_fault")]
    pub unusable: AnswerSurvey,
    /// The prompt in use, or that of the baseline file.
    pub incumbent: ScoredPrompt,
    /// The model that the incumbent's grades were recorded with, where they come
    /// from the baseline file.
    pub incumbent_model: Option<String>,
    /// The prompts judged.
    pub candidates: Vec<JudgedPrompt>,
    /// What it cost; an answer found in the store counts like one paid for now.
    pub spent: Spend,
    /// Calls that were sent to a model now; the store had the other answers.
    pub sent: u64,
}

fn no_fault(survey: &AnswerSurvey) -> bool {
    survey.faults.is_empty()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form serde asks for")]
fn is_usual(proof: &GroupProof) -> bool {
    *proof == GroupProof::Each
}

/// What was demanded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateCriteria {
    /// Name of the robust score.
    pub objective: String,
    /// Accepted chance of a wrong decision, over all questions put to the audit.
    pub alpha: f64,
    /// What of it this question may spend: in ship mode α/(k(k + 1)) for the kth
    /// question, else all of it.
    pub level: f64,
    /// Loss a group may bear, in units of the score.
    pub tolerance: f64,
    /// How it is shown that no group loses more; absent for the usual way, each group
    /// by its own examples.
    #[serde(skip_serializing_if = "is_usual")]
    pub proof: GroupProof,
    /// Bootstrap replicates.
    pub replicates: usize,
    /// Bar for the worst target group.
    pub min_worst: Option<f64>,
    /// Bars for single groups.
    pub min_groups: Vec<GroupThreshold>,
}

/// A group's bar.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupThreshold {
    /// The group.
    pub group: String,
    /// The least score.
    pub score: f64,
}

/// The audit behind a decision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GateAudit {
    /// Names its content.
    pub fingerprint: String,
    /// Sealed examples, over all groups.
    pub examples: usize,
    /// Labels read for this decision.
    pub labels_read: u64,
    /// Of those, labels of target groups.
    pub target_labels_read: u64,
    /// Times it was opened in this store, this one included.
    pub openings: usize,
    /// Different questions it has answered in this store, this one included.
    /// From the second on, intervals and error rates no longer hold as stated.
    pub questions: usize,
}

/// Where a prompt is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PromptLocation {
    /// The file, as given.
    pub file: String,
    /// The line its text begins on, from 1.
    pub line: usize,
}

/// A prompt with its scores.
#[derive(Debug, Clone, Serialize)]
pub struct ScoredPrompt {
    /// The prompt.
    pub prompt: Prompt,
    /// Its id.
    pub id: PromptId,
    /// Where it came from, for people.
    pub origin: String,
    /// Where it is written, if in a file.
    pub place: Option<PromptLocation>,
    /// The robust score over the paired examples' group means.
    pub score: Option<f64>,
    /// Per group, in the study's order, over all its own answers.
    pub groups: Vec<GroupOutcome>,
}

/// A judged prompt.
#[derive(Debug, Clone, Serialize)]
pub struct JudgedPrompt {
    /// The prompt with its scores.
    #[serde(flatten)]
    pub contender: ScoredPrompt,
    /// Whether it meets every demand of `--mode ship`.
    pub ships: bool,
    /// Whether it is shown to be worse.
    pub harmed: bool,
    /// Bars it misses, as sentences.
    pub below: Vec<String>,
    /// Difference of the robust score to the incumbent's; absent without pairs.
    pub robust: Option<BoundedDifference>,
    /// Differences per group, in the study's order.
    pub compared: Vec<GroupComparison>,
    /// Audit examples per group that would likely (four times in five for each
    /// open demand) let it ship, were the truth as estimated; absent when it
    /// ships or an estimate itself fails its demand.
    pub needed: Option<usize>,
}

/// One group of a judged prompt against the incumbent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupComparison {
    /// The group.
    pub group: String,
    /// Its role.
    pub role: GroupRole,
    /// Examples with a grade from every prompt compared.
    pub pairs: usize,
    /// Clusters among them.
    pub clusters: usize,
    /// The judgement.
    pub state: GroupState,
    /// Whether the group keeps the prompt from shipping.
    pub blocks: bool,
    /// The difference; absent without pairs.
    pub difference: Option<BoundedDifference>,
}

/// The forms a decision can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateFormat {
    /// As on the terminal.
    Text,
    /// `docs/schema/gate.json`.
    Json,
    /// A comment for a pull request.
    Markdown,
    /// `JUnit`: a test case per group and one for the robust score.
    Junit,
    /// SARIF 2.1.0: results at the prompt's line.
    Sarif,
    /// One page that needs nothing beside it.
    Html,
}

impl GateFormat {
    /// The form that a file's ending asks for. A new form needs an arm here and
    /// in [`GateReport::render`].
    pub fn of(path: &Path) -> Result<Self, Failure> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("txt") => Ok(Self::Text),
            Some("json") => Ok(Self::Json),
            Some("md") => Ok(Self::Markdown),
            Some("xml") => Ok(Self::Junit),
            Some("sarif") => Ok(Self::Sarif),
            Some("html") => Ok(Self::Html),
            _ => Err(Failure::usage(format!(
                "cannot tell the form of {}: use the ending .txt, .json, .md, .html, .xml (JUnit) or .sarif",
                path.display()
            ))),
        }
    }
}

impl GateReport {
    /// The report in one form.
    pub fn render(&self, form: GateFormat) -> Result<String, Failure> {
        match form {
            GateFormat::Text => Ok(shown::visible(&self.text())),
            GateFormat::Json => to_json(self),
            GateFormat::Markdown => Ok(shown::markdown(&self.markdown())),
            GateFormat::Junit => Ok(shown::visible(&self.junit()?)),
            GateFormat::Sarif => to_json(&self.sarif()),
            GateFormat::Html => Ok(shown::visible(&self.html())),
        }
    }

    /// The judged prompt that matters most: the one that ships, else the one
    /// with the best robust difference.
    pub(crate) fn leading(&self) -> Option<&JudgedPrompt> {
        let rank = |c: &JudgedPrompt| {
            let difference = c.robust.map_or(f64::NEG_INFINITY, |r| r.estimate);
            (c.ships, difference)
        };
        self.candidates.iter().max_by(|a, b| {
            let (a, b) = (rank(a), rank(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        })
    }
}

/// A value in points of a hundred, signed.
fn points(value: f64) -> String {
    format!("{:+.1}", value * 100.0)
}

/// A score in points of a hundred.
fn score(value: f64) -> String {
    format!("{:.1}", value * 100.0)
}

const fn state_name(state: GroupState) -> &'static str {
    match state {
        GroupState::Holds => "holds",
        GroupState::Regressed => "regressed",
        GroupState::Unproven => "unproven",
    }
}

#[cfg(test)]
mod tests;
