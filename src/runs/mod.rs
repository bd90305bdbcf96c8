//! Runs: made, stored, and looked at from outside while they last.

pub(crate) mod durable;
pub(crate) mod heartbeat;
pub(crate) mod pace;
pub(crate) mod progress;
pub mod session;
pub(crate) mod stored;
pub mod tail;
