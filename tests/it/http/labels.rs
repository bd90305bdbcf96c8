//! Labels scored by log-probabilities.

use serde_json::json;
use shiftproof_tasks::Finish;

use super::*;
use crate::support::mock_server::{Seen, capable, completion};

/// A probed client and its server, which answers choices by `act`.
async fn scoring(act: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> (HttpLlm, MockServer) {
    let server = MockServer::start(move |seen| capable(seen).unwrap_or_else(|| act(seen))).await;
    let config = HttpConfig {
        label_scores: AbilityMode::Auto,
        ..config(&server)
    };
    let llm = HttpLlm::connect(config).await.unwrap();
    assert!(llm.capabilities().label_scores, "{}", llm.probe_report());
    (llm, server)
}

#[tokio::test]
async fn labels_are_scored_in_order() {
    let (llm, server) = scoring(|_| {
        Act::scored(&[
            &[("neg", 0.6), (" Positive", 0.3), ("pos", 0.05)],
            &[("ative", 1.0)],
        ])
    })
    .await;
    let reply = llm
        .call(&choose("Great!", &["positive", "negative"]))
        .await
        .unwrap();
    let scores = reply.label_logprobs.unwrap();
    assert!(
        (scores[0].exp() - 0.35).abs() < 1e-9 && (scores[1].exp() - 0.6).abs() < 1e-9,
        "{scores:?}"
    );
    assert_eq!(
        (reply.text.as_str(), reply.finish),
        ("negative", Finish::Stop)
    );
    let sent = &server.requests()[1].body;
    assert_eq!(
        (
            &sent["logprobs"],
            &sent["top_logprobs"],
            &sent["max_tokens"],
            &sent["temperature"]
        ),
        (&json!(true), &json!(20), &json!(3), &json!(0.0))
    );
}

#[tokio::test]
async fn text_requests_want_no_scores() {
    let (llm, server) = scoring(|_| Act::text("free")).await;
    let reply = llm.call(&ask("Write.")).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.label_logprobs), ("free", None));
    assert!(!server.requests()[1].wants_logprobs());
}

/// The beginning of a text in tokens, each with its likeliest alternatives.
fn begins(seen: &Seen, first: &[(&str, f64)], words: &[&str]) -> Act {
    let room = seen.body["max_tokens"].as_u64().unwrap() as usize;
    if !seen.wants_logprobs() {
        return Act::text(&words[..room.min(words.len())].join(" "));
    }
    let rest: Vec<[(&str, f64); 1]> = words[1..].iter().map(|word| [(*word, 0.99)]).collect();
    let mut tops: Vec<&[(&str, f64)]> = vec![first];
    tops.extend(rest.iter().map(<[_; 1]>::as_slice));
    Act::scored(&tops[..room.min(tops.len())])
}

const SENTENCE: [&str; 5] = ["The", "sentiment", "is", "negative", "."];

#[tokio::test]
async fn massless_labels_are_not_answers() {
    for first in [
        // Both labels are among the alternatives, as noise.
        &[("The", 0.97), ("positive", 0.0004), ("negative", 0.0003)][..],
        // Just below half.
        &[("The", 0.5), ("positive", 0.26), ("negative", 0.23)],
        // None is among them.
        &[("The", 0.97), ("This", 0.02)],
    ] {
        let (llm, server) = scoring(move |seen| begins(seen, first, &SENTENCE)).await;
        let reply = llm
            .call(&choose("Broken.", &["positive", "negative"]))
            .await
            .unwrap();
        assert_eq!(
            (reply.text.as_str(), &reply.label_logprobs),
            ("The sentiment is negative .", &None)
        );
        let requests = server.requests();
        assert_eq!(requests.len(), 3, "the probe, the scores, the text");
        assert_eq!(requests[1].body["max_tokens"], 3);
        assert_eq!(requests[2].body["max_tokens"], 16, "all the room there is");
        assert!(!requests[2].wants_logprobs());
        // Both requests are paid for.
        assert_eq!(reply.usage.prompt_tokens, 20);
    }
}

#[tokio::test]
async fn insisted_scores_are_delivered() {
    let first = [("The", 0.97), ("positive", 0.0004), ("negative", 0.0003)];
    let server = MockServer::start(move |seen| {
        capable(seen).unwrap_or_else(|| begins(seen, &first, &SENTENCE))
    })
    .await;
    let config = HttpConfig {
        label_scores: AbilityMode::On,
        ..config(&server)
    };
    let llm = HttpLlm::connect(config).await.unwrap();
    let reply = llm
        .call(&choose("Broken.", &["positive", "negative"]))
        .await
        .unwrap();
    assert_eq!(reply.text, "positive");
    assert!(reply.label_logprobs.is_some());
    assert_eq!(server.calls(), 2);
}

