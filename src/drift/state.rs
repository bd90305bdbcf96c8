//! What is remembered from day to day: a plain file of one JSON record a line, small
//! enough to be committed. It holds counts, no texts and no labels.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shiftproof_search::budget::Spend;
use shiftproof_search::stats::OutcomeCount;
use shiftproof_tasks::PromptId;

use crate::exit::{ExitStatus, Failure};
use crate::runs::durable;

/// What a prompt answered in one group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupCount {
    /// Rows that it answered.
    pub rows: usize,
    /// Labels among them that were not picked; users with several rows count once.
    pub labels: f64,
    /// Sum of what its answers to these are worth.
    pub right: f64,
    /// Answers by class, users with several rows counted once; `""` is what is none of
    /// the classes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, f64>,
}

impl GroupCount {
    /// Its labelled part.
    pub fn outcomes(&self) -> OutcomeCount {
        OutcomeCount {
            total: self.right,
            n: self.labels,
        }
    }

    /// The score of its labelled part.
    pub fn score(&self) -> Option<f64> {
        (self.labels > 0.0).then(|| self.right / self.labels)
    }
}

/// What a stream is held against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReferenceRecord {
    /// The prompt.
    pub prompt: PromptId,
    /// Identity of the model.
    pub model: String,
    /// The chance of any false alarm over the whole stream.
    pub alpha: f64,
    /// How far a group may fall without an alarm.
    pub tolerance: f64,
    /// What it answered when it was committed, by group.
    pub groups: BTreeMap<String, GroupCount>,
}

/// What a day's answers cost. An answer found in the store counts like one paid for then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct DayCost {
    /// Rows that were asked about, answered or not.
    pub rows: usize,
    /// Calls of a model.
    pub calls: u64,
    /// Tokens, sent and generated.
    pub tokens: u64,
    /// Money in US dollars; `None` where the price of some call is not known.
    pub usd: Option<f64>,
}

impl DayCost {
    /// What asking about so many rows cost.
    pub fn new(rows: usize, spent: Spend) -> Self {
        Self {
            rows,
            calls: spent.calls,
            tokens: spent.tokens(),
            usd: (spent.unpriced == 0).then(|| spent.usd()),
        }
    }
}

/// One day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DayRecord {
    /// The batch's name.
    pub batch: String,
    /// The prompt in use.
    pub prompt: PromptId,
    /// What it answered, by group.
    pub groups: BTreeMap<String, GroupCount>,
    /// What asking it cost; `None` of a day that an earlier program wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<DayCost>,
    /// Alarms by the end of the day: `fall:GROUP` or `shares:GROUP`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
    /// Whether the day was looked at again with more labels.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub labelled: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum DriftRecord {
    Reference(ReferenceRecord),
    Day(DayRecord),
}

/// The file of one study's days.
pub(crate) struct DriftLog {
    path: PathBuf,
    records: Vec<DriftRecord>,
}

impl DriftLog {
    /// Reads the file at `path`; empty where there is none.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read.map_err(Failure::from_io(ExitStatus::Data, "read", path))?,
        };
        let record = |(at, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|error| {
                Failure::data(format!(
                    "{}:{}: not a record of this version ({error}); remove the line if a write was \
                     cut short there, or name another file with --state",
                    path.display(),
                    at + 1
                ))
                .caused_by(error)
            })
        };
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.is_empty());
        Ok(Self {
            path: path.to_owned(),
            records: lines.map(record).collect::<Result<_, _>>()?,
        })
    }

    /// The reference of the stream under way, if it is of this prompt and model.
    pub fn reference(&self, prompt: PromptId, model: &str) -> Option<&ReferenceRecord> {
        let last = self.records.iter().rev().find_map(|record| match record {
            DriftRecord::Reference(reference) => Some(reference),
            DriftRecord::Day(_) => None,
        })?;
        (last.prompt == prompt && last.model == model).then_some(last)
    }

    /// The days since the last reference, each as it was last looked at, in the order
    /// they came.
    pub fn stream(&self) -> Vec<DayRecord> {
        let start = self
            .records
            .iter()
            .rposition(|record| matches!(record, DriftRecord::Reference(_)));
        merged(&self.records[start.map_or(0, |at| at + 1)..])
    }

    /// All days, of earlier prompts too.
    pub fn days(&self) -> Vec<DayRecord> {
        let streams = self
            .records
            .split(|record| matches!(record, DriftRecord::Reference(_)));
        streams.flat_map(merged).collect()
    }

    /// Begins a stream; durable when it returns.
    pub fn begin(&mut self, reference: ReferenceRecord) -> Result<(), Failure> {
        self.append(DriftRecord::Reference(reference))
    }

    /// Adds a day, or what is known of it now; durable when it returns.
    pub fn add(&mut self, mut day: DayRecord) -> Result<(), Failure> {
        let before = self.stream().into_iter().find(|old| old.batch == day.batch);
        let labels = |day: &DayRecord| day.groups.values().map(|g| g.labels).sum::<f64>();
        day.labelled = before.is_some_and(|old| old.labelled || labels(&day) > labels(&old));
        self.append(DriftRecord::Day(day))
    }

    fn append(&mut self, record: DriftRecord) -> Result<(), Failure> {
        let fail = Failure::from_io(ExitStatus::Data, "write", &self.path);
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(&fail)?;
        }
        let mut line =
            serde_json::to_string(&record).map_err(Failure::from_error(ExitStatus::Internal))?;
        line.push('\n');
        durable::append(OpenOptions::new(), &self.path, line.as_bytes()).map_err(&fail)?;
        self.records.push(record);
        Ok(())
    }
}

/// The days among some records: of each batch the last record, at the first one's place.
fn merged(records: &[DriftRecord]) -> Vec<DayRecord> {
    let mut days: Vec<DayRecord> = Vec::new();
    for record in records {
        let DriftRecord::Day(day) = record else {
            continue;
        };
        match days.iter_mut().find(|known| known.batch == day.batch) {
            Some(known) => {
                let told = std::mem::take(&mut known.alarms);
                *known = day.clone();
                known.alarms.extend(told);
                known.alarms.sort_unstable();
                known.alarms.dedup();
            }
            None => days.push(day.clone()),
        }
    }
    days
}
