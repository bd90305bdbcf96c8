//! Candidates against groups: every score with its interval and sample.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Cell, Paragraph, Row, Table};
use shiftproof_search::event::{AuditedPrompt, GroupOutcome};

use super::super::state::ScreenState;
use super::super::ui::ScreenUi;
use super::{candidates, cut, window};

/// Columns of one cell: `78.5 [69, 85] n120v`.
const CELL: u16 = 20;
/// Columns of the names.
const NAME: u16 = 17;

/// Draws the view.
pub fn draw(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    let groups = state.groups();
    let places = candidates::listed(state, ui);
    if places.is_empty() || groups.is_empty() {
        let text = Paragraph::new(" no candidate is scored yet").style(ui.theme.faint());
        frame.render_widget(text, area);
        return;
    }
    let shown = usize::from(area.width.saturating_sub(NAME) / (CELL + 1)).max(1);
    let first_column = ui.column.min(groups.len().saturating_sub(1));
    let columns: Vec<&String> = groups.iter().skip(first_column).take(shown).collect();
    let audited = &state.summary.audited;
    let foot = audited.len() as u16 + u16::from(!audited.is_empty());
    let [list, below, legend] = Layout::vertical([
        Constraint::Min(2),
        Constraint::Length(if area.height > foot + 6 { foot } else { 0 }),
        Constraint::Length(u16::from(area.height > 8)),
    ])
    .areas(area);
    let scale = scale(state);
    let mut widths = vec![Constraint::Length(NAME)];
    widths.extend(columns.iter().map(|_| Constraint::Length(CELL)));
    let row = |name: String, scores: &[GroupOutcome], style: Style| {
        let cells = columns.iter().map(|group| {
            let score = scores.iter().find(|score| score.group == **group);
            cell(score, scale, ui)
        });
        let name = Cell::new(name).style(style);
        Row::new(std::iter::once(name).chain(cells))
    };
    let selected = ui.selected(state);
    let cursor = places.iter().position(|place| Some(*place) == selected);
    let height = usize::from(list.height.saturating_sub(1));
    let first = window(places.len(), cursor.unwrap_or(0), height);
    let rows = places.iter().enumerate().skip(first).take(height);
    let rows = rows.filter_map(|(index, &place)| {
        let id = state.order[place];
        let standing = state.summary.candidates.get(&id)?;
        let (mark, word) = candidates::sign(state, id);
        let style = if cursor == Some(index) {
            ui.theme.selected()
        } else {
            candidates::style(ui, word)
        };
        let pointer = if cursor == Some(index) { "›" } else { " " };
        let name = format!("{pointer}{mark} {id:#} {}", standing.origin);
        Some(row(cut(&name, usize::from(NAME)), &standing.groups, style))
    });
    let header = Row::new(
        std::iter::once("  candidate".to_owned()).chain(columns.iter().map(|group| {
            let role = state.summary.started.as_ref().and_then(|started| {
                let info = started.groups.iter().find(|info| info.name == **group)?;
                Some(info.role.to_string())
            });
            cut(
                &format!("{group} {}", role.unwrap_or_default()),
                usize::from(CELL),
            )
        })),
    )
    .style(ui.theme.heading());
    frame.render_widget(Table::new(rows, widths.clone()).header(header), list);
    let sealed = audited.iter().map(|audited| {
        let name = match audited.contestant {
            AuditedPrompt::Seed => "  seed",
            AuditedPrompt::Selected => "★ selected",
            AuditedPrompt::Ensemble => "  ensemble",
        };
        row(name.to_owned(), &audited.groups, ui.theme.notable())
    });
    let heading = Row::new(["sealed audit"]).style(ui.theme.heading());
    frame.render_widget(
        Table::new(std::iter::once(heading).chain(sealed), widths),
        below,
    );
    let hidden = groups.len() - columns.len();
    let mut text = format!(
        " score [95% interval] n answers; v: voted labels, !: unparseable, cut off, failed · scale {:.0} to {:.0}",
        scale.0 * 100.0,
        scale.1 * 100.0
    );
    if hidden > 0 {
        text = format!(" ←→ for {hidden} more groups ·{text}");
    }
    let text = cut(&text, usize::from(area.width));
    frame.render_widget(Line::styled(text, ui.theme.faint()), legend);
}

/// Lowest and highest score on the screen: what the darkest and the lightest
/// ground stand for.
fn scale(state: &ScreenState) -> (f64, f64) {
    let standings = state.summary.candidates.values().map(|s| &s.groups);
    let audited = state.summary.audited.iter().map(|a| &a.groups);
    let values = || {
        standings
            .clone()
            .chain(audited.clone())
            .flatten()
            .filter_map(|group| group.value)
    };
    let low = values().fold(1.0, f64::min);
    let high = values().fold(0.0, f64::max);
    if low < high { (low, high) } else { (0.0, 1.0) }
}

fn cell(score: Option<&GroupOutcome>, scale: (f64, f64), ui: &ScreenUi) -> Cell<'static> {
    let Some(score) = score else {
        return Cell::new("  -").style(ui.theme.faint());
    };
    let (Some(value), Some(low), Some(high)) = (score.value, score.low, score.high) else {
        return Cell::new(format!("undefined n{}", score.n)).style(ui.theme.faint());
    };
    let voted = if score.voted { "v" } else { "" };
    let trouble = if score.unusable() > 0 { "!" } else { "" };
    let text = format!(
        "{:>5.1} [{:.0}, {:.0}] n{}{voted}{trouble}",
        value * 100.0,
        low * 100.0,
        high * 100.0,
        score.n
    );
    let share = (value - scale.0) / (scale.1 - scale.0);
    Cell::new(text).style(ui.theme.heat(share))
}
