//! Chat-REC: a dialogue in which the model decides when to ask a recommender, and
//! chooses from what that proposes (Gao et al. 2023, "Chat-REC: Towards
//! Interactive and Explainable LLMs-Augmented Recommender System", §3).

use std::sync::Arc;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::{DataError, DataProblem};
use shiftproof_tasks::parse::title_matcher::{TitleMatcher, fold};
use shiftproof_tasks::parse::{likelihood, parse, unparseable};
use shiftproof_tasks::{
    Answer, AnswerForm, Demonstration, Example, Finish, Input, Label, Message, Metric, Outcome,
    Prompt, Reply, Request, Task, field, render,
};

use super::ranking::{self, RankingMode, RankingTask, grounded};
use super::{TaskDeclaration, TaskSpec, grounding};
use crate::history::numbered;
use crate::{ItemCatalogue, RecommenderKind, recommender};

/// Options of `kind = "chatrec"`. Reads listwise examples and needs a catalogue.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChatRecSpec {
    /// The seed instruction.
    pub prompt: String,
    /// What the user says first: a new list is needed.
    pub ask: String,
    /// What the user says then, `{item}` for the first title recommended: no new
    /// list is needed. Empty for a dialogue of one turn.
    pub why: String,
    /// Whether the explanation that `why` asks for is written, in a call of its own, and
    /// read: it has to speak of the item and may name no other than was shown.
    pub explain: bool,
    /// The recommender that is asked.
    pub recommender: RecommenderKind,
    /// Items that the recommender proposes.
    pub proposed: usize,
    /// Items recommended of these.
    pub places: usize,
    /// Whether the choice is written or scored by likelihood.
    pub answer: RankingMode,
    /// Most items of the history shown, the latest ones.
    pub window: usize,
    /// What users do with items: watched, bought, …
    pub action: String,
    /// Whether what is known of the user is shown.
    pub user: bool,
    /// `ndcg@K`, `hr@K`, `recall@K` or `mrr`.
    pub metric: Metric,
}

impl Default for ChatRecSpec {
    fn default() -> Self {
        Self {
            prompt: "You talk with a user about what to choose next and can ask a recommender for \
                     proposals. From proposals recommend the five that fit this user best, best \
                     first, one title per line."
                .to_owned(),
            ask: "Please recommend something new to me.".to_owned(),
            why: "Why did you recommend \"{item}\"?".to_owned(),
            explain: true,
            recommender: RecommenderKind::ItemKnn,
            proposed: 20,
            places: 5,
            answer: RankingMode::List,
            window: 10,
            action: "watched".to_owned(),
            user: true,
            metric: Metric::Ndcg(5),
        }
    }
}

/// Asked after each turn of the user. Two nouns of one kind: asked for yes or no,
/// a small model says no whatever the user wants.
const ROUTE: &str = "What answers this: new proposals from the recommender, or an explanation? \
                     Answer proposals or explanation.";
/// Added to the user's question once the way is clear.
const EXPLAIN: &str = "\n\nExplain it to the user in one or two sentences, by what is known of \
                       the user and of the item.";
const PROPOSALS: &str = "proposals";
const EXPLANATION: &str = "explanation";
/// What a dialogue comes to in which the recommender was not asked in time.
const NOT_ASKED: &str = "the recommender was not asked for proposals";
/// The same, asked when it need not be.
const ASKED_AGAIN: &str = "the recommender was asked again to explain";
/// The same, explained by what nobody showed.
const UNGROUNDED: &str = "the explanation is not of what was shown: ";
/// Tokens of an explanation.
const EXPLAINED: u32 = 120;

impl TaskSpec for ChatRecSpec {
    const KIND: &'static str = "chatrec";

    fn recommenders(&self) -> Vec<RecommenderKind> {
        vec![self.recommender]
    }

    fn declare(
        self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        let catalogue = ranking::required("chatrec learns a recommender from events", catalogue)?;
        recommender::offered("recommender", self.recommender, catalogue)?;
        if self.proposed == 0 || self.places == 0 || self.places > self.proposed {
            return Err(DataProblem::new(
                "task.places",
                format!(
                    "{} places of {} proposed items are no choice",
                    self.places, self.proposed
                ),
            )
            .help("recommend at least one item, and no more than are proposed")
            .into());
        }
        if self.ask.trim().is_empty() {
            return Err(DataProblem::new("task.ask", "the user says nothing")
                .help("write what users ask for")
                .into());
        }
        let task = ChatRec {
            ranker: RankingTask {
                by: self.answer,
                window: self.window,
                chose: self.action,
                user: self.user,
                catalogue: Some(catalogue.clone()),
                ..RankingTask::new(study, self.prompt, self.metric)
            }
            .check()?,
            ask: self.ask,
            explain: self.explain && !self.why.is_empty(),
            why: self.why,
            recommender: self.recommender,
            proposed: self.proposed,
            places: self.places,
            by: self.answer,
            catalogue: catalogue.clone(),
        };
        Ok(TaskDeclaration::new(task, &[field::HISTORY]))
    }
}

