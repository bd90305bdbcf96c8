//! Language models: clients that implement [`Llm`](shiftproof_search::Llm).

pub mod embedded;
mod local;

pub use local::Local;
