//! All candidates: where they stand and why.

use std::cmp::Ordering;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Row, Table, Wrap};
use shiftproof_tasks::PromptId;

use super::super::state::{ScreenState, ValueBand};
use super::super::ui::{CandidateSort, ScreenUi};
use super::{cut, points, window};
use crate::report::{CandidateStanding, worst};
use crate::wording::word_diff::flat;

/// Rows for the selected candidate's text and reason.
const DETAIL: u16 = 5;

/// Candidates as places in the state's order, sorted and filtered.
pub fn listed(state: &ScreenState, ui: &ScreenUi) -> Vec<usize> {
    let races = state.summary.last_races();
    let mut keyed: Vec<(f64, usize)> = state
        .order
        .iter()
        .enumerate()
        .filter_map(|(place, id)| {
            let standing = state.summary.candidates.get(id)?;
            if ui.racing && !standing.kept {
                return None;
            }
            // Scores of different races are on different examples: the latest comes first.
            let race = races.get(id).map_or(0.0, |race| 10.0 * (*race + 1) as f64);
            let scored = standing.score.map(|score| race + score);
            let key = match ui.sort {
                CandidateSort::Score => scored,
                CandidateSort::Mean => mean(standing),
                CandidateSort::Worst => worst(&standing.groups).and_then(|group| group.value),
                CandidateSort::Standing => {
                    let inside = if standing.kept { 1e6 } else { 0.0 };
                    Some(inside + scored.unwrap_or(0.0))
                }
                CandidateSort::Proposed => Some(-(place as f64)),
            };
            Some((key.unwrap_or(f64::NEG_INFINITY), place))
        })
        .collect();
    keyed.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap_or(Ordering::Equal));
    if ui.reverse {
        keyed.reverse();
    }
    keyed.into_iter().map(|(_, place)| place).collect()
}

fn mean(standing: &CandidateStanding) -> Option<f64> {
    ValueBand::mean(&standing.groups).map(|band| band.value)
}

/// A sign and a word for how a candidate stands.
pub fn sign(state: &ScreenState, id: PromptId) -> (&'static str, &'static str) {
    let Some(standing) = state.summary.candidates.get(&id) else {
        return ("?", "unknown");
    };
    if state.summary.selected == Some(id) {
        ("★", "selected")
    } else if !standing.kept {
        ("✗", "out")
    } else if standing.score.is_none() {
        ("·", "new")
    } else if state.summary.selected.is_none()
        && state.leader().map(|place| state.order[place]) == Some(id)
    {
        ("▶", "leads")
    } else {
        ("●", "in")
    }
}

/// The style that goes with the sign.
pub fn style(ui: &ScreenUi, word: &str) -> Style {
    match word {
        "selected" | "leads" => ui.theme.notable(),
        "in" => ui.theme.good(),
        "out" => ui.theme.faint(),
        _ => Style::new(),
    }
}

/// Columns of the origin's name.
const ORIGIN: u16 = 10;

/// The columns that fit; a narrow screen does without some.
struct VisibleColumns(&'static [usize]);

impl VisibleColumns {
    const WIDTHS: [u16; 9] = [10, 9, 6, 6, 6, 9, 5, ORIGIN, 10];

    fn that_fit(width: u16) -> Self {
        Self(match width {
            0..60 => &[0, 1, 2, 4, 8],
            60..80 => &[0, 1, 2, 3, 4, 6, 8],
            80.. => &[0, 1, 2, 3, 4, 5, 6, 7, 8],
        })
    }

    fn pick(&self, mut cells: [String; 9]) -> Vec<String> {
        let picked = self
            .0
            .iter()
            .map(|&column| std::mem::take(&mut cells[column]));
        picked.collect()
    }

    fn widths(&self) -> Vec<Constraint> {
        let widths = self.0.iter().map(|&column| match column {
            8 => Constraint::Min(Self::WIDTHS[8]),
            column => Constraint::Length(Self::WIDTHS[column]),
        });
        widths.collect()
    }
}

/// Draws the view.
pub fn draw(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    let places = listed(state, ui);
    if places.is_empty() {
        let text = if ui.racing && !state.order.is_empty() {
            " no candidate is in the race; f shows all"
        } else {
            " no candidate is proposed yet"
        };
        frame.render_widget(Paragraph::new(text).style(ui.theme.faint()), area);
        return;
    }
    let detail = if area.height >= 12 { DETAIL } else { 0 };
    let [list, below] =
        Layout::vertical([Constraint::Min(2), Constraint::Length(detail)]).areas(area);
    let columns = VisibleColumns::that_fit(area.width);
    let selected = ui.selected(state);
    let cursor = places.iter().position(|place| Some(*place) == selected);
    let height = usize::from(list.height.saturating_sub(1));
    let first = window(places.len(), cursor.unwrap_or(0), height);
    let rows = places.iter().enumerate().skip(first).take(height);
    let rows = rows.filter_map(|(index, &place)| {
        let id = state.order[place];
        let standing = state.summary.candidates.get(&id)?;
        let (mark, word) = sign(state, id);
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), points);
        let n: usize = standing.groups.iter().map(|group| group.n).sum();
        let low = worst(&standing.groups);
        let row = Row::new(columns.pick([
            format!("{mark} {word}"),
            format!("{id:#}"),
            number(standing.score),
            number(mean(standing)),
            number(low.and_then(|group| group.value)),
            low.map_or_else(String::new, |group| {
                // As in the matrix: v for voted labels.
                let mark = if group.voted { "·v" } else { "" };
                format!("{}{mark}", cut(&group.group, 9 - mark.chars().count()))
            }),
            n.to_string(),
            cut(&standing.origin.to_string(), usize::from(ORIGIN)),
            standing.reason.clone().unwrap_or_default(),
        ]));
        Some(row.style(if cursor == Some(index) {
            ui.theme.selected()
        } else {
            style(ui, word)
        }))
    });
    let arrow = |sort: CandidateSort| match (ui.sort == sort, ui.reverse) {
        (true, false) => format!("{}↓", sort.name()),
        (true, true) => format!("{}↑", sort.name()),
        (false, _) => sort.name().to_owned(),
    };
    let header = Row::new(columns.pick([
        arrow(CandidateSort::Standing),
        match ui.sort {
            CandidateSort::Proposed => format!("id{}", if ui.reverse { "↑" } else { "↓" }),
            _ => "id".to_owned(),
        },
        arrow(CandidateSort::Score),
        arrow(CandidateSort::Mean),
        arrow(CandidateSort::Worst),
        "group".to_owned(),
        "n".to_owned(),
        "origin".to_owned(),
        format!("reason · {} of {}", places.len(), state.order.len()),
    ]))
    .style(ui.theme.heading());
    let widths = columns.widths();
    frame.render_widget(Table::new(rows, widths).header(header), list);
    if let Some(standing) =
        selected.and_then(|place| state.summary.candidates.get(&state.order[place]))
    {
        let reason = standing.reason.as_deref().unwrap_or("not judged yet");
        let place =
            selected.and_then(|place| state.summary.last_races().get(&state.order[place]).copied());
        let race = place.and_then(|place| state.summary.phases.get(place));
        let reason = race.map_or_else(
            || reason.to_owned(),
            |race| format!("{reason} · score of the race {}", race.phase),
        );
        let mut lines = vec![
            Line::styled("─".repeat(usize::from(area.width)), ui.theme.faint()),
            Line::styled(format!(" {reason}"), ui.theme.faint()),
        ];
        let text = flat(&standing.prompt);
        lines.extend(text.lines().map(|line| Line::from(format!(" {line}"))));
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), below);
    }
}
