//! Edits without a model, after `GrIPS` (Prasad et al. 2023): delete and add
//! phrases, swap sentences of an instruction. Its paraphrase operation needs a
//! model and is [`Paraphrase`](super::Paraphrase).

use async_trait::async_trait;
use rand::RngExt;
use rand::seq::IndexedRandom;
use shiftproof_tasks::Prompt;

use super::crossover::sentences;
use super::library::clauses;
use super::screen::Screen;
use super::{Proposal, Proposals, Proposer, View};
use crate::event::Origin;
use crate::gateway::Stop;
use crate::seeds;

/// Edits each parent in turn, one or two operations a proposal.
#[derive(Debug, Clone, Copy)]
pub struct Edit;

/// Draws per wanted proposal before giving up: short instructions have few
/// distinct edits.
const TRIES: usize = 8;

#[async_trait]
impl Proposer for Edit {
    fn name(&self) -> &'static str {
        "edit (GrIPS)"
    }

    async fn propose(&self, view: &View<'_>) -> Result<Proposals, Stop> {
        let mut proposals = Proposals::default();
        let Some(first) = view.source.first() else {
            return Ok(proposals);
        };
        let clauses = clauses(&view.task.answer_form(&first.input));
        let screen = Screen::new(view);
        let mut rng = seeds::stream(view.seed, "edit");
        for attempt in 0..view.count * TRIES {
            if proposals.kept.len() == view.count || view.parents.is_empty() {
                break;
            }
            let parent = &view.parents[attempt % view.parents.len()];
            let mut text = parent.instruction.clone();
            for _ in 0..rng.random_range(1..=2) {
                text = edit(&text, &clauses, &mut rng);
            }
            let Ok(prompt) = screen.accept(&text) else {
                continue;
            };
            let prompt = Prompt {
                demonstrations: parent.demonstrations.clone(),
                ..prompt
            };
            if view.parents.contains(&prompt)
                || proposals.kept.iter().any(|other| other.prompt == prompt)
            {
                continue;
            }
            proposals.kept.push(Proposal {
                prompt,
                origin: Origin::Edit,
                parents: vec![parent.id()],
                chunk: None,
            });
        }
        Ok(proposals)
    }
}

fn edit(text: &str, clauses: &[String], rng: &mut impl RngExt) -> String {
    let mut phrases = phrases(text);
    match rng.random_range(0..4) {
        0 if phrases.len() > 1 => {
            phrases.remove(rng.random_range(0..phrases.len()));
        }
        1 => {
            // Whole sentences: phrases that change places lose their grammar.
            let mut sentences = sentences(text);
            if sentences.len() > 1 {
                let a = rng.random_range(0..sentences.len());
                let b = rng.random_range(0..sentences.len());
                sentences.swap(a, b);
                return sentences.join(" ");
            }
        }
        2 => {
            // Drop one word: the smallest deletion, for instructions of a
            // single phrase too.
            let mut words: Vec<&str> = text.split(' ').collect();
            if words.len() > 3 {
                words.remove(rng.random_range(0..words.len()));
                return sentence_case(&words.join(" "));
            }
        }
        _ => {
            if let Some(clause) = clauses.choose(rng)
                && !text.contains(clause.as_str())
            {
                let text = text.trim_end();
                return if rng.random_bool(0.5) {
                    format!("{clause} {text}")
                } else {
                    let stop = if text.ends_with(['.', '?', '!', ':']) {
                        ""
                    } else {
                        "."
                    };
                    format!("{text}{stop} {clause}")
                };
            }
        }
    }
    sentence_case(&phrases.concat())
}

/// Cuts a text into phrases at punctuation and before connecting words; their
/// concatenation is the text.
fn phrases(text: &str) -> Vec<String> {
    const CONNECTING: [&str; 12] = [
        "and", "or", "of", "in", "with", "by", "if", "whether", "that", "for", "as", "to",
    ];
    let mut phrases = vec![String::new()];
    let mut after_stop = false;
    for word in text.split_inclusive(' ') {
        let bare = word.trim().to_lowercase();
        let last = phrases.last_mut().expect("there is always a phrase");
        if !last.is_empty() && (after_stop || CONNECTING.contains(&bare.as_str())) {
            phrases.push(String::new());
        }
        phrases
            .last_mut()
            .expect("there is always a phrase")
            .push_str(word);
        after_stop = bare.ends_with(['.', ',', ';', ':', '?', '!']);
    }
    phrases
}

/// Single spaces and a capital at the start: what an edit may have disturbed.
fn sentence_case(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn phrases_break_at_punctuation_and_connecting_words() {
        assert_eq!(
            phrases("Decide whether the review is positive, or negative. Answer with one word."),
            [
                "Decide ",
                "whether the review is positive, ",
                "or negative. ",
                "Answer ",
                "with one word."
            ]
        );
    }

    proptest! {
        #[test]
        fn phrases_lose_nothing(text in "[a-z .,?]{0,80}") {
            prop_assert_eq!(phrases(&text).concat(), text);
        }

        #[test]
        fn edits_never_panic(text in "\\PC{0,80}", seed: u64) {
            let mut rng = seeds::stream(seed, "test");
            let _ = edit(&text, &["Answer with one word.".to_owned()], &mut rng);
        }
    }
}
