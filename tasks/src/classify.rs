use std::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::diagnostic::{DataError, DataProblem, DataProblems};
use crate::{
    AnswerForm, FieldTemplate, Input, Message, Metric, OptionList, Prompt, Request, Task, render,
    template,
};

/// A classification task as a study file declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassifySpec {
    /// The seed prompt's instruction; see [`places`](crate::places) for values in
    /// it.
    pub prompt: String,
    /// How an input is rendered; see [`FieldTemplate`].
    pub input: String,
    /// The closed set of labels, in the order they are shown and scored; none with
    /// [`options`](Self::options).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Instead of labels: the column with each example's own options, as
    /// [`OptionList`] reads them. They are shown a line each under letters, where
    /// [`input`](Self::input) names the column or else below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<String>,
    /// How a group's outcomes become its score.
    pub metric: Metric,
}

impl<'de> Deserialize<'de> for ClassifySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Keys {
            prompt: String,
            input: String,
            labels: Option<Vec<String>>,
            options: Option<String>,
            #[serde(default)]
            metric: Metric,
        }

        let keys = Keys::deserialize(deserializer)?;
        if keys.labels.is_none() && keys.options.is_none() {
            return Err(D::Error::missing_field("labels"));
        }
        Ok(Self {
            prompt: keys.prompt,
            input: keys.input,
            labels: keys.labels.unwrap_or_default(),
            options: keys.options,
            metric: keys.metric,
        })
    }
}

impl ClassifySpec {
    /// A choice among `labels`, scored by accuracy; `input` is a [`FieldTemplate`].
    pub fn new<L: Into<String>>(
        prompt: impl Into<String>,
        input: impl Into<String>,
        labels: impl IntoIterator<Item = L>,
    ) -> Self {
        Self {
            prompt: prompt.into(),
            input: input.into(),
            labels: labels.into_iter().map(Into::into).collect(),
            options: None,
            metric: Metric::Accuracy,
        }
    }
}

/// Classification declared in a study file: no Rust needed.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifyTask {
    name: String,
    seed: Prompt,
    template: FieldTemplate,
    labels: Vec<String>,
    options: Option<String>,
    metric: Metric,
}

impl ClassifyTask {
    /// Checks the declaration; all mistakes are reported at once, each under
    /// its key.
    pub fn new(name: impl Into<String>, spec: ClassifySpec) -> Result<Self, DataError> {
        let mut problems = DataProblems::default();
        if spec.prompt.trim().is_empty() {
            problems.push(
                DataProblem::new("task.prompt", "the prompt is empty")
                    .help("write the instruction in use today; the search starts from it"),
            );
        }
        let metric = spec.metric.name();
        match &spec.options {
            None => check_labels(&spec.labels, &mut problems),
            Some(_) if !spec.labels.is_empty() => problems.push(
                DataProblem::new(
                    "task.options",
                    "task.labels already says what the answers are",
                )
                .help(
                    "keep labels where all examples have the same, options where each has its own",
                ),
            ),
            Some(column) if column.trim().is_empty() => problems.push(
                DataProblem::new("task.options", "it names no column")
                    .help("name the column that holds each example's choices"),
            ),
            Some(_) => {}
        }
        if spec.options.is_some() && spec.metric != Metric::Accuracy {
            let what = format!("{metric} needs the same labels for every example");
            problems.push(
                DataProblem::new("task.metric", what).help(
                    "use accuracy: with task.options a letter says only where an answer stands",
                ),
            );
        } else if !matches!(
            spec.metric,
            Metric::Accuracy | Metric::MacroF1 | Metric::Auc
        ) {
            let what = format!("{metric} does not fit a choice among labels");
            problems
                .push(DataProblem::new("task.metric", what).help("use accuracy, macro-f1 or auc"));
        }
        if spec.options.is_none() && spec.metric == Metric::Auc && spec.labels.len() != 2 {
            let what = format!("auc needs exactly two labels, not {}", spec.labels.len());
            problems.push(DataProblem::new("task.metric", what).help("use macro-f1 for more"));
        }
        let template = template::input(spec.input, &mut problems);
        problems.or(Self {
            name: name.into(),
            seed: Prompt::new(spec.prompt),
            template,
            labels: spec.labels,
            options: spec.options,
            metric: spec.metric,
        })
    }

    /// The closed set, in the order of the study; none where examples have options.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How inputs are rendered.
    pub fn template(&self) -> &FieldTemplate {
        &self.template
    }

    /// Fails, under `task.input`, on a field of the template that is no column of
    /// the data.
    pub fn check_fields<'a>(
        &self,
        columns: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Result<(), DataProblem> {
        let at_key = |problem| DataProblem {
            place: "task.input".into(),
            ..problem
        };
        self.template.check_fields(columns).map_err(at_key)
    }

