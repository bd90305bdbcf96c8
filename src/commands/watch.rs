//! Follows the run of another process, or plays one back. Both read the run's
//! folder alone and never open the store.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use shiftproof_search::event::Event;

use super::signals::SignalStream;
use super::{note, unprintable};
use crate::cli::{ReplayArgs, WatchArgs};
use crate::exit::{ExitStatus, Failure};
use crate::runs::heartbeat;
use crate::runs::progress::milestone;
use crate::runs::stored;
use crate::runs::tail::{LogFollower, LogPlayer};
use crate::wording::shown::visible;

/// How often the line form looks for news.
const LOOK: Duration = Duration::from_millis(100);

pub(super) async fn run(args: WatchArgs) -> Result<ExitStatus, Failure> {
    let folder = folder(&args.store.store, args.run.as_deref())?;
    #[cfg(feature = "tui")]
    if !args.headless && shows() {
        return on_screen(move |closer| crate::tui::watch(&folder, closer)).await;
    }
    let mut signals = SignalStream::new();
    tokio::select! {
        exit = lines(&folder) => exit,
        _ = signals.next() => Ok(ExitStatus::Interrupted),
    }
}

/// Prints the milestones of a run as they come, to its end.
async fn lines(folder: &Path) -> Result<ExitStatus, Failure> {
    let mut follower = LogFollower::new(folder);
    let mut finished = false;
    loop {
        // Asked before the log is read: what a process that ended since wrote
        // last is still read.
        let running = heartbeat::is_running(folder);
        let news = follower
            .poll()
            .map_err(Failure::from_error(ExitStatus::Data))?;
        if news.restarted {
            note("the run began anew");
        }
        for line in &news.lines {
            finished = matches!(line.event, Event::Finished { .. });
            if let Some(text) = milestone(&line.event, false)
                && !say(&text)?
            {
                return Ok(ExitStatus::Done);
            }
        }
        if finished {
            return Ok(ExitStatus::Done);
        }
        if news.lines.is_empty() {
            if !running {
                // A finished run whose log was cut is told as such.
                stored::lines(folder)?;
                note("the run has not finished, and no process is at work on it");
                return Ok(ExitStatus::Done);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The folder of the run that is named, else of the latest.
fn folder(store: &Path, run: Option<&str>) -> Result<PathBuf, Failure> {
    match run {
        Some(run) => stored::folder(store, run),
        None => stored::latest(store),
    }
}

pub(super) async fn replay(args: ReplayArgs) -> Result<ExitStatus, Failure> {
    if args
        .speed
        .is_some_and(|speed| !(1e-3..=1e6).contains(&speed))
    {
        return Err(Failure::usage(
            "--speed must be between 0.001 and 1,000,000",
        ));
    }
    let folder = folder(&args.store.store, args.run.as_deref())?;
    let read = stored::lines(&folder)?;
    #[cfg(feature = "tui")]
    if !args.headless && shows() {
        let player = LogPlayer::new(read, args.speed.unwrap_or(1.0));
        return on_screen(move |closer| crate::tui::replay(&folder, player, closer)).await;
    }
    let mut signals = SignalStream::new();
    let mut player = LogPlayer::new(read, args.speed.unwrap_or(1.0));
    tokio::select! {
        exit = replay_lines(&mut player, args.speed.is_some()) => exit,
        _ = signals.next() => Ok(ExitStatus::Interrupted),
    }
}

/// Prints the milestones of a recording: at once, or at its pace.
async fn replay_lines(player: &mut LogPlayer, paced: bool) -> Result<ExitStatus, Failure> {
    let mut passed = Duration::ZERO;
    loop {
        let most = player.place().1.max(1);
        let due = if paced {
            player.advance(passed, most)
        } else {
            player.seek(most)
        };
        for line in due {
            if let Some(text) = milestone(&line.event, false)
                && !say(&text)?
            {
                return Ok(ExitStatus::Done);
            }
        }
        let Some(wait) = player.until_next() else {
            return Ok(ExitStatus::Done);
        };
        tokio::time::sleep(wait).await;
        passed = wait;
    }
}

/// Prints one line at once; returns whether anybody still reads.
fn say(text: &str) -> Result<bool, Failure> {
    let mut out = std::io::stdout();
    match writeln!(out, "{}", visible(text)).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(unprintable(error)),
    }
}

/// Whether there is a terminal on both sides: a piped output wants lines.
#[cfg(feature = "tui")]
fn shows() -> bool {
    use std::io::IsTerminal as _;
    crate::tui::fits() && std::io::stdout().is_terminal()
}

/// Runs a screen on a thread where it may wait for keys; a signal closes it.
#[cfg(feature = "tui")]
async fn on_screen(
    show: impl FnOnce(&crate::tui::ScreenCloser) -> Result<(), Failure> + Send + 'static,
) -> Result<ExitStatus, Failure> {
    let mut signals = SignalStream::new();
    let closer = crate::tui::ScreenCloser::default();
    let asked = closer.clone();
    let mut shown = tokio::task::spawn_blocking(move || show(&asked));
    let (ended, exit) = tokio::select! {
        ended = &mut shown => (ended, ExitStatus::Done),
        _ = signals.next() => {
            closer.close();
            (shown.await, ExitStatus::Interrupted)
        }
    };
    match ended {
        Ok(shown) => shown.map(|()| exit),
        Err(error) => Err(Failure::new(
            ExitStatus::Internal,
            format!("the screen failed: {error}"),
        )
        .caused_by(error)),
    }
}
