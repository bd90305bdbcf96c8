//! The five tasks of "Is `ChatGPT` a Good Recommender?" (Liu et al. 2023, §3.2):
//! rating, sequential and direct recommendation, explanation and review summary.

use std::sync::Arc;

use serde::Deserialize;

use super::ranking::{By, Ranker};
use super::{Declaration, Declared};
use crate::parse::likelihood::Scoring;
use crate::problem::{DataError, Problem};
use crate::rec::history::Telling;
use crate::rec::{Catalogue, field};
use crate::{AnswerForm, Input, Metric, Prompt, Task, Template};

/// Options of `kind = "liu"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiuSpec {
    /// Which of the five.
    pub form: Form,
    /// The seed instruction; the form's own where absent.
    #[serde(default)]
    pub prompt: String,
    /// How an input is shown, `{field}` for a value; needed by the forms that
    /// generate text, optional for `rating`.
    #[serde(default)]
    pub input: Option<String>,
    /// With `rating`: the scale's ends.
    #[serde(default = "scale")]
    pub scale: [f64; 2],
    /// Most items of the history shown, the latest ones.
    #[serde(default = "window")]
    pub window: usize,
    /// What users do with items: watched, bought, …
    #[serde(default = "action")]
    pub action: String,
    /// The form's own where absent: `rmse`, `ndcg@10` or `rouge-l`.
    #[serde(default)]
    pub metric: Option<Metric>,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// One number: how the user will rate the item. Pointwise examples.
    Rating,
    /// Ten titles of the catalogue that come next. Listwise examples.
    Sequential,
    /// Ten of the candidates. Listwise examples.
    Direct,
    /// Why the user likes the item, in a sentence. A text label.
    Explanation,
    /// A review in one short sentence. A text label.
    Summary,
}

fn scale() -> [f64; 2] {
    [1.0, 5.0]
}

fn window() -> usize {
    10
}

fn action() -> String {
    "watched".to_owned()
}

const RATED: &str = "Liked before: {liked}\nDisliked before: {disliked}\nTo be rated: {item}";

impl LiuSpec {
    fn seed(&self) -> String {
        if !self.prompt.trim().is_empty() {
            return self.prompt.clone();
        }
        let [low, high] = self.scale;
        match self.form {
            Form::Rating => format!(
                "How will the user rate this item, {low} being lowest and {high} being highest? \
                 Give a single number as rating without any explanation."
            ),
            Form::Sequential => format!(
                "The user has {} these items in order. Recommend ten items the user will want \
                 next, most likely first, as a numbered list of titles without any explanation.",
                self.action
            ),
            Form::Direct => "From the candidates, recommend the ten that fit the user best, best \
                             first, as a numbered list of titles without any explanation."
                .to_owned(),
            Form::Explanation => "Explain in one sentence why the user likes this item.".to_owned(),
            Form::Summary => "Summarise this review in at most ten words.".to_owned(),
        }
    }

    fn ranker(self, study: &str, catalogue: Option<&Arc<Catalogue>>) -> Result<Ranker, DataError> {
        Ranker {
            name: study.to_owned(),
            prompt: self.seed(),
            metric: self.metric.unwrap_or(Metric::Ndcg(10)),
            by: By::List,
            scoring: Scoring::default(),
            telling: Telling::Sequential,
            window: self.window,
            chose: self.action,
            user: false,
            shown: self.form == Form::Direct,
            shuffles: 1,
            lead: String::new(),
            catalogue: catalogue.cloned(),
        }
        .check()
    }
}

impl Declared for LiuSpec {
    const KIND: &'static str = "liu";

    fn declare(
        self,
        study: &str,
        catalogue: Option<&Arc<Catalogue>>,
    ) -> Result<Declaration, DataError> {
        let (form, own) = match self.form {
            Form::Direct => {
                let ranker = self.ranker(study, catalogue)?;
                return Ok(Declaration::new(
                    ranker,
                    &[field::HISTORY, field::CANDIDATES],
                ));
            }
            Form::Sequential => {
                if catalogue.is_none() {
                    return Err(Problem::new(
                        "task.form",
                        "sequential grounds titles in the catalogue, and the data are no \
                         interactions",
                    )
                    .mend("use form = \"direct\", or data with a catalogue")
                    .into());
                }
                let ranker = self.ranker(study, catalogue)?;
                return Ok(Declaration::new(ranker, &[field::HISTORY]));
            }
            Form::Rating => {
                let [min, max] = self.scale;
                if min >= max || !min.is_finite() || !max.is_finite() {
                    return Err(Problem::new(
                        "task.scale",
                        format!("[{min}, {max}] is no scale"),
                    )
                    .mend("give the lowest and the highest rating")
                    .into());
                }
                (AnswerForm::Number { min, max }, Metric::Rmse)
            }
            Form::Explanation | Form::Summary => {
                (AnswerForm::Text { max_tokens: 80 }, Metric::RougeL)
            }
        };
        let metric = self.metric.unwrap_or(own);
        let suits = match form {
            AnswerForm::Number { .. } => matches!(metric, Metric::Rmse | Metric::Mae),
            _ => matches!(metric, Metric::RougeL | Metric::Bleu | Metric::Accuracy),
        };
        if !suits {
            return Err(Problem::new(
                "task.metric",
                format!("{metric} does not suit this form of answer"),
            )
            .mend("use rmse or mae for ratings, rouge-l or bleu for texts")
            .into());
        }
        let shown = match (&self.input, self.form) {
            (Some(input), _) => input.clone(),
            (None, Form::Rating) => RATED.to_owned(),
            (None, _) => {
                return Err(Problem::new("task.input", "says not how an input is shown")
                    .mend("write a column's name in braces, such as \"Review: {text}\"")
                    .into());
            }
        };
        let template = Template::new(shown).map_err(|problem| Problem {
            place: "task.input".into(),
            ..problem
        })?;
        let fields: Vec<String> = template.fields().into_iter().map(str::to_owned).collect();
        let task = Generated {
            name: study.to_owned(),
            seed: self.seed(),
            template,
            form,
            metric,
        };
        let names: Vec<&str> = fields.iter().map(String::as_str).collect();
        Ok(Declaration::new(task, &names))
    }
}

/// A number or a text about one input.
struct Generated {
    name: String,
    seed: String,
    template: Template,
    form: AnswerForm,
    metric: Metric,
}

impl Task for Generated {
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
        for name in [field::LIKED, field::DISLIKED, field::HISTORY] {
            if let Some(text) = flat.fields.get_mut(name) {
                let items: Vec<&str> = field::entries(text).collect();
                *text = items.join("; ");
            }
        }
        self.template.render(&flat)
    }
}
