//! What the user may do to a run under way: pause it, resume it, stop it.
//!
//! Control goes inward: whoever started the run keeps a handle, and the
//! [`Gateway`](crate::gateway::Gateway) asks it before it sends anything. A run
//! that was paused or stopped takes the same course as one that was not.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A handle on a run; its clones are the same handle.
#[derive(Debug, Clone)]
pub struct RunControl {
    stop: CancellationToken,
    abort: CancellationToken,
    paused: Arc<watch::Sender<bool>>,
}

impl Default for RunControl {
    fn default() -> Self {
        Self::from(CancellationToken::new())
    }
}

impl From<CancellationToken> for RunControl {
    /// A handle that also stops when `stop` is cancelled.
    fn from(stop: CancellationToken) -> Self {
        Self {
            stop,
            abort: CancellationToken::new(),
            paused: Arc::new(watch::Sender::new(false)),
        }
    }
}

impl RunControl {
    /// A handle on a run that is neither paused nor stopped.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends nothing new until [`resume`](Self::resume). Calls in flight are
    /// awaited and kept.
    pub fn pause(&self) {
        self.paused.send_replace(true);
    }

    /// Goes on after a pause.
    pub fn resume(&self) {
        self.paused.send_replace(false);
    }

    /// Whether nothing new is to be sent for now. A stopped run is not paused:
    /// it ends.
    pub fn is_paused(&self) -> bool {
        *self.paused.borrow() && !self.is_stopped()
    }

    /// Ends the run: nothing new is sent, what is in flight is awaited and kept.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Whether the run is to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// What a signal to stop means: the first stops, the second aborts. Returns
    /// whether it was the first.
    pub fn interrupt(&self) -> bool {
        let first = !self.is_stopped();
        if first {
            self.stop();
        } else {
            self.abort.cancel();
        }
        first
    }

    /// Waits until the run is to end.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Waits until the run is to end without awaiting what is in flight.
    pub async fn aborted(&self) {
        self.abort.cancelled().await;
    }

    /// Waits until the run is not paused: resumed, or stopped.
    pub async fn go(&self) {
        let mut paused = self.paused.subscribe();
        tokio::select! {
            () = self.stop.cancelled() => {}
            // The sender lives as long as `self`.
            _ = paused.wait_for(|paused| !paused) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn pause_lasts_until_resumed() {
        let control = RunControl::new();
        assert!(control.go().now_or_never().is_some());
        control.pause();
        assert!(control.is_paused() && control.go().now_or_never().is_none());
        control.clone().resume();
        assert!(!control.is_paused() && control.go().now_or_never().is_some());
        control.pause();
        control.stop();
        assert!(!control.is_paused() && control.go().now_or_never().is_some());
    }

    #[tokio::test]
    async fn second_interrupt_aborts_run() {
        let control = RunControl::new();
        assert!(control.interrupt());
        assert!(control.is_stopped() && control.aborted().now_or_never().is_none());
        assert!(!control.interrupt());
        assert!(control.aborted().now_or_never().is_some());
    }
}
