//! Language models: clients that implement [`Llm`](shiftproof_search::Llm).

pub mod embedded;
pub mod http;
mod local;

pub use local::Local;
