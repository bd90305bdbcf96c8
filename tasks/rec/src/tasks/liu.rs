//! The five tasks of "Is `ChatGPT` a Good Recommender?" (Liu et al. 2023, §3.2):
//! rating, sequential and direct recommendation, explanation and review summary.

use std::sync::Arc;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::DataError;
use shiftproof_tasks::{Metric, field};

use super::generated::{self, GeneratedTask};
use super::ranking::{self, RankingTask};
use super::{TaskDeclaration, TaskSpec};
use crate::ItemCatalogue;

/// Options of `kind = "liu"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiuSpec {
    /// Which of the five.
    pub form: LiuForm,
    /// The seed instruction; the form's own where absent.
    #[serde(default)]
    pub prompt: String,
    /// How an input is shown, `{field}` for a value; needed by the forms that
    /// generate text, optional for `rating`.
    #[serde(default)]
    pub input: Option<String>,
    /// With `rating`: the scale's ends.
    #[serde(default = "generated::scale")]
    pub scale: [f64; 2],
    /// Most items of the history shown, the latest ones.
    #[serde(default = "generated::window")]
    pub window: usize,
    /// What users do with items: watched, bought, …
    #[serde(default = "generated::action")]
    pub action: String,
    /// The form's own where absent: `rmse`, `ndcg@10` or `rouge-l`.
    #[serde(default)]
    pub metric: Option<Metric>,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LiuForm {
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

impl LiuSpec {
    fn seed(&self) -> String {
        if !self.prompt.trim().is_empty() {
            return self.prompt.clone();
        }
        let [low, high] = self.scale;
        match self.form {
            LiuForm::Rating => format!(
                "How will the user rate this item, {low} being lowest and {high} being highest? \
                 Give a single number as rating without any explanation."
            ),
            LiuForm::Sequential => format!(
                "The user has {} these items in order. Recommend ten items the user will want \
                 next, most likely first, as a numbered list of titles without any explanation.",
                self.action
            ),
            LiuForm::Direct => {
                "From the candidates, recommend the ten that fit the user best, best \
                             first, as a numbered list of titles without any explanation."
                    .to_owned()
            }
            LiuForm::Explanation => {
                "Explain in one sentence why the user likes this item.".to_owned()
            }
            LiuForm::Summary => "Summarise this review in at most ten words.".to_owned(),
        }
    }

    fn ranker(
        self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<RankingTask, DataError> {
        RankingTask {
            window: self.window,
            shown: self.form == LiuForm::Direct,
            catalogue: catalogue.cloned(),
            chose: self.action.clone(),
            ..RankingTask::new(study, self.seed(), self.metric.unwrap_or(Metric::Ndcg(10)))
        }
        .check()
    }
}

impl TaskSpec for LiuSpec {
    const KIND: &'static str = "liu";

    fn declare(
        self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        let form = match self.form {
            LiuForm::Direct => {
                let ranker = self.ranker(study, catalogue)?;
                return Ok(TaskDeclaration::new(
                    ranker,
                    &[field::HISTORY, field::CANDIDATES],
                ));
            }
            LiuForm::Sequential => {
                ranking::needs_catalogue("form", catalogue)?;
                let ranker = self.ranker(study, catalogue)?;
                return Ok(TaskDeclaration::new(ranker, &[field::HISTORY]));
            }
            LiuForm::Rating => generated::rating(self.scale)?,
            LiuForm::Explanation | LiuForm::Summary => generated::sentence(),
        };
        let metric = generated::metric(&form, self.metric)?;
        let rated = (self.form == LiuForm::Rating).then_some(generated::RATED);
        let template = generated::shown(self.input.as_deref().or(rated))?;
        let fields: Vec<String> = template.fields().into_iter().map(str::to_owned).collect();
        let task = GeneratedTask {
            name: study.to_owned(),
            seed: self.seed(),
            template,
            form,
            metric,
        };
        let names: Vec<&str> = fields.iter().map(String::as_str).collect();
        Ok(TaskDeclaration::new(task, &names))
    }
}
