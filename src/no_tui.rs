//! Stands in for the full-screen view where the program is built without it.
#![allow(clippy::unused_async)] // The same names with the same manners.

use shiftproof_search::control::RunControl;
use shiftproof_search::event::RunObserver;

use crate::exit::Failure;
use crate::labels::{HandLabel, LabelFile};

/// An input to be labelled, as it would be shown.
#[derive(Debug, Clone)]
pub struct LabelCard {
    /// The input with the reason; its label is blank.
    pub label: HandLabel,
    /// What a model sees of it.
    pub text: String,
    /// What prompts answered, the commonest first.
    pub votes: Vec<(String, u32)>,
}

/// There is no terminal to show a screen on.
pub const fn fits() -> bool {
    false
}

/// A key a label, where there are keys.
pub const fn label_keys(_: usize) -> Vec<char> {
    Vec::new()
}

/// There is no screen to label in.
///
/// # Errors
/// Always.
#[allow(clippy::needless_pass_by_value)]
pub fn label(
    _: &str,
    _: Vec<LabelCard>,
    _: Vec<(char, String)>,
    _: &LabelFile,
) -> Result<usize, Failure> {
    Err(Failure::usage(
        "this program was built without the full-screen view; use --export and --import",
    ))
}

/// Asks a screen to close.
#[derive(Debug, Clone, Default)]
pub struct ScreenCloser(());

impl ScreenCloser {
    /// Asks.
    #[allow(clippy::unused_self)]
    pub fn close(&self) {}
}

/// The screen that there is not.
pub enum RunScreen {}

impl RunScreen {
    /// There is none.
    #[allow(clippy::needless_pass_by_value)]
    pub fn start(_: &str, _: u64, _: RunControl, _: ScreenCloser) -> Option<Self> {
        None
    }

    /// Its observer.
    pub fn observer(&mut self) -> Option<Box<dyn RunObserver>> {
        match *self {}
    }

    /// Its end.
    pub async fn wait(self) -> Option<String> {
        match self {}
    }

    /// Its end, now.
    pub async fn close(self) -> Option<String> {
        match self {}
    }
}
