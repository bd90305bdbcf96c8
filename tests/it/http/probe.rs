//! What is found at start-up.

use std::time::Instant;

use serde_json::json;
use shiftproof_tasks::Role;

use super::*;
use crate::support::mock_server::{Seen, capable};

async fn connect(
    server: &MockServer,
    label_scores: AbilityMode,
    prefill: AbilityMode,
) -> Result<HttpLlm, ConnectError> {
    let result = soon(HttpLlm::connect(HttpConfig {
        label_scores,
        prefill,
        thoughts: if (label_scores, prefill) == (AbilityMode::Off, AbilityMode::Off) {
            AbilityMode::Off
        } else {
            AbilityMode::Auto
        },
        ..config(server)
    }))
    .await;
    match &result {
        Ok(llm) => without_canary(llm.probe_report()),
        Err(error) => without_canary(&format!("{error} {error:?}")),
    }
    result
}

async fn auto(script: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> (HttpLlm, usize) {
    let server = MockServer::start(script).await;
    let llm = connect(&server, AbilityMode::Auto, AbilityMode::Auto)
        .await
        .unwrap();
    (llm, server.calls())
}

#[tokio::test]
async fn capable_server_takes_two_calls() {
    let (llm, calls) = auto(|seen| capable(seen).unwrap()).await;
    assert!(llm.capabilities().label_scores && llm.capabilities().prefill);
    assert_eq!(calls, 2);
    let report = llm.probe_report();
    assert!(
        report.starts_with("mock-model at http://127.0.0.1:"),
        "{report}"
    );
    assert!(
        report.ends_with("label scores work (asked to repeat \"banana\": banana 0.950, lemon 0.040); prefill works"),
        "{report}"
    );
    assert!(llm.identity().ends_with("mock-model scores"));
}

#[tokio::test]
async fn plain_server_is_used_textually() {
    let (llm, calls) = auto(|seen| {
        if seen.wants_logprobs() {
            return Act::error(400, "", "logprobs are not supported with this model");
        }
        if seen.body.get("continue_final_message").is_some() {
            return Act::error(
                400,
                "",
                "Unrecognized request argument supplied: continue_final_message",
            );
        }
        Act::text("One, two, three, four, five")
    })
    .await;
    assert!(!llm.capabilities().label_scores && !llm.capabilities().prefill);
    assert_eq!(calls, 3);
    let report = llm.probe_report();
    assert!(
        report.contains("label scores refused") && report.contains("labels are read from text"),
        "{report}"
    );
    assert!(report.contains("prefill not continued"), "{report}");
    assert!(llm.identity().ends_with("mock-model"));
    // Choices are then asked as text.
    let server = MockServer::start(|_| Act::text("positive")).await;
    let llm = client(&server).await;
    let reply = llm
        .call(&choose("Great!", &["positive", "negative"]))
        .await
        .unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.label_logprobs),
        ("positive", None)
    );
    assert!(!server.requests()[0].wants_logprobs());
}

#[tokio::test]
async fn wrong_label_scores_are_distrusted() {
    let lying = |_: &Seen| Act::scored(&[&[("lemon", 0.7), ("banana", 0.3)]]);
    let (llm, _) = auto(lying).await;
    assert!(!llm.capabilities().label_scores);
    assert!(
        llm.probe_report().contains("banana 0.300, lemon 0.700"),
        "{}",
        llm.probe_report()
    );

    // Whoever insists, gets them.
    let server = MockServer::start(lying).await;
    let llm = connect(&server, AbilityMode::On, AbilityMode::Off)
        .await
        .unwrap();
    assert!(llm.capabilities().label_scores);
    assert!(
        llm.probe_report().contains("used all the same"),
        "{}",
        llm.probe_report()
    );
}

#[tokio::test]
async fn scores_required_and_missing_fail() {
    let server = MockServer::start(|_| Act::text("banana")).await;
    let error = connect(&server, AbilityMode::On, AbilityMode::Off)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ConnectError::Unsupported(text) if text.contains("missing from its answers") && text.contains("label_scores")),
        "{error:?}"
    );
}

