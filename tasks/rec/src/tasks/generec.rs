//! `GeneRec` reduced to text: what a recommender retrieves is put into other words for one
//! user, or something new is described, held to a fidelity gate, measured by that user's
//! preference, and fed back (Wang et al. 2023, "Generative Recommendation: Towards
//! Next-generation Recommender Paradigm", §3).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::{DataError, DataProblem};
use shiftproof_tasks::parse::{parse, unparseable};
use shiftproof_tasks::{
    Answer, AnswerForm, Demonstration, Example, Finish, Grade, Input, Label, Message, Metric,
    Prompt, Reply, Request, Task, field, render,
};

use self::gate::FidelityGate;
use self::rounds::{NOTHING, NextStep, ShownItem, TextRounds, UNRATED};
use super::{TaskDeclaration, TaskSpec, generated, pointwise, ranking};
use crate::history::numbered;
use crate::{ItemCatalogue, RecommenderKind, recommender, text};

mod gate;
mod rounds;

/// Options of `kind = "generec"`. Reads listwise or pointwise examples and needs a catalogue.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneRecSpec {
    /// What is written.
    pub mode: GeneRecMode,
    /// The seed instruction; the mode's own where absent.
    pub prompt: String,
    /// The recommender that retrieves.
    pub recommender: RecommenderKind,
    /// Items that it retrieves; the first is what texts are measured against.
    pub proposed: usize,
    /// Texts that are written one after the other, each with what became of those before; 0
    /// measures what is retrieved.
    pub rounds: usize,
    /// Words of a written text at most.
    pub words: usize,
    /// What the preference is asked by.
    pub preference: PreferenceQuestion,
    /// Most items of the history shown, the latest ones.
    pub window: usize,
    /// What an item is called: movie, book, … Absent: what the data call it.
    pub item: Option<String>,
    /// What users do with items: watched, bought, …
    pub action: String,
    /// Whether what is known of the user is shown.
    pub user: bool,
    /// `preference`, or `fidelity` to look at the gate alone.
    pub metric: Metric,
}

/// What is written of what a recommender retrieves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GeneRecMode {
    /// One of the retrieved items is chosen, and shown as the catalogue tells it.
    Retrieve,
    /// The best retrieved item's text, in other words (the AI editor, §3.2).
    #[default]
    Edit,
    /// A text of an item that there is not (the AI creator, §3.2).
    Create,
}

/// How a preference is asked for, and read as a number in `0..=1`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PreferenceQuestion {
    /// Whether the user would want it: the chance of yes against no, of answers in words 1
    /// or 0.
    #[default]
    YesNo,
    /// How the user would rate it, from 1 to 5: `(r − 1) / 4`.
    Rating,
}

/// The ends of the scale of [`PreferenceQuestion::Rating`].
const SCALE: [f64; 2] = [1.0, 5.0];

impl Default for GeneRecSpec {
    fn default() -> Self {
        Self {
            mode: GeneRecMode::default(),
            prompt: String::new(),
            recommender: RecommenderKind::ItemKnn,
            proposed: 5,
            rounds: 2,
            words: 80,
            preference: PreferenceQuestion::default(),
            window: generated::window(),
            item: None,
            action: generated::action(),
            user: false,
            metric: Metric::Preference,
        }
    }
}

impl GeneRecSpec {
    /// Fails on options that do not go together.
    fn check(&self) -> Result<(), DataError> {
        let fault = |key: &str, what: &str, help: &str| {
            Err(DataProblem::new(format!("task.{key}"), what)
                .help(help)
                .into())
        };
        let least = match self.mode {
            GeneRecMode::Retrieve => 2,
            GeneRecMode::Edit | GeneRecMode::Create => 1,
        };
        if self.proposed < least {
            let help = "retrieve at least one item, and two or more to choose from";
            return fault("proposed", "leaves nothing to go by", help);
        }
        if self.words == 0 {
            return fault("words", "0 leaves no room for a text", "use 1 or more");
        }
        if self.window == 0 {
            return fault("window", "shows nothing of any history", "use 1 or more");
        }
        match self.metric {
            Metric::Preference => Ok(()),
            Metric::Fidelity if self.rounds > 0 => Ok(()),
            Metric::Fidelity => fault(
                "metric",
                "fidelity is of written texts, and task.rounds is 0",
                "write at least one round",
            ),
            other => fault(
                "metric",
                &format!("{other} compares answers with labels, and a text has none"),
                "use preference or fidelity",
            ),
        }
    }

