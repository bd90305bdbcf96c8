//! The five tasks of "Is `ChatGPT` a Good Recommender?" (Liu et al. 2023, §3.2):
//! rating, sequential and direct recommendation, explanation and review summary.

use std::sync::Arc;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::{DataError, DataProblem};
use shiftproof_tasks::{Metric, field};

use super::generated::{self, GeneratedTask};
use super::ranking::{self, RankingTask};
use super::{TaskDeclaration, TaskSpec};
use crate::ItemCatalogue;
use crate::history::HistoryFormat;

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
    /// Worked examples out of the user's own past: with `rating` items with the ratings they
    /// were given, with `sequential` and `direct` at most one, the latest item after those
    /// before it. 0: none.
    #[serde(default)]
    pub shots: usize,
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

    /// Worked examples are there for some forms only.
    fn check_shots(&self) -> Result<(), DataError> {
        let (problem, mend) = match self.form {
            _ if self.shots == 0 => return Ok(()),
            LiuForm::Rating if self.input.is_none() => return Ok(()),
            LiuForm::Rating => (
                "shots and task.input both say how an input is shown",
                "leave one of them out",
            ),
            LiuForm::Sequential | LiuForm::Direct if self.shots == 1 => return Ok(()),
            LiuForm::Sequential | LiuForm::Direct => (
                "a history gives one worked example: its latest item after those before it",
                "use 0 or 1",
            ),
            LiuForm::Explanation | LiuForm::Summary => (
                "this form has no past of the user's to take examples from",
                "leave it out; prompts that the search proposes may show examples",
            ),
        };
        Err(DataProblem::new("task.shots", problem).help(mend).into())
    }

    fn ranker(
        self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<RankingTask, DataError> {
        RankingTask {
            window: self.window,
            shown: self.form == LiuForm::Direct,
            telling: if self.shots > 0 {
                HistoryFormat::InContext
            } else {
                HistoryFormat::Sequential
            },
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
        self.check_shots()?;
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
        let few = self.shots > 0;
        let rated = (self.form == LiuForm::Rating).then_some(if few {
            generated::RATED_AFTER
        } else {
            generated::RATED
        });
        let template = generated::shown(self.input.as_deref().or(rated))?;
        let fields: Vec<String> = if few {
            generated::RATED_AFTER_FIELDS.map(str::to_owned).to_vec()
        } else {
            template.fields().into_iter().map(str::to_owned).collect()
        };
        let task = GeneratedTask {
            name: study.to_owned(),
            seed: self.seed(),
            template,
            form,
            metric,
            rated: self.shots,
        };
        let names: Vec<&str> = fields.iter().map(String::as_str).collect();
        Ok(TaskDeclaration::new(task, &names))
    }
}