struct ChatRec {
    ranker: RankingTask,
    ask: String,
    why: String,
    explain: bool,
    recommender: RecommenderKind,
    proposed: usize,
    places: usize,
    by: RankingMode,
    catalogue: Arc<ItemCatalogue>,
}

impl ChatRec {
    /// What the recommender proposes.
    fn proposals(&self, input: &Input) -> Vec<String> {
        let history: Vec<&str> = field::entries(input.field(field::HISTORY)).collect();
        let pool = self.ranker.candidates(input);
        self.catalogue
            .recommend(self.recommender, &history, &pool, self.proposed)
    }

    /// The dialogue up to the user's first turn.
    fn opening(&self, prompt: &Prompt, input: &Input) -> Message {
        let known = self.render(input);
        Message::user(render::message(
            prompt,
            &format!("{known}\n\nUser: {}", self.ask),
        ))
    }

    fn route(mut messages: Vec<Message>) -> Request {
        if let Some(last) = messages.last_mut() {
            last.content = format!("{}\n\n{ROUTE}", last.content);
        }
        Request {
            messages,
            answer: routes(),
        }
    }

    /// The dialogue up to the recommender's proposals.
    fn proposed(&self, prompt: &Prompt, input: &Input, proposals: &[String]) -> Vec<Message> {
        vec![
            self.opening(prompt, input),
            Message::assistant("I ask the recommender."),
            Message::user(format!(
                "The recommender proposes:\n{}\n\nRecommend the {} that fit the user best, best \
                 first, one title per line.",
                numbered(proposals),
                self.places
            )),
        ]
    }

    /// The dialogue up to the user's question why.
    fn asked_why(
        &self,
        prompt: &Prompt,
        input: &Input,
        proposals: Vec<String>,
        choice: &Reply,
    ) -> Option<Vec<Message>> {
        let mut messages = self.proposed(prompt, input, &proposals);
        let chosen = self.chosen(proposals, choice)?;
        let why = self.why.replace("{item}", chosen.first()?);
        messages.push(Message::assistant(numbered(&chosen)));
        messages.push(Message::user(format!("User: {why}")));
        Some(messages)
    }

    /// What is wrong with an explanation of the first title chosen, if something is. It has
    /// to speak of that item, of one of the history, or of something both are (a genre, a
    /// year); what it names as a title, in quotation marks or with a year, has to be one
    /// that was proposed or stands in the history.
    fn ungrounded(&self, input: &Input, chosen: &[String], explanation: &str) -> Option<String> {
        let history: Vec<&str> = field::entries(input.field(field::HISTORY)).collect();
        let proposals = self.proposals(input);
        let shown: Vec<String> = (history.iter().map(|title| (*title).to_owned()))
            .chain(proposals)
            .collect();
        let matcher = TitleMatcher::new(shown);
        for title in grounding::named_titles(explanation) {
            let is_known = matcher.find(&title).is_some();
            let dated = grounding::has_year(&title);
            if !is_known && (dated || self.catalogue.knows_exactly(&title)) {
                return Some(format!("it names {title:?}"));
            }
        }
        let first = chosen.first()?;
        let about: Vec<String> = (history.into_iter().map(str::to_owned))
            .chain([first.clone()])
            .collect();
        let speaks = !TitleMatcher::new(about).mentions(explanation).is_empty()
            || self.shares(first, explanation);
        (!speaks).then(|| "it speaks of neither the item nor the history".to_owned())
    }

    /// Whether an explanation names an attribute of the item.
    fn shares(&self, title: &str, explanation: &str) -> bool {
        let Some(item) = self.catalogue.find(title) else {
            return false;
        };
        let said = format!(" {} ", fold(explanation));
        let values = self.catalogue.items()[item as usize].attributes.values();
        values
            .flat_map(|value| value.split(", "))
            .map(fold)
            .any(|value| !value.is_empty() && said.contains(&format!(" {value} ")))
    }

    /// The first places of what a reply chooses from the proposals.
    fn chosen(&self, proposals: Vec<String>, reply: &Reply) -> Option<Vec<String>> {
        let answer = match &reply.candidate_scores {
            Some(scores) => likelihood::answer(
                &proposals,
                scores,
                likelihood::CandidateScoring::default_for(scores),
            ),
            None => grounded(proposals, reply),
        };
        match answer {
            Answer::Ranking(mut titles) => {
                titles.truncate(self.places);
                Some(titles)
            }
            _ => None,
        }
    }

