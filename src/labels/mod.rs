//! Labels that people gave after the study was written: one plain file beside it,
//! `NAME.labels.csv`, that grows by a line a label. It holds the inputs whole, so that
//! a label outlives the row it was given to.

mod dealt;
mod exchange;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shiftproof_tasks::{AnswerForm, DataTable, Input, Label, TableRow, suggest};

pub(crate) use self::dealt::{deal, same_rows, taken};
pub(crate) use self::exchange::{ImportGround, export, import};
use crate::exit::{ExitStatus, Failure};
use crate::runs::durable;

/// Columns of the file beside the input's own, which are called `input.NAME`.
const COLUMNS: [&str; 6] = ["id", "group", "label", "drawn", "reason", "cluster"];
/// What the input's columns begin with.
const FIELD: &str = "input.";

/// How an input came to be labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelDraw {
    /// Drawn at random within its group: it speaks for the group.
    Random,
    /// Picked for what is unclear about it.
    Chosen,
}

impl LabelDraw {
    /// The word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Chosen => "chosen",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Random, Self::Chosen]
            .into_iter()
            .find(|draw| draw.word() == word)
    }
}

/// One label that a person gave.
#[derive(Debug, Clone, PartialEq)]
pub struct HandLabel {
    /// The input, whole.
    pub input: Input,
    /// The label as the study spells it.
    pub label: String,
    /// How the input was drawn.
    pub draw: LabelDraw,
    /// Why it was worth a label.
    pub reason: String,
    /// Where it stands: `FILE:LINE`; empty before it is written.
    pub place: String,
}

impl HandLabel {
    /// The label as an example has it.
    ///
    /// # Errors
    /// Where it is none of the task's labels, or no number of its scale.
    pub fn label(&self, form: &AnswerForm) -> Result<Label, Failure> {
        check(&self.label, form).map_err(|what| Failure::data(format!("{}: {what}", self.place)))
    }
}

/// Reads a label for this answer form; the error says what is wrong with it.
pub(crate) fn check(label: &str, form: &AnswerForm) -> Result<Label, String> {
    if let Some(labels) = form.labels() {
        if labels.iter().any(|known| known == label) {
            return Ok(Label::Class(label.to_owned()));
        }
        let known = labels.iter().map(String::as_str);
        let mend = suggest::instead(label, "labels", known);
        return Err(format!("{label:?} is no label; {mend}"));
    }
    match form {
        AnswerForm::Number { min, max } => label
            .parse()
            .ok()
            .filter(|number: &f64| (*min..=*max).contains(number))
            .map(Label::Number)
            .ok_or_else(|| format!("{label:?} is no number from {min} to {max}")),
        _ => Err("only tasks with labels or numbers can be labelled".to_owned()),
    }
}

/// Which labels a command or a run uses: the first `count` of the file, as they were
/// then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedLabels {
    /// How many.
    pub count: usize,
    /// What they say, as a hash.
    pub hash: String,
}

/// The file of one study's labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelFile {
    /// Where it is.
    pub path: PathBuf,
}

impl LabelFile {
    /// The file beside the study called `name`, whose paths start from `folder`.
    pub fn beside(folder: &Path, name: &str) -> Self {
        Self {
            path: folder.join(format!("{name}.labels.csv")),
        }
    }

    /// All labels, in the order they were given; none where there is no file.
    ///
    /// # Errors
    /// Where the file cannot be read, lacks a column, or labels an input twice; with
    /// `FILE:LINE`.
    pub fn read(&self) -> Result<Vec<HandLabel>, Failure> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let labels: Vec<HandLabel> = rows(&self.path)?
            .into_iter()
            .map(LabelRow::labelled)
            .collect::<Result<_, _>>()?;
        let mut seen: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for label in &labels {
            let key = (label.input.group.as_str(), label.input.id.as_str());
            if let Some(first) = seen.insert(key, &label.place) {
                return Err(Failure::data(format!(
                    "{}: {:?} is labelled already at {first}; remove one of the two lines",
                    label.place, label.input.id
                )));
            }
        }
        Ok(labels)
    }

    /// The labels there are now, for commands and runs to come; `None` without any.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn pin(&self) -> Result<Option<PinnedLabels>, Failure> {
        let labels = self.read()?;
        Ok((!labels.is_empty()).then(|| PinnedLabels {
            count: labels.len(),
            hash: hash(&labels),
        }))
    }

    /// The labels that `pinned` names.
    ///
    /// # Errors
    /// Where they are not what they were.
    pub fn pinned(&self, pinned: Option<&PinnedLabels>) -> Result<Vec<HandLabel>, Failure> {
        let Some(pinned) = pinned else {
            return Ok(Vec::new());
        };
        let mut labels = self.read()?;
        let there = labels.len();
        labels.truncate(pinned.count);
        if there < pinned.count || hash(&labels) != pinned.hash {
            return Err(Failure::data(format!(
                "{}: the first {} labels are not those that the run began with; a run goes on \
                 with the data it began with: bring the file back, or start a new run",
                self.path.display(),
                pinned.count
            )));
        }
        Ok(labels)
    }

    /// Adds labels; durable when it returns. Returns the length of the file before,
    /// for [`take_back`](Self::take_back).
    ///
    /// # Errors
    /// Where the file cannot be written, or was written for other fields.
    pub fn add(&self, labels: &[HandLabel]) -> Result<u64, Failure> {
        let fail = Failure::from_io(ExitStatus::Data, "write", &self.path);
        let before = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        let header = if before == 0 {
            header(labels.iter().map(|label| &label.input))
        } else {
            self.header()?
        };
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut write = |record: &[String]| {
            writer
                .write_record(record)
                .map_err(|error| Failure::data(format!("{}: {error}", self.path.display())))
        };
        if before == 0 {
            write(&header)?;
        }
        for label in labels {
            if let Some(lost) = label
                .input
                .fields
                .keys()
                .find(|field| !header.contains(&format!("{FIELD}{field}")))
            {
                return Err(Failure::data(format!(
                    "{}: it has no column {FIELD}{lost}, which the study's inputs have now; add \
                     {FIELD}{lost} to its first line and a value (or a comma) to each other",
                    self.path.display()
                )));
            }
            write(&record(&header, label))?;
        }
        let bytes = writer
            .into_inner()
            .map_err(|error| Failure::data(error.to_string()))?;
        durable::append(OpenOptions::new(), &self.path, &bytes).map_err(&fail)?;
        Ok(before)
    }

    /// Takes back what was added since the file was `length` bytes long.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn take_back(&self, length: u64) -> Result<(), Failure> {
        let fail = Failure::from_io(ExitStatus::Data, "write", &self.path);
        if length == 0 {
            return std::fs::remove_file(&self.path).map_err(&fail);
        }
        let file = OpenOptions::new()
            .write(true)
            .open(&self.path)
            .map_err(&fail)?;
        file.set_len(length)
            .and_then(|()| file.sync_all())
            .map_err(&fail)
    }

    fn header(&self) -> Result<Vec<String>, Failure> {
        let file = File::open(&self.path).map_err(Failure::from_io(
            ExitStatus::Data,
            "read",
            &self.path,
        ))?;
        let mut reader = csv::Reader::from_reader(file);
        let header = reader
            .headers()
            .map_err(|error| Failure::data(format!("{}:1: {error}", self.path.display())))?;
        Ok(header.iter().map(str::to_owned).collect())
    }
}

