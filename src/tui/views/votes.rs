//! Pseudo-labels: what was voted on the target inputs, and how far it holds.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table};
use shiftproof_search::event::VoteSummary;

use super::super::state::ScreenState;
use super::super::ui::ScreenUi;
use super::{bar, cut, window};
use crate::wording::vote_notes;

/// Draws the view.
pub fn draw(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    let theme = ui.theme;
    let Some(voted) = &state.summary.voted else {
        let text = match &state.summary.started {
            Some(started) if !started.method.starts_with("gpo") => {
                " this method takes no vote: only gpo and gpo-paper label target inputs"
            }
            _ => " no vote is taken yet",
        };
        frame.render_widget(Paragraph::new(text).style(theme.faint()), area);
        return;
    };
    let summary = summary(voted, ui);
    let [top, classes, list] = Layout::vertical([
        Constraint::Length((summary.len() as u16).min(area.height)),
        Constraint::Length(if area.height >= 16 {
            voted.classes.len().min(8) as u16 + 2
        } else {
            0
        }),
        Constraint::Min(0),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(summary), top);
    let rows = voted.classes.iter().map(|class| {
        let share = class.kept as f64 / class.won.max(1) as f64;
        Row::new([
            cut(&class.label, 20),
            class.won.to_string(),
            class.kept.to_string(),
            format!("{} {:.0}%", bar(share, 20), share * 100.0),
        ])
    });
    let header = Row::new(["class", "won", "kept", "acceptance"]).style(theme.heading());
    let widths = [20, 6, 6, 28].map(Constraint::Length);
    frame.render_widget(Table::new(rows, widths).header(header), classes);
    if list.height < 2 || voted.votes.is_empty() {
        return;
    }
    let cursor = ui.row.min(voted.votes.len() - 1);
    let height = usize::from(list.height - 1);
    let first = window(voted.votes.len(), cursor, height);
    let rows = voted.votes.iter().enumerate().skip(first).take(height);
    let rows = rows.map(|(index, vote)| {
        let (sign, style) = if vote.kept {
            ("✓ kept", theme.good())
        } else {
            ("✗ left", theme.faint())
        };
        let row = Row::new([
            sign.to_owned(),
            cut(&vote.input, 20),
            cut(vote.winner.as_deref().unwrap_or("no usable answer"), 20),
            format!("{} {:.0}%", bar(vote.share, 10), vote.share * 100.0),
        ]);
        row.style(if index == cursor {
            theme.selected()
        } else {
            style
        })
    });
    let header = Row::new([
        String::new(),
        format!("input · {} of {}", cursor + 1, voted.votes.len()),
        "winner".into(),
        "share of votes".into(),
    ]);
    let widths = [7, 22, 20, 18].map(Constraint::Length);
    let table = Table::new(rows, widths).header(header.style(theme.heading()));
    frame.render_widget(table, list);
}

fn summary(voted: &VoteSummary, ui: &ScreenUi) -> Vec<Line<'static>> {
    let theme = ui.theme;
    let coverage = voted.kept as f64 / voted.inputs.max(1) as f64;
    let mut lines = vec![Line::from(vec![
        Span::raw(" coverage  "),
        Span::styled(bar(coverage, 20), theme.good()),
        Span::raw(format!(
            " {} of {} inputs kept ({:.0}%)",
            voted.kept,
            voted.inputs,
            coverage * 100.0
        )),
    ])];
    let voters: Vec<String> = voted
        .voters
        .iter()
        .map(|voter| format!("{voter:#}"))
        .collect();
    lines.push(Line::from(format!(
        " voters    {}; kept above a share of {:.2}",
        voters.join(" "),
        voted.threshold
    )));
    lines.push(match (vote_notes::accuracy(voted), voted.source_accuracy) {
        (Some(right), _) => Line::from(format!(
            " trust     such votes on labelled source examples: {right}"
        )),
        (None, Some(share)) => Line::from(format!(
            " trust     on labelled source examples such votes are {:.0}% right",
            share * 100.0
        )),
        (None, None) => Line::styled(
            " trust     no vote on the labelled source was kept: voted labels weigh nothing",
            theme.notable(),
        ),
    });
    if let Some(voices) = vote_notes::voices(voted) {
        lines.push(Line::from(format!(" voices    {voices}")));
    }
    lines.push(Line::styled(
        format!(" shares    {}", histogram(voted)),
        theme.faint(),
    ));
    lines
}

/// How the winners' shares are spread over tenths.
fn histogram(voted: &VoteSummary) -> String {
    const STEPS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let mut counts = [0_usize; 10];
    for vote in &voted.votes {
        counts[((vote.share * 10.0) as usize).min(9)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let bars: String = counts
        .iter()
        .map(|count| STEPS[(count * 8).div_ceil(most).min(8)])
        .collect();
    format!("0 {bars} 1")
}
