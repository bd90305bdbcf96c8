//! One prompt, word by word against its parent or the seed.

use std::fmt::Write as _;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use shiftproof_search::event::Origin;
use shiftproof_tasks::PromptId;

use super::super::state::ScreenState;
use super::super::ui::ScreenUi;
use super::{candidates, points};
use crate::report::score;
use crate::wording::word_diff::{DiffChange, flat, pieces};

/// Lines a prompt can be scrolled through.
pub const LINES: usize = 10_000;

/// What a candidate is compared with: its first parent, or the seed.
fn base(state: &ScreenState, ui: &ScreenUi, id: PromptId) -> Option<(PromptId, &'static str)> {
    let parent = state.summary.candidates.get(&id)?.parents.first().copied();
    let known = |id: &PromptId| state.summary.candidates.contains_key(id);
    match parent.filter(known) {
        Some(parent) if !ui.against_seed => Some((parent, "its parent")),
        _ => Some((state.summary.seed()?, "the seed")),
    }
}

/// Draws the view.
pub fn draw(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    let theme = ui.theme;
    let Some(id) = ui.selected(state).map(|place| state.order[place]) else {
        let text = Paragraph::new(" no candidate is proposed yet").style(theme.faint());
        frame.render_widget(text, area);
        return;
    };
    let Some(standing) = state.summary.candidates.get(&id) else {
        return;
    };
    let (mark, word) = candidates::sign(state, id);
    let mut head = format!(" {mark} {word} · {id:#} · {}", standing.origin);
    if let Some(score) = standing.score {
        let _ = write!(head, " · score {}", points(score));
    }
    if !standing.parents.is_empty() {
        let parents: Vec<String> = standing.parents.iter().map(|p| format!("{p:#}")).collect();
        let _ = write!(head, " · from {}", parents.join(", "));
    }
    let mut lines = vec![Line::styled(head, theme.heading())];
    if let Some(reason) = &standing.reason {
        lines.push(Line::styled(format!(" {reason}"), theme.faint()));
    }
    if !standing.groups.is_empty() {
        let groups = standing.groups.iter();
        let groups: Vec<String> = groups
            .map(|group| format!("{} {}", group.group, score(group)))
            .collect();
        lines.push(Line::from(format!(" {}", groups.join(" · "))));
    }
    lines.push(Line::default());
    let new = flat(&standing.prompt);
    let other = base(state, ui, id).filter(|(other, _)| *other != id);
    match other.and_then(|(other, what)| Some((state.summary.candidates.get(&other)?, other, what)))
    {
        Some((old, other, what)) if standing.origin != Origin::Seed => {
            lines.push(Line::from(vec![
                Span::styled(format!("against {what} {other:#}: "), theme.faint()),
                Span::styled("[-gone-]", theme.deleted()),
                Span::raw(" "),
                Span::styled("{+new+}", theme.inserted()),
                Span::styled("   d: the other way", theme.faint()),
            ]));
            lines.push(Line::default());
            lines.extend(diff(&flat(&old.prompt), &new, ui));
        }
        _ => {
            let what = if standing.origin == Origin::Seed {
                "the seed: the prompt in use today"
            } else {
                "nothing to compare with"
            };
            lines.push(Line::styled(what, theme.faint()));
            lines.push(Line::default());
            lines.extend(new.lines().map(|line| Line::from(line.to_owned())));
        }
    }
    let scroll = ui.row.min(lines.len().saturating_sub(1)) as u16;
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    frame.render_widget(text.scroll((scroll, 0)), area);
}

/// A word diff: deleted words in `[-…-]`, new ones in `{+…+}`.
fn diff(old: &str, new: &str, ui: &ScreenUi) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    let plain = ratatui::style::Style::new();
    for piece in pieces(old, new) {
        let (left, right, style) = match piece.change {
            DiffChange::Kept => ("", "", plain),
            DiffChange::Removed => ("[-", "-]", ui.theme.deleted()),
            DiffChange::Added => ("{+", "+}", ui.theme.inserted()),
        };
        // Signs stand against the words, not against the blanks around them.
        let (lead, words, trail) = piece.parts();
        push(&mut lines, lead, plain);
        push(&mut lines, &format!("{left}{words}{right}"), style);
        push(&mut lines, trail, plain);
    }
    lines
}

fn push(lines: &mut Vec<Line<'static>>, text: &str, style: ratatui::style::Style) {
    for (index, piece) in text.split('\n').enumerate() {
        if index > 0 {
            lines.push(Line::default());
        }
        if let (Some(line), false) = (lines.last_mut(), piece.is_empty()) {
            line.push_span(Span::styled(piece.to_owned(), style));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::theme::{ColorDepth, ColorTheme};
    use super::super::super::ui::SourceKind;
    use super::*;

    #[track_caller]
    fn check(old: &str, new: &str, expect: &str) {
        let ui = ScreenUi::new(SourceKind::Run, "run", ColorTheme::new(ColorDepth::None));
        let lines: Vec<String> = diff(old, new, &ui).iter().map(Line::to_string).collect();
        assert_eq!(lines.join("\n"), expect);
    }

    #[test]
    fn words_are_marked() {
        check("Is it good?", "Is it good?", "Is it good?");
        check("Is it good?", "Is it very good?", "Is it {+very+} good?");
        check("a b c", "a c", "a [-b-] c");
        check("one", "two", "[-one-]{+two+}");
        check("a\nb", "a\nc", "a\n[-b-]{+c+}");
        check("", "x", "{+x+}");
        check(
            "Is this customer review positive?",
            "Classify the text positive?",
            "[-Is this customer review-]{+Classify the text+} positive?",
        );
    }
}