    fn seed(&self, item: &str) -> String {
        if !self.prompt.trim().is_empty() {
            return self.prompt.clone();
        }
        match self.mode {
            GeneRecMode::Retrieve => format!("Choose the {item} that this user will like best."),
            GeneRecMode::Edit => format!(
                "Put the text about this {item} into words that show this user what they will \
                 like about it."
            ),
            GeneRecMode::Create => {
                format!("Think of a new {item} that this user will like, and describe it.")
            }
        }
    }
}

impl TaskSpec for GeneRecSpec {
    const KIND: &'static str = "generec";

    fn recommenders(&self) -> Vec<RecommenderKind> {
        vec![self.recommender]
    }

    fn declare(
        self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        let catalogue = ranking::required("generec retrieves from a catalogue", catalogue)?;
        recommender::offered("recommender", self.recommender, catalogue)?;
        self.check()?;
        let word = pointwise::common_word(self.item.as_deref(), Some(catalogue));
        let task = GeneRecTask {
            name: study.to_owned(),
            seed: self.seed(word),
            gate: FidelityGate::new(catalogue),
            catalogue: catalogue.clone(),
            spec: self,
        };
        Ok(TaskDeclaration::new(task, &[field::HISTORY]))
    }
}

struct GeneRecTask {
    name: String,
    seed: String,
    spec: GeneRecSpec,
    gate: FidelityGate,
    catalogue: Arc<ItemCatalogue>,
}

impl GeneRecTask {
    /// What the recommender retrieves, the best first: out of the example's candidates, or
    /// else of all that the user has not had.
    fn retrieved(&self, input: &Input) -> Vec<ShownItem> {
        let history: Vec<&str> = field::entries(input.field(field::HISTORY)).collect();
        let own: Vec<String> = field::entries(input.field(field::CANDIDATES))
            .map(str::to_owned)
            .collect();
        let pool = if own.is_empty() {
            self.catalogue.new_to(&history).map(str::to_owned).collect()
        } else {
            own
        };
        let spec = &self.spec;
        let titles = self
            .catalogue
            .recommend(spec.recommender, &history, &pool, spec.proposed);
        let shown = titles.into_iter().filter_map(|title| {
            let item = self.catalogue.find(&title)?;
            let text = text::sentence(&self.catalogue.items()[item as usize]);
            Some(ShownItem { item, title, text })
        });
        shown.collect()
    }

    /// What the user has said so far: items with their ratings, where all have one.
    fn feedback(&self, input: &Input) -> String {
        let titles: Vec<&str> = field::entries(input.field(field::HISTORY)).collect();
        let ratings: Vec<&str> = field::entries(input.field(field::HISTORY_RATINGS)).collect();
        let rated = !titles.is_empty() && ratings.len() == titles.len();
        let from = titles.len().saturating_sub(self.spec.window);
        let lines: Vec<String> = (from..titles.len())
            .map(|at| {
                if rated {
                    format!("{}: {}", titles[at], ratings[at])
                } else {
                    titles[at].to_owned()
                }
            })
            .collect();
        let action = if rated { "Rated" } else { &self.spec.action };
        let mut first = action.chars();
        let action: String = first
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .collect();
        let history = if lines.is_empty() {
            "nothing".to_owned()
        } else {
            lines.join("\n")
        };
        let user = match input.field(field::USER) {
            known if self.spec.user && !known.is_empty() => format!("User: {known}\n"),
            _ => String::new(),
        };
        let rest = first.as_str();
        format!("{user}{action}{rest} by the user before, oldest first:\n{history}")
    }

    /// Genres that a new item may be of: of what the user liked, or else had, and of what
    /// was retrieved.
    fn allowed(&self, input: &Input, retrieved: &[ShownItem]) -> BTreeSet<String> {
        let name = match input.field(field::LIKED) {
            "" => field::HISTORY,
            _ => field::LIKED,
        };
        let had: Vec<&str> = field::entries(input.field(name)).collect();
        let had = had[had.len().saturating_sub(self.spec.window)..].iter();
        had.filter_map(|title| self.catalogue.find(title))
            .chain(retrieved.first().map(|shown| shown.item))
            .flat_map(|item| self.catalogue.genres(item).iter().cloned())
            .collect()
    }

    fn word<'w>(&'w self, input: &'w Input) -> &'w str {
        let of_row = Some(input.field(field::KIND)).filter(|word| !word.is_empty());
        let said = self.spec.item.as_deref().or(of_row);
        pointwise::common_word(said, Some(&self.catalogue))
    }