#[tokio::test]
async fn vllm_is_asked_to_continue() {
    let vllm = |seen: &Seen| {
        let flagged = seen.body["continue_final_message"] == true
            && seen.body["add_generation_prompt"] == false;
        if flagged {
            Act::text(" five, six")
        } else {
            Act::text("One, two")
        }
    };
    let server = MockServer::start(vllm).await;
    let llm = connect(&server, AbilityMode::Off, AbilityMode::Auto)
        .await
        .unwrap();
    assert!(llm.capabilities().prefill);
    assert!(llm.identity().ends_with(" continued"));
    let mut call = ask("hello");
    llm.call(&call).await.unwrap();
    call.request.messages.push(Message::assistant("The"));
    llm.call(&call).await.unwrap();
    let [.., plain, prefilled] = &server.requests()[..] else {
        panic!()
    };
    assert_eq!(plain.body.get("continue_final_message"), None);
    assert_eq!(prefilled.body["continue_final_message"], true);
    assert_eq!(
        prefilled.body["messages"][1],
        json!({"role": Role::Assistant, "content": "The"})
    );
}

#[tokio::test]
async fn fixed_abilities_ask_nothing() {
    let server = MockServer::start(|_| Act::error(500, "", "oops")).await;
    connect(&server, AbilityMode::Off, AbilityMode::Off)
        .await
        .unwrap();
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn repeated_prefill_is_removed() {
    let llama = |seen: &Seen| {
        let last = seen.body["messages"].as_array().unwrap().last().unwrap();
        let begun = if last["role"] == "assistant" {
            last["content"].as_str().unwrap()
        } else {
            ""
        };
        Act::text(&format!("{begun} five, six"))
    };
    let server = MockServer::start(llama).await;
    let llm = connect(&server, AbilityMode::Off, AbilityMode::Auto)
        .await
        .unwrap();
    assert!(llm.capabilities().prefill);
    assert!(
        llm.probe_report()
            .ends_with("works, repeated in the answer and cut off there"),
        "{}",
        llm.probe_report()
    );
    let mut call = ask("hello");
    assert_eq!(llm.call(&call).await.unwrap().text, " five, six");
    call.request.messages.push(Message::assistant("The"));
    assert_eq!(llm.call(&call).await.unwrap().text, " five, six");
}

#[tokio::test]
async fn insisted_prefill_is_used() {
    let server = MockServer::start(|_| Act::text("One, two")).await;
    let llm = connect(&server, AbilityMode::Off, AbilityMode::On)
        .await
        .unwrap();
    assert!(llm.capabilities().prefill);
    assert!(
        llm.probe_report().contains("used all the same"),
        "{}",
        llm.probe_report()
    );
}

#[tokio::test]
async fn loading_server_is_awaited() {
    let server = MockServer::start(|seen| {
        if seen.nth < 2 {
            return Act::error(503, "unavailable_error", "Loading model");
        }
        capable(seen).unwrap().after(Duration::from_millis(300))
    })
    .await;
    assert!(
        connect(&server, AbilityMode::Auto, AbilityMode::Auto)
            .await
            .unwrap()
            .capabilities()
            .label_scores
    );
}

#[tokio::test]
async fn down_server_fails_at_once() {
    let server = MockServer::start(|seen| capable(seen).unwrap()).await;
    let config = HttpConfig {
        label_scores: AbilityMode::Auto,
        retry_wait: Duration::from_secs(30),
        ..config(&server)
    };
    drop(server);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let start = Instant::now();
    let error = soon(HttpLlm::connect(config)).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::Unreachable(text) if text.contains("nobody answers at") && text.contains("is the server running?")),
        "{error:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn refusals_are_classified() {
    for (act, part) in [
        (Act::error(401, "", "no"), "THE_KEY"),
        (Act::error(404, "", "no"), "mock-model"),
        (Act::html(200), "such as https://"),
    ] {
        let server = MockServer::in_turn([act]).await;
        let error = connect(&server, AbilityMode::Auto, AbilityMode::Auto)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, ConnectError::Rejected(text) if text.contains(part)),
            "{error:?}"
        );
        assert_eq!(server.calls(), 1);
    }
}

