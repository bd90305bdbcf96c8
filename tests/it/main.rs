//! One binary for all integration tests.
#![allow(clippy::unwrap_used)]

mod http;
mod support;
