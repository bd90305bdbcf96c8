//! Any ranking task over what a recommender proposes, in place of all candidates.

use std::sync::Arc;

use shiftproof_tasks::{
    Answer, AnswerForm, Demonstration, Example, Input, Label, Metric, Outcome, Prompt, Reply,
    Request, Task, field,
};

use super::ranking::RankingTask;
use crate::{ItemCatalogue, RecommenderKind};

/// Ranks the items that a recommender proposes, best first, out of an example's candidates
/// or else of all that the user has not had. What it does not propose cannot be ranked.
pub(super) struct RerankingTask {
    pub ranker: RankingTask,
    pub recommender: RecommenderKind,
    pub proposed: usize,
    pub catalogue: Arc<ItemCatalogue>,
}

impl RerankingTask {
    /// The input with the proposals as its candidates.
    fn narrowed(&self, input: &Input) -> Input {
        let history: Vec<&str> = field::entries(input.field(field::HISTORY)).collect();
        let pool = self.ranker.candidates(input);
        let proposals = self
            .catalogue
            .recommend(self.recommender, &history, &pool, self.proposed);
        input
            .clone()
            .with_field(field::CANDIDATES, proposals.join("\n"))
    }
}

impl Task for RerankingTask {
    fn name(&self) -> &str {
        self.ranker.name()
    }

    fn seed(&self) -> Prompt {
        self.ranker.seed()
    }

    fn answer_form(&self, input: &Input) -> AnswerForm {
        self.ranker.answer_form(&self.narrowed(input))
    }

    fn metric(&self) -> Metric {
        self.ranker.metric()
    }

    fn render(&self, input: &Input) -> String {
        self.ranker.render(&self.narrowed(input))
    }

    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        self.ranker.request(prompt, &self.narrowed(input))
    }

    fn calls(&self) -> usize {
        self.ranker.calls()
    }

    fn next(&self, prompt: &Prompt, input: &Input, replies: &[Reply]) -> Option<Request> {
        self.ranker.next(prompt, &self.narrowed(input), replies)
    }

    fn conclude(&self, input: &Input, replies: Vec<Reply>) -> Reply {
        self.ranker.conclude(&self.narrowed(input), replies)
    }

    fn demonstration(&self, example: &Example) -> Demonstration {
        self.ranker.demonstration(example)
    }

    fn parse(&self, input: &Input, reply: &Reply) -> Answer {
        self.ranker.parse(&self.narrowed(input), reply)
    }

    fn grade(&self, answer: &Answer, label: &Label) -> Outcome {
        self.ranker.grade(answer, label)
    }

    fn score(&self, example: &Example, reply: &Reply) -> Outcome {
        let example = Example {
            input: self.narrowed(&example.input),
            label: example.label.clone(),
        };
        self.ranker.score(&example, reply)
    }
}
