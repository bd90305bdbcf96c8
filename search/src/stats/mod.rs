//! Inference: how sure a comparison is.
//!
//! Everything here is pure and deterministic. Outcomes are numbers in `[0, 1]`;
//! a *cluster* is the unit that was sampled (a user, or the example itself).

pub mod bootstrap;
pub mod holm;
pub mod interval;
pub mod rng;
pub mod special;

pub use bootstrap::{Bootstrap, Difference, Replicates, Sample, paired_bootstrap};
pub use holm::holm;
pub use interval::{Cluster, Interval, beta, clustered, exact, wilson};

#[cfg(test)]
mod tests;
