//! The protocols beside chat completions, against servers that speak them.

use std::time::Instant;

use serde_json::{Value, json};
use shiftproof::llm::http::ApiDialect;
use shiftproof_tasks::Finish;

use super::*;
use crate::support::mock_server::Seen;

/// What a provider sends for a text that ended for `end`.
enum End {
    Whole,
    Cut,
    Withheld,
}

fn answer(api: ApiDialect, text: &str, end: &End) -> Value {
    match api {
        ApiDialect::OpenAi | ApiDialect::Azure => {
            let reason = match end {
                End::Whole => "stop",
                End::Cut => "length",
                End::Withheld => "content_filter",
            };
            json!({"choices": [{"message": {"content": text}, "finish_reason": reason}],
                   "usage": {"prompt_tokens": 90, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 64}}})
        }
        ApiDialect::Anthropic => {
            let reason = match end {
                End::Whole => "end_turn",
                End::Cut => "max_tokens",
                End::Withheld => "refusal",
            };
            json!({"type": "message", "content": [{"type": "text", "text": text}], "stop_reason": reason,
                   "usage": {"input_tokens": 26, "cache_read_input_tokens": 64, "output_tokens": 7}})
        }
        ApiDialect::Gemini => {
            let reason = match end {
                End::Whole => "STOP",
                End::Cut => "MAX_TOKENS",
                End::Withheld => "SAFETY",
            };
            json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": reason}],
                   "usageMetadata": {"promptTokenCount": 90, "candidatesTokenCount": 7, "cachedContentTokenCount": 64}})
        }
        ApiDialect::Ollama => {
            let reason = match end {
                End::Cut => "length",
                End::Whole | End::Withheld => "stop",
            };
            json!({"message": {"role": "assistant", "content": text}, "done": true, "done_reason": reason,
                   "prompt_eval_count": 90, "eval_count": 7})
        }
    }
}

fn refusal(api: ApiDialect, kind: &str, message: &str) -> Value {
    match api {
        ApiDialect::OpenAi | ApiDialect::Azure => {
            json!({"error": {"message": message, "code": kind}})
        }
        ApiDialect::Anthropic => {
            json!({"type": "error", "error": {"type": kind, "message": message}})
        }
        ApiDialect::Gemini => json!({"error": {"code": 400, "message": message, "status": kind}}),
        ApiDialect::Ollama => json!({"error": message}),
    }
}

fn of(api: ApiDialect, server: &MockServer) -> HttpConfig {
    HttpConfig {
        api,
        base_url: server.origin(),
        ..config(server)
    }
}

async fn asked(api: ApiDialect, acts: impl Into<Vec<Act>>) -> (Result<Reply, LlmError>, Vec<Seen>) {
    let server = MockServer::in_turn(acts).await;
    let llm = HttpLlm::connect(of(api, &server)).await.unwrap();
    let result = soon(llm.call(&ask("hello"))).await;
    without_canary(&format!("{result:?} {llm:?} {}", llm.identity()));
    (result, server.requests())
}

/// Chat completions have tests of their own.
const OTHERS: [ApiDialect; 4] = [
    ApiDialect::Azure,
    ApiDialect::Anthropic,
    ApiDialect::Gemini,
    ApiDialect::Ollama,
];

#[tokio::test]
async fn providers_get_their_own_protocol() {
    for (api, line, key) in [
        (
            ApiDialect::Azure,
            "POST /openai/deployments/mock-model/chat/completions?api-version=2024-10-21",
            ("api-key", CANARY.to_owned()),
        ),
        (
            ApiDialect::Anthropic,
            "POST /v1/messages",
            ("x-api-key", CANARY.to_owned()),
        ),
        (
            ApiDialect::Gemini,
            "POST /v1beta/models/mock-model:generateContent",
            ("x-goog-api-key", CANARY.to_owned()),
        ),
        (
            ApiDialect::Ollama,
            "POST /api/chat",
            ("authorization", format!("Bearer {CANARY}")),
        ),
    ] {
        let (result, seen) = asked(api, [Act::json(200, &answer(api, "fine", &End::Whole))]).await;
        let reply = result.unwrap();
        assert_eq!(
            (reply.text.as_str(), reply.finish),
            ("fine", Finish::Stop),
            "{api:?}"
        );
        assert_eq!(
            (
                reply.usage.prompt_tokens,
                reply.usage.completion_tokens,
                reply.usage.estimated
            ),
            (90, 7, false),
            "{api:?}"
        );
        let cached = if api == ApiDialect::Ollama { 0 } else { 64 };
        assert_eq!(reply.usage.cached_prompt_tokens, cached, "{api:?}");
        let [seen] = &seen[..] else { panic!() };
        assert_eq!(seen.line, line);
        assert_eq!(seen.headers[key.0], key.1);
        assert!(!seen.line.contains("canary"), "no key in an address");
        if api == ApiDialect::Anthropic {
            assert_eq!(seen.headers["anthropic-version"], "2023-06-01");
        }
    }
}

