//! The full-screen view of a run: one fold of events, pure drawing, and a loop
//! that carries keys to whoever may act on them.
//!
//! The screen has a thread of its own, so that it answers keys whatever the run
//! is at. It hears of the run as any observer does; what the user asks for goes
//! back through a [`RunControl`].

pub mod keys;
mod label;
pub mod scores;
mod source;
pub mod state;
pub mod terminal;
pub mod theme;
pub mod ui;
mod update;
pub mod views;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event as Input};
use shiftproof_search::control::RunControl;
use shiftproof_search::event::{AnswerDetail, Event, ProgressTick, RunObserver};
use shiftproof_tasks::{Prompt, places, render};

pub use self::label::{LabelCard, label, label_keys};
use self::source::{EventSource, LiveRun, ReplayedRun, WatchedRun};
use self::state::ScreenState;
use self::terminal::FullScreen;
use self::theme::ColorTheme;
use self::ui::{KeyEffect, ScreenUi, SourceKind};
use crate::exit::Failure;
use crate::failures::AnswerDetails;
use crate::runs::tail::LogPlayer;

/// No more frames than ten a second.
const FRAME: Duration = Duration::from_millis(100);
/// How often the loop looks whether there is anything new.
const LOOK: Duration = Duration::from_millis(50);

/// Asks a screen to close; its clones ask the same screen.
#[derive(Debug, Clone, Default)]
pub struct ScreenCloser(Arc<AtomicBool>);

impl ScreenCloser {
    /// Asks.
    pub fn close(&self) {
        self.0.store(true, SeqCst);
    }

    fn is_asked(&self) -> bool {
        self.0.load(SeqCst)
    }
}

/// What the observer passes on to the screen's thread.
enum ScreenMessage {
    Event(Box<Event>, bool),
    Tick(Box<ProgressTick>),
    Detail(Box<AnswerDetail>),
}

/// The screen of a run of this process.
pub struct RunScreen {
    sender: Option<Sender<ScreenMessage>>,
    closer: ScreenCloser,
    thread: JoinHandle<Result<(), Failure>>,
}

impl RunScreen {
    /// Takes the terminal over, where there is one; `planned`: calls of the run
    /// at most.
    pub fn start(
        run: &str,
        planned: u64,
        control: RunControl,
        closer: ScreenCloser,
    ) -> Option<Self> {
        if !fits() {
            return None;
        }
        let screen = FullScreen::enter().ok()?;
        let (sender, receiver) = channel();
        let ui = ScreenUi::new(SourceKind::Run, run, ColorTheme::of_environment());
        let asked = closer.clone();
        let thread = std::thread::Builder::new()
            .name("screen".into())
            .spawn(move || {
                let source = LiveRun { receiver, control };
                run_loop(screen, source, ScreenState::new(planned), ui, &asked)
            })
            .ok()?;
        Some(Self {
            sender: Some(sender),
            closer,
            thread,
        })
    }

    /// The observer that the screen hears of the run by. When it is dropped, the
    /// run has ended.
    pub fn observer(&mut self) -> Option<Box<dyn RunObserver>> {
        let sender = self.sender.take()?;
        Some(Box::new(ScreenObserver(sender)))
    }

    /// Waits until the user has closed the screen, which closes by itself at the
    /// run's end if nobody looked around. Returns what went wrong with it.
    pub async fn wait(self) -> Option<String> {
        drop(self.sender);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        match joined {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(failure))) => Some(failure.message),
            Ok(Err(_)) | Err(_) => Some("it panicked".to_owned()),
        }
    }

    /// Closes the screen now.
    pub async fn close(self) -> Option<String> {
        self.closer.close();
        self.wait().await
    }
}

struct ScreenObserver(Sender<ScreenMessage>);

impl RunObserver for ScreenObserver {
    fn event(&mut self, event: &Event, replayed: bool) {
        // A screen that is gone is no matter of the run's.
        let _ = self
            .0
            .send(ScreenMessage::Event(Box::new(event.clone()), replayed));
    }

    fn tick(&mut self, tick: &ProgressTick) {
        let _ = self.0.send(ScreenMessage::Tick(Box::new(tick.clone())));
    }

    fn detail(&mut self, detail: &AnswerDetail) {
        let _ = self.0.send(ScreenMessage::Detail(Box::new(detail.clone())));
    }
}