    /// How a turn ended that did not go as it should: one that was cut off before it
    /// said which way to go is no wrong turn.
    fn undecided(turn: &Reply) -> Finish {
        match turn.finish {
            Finish::Length if Self::calls_recommender(turn).is_some() => Finish::Stop,
            finish => finish,
        }
    }

    fn calls_recommender(reply: &Reply) -> Option<bool> {
        match parse(&routes(), reply) {
            Answer::Class { label, .. } => Some(label == PROPOSALS),
            _ => None,
        }
    }
}

fn routes() -> AnswerForm {
    AnswerForm::choice([PROPOSALS, EXPLANATION])
}

impl Task for ChatRec {
    fn name(&self) -> &str {
        self.ranker.name()
    }

    fn seed(&self) -> Prompt {
        self.ranker.seed()
    }

    fn answer_form(&self, input: &Input) -> AnswerForm {
        AnswerForm::Ranking {
            candidates: self.ranker.candidates(input),
        }
    }

    fn metric(&self) -> Metric {
        self.ranker.metric()
    }

    /// The user and the history; what the recommender chooses from is its own.
    fn render(&self, input: &Input) -> String {
        self.ranker.render(&ranking::open(input))
    }

    /// Whether to ask the recommender, the choice, whether to ask again, the explanation.
    fn calls(&self) -> usize {
        match (self.why.is_empty(), self.explain) {
            (true, _) => 2,
            (false, false) => 3,
            (false, true) => 4,
        }
    }

    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        Self::route(vec![self.opening(prompt, input)])
    }

    fn next(&self, prompt: &Prompt, input: &Input, replies: &[Reply]) -> Option<Request> {
        let proposals = self.proposals(input);
        match replies {
            [route] => (Self::calls_recommender(route)? && !proposals.is_empty()).then(|| {
                let messages = self.proposed(prompt, input, &proposals);
                let answer = match self.by {
                    RankingMode::List => AnswerForm::Ranking {
                        candidates: proposals,
                    },
                    RankingMode::Likelihood => AnswerForm::likelihood(proposals),
                };
                Request { messages, answer }
            }),
            [_, choice] if !self.why.is_empty() => Some(Self::route(
                self.asked_why(prompt, input, proposals, choice)?,
            )),
            [_, choice, again] if self.explain => {
                if Self::calls_recommender(again)? {
                    return None;
                }
                let mut messages = self.asked_why(prompt, input, proposals, choice)?;
                if let Some(last) = messages.last_mut() {
                    last.content.push_str(EXPLAIN);
                }
                let answer = AnswerForm::Text {
                    max_tokens: EXPLAINED,
                };
                Some(Request { messages, answer })
            }
            _ => None,
        }
    }

    /// The list recommended; a dialogue that asks the recommender at the wrong turn
    /// recommends nothing.
    fn conclude(&self, input: &Input, replies: Vec<Reply>) -> Reply {
        let mut replies = replies.into_iter();
        let (Some(route), choice, again) = (replies.next(), replies.next(), replies.next()) else {
            return Reply::text("");
        };
        let Some(choice) = choice else {
            return Reply {
                finish: Self::undecided(&route),
                ..Reply::text(NOT_ASKED)
            };
        };
        let Some(chosen) = self.chosen(self.proposals(input), &choice) else {
            return Reply {
                candidate_scores: None,
                ..choice
            };
        };
        match again {
            Some(reply) if reply.finish == Finish::Filtered => reply,
            Some(reply) if Self::calls_recommender(&reply) != Some(false) => Reply {
                finish: Self::undecided(&reply),
                ..Reply::text(ASKED_AGAIN)
            },
            _ => match replies.next() {
                Some(reply) if reply.finish == Finish::Filtered => reply,
                Some(reply) => match self.ungrounded(input, &chosen, &reply.text) {
                    // Cut off before it said anything it is no explanation yet.
                    Some(why) => Reply {
                        finish: reply.finish,
                        ..Reply::text(format!("{UNGROUNDED}{why}"))
                    },
                    None => Reply::text(chosen.join("\n")),
                },
                None => Reply::text(chosen.join("\n")),
            },
        }
    }

    fn demonstration(&self, example: &Example) -> Demonstration {
        self.ranker.demonstration(example)
    }

    fn parse(&self, input: &Input, reply: &Reply) -> Answer {
        let text = reply.text.as_str();
        if [NOT_ASKED, ASKED_AGAIN].contains(&text) || text.starts_with(UNGROUNDED) {
            return unparseable(&reply.text);
        }
        match grounded(self.ranker.candidates(input), reply) {
            Answer::Ranking(mut titles) => {
                titles.truncate(self.places);
                Answer::Ranking(titles)
            }
            other => other,
        }
    }

    fn grade(&self, answer: &Answer, label: &Label) -> Outcome {
        self.ranker.grade(answer, label)
    }
}