/// A model that needs `need` tokens of thoughts before its answer.
fn thinker(need: u64, field: &'static str) -> impl Fn(&Seen) -> Act + Send + Sync {
    move |seen| {
        let room = seen.body["max_tokens"].as_u64().unwrap();
        let (content, finish) = if room < need {
            (serde_json::Value::Null, "length")
        } else {
            ("banana".into(), "stop")
        };
        let mut message = json!({"content": content});
        if !field.is_empty() {
            message[field] = "hm".into();
        }
        Act::json(
            200,
            &json!({"choices": [{"message": message, "finish_reason": finish}],
                    "usage": {"prompt_tokens": 9, "completion_tokens": room.min(need)}}),
        )
    }
}

#[tokio::test]
async fn reasoning_model_gets_room() {
    for field in ["reasoning", "reasoning_content", ""] {
        let (llm, calls) = auto(thinker(200, field)).await;
        let capabilities = llm.capabilities();
        assert!(!capabilities.label_scores && !capabilities.prefill);
        assert_eq!(capabilities.thinking_tokens, 8192, "{field:?}");
        assert_eq!(calls, 2, "one that showed it, one with room");
        let report = llm.probe_report();
        assert!(
            report.contains("the model reasons first (200 tokens to repeat a word)")
                && report.contains("8192 tokens are left for its thoughts (thinking_tokens)"),
            "{report}"
        );
    }
}

#[tokio::test]
async fn endless_reasoning_is_reported() {
    let (llm, _) = auto(thinker(100_000, "reasoning")).await;
    let report = llm.probe_report();
    assert!(
        report.contains("came to no answer within 8208 tokens: raise thinking_tokens"),
        "{report}"
    );
}

#[tokio::test]
async fn logprob_refusal_is_understood() {
    for status in [400, 403, 404, 422] {
        let (llm, _) = auto(move |seen| {
            if seen.wants_logprobs() {
                let said = "You are not allowed to request logprobs from this model";
                return Act::error(status, "invalid_request_error", said);
            }
            Act::text("One, two")
        })
        .await;
        assert!(!llm.capabilities().label_scores);
        let report = llm.probe_report();
        assert!(report.contains("label scores refused"), "{report}");
        assert_eq!(llm.capabilities().thinking_tokens, 0);
    }
}

#[tokio::test]
async fn reasoning_is_probed_once() {
    let server = MockServer::start(thinker(50, "reasoning_content")).await;
    let config = HttpConfig {
        thoughts: AbilityMode::Auto,
        ..config(&server)
    };
    let llm = HttpLlm::connect(config).await.unwrap();
    assert_eq!(
        (llm.capabilities().thinking_tokens, server.calls()),
        (8192, 2)
    );
    let server = MockServer::start(|_| Act::text("banana")).await;
    let config = HttpConfig {
        thoughts: AbilityMode::Auto,
        ..self::config(&server)
    };
    let llm = HttpLlm::connect(config).await.unwrap();
    assert_eq!((llm.capabilities().thinking_tokens, server.calls()), (0, 1));
}

#[tokio::test]
async fn declared_reasoning_is_not_probed() {
    let server = MockServer::start(|seen| capable(seen).unwrap()).await;
    let mut config = config(&server);
    config.options.thinking_tokens = Some(3000);
    config.options.max_tokens = Some(5000);
    config.thoughts = AbilityMode::Auto;
    let llm = HttpLlm::connect(config).await.unwrap();
    assert_eq!(server.calls(), 0);
    let capabilities = llm.capabilities();
    assert_eq!(
        (capabilities.thinking_tokens, capabilities.max_tokens),
        (3000, Some(5000))
    );
    assert!(
        llm.identity().ends_with("{\"thinking_tokens\":3000}"),
        "{}",
        llm.identity()
    );
}