#[tokio::test]
async fn reservation_covers_both_requests() {
    let (llm, _server) = scoring(|_| Act::text("x")).await;
    let closed = choose("Broken.", &["positive", "negative"]).request;
    let open = ask("Broken.").request;
    assert!(llm.estimate_tokens(&closed) > 2 * llm.estimate_tokens(&open));
}

#[tokio::test]
async fn failing_scores_are_given_up() {
    let says = |seen: &Seen| {
        let plain = seen.prompt().contains("plain");
        let first: &[(&str, f64)] = if plain {
            &[("negative", 0.9)]
        } else {
            &[("The", 0.97)]
        };
        begins(seen, first, if plain { &["negative"] } else { &SENTENCE })
    };
    for (texts, scores) in [
        (["a", "b", "c", "d"], false),
        (["a", "b", "c", "plain"], false),
        (["a", "b", "plain", "plain"], true),
        (["plain", "plain", "plain", "plain"], true),
    ] {
        let (llm, server) = scoring(says).await;
        let calls = texts.map(|text| choose(text, &["positive", "negative"]));
        let llm = llm.rehearse(&calls).await.unwrap();
        assert_eq!(llm.capabilities().label_scores, scores, "{texts:?}");
        assert_eq!(llm.identity().contains(" scores"), scores);
        assert_eq!(server.calls(), 5);
        llm.call(&calls[0]).await.unwrap();
        assert_eq!(server.requests()[5].wants_logprobs(), scores);
        if !scores {
            assert!(
                llm.probe_report()
                    .contains("begin with something other than a label"),
                "{}",
                llm.probe_report()
            );
        }
    }
}

/// The abilities of a run are those it began with, and another server may have taken
/// the first one's place.
#[tokio::test]
async fn ceased_scores_are_asked_for_no_longer() {
    let (llm, server) = scoring(|_| Act::text("negative")).await;
    for call in 0..12 {
        let call = choose(&format!("Broken, {call}."), &["positive", "negative"]);
        let reply = llm.call(&call).await.unwrap();
        assert_eq!(
            (reply.text.as_str(), reply.label_logprobs),
            ("negative", None)
        );
    }
    let wants: Vec<bool> = server.requests()[1..]
        .iter()
        .map(Seen::wants_logprobs)
        .collect();
    assert_eq!(wants.iter().filter(|wants| **wants).count(), 8);
    assert_eq!(wants.len(), 8 + 12);
    assert!(llm.status().unwrap().contains("read from text"));
}

#[tokio::test]
async fn malformed_numbers_leave_text() {
    let (llm, _server) = scoring(|_| {
        let body = completion("positive", 5).to_string();
        let logprobs = r#""logprobs": {"content": [{"token": "positive", "logprob": NaN, "top_logprobs":
            [{"token": "positive", "logprob": NaN}, {"token": "negative", "logprob": "nan"}]}]}, "index""#;
        Act::raw(200, body.replace("\"index\"", logprobs))
    })
    .await;
    let reply = llm
        .call(&choose("Great!", &["positive", "negative"]))
        .await
        .unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.label_logprobs),
        ("positive", None)
    );
}

#[tokio::test]
async fn filtered_answer_has_no_scores() {
    let (llm, _server) = scoring(|_| {
        let mut body = completion("", 5);
        body["choices"][0]["finish_reason"] = "content_filter".into();
        Act::json(200, &body)
    })
    .await;
    let reply = llm
        .call(&choose("Great!", &["positive", "negative"]))
        .await
        .unwrap();
    assert_eq!(
        (reply.finish, reply.label_logprobs),
        (Finish::Filtered, None)
    );
}

#[tokio::test]
async fn fewer_alternatives_are_accepted() {
    let server = MockServer::start(|seen| {
        if seen.body["top_logprobs"].as_u64() > Some(5) {
            return Act::error(
                400,
                "invalid_request",
                "top_logprobs must be less than or equal to 5",
            );
        }
        capable(seen).unwrap_or_else(|| Act::scored(&[&[("positive", 0.9)]]))
    })
    .await;
    let config = HttpConfig {
        label_scores: AbilityMode::Auto,
        ..config(&server)
    };
    let llm = HttpLlm::connect(config).await.unwrap();
    assert!(llm.capabilities().label_scores);
    assert!(
        llm.probe_report()
            .ends_with("adapted: 5 alternatives per token"),
        "{}",
        llm.probe_report()
    );
}
