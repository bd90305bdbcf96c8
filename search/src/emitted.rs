//! What a run has told of its answers, so that it tells only news.
//!
//! Candidates and inputs are named by their indices in the response matrix, which
//! holds these records beside the answers themselves.

use std::collections::{BTreeSet, HashMap};

use crate::event::AnswerVerdict;

/// Inputs and answers that observers were told.
#[derive(Default)]
pub(crate) struct EmittedAnswers {
    /// The place of each input told.
    inputs: HashMap<usize, u32>,
    /// A digest of each answer told: only looked up, never gone through.
    answers: HashMap<(u32, u32), u64>,
}

impl EmittedAnswers {
    /// The place of an input among those told, and whether it was not told before.
    pub fn place(&mut self, input: usize) -> (u32, bool) {
        let next = self.inputs.len() as u32;
        let place = *self.inputs.entry(input).or_insert(next);
        (place, place == next)
    }

    /// Notes a candidate's answer to the input at a place; whether it differs from
    /// what was told of it before.
    pub fn is_news(
        &mut self,
        candidate: usize,
        place: u32,
        text: &str,
        verdict: AnswerVerdict,
    ) -> bool {
        let digest = digest(text, verdict);
        self.answers.insert((candidate as u32, place), digest) != Some(digest)
    }
}

/// What was told of unusable answers, and whether the first answers were looked
/// at.
#[derive(Default)]
pub(crate) struct EmittedFaults {
    /// Evaluations told of, or found usable.
    pub checked: BTreeSet<(usize, usize)>,
    /// Whether the first answers were looked at.
    pub sounded: bool,
}

/// 64 bits by which a changed answer is noticed.
fn digest(text: &str, verdict: AnswerVerdict) -> u64 {
    let mut hasher = blake3::Hasher::new();
    let worth = match verdict {
        AnswerVerdict::Graded(value) => value.to_bits(),
        // No grade has these bits: they are NaNs.
        AnswerVerdict::Ungraded(why) => u64::MAX - why as u64,
    };
    hasher.update(&worth.to_le_bytes());
    hasher.update(text.as_bytes());
    let mut bits = [0; 8];
    bits.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::UngradedReason;

    #[test]
    fn only_changed_answers_are_news() {
        let unlabelled = AnswerVerdict::Ungraded(UngradedReason::Unlabelled);
        assert_eq!(digest("a", unlabelled), digest("a", unlabelled));
        assert_ne!(digest("a", unlabelled), digest("b", unlabelled));
        assert_ne!(
            digest("a", unlabelled),
            digest("a", AnswerVerdict::Graded(1.0))
        );
        assert_ne!(
            digest("a", AnswerVerdict::Graded(0.0)),
            digest("a", AnswerVerdict::Graded(1.0))
        );
    }

    #[test]
    fn inputs_keep_their_places() {
        let mut emitted = EmittedAnswers::default();
        let told: Vec<(u32, bool)> = [7, 3, 7].map(|input| emitted.place(input)).into();
        assert_eq!(told, [(0, true), (1, true), (0, false)]);
        let graded = AnswerVerdict::Graded(1.0);
        let news: Vec<bool> = [(0, "a"), (0, "a"), (1, "a"), (0, "b")]
            .map(|(candidate, text)| emitted.is_news(candidate, 0, text, graded))
            .into();
        assert_eq!(news, [true, false, true, true]);
    }
}