    /// What a text is asked to be, whatever the prompt says: what the gate holds it to.
    fn rule(&self, input: &Input, retrieved: &[ShownItem]) -> String {
        let (word, words) = (self.word(input), self.spec.words);
        match self.spec.mode {
            GeneRecMode::Retrieve => {
                format!("Choose one of these {word}s. Answer with its title and nothing else.")
            }
            GeneRecMode::Edit => format!(
                "Write the text for this user, in at most {words} words. Name its title, its year \
                 and its genres as they are, and no other title, year or genre. Answer with the \
                 text and nothing else."
            ),
            GeneRecMode::Create => {
                let genres = self.allowed(input, retrieved);
                let genres: Vec<&str> = genres.iter().map(String::as_str).collect();
                let genres = if genres.is_empty() {
                    "Name no genre".to_owned()
                } else {
                    format!("Name no genre but {}", genres.join(", "))
                };
                format!(
                    "Write the text of the new {word}, in at most {words} words. {genres}, no \
                     year, and no title of a {word} that there is. Answer with the text and \
                     nothing else."
                )
            }
        }
    }

    /// The question that the rounds begin with.
    fn opening(&self, prompt: &Prompt, input: &Input, retrieved: &[ShownItem]) -> Message {
        let shown = self.shown(input, retrieved);
        let rule = self.rule(input, retrieved);
        Message::user(render::message(prompt, &format!("{shown}\n\n{rule}")))
    }

    fn shown(&self, input: &Input, retrieved: &[ShownItem]) -> String {
        let feedback = self.feedback(input);
        let texts: Vec<&str> = retrieved.iter().map(|shown| shown.text.as_str()).collect();
        match (self.spec.mode, texts.as_slice()) {
            (_, []) => feedback,
            (GeneRecMode::Retrieve, all) => format!("{feedback}\n\nRetrieved:\n{}", numbered(all)),
            (GeneRecMode::Edit | GeneRecMode::Create, [first, ..]) => {
                format!("{feedback}\n\nRetrieved:\n{first}")
            }
        }
    }

    /// What is asked for a text's worth to the user: without the prompt, and with nothing
    /// that came after the history.
    fn asked_preference(&self, input: &Input, text: &str) -> Request {
        let (feedback, word) = (self.feedback(input), self.word(input));
        let (question, answer) = match self.spec.preference {
            PreferenceQuestion::YesNo => (
                "Would this user want it? Answer yes or no.".to_owned(),
                pointwise::form(),
            ),
            PreferenceQuestion::Rating => {
                let [min, max] = SCALE;
                let question = format!(
                    "How would this user rate it? Answer with one number between {min} and {max} \
                     and nothing else."
                );
                (question, AnswerForm::Number { min, max })
            }
        };
        let text = format!(
            "{feedback}\n\nThis is what the user reads about a {word}:\n{text}\n\n{question}"
        );
        Request {
            messages: vec![Message::user(text)],
            answer,
        }
    }

    /// A preference in `0..=1`; `None` where a reply tells none.
    fn preference(&self, reply: &Reply) -> Option<f64> {
        match self.spec.preference {
            PreferenceQuestion::YesNo => match pointwise::parse_pair(pointwise::LABELS, reply) {
                Answer::Class {
                    margin: Some(margin),
                    ..
                } => Some(1.0 / (1.0 + (-margin).exp())),
                Answer::Class { label, .. } => Some(f64::from(label == pointwise::LABELS[0])),
                _ => None,
            },
            PreferenceQuestion::Rating => {
                let [min, max] = SCALE;
                match parse(&AnswerForm::Number { min, max }, reply) {
                    Answer::Number(rating) => Some((rating - min) / (max - min)),
                    _ => None,
                }
            }
        }
    }

    /// The text that a reply wrote, or why it cannot be shown.
    fn written(
        &self,
        input: &Input,
        retrieved: &[ShownItem],
        reply: &Reply,
    ) -> Result<String, String> {
        if reply.finish == Finish::Filtered {
            return Err("a content filter withheld it".to_owned());
        }
        if self.spec.mode == GeneRecMode::Retrieve {
            let candidates = retrieved.iter().map(|shown| shown.title.clone()).collect();
            let chosen = match ranking::grounded(candidates, reply) {
                Answer::Ranking(titles) => titles.into_iter().next(),
                _ => None,
            };
            let chosen = chosen.and_then(|title| retrieved.iter().find(|one| one.title == title));
            return match chosen {
                Some(shown) => Ok(shown.text.clone()),
                None => Err("it chooses nothing that was retrieved".to_owned()),
            };
        }
        let text = reply.text.trim();
        let words = text.split_whitespace().count();
        if reply.finish == Finish::Length {
            return Err("it was cut off before its end".to_owned());
        }
        if words == 0 {
            return Err("nothing was written".to_owned());
        }
        if words > self.spec.words {
            let most = self.spec.words;
            return Err(format!("it has {words} words, and {most} are the most"));
        }
        match (self.spec.mode, retrieved) {
            (GeneRecMode::Edit, [first, ..]) => self.gate.edited(first.item, text)?,
            _ => self.gate.created(text, &self.allowed(input, retrieved))?,
        }
        Ok(text.to_owned())
    }

