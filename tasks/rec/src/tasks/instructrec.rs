//! `InstructRec`: what a user likes, what the user looks for and what is asked, each told in
//! several ways and combined (Zhang et al. 2023, "Recommendation as Instruction Following: A
//! Large Language Model Empowered Recommendation Approach", §3.1). The paper tunes a model on
//! instructions of all cells of that table; here the model stays, and one instruction has to
//! hold in all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use shiftproof_tasks::diagnostic::DataError;
use shiftproof_tasks::parse::unparseable;
use shiftproof_tasks::{
    Answer, AnswerForm, Demonstration, Example, Finish, Input, Label, Message, Metric, Outcome,
    Prompt, Reply, Request, Task, field, render,
};

use super::pointwise::{self, quoted};
use super::ranking::{self, RankingTask, grounded};
use super::{TaskDeclaration, TaskSpec};
use crate::history::{numbered, place};
use crate::intention::{IntentionDetail, IntentionTexts};
use crate::{ExampleNeeds, ItemCatalogue, PromptTemplates};

pub use self::options::InstructRecSpec;
use self::orders::CandidatePair;
use self::wordings::{InstructRecForm, InstructionTemplate, IntentionKind};

mod options;
mod orders;
mod wordings;

impl TaskSpec for InstructRecSpec {
    const KIND: &'static str = "instructrec";

    fn declare(
        self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        self.check()?;
        let known = ranking::required("instructrec tells categories of items", catalogue)?;
        let templates = self.templates();
        let intentions: BTreeMap<String, IntentionDetail> = templates
            .iter()
            .filter_map(|template| {
                let detail = match template.intention {
                    IntentionKind::None => return None,
                    IntentionKind::Vague => IntentionDetail::Vague,
                    IntentionKind::Specific => IntentionDetail::Specific,
                };
                Some((template.name(), detail))
            })
            .collect();
        let dealt = PromptTemplates {
            names: templates.iter().map(|template| template.name()).collect(),
            grouping: self.groups,
            needs: ExampleNeeds {
                intentions,
                texts: IntentionTexts::of(known),
                candidates: match self.form {
                    InstructRecForm::Pointwise | InstructRecForm::Pairwise => {
                        Some((2, self.candidates))
                    }
                    InstructRecForm::Matching => None,
                    InstructRecForm::Rerank => Some((2, usize::MAX)),
                },
            },
        };
        let word = pointwise::common_word(self.item.as_deref(), catalogue).to_owned();
        let prompt = match self.prompt.trim() {
            "" => wordings::seed(self.form, &word),
            said => said.to_owned(),
        };
        let ranker = RankingTask {
            window: self.window,
            chose: self.action,
            catalogue: Some(known.clone()),
            ..RankingTask::new(study, prompt, self.metric)
        };
        let task = InstructRec {
            ranker: ranker.check()?,
            form: self.form,
            templates: templates
                .into_iter()
                .map(|template| (template.name(), template))
                .collect(),
            most: self.candidates,
            word,
            catalogue: known.clone(),
        };
        let mut fields = vec![field::HISTORY];
        if self.form != InstructRecForm::Matching {
            fields.push(field::CANDIDATES);
        }
        Ok(TaskDeclaration {
            templates: Some(dealt),
            ..TaskDeclaration::new(task, &fields)
        })
    }
}

struct InstructRec {
    ranker: RankingTask,
    form: InstructRecForm,
    templates: BTreeMap<String, InstructionTemplate>,
    most: usize,
    word: String,
    catalogue: Arc<ItemCatalogue>,
}

/// What an evaluation comes to in which nothing was chosen.
const UNDECIDED: &str = "neither yes nor no was said, nor one of two chosen";

/// Categories told of a taste.
const LIKES: usize = 3;
const DISLIKES: usize = 2;

impl InstructRec {
    /// The template dealt to this input, or why there is none.
    fn template(&self, input: &Input) -> Result<InstructionTemplate, String> {
        let dealt = input.field(field::TEMPLATE);
        self.templates.get(dealt).copied().ok_or_else(|| {
            let names: Vec<&str> = self.templates.keys().map(String::as_str).collect();
            format!(
                "the example {:?} has the template {dealt:?}; there is {}",
                input.id,
                names.join(", ")
            )
        })
    }

