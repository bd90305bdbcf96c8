//! Candidates ranked by their likelihood.

use std::collections::{BTreeMap, BTreeSet};

use shiftproof_search::{LlmError, ModelCall};
use shiftproof_tasks::{AnswerForm, CandidateScore, Finish, Message, Reply, Usage};

use super::{chat, failed, lead};
use crate::embedded::{ChatPrompt, Engine, EngineError, ScoredLabels};

/// Scores by text of what follows one content-free conversation.
type Priors = BTreeMap<String, f64>;

/// A content-free conversation as computed: what follows it, and its length.
type Neutral = Result<(Priors, usize), LlmError>;

/// Scores every call's candidates after its own conversation, and once for all
/// calls after each content-free one.
pub(super) fn rank(engine: &Engine, calls: &[ModelCall]) -> Vec<Result<Reply, LlmError>> {
    let asked: Vec<(&[Message], &[String], &[Message])> = calls
        .iter()
        .map(|call| match &call.request.answer {
            AnswerForm::Likelihood { candidates, prior } => (
                call.request.messages.as_slice(),
                candidates.as_slice(),
                prior.as_slice(),
            ),
            _ => (
                call.request.messages.as_slice(),
                [].as_slice(),
                [].as_slice(),
            ),
        })
        .collect();
    let neutral = neutral(engine, &asked);
    let pairs: Vec<(ChatPrompt, Vec<String>)> = asked
        .iter()
        .map(|(messages, candidates, _)| (chat(messages), continuations(messages, candidates)))
        .collect();
    engine
        .score_each(&pairs)
        .into_iter()
        .zip(&asked)
        .map(|(scored, (_, candidates, prior))| {
            let key = serde_json::to_string(prior).unwrap_or_default();
            reply(scored, candidates, prior, neutral.get(&key))
        })
        .collect()
}

/// What follows each content-free conversation of the calls, each text scored
/// once.
fn neutral(
    engine: &Engine,
    asked: &[(&[Message], &[String], &[Message])],
) -> BTreeMap<String, Neutral> {
    let mut texts: BTreeMap<String, (&[Message], BTreeSet<String>)> = BTreeMap::new();
    for (_, candidates, prior) in asked.iter().filter(|(.., prior)| !prior.is_empty()) {
        let key = serde_json::to_string(prior).unwrap_or_default();
        let (_, texts) = texts.entry(key).or_insert((prior, BTreeSet::new()));
        texts.extend(continuations(prior, candidates));
    }
    texts
        .into_iter()
        .map(|(key, (messages, texts))| {
            let texts: Vec<String> = texts.into_iter().collect();
            let pair = [(chat(messages), texts)];
            let scored = engine.score_each(&pair).pop();
            let [(_, texts)] = pair;
            let priors = match scored {
                Some(Ok(scored)) => {
                    let priors = texts.into_iter().zip(scored.logprobs).collect();
                    Ok((priors, scored.prompt_tokens))
                }
                Some(Err(error)) => Err(failed(&error)),
                None => Err(LlmError::Request("the prior was not scored".into())),
            };
            (key, priors)
        })
        .collect()
}

/// The candidates as they continue `messages`.
fn continuations(messages: &[Message], candidates: &[String]) -> Vec<String> {
    let lead = lead(messages);
    candidates
        .iter()
        .map(|candidate| format!("{lead}{candidate}"))
        .collect()
}

