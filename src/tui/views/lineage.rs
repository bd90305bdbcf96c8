//! Who was made from whom.

use std::fmt::Write as _;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::state::ScreenState;
use super::super::ui::ScreenUi;
use super::{candidates, cut, points, window};
use crate::wording::word_diff::one_line;

/// The tree from the top: depth signs and places in the state's order. A
/// candidate hangs below its first parent.
fn tree(state: &ScreenState) -> Vec<(String, usize)> {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); state.order.len()];
    let mut roots = Vec::new();
    for (place, id) in state.order.iter().enumerate() {
        let standing = state.summary.candidates.get(id);
        let parent = standing.and_then(|s| s.parents.first());
        // Parents are told before their children; what is not is a root.
        match parent.and_then(|parent| state.places.get(parent)) {
            Some(&parent) if parent < place => children[parent].push(place),
            _ => roots.push(place),
        }
    }
    let mut rows = Vec::with_capacity(state.order.len());
    let mut stack: Vec<(String, String, usize)> = roots
        .into_iter()
        .rev()
        .map(|root| (String::new(), String::new(), root))
        .collect();
    while let Some((sign, indent, place)) = stack.pop() {
        let below = &children[place];
        for (index, &child) in below.iter().enumerate().rev() {
            let last = index + 1 == below.len();
            let (branch, trunk) = if last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            // Deep trees keep to the left half of the screen.
            let indent = if indent.chars().count() > 30 {
                "… ".to_owned()
            } else {
                indent.clone()
            };
            stack.push((
                format!("{indent}{branch}"),
                format!("{indent}{trunk}"),
                child,
            ));
        }
        rows.push((sign, place));
    }
    rows
}

/// Candidates in the order of the tree.
pub fn listed(state: &ScreenState) -> Vec<usize> {
    tree(state).into_iter().map(|(_, place)| place).collect()
}

/// Draws the view.
pub fn draw(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    let rows = tree(state);
    if rows.is_empty() {
        let text = Paragraph::new(" no candidate is proposed yet").style(ui.theme.faint());
        frame.render_widget(text, area);
        return;
    }
    let selected = ui.selected(state);
    let cursor = rows.iter().position(|(_, place)| Some(*place) == selected);
    let height = usize::from(area.height);
    let first = window(rows.len(), cursor.unwrap_or(0), height);
    let width = usize::from(area.width);
    let mut lines = Vec::new();
    for (index, (sign, place)) in rows.iter().enumerate().skip(first).take(height) {
        let id = state.order[*place];
        let Some(standing) = state.summary.candidates.get(&id) else {
            continue;
        };
        let (mark, word) = candidates::sign(state, id);
        let score = standing.score.map_or_else(|| "-".to_owned(), points);
        let others = standing.parents.get(1..).unwrap_or(&[]);
        let mut with = String::new();
        for other in others {
            let _ = write!(with, " + {other:#}");
        }
        let branch = format!(" {sign}");
        let text = format!(
            "{mark} {id:#}{with} {score:>5} {}: {}",
            standing.origin,
            one_line(&standing.prompt)
        );
        let room = width.saturating_sub(branch.chars().count());
        let style = if cursor == Some(index) {
            ui.theme.selected()
        } else {
            candidates::style(ui, word)
        };
        lines.push(Line::from(vec![
            Span::styled(branch, ui.theme.faint()),
            Span::styled(cut(&text, room), style),
        ]));
    }
    frame.render_widget(Paragraph::new(lines), area);
}
