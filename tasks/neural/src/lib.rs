//! Sequential recommenders, trained on the CPU from scratch: the methods that a language
//! model has to beat, and recommenders whose proposals it can choose from.
//!
//! ```text
//! SequenceData --train--> TrainedRecommender --scores--> one number per item
//!   items 0..n                to_bytes, from_bytes
//!   a sequence per user
//! ```
//!
//! Everything is drawn from one seed: on one machine equal data, settings and seed give equal
//! scores. What is trained on is what it is given; that nothing of a test part is among it is
//! the caller's to see to.
//!
//! | model | after |
//! | --- | --- |
//! | [`NeuralModel::Gru4rec`] | Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks", ICLR 2016 |
//! | [`NeuralModel::Caser`] | Tang and Wang, "Personalized Top-N Sequential Recommendation via Convolutional Sequence Embedding", WSDM 2018 |
//! | [`NeuralModel::Sasrec`] | Kang and `McAuley`, "Self-Attentive Sequential Recommendation", ICDM 2018 |
//! | [`NeuralModel::Dros`] | Yang et al., "A Generic Learning Framework for Sequential Recommendation with Distribution Shifts", SIGIR 2023, on `SASRec` |
//!
//! They differ from the papers in what a history of items is all that is known of a user:
//! Caser has no embedding of the user. Negatives are drawn evenly over the items, once for a
//! batch, and weighed as if each target had [`TrainingSettings::negatives`] of its own.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod caser;
mod data;
mod gru;
mod layers;
mod loss;
mod recommender;
mod sasrec;
mod settings;
mod train;

pub use data::SequenceData;
pub use recommender::TrainedRecommender;
pub use settings::{NeuralModel, TrainingSettings};
pub use train::{OnProgress, TrainingError, TrainingProgress, train};

#[cfg(test)]
mod tests;
