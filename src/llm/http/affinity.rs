//! Which requests belong together, by what they begin with.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use shiftproof_tasks::Request;

use super::protocol::common_start;

/// Prompts that are remembered: a race comes back to each after all others.
const REMEMBERED: usize = 256;
/// Bytes of a request that are compared at most.
const COMPARED: usize = 64 * 1024;

/// Tells requests of one prompt from those of another, without knowing where a prompt
/// ends: those of one prompt share more of their beginning with each other than with
/// any other's. Versions of a long prompt, which differ somewhere in the middle, are
/// prompts of their own.
///
/// What is found decides where a request is sent, never what is answered.
#[derive(Debug, Default)]
pub(super) struct PromptAffinity {
    /// The prompt that was asked last at the end.
    known: Mutex<VecDeque<KnownPrompt>>,
}

#[derive(Debug)]
struct KnownPrompt {
    /// Its first request.
    text: String,
    /// Bytes that others of its requests begin with like that one; 0 where it is alone.
    shared: usize,
    number: u64,
}

impl PromptAffinity {
    /// A number that requests of one prompt have in common.
    pub(super) fn prompt_of(&self, request: &Request) -> u64 {
        let text = beginning(request);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = (0..known.len())
            .filter_map(|at| {
                let own = &known[at];
                let same = common_start(&own.text, &text);
                // Inputs that happen to begin alike make a prompt look a little longer.
                (same > 0 && same * 10 >= own.shared * 9).then_some((same, at))
            })
            .max();
        let own = if let Some((same, at)) = found
            && let Some(mut own) = known.remove(at)
        {
            own.shared = own.shared.max(same);
            own
        } else {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            let number = hasher.finish();
            KnownPrompt {
                text,
                shared: 0,
                number,
            }
        };
        if known.len() == REMEMBERED {
            known.pop_front();
        }
        let number = own.number;
        known.push_back(own);
        number
    }
}

/// A request's messages as one text, cut.
fn beginning(request: &Request) -> String {
    let mut text = String::new();
    for message in &request.messages {
        text.push_str(&message.content);
        text.push('\n');
        if text.len() > COMPARED {
            text.truncate(text.floor_char_boundary(COMPARED));
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use shiftproof_tasks::{AnswerForm, Message};

    use super::*;

    fn request(texts: &[&str]) -> Request {
        Request {
            messages: texts.iter().map(|text| Message::user(*text)).collect(),
            answer: AnswerForm::Text { max_tokens: 8 },
        }
    }

    /// Twelve versions of a long prompt below the same instructions, each with inputs
    /// some of which begin alike.
    #[test]
    fn versions_of_a_long_prompt_are_told_apart() {
        let affinity = PromptAffinity::default();
        let system = "You sort the letters of customers of a large shop. ".repeat(20);
        let mut prompts = BTreeSet::new();
        for version in 0..12 {
            let prompt = format!(
                "Be fair. {} Rule {version}: the subject decides. {}",
                "Read the letter to its end. ".repeat(12),
                "Then say what it asks for. ".repeat(12)
            );
            let mut own = BTreeSet::new();
            for input in 0..20 {
                let letter = ["Dear shop, my lamp", "Hello, the lamp", "The parcel"][input % 3];
                let user = format!("{prompt}\n\nLetter: {letter} {input} is broken.");
                own.insert(affinity.prompt_of(&request(&[&system, &user])));
            }
            assert_eq!(own.len(), 1, "version {version} is split up");
            prompts.extend(own);
        }
        assert_eq!(prompts.len(), 12, "versions are thrown together");
    }

    /// Requests of several prompts in turns, as a race of blocks asks them.
    #[test]
    fn prompts_in_turns_stay_together() {
        let affinity = PromptAffinity::default();
        let ways = ["Is it good?", "Would you buy it?", "Say what it is."];
        let mut of_way = vec![BTreeSet::new(); ways.len()];
        for input in 0..50 {
            for (way, own) in ways.iter().zip(&mut of_way) {
                own.insert(affinity.prompt_of(&request(&[&format!("{way}\n\nNo. {input} of it")])));
            }
        }
        assert!(of_way.iter().all(|own| own.len() == 1), "{of_way:?}");
        let all: BTreeSet<&u64> = of_way.iter().flatten().collect();
        assert_eq!(all.len(), 3);
    }

    /// A race in blocks asks every prompt about some inputs, and comes back to it after
    /// many others.
    #[test]
    fn prompts_are_known_again_in_the_next_block() {
        let affinity = PromptAffinity::default();
        let mut of_prompt = vec![BTreeSet::new(); 40];
        for block in 0..3 {
            for (prompt, own) in of_prompt.iter_mut().enumerate() {
                for input in 0..10 {
                    let text = format!("Way {prompt}. Say what it is.\n\nNo. {block}{input} of it");
                    own.insert(affinity.prompt_of(&request(&[&text])));
                }
            }
        }
        assert!(of_prompt.iter().all(|own| own.len() == 1), "{of_prompt:?}");
    }

    #[test]
    fn long_and_empty_requests_are_taken() {
        let affinity = PromptAffinity::default();
        let long = "é".repeat(COMPARED);
        let first = affinity.prompt_of(&request(&[&long, "a"]));
        assert_eq!(affinity.prompt_of(&request(&[&long, "b"])), first);
        let empty = affinity.prompt_of(&request(&[]));
        assert_ne!(empty, first);
    }
}
