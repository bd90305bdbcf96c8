//! The card that is to be labelled, drawn.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};
use std::fmt::Write as _;

use super::{CardOutcome, LabelSitting};
use crate::wording::shown::{line, visible};
use crate::wording::table::cut;

/// Draws everything.
pub(super) fn draw(sitting: &LabelSitting, frame: &mut Frame<'_>) {
    let area = frame.area();
    let width = usize::from(area.width);
    let labels = label_lines(sitting, width);
    let [title, reason, body, choice, votes, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(labels.len() as u16),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let theme = sitting.theme;
    frame.render_widget(title_line(sitting, width), title);
    let Some(card) = sitting.current() else {
        return;
    };
    let why = cut(&format!(" {}", line(&card.label.reason)), width);
    frame.render_widget(Line::styled(why, theme.faint()), reason);
    let block = Block::new()
        .borders(Borders::ALL)
        .border_style(theme.faint())
        .title(format!(" {} ", line(&card.label.input.group)))
        .title_style(theme.notable());
    let text = Paragraph::new(visible(&card.text))
        .wrap(Wrap { trim: false })
        .scroll((sitting.scrolled, 0))
        .block(block);
    frame.render_widget(text, body);
    frame.render_widget(Paragraph::new(labels), choice);
    frame.render_widget(vote_line(sitting, width), votes);
    let help = " u undo · s skip · v what prompts answered · j k scroll · q leave, all is kept";
    frame.render_widget(Line::styled(cut(help, width), theme.faint()), keys);
}

fn title_line(sitting: &LabelSitting, width: usize) -> Line<'static> {
    let at = (sitting.done.len() + 1).min(sitting.cards.len());
    let labelled = sitting.labelled();
    let skipped = sitting.done.len() - labelled;
    let mut title = format!(
        " {} · input {at} of {} · {labelled} labelled",
        sitting.study,
        sitting.cards.len()
    );
    if skipped > 0 {
        let _ = write!(title, ", {skipped} skipped");
    }
    match sitting.done.last() {
        Some(CardOutcome::Labelled(of, _)) => {
            let _ = write!(title, " · before: {}", line(&sitting.keys[*of].1));
        }
        Some(CardOutcome::Skipped) => title.push_str(" · before: skipped"),
        None => {}
    }
    Line::styled(cut(&title, width), sitting.theme.heading())
}

/// The keys with their labels, as many a line as fit.
fn label_lines(sitting: &LabelSitting, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    for (key, label) in &sitting.keys {
        let key = Span::styled(format!(" {key} "), sitting.theme.selected());
        let label = Span::raw(format!(" {}", line(label)));
        let last = lines.last_mut().expect("there is a line");
        if last.width() + key.width() + label.width() + 2 > width && last.width() > 0 {
            lines.push(Line::default());
        }
        let last = lines.last_mut().expect("there is a line");
        last.spans.extend([Span::raw("  "), key, label]);
    }
    lines
}

/// What prompts answered, where it is asked for: shown unasked it would lead.
fn vote_line(sitting: &LabelSitting, width: usize) -> Line<'static> {
    let votes = sitting.current().map_or(&[][..], |card| &card.votes);
    let told = if !sitting.shows_votes {
        String::new()
    } else if votes.is_empty() {
        " no prompt was asked about it".to_owned()
    } else {
        let each = votes
            .iter()
            .map(|(answer, n)| format!("{} ×{n}", line(answer)));
        format!(" prompts answered: {}", each.collect::<Vec<_>>().join(", "))
    };
    Line::styled(cut(&told, width), sitting.theme.notable())
}
