//! The forms of a comparison.

use super::told::MethodComparison;
use super::{html, markdown, text};
use crate::exit::Failure;
use crate::report::{ReportFormat, to_json};

/// The comparison in a form; `paper`: as text, the paper's table instead. The same runs
/// give the same bytes.
pub(crate) fn render(
    form: ReportFormat,
    comparison: &MethodComparison,
    paper: bool,
) -> Result<String, Failure> {
    let report = match form {
        ReportFormat::Text if paper => text::paper(comparison),
        ReportFormat::Text => text::report(comparison),
        ReportFormat::Json => to_json(comparison)?,
        ReportFormat::Markdown => markdown::report(comparison),
        ReportFormat::Html => html::report(comparison),
    };
    Ok(form.shown(&report))
}
