//! What is tried again, how often, and when.

use std::time::Instant;

use futures::future::join_all;

use super::*;
use crate::support::mock_server::Seen;

#[tokio::test]
async fn passing_failures_are_retried() {
    let failures = [
        Act::error(408, "", "slow"),
        Act::error(409, "", "conflict"),
        Act::error(429, "rate_limit_exceeded", "slow down"),
        Act::error(500, "", "oops"),
        Act::html(502),
        Act::error(503, "", "loading model"),
        Act::error(529, "overloaded_error", "overloaded"),
        Act::hang_up(),
        Act::text("fine").cut_at(20),
        Act::raw(200, r#"{"choices": [{"message""#),
        Act::json(
            200,
            &serde_json::json!({"error": {"code": 502, "message": "upstream"}}),
        ),
    ];
    for failure in failures {
        let (result, calls) = outcome([failure.clone(), failure.clone(), Act::text("fine")]).await;
        assert_eq!(result.unwrap().text, "fine", "{failure:?}");
        assert_eq!(calls, 3, "{failure:?}");
    }
}

#[tokio::test]
async fn exhausted_retries_quote_last_error() {
    let (result, calls) = outcome([Act::error(500, "", "the disk is full")]).await;
    let text = unavailable(result);
    assert!(
        text.contains("500: the disk is full (after 4 attempts)"),
        "{text}"
    );
    assert_eq!(calls, 4);
}

#[tokio::test]
async fn permanent_errors_are_not_retried() {
    for (status, code, expected) in [
        (401, "", "THE_KEY"),
        (402, "", "credit"),
        (403, "", "THE_KEY"),
        (404, "model_not_found", "mock-model"),
        (429, "insufficient_quota", "quota"),
        (501, "", "501"),
    ] {
        let (result, calls) = outcome([Act::error(status, code, "no")]).await;
        let text = rejected(result);
        assert!(text.contains(expected), "{text}");
        assert_eq!(calls, 1, "{status}");
    }
    for (status, code, expected) in [
        (400, "", "400: no"),
        (400, "context_length_exceeded", "too long for mock-model"),
        (413, "", "413"),
        (422, "", "422"),
    ] {
        let (result, calls) = outcome([Act::error(status, code, "no")]).await;
        let text = request_error(result);
        assert!(text.contains(expected), "{text}");
        assert_eq!(calls, 1, "{status}");
    }
}

#[tokio::test]
async fn redirects_are_errors() {
    let act = Act::raw(302, "").header("location", "https://elsewhere.example/v1?token=canary");
    let (result, calls) = outcome([act]).await;
    let text = rejected(result);
    assert!(
        text.contains("redirects to https://elsewhere.example/v1 (302)"),
        "{text}"
    );
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn requested_wait_is_kept() {
    for (name, value, least) in [
        ("retry-after-ms", "300", 300),
        ("retry-after", "1", 1000),
        ("retry-after", "date", 900),
    ] {
        let date = httpdate_in(Duration::from_secs(2));
        let value = if value == "date" { &date } else { value };
        let server = MockServer::in_turn([
            Act::error(429, "", "wait").header(name, value),
            Act::text("a"),
        ])
        .await;
        let llm = client(&server).await;
        llm.call(&ask("hello")).await.unwrap();
        let [first, second] = server.requests().try_into().unwrap();
        let waited = (second.at - first.at).as_millis();
        assert!(
            (least..least + 1600).contains(&waited),
            "{name}: {value} waited {waited} ms"
        );
        let stats = llm.stats();
        assert_eq!(
            (stats.attempts, stats.retries, stats.rate_limited),
            (2, 1, 1)
        );
        assert!(stats.waited.as_millis() >= least, "{stats:?}");
    }
}

/// An HTTP date that far from now, which drops the fraction of a second.
fn httpdate_in(wait: Duration) -> String {
    httpdate::fmt_http_date(std::time::SystemTime::now() + wait)
}

#[tokio::test]
async fn overlong_wait_is_reported() {
    let (result, calls) =
        outcome([Act::error(429, "", "wait").header("retry-after", "3600")]).await;
    let text = unavailable(result);
    assert!(
        text.contains("asks to wait 3600 s, longer than the 2 s"),
        "{text}"
    );
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn silent_server_times_out() {
    for act in [
        Act::silence(),
        Act::text("fine").slowly(Duration::from_millis(20)),
    ] {
        let server = MockServer::in_turn([act]).await;
        let config = HttpConfig {
            timeout: Duration::from_millis(200),
            max_retries: 1,
            ..config(&server)
        };
        let llm = HttpLlm::connect(config).await.unwrap();
        let start = Instant::now();
        let text = unavailable(soon(llm.call(&ask("hello"))).await);
        assert!(
            text.contains("no full answer within 0.2 s (after 2 attempts)"),
            "{text}"
        );
        assert_eq!(server.calls(), 2);
        assert!(start.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn nobody_listening_is_said_so() {
    let server = MockServer::in_turn([Act::text("a")]).await;
    let config = config(&server);
    let address = server.base_url();
    drop(server);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let llm = HttpLlm::connect(config).await.unwrap();
    let text = unavailable(soon(llm.call(&ask("hello"))).await);
    assert!(
        text.contains(&format!("nobody answers at {address}")),
        "{text}"
    );
    assert!(
        text.contains("is the server running? (after 4 attempts)"),
        "{text}"
    );
}

#[tokio::test]
async fn idle_disconnect_costs_nothing() {
    let server = MockServer::in_turn([Act::text("a")]).await;
    let llm = client(&server).await;
    for _ in 0..3 {
        llm.call(&ask("hello")).await.unwrap();
    }
    assert_eq!(llm.stats().retries, 0);
    assert_eq!(server.calls(), 3);
}

async fn burst(llm: &HttpLlm, count: usize) -> Vec<Result<Reply, LlmError>> {
    let calls: Vec<ModelCall> = (0..count).map(|i| ask(&format!("call {i}"))).collect();
    soon(join_all(calls.iter().map(|call| llm.call(call)))).await
}

#[tokio::test]
async fn concurrency_never_exceeds_limit() {
    let server = MockServer::start(|_| Act::text("a").after(Duration::from_millis(5))).await;
    let llm = HttpLlm::connect(HttpConfig {
        concurrency: 5,
        ..config(&server)
    })
    .await
    .unwrap();
    let replies = burst(&llm, 60).await;
    assert!(replies.iter().all(Result::is_ok));
    assert_eq!(server.most_in_flight(), 5);
    assert_eq!(llm.stats().in_flight, 0);
}

#[tokio::test]
async fn storm_halves_limit() {
    let storm = |seen: &Seen| {
        if seen.nth < 40 {
            Act::error(429, "", "slow down")
        } else {
            Act::text("a").after(Duration::from_millis(1))
        }
    };
    let server = MockServer::start(storm).await;
    let llm = HttpLlm::connect(HttpConfig {
        concurrency: 16,
        max_retries: 20,
        ..config(&server)
    })
    .await
    .unwrap();
    let replies = burst(&llm, 30).await;
    assert!(replies.iter().all(Result::is_ok), "{replies:?}");
    assert_eq!(llm.stats().rate_limited, 40);
    let low = llm.stats().limit;
    assert!(low < 16, "{low}");
    // From one to sixteen by one per round takes 136 successes.
    for _ in 0..4 {
        burst(&llm, 40).await;
    }
    assert_eq!(llm.stats().limit, 16);
}

#[tokio::test]
async fn endless_storm_ends_calls() {
    let server = MockServer::start(|_| Act::error(429, "", "slow down")).await;
    let llm = HttpLlm::connect(HttpConfig {
        concurrency: 8,
        ..config(&server)
    })
    .await
    .unwrap();
    let replies = burst(&llm, 12).await;
    assert_eq!(
        server.calls(),
        12 * 4,
        "every call has its attempts, one at a time if need be"
    );
    for reply in replies {
        unavailable(reply);
    }
    assert_eq!(
        (
            llm.stats().limit,
            llm.stats().in_flight,
            llm.stats().waiting
        ),
        (1, 0, 0)
    );
}

#[tokio::test]
async fn no_call_is_sent_twice() {
    let flaky = |seen: &Seen| {
        if seen.repeat == 0 {
            Act::error(500, "", "oops")
        } else {
            Act::text("a")
        }
    };
    let server = MockServer::start(flaky).await;
    let llm = client(&server).await;
    assert!(burst(&llm, 20).await.iter().all(Result::is_ok));
    let counts = server.calls_per_body();
    assert_eq!(counts.len(), 20);
    assert!(counts.values().all(|count| *count == 2), "{counts:?}");
    assert_eq!(llm.stats().retries, 20);
}

#[tokio::test]
async fn dropped_call_frees_its_place() {
    let server = MockServer::start(|seen| {
        if seen.nth == 0 {
            Act::silence()
        } else {
            Act::text("a")
        }
    })
    .await;
    let llm = HttpLlm::connect(HttpConfig {
        concurrency: 1,
        ..config(&server)
    })
    .await
    .unwrap();
    let call = ask("hello");
    assert!(
        tokio::time::timeout(Duration::from_millis(100), llm.call(&call))
            .await
            .is_err()
    );
    assert_eq!(llm.stats().in_flight, 0);
    assert!(soon(llm.call(&call)).await.is_ok());
}

#[tokio::test]
async fn requests_per_minute_are_kept() {
    let server = MockServer::start(|_| Act::text("a")).await;
    let config = HttpConfig {
        requests_per_minute: Some(600),
        ..config(&server)
    };
    let llm = HttpLlm::connect(config).await.unwrap();
    let start = Instant::now();
    burst(&llm, 70).await;
    // Ten a second: sixty at once, ten more within a second.
    let took = start.elapsed().as_secs_f64();
    assert!((0.95..3.0).contains(&took), "{took}");
}
