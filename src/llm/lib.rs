//! Language models: clients that implement [`Llm`](shiftproof_search::Llm), for
//! servers over HTTP (module `http`) and for GGUF weights in this process
//! (module `embedded`, `EmbeddedLlm`), each behind the feature of its name, and for
//! programs that answer JSON lines ([`command`]).
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod command;
mod counts;
#[cfg(feature = "embedded")]
pub mod embedded;
#[cfg(feature = "embedded")]
mod embedded_llm;
#[cfg(feature = "http")]
pub mod http;
mod with_embedder;

#[cfg(feature = "embedded")]
pub use embedded_llm::EmbeddedLlm;
pub use with_embedder::WithEmbedder;
