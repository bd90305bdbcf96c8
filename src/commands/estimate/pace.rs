//! How long a plan takes, what its models cost, and who says so.

use std::fmt::Write as _;

use shiftproof_search::budget::Spend;
use shiftproof_tasks::{AnswerForm, Message, Request};

use crate::models::prices;
use crate::report::grouped;
use crate::study::{ModelSpec, Study};

/// Money that is known, or that it is not.
pub(super) fn money(usd: Option<f64>) -> String {
    usd.map_or_else(|| "price unknown".to_owned(), |usd| format!("${usd:.4}"))
}

/// A time of no more than two units, for people.
pub(super) fn lasting(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("about {s:.0} s"),
        s if s < 5400.0 => format!("about {:.0} min", s / 60.0),
        s => format!("about {:.1} h", s / 3600.0),
    }
}

/// Seconds before the first token of a hosted model, and its tokens a second:
/// round figures for capable models.
const FIRST_TOKEN_S: f64 = 0.6;
const TOKENS_PER_S: f64 = 50.0;
/// Tokens a second of the embedded model on two cores, what prompts share computed
/// once: a run of studies/reviews.toml took 205 s for 278,698 tokens.
const EMBEDDED_TOKENS_PER_S: f64 = 1360.0;
const CONCURRENCY: f64 = 8.0;

/// Tokens of a request as providers count them, about: four bytes of ASCII to a
/// token, one for every other character, and the frame of a message.
pub(super) fn about(request: &Request) -> u64 {
    let tokens = |text: &str| {
        let ascii = text.bytes().filter(u8::is_ascii).count();
        let others = text.chars().filter(|c| !c.is_ascii()).count();
        (ascii.div_ceil(4) + others) as u64
    };
    let messages = |messages: &[Message]| -> u64 {
        messages
            .iter()
            .map(|message| tokens(&message.content) + 4)
            .sum()
    };
    let texts = |texts: &[String]| -> u64 { texts.iter().map(|text| tokens(text)).sum() };
    // A chat template adds a beginning, and often a system text of its own.
    let asked = messages(&request.messages) + 12;
    match &request.answer {
        AnswerForm::Likelihood { candidates, prior } if prior.is_empty() => {
            asked + texts(candidates)
        }
        AnswerForm::Likelihood { candidates, prior } => {
            asked + messages(prior) + 2 * texts(candidates)
        }
        _ => asked,
    }
}

/// How long `spend` takes at least, by the pace of its calls and the study's
/// limits.
pub(super) fn duration(spec: &ModelSpec, spend: Spend) -> f64 {
    if !is_hosted(spec) {
        return spend.tokens() as f64 / EMBEDDED_TOKENS_PER_S;
    }
    let calls = spend.calls as f64;
    let busy = calls * FIRST_TOKEN_S + spend.completion_tokens as f64 / TOKENS_PER_S;
    let per_minute = |amount: f64, limit: Option<u32>| {
        limit.map_or(0.0, |limit| amount / f64::from(limit.max(1)) * 60.0)
    };
    (busy / at_once(spec))
        .max(per_minute(
            calls,
            together(spec, |own| own.requests_per_minute),
        ))
        .max(per_minute(
            spend.tokens() as f64,
            together(spec, |own| own.tokens_per_minute),
        ))
}

/// Calls at once, over all servers of the model.
fn at_once(spec: &ModelSpec) -> f64 {
    let servers = spec.servers();
    let own = |spec: &ModelSpec| spec.concurrency.map_or(CONCURRENCY, |n| n as f64);
    servers.iter().map(own).sum::<f64>().max(1.0)
}

/// A limit of the servers together; none where one of them has none.
fn together(spec: &ModelSpec, limit: impl Fn(&ModelSpec) -> Option<u32>) -> Option<u32> {
    let limits: Option<Vec<u32>> = spec.servers().iter().map(limit).collect();
    limits.map(|limits| limits.into_iter().fold(0, u32::saturating_add))
}

