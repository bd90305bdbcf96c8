//! Placeholders in a study's prompts, checked against the fields there are.

use shiftproof_tasks::lint::{LintFinding, LintSeverity};
use shiftproof_tasks::{Input, Task, closest, places};

use crate::exit::Failure;

/// A prompt with the key or file it is from.
pub(crate) struct GivenPrompt<'p> {
    /// Where it is written.
    pub place: String,
    /// The prompt.
    pub text: &'p str,
}

/// The names in single braces of some prompts: those of them that are columns are
/// read with the data.
pub(crate) fn mentioned<'p>(prompts: impl IntoIterator<Item = &'p str>) -> Vec<String> {
    let mut names: Vec<String> = prompts
        .into_iter()
        .flat_map(|prompt| places::fields(prompt, &|_| true))
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Checks that what reads like a placeholder is one. A name that is a field but
/// for a slip is an error; any other, and one in doubled braces, is a warning:
/// prompts may hold braces of their own.
pub(crate) fn check(
    task: &dyn Task,
    like: Option<&Input>,
    prompts: &[GivenPrompt<'_>],
) -> Result<Vec<LintFinding>, Failure> {
    let mut findings = Vec::new();
    let Some(input) = like else {
        return Ok(findings);
    };
    if !task.fills_fields() {
        return Ok(findings);
    }
    let labels = task.answer_form(input);
    let labels = labels.labels().unwrap_or_default();
    for GivenPrompt { place, text } in prompts {
        let is_field = |name: &str| input.fields.contains_key(name);
        for name in places::strangers(text, &is_field) {
            if labels.iter().any(|label| label == name) {
                continue;
            }
            let known = fields(input);
            if let Some(meant) = closest(name, input.fields.keys().map(String::as_str)) {
                return Err(Failure::usage(format!(
                    "{place}: the placeholder {{{name}}} names no field; did you mean \
                     {{{meant}}}? the data has {known}\n  write {{{{{name}}}}} for braces that \
                     the model shall see"
                )));
            }
            findings.push(warning(format!(
                "{place}: {{{name}}} names no field and is sent as it stands; the data has \
                 {known} (data.fields lets more in). Write {{{{{name}}}}} if braces are meant"
            )));
        }
        for name in places::doubled(text, &is_field) {
            if is_field(name) {
                findings.push(warning(format!(
                    "{place}: {{{{{name}}}}} is sent as the text {{{name}}}; write {{{name}}} for \
                     the value of that field"
                )));
            }
        }
    }
    Ok(findings)
}

fn warning(message: String) -> LintFinding {
    LintFinding {
        severity: LintSeverity::Warning,
        code: "placeholder",
        message,
        places: Vec::new(),
    }
}

fn fields(input: &Input) -> String {
    let names: Vec<String> = input
        .fields
        .keys()
        .map(|name| format!("{{{name}}}"))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use shiftproof_tasks::{ClassifySpec, ClassifyTask, Metric};

    use super::*;

    fn found(prompt: &str) -> Result<Vec<String>, String> {
        let task = ClassifyTask::new(
            "t",
            ClassifySpec {
                prompt: prompt.into(),
                input: "{text}".into(),
                labels: vec!["good".into(), "bad".into()],
                options: None,
                metric: Metric::Accuracy,
            },
        )
        .unwrap();
        let like = Input::new("1", "g").with_field("text", "x");
        let given = [GivenPrompt {
            place: "task.prompt".into(),
            text: prompt,
        }];
        check(&task, Some(&like), &given)
            .map(|found| found.iter().map(ToString::to_string).collect())
            .map_err(|failure| failure.message)
    }

    #[test]
    fn slips_are_errors() {
        let slip = found("Mood of {texte}?").unwrap_err();
        assert!(
            slip.contains("{texte} names no field; did you mean {text}?"),
            "{slip}"
        );
        let stranger = found("Mood of {review}?").unwrap();
        assert!(
            stranger[0].contains("{review} names no field"),
            "{stranger:?}"
        );
        assert!(found("Mood of {{text}}?").unwrap()[0].contains("is sent as the text {text}"));
        for fine in [
            "Mood of {text}?",
            "Write {\"mood\": …}, {} or {good}.",
            "Keep {{review}}.",
        ] {
            assert_eq!(found(fine), Ok(Vec::new()), "{fine}");
        }
        assert_eq!(mentioned(["{a} {b} {\"x\"}", "{a}"]), ["\"x\"", "a", "b"]);
    }
}
