//! M6-Rec's text form of click-through prediction: a context region that tells
//! who the user is and what they did, a candidate region that tells what the
//! item is (Cui et al. 2022, "M6-Rec", §3.1). The score is the likelihood of
//! "yes" against "no".

use std::sync::Arc;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::DataError;
use shiftproof_tasks::{Answer, AnswerForm, Input, Metric, Prompt, Reply, Task, field};

use super::{TaskDeclaration, TaskSpec, pointwise};
use crate::ItemCatalogue;
use crate::history::recent_within;

/// Options of `kind = "m6"`. Reads pointwise examples.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct M6Spec {
    /// The seed instruction.
    pub prompt: String,
    /// What users do with items: clicked, watched, bought, …
    pub action: String,
    /// Words of history at most, the most recent items first.
    pub words: usize,
    /// Whether the candidate's popularity is told.
    pub popularity: bool,
    /// `auc`, `accuracy` or `macro-f1`.
    pub metric: Metric,
}

impl Default for M6Spec {
    fn default() -> Self {
        Self {
            prompt: "Read about the user and the candidate. Will the user want the candidate? \
                     Answer yes or no."
                .to_owned(),
            action: "clicked".to_owned(),
            words: 120,
            popularity: true,
            metric: Metric::Auc,
        }
    }
}

impl TaskSpec for M6Spec {
    const KIND: &'static str = "m6";

    fn declare(
        self,
        study: &str,
        _: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        pointwise::metric(self.metric)?;
        let name = study.to_owned();
        Ok(TaskDeclaration::new(
            M6Task { name, spec: self },
            &[field::HISTORY_TEXT, field::ITEM_TEXT],
        ))
    }
}

struct M6Task {
    name: String,
    spec: M6Spec,
}

impl Task for M6Task {
    fn name(&self) -> &str {
        &self.name
    }

    fn seed(&self) -> Prompt {
        Prompt::new(&self.spec.prompt)
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        pointwise::form()
    }

    fn metric(&self) -> Metric {
        self.spec.metric
    }

    fn render(&self, input: &Input) -> String {
        let mut lines = Vec::new();
        if !input.field(field::USER).is_empty() {
            lines.push(format!("A user ({}).", input.field(field::USER)));
        }
        let history: Vec<&str> = field::entries(input.field(field::HISTORY_TEXT)).collect();
        for sentence in recent_within(&history, self.spec.words) {
            lines.push(format!("The user {} {sentence}.", self.spec.action));
        }
        lines.push(format!(
            "The candidate is {}.",
            input.field(field::ITEM_TEXT)
        ));
        let popularity = input.field(field::POPULARITY);
        if self.spec.popularity && !popularity.is_empty() {
            lines.push(format!("It is {popularity}."));
        }
        lines.join("\n")
    }

    fn parse(&self, _: &Input, reply: &Reply) -> Answer {
        pointwise::parse_pairs(&[pointwise::LABELS], reply)
    }
}
