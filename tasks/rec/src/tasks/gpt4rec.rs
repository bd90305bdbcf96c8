//! `GPT4Rec`: the model writes search queries, a search engine turns them into
//! items (Li et al. 2023, "`GPT4Rec`: A Generative Framework for Personalized
//! Recommendation and User Interests Interpretation", §2).

use std::sync::Arc;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::{DataError, DataProblem};
use shiftproof_tasks::parse::{lists, unparseable};
use shiftproof_tasks::{
    Answer, AnswerForm, Demonstration, Example, Finish, Input, Label, Message, Metric, Outcome,
    Prompt, Reply, Request, Task, field,
};

use super::ranking::{self, RankingTask};
use super::{TaskDeclaration, TaskSpec};
use crate::ItemCatalogue;
use crate::bm25::Bm25Index;

/// Options of `kind = "gpt4rec"`. Reads listwise examples and needs a catalogue.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gpt4RecSpec {
    /// The seed instruction.
    pub prompt: String,
    /// Queries used at most.
    pub queries: usize,
    /// Whether each query is a call of its own, shown those before it, as the beams of the
    /// paper are samples of their own.
    pub one_by_one: bool,
    /// Whether attributes such as genres are searched beside titles; the paper searches
    /// titles.
    pub attributes: bool,
    /// Items retrieved for all queries together.
    pub places: usize,
    /// Most items of the history shown, the latest ones.
    pub window: usize,
    /// What users do with items: watched, bought, …
    pub action: String,
    /// `recall@K`, `hr@K`, `ndcg@K` or `mrr`.
    pub metric: Metric,
}

impl Default for Gpt4RecSpec {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            queries: 5,
            one_by_one: false,
            attributes: true,
            places: 20,
            window: 10,
            action: "watched".to_owned(),
            metric: Metric::Recall(20),
        }
    }
}

impl TaskSpec for Gpt4RecSpec {
    const KIND: &'static str = "gpt4rec";

    fn declare(
        self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        let catalogue = ranking::required("gpt4rec searches a catalogue", catalogue)?;
        if self.queries == 0 || self.places == 0 {
            return Err(DataProblem::new("task", "queries and places must be 1 or more").into());
        }
        let texts = catalogue.items().iter().map(|item| {
            let mut text = item.title.clone();
            for value in item.attributes.values().filter(|_| self.attributes) {
                text.push(' ');
                text.push_str(value);
            }
            text
        });
        let prompt = match (self.prompt.trim(), self.one_by_one) {
            ("", false) => {
                "In the future the user wants to see other items. Write five short search \
                 queries that find them, one per line."
            }
            ("", true) => {
                "In the future the user wants to see other items. Write one short search query \
                 that finds some of them, and nothing else."
            }
            (said, _) => said,
        };
        let task = Gpt4Rec {
            index: Bm25Index::new(texts),
            queries: self.queries,
            places: self.places,
            one_by_one: self.one_by_one,
            ranker: RankingTask {
                window: self.window,
                chose: self.action,
                catalogue: Some(catalogue.clone()),
                ..RankingTask::new(study, prompt.to_owned(), self.metric)
            }
            .check()?,
            catalogue: catalogue.clone(),
        };
        Ok(TaskDeclaration::new(task, &[field::HISTORY]))
    }
}

struct Gpt4Rec {
    ranker: RankingTask,
    index: Bm25Index,
    queries: usize,
    places: usize,
    one_by_one: bool,
    catalogue: Arc<ItemCatalogue>,
}

/// What asks for one query more.
const MORE: &str = "Write one more query, for something else this user wants, and nothing else.";

/// The query that a reply to one of several calls writes.
fn query(reply: &Reply) -> Option<String> {
    lists::items(&reply.text).into_iter().next()
}

impl Task for Gpt4Rec {
    fn name(&self) -> &str {
        self.ranker.name()
    }

    fn seed(&self) -> Prompt {
        self.ranker.seed()
    }

    fn answer_form(&self, input: &Input) -> AnswerForm {
        AnswerForm::Ranking {
            candidates: self.ranker.candidates(&ranking::open(input)),
        }
    }

    fn metric(&self) -> Metric {
        self.ranker.metric()
    }

    fn render(&self, input: &Input) -> String {
        self.ranker.render(&ranking::open(input))
    }

    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        Request {
            answer: AnswerForm::Text {
                max_tokens: 16
                    * if self.one_by_one {
                        1
                    } else {
                        self.queries as u32
                    },
            },
            ..self.ranker.request(prompt, &ranking::open(input))
        }
    }

    fn calls(&self) -> usize {
        if self.one_by_one { self.queries } else { 1 }
    }

    fn next(&self, prompt: &Prompt, input: &Input, replies: &[Reply]) -> Option<Request> {
        if replies.len() >= self.calls() {
            return None;
        }
        let mut request = self.request(prompt, input);
        for reply in replies {
            // Who wrote none is not asked for another.
            request.messages.push(Message::assistant(query(reply)?));
            request.messages.push(Message::user(MORE));
        }
        Some(request)
    }

    /// All queries, one a line.
    fn conclude(&self, _: &Input, mut replies: Vec<Reply>) -> Reply {
        if replies.len() == 1 && !self.one_by_one {
            return replies.remove(0);
        }
        if let Some(at) = replies
            .iter()
            .position(|reply| reply.finish == Finish::Filtered)
        {
            return replies.swap_remove(at);
        }
        let queries: Vec<String> = replies.iter().filter_map(query).collect();
        match replies.pop() {
            Some(last) if queries.is_empty() => last,
            _ => Reply::text(queries.join("\n")),
        }
    }

    fn demonstration(&self, example: &Example) -> Demonstration {
        self.ranker.demonstration(example)
    }

    fn grade(&self, answer: &Answer, label: &Label) -> Outcome {
        self.ranker.grade(answer, label)
    }

    /// Items that the queries find and the user has not had.
    fn parse(&self, input: &Input, reply: &Reply) -> Answer {
        if reply.finish == Finish::Filtered {
            return unparseable("withheld by a content filter");
        }
        let mut queries = lists::items(&reply.text);
        // Nothing but titles is a list of items, as a method without a model
        // gives it, and not of queries.
        if !queries.is_empty() && queries.iter().all(|q| self.catalogue.find(q).is_some()) {
            queries.truncate(self.places);
            return Answer::Ranking(queries);
        }
        queries.truncate(self.queries);
        let had: Vec<&str> = field::entries(input.field(field::HISTORY)).collect();
        // Items already had are retrieved too, and take no place.
        let found = self.index.search_all(&queries, self.places + had.len());
        let mut titles: Vec<String> = Vec::new();
        for index in found {
            let title = &self.catalogue.items()[index].title;
            if self.catalogue.is_new(title, &had) && !titles.contains(title) {
                titles.push(title.clone());
            }
        }
        titles.truncate(self.places);
        if titles.is_empty() {
            unparseable(&reply.text)
        } else {
            Answer::Ranking(titles)
        }
    }
}
