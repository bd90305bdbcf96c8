//! shiftproof

/// Language models.
pub mod llm {
    pub mod embedded;
}
