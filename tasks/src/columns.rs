use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::problem::{DataError, Problem, Problems};
use crate::table::{Row, Table};
use crate::{AnswerForm, Example, Input, Label, suggest};

/// Which columns of a table mean what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    /// Unique ids; without it an example is called `file:line`, and the split
    /// then depends on the order of the rows.
    pub id: Option<String>,
    /// The group's name. Not needed with [`bands`](Self::bands).
    pub group: Option<String>,
    /// The true label.
    pub label: String,
    /// What is resampled as one, usually the user.
    pub cluster: Option<String>,
    /// The columns that become an input's fields.
    pub fields: Vec<String>,
    /// Raw value to label. A raw value mapped to `""` drops its row; one that is
    /// a label already needs no entry.
    pub label_map: BTreeMap<String, String>,
    /// Groups cut from a numeric column.
    pub bands: Option<Bands>,
}

/// Groups cut from a numeric column: edges 30 and 45 make `<30`, `30-44` and
/// `45+`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bands {
    /// The column.
    pub column: String,
    /// Where the bands meet, rising; an edge belongs to the band above it.
    pub edges: Vec<f64>,
}

impl Bands {
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

    fn check(&self) -> Result<(), Problem> {
        let rising = self.edges.windows(2).all(|pair| pair[0] < pair[1]);
        if self.edges.is_empty() || !rising || self.edges.iter().any(|edge| !edge.is_finite()) {
            return Err(Problem::new(
                "data.bands.edges",
                format!("{:?} are not one or more rising numbers", self.edges),
            ));
        }
        Ok(())
    }
}

/// What a table held.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The examples, in the order of the rows.
    pub examples: Vec<Example>,
    /// Rows left out because their label is mapped to `""`.
    pub dropped: usize,
}

impl Columns {
    /// Turns rows into examples with labels for this answer form: a choice needs
    /// labels of its set (after [`label_map`](Self::label_map)), a number one
    /// within its range, a ranking the relevant items one per line, text any.
    ///
    /// All problems are collected: missing columns and values, unmapped labels,
    /// ids used twice, values that are no text.
    pub fn examples(&self, table: &Table, form: &AnswerForm) -> Result<Loaded, DataError> {
        let mut problems = Problems::default();
        self.check(table, form, &mut problems);
        // A wrong key of the study would repeat itself on every row.
        let mut problems = problems.or(Problems::default())?;
        let names = self.bands.as_ref().map(Bands::names).unwrap_or_default();
        let mut seen: BTreeMap<String, &Row> = BTreeMap::new();
        let mut loaded = Loaded {
            examples: Vec::with_capacity(table.rows.len()),
            dropped: 0,
        };
        for row in &table.rows {
            match self.example(row, &names, form) {
                Ok(Some(example)) => {
                    if let Some(first) = seen.insert(example.input.id.clone(), row) {
                        let what = format!(
                            "id {:?} is already used at {}",
                            example.input.id,
                            first.place()
                        );
                        problems.push(
                            Problem::new(row.place(), what)
                                .mend("make ids unique, or leave data.id out"),
                        );
                    } else {
                        loaded.examples.push(example);
                    }
                }
                Ok(None) => loaded.dropped += 1,
                Err(problem) => problems.push(problem),
            }
        }
        problems.or(loaded)
    }

