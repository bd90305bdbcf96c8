//! M6-Rec's text form of click-through prediction: a context region that tells
//! who the user is and what they did, a candidate region that tells what the
//! item is (Cui et al. 2022, "M6-Rec", §3.1): who and when, what was chosen how long ago;
//! the candidate, how popular it is and how often its categories were chosen. The score is
//! the likelihood of "yes" against "no".

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
    /// Whether it is told when this is, and how long ago the user did what.
    pub time: bool,
    /// Whether it is told how often the user chose the candidate's categories.
    pub category: bool,
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
            time: true,
            category: true,
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
        let told = |name: &str| match input.field(name) {
            "" => None,
            text => Some(text),
        };
        let user = told(field::USER).map(|known| format!("A user ({known})"));
        let time = told(field::TIME)
            .filter(|_| self.spec.time)
            .map(|time| format!("on {time}"));
        match (user, time) {
            (Some(user), Some(time)) => lines.push(format!("{user} {time}.")),
            (Some(user), None) => lines.push(format!("{user}.")),
            (None, Some(time)) => lines.push(format!("A user {time}.")),
            (None, None) => {}
        }
        let sentences: Vec<&str> = field::entries(input.field(field::HISTORY_TEXT)).collect();
        let ago: Vec<&str> = field::entries(input.field(field::HISTORY_AGO)).collect();
        // Entries say which is whose by their place alone.
        let timed = self.spec.time && ago.len() == sentences.len();
        let history: Vec<String> = sentences
            .iter()
            .enumerate()
            .map(|(at, sentence)| match ago.get(at).filter(|_| timed) {
                Some(ago) => format!("{sentence}, {ago}"),
                None => (*sentence).to_owned(),
            })
            .collect();
        let history: Vec<&str> = history.iter().map(String::as_str).collect();
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
        for clicks in field::entries(input.field(field::CATEGORY_CLICKS)) {
            if let Some((category, times)) = clicks.rsplit_once(": ")
                && self.spec.category
            {
                lines.push(format!(
                    "Of its category {category} the user {} {times} before.",
                    self.spec.action
                ));
            }
        }
        lines.join("\n")
    }

    fn parse(&self, _: &Input, reply: &Reply) -> Answer {
        pointwise::parse_pair(pointwise::LABELS, reply)
    }
}
