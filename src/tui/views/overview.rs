//! The first screen: is it better than what there was, where is it worst, what does it
//! cost, how long does it take; below, how the leader came to be and its groups.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use shiftproof_search::event::{AuditedPrompt, GroupOutcome, GroupRole};

use super::super::state::{RaceScores, ScreenState, ValueBand};
use super::super::ui::ScreenUi;
use super::{curves, cut, dot_plot, gauges, points};
use crate::report::{CandidateStanding, VerdictTone, difference, score, worst};
use crate::wording::word_diff::one_line;

/// Draws the view.
pub fn draw(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    let width = usize::from(area.width);
    let mut top = answers(state, ui, width);
    top.extend(gauges::lines(state, ui, width));
    if area.height < 16 || area.width < 60 {
        compact(state, ui, frame, area, top);
        return;
    }
    let groups = leader_lines(state, ui, width);
    let [above, middle, bottom] = Layout::vertical([
        Constraint::Length(top.len() as u16),
        Constraint::Min(6),
        Constraint::Length((groups.len() as u16).min(area.height / 2)),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(top), above);
    curves::draw(state, ui, frame, middle);
    frame.render_widget(Paragraph::new(groups), bottom);
}

/// What matters most, for a small screen.
fn compact(
    state: &ScreenState,
    ui: &ScreenUi,
    frame: &mut Frame<'_>,
    area: Rect,
    top: Vec<Line<'static>>,
) {
    let mut lines = top;
    if let Some(shown) = ShownPrompt::of(state) {
        lines.push(Line::styled(
            format!(" {}", one_line(&shown.standing.prompt)),
            ui.theme.faint(),
        ));
    }
    let width = usize::from(area.width);
    let lines: Vec<Line<'static>> = lines
        .into_iter()
        .map(|line| {
            let style = line.style;
            Line::styled(cut(&line.to_string(), width), style)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// Whether it is better, and where it is worst.
fn answers(state: &ScreenState, ui: &ScreenUi, width: usize) -> Vec<Line<'static>> {
    let (text, style) = better(state, ui);
    let room = width.saturating_sub(9);
    let line = |name: &str, text: &str, style| {
        Line::from(vec![
            Span::styled(format!(" {name:7} "), ui.theme.heading()),
            Span::styled(cut(text, room), style),
        ])
    };
    vec![
        line("better?", &text, style),
        line("worst", &worst_told(state), Style::new()),
    ]
}

/// What is read of a prompt's scores.
type ScorePick = fn(&RaceScores) -> Option<ValueBand>;

/// The audit's word once there is one; before, how the leader stands in its race.
fn better(state: &ScreenState, ui: &ScreenUi) -> (String, Style) {
    let (theme, summary) = (ui.theme, &state.summary);
    if state.is_over() || summary.worst.is_some() {
        let verdict = summary.verdict();
        let style = match verdict.tone {
            VerdictTone::Better => theme.good().patch(theme.heading()),
            VerdictTone::Worse => theme.bad().patch(theme.heading()),
            _ => theme.notable(),
        };
        // What was measured elsewhere is no answer where the prompt has to hold.
        let measured = summary
            .worst
            .as_ref()
            .filter(|_| verdict.tone != VerdictTone::Unverified);
        let measured = measured.map_or_else(String::new, |worst| {
            format!("{} points: ", difference(worst))
        });
        return (format!("{measured}{}", verdict.sentence), style);
    }
    let Some(shown) = ShownPrompt::of(state) else {
        let text = "not known yet: no prompt is scored";
        return (text.to_owned(), theme.faint());
    };
    let seed = summary.seed();
    if seed == Some(shown.standing.prompt.id()) {
        let text = "not yet: the seed prompt leads the races; the audit will tell";
        return (text.to_owned(), theme.notable());
    }
    let seed = seed.and_then(|id| summary.candidates.get(&id));
    let (own, of_seed) = (
        RaceScores::of(shown.groups),
        seed.map_or_else(RaceScores::default, |seed| RaceScores::of(&seed.groups)),
    );
    let kinds: [(&str, ScorePick); 3] = [
        ("worst target", |scores| scores.target),
        ("target by voted labels", |scores| scores.voted),
        ("source", |scores| scores.source),
    ];
    let told = kinds
        .into_iter()
        .find_map(|(name, pick)| Some((name, pick(&own)?, pick(&of_seed)?)));
    let Some((name, own, seed)) = told else {
        let text = "a prompt leads, the seed is not scored yet; the audit will tell";
        return (text.to_owned(), theme.good());
    };
    // What leads by the objective may be behind in this one number.
    let (how, style) = if own.value > seed.value {
        ("ahead so far", theme.good())
    } else {
        ("leads the race, not ahead here", theme.notable())
    };
    let (own, seed) = (points(own.value), points(seed.value));
    let text = format!("{how}: {name} {own}, seed {seed}; the audit will tell");
    (text, style)
}

/// The worst target group of the prompt below, and what its score rests on.
fn worst_told(state: &ScreenState) -> String {
    let Some(shown) = ShownPrompt::of(state) else {
        return "not known yet".to_owned();
    };
    let Some(group) = worst(shown.groups) else {
        return "not known yet: no answer is graded".to_owned();
    };
    let by = match (group.role, group.voted) {
        (_, true) => "target, by VOTED labels",
        (GroupRole::Target, false) => "target",
        (GroupRole::Source, false) => "source; no target group is scored yet",
    };
    format!(
        "{} {}, {by}, n {}",
        cut(&group.group, 24),
        score(group),
        group.n
    )
}

/// The prompt that counts, and what is known of it: the audit's scores, else those of
/// its latest race.
struct ShownPrompt<'s> {
    what: &'static str,
    standing: &'s CandidateStanding,
    groups: &'s [GroupOutcome],
}

impl<'s> ShownPrompt<'s> {
    fn of(state: &'s ScreenState) -> Option<Self> {
        let summary = &state.summary;
        if let Some(selected) = summary.selected {
            let standing = summary.candidates.get(&selected)?;
            return Some(match summary.audited(AuditedPrompt::Selected) {
                Some(groups) => Self {
                    what: "selected, audited",
                    standing,
                    groups,
                },
                None => Self {
                    what: "selected",
                    standing,
                    groups: &standing.groups,
                },
            });
        }
        let what = "leading";
        // A race under way tells more than the last one's end.
        if let Some((id, groups)) = &state.leading
            && let Some(standing) = summary.candidates.get(id)
        {
            return Some(Self {
                what,
                standing,
                groups,
            });
        }
        let standing = summary.leader()?;
        Some(Self {
            what,
            standing,
            groups: &standing.groups,
        })
    }
}

/// The leader by group; after the audit, what it came to.
fn leader_lines(state: &ScreenState, ui: &ScreenUi, width: usize) -> Vec<Line<'static>> {
    let theme = ui.theme;
    let Some(shown) = ShownPrompt::of(state) else {
        return Vec::new();
    };
    let groups = shown.groups;
    let head = format!(
        " {} {:#} ({}): {}",
        shown.what,
        shown.standing.prompt.id(),
        shown.standing.origin,
        one_line(&shown.standing.prompt)
    );
    let mut lines = vec![Line::styled(cut(&head, width), theme.heading())];
    let lowest = worst(groups)
        .filter(|_| groups.len() > 1)
        .map(|group| group.group.clone());
    let plot = width.saturating_sub(68).clamp(10, 60);
    for group in groups {
        lines.push(group_line(group, lowest.as_ref(), plot, ui));
    }
    lines
}

fn group_line(
    group: &GroupOutcome,
    lowest: Option<&String>,
    plot: usize,
    ui: &ScreenUi,
) -> Line<'static> {
    let role = match (group.role, group.voted) {
        (_, true) => "target, voted",
        (GroupRole::Target, false) => "target",
        (GroupRole::Source, false) => "source",
    };
    let is_lowest = lowest == Some(&group.group);
    let style = if is_lowest {
        ui.theme.notable()
    } else {
        ui.theme.good()
    };
    let dots = ValueBand::of(group).map_or_else(
        || " ".repeat(plot),
        |band| dot_plot(band.low, band.value, band.high, plot),
    );
    Line::from(vec![
        Span::raw(format!("  {:14} ", cut(&group.group, 14))),
        Span::styled(dots, style),
        Span::raw(format!(
            " {:>17}  n {:<4} {role}{}",
            score(group),
            group.n,
            if is_lowest { " ◄ worst" } else { "" }
        )),
    ])
}