    /// Checks the columns' names and the label map against table and form.
    fn check(&self, table: &Table, form: &AnswerForm, problems: &mut Problems) {
        let columns = table.columns();
        let mut exists = |key: &str, name: &str| {
            if !columns.contains(name) {
                let mend = suggest::instead(name, "columns", columns.iter().copied());
                problems.push(Problem::new(key, format!("there is no column {name:?}")).mend(mend));
            }
        };
        exists("data.label", &self.label);
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
        match (&self.group, &self.bands) {
            (None, None) => problems.push(
                Problem::new("data.group", "no column names the group")
                    .mend("set data.group, or data.bands to cut groups from a number"),
            ),
            (Some(group), Some(bands)) if *group != bands.column => problems.push(
                Problem::new("data.bands", "data.group already names the group")
                    .mend("keep one of data.group and data.bands"),
            ),
            (_, Some(bands)) => {
                if let Err(problem) = bands.check() {
                    problems.push(problem);
                }
            }
            (Some(_), None) => {}
        }
        if self.fields.is_empty() {
            problems.push(
                Problem::new("data.fields", "no column becomes a field")
                    .mend("name the columns the model may see"),
            );
        }
        if self.fields.contains(&self.label) {
            problems.push(
                Problem::new(
                    "data.fields",
                    format!("the label {:?} is among the fields", self.label),
                )
                .mend("the model would be shown the answer; remove it"),
            );
        }
        if let Some(labels) = form.labels() {
            for (raw, label) in &self.label_map {
                if !label.is_empty() && !labels.contains(label) {
                    let known = labels.iter().map(String::as_str);
                    problems.push(
                        Problem::new(
                            "data.label_map",
                            format!("{raw:?} is mapped to {label:?}, which is no label"),
                        )
                        .mend(suggest::instead(label, "labels", known)),
                    );
                }
            }
        }
    }

    /// One row's example; `None` if its label drops it.
    fn example(
        &self,
        row: &Row,
        bands: &[String],
        form: &AnswerForm,
    ) -> Result<Option<Example>, Problem> {
        let Some(label) = self.label(row, form)? else {
            return Ok(None);
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
                        Problem::new(
                            row.place(),
                            format!("{:?} is {raw:?}, no number", cut.column),
                        )
                        .mend("data.bands cuts this column into groups; fill it in")
                    })?;
                bands[cut.edges.partition_point(|edge| *edge <= number)].clone()
            }
            (None, Some(column)) => filled(row, column)?.to_owned(),
            (None, None) => String::new(),
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
        Ok(Some(input.with_label(label)))
    }

    fn label(&self, row: &Row, form: &AnswerForm) -> Result<Option<Label>, Problem> {
        let raw = text(row, &self.label)?.trim();
        let mapped = self.label_map.get(raw).map_or(raw, String::as_str);
        if mapped.is_empty() {
            return if self.label_map.contains_key(raw) {
                Ok(None)
            } else {
                Err(
                    Problem::new(row.place(), format!("{:?} is empty", self.label)).mend(
                        "fill in the label, or drop such rows with \"\" = \"\" in data.label_map",
                    ),
                )
            };
        }
        let label = match form {
            AnswerForm::Choice { labels } => {
                if !labels.iter().any(|label| label == mapped) {
                    let known = labels.iter().map(String::as_str);
                    return Err(
                        Problem::new(row.place(), format!("{mapped:?} is no label")).mend(format!(
                            "map it in data.label_map (to \"\" to drop such rows); {}",
                            suggest::instead(mapped, "labels", known)
                        )),
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
                    Problem::new(
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
        Ok(Some(label))
    }
}

/// The row's text in `column`.
fn text<'a>(row: &'a Row, column: &str) -> Result<&'a str, Problem> {
    if let Some(text) = row.values.get(column) {
        return Ok(text);
    }
    let problem = |what: String| Problem::new(row.place(), what);
    Err(if row.nested.contains(column) {
        problem(format!("{column:?} holds an array or object")).mend("make it a text")
    } else {
        let present = suggest::list(row.values.keys().map(String::as_str));
        problem(format!("the row has no {column:?}")).mend(format!("it has {present}"))
    })
}

/// The row's text in `column`, trimmed, which must not be empty.
fn filled<'a>(row: &'a Row, column: &str) -> Result<&'a str, Problem> {
    let text = text(row, column)?.trim();
    if text.is_empty() {
        return Err(Problem::new(row.place(), format!("{column:?} is empty")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
