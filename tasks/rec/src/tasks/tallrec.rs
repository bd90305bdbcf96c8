//! `TALLRec`: liked and disliked titles, a target, "Yes." or "No." (Bao et al.
//! 2023, "`TALLRec`: An Effective and Efficient Tuning Framework to Align Large
//! Language Model with Recommendation", §2).

use std::sync::Arc;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::DataError;
use shiftproof_tasks::{
    Answer, AnswerForm, Demonstration, Example, Input, Message, Metric, Prompt, Reply, Request,
    Task, field, render,
};

use super::{TaskDeclaration, TaskSpec, pointwise};
use crate::ItemCatalogue;

/// Options of `kind = "tallrec"`. Reads pointwise examples.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TallrecSpec {
    /// The seed instruction.
    pub prompt: String,
    /// What an item is called: movie, book, … Absent: what the data call it.
    pub item: Option<String>,
    /// Most titles shown of either list, the latest ones.
    pub window: usize,
    /// Whether what is known of the user is shown.
    pub user: bool,
    /// `auc`, `accuracy` or `macro-f1`.
    pub metric: Metric,
}

impl Default for TallrecSpec {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            item: None,
            window: 10,
            user: false,
            metric: Metric::Auc,
        }
    }
}

impl TaskSpec for TallrecSpec {
    const KIND: &'static str = "tallrec";

    fn declare(
        mut self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        pointwise::metric(self.metric)?;
        if self.prompt.trim().is_empty() {
            self.prompt = format!(
                "Given the user's preference and unpreference, identify whether the user will \
                 like the target {} by answering \"Yes.\" or \"No.\".",
                pointwise::common_word(self.item.as_deref(), catalogue)
            );
        }
        let name = study.to_owned();
        Ok(TaskDeclaration::new(
            TallrecTask { name, spec: self },
            &[field::LIKED, field::DISLIKED, field::ITEM],
        ))
    }
}

struct TallrecTask {
    name: String,
    spec: TallrecSpec,
}

const WORDS: [&str; 2] = ["Yes", "No"];

impl Task for TallrecTask {
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
        let latest = |name: &str| {
            let titles: Vec<&str> = field::entries(input.field(name)).collect();
            let from = titles.len().saturating_sub(self.spec.window);
            // An empty list is left empty, as published.
            if titles.is_empty() {
                String::new()
            } else {
                pointwise::quoted(titles[from..].iter().copied())
            }
        };
        let mut text = String::new();
        if self.spec.user && !input.field(field::USER).is_empty() {
            text = format!("User: {}\n", input.field(field::USER));
        }
        text + &format!(
            "User Preference: {}\nUser Unpreference: {}\nWhether the user will like the target \
             {} \"{}\"?",
            latest(field::LIKED),
            latest(field::DISLIKED),
            pointwise::word(self.spec.item.as_deref(), input),
            input.field(field::ITEM)
        )
    }

    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        Request {
            messages: vec![Message::user(render::message(prompt, &self.render(input)))],
            answer: AnswerForm::choice(WORDS),
        }
    }

    fn demonstration(&self, example: &Example) -> Demonstration {
        Demonstration {
            input: self.render(&example.input),
            answer: match example.label.to_answer().as_str() {
                "yes" => "Yes.".to_owned(),
                _ => "No.".to_owned(),
            },
        }
    }

    fn parse(&self, _: &Input, reply: &Reply) -> Answer {
        pointwise::parse_pair(WORDS, reply)
    }
}
