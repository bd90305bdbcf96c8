//! Reports as files: the ending says the form.

use std::path::Path;

use serde::Serialize;

use super::compare::RunComparison;
use super::study::ReportedStudy;
use super::{RunSummary, html, markdown, text};
use crate::exit::{ExitStatus, Failure};
use crate::failures::PromptFailures;
use crate::wording::shown;

/// A run and its name.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct NamedRun {
    /// The run's name.
    #[serde(rename = "run")]
    pub name: String,
    /// What it came to.
    pub summary: RunSummary,
    /// Where the selected prompt and the seed fail, for the forms that people read.
    #[serde(skip)]
    pub failures: Vec<PromptFailures>,
    /// What is known of its study beside the events, for the same.
    #[serde(skip)]
    pub study: ReportedStudy,
}

impl NamedRun {
    /// A run under its name.
    pub fn new(name: impl Into<String>, summary: RunSummary) -> Self {
        Self {
            name: name.into(),
            summary,
            failures: Vec::new(),
            study: ReportedStudy::default(),
        }
    }

    /// The same with examples on which its prompts fail.
    pub fn with_failures(self, failures: Vec<PromptFailures>) -> Self {
        Self { failures, ..self }
    }

    /// The same with what is known of its study.
    pub fn of_study(self, study: ReportedStudy) -> Self {
        Self { study, ..self }
    }
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// As on the terminal.
    Text,
    /// The whole summary.
    Json,
    /// For a comment or a README.
    Markdown,
    /// A page that needs nothing else.
    Html,
}

impl ReportFormat {
    /// The form that a file's ending asks for.
    ///
    /// # Errors
    /// Where the ending is none of `.html`, `.htm`, `.md`, `.json` and `.txt`.
    pub fn of(path: &Path) -> Result<Self, Failure> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("txt") => Ok(Self::Text),
            Some("json") => Ok(Self::Json),
            Some("md") => Ok(Self::Markdown),
            Some("html" | "htm") => Ok(Self::Html),
            _ => Err(Failure::usage(format!(
                "cannot tell the form of {}: use the ending .html, .md, .json or .txt",
                path.display()
            ))),
        }
    }

    /// A report of this form on its way out.
    pub fn shown(self, report: &str) -> String {
        match self {
            Self::Json => shown::json(report).into_owned(),
            Self::Markdown => shown::markdown(report),
            Self::Text | Self::Html => shown::visible(report),
        }
    }
}

/// One run's report, or that of several with their comparison first. The same
/// runs give the same bytes.
pub(crate) fn render(form: ReportFormat, runs: &[NamedRun]) -> Result<String, Failure> {
    let report = match (form, runs) {
        (ReportFormat::Text, [run]) => run.summary.text(),
        (ReportFormat::Json, [run]) => to_json(&run.summary)?,
        (ReportFormat::Text, _) => text::comparison(&RunComparison::of(runs), runs),
        (ReportFormat::Json, _) => {
            #[derive(Serialize)]
            struct SeveralRuns<'a> {
                comparison: RunComparison,
                runs: &'a [NamedRun],
            }
            to_json(&SeveralRuns {
                comparison: RunComparison::of(runs),
                runs,
            })?
        }
        (ReportFormat::Markdown, _) => markdown::report(runs),
        (ReportFormat::Html, _) => html::report(runs),
    };
    Ok(form.shown(&report))
}

/// A value as readable JSON with a line break at its end.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| shown::json(&text).into_owned() + "\n")
        .map_err(Failure::from_error(ExitStatus::Internal))
}