/// What the time rests on.
pub(super) fn pace(spec: &ModelSpec) -> String {
    if !is_hosted(spec) {
        return format!(
            "Time: {EMBEDDED_TOKENS_PER_S} tokens a second, as the embedded model does on two cores"
        );
    }
    let mut text = format!(
        "Time: assumed are {FIRST_TOKEN_S} s and {TOKENS_PER_S} tokens a second a call, {} calls at once",
        at_once(spec)
    );
    for (limit, what) in [
        (together(spec, |own| own.requests_per_minute), "requests"),
        (together(spec, |own| own.tokens_per_minute), "tokens"),
    ] {
        if let Some(limit) = limit {
            let _ = write!(text, ", at most {} {what} a minute", grouped(limit.into()));
        }
    }
    if !spec.batch.is_off() {
        text.push_str("; a batch takes minutes to 24 hours");
    }
    text
}

fn is_hosted(spec: &ModelSpec) -> bool {
    spec.provider()
        .is_ok_and(|provider| !provider.is_in_process())
}

/// What each model costs and who says so.
pub(in crate::commands) fn priced(study: &Study) -> Vec<String> {
    study
        .models()
        .map(|spec| {
            let Some(price) = &spec.price else {
                return format!("Price: {}", prices::help(spec));
            };
            let from = spec.price_from.as_deref().unwrap_or("set in the study");
            if price.prompt == 0.0 && price.completion == 0.0 {
                return format!("Price: {} costs nothing ({from})", spec.name);
            }
            let mut text = format!(
                "Price: {} costs ${} a million prompt and ${} a million completion tokens ({from})",
                spec.name, price.prompt, price.completion
            );
            if !spec.batch.is_off() && price.batches_save() {
                text.push_str("; batches less, as reckoned here");
            }
            text
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::EndpointSpec;

    fn spend(calls: u64, completion_tokens: u64) -> Spend {
        Spend {
            calls,
            prompt_tokens: 100 * calls,
            completion_tokens,
            ..Spend::default()
        }
    }

    #[test]
    fn slowest_bound_decides() {
        let mut spec = ModelSpec::named("openai:m");
        // 80 calls of 0.6 s and 4,000 tokens at 50 a second, eight at once.
        let free = duration(&spec, spend(80, 4000));
        assert!((free - (48.0 + 80.0) / 8.0).abs() < 1e-9, "{free}");
        spec.concurrency = Some(1);
        assert!((duration(&spec, spend(80, 4000)) - 128.0).abs() < 1e-9);
        spec.requests_per_minute = Some(20);
        assert!((duration(&spec, spend(80, 4000)) - 240.0).abs() < 1e-9);
        spec.tokens_per_minute = Some(1000);
        assert!((duration(&spec, spend(80, 4000)) - 720.0).abs() < 1e-9);
        // Another server like it halves that.
        spec.endpoints = vec![EndpointSpec::Address("http://b/v1".into())];
        assert!((duration(&spec, spend(80, 4000)) - 360.0).abs() < 1e-9);
        (spec.requests_per_minute, spec.tokens_per_minute) = (None, None);
        assert!((duration(&spec, spend(80, 4000)) - 64.0).abs() < 1e-9);
    }

    #[test]
    fn token_estimates_match_providers() {
        let request = |text: &str, answer| Request {
            messages: vec![Message::user(text)],
            answer,
        };
        let text = AnswerForm::Text { max_tokens: 1 };
        assert_eq!(about(&request(&"word ".repeat(400), text.clone())), 516);
        assert_eq!(about(&request("好的", text)), 2 + 16);
        let rank = AnswerForm::Likelihood {
            candidates: vec!["A film".into(), "Another".into()],
            prior: Vec::new(),
        };
        assert_eq!(about(&request("", rank)), 16 + 2 + 2);
    }

    #[test]
    fn times_share_one_unit() {
        for (seconds, told) in [
            (4.2, "about 4 s"),
            (600.0, "about 10 min"),
            (7200.0, "about 2.0 h"),
        ] {
            assert_eq!(lasting(seconds), told);
        }
    }
}
