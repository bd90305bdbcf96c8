//! Keys and signs.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::keys;
use super::super::ui::ScreenUi;

/// What the signs mean.
const SIGNS: &[(&str, &str)] = &[
    ("▶ ★", "leads the race; selected"),
    ("● ✗ ·", "in the race; out; not judged yet"),
    (
        "✓ ✗ ? … !",
        "right; wrong; unparseable; cut off; failed call",
    ),
    ("├─●─┤", "score with its 95% interval"),
    ("n60v", "60 answers, graded by voted labels"),
];

/// Lines that the help can be scrolled through.
pub const LINES: usize = 25;

/// Draws the view.
pub fn draw(ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    let theme = ui.theme;
    let table = |title: &str, rows: &[(&str, &str)]| {
        let mut lines = vec![Line::styled(format!(" {title}"), theme.heading())];
        lines.extend(rows.iter().map(|(key, what)| {
            Line::from(vec![
                Span::styled(format!("  {key:20} "), theme.good()),
                Span::raw((*what).to_owned()),
            ])
        }));
        lines
    };
    let mut left = table("Keys", keys::HELP);
    let right = table("Signs", SIGNS);
    if area.width < 140 {
        left.extend(right);
        let scroll = ui.row.min(left.len().saturating_sub(1)) as u16;
        frame.render_widget(Paragraph::new(left).scroll((scroll, 0)), area);
        return;
    }
    let [keys, signs] =
        Layout::horizontal([Constraint::Length(72), Constraint::Min(40)]).areas(area);
    frame.render_widget(Paragraph::new(left), keys);
    frame.render_widget(Paragraph::new(right), signs);
}
