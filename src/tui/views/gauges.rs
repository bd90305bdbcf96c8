//! What a run costs, how long it takes, and how the calls fare.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use shiftproof_search::budget::{BudgetLimits, Spend};
use shiftproof_search::event::{Phase, ProgressTick};

use super::super::state::ScreenState;
use super::super::ui::{ScreenUi, SourceKind};
use super::{bar, cut};
use crate::report::{grouped, money};
use crate::runs::pace::RemainingTime;
use crate::runs::progress::clock;
use crate::wording::headroom;

/// Cost and time, then the work under way.
pub(super) fn lines(state: &ScreenState, ui: &ScreenUi, width: usize) -> Vec<Line<'static>> {
    let theme = ui.theme;
    let mut lines = vec![Line::from(vec![
        Span::styled(" cost    ", theme.heading()),
        Span::raw(cost(state)),
    ])];
    lines.extend(bars(state, ui, width));
    lines.push(Line::from(vec![
        Span::styled(" time    ", theme.heading()),
        Span::raw(time(state, ui)),
    ]));
    if let Some(found) = &state.summary.headroom {
        lines.push(Line::from(format!(" room    {}", headroom::brief(found))));
    }
    if let Some(tick) = &state.tick {
        let style = if state.failed > 0 || state.pace.silence().is_some() {
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

/// Money first, where it is known.
fn cost(state: &ScreenState) -> String {
    let settled = state.summary.spent;
    let Some(used) = settled.or_else(|| state.tick.as_ref().map(|tick| tick.spent)) else {
        return "nothing yet".to_owned();
    };
    let spent = state.spent_calls();
    let calls = match state.most_calls().filter(|_| !state.is_over()) {
        Some(most) => format!("{} of ≤ {} calls", grouped(spent), grouped(most)),
        None => format!("{} calls", grouped(spent)),
    };
    let mut parts: Vec<String> = money(&used).into_iter().collect();
    parts.push(calls);
    parts.push(format!("{} tokens", grouped(used.tokens())));
    parts.join(" · ")
}

/// A bar of the plan where no limit on calls has one, then one a limit.
fn bars(state: &ScreenState, ui: &ScreenUi, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let spent = state.spent_calls();
    let limits = state.summary.started.as_ref().map(|started| started.limits);
    let bar_width = (width / 4).clamp(8, 40);
    let most = state.most_calls();
    let limited = limits.is_some_and(|limits| limits.calls == most);
    if let Some(most) = most.filter(|_| !limited && !state.is_over()) {
        let share = spent as f64 / most as f64;
        lines.push(Line::from(vec![
            Span::raw(" plan    "),
            Span::styled(bar(share, bar_width), ui.theme.good()),
            Span::raw(format!(" {:.0}%", share.min(1.0) * 100.0)),
        ]));
    }
    let used = state
        .summary
        .spent
        .or_else(|| state.tick.as_ref().map(|tick| tick.spent));
    if let (Some(limits), Some(used)) = (limits, used) {
        lines.extend(budget(limits, spent, used, bar_width, ui));
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

/// How long the run goes on, and how long it takes yet.
fn time(state: &ScreenState, ui: &ScreenUi) -> String {
    let mut parts = Vec::new();
    // Of a run of another process, or a recording, nobody knows here.
    if ui.kind == SourceKind::Run && !state.now.is_zero() {
        parts.push(format!("{} so far", clock(state.now.as_secs_f64())));
    }
    let tick = state.tick.as_ref().filter(|_| !state.is_over());
    if let Some(tick) = tick {
        let left = if tick.phase == Phase::Audit {
            tick.total.saturating_sub(tick.done)
        } else {
            let most = state.most_calls().unwrap_or(0);
            most.saturating_sub(state.spent_calls())
        };
        match state.pace.remaining(left) {
            RemainingTime::Measuring => parts.push("ETA measuring…".to_owned()),
            RemainingTime::AtMost(time) => {
                parts.push(format!("ETA ≤ {}", clock(time.as_secs_f64())));
            }
            RemainingTime::Unknown => {}
        }
        if let Some(rate) = state.pace.per_second() {
            parts.push(format!("{rate:.1} calls/s"));
        }
        parts.push(format!("{} {}/{}", tick.phase, tick.done, tick.total));
        parts.push(format!("in flight {}/{}", tick.in_flight, tick.slots));
    } else if state.is_over() {
        parts.push("the run has ended".to_owned());
    }
    if parts.is_empty() {
        parts.push("not known yet".to_owned());
    }
    parts.join(" · ")
}

/// What the model's client counts.
fn network(state: &ScreenState, tick: &ProgressTick) -> String {
    let mut wire = Vec::new();
    if let Some(silent) = state.pace.silence() {
        wire.push(format!("NOTHING BACK FOR {} s", silent.as_secs()));
    }
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
