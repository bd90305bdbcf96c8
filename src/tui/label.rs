//! The screen in which a person labels inputs: one at a time, a key a label.
//!
//! What is labelled is in the file before the next input is shown, so leaving, however
//! it comes about, loses nothing.

mod view;

use std::time::Duration;

use ratatui::crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::theme::{ColorDepth, ColorTheme};
use super::{KeyboardReader, LOOK, enter};
use crate::exit::Failure;
use crate::labels::{HandLabel, LabelFile};

/// An input to be labelled, as it is shown.
#[derive(Debug, Clone)]
pub struct LabelCard {
    /// The input with the reason; its label is blank.
    pub label: HandLabel,
    /// What a model sees of it.
    pub text: String,
    /// What prompts answered, the commonest first.
    pub votes: Vec<(String, u32)>,
}

/// Keys that can stand for labels, in this order; the others have a meaning of their
/// own.
const KEYS: &str = "1234567890abcdefghilmnoprtwxyz";

/// Keys for so many labels; fewer where there are not enough.
pub fn label_keys(labels: usize) -> Vec<char> {
    KEYS.chars().take(labels).collect()
}

/// What came of one card.
#[derive(Debug, Clone, PartialEq, Eq)]
enum CardOutcome {
    Skipped,
    /// The label, by number, and the length of the file before it.
    Labelled(usize, u64),
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LabelAction {
    Give(usize),
    Skip,
    Undo,
    Votes,
    Scroll(i32),
    Leave,
}

/// A sitting: which cards are done, and which is shown.
struct LabelSitting {
    study: String,
    cards: Vec<LabelCard>,
    keys: Vec<(char, String)>,
    /// One entry for each card that is done, in order.
    done: Vec<CardOutcome>,
    shows_votes: bool,
    scrolled: u16,
    theme: ColorTheme,
}

impl LabelSitting {
    fn new(
        study: &str,
        cards: Vec<LabelCard>,
        keys: Vec<(char, String)>,
        depth: ColorDepth,
    ) -> Self {
        Self {
            study: study.to_owned(),
            cards,
            keys,
            done: Vec::new(),
            shows_votes: false,
            scrolled: 0,
            theme: ColorTheme::new(depth),
        }
    }

    fn current(&self) -> Option<&LabelCard> {
        self.cards.get(self.done.len())
    }

    fn labelled(&self) -> usize {
        let given = self.done.iter();
        given
            .filter(|outcome| matches!(outcome, CardOutcome::Labelled(..)))
            .count()
    }

    fn action(&self, key: KeyEvent) -> Option<LabelAction> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        Some(match key.code {
            KeyCode::Char('c' | 'd') if control => LabelAction::Leave,
            _ if control => return None,
            KeyCode::Char('q') | KeyCode::Esc => LabelAction::Leave,
            KeyCode::Char('u') | KeyCode::Backspace => LabelAction::Undo,
            KeyCode::Char('s' | ' ') => LabelAction::Skip,
            KeyCode::Char('v') => LabelAction::Votes,
            KeyCode::Char('j') | KeyCode::Down => LabelAction::Scroll(1),
            KeyCode::Char('k') | KeyCode::Up => LabelAction::Scroll(-1),
            KeyCode::PageDown => LabelAction::Scroll(10),
            KeyCode::PageUp => LabelAction::Scroll(-10),
            KeyCode::Char(key) => {
                let of = self.keys.iter().position(|(own, _)| *own == key)?;
                LabelAction::Give(of)
            }
            _ => return None,
        })
    }

    /// Does what was asked; `false` once the sitting is over.
    fn update(&mut self, action: LabelAction, file: &LabelFile) -> Result<bool, Failure> {
        match action {
            LabelAction::Leave => return Ok(false),
            LabelAction::Votes => self.shows_votes = !self.shows_votes,
            LabelAction::Scroll(rows) => {
                self.scrolled = self.scrolled.saturating_add_signed(rows as i16);
            }
            LabelAction::Skip => self.turn(CardOutcome::Skipped),
            LabelAction::Give(of) => {
                if let Some(card) = self.current() {
                    let label = HandLabel {
                        label: self.keys[of].1.clone(),
                        ..card.label.clone()
                    };
                    let before = file.add(&[label])?;
                    self.turn(CardOutcome::Labelled(of, before));
                }
            }
            LabelAction::Undo => {
                self.scrolled = 0;
                if let Some(CardOutcome::Labelled(_, before)) = self.done.pop() {
                    file.take_back(before)?;
                }
            }
        }
        Ok(self.current().is_some())
    }

    fn turn(&mut self, outcome: CardOutcome) {
        self.done.push(outcome);
        self.scrolled = 0;
    }
}

/// Shows one card after the other until all are done or the user leaves; returns how
/// many labels were given. The file has each as soon as it is given.
///
/// # Errors
/// Where the terminal cannot be used, or the file not be written.
pub fn label(
    study: &str,
    cards: Vec<LabelCard>,
    keys: Vec<(char, String)>,
    file: &LabelFile,
) -> Result<usize, Failure> {
    let mut sitting = LabelSitting::new(study, cards, keys, ColorDepth::of_environment());
    let mut screen = enter()?;
    let keyboard = KeyboardReader::listen().map_err(|error| {
        Failure::data(format!("cannot read the terminal: {error}")).caused_by(error)
    })?;
    let mut dirty = true;
    loop {
        if dirty && screen.draw(|frame| view::draw(&sitting, frame)).is_err() {
            return Ok(sitting.labelled());
        }
        dirty = false;
        let mut wait: Duration = LOOK * 4;
        loop {
            let input = match keyboard.next(wait) {
                Ok(Some(input)) => input,
                Ok(None) => break,
                Err(_) => return Ok(sitting.labelled()),
            };
            (wait, dirty) = (Duration::ZERO, true);
            let Input::Key(key) = input else { continue };
            let Some(action) = sitting.action(key) else {
                continue;
            };
            if !sitting.update(action, file)? {
                return Ok(sitting.labelled());
            }
        }
    }
}

#[cfg(test)]
mod tests;
