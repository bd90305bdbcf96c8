//! Candidates by their distance in the model's embedding space.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shiftproof_search::{LlmError, ModelCall};
use shiftproof_tasks::{AnswerForm, Reply, Request, Usage};

use super::failed;
use crate::embedded::Engine;

/// Vectors kept at most: a large catalogue, some 200 MB of a small model's.
const KEPT: usize = 100_000;

/// The vectors of texts embedded so far: a catalogue is the same in every call.
#[derive(Default)]
pub(super) struct EmbeddingCache {
    known: Mutex<HashMap<String, Vector>>,
}

/// A text's vector, or why it has none.
type Vector = Result<Arc<[f32]>, LlmError>;

impl EmbeddingCache {
    /// Compares the text of each call's last message with the call's candidates.
    pub fn nearest(&self, engine: &Engine, calls: &[ModelCall]) -> Vec<Result<Reply, LlmError>> {
        calls
            .iter()
            .map(|call| {
                let text = text(&call.request);
                let candidates = call.request.answer.candidates().unwrap_or_default();
                let own = self.embed(engine, &[text.to_owned()]).remove(0)?;
                let distances = self
                    .embed(engine, candidates)
                    .into_iter()
                    .map(|vector| Ok(distance(&own, &vector?)))
                    .collect::<Result<Vec<f32>, LlmError>>()?;
                Ok(Reply {
                    distances: Some(distances),
                    usage: Usage {
                        prompt_tokens: tokens(engine, &call.request),
                        completion_tokens: 0,
                        ..Usage::default()
                    },
                    ..Reply::text(text)
                })
            })
            .collect()
    }

    /// The vectors of `texts`, those not yet known computed together.
    fn embed(&self, engine: &Engine, texts: &[String]) -> Vec<Vector> {
        let missing: Vec<String> = {
            let known = self.known();
            let mut seen = HashSet::new();
            texts
                .iter()
                .filter(|text| !known.contains_key(*text) && seen.insert(*text))
                .cloned()
                .collect()
        };
        let fresh = engine.embed_all(&missing);
        let mut known = self.known();
        if known.len() + missing.len() > KEPT {
            known.clear();
        }
        let mut own: HashMap<&String, Vector> = HashMap::new();
        for (text, vector) in missing.iter().zip(fresh) {
            let vector = vector
                .map(Arc::from)
                .map_err(|error| LlmError::Request(format!("{text:?}: {}", failed(&error))));
            own.insert(text, vector);
        }
        let found: Vec<Vector> = texts
            .iter()
            .map(|text| match own.get(text).or_else(|| known.get(text)) {
                Some(vector) => vector.clone(),
                // Forgotten by the clearing above.
                None => engine
                    .embed(text)
                    .map(Arc::from)
                    .map_err(|error| failed(&error)),
            })
            .collect();
        known.extend(own.into_iter().map(|(text, vector)| (text.clone(), vector)));
        found
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Vector>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is embedded: the last message alone.
fn text(request: &Request) -> &str {
    debug_assert!(matches!(request.answer, AnswerForm::Nearest { .. }));
    request
        .messages
        .last()
        .map_or("", |message| message.content.as_str())
}

/// Tokens of the text. The candidates' are not counted: they are computed once
/// for all calls.
pub(super) fn tokens(engine: &Engine, request: &Request) -> u64 {
    engine
        .encode(text(request))
        .map_or(0, |tokens| tokens.len() as u64)
}

/// The Euclidean distance.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    let squares: f32 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    squares.sqrt()
}

#[cfg(test)]
mod tests {
    use shiftproof_tasks::{Finish, Message};

    use super::*;
    use crate::embedded::tests::small;

    fn call(text: &str, candidates: &[&str]) -> ModelCall {
        let candidates = candidates.iter().map(|&c| c.to_owned()).collect();
        ModelCall::greedy(
            Request {
                messages: vec![Message::user(text)],
                answer: AnswerForm::Nearest { candidates },
            },
            1,
        )
    }

    #[test]
    fn text_is_nearest_to_itself() {
        let engine = small();
        let embeddings = EmbeddingCache::default();
        let calls = [
            call("good text", &["bad film", "good text", "other"]),
            call("", &["good"]),
            call("bad film", &["good text", "", "other"]),
            call("other", &["bad film", "other", "good text"]),
        ];
        let replies = embeddings.nearest(&engine, &calls);
        let distances = |at: usize| replies[at].as_ref().unwrap().distances.clone().unwrap();
        assert_eq!(distances(0)[1], 0.0);
        assert!(distances(0)[0] > 0.0 && distances(0)[2] > 0.0);
        assert_eq!(distances(3)[1], 0.0);
        assert_eq!(replies[0].as_ref().unwrap().finish, Finish::Stop);
        // Nothing to embed: refused, alone.
        assert!(matches!(replies[1], Err(LlmError::Request(_))));
        assert!(matches!(replies[2], Err(LlmError::Request(_))));
        let fresh = EmbeddingCache::default().nearest(&engine, &calls[3..]);
        let fresh = fresh[0].as_ref().unwrap().distances.clone().unwrap();
        for (a, b) in fresh.iter().zip(distances(3)) {
            assert!((a - b).abs() < 1e-4);
        }
    }
}
