//! The leader of the races against the seed prompt, call by call.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, Paragraph};

use super::super::state::{LeaderPoint, RaceScores, ScreenState, ValueBand};
use super::super::ui::ScreenUi;
use super::{bar, points};
use crate::report::grouped;

/// One chart: what it is of, and which score it shows.
struct RaceChart {
    name: &'static str,
    /// The same where there is little room.
    short: &'static str,
    pick: fn(&RaceScores) -> Option<ValueBand>,
}

/// What there is to show. By voted labels only where there are none by true ones: the two
/// do not compare, so they never share a chart.
fn charts(state: &ScreenState) -> Vec<RaceChart> {
    let has = |pick: fn(&RaceScores) -> Option<ValueBand>| {
        state
            .curve
            .iter()
            .any(|point| pick(&point.scores).is_some())
    };
    let target = RaceChart {
        name: "worst target",
        short: "worst target",
        pick: |scores| scores.target,
    };
    let voted = RaceChart {
        name: "worst target by VOTED labels",
        short: "voted target",
        pick: |scores| scores.voted,
    };
    let source = RaceChart {
        name: "source",
        short: "source",
        pick: |scores| scores.source,
    };
    let of_target = [target, voted].into_iter().find(|chart| has(chart.pick));
    let of_source = Some(source).filter(|chart| has(chart.pick));
    of_target.into_iter().chain(of_source).collect()
}

/// Draws the charts side by side.
pub(super) fn draw(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    let charts = charts(state);
    if charts.is_empty() {
        nothing_yet(state, ui, frame, area);
        return;
    }
    let areas = Layout::horizontal(charts.iter().map(|_| Constraint::Fill(1))).split(area);
    for (chart, area) in charts.iter().zip(areas.iter()) {
        draw_chart(chart, state, ui, frame, *area);
    }
}

/// What is under way before the first race tells of a leader.
fn nothing_yet(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::bordered()
        .border_style(ui.theme.faint())
        .title(Span::styled(
            " no prompt is scored yet ",
            ui.theme.heading(),
        ));
    let mut lines = vec![Line::styled(
        " the first race tells who leads, and how the seed prompt does beside it",
        ui.theme.faint(),
    )];
    if let Some(tick) = &state.tick {
        let share = tick.done as f64 / tick.total.max(1) as f64;
        lines.push(Line::from(vec![
            Span::raw(format!(" {:9} ", tick.phase)),
            Span::styled(bar(share, usize::from(area.width / 3)), ui.theme.good()),
            Span::raw(format!(
                " {} of {} answers",
                grouped(tick.done),
                grouped(tick.total)
            )),
        ]));
    }
    if !state.order.is_empty() {
        let count = grouped(state.order.len() as u64);
        lines.push(Line::from(format!(" {count} prompts are to race")));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// The seed's score in the races of a phase; in one under way, that of the last.
fn seed_at(chart: &RaceChart, state: &ScreenState, point: &LeaderPoint) -> Option<ValueBand> {
    let of_phase = state
        .seeds
        .iter()
        .rev()
        .find(|(phase, _)| *phase == point.phase);
    let any = || state.seeds.iter().rev().find_map(|(_, s)| (chart.pick)(s));
    of_phase
        .and_then(|(_, scores)| (chart.pick)(scores))
        .or_else(any)
}

fn draw_chart(
    chart: &RaceChart,
    state: &ScreenState,
    ui: &ScreenUi,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let theme = ui.theme;
    let line = |of: fn(ValueBand) -> f64| -> Vec<(f64, f64)> {
        let scored = state.curve.iter().filter_map(|point| {
            let band = (chart.pick)(&point.scores)?;
            Some((point.calls as f64, of(band) * 100.0))
        });
        scored.collect()
    };
    let (value, low, high) = (line(|b| b.value), line(|b| b.low), line(|b| b.high));
    let seed: Vec<(f64, f64)> = state
        .curve
        .iter()
        .filter(|point| (chart.pick)(&point.scores).is_some())
        .filter_map(|point| {
            let band = seed_at(chart, state, point)?;
            Some((point.calls as f64, band.value * 100.0))
        })
        .collect();
    let lowest = low.iter().chain(&seed).map(|at| at.1).fold(100.0, f64::min);
    let highest = high.iter().chain(&seed).map(|at| at.1).fold(0.0, f64::max);
    let scale = if lowest < highest {
        [(lowest / 5.0).floor() * 5.0, (highest / 5.0).ceil() * 5.0]
    } else {
        [0.0, 100.0]
    };
    let figure = |line: &[(f64, f64)]| line.last().map(|at| points(at.1 / 100.0));
    let is_wide = area.width >= 56;
    let legend = |sign: &str, who: &str, line: &[(f64, f64)]| match figure(line) {
        Some(figure) if is_wide => format!("{sign}{sign} {who} {figure} "),
        Some(figure) => format!("{sign}{who} {figure} "),
        None => String::new(),
    };
    let title = vec![
        Span::styled(
            format!(" {} ", if is_wide { chart.name } else { chart.short }),
            theme.heading(),
        ),
        Span::styled(legend("━", "leader", &value), theme.good()),
        Span::styled(legend("┄", "seed", &seed), theme.notable()),
    ];
    let block = Block::bordered()
        .border_style(theme.faint())
        .title(Line::from(title));
    let block = if area.height >= 9 {
        block.title_bottom(Line::styled(" dots around: 95% interval ", theme.faint()))
    } else {
        block
    };
    let drawn = |data, marker, style| {
        Dataset::default()
            .marker(marker)
            .graph_type(GraphType::Line)
            .style(style)
            .data(data)
    };
    let (first, last) = match (value.first(), value.last()) {
        (Some(first), Some(last)) => (first.0, last.0.max(first.0 + 1.0)),
        _ => (0.0, 1.0),
    };
    // What is known in one place only is a line all the same.
    let across = |line: Vec<(f64, f64)>| match line.as_slice() {
        [only] => vec![(first, only.1), (last, only.1)],
        _ => line,
    };
    let [value, low, high, seed] = [value, low, high, seed].map(across);
    let datasets = vec![
        drawn(&low, Marker::Custom('·'), theme.faint()),
        drawn(&high, Marker::Custom('·'), theme.faint()),
        drawn(&seed, Marker::Custom('┄'), theme.notable()),
        drawn(&value, Marker::Braille, theme.good()),
    ];
    let axis = |bounds, labels: [String; 2]| {
        Axis::default()
            .bounds(bounds)
            .labels(labels)
            .style(theme.faint())
    };
    let calls = [
        grouped(first as u64),
        format!("{} calls", grouped(last as u64)),
    ];
    let shares = scale.map(|share| format!("{share:.0}"));
    let drawing = Chart::new(datasets)
        .block(block)
        .legend_position(None)
        .x_axis(axis([first, last], calls))
        .y_axis(axis(scale, shares));
    frame.render_widget(drawing, area);
}
