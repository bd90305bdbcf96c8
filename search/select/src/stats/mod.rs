//! Inference: how sure a comparison is.
//!
//! Everything here is pure and deterministic. Outcomes are numbers in `[0, 1]`;
//! a *cluster* is the unit that was sampled (a user, or the example itself).

pub mod agreement;
pub mod bootstrap;
pub mod cross_fit;
pub mod crossed;
pub mod gate;
pub mod holm;
pub mod interval;
pub mod pooled;
pub mod power;
pub mod ppi;
mod resample;
pub mod rng;
mod sample;
pub mod sequential;
pub mod shift;
pub mod special;

pub use agreement::{Agreement, agreement};
pub use bootstrap::{BootstrapDifference, BootstrapReplicates, paired_bootstrap};
pub use cross_fit::{CrossFittedGain, LabelledOutcomes, cross_fitted};
pub use crossed::{CrossedDifference, CrossedSample};
pub use gate::{
    BoundedDifference, GateEvidence, GateFinalist, GroupCheck, GroupProof, GroupState,
    ShipDecision, ShipGate, gate,
};
pub use holm::holm;
pub use interval::{ClusterTotals, Interval, beta, clustered, exact, wilson};
pub use pooled::chance_of_loss;
pub use power::{likely_gain, smallest_audit, spent_alpha};
pub use ppi::{PpiEstimate, ppi};
pub use sample::{ClusteredSample, PairedBootstrap};
pub use sequential::{
    OutcomeCount, likely_change, ln_change, ln_decline, ln_shares, mean_sequence,
};
pub use shift::{ShiftError, ShiftWeights, shift_weights};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_agreement;
#[cfg(test)]
mod tests_cross_fit;
#[cfg(test)]
mod tests_gate;
#[cfg(test)]
mod tests_known;
#[cfg(test)]
mod tests_sequential;
