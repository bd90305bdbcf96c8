//! What is wrong with data or their description: where, what, how to mend it.

use std::fmt;

use serde::Serialize;

/// A place in a data file; prints as `file:line`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SourceLocation {
    /// The file as the study names it.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One thing wrong with the data or its description: where, what, and how to
/// mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataProblem {
    /// `file:line`, a file, or a key of the study; empty where none applies.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Rows it is found in; `place` is the first.
    pub rows: usize,
    /// Where else it is found, as far as that is shown: two places at most.
    pub also: Vec<String>,
    /// What it is whatever a row's own value is: rows with the same are one problem. By
    /// default `what` itself.
    pub kind: Option<String>,
}

impl DataProblem {
    /// A problem at a place, in one row.
    pub fn new(place: impl fmt::Display, what: impl Into<String>) -> Self {
        Self {
            place: place.to_string(),
            what: what.into(),
            help: None,
            rows: 1,
            also: Vec::new(),
            kind: None,
        }
    }

    /// As one of many that differ in the rows' values alone: `kind` says what they are.
    #[must_use]
    pub fn of_kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Whether the other says the same of another row.
    fn is_alike(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Some(own), Some(other)) => own == other,
            (None, None) => self.what == other.what && self.help == other.help,
            _ => false,
        }
    }

    /// Counts another row in.
    fn absorb(&mut self, other: Self) {
        self.rows += other.rows;
        let room = Self::ALSO - self.also.len();
        let places = std::iter::once(other.place).chain(other.also);
        self.also.extend(places.take(room));
    }

    /// Further places that are shown of one problem.
    const ALSO: usize = 2;

    /// Whether it is about a key of the study, not about what stands in a data file.
    pub fn is_about_study(&self) -> bool {
        // A file has an ending, which no key is called by; a row has a line as well.
        const ENDINGS: [&str; 5] = ["jsonl", "json", "csv", "tsv", "txt"];
        let mut keys = self.place.split('.');
        let table = keys.next().unwrap_or_default();
        let is_table = ["data", "groups", "task", "search"].contains(&table);
        let is_key = |key: &str| {
            let is_word = key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            is_word && !ENDINGS.contains(&key)
        };
        is_table && keys.all(is_key)
    }

    /// With what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for DataProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.what)?;
        if self.rows > 1 {
            write!(f, " (in {} rows: also {}", self.rows, self.also.join(", "))?;
            f.write_str(if self.rows > 1 + self.also.len() {
                ", …)"
            } else {
                ")"
            })?;
        }
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for DataProblem {}

/// Everything found wrong, the first [`DataError::SHOWN`] in full. Reads after
/// "failed to …".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataError {
    problems: Vec<DataProblem>,
    omitted: usize,
}

impl DataError {
    /// How many problems are kept; the rest is only counted.
    pub const SHOWN: usize = 20;

    /// The problems kept, in the order they were found; at least one.
    pub fn problems(&self) -> &[DataProblem] {
        &self.problems
    }

    /// Whether all that is wrong is what the study says of the data.
    pub fn is_about_study(&self) -> bool {
        self.problems.iter().all(DataProblem::is_about_study)
    }

    /// How many more there were.
    pub fn omitted(&self) -> usize {
        self.omitted
    }
}

impl DataError {
    /// The same, each problem told otherwise.
    #[must_use]
    pub fn map(mut self, tell: impl FnMut(DataProblem) -> DataProblem) -> Self {
        self.problems = self.problems.into_iter().map(tell).collect();
        self
    }
}

impl From<DataProblem> for DataError {
    fn from(problem: DataProblem) -> Self {
        Self {
            problems: vec![problem],
            omitted: 0,
        }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ([only], 0) = (self.problems.as_slice(), self.omitted) {
            return only.fmt(f);
        }
        write!(f, "{} problems:", self.problems.len() + self.omitted)?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        if self.omitted > 0 {
            write!(f, "\n  and {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for DataError {}

/// Collects problems so that one run reports them all.
#[derive(Debug, Default)]
pub struct DataProblems {
    kept: Vec<DataProblem>,
    omitted: usize,
}

impl DataProblems {
    /// Takes one in. What was said of another row before is counted there.
    pub fn push(&mut self, problem: DataProblem) {
        let of_row = |problem: &DataProblem| {
            let line = problem.place.rsplit_once(':').map_or("", |(_, line)| line);
            !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit())
        };
        let same = |known: &&mut DataProblem| {
            of_row(known) && of_row(&problem) && known.is_alike(&problem)
        };
        if let Some(known) = self.kept.iter_mut().find(same) {
            known.absorb(problem);
        } else if self.kept.len() < DataError::SHOWN {
            self.kept.push(problem);
        } else {
            self.omitted += 1;
        }
    }

    /// Takes over what another reader found.
    pub fn extend(&mut self, error: DataError) {
        for problem in error.problems {
            self.push(problem);
        }
        self.omitted += error.omitted;
    }

    /// Whether no problem was met.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many there are, kept or not.
    pub fn len(&self) -> usize {
        self.kept.len() + self.omitted
    }

    /// `value`, where no problem was met.
    pub fn or<T>(self, value: T) -> Result<T, DataError> {
        if self.is_empty() {
            return Ok(value);
        }
        Err(DataError {
            problems: self.kept,
            omitted: self.omitted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn study_keys_are_told_from_files() {
        for (place, about_study) in [
            ("groups.target", true),
            ("groups", true),
            ("data.label_map", true),
            ("data.csv", false),
            ("data.csv:3", false),
            ("task.jsonl:12", false),
            ("reviews.csv", false),
            ("", false),
        ] {
            let problem = DataProblem::new(place, "what");
            assert_eq!(problem.is_about_study(), about_study, "{place:?}");
        }
        let mut problems = DataProblems::default();
        problems.push(DataProblem::new("data.id", "there is no column"));
        problems.push(DataProblem::new("a.csv:7", "two columns are missing"));
        assert!(!problems.or(()).unwrap_err().is_about_study());
    }

    #[test]
    fn repeated_row_problems_group() {
        let mut problems = DataProblems::default();
        for line in 2..314 {
            problems
                .push(DataProblem::new(format!("a.csv:{line}"), "no label \"x\"").help("map it"));
        }
        problems.push(DataProblem::new("a.csv:9", "no label \"y\"").help("map it"));
        for key in ["data.id", "data.group"] {
            problems.push(DataProblem::new(key, "there is no column \"z\""));
        }
        let error = problems.or(()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "4 problems:\n  a.csv:2: no label \"x\" (in 312 rows: also a.csv:3, a.csv:4, …); map it\n  \
             a.csv:9: no label \"y\"; map it\n  data.id: there is no column \"z\"\n  \
             data.group: there is no column \"z\""
        );
    }

    #[test]
    fn rows_that_differ_in_their_values_are_one_problem() {
        let mut problems = DataProblems::default();
        for line in 2..210 {
            let what = format!("{line} is no date");
            problems.push(DataProblem::new(format!("a.csv:{line}"), what).of_kind("no date"));
        }
        problems.push(DataProblem::new("b.csv:2", "x is no price").of_kind("no price"));
        problems.push(DataProblem::new("b.csv:3", "y is no price").of_kind("no price"));
        let error = problems.or(()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "2 problems:\n  a.csv:2: 2 is no date (in 208 rows: also a.csv:3, a.csv:4, …)\n  \
             b.csv:2: x is no price (in 2 rows: also b.csv:3)"
        );
    }
}
