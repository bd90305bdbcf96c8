//! Stands in for the full-screen view where the program is built without it.
#![allow(clippy::unused_async)] // The same names with the same manners.

use shiftproof_search::control::RunControl;
use shiftproof_search::event::RunObserver;

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
