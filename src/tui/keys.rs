//! Keys to actions: the one table, which the help screen prints too.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAction {
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
    /// Where the prompt fails that is looked at; again: back.
    Failures,
    /// The help.
    Help,
    /// Draws all anew.
    Redraw,
}

/// What a key means.
pub fn action(key: KeyEvent) -> Option<KeyAction> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match (key.code, control) {
        (KeyCode::Char('c'), true) => KeyAction::Interrupt,
        (KeyCode::Char('l'), true) => KeyAction::Redraw,
        (KeyCode::Char('d' | 'f'), true) | (KeyCode::PageDown, _) => KeyAction::Pages(1),
        (KeyCode::Char('u' | 'b'), true) | (KeyCode::PageUp, _) => KeyAction::Pages(-1),
        (_, true) => return None,
        (KeyCode::Char(digit @ '1'..='8'), _) => KeyAction::View(digit as usize - '1' as usize),
        (KeyCode::Char('?' | '9') | KeyCode::F(1), _) => KeyAction::Help,
        (KeyCode::Tab, _) => KeyAction::NextView,
        (KeyCode::BackTab, _) => KeyAction::PreviousView,
        (KeyCode::Char('j') | KeyCode::Down, _) => KeyAction::Rows(1),
        (KeyCode::Char('k') | KeyCode::Up, _) => KeyAction::Rows(-1),
        (KeyCode::Char('h') | KeyCode::Left, _) => KeyAction::Sideways(-1),
        (KeyCode::Char('l') | KeyCode::Right, _) => KeyAction::Sideways(1),
        (KeyCode::Char('g') | KeyCode::Home, _) => KeyAction::First,
        (KeyCode::Char('G') | KeyCode::End, _) => KeyAction::Last,
        (KeyCode::Char('o'), _) => KeyAction::Sort,
        (KeyCode::Char('r'), _) => KeyAction::Reverse,
        (KeyCode::Char('f'), _) => KeyAction::Filter,
        (KeyCode::Char('x'), _) => KeyAction::Failures,
        (KeyCode::Char('d'), _) => KeyAction::Against,
        (KeyCode::Enter, _) => KeyAction::Open,
        (KeyCode::Char('p' | ' '), _) => KeyAction::Pause,
        (KeyCode::Char('q' | 's'), _) => KeyAction::Stop,
        (KeyCode::Char('e'), _) => KeyAction::Export,
        (KeyCode::Char('y'), _) => KeyAction::Yes,
        (KeyCode::Char('n') | KeyCode::Esc, _) => KeyAction::Back,
        (KeyCode::Char('.'), _) => KeyAction::Step(1),
        (KeyCode::Char(','), _) => KeyAction::Step(-1),
        (KeyCode::Char(']'), _) => KeyAction::Phases(1),
        (KeyCode::Char('['), _) => KeyAction::Phases(-1),
        (KeyCode::Char('+' | '='), _) => KeyAction::Faster,
        (KeyCode::Char('-'), _) => KeyAction::Slower,
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
    (
        "x",
        "where it fails: input, label, answer, reply; again: back",
    ),
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
    fn check(code: KeyCode, modifiers: KeyModifiers, expect: Option<KeyAction>) {
        assert_eq!(action(KeyEvent::new(code, modifiers)), expect);
    }

    #[test]
    fn vim_arrows_and_numbers() {
        let none = KeyModifiers::NONE;
        check(KeyCode::Char('j'), none, Some(KeyAction::Rows(1)));
        check(KeyCode::Up, none, Some(KeyAction::Rows(-1)));
        check(KeyCode::Char('3'), none, Some(KeyAction::View(2)));
        check(
            KeyCode::Char('G'),
            KeyModifiers::SHIFT,
            Some(KeyAction::Last),
        );
        check(
            KeyCode::BackTab,
            KeyModifiers::SHIFT,
            Some(KeyAction::PreviousView),
        );
        check(KeyCode::Char('z'), none, None);
    }

    #[test]
    fn control_keys_are_signals() {
        let control = KeyModifiers::CONTROL;
        check(KeyCode::Char('c'), control, Some(KeyAction::Interrupt));
        check(KeyCode::Char('q'), control, None);
        check(KeyCode::Char('p'), control, None);
    }

    #[test]
    fn released_key_does_nothing() {
        let mut key = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        key.kind = KeyEventKind::Release;
        assert_eq!(action(key), None);
    }
}