    /// The candidates of an input; of the whole catalogue for matching.
    fn input<'i>(&self, input: &'i Input) -> std::borrow::Cow<'i, Input> {
        match self.form {
            InstructRecForm::Matching => std::borrow::Cow::Owned(ranking::open(input)),
            _ => std::borrow::Cow::Borrowed(input),
        }
    }

    fn candidates(&self, input: &Input) -> Vec<String> {
        self.ranker.candidates(&self.input(input))
    }

    /// Categories of the titles in a field, most frequent first, equals by name.
    fn kinds(&self, input: &Input, name: &str) -> Vec<String> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for title in field::entries(input.field(name)) {
            let Some(item) = self.catalogue.find(title) else {
                continue;
            };
            for kind in self.catalogue.genres(item) {
                *counts.entry(kind).or_default() += 1;
            }
        }
        let mut kinds: Vec<(&str, usize)> = counts.into_iter().collect();
        kinds.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        kinds.into_iter().map(|(name, _)| name.to_owned()).collect()
    }

    /// What is told of the user and of what is looked for, without a question.
    fn known(&self, template: InstructionTemplate, input: &Input) -> String {
        let history: Vec<&str> = field::entries(input.field(field::HISTORY)).collect();
        let from = history.len().saturating_sub(self.ranker.window);
        let mut likes = self.kinds(input, field::LIKED);
        likes.truncate(LIKES);
        let mut dislikes = self.kinds(input, field::DISLIKED);
        dislikes.retain(|kind| !likes.contains(kind));
        dislikes.truncate(DISLIKES);
        let likes = if likes.is_empty() {
            "all kinds".to_owned()
        } else {
            likes.join(", ")
        };
        let parts = [
            template.preference(
                &quoted(history[from..].iter().copied()),
                &likes,
                &dislikes.join(", "),
                &self.ranker.chose,
            ),
            template.intention(input.field(field::INTENTION)),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("\n")
    }

    /// One item to be judged.
    fn about(&self, title: &str) -> String {
        format!("The {}: \"{title}\"", self.word)
    }

    /// The question of one call.
    fn question(&self, input: &Input, replies: &[Reply]) -> Option<(String, AnswerForm)> {
        let candidates = self.candidates(input);
        let call = replies.len();
        match self.form {
            InstructRecForm::Pointwise => {
                let title = candidates.get(call)?;
                Some((self.about(title), pointwise::form()))
            }
            InstructRecForm::Pairwise => {
                let best = *orders::order(&candidates, replies)?.first()?;
                let pair = CandidatePair::new(&candidates, best, call + 1)?;
                let question = format!("A. {}\nB. {}", pair.options[0], pair.options[1]);
                Some((question, pair.form()))
            }
            InstructRecForm::Matching => {
                let answer = AnswerForm::Text { max_tokens: 400 };
                (call == 0).then(|| (String::new(), answer))
            }
            InstructRecForm::Rerank => {
                let question = format!("Candidates:\n{}", numbered(&candidates));
                (call == 0).then_some((question, AnswerForm::Ranking { candidates }))
            }
        }
    }

    fn ask(&self, prompt: &Prompt, input: &Input, replies: &[Reply]) -> Option<Request> {
        let known = self
            .template(input)
            .map(|template| self.known(template, input))
            .unwrap_or_default();
        let (question, answer) = self.question(input, replies)?;
        let parts: Vec<String> = [known, question]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        Some(Request {
            messages: vec![Message::user(render::message(prompt, &parts.join("\n\n")))],
            answer,
        })
    }
}

impl Task for InstructRec {
    fn name(&self) -> &str {
        self.ranker.name()
    }

    fn seed(&self) -> Prompt {
        self.ranker.seed()
    }

    fn answer_form(&self, input: &Input) -> AnswerForm {
        AnswerForm::Ranking {
            candidates: self.candidates(input),
        }
    }

    fn metric(&self) -> Metric {
        self.ranker.metric()
    }