    /// The input with its options as they are shown, whichever way they were written.
    fn lettered<'i>(&self, input: &'i Input) -> Cow<'i, Input> {
        match (&self.options, self.own_options(input)) {
            (Some(column), Some(own)) => Cow::Owned(input.clone().with_field(column, own.shown())),
            _ => Cow::Borrowed(input),
        }
    }

    /// The input's own options; none where it has no readable ones, which data that
    /// were loaded never are.
    fn own_options(&self, input: &Input) -> Option<OptionList> {
        OptionList::read(input.field(self.options.as_deref()?)).ok()
    }

    /// The columns that inputs are rendered from, sorted.
    pub fn fields(&self) -> Vec<String> {
        let mut fields = self.template.fields();
        fields.extend(self.options.as_deref());
        fields.into_iter().map(str::to_owned).collect()
    }
}

fn check_labels(labels: &[String], problems: &mut DataProblems) {
    let mut fault = |what: String, mend: &str| {
        problems.push(DataProblem::new("task.labels", what).help(mend));
    };
    if labels.len() < 2 {
        fault(
            format!("{} labels leave nothing to choose", labels.len()),
            "list at least two, or name in task.options the column with each example's own",
        );
    }
    for (index, label) in labels.iter().enumerate() {
        let same = |other: &&String| other.trim().to_lowercase() == label.trim().to_lowercase();
        if label.trim().is_empty() {
            fault(
                format!("label {} is blank", index + 1),
                "remove it or give it a name",
            );
        } else if label.trim() != label {
            fault(
                format!("label {label:?} begins or ends with a space"),
                "remove the space",
            );
        } else if let Some(twin) = labels[..index].iter().find(same) {
            // A text reply could not tell "Yes" from "yes".
            fault(
                format!("labels {twin:?} and {label:?} differ at most in case"),
                "remove or rename one",
            );
        }
    }
}

impl Task for ClassifyTask {
    fn name(&self) -> &str {
        &self.name
    }

    fn seed(&self) -> Prompt {
        self.seed.clone()
    }

    fn answer_form(&self, input: &Input) -> AnswerForm {
        if self.options.is_none() {
            return AnswerForm::Choice {
                labels: self.labels.clone(),
            };
        }
        let own = self.own_options(input);
        AnswerForm::MultipleChoice {
            labels: own.as_ref().map(OptionList::letters).unwrap_or_default(),
            options: own.map(|own| own.texts().to_vec()).unwrap_or_default(),
        }
    }

    fn options(&self) -> Option<&str> {
        self.options.as_deref()
    }

    fn metric(&self) -> Metric {
        self.metric
    }

