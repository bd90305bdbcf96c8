use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{DataError, DataProblem, DataProblems};
use crate::table::{DataTable, TableRow};
use crate::{AnswerForm, Example, GroupsSpec, Input, Label, suggest};

/// Which columns of a table mean what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnRoles {
    /// Unique ids; without it an example is called `file:line`, and the split
    /// then depends on the order of the rows.
    pub id: Option<String>,
    /// The group's name. Without it and without [`bands`](Self::bands) all rows
    /// are one group, [`GroupsSpec::ONLY`](crate::GroupsSpec::ONLY).
    pub group: Option<String>,
    /// The true label. It may be blank, and rows or whole files may lack the
    /// column: such rows are inputs without a label.
    pub label: String,
    /// What is resampled as one, usually the user.
    pub cluster: Option<String>,
    /// The columns that become an input's fields.
    pub fields: Vec<String>,
    /// Raw value to label. A raw value mapped to `""` drops its row; one that is
    /// a label already needs no entry.
    pub label_map: BTreeMap<String, String>,
    /// Groups cut from a numeric column.
    pub bands: Option<NumericBands>,
}

/// Groups cut from a numeric column: edges 30 and 45 make `<30`, `30-44` and
/// `45+`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumericBands {
    /// The column.
    pub column: String,
    /// Where the bands meet, rising; an edge belongs to the band above it.
    pub edges: Vec<f64>,
}

impl NumericBands {
    /// The bands' names, lowest first.
    pub fn names(&self) -> Vec<String> {
        let ends = self.edges.first().map(|first| format!("<{first}"));
        let middle = self.edges.windows(2).map(|pair| match pair {
            [low, high] if low.fract() == 0.0 && high.fract() == 0.0 && *high == low + 1.0 => {
                low.to_string()
            }
            [low, high] if low.fract() == 0.0 && high.fract() == 0.0 => {
                format!("{low}-{}", high - 1.0)
            }
            pair => format!("{}-<{}", pair[0], pair[1]),
        });
        let last = self.edges.last().map(|last| format!("{last}+"));
        ends.into_iter().chain(middle).chain(last).collect()
    }

    fn check(&self) -> Result<(), DataProblem> {
        let rising = self.edges.windows(2).all(|pair| pair[0] < pair[1]);
        if self.edges.is_empty() || !rising || self.edges.iter().any(|edge| !edge.is_finite()) {
            return Err(DataProblem::new(
                "data.bands.edges",
                format!("{:?} are not one or more rising numbers", self.edges),
            ));
        }
        Ok(())
    }
}

/// What a table held.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedTable {
    /// The rows with a label, in their order.
    pub examples: Vec<Example>,
    /// The rows without one, in their order: the column is absent, blank, or
    /// holds what programs write for nothing (`NaN`, `null`, `None`, …).
    pub unlabelled: Vec<Input>,
    /// Rows left out because their label is mapped to `""`.
    pub dropped: usize,
}

