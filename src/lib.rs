//! shiftproof
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod llm {
    //! Clients of language models.
    pub mod http;
}
