//! Candidates ranked by their likelihood.

use std::collections::{BTreeMap, BTreeSet};

use shiftproof_search::{Call, LlmError};
use shiftproof_tasks::{AnswerForm, CandidateScore, Finish, Message, Reply, Usage};

use super::{chat, failed, lead};
use crate::llm::embedded::{Chat, Engine, Error, Scored};

/// Scores by text of what follows one content-free conversation.
type Priors = BTreeMap<String, f64>;

/// A content-free conversation as computed: what follows it, and its length.
type Neutral = Result<(Priors, usize), LlmError>;

/// Scores every call's candidates after its own conversation, and once for all
/// calls after each content-free one.
pub(super) fn rank(engine: &Engine, calls: &[Call]) -> Vec<Result<Reply, LlmError>> {
    let asked: Vec<(&[Message], &[String], &[Message])> = calls
        .iter()
        .map(|call| match &call.request.answer {
            AnswerForm::Likelihood { candidates, prior } => (
                call.request.messages.as_slice(),
                candidates.as_slice(),
                prior.as_slice(),
            ),
            _ => (call.request.messages.as_slice(), [].as_slice(), [].as_slice()),
        })
        .collect();
    let neutral = neutral(engine, &asked);
    let pairs: Vec<(Chat, Vec<String>)> = asked
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
    scored: Result<Scored, Error>,
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
    let scoring = shiftproof_tasks::parse::likelihood::Scoring::default_for(&scores);
    let best = shiftproof_tasks::parse::likelihood::rank(candidates, &scores, scoring)
        .and_then(|ranked| ranked.into_iter().next());
    Ok(Reply {
        text: best.unwrap_or_default(),
        label_logprobs: None,
        candidate_scores: Some(scores),
        finish: Finish::Stop,
        usage: Usage {
            prompt_tokens: scored.prompt_tokens as u64 + prior_tokens as u64 + passes * own,
            completion_tokens: 0,
            estimated: false,
        },
    })
}
