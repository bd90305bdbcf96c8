//! Keys to actions: the one table, which the help screen prints too.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Shows this view, by number from 0.
    View(usize),
    /// The next view, the previous one.
    NextView,
    /// See [`NextView`](Self::NextView).
    PreviousView,
    /// Moves the cursor by rows.
    Rows(i32),
    /// Moves the cursor by pages.
    Pages(i32),
    /// To the first row, to the last.
    First,
    /// See [`First`](Self::First).
    Last,
    /// Sideways: groups of the matrix and the examples, candidates of the prompts.
    Sideways(i32),
    /// A replay by events.
    Step(i32),
    /// A replay by phases.
    Phases(i32),
    /// The next way to sort or to filter.
    Sort,
    /// The other way round.
    Reverse,
    /// Candidates in the race alone, or all; failures alone, or all.
    Filter,
    /// Compare with the parent, or with the seed.
    Against,
    /// Opens the prompt of the selected candidate.
    Open,
    /// Pause or resume.
    Pause,
    /// Stop and save.
    Stop,
    /// Writes the selected prompt to a file.
    Export,
    /// Yes to a question.
    Yes,
    /// No to a question, or back.
    Back,
    /// As the signal: stop, then abort.
    Interrupt,
    /// A replay faster, slower.
    Faster,
    /// See [`Faster`](Self::Faster).
    Slower,
    /// The help.
    Help,
    /// Draws all anew.
    Redraw,
}

/// What a key means.
pub fn action(key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match (key.code, control) {
        (KeyCode::Char('c'), true) => Action::Interrupt,
        (KeyCode::Char('l'), true) => Action::Redraw,
        (KeyCode::Char('d' | 'f'), true) | (KeyCode::PageDown, _) => Action::Pages(1),
        (KeyCode::Char('u' | 'b'), true) | (KeyCode::PageUp, _) => Action::Pages(-1),
        (_, true) => return None,
        (KeyCode::Char(digit @ '1'..='8'), _) => Action::View(digit as usize - '1' as usize),
        (KeyCode::Char('?' | '9') | KeyCode::F(1), _) => Action::Help,
        (KeyCode::Tab, _) => Action::NextView,
        (KeyCode::BackTab, _) => Action::PreviousView,
        (KeyCode::Char('j') | KeyCode::Down, _) => Action::Rows(1),
        (KeyCode::Char('k') | KeyCode::Up, _) => Action::Rows(-1),
        (KeyCode::Char('h') | KeyCode::Left, _) => Action::Sideways(-1),
        (KeyCode::Char('l') | KeyCode::Right, _) => Action::Sideways(1),
        (KeyCode::Char('g') | KeyCode::Home, _) => Action::First,
        (KeyCode::Char('G') | KeyCode::End, _) => Action::Last,
        (KeyCode::Char('o'), _) => Action::Sort,
        (KeyCode::Char('r'), _) => Action::Reverse,
        (KeyCode::Char('f'), _) => Action::Filter,
        (KeyCode::Char('d'), _) => Action::Against,
        (KeyCode::Enter, _) => Action::Open,
        (KeyCode::Char('p' | ' '), _) => Action::Pause,
        (KeyCode::Char('q' | 's'), _) => Action::Stop,
        (KeyCode::Char('e'), _) => Action::Export,
        (KeyCode::Char('y'), _) => Action::Yes,
        (KeyCode::Char('n') | KeyCode::Esc, _) => Action::Back,
        (KeyCode::Char('.'), _) => Action::Step(1),
        (KeyCode::Char(','), _) => Action::Step(-1),
        (KeyCode::Char(']'), _) => Action::Phases(1),
        (KeyCode::Char('['), _) => Action::Phases(-1),
        (KeyCode::Char('+' | '='), _) => Action::Faster,
        (KeyCode::Char('-'), _) => Action::Slower,
        _ => return None,
    })
}

/// The keys as the help shows them.
pub const HELP: &[(&str, &str)] = &[
    ("1-8  Tab  S-Tab", "views by number, next, previous"),
    ("j k  ↓ ↑  PgDn PgUp", "move; g G or Home End: first, last"),
    (
        "h l  ← →",
        "other groups; in the prompt view, other candidates",
    ),
    ("Enter", "the selected candidate's prompt"),
    ("o  r", "sort by the next column; the other way round"),
    ("f", "filter: in the race; failures"),
    ("d", "prompt: against the parent or the seed"),
    ("e", "export the selected prompt to a file"),
    ("p  Space", "pause, resume"),
    ("q  s", "stop and save (asks); leave watch or replay"),
    ("+ -  . ,  ] [", "replay: speed; events; phases, to and fro"),
    ("Ctrl-C", "stop and save; again: abort"),
    ("?  Esc", "this help; back"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: KeyCode, modifiers: KeyModifiers, expect: Option<Action>) {
        assert_eq!(action(KeyEvent::new(code, modifiers)), expect);
    }

    #[test]
    fn vim_arrows_and_numbers() {
        let none = KeyModifiers::NONE;
        check(KeyCode::Char('j'), none, Some(Action::Rows(1)));
        check(KeyCode::Up, none, Some(Action::Rows(-1)));
        check(KeyCode::Char('3'), none, Some(Action::View(2)));
        check(KeyCode::Char('G'), KeyModifiers::SHIFT, Some(Action::Last));
        check(
            KeyCode::BackTab,
            KeyModifiers::SHIFT,
            Some(Action::PreviousView),
        );
        check(KeyCode::Char('z'), none, None);
    }

    #[test]
    fn control_c_is_the_signal_and_control_q_is_nothing() {
        let control = KeyModifiers::CONTROL;
        check(KeyCode::Char('c'), control, Some(Action::Interrupt));
        check(KeyCode::Char('q'), control, None);
        check(KeyCode::Char('p'), control, None);
    }

    #[test]
    fn a_released_key_does_nothing() {
        let mut key = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        key.kind = KeyEventKind::Release;
        assert_eq!(action(key), None);
    }
}
