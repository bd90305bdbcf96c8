//! `Prompt4NR`: clicked news, a candidate, and a word that says whether they go
//! together (Zhang and Wang 2023, "Prompt Learning for News Recommendation").

use std::sync::Arc;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::DataError;
use shiftproof_tasks::{
    Answer, AnswerForm, Demonstration, Example, Input, Message, Metric, Prompt, Reply, Request,
    Task, field, render,
};

use super::{TaskDeclaration, TaskSpec, pointwise};
use crate::ItemCatalogue;

/// Options of `kind = "prompt4nr"`. Reads pointwise examples.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prompt4NrSpec {
    /// The seed instruction; the view's own question where absent.
    pub prompt: String,
    /// The pair of answer words.
    pub view: VerbalizerView,
    /// What an item is called.
    pub item: String,
    /// Most titles of the history shown, the latest ones.
    pub window: usize,
    /// `auc`, `accuracy` or `macro-f1`.
    pub metric: Metric,
}

impl Default for Prompt4NrSpec {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            view: VerbalizerView::Action,
            item: "news article".to_owned(),
            window: 10,
            metric: Metric::Auc,
        }
    }
}

/// From which side the match of user and item is looked at (§3.2 of the paper).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerbalizerView {
    /// related, unrelated.
    Relevance,
    /// interesting, boring.
    Emotion,
    /// yes, no: will the user click?
    Action,
    /// good, bad: is it a good recommendation?
    Utility,
    /// All four pairs scored at once; the mean log-odds decides.
    All,
}

impl VerbalizerView {
    const fn pairs(self) -> &'static [[&'static str; 2]] {
        match self {
            Self::Relevance => &[["related", "unrelated"]],
            Self::Emotion => &[["interesting", "boring"]],
            Self::Action => &[["yes", "no"]],
            Self::Utility => &[["good", "bad"]],
            Self::All => &[
                ["related", "unrelated"],
                ["interesting", "boring"],
                ["yes", "no"],
                ["good", "bad"],
            ],
        }
    }

    fn question(self, item: &str) -> String {
        match self {
            Self::Relevance => {
                format!("Is this {item} related or unrelated to what the user read?")
            }
            Self::Emotion => format!("Will the user find this {item} interesting or boring?"),
            Self::Action => format!("Will the user read this {item}? Answer yes or no."),
            Self::Utility => format!("Is recommending this {item} a good or a bad choice?"),
            Self::All => format!(
                "Judge how well this {item} fits the user. Answer with one word: related or \
                 unrelated, interesting or boring, yes or no, good or bad."
            ),
        }
    }
}

impl TaskSpec for Prompt4NrSpec {
    const KIND: &'static str = "prompt4nr";

    fn declare(
        mut self,
        study: &str,
        _: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        pointwise::metric(self.metric)?;
        if self.prompt.trim().is_empty() {
            self.prompt = self.view.question(&self.item);
        }
        let name = study.to_owned();
        Ok(TaskDeclaration::new(
            Prompt4Nr { name, spec: self },
            &[field::HISTORY, field::ITEM],
        ))
    }
}

struct Prompt4Nr {
    name: String,
    spec: Prompt4NrSpec,
}

impl Task for Prompt4Nr {
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
        let history: Vec<&str> = field::entries(input.field(field::HISTORY)).collect();
        let from = history.len().saturating_sub(self.spec.window);
        format!(
            "User: {}\nCandidate: \"{}\"",
            pointwise::quoted(history[from..].iter().copied()),
            input.field(field::ITEM)
        )
    }

    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        Request {
            messages: vec![Message::user(render::message(prompt, &self.render(input)))],
            answer: AnswerForm::choice(self.spec.view.pairs().iter().flatten().copied()),
        }
    }

    fn demonstration(&self, example: &Example) -> Demonstration {
        // With all views shown the plain one stands for the rest.
        let pair = match self.spec.view {
            VerbalizerView::All => ["yes", "no"],
            view => view.pairs()[0],
        };
        let affirms = example.label.to_answer() == "yes";
        Demonstration {
            input: self.render(&example.input),
            answer: pair[usize::from(!affirms)].to_owned(),
        }
    }

    fn parse(&self, _: &Input, reply: &Reply) -> Answer {
        pointwise::parse_pairs(self.spec.view.pairs(), reply)
    }
}