impl ColumnRoles {
    /// Turns rows into examples with labels for this answer form: a choice needs
    /// labels of its set (after [`label_map`](Self::label_map)), a number one
    /// within its range, a ranking the relevant items one per line, text any.
    ///
    /// All problems are collected: missing columns and values, unmapped labels,
    /// ids used twice, values that are no text.
    pub fn examples(&self, table: &DataTable, form: &AnswerForm) -> Result<LoadedTable, DataError> {
        let mut problems = DataProblems::default();
        self.check(table, form, &mut problems);
        // A wrong key of the study would repeat itself on every row.
        let mut problems = problems.or(DataProblems::default())?;
        let names = self
            .bands
            .as_ref()
            .map(NumericBands::names)
            .unwrap_or_default();
        let mut seen: BTreeMap<String, &TableRow> = BTreeMap::new();
        let mut loaded = LoadedTable {
            examples: Vec::with_capacity(table.rows.len()),
            unlabelled: Vec::new(),
            dropped: 0,
        };
        for row in &table.rows {
            let (input, label) = match self.row(row, &names, form) {
                Ok(Some(read)) => read,
                Ok(None) => {
                    loaded.dropped += 1;
                    continue;
                }
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            if let Some(first) = seen.insert(input.id.clone(), row) {
                let what = format!("id {:?} is already used at {}", input.id, first.place());
                problems.push(
                    DataProblem::new(row.place(), what)
                        .help("make ids unique, or leave data.id out"),
                );
                continue;
            }
            match label {
                Some(label) => loaded.examples.push(input.with_label(label)),
                None => loaded.unlabelled.push(input),
            }
        }
        problems.or(loaded)
    }

    /// As [`examples`](Self::examples), of a table without the label's column: every
    /// row is an input without a label.
    ///
    /// # Errors
    /// As [`examples`](Self::examples).
    pub fn without_labels(
        &self,
        table: &DataTable,
        form: &AnswerForm,
    ) -> Result<LoadedTable, DataError> {
        let mut table = table.clone();
        for row in &mut table.rows {
            let blank = String::new();
            row.values.entry(self.label.clone()).or_insert(blank);
        }
        self.examples(&table, form)
    }

    /// Checks the columns' names and the label map against table and form.
    fn check(&self, table: &DataTable, form: &AnswerForm, problems: &mut DataProblems) {
        let columns = table.columns();
        let mut exists = |key: &str, name: &str| {
            if !columns.contains(name) {
                let mend = suggest::instead(name, "columns", columns.iter().copied());
                problems
                    .push(DataProblem::new(key, format!("there is no column {name:?}")).help(mend));
            }
        };
        if !self.label.is_empty() {
            exists("data.label", &self.label);
        }
        for (key, name) in [
            ("data.id", self.id.as_deref()),
            ("data.group", self.group.as_deref()),
            ("data.cluster", self.cluster.as_deref()),
            (
                "data.bands.column",
                self.bands.as_ref().map(|bands| bands.column.as_str()),
            ),
        ] {
            if let Some(name) = name {
                exists(key, name);
            }
        }
        for field in &self.fields {
            exists("data.fields", field);
        }
        if self.label.is_empty() {
            problems.push(
                DataProblem::new("data.label", "no column names the label").help(
                    "set data.label: source groups need labels; only rows of target groups may \
                     lack them, or the column",
                ),
            );
        }
        match (&self.group, &self.bands) {
            (Some(group), Some(bands)) if *group != bands.column => problems.push(
                DataProblem::new("data.bands", "data.group already names the group")
                    .help("keep one of data.group and data.bands"),
            ),
            (_, Some(bands)) => {
                if let Err(problem) = bands.check() {
                    problems.push(problem);
                }
            }
            (_, None) => {}
        }
        if self.fields.is_empty() {
            problems.push(
                DataProblem::new("data.fields", "no column becomes a field")
                    .help("name the columns the model may see"),
            );
        }
        if self.fields.contains(&self.label) {
            problems.push(
                DataProblem::new(
                    "data.fields",
                    format!("the label {:?} is among the fields", self.label),
                )
                .help("the model would be shown the answer; remove it"),
            );
        }
        if let Some(labels) = form.labels() {
            for (raw, label) in &self.label_map {
                if !label.is_empty() && !labels.contains(label) {
                    let known = labels.iter().map(String::as_str);
                    problems.push(
                        DataProblem::new(
                            "data.label_map",
                            format!("{raw:?} is mapped to {label:?}, which is no label"),
                        )
                        .help(suggest::instead(label, "labels", known)),
                    );
                }
            }
        }
    }

    /// One row's input with its label, if it has one; `None` if its label drops it.
    fn row(
        &self,
        row: &TableRow,
        bands: &[String],
        form: &AnswerForm,
    ) -> Result<Option<(Input, Option<Label>)>, DataProblem> {
        let label = match self.label(row, form)? {
            RowLabel::Label(label) => Some(label),
            RowLabel::Nothing => None,
            RowLabel::Drop => return Ok(None),
        };
        let group = match (&self.bands, &self.group) {
            (Some(cut), _) => {
                let raw = text(row, &cut.column)?;
                let number: f64 = raw
                    .trim()
                    .parse()
                    .ok()
                    .filter(|n: &f64| n.is_finite())
                    .ok_or_else(|| {
                        DataProblem::new(
                            row.place(),
                            format!("{:?} is {raw:?}, no number", cut.column),
                        )
                        .help("data.bands cuts this column into groups; fill it in")
                    })?;
                bands[cut.edges.partition_point(|edge| *edge <= number)].clone()
            }
            (None, Some(column)) => filled(row, column)?.to_owned(),
            (None, None) => GroupsSpec::ONLY.to_owned(),
        };
        let id = match &self.id {
            Some(column) => filled(row, column)?.to_owned(),
            None => row.place().to_string(),
        };
        let cluster = match &self.cluster {
            Some(column) => Some(text(row, column)?.to_owned()).filter(|name| !name.is_empty()),
            None => None,
        };
        let mut input = Input {
            cluster,
            ..Input::new(id, group)
        };
        for field in &self.fields {
            input
                .fields
                .insert(field.clone(), text(row, field)?.to_owned());
        }
        Ok(Some((input, label)))
    }

    fn label(&self, row: &TableRow, form: &AnswerForm) -> Result<RowLabel, DataProblem> {
        let raw = match row.values.get(&self.label) {
            Some(raw) => raw.trim(),
            None if row.nested.contains(&self.label) => text(row, &self.label)?,
            // Another file, or a JSON row that leaves it out.
            None => "",
        };
        let known = |name: &str| {
            let labels = form.labels().unwrap_or_default();
            self.label_map.contains_key(name) || labels.iter().any(|label| label == name)
        };
        // A column of whole numbers with gaps is written as 1.0 by many programs.
        let raw = match raw.strip_suffix(".0") {
            Some(whole) if !known(raw) && known(whole) => whole,
            _ => raw,
        };
        let mapped = match self.label_map.get(raw) {
            Some(label) if label.is_empty() => return Ok(RowLabel::Drop),
            Some(label) => label.as_str(),
            None if raw.is_empty() || says_nothing(raw, form) => return Ok(RowLabel::Nothing),
            None => raw,
        };
        let label = match form {
            AnswerForm::Choice { labels } => {
                if !labels.iter().any(|label| label == mapped) {
                    let known = labels.iter().map(String::as_str);
                    return Err(
                        DataProblem::new(row.place(), format!("{mapped:?} is no label")).help(
                            format!(
                                "map it in data.label_map (to \"\" to drop such rows); {}",
                                suggest::instead(mapped, "labels", known)
                            ),
                        ),
                    );
                }
                Label::Class(mapped.to_owned())
            }
            AnswerForm::Number { min, max } => {
                let number = mapped
                    .parse()
                    .ok()
                    .filter(|n: &f64| (*min..=*max).contains(n));
                Label::Number(number.ok_or_else(|| {
                    DataProblem::new(
                        row.place(),
                        format!("{mapped:?} is no number in {min} to {max}"),
                    )
                })?)
            }
            AnswerForm::Ranking { .. }
            | AnswerForm::Likelihood { .. }
            | AnswerForm::Nearest { .. } => Label::Relevant(
                mapped
                    .lines()
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(str::to_owned)
                    .collect(),
            ),
            AnswerForm::Text { .. } => Label::Text(mapped.to_owned()),
        };
        Ok(RowLabel::Label(label))
    }
}

/// What a row's label column says.
enum RowLabel {
    Label(Label),
    Nothing,
    /// The study leaves such rows out.
    Drop,
}

/// Whether a raw label is what programs write where there is none. Not where a
/// label of the task is spelt alike: there it is a label in another case.
fn says_nothing(raw: &str, form: &AnswerForm) -> bool {
    const NOTHING: [&str; 8] = ["nan", "null", "none", "<na>", "n/a", "#n/a", "na", "nil"];
    let lower = raw.to_lowercase();
    let own = |labels: &[String]| labels.iter().any(|label| label.to_lowercase() == lower);
    match form {
        AnswerForm::Choice { labels } => NOTHING.contains(&lower.as_str()) && !own(labels),
        AnswerForm::Number { .. } => NOTHING.contains(&lower.as_str()),
        _ => false,
    }
}

/// The row's text in `column`.
fn text<'a>(row: &'a TableRow, column: &str) -> Result<&'a str, DataProblem> {
    if let Some(text) = row.values.get(column) {
        return Ok(text);
    }
    let problem = |what: String| DataProblem::new(row.place(), what);
    Err(if row.nested.contains(column) {
        problem(format!("{column:?} holds an array or object")).help("make it a text")
    } else {
        let present = suggest::list(row.values.keys().map(String::as_str));
        problem(format!("the row has no {column:?}")).help(format!("it has {present}"))
    })
}

/// The row's text in `column`, trimmed, which must not be empty.
fn filled<'a>(row: &'a TableRow, column: &str) -> Result<&'a str, DataProblem> {
    let text = text(row, column)?.trim();
    if text.is_empty() {
        return Err(DataProblem::new(
            row.place(),
            format!("{column:?} is empty"),
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