fn reply(
    scored: Result<ScoredLabels, EngineError>,
    candidates: &[String],
    prior: &[Message],
    neutral: Option<&Neutral>,
) -> Result<Reply, LlmError> {
    let scored = scored.map_err(|error| failed(&error))?;
    let after = continuations(prior, candidates);
    let (priors, prior_tokens) = match neutral {
        Some(Ok((priors, tokens))) => (Some(priors), *tokens),
        Some(Err(error)) => return Err(error.clone()),
        None => (None, 0),
    };
    let scores: Vec<CandidateScore> = scored
        .logprobs
        .iter()
        .zip(&scored.label_tokens)
        .zip(&after)
        .map(|((&logprob, &tokens), text)| CandidateScore {
            logprob,
            tokens: tokens as u32,
            prior: priors.and_then(|priors| priors.get(text).copied()),
        })
        .collect();
    let own: u64 = scored.label_tokens.iter().map(|&n| n as u64).sum();
    let passes = if priors.is_some() { 2 } else { 1 };
    let scoring = shiftproof_tasks::parse::likelihood::CandidateScoring::default_for(&scores);
    let best = shiftproof_tasks::parse::likelihood::rank(candidates, &scores, scoring)
        .and_then(|ranked| ranked.into_iter().next());
    Ok(Reply {
        text: best.unwrap_or_default(),
        label_logprobs: None,
        candidate_scores: Some(scores),
        distances: None,
        grade: None,
        grade_reason: None,
        finish: Finish::Stop,
        usage: Usage {
            prompt_tokens: scored.prompt_tokens as u64 + prior_tokens as u64 + passes * own,
            completion_tokens: 0,
            ..Usage::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use shiftproof_tasks::Request;

    use super::*;
    use crate::embedded::tests::small;

    fn call(user: &str, lead: &str, candidates: &[&str], prior: bool) -> ModelCall {
        let messages = |user: &str| {
            let mut messages = vec![Message::user(user)];
            if !lead.is_empty() {
                messages.push(Message::assistant(lead));
            }
            messages
        };
        let answer = AnswerForm::Likelihood {
            candidates: candidates.iter().map(|&c| c.to_owned()).collect(),
            prior: if prior { messages("N/A") } else { Vec::new() },
        };
        let messages = messages(user);
        ModelCall::greedy(Request { messages, answer }, 16)
    }

    /// Candidates and priors of a batch score as each does alone, in calls of
    /// different kinds, and the usage is what was estimated.
    #[test]
    fn scores_belong_to_their_calls() {
        let engine = small();
        let calls = [
            call(
                "watched good",
                "next:",
                &["bad film", "good", "a film 2"],
                true,
            ),
            call("watched bad", "next:", &["good", "other"], true),
            call("watched bad", "", &["good", "other"], false),
            call("watched", "", &[], false),
        ];
        let together = rank(&engine, &calls);
        for (call, reply) in calls.iter().zip(&together) {
            let reply = reply.as_ref().unwrap();
            let alone = rank(&engine, std::slice::from_ref(call)).remove(0).unwrap();
            let (own, scores) = (
                alone.candidate_scores.unwrap(),
                reply.candidate_scores.as_ref().unwrap(),
            );
            assert_eq!(own.len(), scores.len());
            for (a, b) in own.iter().zip(scores) {
                assert!((a.logprob - b.logprob).abs() < 1e-4);
                assert_eq!((a.tokens, a.prior.is_some()), (b.tokens, b.prior.is_some()));
                let (a, b) = (a.prior.unwrap_or(0.0), b.prior.unwrap_or(0.0));
                assert!((a - b).abs() < 1e-4, "{a} {b}");
            }
        }
        let reply = together[0].as_ref().unwrap();
        let first = reply.candidate_scores.as_ref().unwrap();
        // The prior is the score after the content-free conversation.
        let neutral = [Message::user("N/A"), Message::assistant("next:")];
        let pair = (chat(&neutral), vec![" bad film".to_owned()]);
        let expected = engine.score_each(&[pair]).remove(0).unwrap();
        assert!((first[0].prior.unwrap() - expected.logprobs[0]).abs() < 1e-4);
        assert_eq!(first[0].tokens as usize, expected.label_tokens[0]);
        let third = together[2]
            .as_ref()
            .unwrap()
            .candidate_scores
            .as_ref()
            .unwrap();
        assert!(third.iter().all(|score| score.prior.is_none()));
    }
}
