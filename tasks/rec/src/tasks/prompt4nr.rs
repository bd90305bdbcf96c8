//! `Prompt4NR`: clicked news, a candidate, and a word that says whether they go
//! together (Zhang and Wang 2023, "Prompt Learning for News Recommendation"): four
//! templates, each with two words to answer with, asked apart.

use std::sync::Arc;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::{DataError, DataProblem};
use shiftproof_tasks::parse::unparseable;
use shiftproof_tasks::{
    Answer, AnswerForm, Demonstration, Example, Finish, Input, Message, Metric, Prompt, Reply,
    Request, Task, field, render,
};

use super::{TaskDeclaration, TaskSpec, pointwise};
use crate::ItemCatalogue;

/// Options of `kind = "prompt4nr"`. Reads pointwise examples.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prompt4NrSpec {
    /// The seed instruction, the same above all templates.
    pub prompt: String,
    /// The template and its pair of answer words, or all of them.
    pub view: VerbalizerView,
    /// What an item is called. Absent: what the data call it.
    pub item: Option<String>,
    /// Most titles of the history shown, the latest ones.
    pub window: usize,
    /// `auc`, `gauc`, `list-auc`, `list-mrr`, `list-ndcg@K`, `log-loss`, `accuracy` or
    /// `macro-f1`.
    pub metric: Metric,
}

impl Default for Prompt4NrSpec {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            view: VerbalizerView::Action,
            item: None,
            window: 50,
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
    /// All four asked apart; the sum of their log-odds decides.
    All,
}

/// The views of an ensemble, in the order they are asked.
const VIEWS: [VerbalizerView; 4] = [
    VerbalizerView::Relevance,
    VerbalizerView::Emotion,
    VerbalizerView::Action,
    VerbalizerView::Utility,
];

/// Words of a title in the history, and of the candidate's, as in the paper's code.
const HISTORY_WORDS: usize = 10;
const CANDIDATE_WORDS: usize = 20;

impl VerbalizerView {
    /// The words to answer with, affirmative first. Of all the pair of the first asked.
    const fn pair(self) -> [&'static str; 2] {
        match self {
            Self::Relevance | Self::All => ["related", "unrelated"],
            Self::Emotion => ["interesting", "boring"],
            Self::Action => ["yes", "no"],
            Self::Utility => ["good", "bad"],
        }
    }

    /// The view of call number `call`.
    const fn asked(self, call: usize) -> Self {
        match self {
            Self::All => VIEWS[call % VIEWS.len()],
            view => view,
        }
    }

    /// The template, its mask a gap to be filled.
    fn template(self, user: &str, candidate: &str, item: &str) -> String {
        let [yes, no] = self.pair();
        let fits = format!("Which word fills the gap, {yes} or {no}?");
        match self {
            Self::Relevance | Self::All => format!("{candidate} is ___ to {user}.\n{fits}"),
            Self::Emotion => format!(
                "The user feels ___ about {candidate} according to his area of interest \
                 {user}.\n{fits}"
            ),
            Self::Action => format!(
                "User: {user}\nThe {item}: {candidate}\nDoes the user click the {item}? Answer \
                 {yes} or {no}."
            ),
            Self::Utility => format!(
                "Recommending {candidate} to the user is a ___ choice according to {user}.\n{fits}"
            ),
        }
    }
}

impl TaskSpec for Prompt4NrSpec {
    const KIND: &'static str = "prompt4nr";

