//! Language models: clients that implement [`Llm`](shiftproof_search::Llm), for
//! servers over HTTP ([`http`]) and for GGUF weights in this process
//! ([`embedded`], [`EmbeddedLlm`]).
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod beside;
pub mod embedded;
pub mod http;
mod local;

pub use beside::WithEmbedder;
pub use local::EmbeddedLlm;
