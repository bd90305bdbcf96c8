//! What tasks share whose answer is a number or a text about one input.

use shiftproof_tasks::diagnostic::{DataError, DataProblem};
use shiftproof_tasks::{AnswerForm, FieldTemplate, Input, Metric, Prompt, Task, field};

/// A number or a text about one input.
pub(super) struct GeneratedTask {
    pub name: String,
    pub seed: String,
    pub template: FieldTemplate,
    pub form: AnswerForm,
    pub metric: Metric,
    /// Items of the history that fill `{rated}` with their ratings, the latest ones.
    pub rated: usize,
}

/// The scale's ends where a study names none.
pub(super) fn scale() -> [f64; 2] {
    [1.0, 5.0]
}

/// Items of a history where a study does not say.
pub(super) fn window() -> usize {
    10
}

/// What users do with items where a study does not say.
pub(super) fn action() -> String {
    "watched".to_owned()
}

/// How an input is shown whose item is to be rated.
pub(super) const RATED: &str =
    "Liked before: {liked}\nDisliked before: {disliked}\nTo be rated: {item}";

/// The place in a template of what a user rated before, with the ratings.
const RATED_BEFORE: &str = "rated";

/// How an input is shown whose item is to be rated after examples of the user's own ratings.
pub(super) const RATED_AFTER: &str =
    "Rated by the user before, oldest first:\n{rated}\nTo be rated: {item}";

/// The fields behind [`RATED_AFTER`].
pub(super) const RATED_AFTER_FIELDS: [&str; 3] =
    [field::HISTORY, field::HISTORY_RATINGS, field::ITEM];

/// `Heat (1995): 4`, a line each, the latest `n`; "nothing" where none is known.
fn rated_before(input: &Input, n: usize) -> String {
    let titles = field::entries(input.field(field::HISTORY));
    let ratings = field::entries(input.field(field::HISTORY_RATINGS));
    let lines: Vec<String> = titles
        .zip(ratings)
        .map(|(title, rating)| format!("{title}: {rating}"))
        .collect();
    match &lines[lines.len().saturating_sub(n)..] {
        [] => "nothing".to_owned(),
        lines => lines.join("\n"),
    }
}

/// The form of a rating; fails on ends that span no scale.
pub(super) fn rating([min, max]: [f64; 2]) -> Result<AnswerForm, DataError> {
    if min >= max || !min.is_finite() || !max.is_finite() {
        return Err(
            DataProblem::new("task.scale", format!("[{min}, {max}] is no scale"))
                .help("give the lowest and the highest rating")
                .into(),
        );
    }
    Ok(AnswerForm::Number { min, max })
}

/// The form of a sentence or two.
pub(super) fn sentence() -> AnswerForm {
    AnswerForm::Text { max_tokens: 80 }
}

/// `metric` if it suits the form, or else the form's own.
pub(super) fn metric(form: &AnswerForm, metric: Option<Metric>) -> Result<Metric, DataError> {
    let number = matches!(form, AnswerForm::Number { .. });
    let Some(metric) = metric else {
        return Ok(if number { Metric::Rmse } else { Metric::RougeL });
    };
    let suits = if number {
        matches!(metric, Metric::Rmse | Metric::Mae)
    } else {
        matches!(metric, Metric::RougeL | Metric::Bleu | Metric::Accuracy)
    };
    if !suits {
        return Err(DataProblem::new(
            "task.metric",
            format!("{metric} does not suit this form of answer"),
        )
        .help("use rmse or mae for ratings, rouge-l or bleu for texts")
        .into());
    }
    Ok(metric)
}

/// How an input is shown, from `task.input`.
pub(super) fn shown(input: Option<&str>) -> Result<FieldTemplate, DataError> {
    let Some(input) = input else {
        return Err(
            DataProblem::new("task.input", "says not how an input is shown")
                .help("write a column's name in braces, such as \"Review: {text}\"")
                .into(),
        );
    };
    let template = FieldTemplate::new(input).map_err(|problem| DataProblem {
        place: "task.input".into(),
        ..problem
    })?;
    Ok(template)
}

impl Task for GeneratedTask {
    fn name(&self) -> &str {
        &self.name
    }

    fn seed(&self) -> Prompt {
        Prompt::new(&self.seed)
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        self.form.clone()
    }

    fn metric(&self) -> Metric {
        self.metric
    }

    /// Lists stand on one line, so that the template's own lines are seen.
    fn render(&self, input: &Input) -> String {
        let mut flat = input.clone();
        if self.rated > 0 {
            let rated = rated_before(input, self.rated);
            flat.fields.insert(RATED_BEFORE.to_owned(), rated);
        }
        for name in [field::LIKED, field::DISLIKED, field::HISTORY] {
            if let Some(text) = flat.fields.get_mut(name) {
                let items: Vec<&str> = field::entries(text).collect();
                *text = items.join("; ");
            }
        }
        self.template.render(&flat)
    }
}