    /// What is told, and the candidates where they are listed.
    fn render(&self, input: &Input) -> String {
        let Ok(template) = self.template(input) else {
            return String::new();
        };
        let known = self.known(template, input);
        match self.form {
            InstructRecForm::Matching => known,
            _ => format!(
                "{known}\n\nCandidates:\n{}",
                numbered(&self.candidates(input))
            ),
        }
    }

    fn content(&self, input: &Input) -> String {
        self.ranker.render(&self.input(input))
    }

    fn calls(&self) -> usize {
        match self.form {
            InstructRecForm::Pointwise => self.most,
            InstructRecForm::Pairwise => self.most - 1,
            InstructRecForm::Matching | InstructRecForm::Rerank => 1,
        }
    }

    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        self.ask(prompt, input, &[]).unwrap_or_else(|| Request {
            messages: vec![Message::user(&prompt.instruction)],
            answer: self.answer_form(input),
        })
    }

    fn next(&self, prompt: &Prompt, input: &Input, replies: &[Reply]) -> Option<Request> {
        (replies.len() < self.calls())
            .then(|| self.ask(prompt, input, replies))
            .flatten()
    }

    fn conclude(&self, input: &Input, mut replies: Vec<Reply>) -> Reply {
        if let Some(at) = replies
            .iter()
            .position(|reply| reply.finish == Finish::Filtered)
        {
            return replies.swap_remove(at);
        }
        let candidates = self.candidates(input);
        let order = match self.form {
            InstructRecForm::Pointwise => orders::by_margin(&candidates, &replies),
            InstructRecForm::Pairwise => orders::order(&candidates, &replies),
            InstructRecForm::Matching | InstructRecForm::Rerank => None,
        };
        if let Some(order) = order {
            let titles: Vec<&str> = order.iter().map(|&at| candidates[at].as_str()).collect();
            return Reply::text(titles.join("\n"));
        }
        let last = replies.pop().unwrap_or_else(|| Reply::text(""));
        match self.form {
            InstructRecForm::Matching | InstructRecForm::Rerank => last,
            InstructRecForm::Pointwise | InstructRecForm::Pairwise => Reply {
                finish: last.finish,
                ..Reply::text(UNDECIDED)
            },
        }
    }

    /// Without a wording, so that proposals are not fitted to one; of one item or two as
    /// the form asks about.
    fn demonstration(&self, example: &Example) -> Demonstration {
        let listed = self.ranker.demonstration(example);
        let Label::Relevant(relevant) = &example.label else {
            return listed;
        };
        let candidates = self.candidates(&example.input);
        let (Some(right), Some(wrong)) = (
            relevant.first(),
            candidates.iter().find(|title| !relevant.contains(title)),
        ) else {
            return listed;
        };
        let first = place(&example.input.id, "demonstration")[0].is_multiple_of(2);
        let (question, answer) = match self.form {
            InstructRecForm::Matching | InstructRecForm::Rerank => return listed,
            InstructRecForm::Pointwise if first => (self.about(right), "yes"),
            InstructRecForm::Pointwise => (self.about(wrong), "no"),
            InstructRecForm::Pairwise if first => (format!("A. {right}\nB. {wrong}"), "A"),
            InstructRecForm::Pairwise => (format!("A. {wrong}\nB. {right}"), "B"),
        };
        Demonstration {
            input: format!("{}\n\n{question}", listed.input),
            answer: answer.to_owned(),
        }
    }

    fn parse(&self, input: &Input, reply: &Reply) -> Answer {
        match self.template(input) {
            Ok(_) if reply.text == UNDECIDED => unparseable(UNDECIDED),
            Ok(_) => grounded(self.candidates(input), reply),
            Err(reason) => unparseable(&reason),
        }
    }

    fn grade(&self, answer: &Answer, label: &Label) -> Outcome {
        self.ranker.grade(answer, label)
    }

    fn score(&self, example: &Example, reply: &Reply) -> Outcome {
        match self.template(&example.input) {
            Ok(_) => shiftproof_tasks::read_and_grade(self, example, reply),
            Err(reason) => Outcome::Failed { reason },
        }
    }
}
