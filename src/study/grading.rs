//! Who grades answers where a comparison with the label does not do: a program
//! (`[metric]`), or a model (`[judge]`).

use std::path::Path;
use std::sync::Arc;

use regex::Regex;
use serde::{Deserialize, Serialize};
use shiftproof_tasks::lint::{LintFinding, LintSeverity};
use shiftproof_tasks::{
    CommandLine, GradedTask, Grader, JudgeGrader, JudgeScale, ProgramGrader, Task,
};

use super::{ModelSpec, Study, explain};
use crate::exit::Failure;
use crate::study::textfile;

/// A program that scores answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricSpec {
    /// The program and its arguments; paths in them start from the study's folder.
    pub command: CommandLine,
    /// Whether it is told labels. Where it is not, answers to inputs without a label
    /// are scored too.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub reference: bool,
    /// Processes side by side; 1 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<usize>,
    /// Lines that are sent along at once; 16 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// How long it may be silent while a line is open, in seconds; 60 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u64>,
}

/// How a program is run that scores or renders; see [`MetricSpec`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct ProgramOptions {
    /// Processes side by side.
    pub processes: Option<usize>,
    /// Lines that are sent along at once.
    pub batch: Option<usize>,
    /// How long it may be silent while a line is open, in seconds.
    pub timeout_s: Option<u64>,
}

impl MetricSpec {
    /// How it is run.
    pub const fn options(&self) -> ProgramOptions {
        ProgramOptions {
            processes: self.processes,
            batch: self.batch,
            timeout_s: self.timeout_s,
        }
    }
}

/// A model that grades answers by a rubric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeSpec {
    /// The model; the study's own where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelSpec>,
    /// What makes an answer good; of an entry `@FILE` the file's text.
    pub rubric: String,
    /// Verdicts are whole numbers from 1 to this; pass or fail where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<u32>,
    /// Whether it sees the label, as a correct answer to compare with. Where it does
    /// not, answers to inputs without a label are graded too.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub reference: bool,
    /// A table of answers that a person graded, relative to the study file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<String>,
    /// Cohen's kappa that the judge must reach on them before a score of its may be
    /// held against a bar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_agreement: Option<f64>,
}

const fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
const fn is_yes(is: &bool) -> bool {
    *is
}

impl JudgeSpec {
    /// What its verdicts are.
    pub fn scale(&self) -> JudgeScale {
        self.points.map_or(JudgeScale::PassFail, JudgeScale::Points)
    }

    /// The judge as a task asks it.
    pub fn grader(&self) -> JudgeGrader {
        JudgeGrader::new(&*self.rubric, self.scale(), self.reference)
    }
}

/// What contradicts itself in who grades.
pub(super) fn problems(study: &Study) -> Vec<String> {
    let mut problems = Vec::new();
    if study.metric.is_some() && study.judge.is_some() {
        problems
            .push("judge and metric both say who grades: keep one of the two tables".to_owned());
    }
    if let Some(judge) = &study.judge {
        if judge.rubric.trim().is_empty() {
            problems.push(
                "judge.rubric is empty: say what makes an answer good, or name a file with \
                 \"@FILE\""
                    .to_owned(),
            );
        }
        if judge.min_agreement.is_some() && judge.calibration.is_none() {
            problems.push(
                "judge.min_agreement needs judge.calibration: a table of answers that a person \
                 graded"
                    .to_owned(),
            );
        }
    }
    problems
}

/// Grades that a rubric speaks of, where the judge is asked for others.
pub(crate) fn doubts(study: &Study) -> Option<LintFinding> {
    let judge = study.judge.as_ref()?;
    let most = points_in(&judge.rubric)?;
    let asked = match judge.points {
        None => "pass or fail".to_owned(),
        Some(points) if points == most => return None,
        Some(points) => format!("a grade from 1 to {points}"),
    };
    Some(LintFinding {
        severity: LintSeverity::Warning,
        code: "rubric-and-points",
        message: format!(
            "judge.rubric speaks of grades up to {most}, and the judge is asked for {asked}: set \
             judge.points = {most} for grades from 1 to {most}, which are worth 0 to 1"
        ),
        places: Vec::new(),
    })
}

