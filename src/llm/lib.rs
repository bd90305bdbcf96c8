//! Language models: clients that implement [`Llm`](shiftproof_search::Llm), for
//! servers over HTTP ([`http`]) and for GGUF weights in this process
//! ([`embedded`], [`EmbeddedLlm`]).
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod embedded;
mod embedded_llm;
pub mod http;
mod with_embedder;

pub use embedded_llm::EmbeddedLlm;
pub use with_embedder::WithEmbedder;