    /// What the replies so far come to.
    fn rounds(&self, input: &Input, replies: &[Reply]) -> TextRounds {
        let retrieved = self.retrieved(input);
        let written = |reply: &Reply| self.written(input, &retrieved, reply);
        let rated = |reply: &Reply| self.preference(reply);
        let standing = retrieved.first().map(|shown| shown.text.clone());
        TextRounds::play(standing, self.spec.rounds, replies, written, rated)
    }

    /// What is asked next, if anything is.
    fn asked(&self, prompt: &Prompt, input: &Input, replies: &[Reply]) -> Option<Request> {
        let rounds = self.rounds(input, replies);
        match rounds.next {
            NextStep::Rate(text) => Some(self.asked_preference(input, &text)),
            NextStep::Write => {
                let retrieved = self.retrieved(input);
                let mut messages = vec![self.opening(prompt, input, &retrieved)];
                for round in &rounds.done {
                    messages.push(Message::assistant(&round.written));
                    messages.push(Message::user(round.told()));
                }
                let answer = self.answer_form(input);
                Some(Request { messages, answer })
            }
            NextStep::Nothing => None,
        }
    }
}

impl Task for GeneRecTask {
    fn name(&self) -> &str {
        &self.name
    }

    fn seed(&self) -> Prompt {
        Prompt::new(&self.seed)
    }

    /// A text; room for words that are several tokens, and for a text too long to be told
    /// from one that was cut off.
    fn answer_form(&self, _: &Input) -> AnswerForm {
        AnswerForm::Text {
            max_tokens: 3 * self.spec.words.min(10_000) as u32 + 32,
        }
    }

    fn metric(&self) -> Metric {
        self.spec.metric
    }

    fn render(&self, input: &Input) -> String {
        self.shown(input, &self.retrieved(input))
    }

    /// A round is a text and its preference; the first needs that of what was retrieved too.
    fn calls(&self) -> usize {
        1 + 2 * self.spec.rounds
    }

    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        let first = self.asked(prompt, input, &[]);
        // Where nothing is retrieved there is nothing to be put into other words.
        first.unwrap_or_else(|| self.asked_preference(input, ""))
    }

    fn next(&self, prompt: &Prompt, input: &Input, replies: &[Reply]) -> Option<Request> {
        self.asked(prompt, input, replies)
    }

    /// The text that stands in the end, with what it is worth and what became of each round.
    fn conclude(&self, input: &Input, replies: Vec<Reply>) -> Reply {
        let rounds = self.rounds(input, &replies);
        let Some(text) = &rounds.standing else {
            return Reply {
                grade: Some(Grade::Failed(NOTHING.to_owned())),
                ..Reply::text(NOTHING)
            };
        };
        let Some(preference) = rounds.preference else {
            // Whatever kept the first preference from being read is what came of it all.
            let finish = replies.last().map_or(Finish::Stop, |reply| reply.finish);
            return Reply {
                finish,
                ..Reply::text(UNRATED)
            };
        };
        let score = match self.spec.metric {
            Metric::Fidelity => rounds.fidelity(),
            _ => preference,
        };
        Reply {
            grade: Some(Grade::Score(score)),
            grade_reason: Some(rounds.story()),
            ..Reply::text(text)
        }
    }

    /// What the user took next, as the catalogue tells it.
    fn demonstration(&self, example: &Example) -> Demonstration {
        let taken = match &example.label {
            Label::Relevant(titles) => titles.first().map(String::as_str),
            _ => Some(example.input.field(field::ITEM)),
        };
        let known = taken.and_then(|title| self.catalogue.find(title));
        let answer = match known {
            Some(item) => text::sentence(&self.catalogue.items()[item as usize]),
            None => example.label.to_answer(),
        };
        Demonstration {
            input: self.render(&example.input),
            answer,
        }
    }

    fn parse(&self, _: &Input, reply: &Reply) -> Answer {
        match reply.text.as_str() {
            told @ (NOTHING | UNRATED) => unparseable(told),
            text => Answer::Text(text.to_owned()),
        }
    }
}
