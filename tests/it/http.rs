//! The HTTP client against servers that behave and servers that do not.

use std::future::Future;
use std::time::Duration;

use shiftproof::llm::http::{AbilityMode, ConnectError, HttpConfig, HttpLlm};
use shiftproof_search::{Llm, LlmError, ModelCall, SamplingOptions};
use shiftproof_tasks::{AnswerForm, Message, Reply, Request};

use crate::support::mock_server::{Act, MockServer};

mod answers;
mod batches;
mod endpoints;
mod labels;
mod matrix;
mod probe;
mod providers;
mod retry;

/// A key that no message, report or debug output may hold.
const CANARY: &str = "sk-canary-7f3a91";

/// Quick retries, no probes, the canary as key.
fn config(server: &MockServer) -> HttpConfig {
    HttpConfig {
        api_key: Some(CANARY.into()),
        api_key_env: "THE_KEY".to_owned(),
        timeout: Duration::from_secs(5),
        retry_wait: Duration::from_millis(2),
        max_wait: Duration::from_secs(2),
        max_retries: 3,
        label_scores: AbilityMode::Off,
        prefill: AbilityMode::Off,
        thoughts: AbilityMode::Off,
        ..HttpConfig::new(server.base_url(), "mock-model")
    }
}

/// A client that was not allowed to probe.
async fn client(server: &MockServer) -> HttpLlm {
    HttpLlm::connect(config(server)).await.unwrap()
}

fn ask(text: &str) -> ModelCall {
    let request = Request {
        messages: vec![Message::user(text)],
        answer: AnswerForm::Text { max_tokens: 16 },
    };
    ModelCall::greedy(request, 16)
}

fn choose(text: &str, labels: &[&str]) -> ModelCall {
    let labels = labels.iter().map(ToString::to_string).collect();
    let request = Request {
        messages: vec![Message::user(text)],
        answer: AnswerForm::Choice { labels },
    };
    ModelCall::greedy(request, 16)
}

/// What one call yields on a server that answers by `acts`, and how many
/// requests that took. The canary must not show.
async fn outcome(acts: impl Into<Vec<Act>>) -> (Result<Reply, LlmError>, usize) {
    let server = MockServer::in_turn(acts).await;
    let llm = client(&server).await;
    let result = llm.call(&ask("hello")).await;
    without_canary(&format!("{result:?}"));
    if let Err(error) = &result {
        without_canary(&error.to_string());
    }
    without_canary(&format!("{llm:?} {:?} {}", llm.stats(), llm.identity()));
    (result, server.calls())
}

/// The message of an error of the expected class.
#[track_caller]
fn unavailable(result: Result<Reply, LlmError>) -> String {
    match result {
        Err(LlmError::Unavailable(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn rejected(result: Result<Reply, LlmError>) -> String {
    match result {
        Err(LlmError::Rejected(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn request_error(result: Result<Reply, LlmError>) -> String {
    match result {
        Err(LlmError::Request(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn without_canary(text: &str) {
    assert!(!text.contains("canary"), "{text}");
}

/// Guards a test of something that may hang.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(15), future)
        .await
        .expect("took too long")
}

#[tokio::test]
async fn plain_call_matches_documentation() {
    let server = MockServer::in_turn([Act::text("fine words here")]).await;
    let mut config = config(&server);
    config.base_url.push_str("?api-version=7");
    let llm = HttpLlm::connect(config).await.unwrap();
    let mut call = ask("hello");
    call.request.messages.insert(0, Message::system("be brief"));
    call.sampling = SamplingOptions {
        temperature: 0.5,
        top_p: 0.9,
        max_tokens: 16,
        seed: 3,
    };
    let reply = llm.call(&call).await.unwrap();
    assert_eq!(reply.text, "fine words here");
    assert_eq!(
        (reply.usage.prompt_tokens, reply.usage.completion_tokens),
        (10, 3)
    );
    assert!(!reply.usage.estimated);

    let [seen] = server.requests().try_into().unwrap();
    assert_eq!(seen.line, "POST /v1/chat/completions?api-version=7");
    assert_eq!(seen.headers["authorization"], format!("Bearer {CANARY}"));
    assert_eq!(seen.headers["content-type"], "application/json");
    assert!(seen.headers["user-agent"].starts_with("shiftproof/"));
    assert_eq!(seen.body["model"], "mock-model");
    assert_eq!(
        seen.body["messages"][0],
        serde_json::json!({"role": "system", "content": "be brief"})
    );
    assert_eq!(seen.body["temperature"], 0.5);
    assert_eq!(seen.body["top_p"], 0.9);
    assert_eq!(seen.body["max_tokens"], 16);

    assert_eq!(
        llm.identity(),
        format!("openai {}?api-version=7 mock-model", server.base_url())
    );
    let capabilities = llm.capabilities();
    assert!(!capabilities.label_scores && !capabilities.prefill);
    assert_eq!((capabilities.batch, capabilities.concurrency), (1, 8));
}

#[tokio::test]
async fn no_key_is_invented() {
    let server = MockServer::in_turn([Act::text("a")]).await;
    let llm = HttpLlm::connect(HttpConfig {
        api_key: None,
        ..config(&server)
    })
    .await
    .unwrap();
    llm.call(&ask("hello")).await.unwrap();
    assert!(!server.requests()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn unsendable_key_is_refused() {
    let server = MockServer::in_turn([Act::text("a")]).await;
    let config = HttpConfig {
        api_key: Some("canary\u{1}".into()),
        ..config(&server)
    };
    without_canary(&format!("{config:?}"));
    let error = HttpLlm::connect(config).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::Config(text) if text.contains("THE_KEY")),
        "{error:?}"
    );
    without_canary(&error.to_string());
}

#[tokio::test]
async fn echoed_key_is_not_spread() {
    let act = Act::error(
        401,
        "invalid_api_key",
        &format!("Incorrect API key provided: {CANARY}"),
    );
    let (result, calls) = outcome([act]).await;
    let text = rejected(result);
    assert!(
        text.contains("provided: [key]") && text.contains("THE_KEY"),
        "{text}"
    );
    assert_eq!(calls, 1);
}
