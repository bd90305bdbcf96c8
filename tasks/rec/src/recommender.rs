use std::fmt;

use serde::{Deserialize, Serialize};
use shiftproof_tasks::diagnostic::{DataError, DataProblem};

use super::ItemCatalogue;

/// A recommender that a study can name: what proposes items, or weighs them.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum RecommenderKind {
    /// By events in the training part.
    #[default]
    Popularity,
    /// By the cosine over common users with the items of the history.
    ItemKnn,
    /// A recurrent network (Hidasi et al., ICLR 2016).
    Gru4rec,
    /// Convolutions over the last items (Tang and Wang, WSDM 2018).
    Caser,
    /// Self-attention over the last items (Kang and `McAuley`, ICDM 2018).
    Sasrec,
    /// The same, trained for shifted distributions (Yang et al., SIGIR 2023).
    Dros,
}

impl RecommenderKind {
    /// The name in studies and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Popularity => "popularity",
            Self::ItemKnn => "item-knn",
            Self::Gru4rec => "gru4rec",
            Self::Caser => "caser",
            Self::Sasrec => "sasrec",
            Self::Dros => "dros",
        }
    }

    /// Whether it has to be trained before it can be asked; a catalogue knows the others.
    pub const fn is_trained(self) -> bool {
        !matches!(self, Self::Popularity | Self::ItemKnn)
    }
}

/// Scores items after a history: a recommender that was trained on
/// [`SequencePart::training`](super::SequencePart::training).
pub trait SequenceRecommender: fmt::Debug + Send + Sync {
    /// One number per item of the catalogue, higher being better, after a history of items,
    /// oldest first. The same history always gives the same numbers.
    fn scores(&self, history: &[u32]) -> Vec<f32>;
}

/// Fails unless the catalogue has the recommender that `task.OPTION` names.
pub(super) fn offered(
    option: &str,
    kind: RecommenderKind,
    catalogue: &ItemCatalogue,
) -> Result<(), DataError> {
    if catalogue.offers(kind) {
        return Ok(());
    }
    Err(DataProblem::new(
        format!("task.{option}"),
        format!("{} has not been trained on these data", kind.name()),
    )
    .help("use popularity or item-knn, or a program with the neural recommenders")
    .into())
}
