//! Other tools' forms: what is read of them, and what is written for them.

pub mod export;
pub mod import;
