//! A live panel at the foot of the terminal while a run goes on. What was
//! decided scrolls above it and stays, as the lines of [`Progress`] do.
//!
//! [`Progress`]: crate::progress::Progress

use std::fmt::Write as _;
use std::io::{IsTerminal, Stderr, stderr, stdin};
use std::time::{Duration, Instant};

use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Gauge, Paragraph, Row, Table};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};
use shiftproof_search::event::{Event, GroupRole, Observer, Tick};

use crate::progress::{clock, milestone};
use crate::report::{Summary, score};

/// Rows of the panel.
const HEIGHT: u16 = 10;
/// No more frames than ten a second.
const FRAME: Duration = Duration::from_millis(100);

/// What the panel shows: a fold of events and the latest tick.
struct State {
    summary: Summary,
    tick: Option<Tick>,
    planned: u64,
    began: Instant,
}

/// The panel on standard error.
pub struct Live {
    state: State,
    terminal: Terminal<CrosstermBackend<Stderr>>,
    drawn: Option<Instant>,
}

impl Live {
    /// The panel, where there is a terminal to show it on.
    pub fn start(planned: u64) -> Option<Self> {
        if !stderr().is_terminal() || !stdin().is_terminal() {
            return None;
        }
        let options = TerminalOptions {
            viewport: Viewport::Inline(HEIGHT),
        };
        let terminal = Terminal::with_options(CrosstermBackend::new(stderr()), options).ok()?;
        let state = State {
            summary: Summary::default(),
            tick: None,
            planned,
            began: Instant::now(),
        };
        Some(Self {
            state,
            terminal,
            drawn: None,
        })
    }

    /// Puts a line above the panel. The screen is a courtesy: an error of the
    /// terminal must not disturb the run.
    fn say(&mut self, text: &str) {
        let width = self.terminal.size().map_or(80, |size| size.width.max(20));
        let lines: Vec<String> = wrap(text, usize::from(width));
        let _ = self.terminal.insert_before(lines.len() as u16, |buffer| {
            for (row, line) in lines.iter().enumerate() {
                buffer.set_string(0, row as u16, line, Style::new());
            }
        });
    }

    fn draw(&mut self) {
        self.drawn = Some(Instant::now());
        let state = &self.state;
        let _ = self.terminal.draw(|frame| draw(state, frame));
    }
}

impl Observer for Live {
    fn event(&mut self, event: &Event, replayed: bool) {
        self.state.summary.apply(event);
        if let Some(line) = milestone(event, replayed) {
            self.say(&line);
        }
        self.draw();
    }

    fn tick(&mut self, tick: &Tick) {
        self.state.tick = Some(tick.clone());
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME) {
            self.draw();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // What is printed next begins where the panel stood.
        let top = self.terminal.get_frame().area().y;
        let _ = self.terminal.clear();
        let _ = self.terminal.set_cursor_position((0, top));
        let _ = self.terminal.show_cursor();
    }
}

/// Draws the state and nothing else.
fn draw(state: &State, frame: &mut Frame<'_>) {
    let [gauge, facts, table] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Min(0),
    ])
    .areas(frame.area());
    let (done, label) = match &state.tick {
        Some(tick) => {
            let settled = tick.spent.calls + tick.done;
            let label = format!(
                "{} · {settled} of at most {} calls",
                tick.phase, state.planned
            );
            (settled as f64 / state.planned.max(1) as f64, label)
        }
        None => (0.0, "starting".to_owned()),
    };
    let bar = Gauge::default()
        .ratio(done.clamp(0.0, 1.0))
        .label(label)
        .gauge_style(Style::new().add_modifier(Modifier::REVERSED));
    frame.render_widget(bar, gauge);
    frame.render_widget(Paragraph::new(facts_of(state)), facts);
    let Some(leader) = state.summary.leader() else {
        return;
    };
    let rows = leader.groups.iter().map(|group| {
        let role = match (group.role, group.voted) {
            (_, true) => "target, voted labels",
            (GroupRole::Target, false) => "target",
            (GroupRole::Source, false) => "source",
        };
        Row::new([
            group.group.clone(),
            score(group),
            format!("n {}", group.n),
            role.to_owned(),
        ])
    });
    let widths = [
        Constraint::Length(14),
        Constraint::Length(20),
        Constraint::Length(8),
        Constraint::Min(8),
    ];
    let title = format!(" best so far: {} ", leader.prompt.instruction);
    frame.render_widget(
        Table::new(rows, widths).block(Block::bordered().title(title)),
        table,
    );
}

fn facts_of(state: &State) -> Vec<Line<'static>> {
    let Some(tick) = &state.tick else {
        return Vec::new();
    };
    let rate = tick.sent as f64 / state.began.elapsed().as_secs_f64().max(1e-3);
    let settled = tick.spent.calls + tick.done;
    let left = state.planned.saturating_sub(settled) as f64 / rate.max(1e-9);
    let mut first = format!(
        "{rate:.1} calls/s · ETA at most {} · {} tokens",
        clock(left),
        tick.spent.tokens()
    );
    if tick.spent.picodollars > 0 {
        let _ = write!(first, " · ${:.4}", tick.spent.usd());
    }
    let kept = state
        .summary
        .candidates
        .values()
        .filter(|standing| standing.kept)
        .count();
    let second = format!(
        "{kept} of {} candidates in the race{}",
        state.summary.candidates.len(),
        tick.status
            .as_ref()
            .map_or_else(String::new, |status| format!(" · {status}"))
    );
    vec![Line::from(first), Line::from(second)]
}

/// Cuts a text into lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars
        .chunks(width)
        .map(|chunk| chunk.iter().collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use ratatui::backend::TestBackend;
    use shiftproof_search::event::{GroupScore, Origin, Phase, Proposed};
    use shiftproof_tasks::Prompt;

    use super::*;

    #[test]
    fn the_panel_shows_the_leader_by_group() {
        let prompt = Prompt::new("Is it good?");
        let group = |name: &str, role, voted, value: f64| GroupScore {
            group: name.into(),
            role,
            voted,
            value: Some(value),
            low: Some(value - 0.1),
            high: Some(value + 0.1),
            n: 40,
            unparseable: 0,
            failed: 0,
        };
        let events = [
            Event::Proposed(Proposed {
                candidate: prompt.id(),
                prompt: prompt.clone(),
                origin: Origin::Seed,
                parents: vec![],
            }),
            Event::Evaluated {
                candidate: prompt.id(),
                phase: Phase::Screen,
                score: 0.7,
                groups: vec![
                    group("amazon", GroupRole::Source, false, 0.8),
                    group("nyt", GroupRole::Target, true, 0.6),
                ],
            },
        ];
        let state = State {
            summary: Summary::of(&events),
            tick: None,
            planned: 100,
            began: Instant::now(),
        };
        let mut terminal = Terminal::new(TestBackend::new(80, HEIGHT)).unwrap();
        terminal.draw(|frame| draw(&state, frame)).unwrap();
        let screen = terminal.backend().to_string();
        for piece in [
            "starting",
            "best so far: Is it good?",
            "amazon",
            "80.0 [70, 90]",
            "nyt",
            "target, voted labels",
        ] {
            assert!(screen.contains(piece), "{piece:?} is not on:\n{screen}");
        }
    }

    #[test]
    fn a_tiny_terminal_does_not_panic() {
        let state = State {
            summary: Summary::default(),
            tick: None,
            planned: 0,
            began: Instant::now(),
        };
        for (width, height) in [(1, 1), (10, 2), (200, 60)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| draw(&state, frame)).unwrap();
        }
    }
}