/// The first line of a file for these inputs.
fn header<'a>(inputs: impl Iterator<Item = &'a Input> + Clone) -> Vec<String> {
    let has_cluster = inputs.clone().any(|input| input.cluster.is_some());
    let own = COLUMNS
        .iter()
        .filter(|name| has_cluster || **name != "cluster");
    let mut header: Vec<String> = own.map(|name| (*name).to_owned()).collect();
    let fields: std::collections::BTreeSet<&String> =
        inputs.flat_map(|input| input.fields.keys()).collect();
    header.extend(fields.into_iter().map(|field| format!("{FIELD}{field}")));
    header
}

/// The line of one label under this header.
fn record(header: &[String], label: &HandLabel) -> Vec<String> {
    let value = |name: &String| match name.as_str() {
        "id" => label.input.id.clone(),
        "group" => label.input.group.clone(),
        "label" => label.label.clone(),
        "drawn" => label.draw.word().to_owned(),
        "reason" => label.reason.clone(),
        "cluster" => label.input.cluster.clone().unwrap_or_default(),
        other => other
            .strip_prefix(FIELD)
            .map_or_else(String::new, |field| label.input.field(field).to_owned()),
    };
    header.iter().map(value).collect()
}

/// What the labels say, whatever the file's line ends and quotes.
fn hash(labels: &[HandLabel]) -> String {
    let mut hasher = blake3::Hasher::new();
    for label in labels {
        let parts = [&label.input.group, &label.input.id, &label.label];
        let fields = label
            .input
            .fields
            .iter()
            .flat_map(|(name, text)| [name, text]);
        for part in parts.into_iter().chain(fields) {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.update(label.draw.word().as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// A line of such a file, labelled or not.
struct LabelRow {
    input: Input,
    label: String,
    drawn: String,
    reason: String,
    place: String,
}

impl LabelRow {
    fn labelled(self) -> Result<HandLabel, Failure> {
        if self.label.is_empty() {
            return Err(Failure::data(format!(
                "{}: no label; remove the line or fill it in",
                self.place
            )));
        }
        let draw = LabelDraw::of(&self.drawn).ok_or_else(|| {
            Failure::data(format!(
                "{}: drawn is {:?}; it is \"random\" or \"chosen\"",
                self.place, self.drawn
            ))
        })?;
        Ok(HandLabel {
            input: self.input,
            label: self.label,
            draw,
            reason: self.reason,
            place: self.place,
        })
    }
}

/// The lines of a file of labels, or of one to be filled in.
fn rows(path: &Path) -> Result<Vec<LabelRow>, Failure> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let table = DataTable::read(folder, &[&*name])?;
    let row = |row: &TableRow| {
        let place = format!("{}:{}", path.display(), row.line);
        let text = |column: &str| row.values.get(column).map(|text| text.trim().to_owned());
        let needed = |column: &str| {
            text(column).filter(|text| !text.is_empty()).ok_or_else(|| {
                Failure::data(format!("{place}: nothing stands in the column {column:?}"))
            })
        };
        let mut input = Input::new(needed("id")?, needed("group")?);
        input.cluster = text("cluster").filter(|cluster| !cluster.is_empty());
        for (column, value) in row.values.iter() {
            if let Some(field) = column.strip_prefix(FIELD) {
                input.fields.insert(field.to_owned(), value.to_owned());
            }
        }
        Ok(LabelRow {
            input,
            label: text("label").unwrap_or_default(),
            drawn: text("drawn").unwrap_or_default(),
            reason: text("reason").unwrap_or_default(),
            place,
        })
    };
    table.rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests;
