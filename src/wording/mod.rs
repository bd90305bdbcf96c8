//! How things are put for people, on screens and in reports alike: sentences, tables,
//! differences of texts, commands to paste, and what others said made harmless.

pub mod calibration_notes;
pub mod headroom;
pub mod knowledge;
pub mod phase_plans;
pub mod printed_commands;
pub mod shown;
pub mod table;
pub mod unusable;
pub mod vote_notes;
pub mod word_diff;
