//! How the run goes: gauges, the leader's development, its groups.

use std::fmt::Write as _;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, Paragraph};
use shiftproof_search::budget::{BudgetLimits, Spend};
use shiftproof_search::event::{AuditedPrompt, GroupOutcome, GroupRole, Phase, ProgressTick};

use super::super::state::{LeaderPoint, ScreenState, ValueBand};
use super::super::ui::ScreenUi;
use super::{bar, cut, dot_plot, points};
use crate::headroom;
use crate::progress::clock;
use crate::report::{grouped, money, score, worst};
use crate::word_diff::one_line;

/// Draws the view.
pub fn draw(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    let gauges = gauges(state, ui, usize::from(area.width));
    let groups = leader_lines(state, ui, usize::from(area.width));
    if area.height < 16 || area.width < 60 {
        compact(state, ui, frame, area, gauges);
        return;
    }
    let [top, middle, bottom] = Layout::vertical([
        Constraint::Length(gauges.len() as u16),
        Constraint::Min(7),
        Constraint::Length((groups.len() as u16).min(area.height / 2)),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(gauges), top);
    curves(state, ui, frame, middle);
    frame.render_widget(Paragraph::new(groups), bottom);
}

/// What matters most, for a small screen.
fn compact(
    state: &ScreenState,
    ui: &ScreenUi,
    frame: &mut Frame<'_>,
    area: Rect,
    gauges: Vec<Line<'static>>,
) {
    let mut lines = Vec::new();
    if let Some(point) = state.curve.last() {
        for (name, band) in [("mean", point.mean), ("worst", point.worst)] {
            lines.push(Line::from(format!(" {name:5} {}", with_interval(band))));
        }
    }
    lines.extend(gauges);
    if let Some(leader) = state.summary.leader() {
        lines.push(Line::styled(
            format!(" {}", one_line(&leader.prompt)),
            ui.theme.faint(),
        ));
    }
    let width = usize::from(area.width);
    let lines: Vec<Line<'static>> = lines
        .into_iter()
        .map(|line| {
            let style = line.style;
            Line::styled(cut(&line.to_string(), width), style)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn with_interval(band: ValueBand) -> String {
    format!(
        "{} [{:.0}, {:.0}]",
        points(band.value),
        band.low * 100.0,
        band.high * 100.0
    )
}

/// Budget, rate, retries, concurrency, phase and time left.
fn gauges(state: &ScreenState, ui: &ScreenUi, width: usize) -> Vec<Line<'static>> {
    let theme = ui.theme;
    let mut lines = Vec::new();
    let spent = state.spent_calls();
    let limits = state.summary.started.as_ref().map(|started| started.limits);
    let bar_width = (width / 4).clamp(8, 40);
    let most = state.most_calls();
    // A limit on calls has a bar of its own.
    let limited = limits.is_some_and(|limits| limits.calls == most);
    if let Some(most) = most.filter(|_| !limited) {
        let share = if state.is_over() {
            1.0
        } else {
            spent as f64 / most as f64
        };
        lines.push(Line::from(vec![
            Span::raw(" plan    "),
            Span::styled(bar(share, bar_width), theme.good()),
            Span::raw(format!(" {} of ≤ {} calls", grouped(spent), grouped(most))),
        ]));
    }
    let used = state
        .summary
        .spent
        .or_else(|| state.tick.as_ref().map(|tick| tick.spent));
    if let (Some(limits), Some(used)) = (limits, used) {
        lines.extend(budget(limits, spent, used, bar_width, ui));
    }
    if let Some(found) = &state.summary.headroom {
        lines.push(Line::from(format!(" room    {}", headroom::brief(found))));
    }
    let facts = facts(state);
    if !facts.is_empty() {
        lines.push(Line::from(format!(" now     {}", facts.join(" · "))));
    }
    if let Some(used) = used {
        let mut text = format!(" spent   {} tokens", grouped(used.tokens()));
        if let Some(money) = money(&used) {
            let _ = write!(text, " · {money}");
        }
        lines.push(Line::from(text));
    }
    if let Some(tick) = &state.tick {
        let style = if state.failed > 0 {
            theme.bad()
        } else {
            Style::new()
        };
        let text = format!(" network {}", network(state, tick));
        lines.push(Line::styled(text, style));
    }
    if let Some((phase, plan)) = state.plans.last() {
        let mark = if state.replayed {
            " (from the store)"
        } else {
            ""
        };
        lines.push(Line::styled(
            cut(&format!(" phase   {phase}: {plan}{mark}"), width),
            theme.faint(),
        ));
    } else {
        lines.push(Line::styled(" waiting for the first event", theme.faint()));
    }
    lines
}

/// A bar for every limit.
fn budget(
    limits: BudgetLimits,
    calls: u64,
    used: Spend,
    width: usize,
    ui: &ScreenUi,
) -> Vec<Line<'static>> {
    let mut parts = Vec::new();
    if let Some(limit) = limits.calls {
        parts.push((
            calls as f64 / limit as f64,
            format!("{} of {} calls", grouped(calls), grouped(limit)),
        ));
    }
    if let Some(limit) = limits.tokens {
        let tokens = used.tokens();
        parts.push((
            tokens as f64 / limit as f64,
            format!("{} of {} tokens", grouped(tokens), grouped(limit)),
        ));
    }
    if let Some(limit) = limits.usd {
        parts.push((
            used.usd() / limit,
            format!("${:.4} of ${limit:.2}", used.usd()),
        ));
    }
    let line = |(share, text): (f64, String)| {
        let style = if share > 0.9 {
            ui.theme.bad()
        } else {
            ui.theme.good()
        };
        Line::from(vec![
            Span::raw(" budget  "),
            Span::styled(bar(share, width), style),
            Span::raw(format!(" {text}, {:.0}%", share * 100.0)),
        ])
    };
    parts.into_iter().map(line).collect()
}

/// The block of calls under way, its rate, and the time left.
fn facts(state: &ScreenState) -> Vec<String> {
    let Some(tick) = state.tick.as_ref().filter(|_| !state.is_over()) else {
        return Vec::new();
    };
    let mut facts = vec![format!("{} {}/{}", tick.phase, tick.done, tick.total)];
    if let Some(rate) = state.rate.per_second() {
        facts.push(format!("{rate:.1} calls/s"));
        let left = if tick.phase == Phase::Audit {
            tick.total.saturating_sub(tick.done)
        } else {
            let most = state.most_calls().unwrap_or(0);
            most.saturating_sub(state.spent_calls())
        };
        if rate > 0.0 && left > 0 && !tick.paused {
            facts.push(format!("ETA ≤ {}", clock(left as f64 / rate)));
        }
    }
    facts.push(format!("in flight {}/{}", tick.in_flight, tick.slots));
    facts
}

/// What the model's client counts.
fn network(state: &ScreenState, tick: &ProgressTick) -> String {
    let mut wire = Vec::new();
    if let Some(traffic) = &tick.traffic {
        wire.push(format!(
            "on the wire {}/{}",
            traffic.in_flight, traffic.limit
        ));
        wire.push(format!("waiting {}", traffic.waiting));
        wire.push(format!("retries {}", traffic.retries));
        wire.push(format!("throttled {}", traffic.rate_limited));
    }
    wire.push(format!("failed {}", state.failed));
    let unusable = state.summary.unusable.unusable();
    if unusable > 0 {
        wire.push(format!("unusable {unusable}"));
    }
    wire.extend(tick.status.clone());
    wire.join(" · ")
}

/// The leader's curves: mean on the left, worst group on the right.
fn curves(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    let halves: [Rect; 2] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
    let all = || state.curve.iter().flat_map(|p| [p.mean, p.worst]);
    let low = all().map(|band| band.low).fold(1.0, f64::min);
    let high = all().map(|band| band.high).fold(0.0, f64::max);
    let scale = if low < high {
        [(low * 20.0).floor() * 5.0, (high * 20.0).ceil() * 5.0]
    } else {
        [0.0, 100.0]
    };
    let last = state.curve.last();
    let who = match last {
        Some(point) if point.phase == Phase::Audit => "audited",
        _ => "leader",
    };
    let title = |name: &str, band: Option<ValueBand>| match band {
        Some(band) => format!(" {who}, {name}: {} ", with_interval(band)),
        None => format!(" {who}, {name} "),
    };
    let mean = title("mean", last.map(|point| point.mean));
    let worst = title("worst group", last.map(|point| point.worst));
    curve(state, ui, frame, halves[0], mean, scale, |point| point.mean);
    curve(state, ui, frame, halves[1], worst, scale, |point| {
        point.worst
    });
}

fn curve(
    state: &ScreenState,
    ui: &ScreenUi,
    frame: &mut Frame<'_>,
    area: Rect,
    title: String,
    scale: [f64; 2],
    pick: impl Fn(&LeaderPoint) -> ValueBand,
) {
    let block = Block::bordered()
        .border_style(ui.theme.faint())
        .title(Span::styled(title, ui.theme.heading()));
    if state.curve.is_empty() {
        let text = Paragraph::new(" no candidate is scored yet").style(ui.theme.faint());
        frame.render_widget(text.block(block), area);
        return;
    }
    let line = |of: fn(ValueBand) -> f64| -> Vec<(f64, f64)> {
        state
            .curve
            .iter()
            .map(|point| (point.calls as f64, of(pick(point)) * 100.0))
            .collect()
    };
    let (value, low, high) = (line(|b| b.value), line(|b| b.low), line(|b| b.high));
    let edge = |data| {
        Dataset::default()
            .marker(Marker::Dot)
            .graph_type(GraphType::Line)
            .style(ui.theme.faint())
            .data(data)
    };
    let datasets = vec![
        edge(&low),
        edge(&high),
        Dataset::default()
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(ui.theme.good())
            .data(&value),
    ];
    let first = state.curve[0].calls as f64;
    let last = state.curve.last().map_or(first, |point| point.calls as f64);
    let chart = Chart::new(datasets)
        .block(block)
        .x_axis(
            Axis::default()
                .bounds([first, last.max(first + 1.0)])
                .labels([
                    grouped(first as u64),
                    format!("{} calls", grouped(last as u64)),
                ])
                .style(ui.theme.faint()),
        )
        .y_axis(
            Axis::default()
                .bounds(scale)
                .labels([format!("{:.0}", scale[0]), format!("{:.0}", scale[1])])
                .style(ui.theme.faint()),
        );
    frame.render_widget(chart, area);
}

/// The leader by group; after the audit, what it came to.
fn leader_lines(state: &ScreenState, ui: &ScreenUi, width: usize) -> Vec<Line<'static>> {
    let theme = ui.theme;
    let Some(leader) = state.summary.leader() else {
        return vec![Line::styled(" no leader yet", theme.faint())];
    };
    let audited = state.summary.audited(AuditedPrompt::Selected);
    let (what, groups) = match (audited, state.summary.selected) {
        (Some(groups), _) => ("selected, audited", groups),
        (None, Some(_)) => ("selected", leader.groups.as_slice()),
        (None, None) => ("leading", leader.groups.as_slice()),
    };
    let head = format!(
        " {what} {:#} ({}): {}",
        leader.prompt.id(),
        leader.origin,
        one_line(&leader.prompt)
    );
    let mut lines = vec![Line::styled(cut(&head, width), theme.heading())];
    if state.summary.ending.is_some() && !state.summary.unverified.is_empty() {
        let text = format!(" verdict: {}", state.summary.verdict().sentence);
        lines.push(Line::styled(cut(&text, width), theme.notable()));
    }
    let lowest = worst(groups)
        .filter(|_| groups.len() > 1)
        .map(|group| group.group.clone());
    let plot = width.saturating_sub(68).clamp(10, 60);
    for group in groups {
        lines.push(group_line(group, lowest.as_ref(), plot, ui));
    }
    if let Some(difference) = &state.summary.worst {
        lines.push(Line::styled(
            format!(
                " {}, selected − seed: {:+.1} [{:+.0}, {:+.0}]",
                state.summary.worst_name(),
                difference.value * 100.0,
                difference.low * 100.0,
                difference.high * 100.0
            ),
            theme.notable(),
        ));
    }
    lines
}

fn group_line(
    group: &GroupOutcome,
    lowest: Option<&String>,
    plot: usize,
    ui: &ScreenUi,
) -> Line<'static> {
    let role = match (group.role, group.voted) {
        (_, true) => "target, voted",
        (GroupRole::Target, false) => "target",
        (GroupRole::Source, false) => "source",
    };
    let is_lowest = lowest == Some(&group.group);
    let style = if is_lowest {
        ui.theme.notable()
    } else {
        ui.theme.good()
    };
    let dots = ValueBand::of(group).map_or_else(
        || " ".repeat(plot),
        |band| dot_plot(band.low, band.value, band.high, plot),
    );
    Line::from(vec![
        Span::raw(format!("  {:14} ", cut(&group.group, 14))),
        Span::styled(dots, style),
        Span::raw(format!(
            " {:>17}  n {:<4} {role}{}",
            score(group),
            group.n,
            if is_lowest { " ◄ worst" } else { "" }
        )),
    ])
}
