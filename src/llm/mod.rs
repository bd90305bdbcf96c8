//! Language models: clients that implement [`Llm`](shiftproof_search::Llm).

mod beside;
pub mod embedded;
pub mod http;
mod local;

pub use beside::Beside;
pub use local::Local;
