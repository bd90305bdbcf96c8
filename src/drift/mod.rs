//! Whether a prompt in use still holds: day by day, at an error that is stated for all
//! days together.

mod days;
mod html;
mod junit;
mod state;
mod text;
mod watch;

use std::path::Path;

use serde::Serialize;
use shiftproof_search::budget::Spend;
use shiftproof_tasks::PromptId;

pub(crate) use self::state::{DayCost, DayRecord, DriftLog, GroupCount, ReferenceRecord};
pub(crate) use self::watch::{GroupWatch, watch};
use crate::exit::{ExitStatus, Failure};
use crate::report::to_json;
use crate::wording::shown::{argument, quoted};

/// What is to be done about the prompt in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DriftDecision {
    /// Nothing is shown against it.
    Keep,
    /// The data look otherwise than they did, or nobody has looked: label some.
    ReLabel,
    /// It is shown to have become worse.
    ReOptimise,
}

impl DriftDecision {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::ReLabel => "re-label",
            Self::ReOptimise => "re-optimise",
        }
    }
}

/// One stored champion on the new data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RacedChampion {
    /// The run that selected it.
    pub run: String,
    /// Its prompt.
    pub prompt: PromptId,
    /// Its score on the labelled rows.
    pub score: f64,
    /// Its score less that of the prompt in use, with its 95% interval.
    pub ahead: [f64; 3],
    /// Labelled rows that both answered.
    pub n: usize,
}

/// The report of one call.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DriftReport {
    /// The study.
    pub study: String,
    /// The prompt in use.
    pub prompt: PromptId,
    /// The model's name for people.
    pub model: String,
    /// The metric.
    pub metric: String,
    /// The batch.
    pub batch: String,
    /// The chance of any false alarm over the whole stream.
    pub alpha: f64,
    /// How far a group may fall without an alarm.
    pub tolerance: f64,
    /// What is to be done.
    pub decision: DriftDecision,
    /// Why, as a sentence.
    pub reason: String,
    /// The commands that do it.
    pub next: Vec<String>,
    /// Each group of the study.
    pub groups: Vec<GroupWatch>,
    /// Stored champions on the new data, the best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub race: Vec<RacedChampion>,
    /// All days so far, of earlier prompts too.
    pub days: Vec<DayRecord>,
    /// What a reader has to know beside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// An answer found in the store counts like one paid for now.
    pub spent: Spend,
    /// Calls that were sent to a model now.
    pub sent: u64,
}

impl DriftReport {
    /// How the program ends.
    pub fn exit(&self) -> ExitStatus {
        if self.groups.iter().any(GroupWatch::alarms) {
            ExitStatus::Drifted
        } else {
            ExitStatus::Done
        }
    }

    /// The report in the form that the file's ending asks for.
    pub fn render(&self, path: &Path) -> Result<String, Failure> {
        match DriftForm::of(path)? {
            DriftForm::Text => Ok(self.text()),
            DriftForm::Json => to_json(self),
            DriftForm::Markdown => Ok(self.markdown()),
            DriftForm::Html => Ok(self.html()),
            DriftForm::Junit => self.junit(),
        }
    }
}

/// The forms of a report in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DriftForm {
    Text,
    Json,
    Markdown,
    Html,
    Junit,
}

impl DriftForm {
    /// The form that the file's ending asks for.
    pub fn of(path: &Path) -> Result<Self, Failure> {
        let ending = path.extension().and_then(|end| end.to_str());
        Ok(match ending.unwrap_or_default().to_lowercase().as_str() {
            "txt" => Self::Text,
            "json" => Self::Json,
            "md" => Self::Markdown,
            "html" => Self::Html,
            "xml" => Self::Junit,
            _ => {
                return Err(Failure::usage(format!(
                    "{}: the ending names no form; use .txt, .json, .md, .html or .xml",
                    path.display()
                )));
            }
        })
    }
}

/// What the commands that go on from a report are about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NextSteps<'a> {
    /// The study's file.
    pub study: &'a str,
    /// The batch's file; `None` where every row of it tells its own truth and there is
    /// nothing to label.
    pub batch: Option<&'a str>,
    /// The store's [flag](crate::runs::stored::store_flag).
    pub flag: &'a str,
}

/// What is to be done, why, and by which commands.
pub(crate) fn decide(
    groups: &[GroupWatch],
    race: &[RacedChampion],
    NextSteps { study, batch, flag }: NextSteps<'_>,
) -> (DriftDecision, String, Vec<String>) {
    let named = |alarm: fn(&GroupWatch) -> bool| -> Vec<&str> {
        let own = groups.iter().filter(|group| alarm(group));
        own.map(|group| group.group.as_str()).collect()
    };
    let fallen = named(|group| group.fall.alarm);
    let moved = named(|group| group.shares.alarm);
    let unwatched = named(|group| group.is_target && group.rows > 0 && group.labels == 0);
    let label = |groups: &[&str]| {
        let groups = groups
            .iter()
            .map(|name| format!(" --group {}", quoted(name)));
        let groups: Vec<String> = groups.collect();
        let command = batch.map(|batch| {
            format!(
                "shiftproof label {} --batch {}{}{flag}",
                argument(study),
                argument(batch),
                groups.concat()
            )
        });
        command.into_iter().collect::<Vec<String>>()
    };
    if !fallen.is_empty() {
        let mut next = Vec::new();
        let ahead = race.first().filter(|champion| champion.ahead[1] > 0.0);
        let champion = match ahead {
            Some(champion) => {
                next.push(format!(
                    "shiftproof gate {} --run {}{flag}",
                    argument(study),
                    champion.run
                ));
                format!(
                    "; the prompt of run {} is {:.1} points better on the new labels",
                    champion.run,
                    100.0 * champion.ahead[0]
                )
            }
            None => String::new(),
        };
        next.extend(label(&fallen));
        next.push(format!(
            "shiftproof optimize {} --continue{flag}",
            argument(study)
        ));
        let reason = format!(
            "the prompt is shown to have become worse in {}{champion}",
            fallen.join(", ")
        );
        return (DriftDecision::ReOptimise, reason, next);
    }
    if !moved.is_empty() {
        let reason = format!(
            "the prompt's answers have other shares than they had in {}, and too few labels say \
             whether they are still right",
            moved.join(", ")
        );
        return (DriftDecision::ReLabel, reason, label(&moved));
    }
    if !unwatched.is_empty() {
        let reason = format!(
            "no row of {} has a label, so only the shares of answers are watched there",
            unwatched.join(", ")
        );
        return (DriftDecision::ReLabel, reason, label(&unwatched));
    }
    let reason = "nothing is shown to have become worse or to have moved".to_owned();
    (DriftDecision::Keep, reason, Vec::new())
}

#[cfg(test)]
mod tests;