    fn render(&self, input: &Input) -> String {
        let input = self.lettered(input);
        let rendered = self.template.render(&input);
        match &self.options {
            Some(column) if !self.template.fields().contains(column.as_str()) => {
                format!("{rendered}\n\n{}", input.field(column))
            }
            _ => rendered,
        }
    }

    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        let input = self.lettered(input);
        let text = render::filled(prompt, &input, || self.render(&input));
        Request {
            messages: vec![Message::user(text)],
            answer: self.answer_form(&input),
        }
    }

    fn fills_fields(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Finish, Label, Outcome, Reply};

    fn spec() -> ClassifySpec {
        ClassifySpec {
            prompt: "Is this review positive or negative?".into(),
            input: "Review: {text}".into(),
            labels: vec!["positive".into(), "negative".into()],
            options: None,
            metric: Metric::Accuracy,
        }
    }

    fn check(change: impl FnOnce(&mut ClassifySpec), expect: &str) {
        let mut spec = spec();
        change(&mut spec);
        let error = ClassifyTask::new("t", spec).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }

    #[test]
    fn mistakes_are_named() {
        check(
            |s| s.prompt = " ".into(),
            "task.prompt: the prompt is empty",
        );
        check(
            |s| s.metric = Metric::Ndcg(10),
            "task.metric: ndcg@10 does not fit a choice among labels",
        );
        check(
            |s| s.labels.truncate(1),
            "task.labels: 1 labels leave nothing to choose",
        );
        check(|s| s.labels.push(" ".into()), "label 3 is blank");
        check(
            |s| s.labels.push("Positive".into()),
            "\"positive\" and \"Positive\"",
        );
        check(
            |s| s.labels.push("x ".into()),
            "begins or ends with a space",
        );
        check(
            |s| s.input = "Review: {text".into(),
            "task.input: `{` is never closed (character 9",
        );
        check(
            |s| s.input = "Review".into(),
            "task.input: the template names no field",
        );
        check(
            |s| {
                s.labels.push("neutral".into());
                s.metric = Metric::Auc;
            },
            "task.metric: auc needs exactly two labels, not 3",
        );
        check(
            |s| {
                s.prompt.clear();
                s.labels.clear();
            },
            "2 problems:\n  task.prompt",
        );
    }

    #[test]
    fn spec_becomes_task() {
        let task = ClassifyTask::new("reviews", spec()).unwrap();
        let example = Input::new("1", "books")
            .with_field("text", "Wow {text}")
            .with_label(Label::Class("positive".into()));
        let request = task.request(&task.seed(), &example.input);
        assert_eq!(
            request.messages[0].content,
            "Is this review positive or negative?\n\nReview: Wow {text}"
        );
        let placed = Prompt::new("Mood of \"{text}\" as {\"mood\": …}:");
        let request = task.request(&placed, &example.input);
        assert_eq!(
            request.messages[0].content,
            "Mood of \"Wow {text}\" as {\"mood\": …}:"
        );
        assert_eq!(task.demonstration(&example).answer, "positive");
        assert_eq!(
            task.score(&example, &Reply::text("Answer: Positive"))
                .value(),
            Some(1.0)
        );
        let scored = Reply {
            label_logprobs: Some(vec![-2.0, -1.0]),
            ..Reply::text("negative")
        };
        assert_eq!(
            task.parse(&example.input, &scored),
            Answer::Class {
                label: "negative".into(),
                margin: Some(-1.0)
            }
        );
        assert_eq!(task.fields(), ["text"]);
        assert!(task.check_fields(["label", "text"]).is_ok());
        let error = task
            .check_fields(["label", "texts"])
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("task.input: unknown field {text}; did you mean \"texts\"?"));
    }

    #[test]
    fn options_are_asked_with_letters() {
        let chosen = |change: &dyn Fn(&mut ClassifySpec)| {
            let mut spec = ClassifySpec {
                prompt: "Which is right?".into(),
                input: "{text}".into(),
                labels: Vec::new(),
                options: Some("choices".into()),
                metric: Metric::Accuracy,
            };
            change(&mut spec);
            ClassifyTask::new("quiz", spec)
        };
        let task = chosen(&|_| {}).unwrap();
        assert_eq!(task.fields(), ["choices", "text"]);
        let example = Input::new("1", "easy")
            .with_field("text", "2 + 2?")
            .with_field("choices", r#"["three", "four", "five"]"#)
            .with_label(Label::Class("B".into()));
        let asked = |prompt: &str, task: &ClassifyTask| {
            let request = task.request(&Prompt::new(prompt), &example.input);
            request.messages[0].content.clone()
        };
        assert_eq!(
            asked("Which is right?", &task),
            "Which is right?\n\n2 + 2?\n\nA. three\nB. four\nC. five"
        );
        assert_eq!(
            asked("{text} Of\n{choices}", &task),
            "2 + 2? Of\nA. three\nB. four\nC. five"
        );
        let placed = chosen(&|s| s.input = "{choices}\n{text}".into()).unwrap();
        assert_eq!(
            asked("Say.", &placed),
            "Say.\n\nA. three\nB. four\nC. five\n2 + 2?"
        );
        assert_eq!(
            task.answer_form(&example.input).labels().unwrap(),
            ["A", "B", "C"]
        );
        for (reply, value) in [("(B)", 1.0), ("four", 1.0), ("A", 0.0), ("seven", 0.0)] {
            let outcome = task.score(&example, &Reply::text(reply));
            assert_eq!(outcome.value(), Some(value), "{reply}");
        }
        let fault = |change: &dyn Fn(&mut ClassifySpec)| chosen(change).unwrap_err().to_string();
        let both = fault(&|s| s.labels = vec!["a".into(), "b".into()]);
        assert!(
            both.contains("task.options: task.labels already says"),
            "{both}"
        );
        let metric = fault(&|s| s.metric = Metric::MacroF1);
        assert!(
            metric.contains("macro-f1 needs the same labels"),
            "{metric}"
        );
        let blank = fault(&|s| s.options = Some(" ".into()));
        assert!(
            blank.contains("task.options: it names no column"),
            "{blank}"
        );
    }

    #[test]
    fn unread_truncation_is_not_wrong() {
        let task = ClassifyTask::new("reviews", spec()).unwrap();
        let example = Input::new("1", "books")
            .with_field("text", "Wow")
            .with_label(Label::Class("positive".into()));
        let outcome = |text: &str, finish| {
            let reply = Reply {
                finish,
                ..Reply::text(text)
            };
            task.score(&example, &reply)
        };
        for text in ["", "<think>The reviewer", "The reviewer says that the"] {
            let cut = outcome(text, Finish::Length);
            assert!(matches!(cut, Outcome::Truncated { .. }), "{cut:?}");
            assert_eq!(cut.value(), None);
            assert_eq!(outcome(text, Finish::Stop).value(), Some(0.0));
        }
        // What leads and is whole was answered, whatever is cut off behind it.
        let led = outcome("Negative. The reviewer says", Finish::Length);
        assert_eq!(led.value(), Some(0.0));
        assert!(matches!(led, Outcome::Scored(_)), "{led:?}");
    }

    #[test]
    fn unknown_keys_are_refused() {
        let mut value = serde_json::to_value(spec()).unwrap();
        value["lables"] = serde_json::json!([]);
        assert!(serde_json::from_value::<ClassifySpec>(value).is_err());
    }
}
