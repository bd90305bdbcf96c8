//! Where the leading prompt fails, or the selected candidate: example by example, the
//! weakest group first.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use shiftproof_search::event::{AnswerVerdict, UngradedReason};

use super::super::state::{CompactVerdict, ScreenState};
use super::super::ui::ScreenUi;
use super::{candidates, cut};
use crate::failures::{FailingAnswer, scores, weakest_first};
use crate::wording::shown::line;

/// The failing answers of the prompt that is looked at, as far as true labels say.
pub(crate) fn listed(state: &ScreenState, ui: &ScreenUi) -> Vec<FailingAnswer> {
    let Some(place) = ui.selected(state) else {
        return Vec::new();
    };
    let id = state.order[place];
    let names = state.groups();
    let group = ui.group.checked_sub(1).and_then(|at| names.get(at));
    let failing = state.answers[place].iter().filter_map(|(number, kept)| {
        let input = state.input(*number)?;
        if group.is_some_and(|group| input.group != *group) {
            return None;
        }
        let verdict = match kept.verdict {
            CompactVerdict::Graded(grade) => AnswerVerdict::Graded(f64::from(grade)),
            CompactVerdict::Unparseable => AnswerVerdict::Ungraded(UngradedReason::Unparseable),
            CompactVerdict::Truncated => AnswerVerdict::Ungraded(UngradedReason::Truncated),
            CompactVerdict::Failed => AnswerVerdict::Ungraded(UngradedReason::Failed),
            CompactVerdict::Unlabelled => AnswerVerdict::Ungraded(UngradedReason::Unlabelled),
        };
        let told = (state.text(*kept), verdict, kept.phase);
        FailingAnswer::of_event(input, told, ui.details.of(id, *number))
    });
    let mut failing: Vec<FailingAnswer> = failing.collect();
    weakest_first(&mut failing, scores(&state.summary, id), |own| {
        (own.group.as_str(), own.score)
    });
    failing
}

/// Draws the view.
pub fn draw(state: &ScreenState, ui: &ScreenUi, frame: &mut Frame<'_>, area: Rect) {
    let theme = ui.theme;
    let Some(place) = ui.selected(state) else {
        let text = Paragraph::new(" nothing is answered yet").style(theme.faint());
        frame.render_widget(text, area);
        return;
    };
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let failing = listed(state, ui);
    let cursor = ui.row.min(failing.len().saturating_sub(1));
    let names = state.groups();
    let group = ui.group.checked_sub(1).and_then(|at| names.get(at));
    let id = state.order[place];
    let (mark, word) = candidates::sign(state, id);
    let counted = match failing.len() {
        0 => "no failure".to_owned(),
        all => format!("failure {} of {all}", cursor + 1),
    };
    let title = format!(
        " {mark} {word} {id:#} · {} · {counted} · weakest group first",
        group.map_or("all groups", String::as_str),
    );
    frame.render_widget(
        Line::styled(cut(&title, usize::from(head.width)), theme.heading()),
        head,
    );
    if failing.is_empty() {
        let text = " no answer of a known label is wrong, as far as they were told: when a race \
                    ends, the leader's sooner";
        let text = Paragraph::new(text).style(theme.faint());
        frame.render_widget(text.wrap(Wrap { trim: false }), body);
        return;
    }
    // One answer takes three lines at least.
    let most = usize::from(body.height) / 3 + 1;
    let answers = failing[cursor..].iter().take(most);
    let lines: Vec<Line<'static>> = answers.flat_map(|own| lines(own, ui)).collect();
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), body);
}

/// An answer with what there is to see of it.
fn lines(answer: &FailingAnswer, ui: &ScreenUi) -> Vec<Line<'static>> {
    let theme = ui.theme;
    let mut head = vec![
        Span::styled(format!(" {} ", line(&answer.id)), theme.heading()),
        Span::raw(format!("· {} · ", line(&answer.group))),
        Span::styled(answer.state_told(), theme.bad()),
    ];
    if answer.audited {
        head.push(Span::styled(" · sealed audit", theme.faint()));
    }
    let told = answer.told().into_iter().map(|(name, text)| {
        Line::from(vec![
            Span::styled(format!("   {name:<7} "), theme.faint()),
            Span::styled(line(&text), Style::new()),
        ])
    });
    let lines = std::iter::once(Line::from(head)).chain(told);
    lines.chain([Line::default()]).collect()
}
