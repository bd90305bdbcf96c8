//! The frame around every view: title, tabs, body, last line.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::state::ScreenState;
use super::super::ui::{ScreenUi, ScreenView, SourceKind};
use super::{body, cut};
use crate::report::grouped;
use crate::wording::shown::deceives;

/// Below this the views are cut short, and the last line says so.
const WIDTH: u16 = 80;
const HEIGHT: u16 = 24;

/// Draws everything.
pub fn draw(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>) {
    let area = frame.area();
    let [title, tabs, middle, last] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(u16::from(area.height > 2)),
        Constraint::Min(0),
        Constraint::Length(u16::from(area.height > 1)),
    ])
    .areas(area);
    frame.render_widget(title_line(state, ui, title.width), title);
    frame.render_widget(tab_line(ui, tabs.width), tabs);
    if middle.height > 0 && middle.width > 0 {
        body(state, ui, frame, middle);
    }
    frame.render_widget(last_line(ui, area), last);
    disarm(frame.buffer_mut());
}

/// Takes what would steer the terminal out of every cell, whichever view put it
/// there: the last thing before a frame is shown.
fn disarm(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if cell.symbol().chars().any(deceives) {
            let rest: String = cell.symbol().chars().filter(|c| !deceives(*c)).collect();
            cell.set_symbol(if rest.is_empty() { " " } else { &rest });
        }
    }
}

fn title_line(state: &ScreenState, ui: &ScreenUi, width: u16) -> Line<'static> {
    let theme = ui.theme;
    let study = match &state.summary.started {
        Some(started) => format!("{} · {} · seed {}", ui.run, started.method, started.seed),
        None => ui.run.clone(),
    };
    let phase = match (state.summary.ending, state.summary.phase) {
        (Some(shiftproof_search::event::RunEnding::Completed), _) => "finished".to_owned(),
        (Some(_), _) => "finished, budget exhausted".to_owned(),
        (None, Some(phase)) => phase.to_string(),
        (None, None) => "starting".to_owned(),
    };
    let calls = match (state.spent_calls(), state.most_calls()) {
        (0, _) => String::new(),
        (calls, Some(most)) if !state.is_over() => {
            format!(" · {} of ≤ {} calls", grouped(calls), grouped(most))
        }
        (calls, _) => format!(" · {} calls", grouped(calls)),
    };
    let mut notes = Vec::new();
    if ui.paused || state.tick.as_ref().is_some_and(|tick| tick.paused) {
        notes.push("PAUSED".to_owned());
    }
    if ui.stopping && !ui.done {
        notes.push("STOPPING".to_owned());
    }
    if let Some(playback) = ui.playback {
        notes.push(format!(
            "replay ×{} {}/{}",
            playback.speed, playback.done, playback.total
        ));
    }
    if let Some(process) = &ui.process {
        notes.push(process.clone());
    }
    let notes = notes.join(" · ");
    let room = usize::from(width).saturating_sub(notes.chars().count() + 1);
    let left = cut(&format!(" {phase}{calls} · {study}"), room);
    let gap = usize::from(width).saturating_sub(left.chars().count() + notes.chars().count());
    Line::from(vec![
        Span::styled(left, theme.heading()),
        Span::raw(" ".repeat(gap)),
        Span::styled(notes, theme.notable().patch(theme.heading())),
    ])
}

fn tab_line(ui: &ScreenUi, width: u16) -> Line<'static> {
    let theme = ui.theme;
    if width < 72 {
        let (name, _) = ui.view.names();
        return Line::from(vec![
            Span::styled(format!(" {name} "), theme.selected()),
            Span::styled(" Tab next · ? help", theme.faint()),
        ]);
    }
    let full = width >= 100;
    let mut spans = Vec::new();
    for view in ScreenView::ALL {
        let (name, short) = view.names();
        let name = if full { name } else { short };
        let style = if view == ui.view {
            theme.selected()
        } else {
            Style::new()
        };
        spans.push(Span::styled(format!(" {name} "), style));
    }
    Line::from(spans)
}

fn last_line(ui: &ScreenUi, area: Rect) -> Paragraph<'static> {
    let theme = ui.theme;
    let (text, style) = if ui.asked_to_stop {
        (
            " Stop and save the run? It can be resumed. y / n".to_owned(),
            theme.selected(),
        )
    } else if let Some(message) = &ui.message {
        (format!(" {message}"), theme.notable())
    } else if ui.done {
        (
            " The run has ended. q closes and prints the report.".to_owned(),
            theme.notable(),
        )
    } else if area.width < WIDTH || area.height < HEIGHT {
        (
            format!(" {}×{} is small; all fits 80×24", area.width, area.height),
            theme.faint(),
        )
    } else {
        (hints(ui), theme.faint())
    };
    Paragraph::new(cut(&text, usize::from(area.width))).style(style)
}

fn hints(ui: &ScreenUi) -> String {
    let mut hints = vec![match ui.view {
        ScreenView::Candidates => "↑↓ move · Enter prompt · o r sort · f in race",
        ScreenView::Matrix => "↑↓ ←→ move · Enter prompt · o sort · f in race",
        ScreenView::Prompt => "←→ candidates · ↑↓ scroll · d parent/seed · e export",
        ScreenView::Lineage => "↑↓ move · Enter prompt",
        ScreenView::Examples => "↑↓ move · ←→ group · f failures · x in full",
        ScreenView::Failures => "↑↓ move · ←→ group · x back",
        ScreenView::Calls | ScreenView::Votes => "↑↓ move",
        ScreenView::Overview => "1-8 views · x failures · e export",
        ScreenView::Help => "↑↓ move · Esc back",
    }];
    hints.push(match ui.kind {
        SourceKind::Run => "p pause · q stop and save",
        SourceKind::Watch => "q leave",
        SourceKind::Replay => "p pause · +- speed · . , event · ] [ phase · q leave",
    });
    if ui.view != ScreenView::Help {
        hints.push("? help");
    }
    format!(" {}", hints.join(" · "))
}
