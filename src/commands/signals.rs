//! Signals that ask the program to end.

use std::time::Duration;

use shiftproof_search::control::RunControl;

use super::note;
use crate::tui::ScreenCloser;

/// What a signal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalMeaning {
    /// From the keyboard: the user is there.
    Interrupt,
    /// From elsewhere, or because the terminal is gone.
    Terminate,
}

/// Waits, but no longer than until the work is to stop.
pub(super) async fn wait_unless_stopped(time: Duration, control: &RunControl) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = control.stopped() => {}
    }
}

/// Signals as they come; from here on none of them ends the process by itself.
pub(super) struct SignalStream {
    #[cfg(unix)]
    streams: Vec<(SignalMeaning, tokio::signal::unix::Signal)>,
}

#[cfg(unix)]
impl SignalStream {
    /// Listens from now on.
    pub fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [
            (SignalMeaning::Interrupt, SignalKind::interrupt()),
            (SignalMeaning::Terminate, SignalKind::terminate()),
            (SignalMeaning::Terminate, SignalKind::hangup()),
        ];
        let streams = kinds
            .into_iter()
            .filter_map(|(meaning, kind)| Some((meaning, signal(kind).ok()?)));
        Self {
            streams: streams.collect(),
        }
    }

    /// The next one.
    pub async fn next(&mut self) -> SignalMeaning {
        let waits = self.streams.iter_mut().map(|(meaning, stream)| {
            Box::pin(async move {
                stream.recv().await;
                *meaning
            })
        });
        futures::future::select_all(waits).await.0
    }
}

#[cfg(not(unix))]
impl SignalStream {
    /// Listens from now on.
    pub fn new() -> Self {
        Self {}
    }

    /// The next one.
    pub async fn next(&mut self) -> SignalMeaning {
        let _ = tokio::signal::ctrl_c().await;
        SignalMeaning::Interrupt
    }
}

/// The first signal asks the run to stop and save, the second aborts it. A
/// signal from elsewhere gives the terminal back at once.
pub(super) async fn pass_on(
    mut signals: SignalStream,
    control: RunControl,
    screen: Option<ScreenCloser>,
) {
    let mut screen = screen;
    loop {
        let signal = signals.next().await;
        let first = control.interrupt();
        if let Some(screen) = screen.take_if(|_| signal == SignalMeaning::Terminate || !first) {
            screen.close();
        }
        if first && screen.is_none() {
            note("stopping: waiting for the calls in flight (again to abort)");
        }
    }
}
