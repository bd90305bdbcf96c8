//! Labels scored by log-probabilities.

use serde_json::json;
use shiftproof_tasks::Finish;

use super::*;
use crate::support::mock_server::{Seen, capable, completion};

/// A probed client and its server, which answers choices by `act`.
async fn scoring(act: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> (HttpLlm, MockServer) {
    let server = MockServer::start(move |seen| capable(seen).unwrap_or_else(|| act(seen))).await;
    let config = HttpConfig {
        label_scores: Mode::Auto,
        ..config(&server)
    };
    let llm = HttpLlm::connect(config).await.unwrap();
    assert!(llm.capabilities().label_scores, "{}", llm.probe_report());
    (llm, server)
}

#[tokio::test]
async fn labels_are_scored_in_their_order() {
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
async fn text_requests_ask_for_no_scores() {
    let (llm, server) = scoring(|_| Act::text("free")).await;
    let reply = llm.call(&ask("Write.")).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.label_logprobs), ("free", None));
    assert!(!server.requests()[1].wants_logprobs());
}

#[tokio::test]
async fn scores_that_decide_nothing_leave_the_text() {
    let (llm, _server) = scoring(|_| Act::scored(&[&[("I", 0.9)], &[(" cannot", 0.9)]])).await;
    let reply = llm
        .call(&choose("Great!", &["positive", "negative"]))
        .await
        .unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.label_logprobs),
        ("I cannot", None)
    );
}

#[tokio::test]
async fn numbers_that_are_none_leave_the_text() {
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
async fn a_filtered_answer_has_no_scores() {
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
async fn fewer_alternatives_where_the_server_gives_fewer() {
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
        label_scores: Mode::Auto,
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
