//! Numbers by which a run knows its candidates and inputs.

/// A candidate of a run, counted in the order of entry from 0.
pub type CandidateIndex = usize;
/// An input of a run, in the order in which the run took them up; the number of
/// one run means nothing in another.
pub type InputIndex = usize;