    fn declare(
        mut self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        pointwise::metric(self.metric)?;
        if self.window == 0 {
            return Err(
                DataProblem::new("task.window", "shows nothing of any history")
                    .help("use 1 or more")
                    .into(),
            );
        }
        if self.prompt.trim().is_empty() {
            self.prompt = format!(
                "Judge from what the user chose before whether this {} suits the user.",
                pointwise::common_word(self.item.as_deref(), catalogue)
            );
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

impl Prompt4Nr {
    /// The input in the words of one view: titles newest first, as published.
    fn shown(&self, view: VerbalizerView, input: &Input) -> String {
        let cut = |title: &str, words: usize| {
            let words: Vec<&str> = title.split_whitespace().take(words).collect();
            words.join(" ")
        };
        let history: Vec<&str> = field::entries(input.field(field::HISTORY)).collect();
        let from = history.len().saturating_sub(self.spec.window);
        let titles: Vec<String> = history[from..]
            .iter()
            .rev()
            .map(|title| cut(title, HISTORY_WORDS))
            .collect();
        view.template(
            &pointwise::quoted(titles.iter().map(String::as_str)),
            &format!("\"{}\"", cut(input.field(field::ITEM), CANDIDATE_WORDS)),
            pointwise::word(self.spec.item.as_deref(), input),
        )
    }

    fn ask(&self, view: VerbalizerView, prompt: &Prompt, input: &Input) -> Request {
        let text = render::message(prompt, &self.shown(view, input));
        Request {
            messages: vec![Message::user(text)],
            answer: AnswerForm::choice(view.pair()),
        }
    }

    /// What a reply to one view says for yes, in log-odds where it was scored, else as a
    /// vote of 1; `None` where it says nothing.
    fn margin(view: VerbalizerView, reply: &Reply) -> Option<f64> {
        match pointwise::parse_pair(view.pair(), reply) {
            Answer::Class { label, margin } => {
                let vote = if label == "yes" { 1.0 } else { -1.0 };
                Some(margin.unwrap_or(vote))
            }
            _ => None,
        }
    }
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
        self.shown(self.spec.view.asked(0), input)
    }

    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        self.ask(self.spec.view.asked(0), prompt, input)
    }

    fn calls(&self) -> usize {
        match self.spec.view {
            VerbalizerView::All => VIEWS.len(),
            _ => 1,
        }
    }

    fn next(&self, prompt: &Prompt, input: &Input, replies: &[Reply]) -> Option<Request> {
        let view = self.spec.view.asked(replies.len());
        (replies.len() < self.calls()).then(|| self.ask(view, prompt, input))
    }

    /// The views' margins summed. One that was withheld, or cut off before it said
    /// anything, leaves the sum unknown; one that evades speaks neither for nor against,
    /// and where all do the answer is none.
    fn conclude(&self, _: &Input, mut replies: Vec<Reply>) -> Reply {
        if replies.len() == 1 && self.calls() == 1 {
            return replies.remove(0);
        }
        let margins: Vec<Option<f64>> = replies
            .iter()
            .enumerate()
            .map(|(call, reply)| Self::margin(self.spec.view.asked(call), reply))
            .collect();
        let unknown = replies.iter().zip(&margins).position(|(reply, margin)| {
            reply.finish == Finish::Filtered || (margin.is_none() && reply.finish == Finish::Length)
        });
        if let Some(unknown) = unknown {
            return replies.swap_remove(unknown);
        }
        if margins.iter().all(Option::is_none) {
            return replies.pop().unwrap_or_else(|| Reply::text(""));
        }
        let sum: f64 = margins.into_iter().flatten().sum();
        let text = if sum >= 0.0 { "yes" } else { "no" };
        Reply {
            label_logprobs: Some(vec![sum, 0.0]),
            ..Reply::text(text)
        }
    }

    fn demonstration(&self, example: &Example) -> Demonstration {
        let view = self.spec.view.asked(0);
        let affirms = example.label.to_answer() == "yes";
        Demonstration {
            input: self.shown(view, &example.input),
            answer: view.pair()[usize::from(!affirms)].to_owned(),
        }
    }

    fn parse(&self, _: &Input, reply: &Reply) -> Answer {
        match self.spec.view {
            // Without a sum no view said anything, whatever its words.
            VerbalizerView::All if reply.label_logprobs.is_none() => unparseable(&reply.text),
            VerbalizerView::All => pointwise::parse_pair(pointwise::LABELS, reply),
            view => pointwise::parse_pair(view.pair(), reply),
        }
    }
}
