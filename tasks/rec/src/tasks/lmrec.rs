//! Language models as recommenders: titles ranked by their likelihood after a
//! history told as prose, over candidates or the whole catalogue (Zhang et al.
//! 2021, "Language Models as Recommender Systems: Evaluations and Limitations").

use std::sync::Arc;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::DataError;
use shiftproof_tasks::parse::likelihood::CandidateScoring;
use shiftproof_tasks::{Metric, field};

use super::ranking::{RankingMode, RankingTask};
use super::{TaskDeclaration, TaskSpec};
use crate::ItemCatalogue;
use crate::history::HistoryFormat;

/// Options of `kind = "lmrec"`. Reads listwise examples; those without
/// candidates are ranked over the whole catalogue.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LmRecSpec {
    /// The seed instruction.
    pub prompt: String,
    /// What titles are ordered by.
    pub scoring: CandidateScoring,
    /// How the history is told.
    pub history: HistoryFormat,
    /// Most items of the history shown, the latest ones.
    pub window: usize,
    /// What users do with items: watched, bought, …
    pub action: String,
    /// Whether what is known of the user is shown.
    pub user: bool,
    /// How the answer begins, for the titles to follow.
    pub lead: String,
    /// `ndcg@K`, `hr@K`, `recall@K` or `mrr`.
    pub metric: Metric,
}

impl Default for LmRecSpec {
    fn default() -> Self {
        Self {
            prompt: "Name what the user will want next.".to_owned(),
            scoring: CandidateScoring::Mean,
            history: HistoryFormat::default(),
            window: 10,
            action: "watched".to_owned(),
            user: false,
            lead: "Now the user wants".to_owned(),
            metric: Metric::Recall(20),
        }
    }
}

impl TaskSpec for LmRecSpec {
    const KIND: &'static str = "lmrec";

    fn declare(
        self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        let ranker = RankingTask {
            by: RankingMode::Likelihood,
            scoring: self.scoring,
            telling: self.history,
            window: self.window,
            chose: self.action,
            user: self.user,
            lead: self.lead,
            catalogue: catalogue.cloned(),
            ..RankingTask::new(study, self.prompt, self.metric)
        };
        Ok(TaskDeclaration::new(ranker.check()?, &[field::HISTORY]))
    }
}
