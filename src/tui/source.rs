//! Where a screen's events come from: a run of this process, the files of
//! another, or a recording.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use shiftproof_search::control::RunControl;

use super::ScreenMessage;
use super::state::ScreenState;
use super::ui::{KeyEffect, PlaybackState, ScreenUi};
use crate::exit::{ExitStatus, Failure};
use crate::failures::DetailFollower;
use crate::runs::heartbeat::{self, RunHeartbeat};
use crate::runs::tail::{LogFollower, LogPlayer};

/// Events taken in between two looks at the keys.
const BITE: usize = 2_000;

/// See the [module](self).
pub(super) trait EventSource {
    /// Takes in what is new, `now` after the screen came up; returns whether
    /// there was anything.
    fn poll(
        &mut self,
        state: &mut ScreenState,
        ui: &mut ScreenUi,
        now: Duration,
    ) -> Result<bool, Failure>;

    /// Does what a key asked for.
    fn effect(&mut self, effect: KeyEffect, state: &mut ScreenState, ui: &mut ScreenUi);

    /// Whether the screen closes by itself now.
    fn is_left(&self, _ui: &ScreenUi) -> bool {
        false
    }
}

/// A run of this process.
pub(super) struct LiveRun {
    pub receiver: Receiver<ScreenMessage>,
    pub control: RunControl,
}

impl EventSource for LiveRun {
    fn poll(
        &mut self,
        state: &mut ScreenState,
        ui: &mut ScreenUi,
        now: Duration,
    ) -> Result<bool, Failure> {
        let mut any = false;
        for _ in 0..BITE {
            match self.receiver.try_recv() {
                Ok(ScreenMessage::Event(event, replayed)) => state.apply(&event, replayed),
                Ok(ScreenMessage::Tick(tick)) => state.tick(&tick, now),
                Ok(ScreenMessage::Detail(detail)) => ui.details.add(*detail),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    any |= !ui.done;
                    ui.done = true;
                    break;
                }
            }
            any = true;
        }
        let (paused, stopping) = (self.control.is_paused(), self.control.is_stopped());
        any |= paused != ui.paused || stopping != ui.stopping;
        (ui.paused, ui.stopping) = (paused, stopping);
        Ok(any)
    }

    fn effect(&mut self, effect: KeyEffect, _state: &mut ScreenState, ui: &mut ScreenUi) {
        match effect {
            KeyEffect::TogglePause if self.control.is_paused() => self.control.resume(),
            KeyEffect::TogglePause => {
                self.control.pause();
                ui.message = Some("paused: calls in flight are awaited; p resumes".into());
            }
            KeyEffect::Stop => {
                self.control.stop();
                ui.message = Some("stopping: waiting for the calls in flight".into());
            }
            KeyEffect::Interrupt if self.control.interrupt() => {
                ui.message =
                    Some("stopping: waiting for the calls in flight (again to abort)".into());
            }
            _ => {}
        }
    }

    /// A run that nobody looked into, or that was stopped, gives the terminal
    /// back; else the user closes the screen.
    fn is_left(&self, ui: &ScreenUi) -> bool {
        ui.done && (!ui.touched || ui.stopping)
    }
}

/// A run of another process.
pub(super) struct WatchedRun {
    folder: PathBuf,
    follower: LogFollower,
    details: DetailFollower,
    looked: Option<Duration>,
    live: Option<RunHeartbeat>,
}

impl WatchedRun {
    const EVERY: Duration = Duration::from_millis(250);

    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            follower: LogFollower::new(folder),
            details: DetailFollower::new(folder),
            looked: None,
            live: None,
        }
    }
}

impl EventSource for WatchedRun {
    fn poll(
        &mut self,
        state: &mut ScreenState,
        ui: &mut ScreenUi,
        now: Duration,
    ) -> Result<bool, Failure> {
        let mut any = false;
        if self
            .looked
            .is_none_or(|at| now.saturating_sub(at) >= Self::EVERY)
        {
            self.looked = Some(now);
            any |= self.details.poll(&mut ui.details);
            let live = heartbeat::read(&self.folder);
            if let Some(live) = &live {
                state.planned = live.planned;
                let before = self.live.as_ref().and_then(|live| live.tick.as_ref());
                if let Some(tick) = live.tick.as_ref().filter(|tick| Some(*tick) != before) {
                    state.tick(tick, now);
                    any = true;
                }
            }
            let process = match &live {
                _ if state.is_over() => "ended".to_owned(),
                Some(live) if heartbeat::is_running(&self.folder) => {
                    let silent = heartbeat::age(&self.folder).unwrap_or_default().as_secs();
                    if silent >= 10 {
                        format!("process {}, silent for {silent} s", live.pid)
                    } else {
                        format!("process {}", live.pid)
                    }
                }
                Some(live) => format!("process {} is gone", live.pid),
                None => "not running".to_owned(),
            };
            any |= ui.process.as_ref() != Some(&process);
            ui.process = Some(process);
            self.live = live;
        }
        let news = self
            .follower
            .poll()
            .map_err(Failure::from_error(ExitStatus::Data))?;
        if news.restarted {
            *state = ScreenState::new(state.planned);
        }
        any |= news.restarted || !news.lines.is_empty();
        for line in &news.lines {
            state.apply(&line.event, false);
        }
        Ok(any)
    }

    fn effect(&mut self, _effect: KeyEffect, _state: &mut ScreenState, _ui: &mut ScreenUi) {}
}

/// A recording.
pub(super) struct ReplayedRun {
    player: LogPlayer,
    at: Duration,
}

impl ReplayedRun {
    pub fn new(player: LogPlayer) -> Self {
        Self {
            player,
            at: Duration::ZERO,
        }
    }

    fn show(&self, ui: &mut ScreenUi) {
        let (done, total) = self.player.place();
        ui.paused = self.player.paused;
        ui.playback = Some(PlaybackState {
            speed: self.player.speed,
            done,
            total,
        });
    }

    /// Moves to a place: onward with what lies between, backward from the start.
    fn seek(&mut self, place: usize, state: &mut ScreenState) {
        let (before, _) = self.player.place();
        let lines = self.player.seek(place);
        let skip = if lines.len() >= before {
            before
        } else {
            *state = ScreenState::default();
            0
        };
        for line in &lines[skip..] {
            state.apply(&line.event, false);
        }
    }
}

impl EventSource for ReplayedRun {
    fn poll(
        &mut self,
        state: &mut ScreenState,
        ui: &mut ScreenUi,
        now: Duration,
    ) -> Result<bool, Failure> {
        let passed = now.saturating_sub(self.at);
        self.at = now;
        let before = ui.playback;
        let lines = self.player.advance(passed, BITE);
        for line in lines {
            state.apply(&line.event, false);
        }
        self.show(ui);
        Ok(before != ui.playback)
    }

    fn effect(&mut self, effect: KeyEffect, state: &mut ScreenState, ui: &mut ScreenUi) {
        match effect {
            KeyEffect::TogglePause => self.player.paused = !self.player.paused,
            KeyEffect::Speed(by) => {
                self.player.speed = (self.player.speed * by).clamp(1.0 / 64.0, 65_536.0);
            }
            KeyEffect::Step(by) => {
                self.player.paused = true;
                let (place, _) = self.player.place();
                self.seek(place.saturating_add_signed(by as isize), state);
            }
            KeyEffect::Phases(by) => {
                let place = self.player.phase(by);
                self.seek(place, state);
            }
            _ => {}
        }
        self.show(ui);
    }
}
