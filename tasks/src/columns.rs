mod label;

use std::collections::{BTreeMap, HashMap};

use label::{LabelRule, RowLabel};
use serde::{Deserialize, Serialize};

use crate::diagnostic::{DataError, DataProblem, DataProblems};
use crate::table::{DataTable, TableRow};
use crate::{AnswerForm, Example, GroupsSpec, Input, Label, Metric, OptionList, Task, suggest};

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
        self.read(table, LabelRule::Form(form))
    }

    /// As [`examples`](Self::examples), for this task's answers. Where every input has
    /// [options](Task::options) of its own, a label is one's letter or text, and their
    /// field becomes what is [shown](OptionList::shown) of them. Where answers have
    /// [fields](Task::schema), a label is a JSON object or, without
    /// `label`, a column for each.
    pub fn examples_for(
        &self,
        table: &DataTable,
        task: &dyn Task,
    ) -> Result<LoadedTable, DataError> {
        let form = task.answer_form(&Input::new("", ""));
        let rule = match (task.options(), task.schema()) {
            (Some(column), _) => LabelRule::Options(column),
            (None, Some(schema)) => LabelRule::Fields(schema),
            (None, None) if task.takes_references() => LabelRule::References(task.metric()),
            (None, None) => LabelRule::Form(&form),
        };
        let loaded = self.read(table, rule)?;
        let several = |example: &&Example| matches!(example.label, Label::AnyOf(_));
        match loaded.examples.iter().find(several) {
            Some(example) if matches!(task.metric(), Metric::MacroF1 | Metric::Auc) => {
                let what = format!(
                    "{} needs one class an example, and {} has several that are right",
                    task.metric(),
                    example.input.id
                );
                Err(DataProblem::new("task.metric", what)
                    .help("use accuracy: an answer is right that is one of them")
                    .into())
            }
            _ => Ok(loaded),
        }
    }

    fn read(&self, table: &DataTable, rule: LabelRule<'_>) -> Result<LoadedTable, DataError> {
        let mut problems = DataProblems::default();
        self.check(table, rule, &mut problems);
        // A wrong key of the study would repeat itself on every row.
        let mut problems = problems.or(DataProblems::default())?;
        let names = self
            .bands
            .as_ref()
            .map(NumericBands::names)
            .unwrap_or_default();
        let mut seen: HashMap<(&str, u64), &TableRow> = HashMap::new();
        let mut loaded = LoadedTable {
            examples: Vec::with_capacity(table.rows.len()),
            unlabelled: Vec::new(),
            dropped: 0,
        };
        for row in &table.rows {
            let (input, label) = match self.row(row, &names, rule) {
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
            if let Some(first) = seen.insert(self.identity(row), row) {
                let what = format!("id {:?} is already used at {}", input.id, first.place());
                problems.push(
                    DataProblem::new(row.place(), what)
                        .of_kind("an id used twice")
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

    /// What tells a row that was read from all others: its id, or where it stands.
    fn identity<'t>(&self, row: &'t TableRow) -> (&'t str, u64) {
        match &self.id {
            Some(column) => (row.values.get(column).map_or("", str::trim), 0),
            None => (&row.file, row.line),
        }
    }

    /// As [`examples`](Self::examples), of a table without the label's column: every
    /// row is an input without a label.
    ///
    /// # Errors
    /// As [`examples`](Self::examples).
    pub fn without_labels(
        &self,
        table: &DataTable,
        task: &dyn Task,
    ) -> Result<LoadedTable, DataError> {
        let mut table = table.clone();
        let named: Vec<&str> = match task.schema() {
            Some(schema) if self.label.is_empty() => {
                schema.columns().map(|(column, _)| column).collect()
            }
            _ => vec![&self.label],
        };
        for row in &mut table.rows {
            let missing = |column: &&&str| !row.values.contains_key(column);
            let missing: Vec<&&str> = named.iter().filter(missing).collect();
            if !missing.is_empty() {
                let mut values: BTreeMap<String, String> = (&row.values).into();
                let blank = missing.into_iter();
                values.extend(blank.map(|column| ((*column).to_owned(), String::new())));
                row.values = values.into();
            }
        }
        self.examples_for(&table, task)
    }

    /// Checks the columns' names and the label map against table and form.
    fn check(&self, table: &DataTable, rule: LabelRule<'_>, problems: &mut DataProblems) {
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
        if let LabelRule::Options(column) = rule
            && !self.fields.iter().any(|field| field == column)
        {
            exists("task.options", column);
        }
        self.check_fields_of_label(rule, &columns, problems);
        if self.label.is_empty() && !matches!(rule, LabelRule::Fields(_)) {
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
        if let Some(labels) = rule.labels() {
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
        rule: LabelRule<'_>,
    ) -> Result<Option<(Input, Option<Label>)>, DataProblem> {
        let (label, options) = match rule {
            LabelRule::Form(form) => (self.label(row, form)?, None),
            LabelRule::Fields(schema) => (self.label_of_fields(row, schema)?, None),
            LabelRule::References(metric) => (self.references(row, metric)?, None),
            LabelRule::Options(column) => {
                if self.is_dropped(row) {
                    return Ok(None);
                }
                let options = own_options(row, column)?;
                (self.label_among(row, &options)?, Some((column, options)))
            }
        };
        let label = match label {
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
                        .of_kind("no number for bands")
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
        let lettered = options.as_ref().map(|(column, _)| *column);
        for field in &self.fields {
            if Some(field.as_str()) != lettered {
                input
                    .fields
                    .insert(field.clone(), text(row, field)?.to_owned());
            }
        }
        if let Some((column, options)) = options {
            input.fields.insert(column.to_owned(), options.shown());
        }
        Ok(Some((input, label)))
    }
}

/// The row's own options.
fn own_options(row: &TableRow, column: &str) -> Result<OptionList, DataProblem> {
    let written = match row.nested.get(column) {
        Some(json) => json,
        None => text(row, column)?,
    };
    OptionList::read(written).map_err(|why| {
        DataProblem::new(row.place(), format!("{column:?}: {why}"))
            .help("write [\"first\", \"second\"], or first | second; no two alike")
    })
}

/// The row's text in `column`.
fn text<'a>(row: &'a TableRow, column: &str) -> Result<&'a str, DataProblem> {
    if let Some(text) = row.values.get(column) {
        return Ok(text);
    }
    let problem = |what: String| DataProblem::new(row.place(), what);
    Err(if row.nested.contains_key(column) {
        problem(format!("{column:?} holds an array or object")).help("make it a text")
    } else {
        let present = suggest::list(row.values.keys());
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