/// The highest of the points that a rubric speaks of: "1 to 5", "1-5", "out of 10",
/// "a 5-point scale".
fn points_in(rubric: &str) -> Option<u32> {
    const SCALES: &str = r"(?xi)
        (?: ^ | [^\w.,] ) [01] \s* (?: - | – | — | \.\.+ | … | to | through | bis | à | a ) \s*
            ( \d{1,3} ) (?: $ | [^\w%] )
        | \b out \s of \s ( \d{1,3} ) \b
        | \b ( \d{1,3} ) [-\s] point \b";
    let scales = Regex::new(SCALES).ok()?;
    let found = scales.captures_iter(rubric).filter_map(|captures| {
        let digits = captures.iter().skip(1).flatten().next()?;
        digits.as_str().parse().ok()
    });
    found.filter(|most| (3..=100).contains(most)).max()
}

/// Puts the text of `judge.rubric = "@FILE"` in its place.
pub(super) fn inline(study: &mut Study, text: &str, path: &Path) -> Result<(), Failure> {
    let Some(judge) = &mut study.judge else {
        return Ok(());
    };
    if let Some(file) = judge.rubric.strip_prefix('@') {
        let place = explain::place(text, path, &["judge", "rubric"]);
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        judge.rubric = super::prompts::read(&folder.join(file), &place, "judge.rubric")?;
    }
    Ok(())
}

/// The task as the study has it graded. `path` is for messages.
pub(crate) fn graded(
    study: &Study,
    task: Arc<dyn Task>,
    path: &Path,
) -> Result<Arc<dyn Task>, Failure> {
    let (key, grader): (&str, Arc<dyn Grader>) = match (&study.metric, &study.judge) {
        (Some(metric), _) => ("metric", Arc::new(ProgramGrader::new(metric.reference))),
        (_, Some(judge)) => ("judge", Arc::new(judge.grader())),
        (None, None) if study.task.get("metric").is_some() && task.metric().asks() => {
            let metric = task.metric();
            let text = textfile::read(path).unwrap_or_default();
            let place = explain::place(&text, path, &["task", "metric"]);
            let table = if metric == shiftproof_tasks::Metric::Judge {
                "[judge] with a rubric"
            } else {
                "[metric] with a command"
            };
            return Err(Failure::usage(format!(
                "{place}: task.metric is {metric}, but nobody is there to ask: remove it, and \
                 write a table {table}"
            )));
        }
        (None, None) => return Ok(task),
    };
    let refuse = |keys: &[&str], told: &str| {
        let text = textfile::read(path).unwrap_or_default();
        let place = explain::place(&text, path, keys);
        Err(Failure::usage(format!("{place}: {told}")))
    };
    if let Some(metric) = study.task.get("metric").and_then(toml::Value::as_str) {
        let told = format!(
            "the metric {metric} compares answers with labels, and [{key}] says that they are \
             graded otherwise: keep one of the two"
        );
        return refuse(&["task", "metric"], &told);
    }
    if task.grader().is_some() {
        let told = format!(
            "the task's own program scores answers, and so does [{key}]: write task.does = \
             [\"render\"], or remove [{key}]"
        );
        return refuse(&["task", "command"], &told);
    }
    Ok(Arc::new(GradedTask::new(task, grader)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_rubrics_are_seen() {
        for (rubric, most) in [
            ("Rate helpfulness from 1 to 5.", Some(5)),
            ("Grade it 1-5, where 5 is best", Some(5)),
            ("Score: 0–10. Deduct for errors.", Some(10)),
            ("Give up to 7 points on a 7-point scale.", Some(7)),
            ("7 out of 10 is a good answer", Some(10)),
            ("Note von 1 bis 6", Some(6)),
            (
                "Pass when it names the right city within 1 to 2 sentences.",
                None,
            ),
            ("It passes if all 3 facts are right.", None),
            (
                "Dates are written 2021-05-11; prices within 1-5% are right.",
                None,
            ),
            ("", None),
        ] {
            assert_eq!(points_in(rubric), most, "{rubric}");
        }
    }

    #[test]
    fn points_are_asked_for_where_rubrics_have_them() {
        let told = |table: &str| {
            let judge: JudgeSpec = toml::from_str(table).unwrap();
            let mut study = Study::in_memory("s".into(), "t");
            study.judge = Some(judge);
            doubts(&study).map(|finding| finding.message)
        };
        let none = told("rubric = \"From 1 to 5.\"").unwrap();
        assert!(
            none.contains("asked for pass or fail: set judge.points = 5"),
            "{none}"
        );
        let other = told("rubric = \"From 1 to 10.\"\npoints = 5").unwrap();
        assert!(
            other.contains("from 1 to 5: set judge.points = 10"),
            "{other}"
        );
        assert_eq!(told("rubric = \"From 1 to 5.\"\npoints = 5"), None);
        assert_eq!(told("rubric = \"Is it polite?\""), None);
    }
}
