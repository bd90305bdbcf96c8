//! Prompts in a language that neither prompts nor data are in.

use whatlang::{Info, Lang, detect};

/// Bytes of data that are looked at.
const LOOKED_AT: usize = 4096;
/// Shorter texts do not tell their language.
const LEAST_CHARS: usize = 60;

/// The languages of a study, as far as they can be told.
pub(in crate::propose) struct StudyLanguages(Vec<Lang>);

impl StudyLanguages {
    pub(super) fn of<'p>(prompts: impl Iterator<Item = &'p str>, data: &[String]) -> Self {
        let mut known: Vec<Lang> = prompts.filter_map(of).collect();
        let mut sample = String::new();
        for text in data {
            if sample.len() > LOOKED_AT {
                break;
            }
            sample.push_str(text);
            sample.push('\n');
        }
        known.extend(of(&sample));
        Self(known)
    }

    /// Whether a text is surely in another language than all that is known.
    pub(super) fn is_strange(&self, text: &str) -> bool {
        !self.0.is_empty() && of(text).is_some_and(|language| !self.0.contains(&language))
    }
}

fn of(text: &str) -> Option<Lang> {
    let sure = |info: &Info| info.is_reliable() && text.chars().count() >= LEAST_CHARS;
    detect(text).filter(sure).map(|info| info.lang())
}
