//! What the model answered under one prompt, and where it fails.

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Row, Table, Wrap};

use super::super::state::{CompactVerdict, KeptAnswer, ScreenState};
use super::super::ui::ScreenUi;
use super::{candidates, cut, window};

/// The answers shown: numbers of inputs with what was kept of them.
pub fn listed(state: &ScreenState, ui: &ScreenUi) -> Vec<(u32, KeptAnswer)> {
    let Some(place) = ui.selected(state) else {
        return Vec::new();
    };
    let groups = state.groups();
    let group = ui.group.checked_sub(1).and_then(|at| groups.get(at));
    state.answers[place]
        .iter()
        .filter(|(_, kept)| !ui.failures || kept.verdict.is_failure())
        .filter(|(number, _)| {
            group.is_none_or(|group| {
                state
                    .input(**number)
                    .is_some_and(|input| input.group == *group)
            })
        })
        .map(|(number, kept)| (*number, *kept))
        .collect()
}

/// Per group: answers that are right, wrong, unparseable, cut off, failed,
/// ungraded.
fn tally(state: &ScreenState, place: usize) -> BTreeMap<&str, [usize; 6]> {
    let mut counts: BTreeMap<&str, [usize; 6]> = BTreeMap::new();
    for (number, kept) in &state.answers[place] {
        let group = state
            .input(*number)
            .map_or("?", |input| input.group.as_str());
        let column = match kept.verdict {
            CompactVerdict::Graded(value) if value >= 0.5 => 0,
            CompactVerdict::Graded(_) => 1,
            CompactVerdict::Unparseable => 2,
            CompactVerdict::Truncated => 3,
            CompactVerdict::Failed => 4,
            CompactVerdict::Unlabelled => 5,
        };
        counts.entry(group).or_default()[column] += 1;
    }
    counts
}

fn sign(worth: CompactVerdict) -> &'static str {
    match worth {
        CompactVerdict::Graded(value) if value >= 0.5 => "✓",
        CompactVerdict::Graded(_) => "✗",
        CompactVerdict::Unparseable => "?",
        CompactVerdict::Truncated => "…",
        CompactVerdict::Failed => "!",
        CompactVerdict::Unlabelled => "·",
    }
}

fn style(ui: &ScreenUi, worth: CompactVerdict) -> Style {
    match worth {
        CompactVerdict::Graded(value) if value >= 0.5 => ui.theme.good(),
        CompactVerdict::Unlabelled => Style::new(),
        _ => ui.theme.bad(),
    }
}

/// The label an answer is held against, with a sign for a voted one.
fn label(state: &ScreenState, number: u32) -> String {
    let Some(input) = state.input(number) else {
        return String::new();
    };
    if let Some(label) = &input.label {
        return label.clone();
    }
    let voted = state.summary.voted.as_ref();
    let vote = voted.and_then(|voted| voted.votes.get(*state.votes.get(&input.id)?));
    match vote {
        Some(vote) if vote.kept => format!("{} (voted)", vote.winner.as_deref().unwrap_or("")),
        _ => "-".to_owned(),
    }
}

/// Draws the view.
pub fn draw(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    let theme = ui.theme;
    let Some(place) = ui.selected(state) else {
        let text = Paragraph::new(" nothing is answered yet").style(theme.faint());
        frame.render_widget(text, area);
        return;
    };
    let id = state.order[place];
    let counts = tally(state, place);
    let roomy = area.height >= 16;
    let [head, groups, list, below] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(if roomy {
            counts.len().min(6) as u16 + 1
        } else {
            0
        }),
        Constraint::Min(2),
        Constraint::Length(if roomy { 5 } else { 0 }),
    ])
    .areas(area);
    let names = state.groups();
    let group = ui.group.checked_sub(1).and_then(|at| names.get(at));
    let (mark, word) = candidates::sign(state, id);
    let title = format!(
        " {mark} {word} {id:#} · {} · {}",
        group.map_or("all groups", String::as_str),
        if ui.failures {
            "failures"
        } else {
            "all answers"
        }
    );
    frame.render_widget(Line::styled(title, theme.heading()), head);
    frame.render_widget(tally_table(&counts, ui), groups);

    let answers = listed(state, ui);
    if answers.is_empty() {
        let text = if state.inputs.is_empty() && state.is_over() {
            " this log was written before answers were told"
        } else {
            " no such answer yet; answers are told when a race ends, the leader's sooner"
        };
        frame.render_widget(Paragraph::new(text).style(theme.faint()), list);
        return;
    }
    let cursor = ui.row.min(answers.len() - 1);
    let height = usize::from(list.height.saturating_sub(1));
    let first = window(answers.len(), cursor, height);
    let rows = answers.iter().enumerate().skip(first).take(height);
    let rows = rows.map(|(index, (number, kept))| {
        let input = state.input(*number);
        let row = Row::new([
            sign(kept.verdict).to_owned(),
            input.map_or_else(|| format!("#{number}"), |input| cut(&input.group, 10)),
            cut(state.text(*kept), 16),
            cut(&label(state, *number), 18),
            kept.phase.to_string(),
            input.map_or_else(String::new, |input| input.text.clone()),
        ]);
        row.style(if index == cursor {
            theme.selected()
        } else {
            style(ui, kept.verdict)
        })
    });
    let header = Row::new([
        String::new(),
        "group".into(),
        "answer".into(),
        "label".into(),
        "phase".into(),
        format!("input · {} of {}", cursor + 1, answers.len()),
    ]);
    let narrow = area.width < 60;
    let widths = [
        Constraint::Length(1),
        Constraint::Length(if narrow { 0 } else { 10 }),
        Constraint::Length(if narrow { 10 } else { 16 }),
        Constraint::Length(if narrow { 10 } else { 18 }),
        Constraint::Length(if narrow { 0 } else { 9 }),
        Constraint::Min(10),
    ];
    let table = Table::new(rows, widths).header(header.style(theme.faint()));
    frame.render_widget(table, list);
    let (number, kept) = answers[cursor];
    if let Some(lines) = detail(state, ui, number, kept, below.width) {
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), below);
    }
}

fn tally_table(counts: &BTreeMap<&str, [usize; 6]>, ui: &ScreenUi) -> Table<'static> {
    let rows = counts.iter().map(|(group, counts)| {
        Row::new(std::iter::once((*group).to_owned()).chain(counts.iter().map(usize::to_string)))
    });
    let header = [
        "group",
        "✓ right",
        "✗ wrong",
        "? unparseable",
        "… cut off",
        "! failed",
        "· no label",
    ];
    let widths = [14, 8, 8, 13, 9, 8, 10].map(Constraint::Length);
    Table::new(rows, widths).header(Row::new(header).style(ui.theme.faint()))
}

/// One answer in full.
fn detail(
    state: &ScreenState,
    ui: &ScreenUi,
    number: u32,
    kept: KeptAnswer,
    width: u16,
) -> Option<Vec<Line<'static>>> {
    let input = state.input(number)?;
    Some(vec![
        Line::styled("─".repeat(usize::from(width)), ui.theme.faint()),
        Line::styled(
            format!(
                " {} · {} {} · label {}",
                input.id,
                sign(kept.verdict),
                state.text(kept),
                label(state, number)
            ),
            ui.theme.heading(),
        ),
        Line::from(format!(" {}", input.text)),
    ])
}
