//! One file a view: pure functions of state and user's position.

pub mod calls;
pub mod candidates;
mod curves;
pub mod examples;
pub mod failures;
mod frame;
mod gauges;
pub mod help;
pub mod lineage;
pub mod matrix;
pub mod overview;
pub mod prompt;
pub mod votes;

use ratatui::Frame;
use ratatui::layout::Rect;

pub use frame::draw;

use super::state::ScreenState;
use super::ui::{ScreenUi, ScreenView};

/// Draws the body of the view.
fn body(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    match ui.view {
        ScreenView::Overview => overview::draw(state, ui, frame, area),
        ScreenView::Candidates => candidates::draw(state, ui, frame, area),
        ScreenView::Matrix => matrix::draw(state, ui, frame, area),
        ScreenView::Prompt => prompt::draw(state, ui, frame, area),
        ScreenView::Lineage => lineage::draw(state, ui, frame, area),
        ScreenView::Examples => examples::draw(state, ui, frame, area),
        ScreenView::Failures => failures::draw(state, ui, frame, area),
        ScreenView::Calls => calls::draw(state, ui, frame, area),
        ScreenView::Votes => votes::draw(state, ui, frame, area),
        ScreenView::Help => help::draw(ui, frame, area),
    }
}

/// Rows that the cursor of a view without candidates can be on.
pub fn rows(state: &ScreenState, ui: &ScreenUi) -> usize {
    match ui.view {
        ScreenView::Examples => examples::listed(state, ui).len(),
        ScreenView::Failures => failures::listed(state, ui).len(),
        ScreenView::Calls => state.calls.len(),
        ScreenView::Votes => state.summary.voted.as_ref().map_or(0, |v| v.votes.len()),
        ScreenView::Prompt => prompt::LINES,
        ScreenView::Help => help::LINES,
        _ => 0,
    }
}

/// The first of `rows` rows to show so that the one at `cursor` is among
/// `height`, near the middle where there is a choice.
fn window(rows: usize, cursor: usize, height: usize) -> usize {
    cursor
        .saturating_sub(height / 2)
        .min(rows.saturating_sub(height))
}

/// A text cut to `width` columns, with an ellipsis where something is cut off.
fn cut(text: &str, width: usize) -> String {
    crate::wording::table::cut(&crate::wording::shown::line(text), width)
}

/// A share in points of a hundred.
fn points(value: f64) -> String {
    format!("{:.1}", value * 100.0)
}

/// A bar of `width` columns, filled to `share`.
fn bar(share: f64, width: usize) -> String {
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let filled = (share * width as f64).round() as usize;
    format!("{}{}", "█".repeat(filled), "░".repeat(width - filled))
}

/// An interval on a scale from 0 to 1 of `width` columns: `├──●──┤`.
fn dot_plot(low: f64, value: f64, high: f64, width: usize) -> String {
    if width < 3 {
        return String::new();
    }
    let at = |x: f64| (x.clamp(0.0, 1.0) * (width - 1) as f64).round() as usize;
    let (low, value, high) = (at(low), at(value), at(high));
    (0..width)
        .map(|column| {
            if column == value {
                '●'
            } else if column == low {
                '├'
            } else if column == high {
                '┤'
            } else if column > low && column < high {
                '─'
            } else {
                '·'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_holds_cursor() {
        for rows in 0..30 {
            for cursor in 0..rows.max(1) {
                let first = window(rows, cursor, 7);
                assert!(rows == 0 || (first <= cursor && cursor < first + 7));
            }
        }
    }

    #[test]
    fn texts_are_cut_by_columns() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("a\nb", 4), "a b");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn bars_stay_in_width() {
        for share in [f64::NAN, -1.0, 0.0, 0.5, 1.0, 7.0] {
            assert_eq!(bar(share, 10).chars().count(), 10);
        }
        assert_eq!(dot_plot(0.25, 0.5, 0.75, 9), "··├─●─┤··");
        assert_eq!(dot_plot(1.0, 1.0, 1.0, 5), "····●");
    }
}