/// Whether there is a terminal that a screen can be shown on.
pub fn fits() -> bool {
    use std::io::IsTerminal as _;
    std::io::stderr().is_terminal()
        && std::io::stdin().is_terminal()
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Shows a run of another process until the user leaves.
pub fn watch(folder: &Path, closer: &ScreenCloser) -> Result<(), Failure> {
    let ui = ScreenUi::new(
        SourceKind::Watch,
        name(folder),
        ColorTheme::of_environment(),
    );
    let source = WatchedRun::new(folder);
    run_loop(enter()?, source, ScreenState::default(), ui, closer)
}

/// Plays a recording until the user leaves.
pub fn replay(folder: &Path, player: LogPlayer, closer: &ScreenCloser) -> Result<(), Failure> {
    let mut ui = ScreenUi::new(
        SourceKind::Replay,
        name(folder),
        ColorTheme::of_environment(),
    );
    ui.details = AnswerDetails::read(folder);
    run_loop(
        enter()?,
        ReplayedRun::new(player),
        ScreenState::default(),
        ui,
        closer,
    )
}

fn enter() -> Result<FullScreen, Failure> {
    FullScreen::enter().map_err(|error| {
        Failure::data(format!("cannot use the terminal: {error}; try --headless")).caused_by(error)
    })
}

fn name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// What the terminal sends, read on a thread that nobody waits for: once a
/// terminal is gone, crossterm 0.29 stays in its `poll` and does not return.
struct KeyboardReader {
    inputs: Receiver<Input>,
    left: Arc<AtomicBool>,
}

impl KeyboardReader {
    fn listen() -> std::io::Result<Self> {
        let (sender, inputs) = channel();
        let left = Arc::new(AtomicBool::new(false));
        let asked = left.clone();
        let read = move || {
            while !asked.load(SeqCst) {
                match event::poll(LOOK) {
                    Ok(false) => {}
                    Ok(true) => {
                        let input = event::read();
                        if input.map_or(true, |input| sender.send(input).is_err()) {
                            return;
                        }
                    }
                    Err(_) => return,
                }
            }
        };
        std::thread::Builder::new()
            .name("keyboard".into())
            .spawn(read)?;
        Ok(Self { inputs, left })
    }

    /// The next input within `wait`; an error once there can be none.
    fn next(&self, wait: Duration) -> Result<Option<Input>, RecvTimeoutError> {
        match self.inputs.recv_timeout(wait) {
            Ok(input) => Ok(Some(input)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(gone) => Err(gone),
        }
    }
}

impl Drop for KeyboardReader {
    fn drop(&mut self) {
        self.left.store(true, SeqCst);
    }
}

/// The loop: what is new, a frame where something is, keys.
fn run_loop(
    mut screen: FullScreen,
    mut source: impl EventSource,
    mut state: ScreenState,
    mut ui: ScreenUi,
    closer: &ScreenCloser,
) -> Result<(), Failure> {
    let keyboard = KeyboardReader::listen().map_err(|error| {
        Failure::data(format!("cannot read the terminal: {error}")).caused_by(error)
    })?;
    let began = Instant::now();
    let (mut dirty, mut drawn) = (true, None::<Instant>);
    while !closer.is_asked() {
        dirty |= source.poll(&mut state, &mut ui, began.elapsed())?;
        if source.is_left(&ui) {
            return Ok(());
        }
        let rest = drawn.map_or(Duration::ZERO, |at| FRAME.saturating_sub(at.elapsed()));
        if dirty && rest.is_zero() {
            let drew = screen.draw(|frame| {
                ui.page = usize::from(frame.area().height.saturating_sub(6));
                views::draw(&state, &ui, frame);
            });
            // A terminal that is gone ends the screen, not the run.
            if drew.is_err() {
                return Ok(());
            }
            (dirty, drawn) = (false, Some(Instant::now()));
        }
        let mut wait = if dirty { rest.min(LOOK) } else { LOOK };
        loop {
            let input = match keyboard.next(wait) {
                Ok(Some(input)) => input,
                Ok(None) => break,
                // So does one that cannot be read from.
                Err(_) => return Ok(()),
            };
            wait = Duration::ZERO;
            dirty = true;
            let Input::Key(key) = input else { continue };
            let Some(action) = keys::action(key) else {
                continue;
            };
            // A key is answered at once.
            drawn = None;
            match ui.update(action, &state) {
                Some(KeyEffect::Leave) => return Ok(()),
                Some(KeyEffect::Redraw) => {
                    let _ = screen.clear();
                }
                Some(KeyEffect::Export(id)) => {
                    let prompt = state.summary.candidates.get(&id).map(|s| &s.prompt);
                    ui.message = prompt.map(|prompt| said(export(prompt, Path::new("."))));
                }
                Some(effect) => source.effect(effect, &mut state, &mut ui),
                None => {}
            }
        }
    }
    Ok(())
}

fn said(written: std::io::Result<PathBuf>) -> String {
    match written {
        Ok(path) => format!("wrote {}", path.display()),
        Err(error) => format!("cannot write the prompt: {error}"),
    }
}

/// Writes a prompt as plain text into `folder`; returns the file's whole path.
/// The name is the prompt's own, so that nothing else is written over.
fn export(prompt: &Prompt, folder: &Path) -> std::io::Result<PathBuf> {
    let path = folder.join(format!("prompt-{:#}.txt", prompt.id()));
    // Which names are fields is not known here: what reads like a place is one.
    let names = places::strangers(&prompt.instruction, &|_| false);
    let text = render::unfilled(prompt, &|name| names.contains(&name));
    std::fs::write(&path, text + "\n")?;
    std::path::absolute(path)
}

#[cfg(test)]
mod tests;
