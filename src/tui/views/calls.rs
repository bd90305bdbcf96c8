//! The calls that ended lately: how long they took, and what went wrong.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Row, Sparkline, Table};

use super::super::state::ScreenState;
use super::super::ui::{ScreenUi, SourceKind};
use super::{cut, window};
use crate::runs::progress::clock;

/// Draws the view.
pub fn draw(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    let theme = ui.theme;
    if state.calls.is_empty() {
        let text = match ui.kind {
            SourceKind::Replay => " calls are shown while a run goes on; a recording has none",
            _ if state.is_over() => " the run has ended",
            _ => " no call has ended yet; answers from the store make none",
        };
        frame.render_widget(Paragraph::new(text).style(theme.faint()), area);
        return;
    }
    let roomy = area.height >= 14;
    let [facts, graph, list] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(if roomy { 4 } else { 0 }),
        Constraint::Min(2),
    ])
    .areas(area);
    let mut latencies: Vec<Duration> = state.calls.iter().map(|call| call.latency).collect();
    latencies.sort_unstable();
    let quantile = |share: f64| {
        let index = (share * (latencies.len() - 1) as f64).round() as usize;
        short(latencies[index])
    };
    let rate = state.pace.per_second();
    let text = format!(
        " last {}: median {} · 90% within {} · slowest {} · {} · failed {}",
        latencies.len(),
        quantile(0.5),
        quantile(0.9),
        quantile(1.0),
        rate.map_or_else(|| "-".into(), |rate| format!("{rate:.1} calls/s")),
        state.failed
    );
    frame.render_widget(Line::styled(text, theme.heading()), facts);
    let shown = usize::from(area.width).min(state.calls.len());
    let bars: Vec<u64> = state
        .calls
        .iter()
        .skip(state.calls.len() - shown)
        .map(|call| call.latency.as_micros() as u64)
        .collect();
    frame.render_widget(Sparkline::default().data(&bars).style(theme.good()), graph);

    let cursor = ui.row.min(state.calls.len() - 1);
    let height = usize::from(list.height.saturating_sub(1));
    let first = window(state.calls.len(), cursor, height);
    let rows = state
        .calls
        .iter()
        .rev()
        .enumerate()
        .skip(first)
        .take(height);
    let rows = rows.map(|(index, call)| {
        let outcome = match (&call.error, call.failed) {
            (Some(error), _) => format!("✗ {error}"),
            (None, 0) => "✓".to_owned(),
            (None, failed) => format!("✗ {failed} failed"),
        };
        let row = Row::new([
            clock(call.at.as_secs_f64()),
            call.phase.to_string(),
            call.calls.to_string(),
            short(call.latency),
            call.tokens.to_string(),
            cut(&outcome, usize::from(area.width)),
        ]);
        row.style(match (index == cursor, call.failed) {
            (true, _) => theme.selected(),
            (false, 0) => ratatui::style::Style::new(),
            (false, _) => theme.bad(),
        })
    });
    let header = Row::new(["after", "phase", "calls", "latency", "tokens", "outcome"]);
    let widths = [
        Constraint::Length(9),
        Constraint::Length(if area.width < 60 { 0 } else { 9 }),
        Constraint::Length(6),
        Constraint::Length(9),
        Constraint::Length(if area.width < 60 { 0 } else { 7 }),
        Constraint::Min(8),
    ];
    let table = Table::new(rows, widths).header(header.style(theme.faint()));
    frame.render_widget(table, list);
}

fn short(latency: Duration) -> String {
    let seconds = latency.as_secs_f64();
    if seconds >= 10.0 {
        clock(seconds)
    } else if seconds >= 1.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{:.1} ms", seconds * 1e3)
    }
}
