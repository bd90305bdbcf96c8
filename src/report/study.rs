//! What a report says of the study behind a run, beside its events.

use std::path::Path;

use shiftproof_tasks::JudgeScale;

use crate::study::{JudgeSpec, ResolvedStudy};
use crate::wording::printed_commands::path_argument;

/// What a run's folder keeps of its study and readers ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReportedStudy {
    /// The study file as an argument of a command, where it is known.
    pub file: Option<String>,
    /// Who grades, where a model does.
    pub judge: Option<ReportedJudge>,
}

/// A model that grades, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportedJudge {
    /// Its name in the study; of the study's own model, that.
    pub model: String,
    /// What its verdicts are.
    pub verdicts: String,
    /// What it grades by.
    pub rubric: String,
}

impl ReportedStudy {
    /// Of a study as a run keeps it.
    pub fn of(resolved: &ResolvedStudy) -> Self {
        let file = resolved.file.as_ref().map(|file| {
            // Whose machine it was is nobody's matter.
            if resolved.folder.is_absolute() {
                path_argument(Path::new(file))
            } else {
                path_argument(&resolved.folder.join(file))
            }
        });
        let judge = |judge: &JudgeSpec| ReportedJudge {
            model: match &judge.model {
                Some(spec) => spec.name.clone(),
                None => format!("{}, the task model", resolved.study.model.name),
            },
            verdicts: match judge.scale() {
                JudgeScale::PassFail => "pass or fail".to_owned(),
                JudgeScale::Points(points) => format!("1 to {points}, worth 0 to 1"),
            },
            rubric: judge.rubric.trim().to_owned(),
        };
        Self {
            file,
            judge: resolved.study.judge.as_ref().map(judge),
        }
    }

    /// The study file for a command, or what stands for it.
    pub fn argument(&self) -> &str {
        self.file.as_deref().unwrap_or("STUDY.toml")
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::study::Study;

    #[test]
    fn studies_are_named_as_they_were_given() {
        let mut resolved = ResolvedStudy::new(
            Study::in_memory("s".into(), "t"),
            PathBuf::from("my studies"),
            1,
        );
        assert_eq!(ReportedStudy::of(&resolved).argument(), "STUDY.toml");
        resolved.file = Some("notes.toml".into());
        let named = ReportedStudy::of(&resolved);
        assert!(
            named.argument().contains("my studies/notes.toml"),
            "{named:?}"
        );
        resolved.folder = PathBuf::from("/home/somebody");
        assert_eq!(ReportedStudy::of(&resolved).argument(), "notes.toml");
    }

    #[test]
    fn judges_are_told_with_what_they_grade_by() {
        let mut study = Study::in_memory("s".into(), "t");
        study.model = crate::study::ModelSpec::named("openai:small");
        let judge = |table: &str| Some(toml::from_str::<JudgeSpec>(table).unwrap());
        study.judge = judge("rubric = \"Is it kind?\\n\"\npoints = 5");
        let told = |study: &Study| {
            let resolved = ResolvedStudy::new(study.clone(), PathBuf::new(), 1);
            ReportedStudy::of(&resolved).judge.unwrap()
        };
        let own = told(&study);
        assert_eq!(own.model, "openai:small, the task model");
        assert_eq!(
            (&*own.verdicts, &*own.rubric),
            ("1 to 5, worth 0 to 1", "Is it kind?")
        );
        study.judge = judge("rubric = \"Is it kind?\"\nmodel = \"openai:large\"");
        assert_eq!(told(&study).model, "openai:large");
        assert_eq!(told(&study).verdicts, "pass or fail");
    }
}
