//! Runs under attack: killed at any moment, behind a server that fails in every way,
//! on a store that is damaged. The server counts by itself; nothing here asks the
//! program whether it kept its promises.
//!
//! CI tries little of each, drawn anew in every process; SECURITY.md has the commands
//! for much. A failure tells the seed of its draw: `SHIFTPROOF_CHAOS_SEED` repeats it.

mod corruption;
mod faults;
mod full_disk;
pub use faults::files;
mod kills;
#[cfg(target_os = "linux")]
mod writes;

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::mock_server::MockServer;
use crate::support::program::Desk;

/// The run of a desk.
const RUN: &str = "mock-s1-1";
/// Calls in flight.
const SLOTS: usize = 64;

/// Numbers drawn by a seed that is told where a check fails.
struct Draw {
    seed: u64,
    state: u64,
}

impl Draw {
    fn new() -> Self {
        let seed = std::env::var("SHIFTPROOF_CHAOS_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or_else(|| {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                now.as_nanos() as u64 ^ u64::from(std::process::id())
            });
        Self::of(seed)
    }

    fn of(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// Another stream, that of the nth trial.
    fn trial(&self, nth: u64) -> Self {
        Self::of(self.seed ^ nth.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// `SplitMix64` (Steele, Lea & Flood 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0..below`.
    fn below(&mut self, below: u64) -> u64 {
        self.next() % below.max(1)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// How much is tried: what the environment says, or so much.
fn amount(variable: &str, default: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.and_then(|set| set.parse().ok()).unwrap_or(default)
}

/// A desk whose study asks this server, with a limit on calls or none.
fn desk(server: &MockServer, slots: usize, limit: Option<u64>) -> Desk {
    let desk = Desk::new();
    let limit = limit.map_or_else(String::new, |limit| {
        format!("\nbudget = {{ calls = {limit} }}")
    });
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\", \
             concurrency = {slots}, label_scores = \"off\", prefill = \"off\" }}{limit}",
            server.base_url()
        ),
    );
    desk
}

/// A report without where its server was, and without how many requests brought no
/// answer, which kills decide.
fn placeless(text: &str, server: &MockServer) -> String {
    let origin = server.origin();
    let host = origin.trim_start_matches("http://");
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("Beside these, up to"));
    lines
        .map(|line| line.replace(host, "HOST") + "\n")
        .collect()
}
