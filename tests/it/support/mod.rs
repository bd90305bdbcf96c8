//! Shared by the integration tests.

pub mod mock_server;
pub mod program;
