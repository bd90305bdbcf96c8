//! The terminal: taken over, drawn on, and given back however the program ends.

use std::io::{BufWriter, Stderr, stderr};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::{Frame, Terminal};

/// Whether the terminal is ours.
static ENTERED: AtomicBool = AtomicBool::new(false);
/// Held while a frame is drawn, so that none is half written when the terminal
/// is given back.
static DRAWING: Mutex<()> = Mutex::new(());
static HOOK: Once = Once::new();

/// The terminal in full-screen mode. Draws on standard error, so that standard
/// output can be a file; gives the terminal back when dropped.
pub struct FullScreen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stderr>>>,
}

impl FullScreen {
    /// Takes the terminal over.
    pub fn enter() -> std::io::Result<Self> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                before(panic);
            }));
        });
        enable_raw_mode()?;
        ENTERED.store(true, SeqCst);
        // From here on whatever fails has to give the terminal back.
        Self::set_up().inspect_err(|_| restore())
    }

    fn set_up() -> std::io::Result<Self> {
        execute!(stderr(), EnterAlternateScreen, Hide)?;
        let out = BufWriter::with_capacity(1 << 16, stderr());
        let terminal = Terminal::new(CrosstermBackend::new(out))?;
        Ok(Self { terminal })
    }

    /// Draws one frame, unless the terminal was given back meanwhile.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> std::io::Result<()> {
        let _drawing = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
        if !ENTERED.load(SeqCst) {
            return Err(std::io::Error::other("the terminal was given back"));
        }
        self.terminal.draw(draw).map(|_| ())
    }

    /// Forgets what was drawn, so that the next frame is drawn whole.
    pub fn clear(&mut self) -> std::io::Result<()> {
        // `Terminal::clear` would ask where the cursor is, on standard output.
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }
}

impl Drop for FullScreen {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was; does nothing the second time. Called from
/// the panic hook too: it must not panic, and not wait for a lock that the
/// panicking thread may hold.
pub fn restore() {
    let patience = Instant::now() + Duration::from_millis(200);
    let mut drawing = DRAWING.try_lock();
    while drawing.is_err() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(1));
        drawing = DRAWING.try_lock();
    }
    if ENTERED.swap(false, SeqCst) {
        let _ = execute!(stderr(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}