#[tokio::test]
async fn withheld_answers_are_replies() {
    for api in OTHERS {
        let (result, _) = asked(api, [Act::json(200, &answer(api, "fi", &End::Cut))]).await;
        assert_eq!(result.unwrap().finish, Finish::Length, "{api:?}");
        if api != ApiDialect::Ollama {
            let act = Act::json(200, &answer(api, "", &End::Withheld));
            let (result, _) = asked(api, [act]).await;
            assert_eq!(result.unwrap().finish, Finish::Filtered, "{api:?}");
        }
    }
    // Gemini may refuse the prompt itself.
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}});
    let (result, _) = asked(ApiDialect::Gemini, [Act::json(200, &blocked)]).await;
    let reply = result.unwrap();
    assert_eq!(
        (reply.finish, reply.text.as_str()),
        (Finish::Filtered, "blocked: SAFETY")
    );
    // And so does Azure's filter, as an error of this one request.
    let filtered = Act::error(
        400,
        "content_filter",
        "The prompt triggered the content management policy",
    );
    let (result, _) = asked(ApiDialect::Azure, [filtered]).await;
    assert!(request_error(result).contains("content filter refused the prompt"));
}

#[tokio::test]
async fn every_provider_is_waited_for() {
    for api in OTHERS {
        let fine = Act::json(200, &answer(api, "fine", &End::Whole));
        let throttled = Act::json(429, &refusal(api, "rate_limit_error", "slow down"))
            .header("retry-after", "0.2");
        let began = Instant::now();
        let (result, seen) = asked(api, [throttled, fine.clone()]).await;
        assert_eq!(
            (result.unwrap().text.as_str(), seen.len()),
            ("fine", 2),
            "{api:?}"
        );
        assert!(began.elapsed() >= Duration::from_millis(200), "{api:?}");
        for status in [500, 503, 529] {
            let busy = Act::json(status, &refusal(api, "overloaded_error", "Overloaded"));
            let (result, seen) = asked(api, [busy, fine.clone()]).await;
            assert_eq!(
                (result.unwrap().text.as_str(), seen.len()),
                ("fine", 2),
                "{api:?}"
            );
        }
    }
    // Google names the wait in the body.
    let mut exhausted = refusal(
        ApiDialect::Gemini,
        "RESOURCE_EXHAUSTED",
        "Resource has been exhausted",
    );
    exhausted["error"]["details"] =
        json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.2s"}]);
    let fine = Act::json(200, &answer(ApiDialect::Gemini, "fine", &End::Whole));
    let began = Instant::now();
    let (result, _) = asked(ApiDialect::Gemini, [Act::json(429, &exhausted), fine]).await;
    result.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn refusals_name_key_and_model() {
    for api in OTHERS {
        for status in [401, 403] {
            let act = Act::json(status, &refusal(api, "authentication_error", "bad key"));
            let (result, seen) = asked(api, [act]).await;
            assert!(rejected(result).contains("THE_KEY"), "{api:?}");
            assert_eq!(seen.len(), 1);
        }
        let act = Act::json(404, &refusal(api, "not_found_error", "no such model"));
        let (result, _) = asked(api, [act]).await;
        assert!(rejected(result).contains("mock-model"), "{api:?}");
    }
    let act = Act::json(
        400,
        &refusal(ApiDialect::Gemini, "INVALID_ARGUMENT", "API key not valid."),
    );
    let (result, _) = asked(ApiDialect::Gemini, [act]).await;
    assert!(rejected(result).contains("THE_KEY"));
}

#[tokio::test]
async fn provider_status_200_errors() {
    for api in OTHERS {
        let act = Act::json(200, &refusal(api, "overloaded_error", "Overloaded"));
        let fine = Act::json(200, &answer(api, "fine", &End::Whole));
        let (result, seen) = asked(api, [act, fine]).await;
        // Gemini's own code says that the request is wrong.
        if api == ApiDialect::Gemini {
            request_error(result);
        } else {
            assert_eq!(
                (result.unwrap().text.as_str(), seen.len()),
                ("fine", 2),
                "{api:?}"
            );
        }
    }
}

#[tokio::test]
async fn absurd_counts_are_not_believed() {
    for api in OTHERS.into_iter().chain([ApiDialect::OpenAi]) {
        for absurd in [
            json!(u64::MAX),
            json!(-7),
            json!(1e300),
            json!("many"),
            json!(2.5),
        ] {
            let mut body = answer(api, "twelve bytes", &End::Whole);
            let place = match api {
                ApiDialect::OpenAi | ApiDialect::Azure => "/usage/completion_tokens",
                ApiDialect::Anthropic => "/usage/output_tokens",
                ApiDialect::Gemini => "/usageMetadata/candidatesTokenCount",
                ApiDialect::Ollama => "/eval_count",
            };
            *body.pointer_mut(place).unwrap() = absurd.clone();
            let (result, _) = asked(api, [Act::json(200, &body)]).await;
            let usage = result.unwrap().usage;
            assert!(usage.estimated, "{api:?} {absurd}");
            assert_eq!((usage.prompt_tokens, usage.completion_tokens), (6, 3));
        }
    }
}

/// Thinks for 200 tokens, and says nothing with less room.
fn thinker(api: ApiDialect, seen: &Seen) -> Act {
    let place = match api {
        ApiDialect::OpenAi | ApiDialect::Azure | ApiDialect::Anthropic => "/max_tokens",
        ApiDialect::Gemini => "/generationConfig/maxOutputTokens",
        ApiDialect::Ollama => "/options/num_predict",
    };
    let enough = seen.body.pointer(place).and_then(Value::as_u64).unwrap() > 200;
    let end = if enough { End::Whole } else { End::Cut };
    let mut body = answer(api, if enough { "banana" } else { "" }, &end);
    match api {
        ApiDialect::OpenAi | ApiDialect::Azure => {
            body["usage"]["completion_tokens_details"] = json!({"reasoning_tokens": 200});
        }
        ApiDialect::Anthropic => {
            let thoughts = json!({"type": "thinking", "thinking": "hm", "signature": "x"});
            body["content"].as_array_mut().unwrap().insert(0, thoughts);
        }
        ApiDialect::Gemini => body["usageMetadata"]["thoughtsTokenCount"] = 200.into(),
        ApiDialect::Ollama => body["message"]["thinking"] = "hm".into(),
    }
    Act::json(200, &body)
}

#[tokio::test]
async fn reasoning_models_get_room() {
    for api in OTHERS {
        let server = MockServer::start(move |seen| thinker(api, seen)).await;
        let llm = HttpLlm::connect(HttpConfig {
            thoughts: AbilityMode::Auto,
            ..of(api, &server)
        })
        .await
        .unwrap();
        assert_eq!(llm.capabilities().thinking_tokens, 8192, "{api:?}");
        assert!(
            llm.probe_report().contains("reasons first"),
            "{}",
            llm.probe_report()
        );
    }
}

#[tokio::test]
async fn user_parameters_are_sent() {
    let server =
        MockServer::start(|_| Act::json(200, &answer(ApiDialect::OpenAi, "a", &End::Whole))).await;
    let mut config = config(&server);
    config.headers = vec![("x-team".to_owned(), "canary-team".into())];
    config.options.temperature = Some(0.7);
    config.options.stop = vec!["###".into()];
    config.options.body = match json!({"provider": {"order": ["x"]}}) {
        Value::Object(body) => body,
        _ => unreachable!(),
    };
    let llm = HttpLlm::connect(config).await.unwrap();
    llm.call(&ask("hello")).await.unwrap();
    let [seen] = &server.requests()[..] else {
        panic!()
    };
    assert_eq!(seen.headers["x-team"], "canary-team");
    assert_eq!(seen.body["temperature"], 0.7);
    assert_eq!(seen.body["stop"], json!(["###"]));
    assert_eq!(seen.body["provider"], json!({"order": ["x"]}));
    without_canary(llm.identity());
    assert!(llm.identity().contains("\"temperature\":0.7"));
}

#[tokio::test]
async fn refused_user_parameter_is_reported() {
    let refused = Act::error(
        400,
        "unsupported_value",
        "Unsupported value: 'temperature' does not support 0.7 with this model.",
    );
    let server = MockServer::in_turn([refused]).await;
    let mut config = config(&server);
    config.options.temperature = Some(0.7);
    let llm = HttpLlm::connect(config).await.unwrap();
    let said = rejected(llm.call(&ask("hello")).await);
    assert!(said.contains("the study sets as temperature"), "{said}");
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn unreadable_answer_fails_one_call() {
    let fine = |text: &str| Act::json(200, &answer(ApiDialect::OpenAi, text, &End::Whole));
    for broken in [
        r#"{"choices": [{"message": {"content": "a" "b"}}]}"#,
        r#"{"choices": [{"mess"#,
        r#"{"status": "ok"}"#,
        "OK",
    ] {
        let server = MockServer::start(move |seen| {
            if seen.prompt() == "odd" {
                Act::raw(200, broken)
            } else {
                fine("fine")
            }
        })
        .await;
        let llm = client(&server).await;
        assert!(llm.call(&ask("even")).await.is_ok());
        request_error(llm.call(&ask("odd")).await);
        assert!(llm.call(&ask("even")).await.is_ok(), "{broken}");
        assert_eq!(server.calls(), 2 + 3, "tried three times");
    }
    // What can be mended is.
    let bytes = b"{\"choices\": [{\"message\": {\"content\": \"caf\xe9 \\ud83d\"}}]}".to_vec();
    let (result, _) = outcome([Act::raw(200, bytes)]).await;
    assert!(result.unwrap().text.starts_with("caf"));
}
