//! Answers as servers really write them.

use serde_json::{Value, json};
use shiftproof_tasks::Finish;

use super::*;
use crate::support::mock_server::{Seen, completion};

async fn answered(body: &Value) -> Reply {
    let (result, calls) = outcome([Act::json(200, body)]).await;
    assert_eq!(calls, 1);
    result.unwrap()
}

#[tokio::test]
async fn missing_usage_is_estimated() {
    let reply = answered(&json!({"choices": [{"message": {"content": "twelve bytes"}}]})).await;
    assert!(reply.usage.estimated);
    // "hello" is two tokens of four bytes and a frame of four.
    assert_eq!(
        (reply.usage.prompt_tokens, reply.usage.completion_tokens),
        (6, 3)
    );
}

#[tokio::test]
async fn filtered_answers_are_replies() {
    let mut body = completion("", 5);
    body["choices"][0]["message"]["content"] = Value::Null;
    body["choices"][0]["finish_reason"] = "content_filter".into();
    let reply = answered(&body).await;
    assert_eq!((reply.text.as_str(), reply.finish), ("", Finish::Filtered));
    body["choices"][0]["finish_reason"] = "length".into();
    assert_eq!(answered(&body).await.finish, Finish::Length);
    body["choices"][0]["finish_reason"] = "a_new_reason".into();
    assert_eq!(answered(&body).await.finish, Finish::Stop);
}

#[tokio::test]
async fn reasoning_is_no_answer() {
    let mut body = completion("yes", 5);
    body["choices"][0]["message"]["reasoning_content"] = "canary? no".into();
    assert_eq!(answered(&body).await.text, "yes");
}

#[tokio::test]
async fn html_points_at_address() {
    for act in [Act::html(200), Act::html(404)] {
        let (result, calls) = outcome([act]).await;
        let text = rejected(result);
        assert!(
            text.contains("HTML") && text.contains("such as https://"),
            "{text}"
        );
        assert_eq!(calls, 1);
    }
}

#[tokio::test]
async fn other_json_points_at_address() {
    let (result, _) = outcome([Act::json(200, &json!({"response": "the wrong API"}))]).await;
    let text = rejected(result);
    assert!(
        text.contains("no answer of a model") && text.contains("the wrong API"),
        "{text}"
    );
}

#[tokio::test]
async fn no_choices_fails_one_request() {
    let (result, calls) = outcome([Act::json(200, &json!({"choices": []}))]).await;
    let text = request_error(result);
    assert!(
        text.contains("without a choice (after 3 attempts)"),
        "{text}"
    );
    assert_eq!(calls, 3);
}

#[tokio::test]
async fn status_200_errors_are_errors() {
    let error = |error: Value| Act::json(200, &json!({ "error": error }));
    let (result, calls) = outcome([error(json!({"code": 401, "message": "bad key"}))]).await;
    assert!(rejected(result).contains("THE_KEY"));
    assert_eq!(calls, 1);
    let (result, calls) = outcome([error(json!({"message": "upstream broke"}))]).await;
    assert!(unavailable(result).contains("upstream broke"));
    assert_eq!(calls, 4);
}

#[tokio::test]
async fn flood_is_cut_off() {
    let (result, calls) = outcome([Act::raw(200, vec![b' '; 9 << 20])]).await;
    assert!(request_error(result).contains("more than 8 MiB"));
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn parameters_adapt_once() {
    let modern = |seen: &Seen| {
        let unsupported = |name: &str| {
            Act::json(
                400,
                &json!({"error": {"message": format!("Unsupported parameter: '{name}' is not supported with this model."), "param": name, "code": "unsupported_parameter"}}),
            )
        };
        ["max_tokens", "temperature", "top_p", "seed"]
            .into_iter()
            .find(|name| seen.body.get(name).is_some())
            .map_or_else(|| Act::text("a"), unsupported)
    };
    let server = MockServer::start(modern).await;
    let llm = HttpLlm::connect(HttpConfig {
        max_retries: 0,
        ..config(&server)
    })
    .await
    .unwrap();
    let mut call = ask("hello");
    call.sampling = SamplingOptions {
        temperature: 0.5,
        top_p: 0.9,
        max_tokens: 16,
        seed: 3,
    };
    llm.call(&call).await.unwrap();
    assert_eq!(
        server.calls(),
        5,
        "four refusals, one answer, none of them a retry"
    );
    llm.call(&call).await.unwrap();
    assert_eq!(server.calls(), 6, "remembered");
    assert_eq!(server.requests()[5].body["max_completion_tokens"], 16);
    assert_eq!(llm.stats().retries, 0);
    assert_eq!(llm.adaptations().len(), 4);
    assert!(llm.adaptations()[1].contains("samples at its default"));
}

#[tokio::test]
async fn stubborn_refusal_ends() {
    let stubborn = Act::json(
        400,
        &json!({"error": {"message": "temperature is not supported", "param": "temperature"}}),
    );
    let (result, calls) = outcome([stubborn]).await;
    request_error(result);
    assert_eq!(calls, 2);
}

#[tokio::test]
async fn silent_truncation_is_refused() {
    let words = "word ".repeat(1000);
    let with_tokens = |tokens| Act::json(200, &completion("positive", tokens));
    let server = MockServer::in_turn([with_tokens(512), with_tokens(1020)]).await;
    let llm = client(&server).await;
    let text = request_error(llm.call(&ask(&words)).await);
    assert!(
        text.contains("read 512 tokens of a prompt of 1000 words") && text.contains("num_ctx"),
        "{text}"
    );
    assert!(llm.call(&ask(&words)).await.is_ok());

    // Some servers count cached tokens apart.
    let mut body = completion("positive", 20);
    body["usage"]["prompt_tokens_details"] = json!({"cached_tokens": 1000});
    let server = MockServer::in_turn([Act::json(200, &body)]).await;
    assert!(client(&server).await.call(&ask(&words)).await.is_ok());
}
