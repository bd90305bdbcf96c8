//! Zero-shot ranking of candidates after a history (Hou et al. 2024, "Large
//! Language Models are Zero-Shot Rankers for Recommender Systems", §2.2 and
//! §3.1), by likelihood or by a written list.

use std::sync::Arc;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::{DataError, DataProblem};
use shiftproof_tasks::parse::likelihood::CandidateScoring;
use shiftproof_tasks::{Metric, field};

use super::ranking::{self, RankingMode, RankingTask};
use super::reranking::RerankingTask;
use super::{TaskDeclaration, TaskSpec};
use crate::history::HistoryFormat;
use crate::{ItemCatalogue, RecommenderKind, recommender};

/// Options of `kind = "llmrank"`. Reads listwise examples.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LlmRankSpec {
    /// The seed instruction.
    pub prompt: String,
    /// How the ranking is obtained.
    pub answer: RankingMode,
    /// With likelihood: what titles are ordered by.
    pub scoring: CandidateScoring,
    /// How the history is told.
    pub history: HistoryFormat,
    /// Most items of the history shown, the latest ones.
    pub window: usize,
    /// What users do with items: watched, bought, …
    pub action: String,
    /// Whether what is known of the user is shown.
    pub user: bool,
    /// With likelihood: whether the candidates are listed in the question.
    pub show_candidates: bool,
    /// Rankings asked for, each with the candidates in another order, and merged
    /// by Borda's count (Hou et al. 2024, §3.2). Each is a call.
    pub shuffles: usize,
    /// The recommender whose proposals are ranked again, in place of all candidates; none
    /// where absent.
    pub recommender: Option<RecommenderKind>,
    /// Items that the recommender proposes.
    pub proposed: usize,
    /// How the answer begins, for the model to go on from.
    pub lead: String,
    /// `ndcg@K`, `hr@K`, `recall@K` or `mrr`.
    pub metric: Metric,
}

impl Default for LlmRankSpec {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            answer: RankingMode::List,
            scoring: CandidateScoring::default(),
            history: HistoryFormat::default(),
            window: 50,
            action: "watched".to_owned(),
            user: false,
            show_candidates: true,
            shuffles: 1,
            recommender: None,
            proposed: 20,
            lead: String::new(),
            metric: Metric::Ndcg(10),
        }
    }
}

impl TaskSpec for LlmRankSpec {
    const KIND: &'static str = "llmrank";

    fn recommenders(&self) -> Vec<RecommenderKind> {
        self.recommender.into_iter().collect()
    }

    fn declare(
        self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        let asked = if self.prompt.trim().is_empty() {
            "Rank the candidates by how likely the user is to want them next, given the history. \
             List all candidates, best first, one per line. Do not explain."
                .to_owned()
        } else {
            self.prompt
        };
        let ranker = RankingTask {
            name: study.to_owned(),
            prompt: asked,
            metric: self.metric,
            by: self.answer,
            scoring: self.scoring,
            telling: self.history,
            window: self.window,
            chose: self.action,
            user: self.user,
            shown: self.show_candidates,
            shuffles: self.shuffles,
            lead: self.lead,
            catalogue: catalogue.cloned(),
        };
        let fields = [field::HISTORY, field::CANDIDATES];
        let ranker = ranker.check()?;
        let Some(kind) = self.recommender else {
            return Ok(TaskDeclaration::new(ranker, &fields));
        };
        let why = "a recommender learns from events";
        let catalogue = ranking::required(why, catalogue)?;
        recommender::offered("recommender", kind, catalogue)?;
        if self.proposed < 2 {
            return Err(
                DataProblem::new("task.proposed", "fewer than two are no choice")
                    .help("use 2 or more")
                    .into(),
            );
        }
        let task = RerankingTask {
            ranker,
            recommender: kind,
            proposed: self.proposed,
            catalogue: catalogue.clone(),
        };
        Ok(TaskDeclaration::new(task, &fields))
    }
}
