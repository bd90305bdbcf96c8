//! Batches over HTTP: submitted, looked at, collected.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::{Value, json};
use shiftproof::llm::http::{ApiDialect, BatchConfig};
use shiftproof_search::BatchInterface;

use super::*;
use crate::support::mock_server::{Seen, completion};

const TAG: &str = "shiftproof-0123";

fn calls(count: usize) -> Vec<(String, ModelCall)> {
    (0..count)
        .map(|n| (format!("{n:064x}"), ask(&format!("text {n}"))))
        .collect()
}

async fn batching(api: ApiDialect, server: &MockServer) -> HttpLlm {
    HttpLlm::connect(HttpConfig {
        api,
        base_url: server.base_url(),
        batch: Some(BatchConfig {
            interval: Duration::from_millis(1),
            ..BatchConfig::default()
        }),
        ..config(server)
    })
    .await
    .unwrap()
}

fn borrowed(calls: &[(String, ModelCall)]) -> Vec<(String, &ModelCall)> {
    calls
        .iter()
        .map(|(name, call)| (name.clone(), call))
        .collect()
}

/// The lines of an uploaded file of requests.
fn requests(form: &str) -> Vec<Value> {
    form.lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn openai_batches_exchange_files() {
    let server = MockServer::start(|seen| match seen.line.as_str() {
        "POST /v1/files" => Act::json(200, &json!({"id": "file-in"})),
        "POST /v1/batches" => Act::json(200, &json!({"id": "batch_1", "status": "validating"})),
        "GET /v1/batches/batch_1" => Act::json(
            200,
            &json!({"id": "batch_1", "status": "completed", "output_file_id": "file-out", "error_file_id": "file-err",
                    "request_counts": {"total": 3, "completed": 2, "failed": 1}}),
        ),
        "GET /v1/files/file-out/content" => {
            let line = |n: usize, status: u16, body: &Value| {
                json!({"custom_id": format!("{n:064x}"), "response": {"status_code": status, "body": body}, "error": null}).to_string()
            };
            // Out of order, one of them an error, one line broken.
            let lines = [
                line(2, 200, &completion("third", 9)),
                line(1, 400, &json!({"error": {"message": "no"}})),
                "{broken".to_owned(),
                line(0, 200, &completion("first", 9)),
            ];
            Act::raw(200, lines.join("\n"))
        }
        other => Act::error(404, "", other),
    })
    .await;
    let llm = batching(ApiDialect::OpenAi, &server).await;
    assert!(!llm.capabilities().label_scores);
    let calls = calls(3);
    let id = llm.submit(TAG, &borrowed(&calls)).await.unwrap();
    assert_eq!(id, "batch_1");
    let progress = llm.progress(&id).await.unwrap();
    assert_eq!(
        (progress.done, progress.total, progress.ended.as_deref()),
        (2, 3, Some("completed"))
    );
    let replies = llm.collect(&id, &borrowed(&calls)).await.unwrap();
    let texts: Vec<(&str, &str)> = replies
        .iter()
        .map(|(name, reply)| (&name[63..], reply.text.as_str()))
        .collect();
    assert_eq!(texts, [("2", "third"), ("0", "first")]);
    assert!(replies.iter().all(|(_, reply)| reply.usage.batched));

    let seen = server.requests();
    let lines = requests(&seen[0].text);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["custom_id"], calls[0].0.as_str());
    assert_eq!(lines[0]["url"], "/v1/chat/completions");
    assert_eq!(lines[1]["body"]["messages"][0]["content"], "text 1");
    assert_eq!(lines[1]["body"]["max_tokens"], 16);
    assert!(seen[0].text.contains("name=\"purpose\"\r\n\r\nbatch"));
    assert_eq!(
        seen[1].body,
        json!({"input_file_id": "file-in", "endpoint": "/v1/chat/completions", "completion_window": "24h",
               "metadata": {"shiftproof": TAG}})
    );
    assert_eq!(seen[2].headers["authorization"], format!("Bearer {CANARY}"));
}

#[tokio::test]
async fn anthropic_batches_return_lines() {
    let server = MockServer::start(|seen| match seen.line.as_str() {
        "POST /v1/messages/batches" => Act::json(200, &json!({"id": "msgbatch_1", "processing_status": "in_progress"})),
        "GET /v1/messages/batches/msgbatch_1" => Act::json(
            200,
            &json!({"id": "msgbatch_1", "processing_status": "ended",
                    "request_counts": {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 0, "expired": 1}}),
        ),
        "GET /v1/messages/batches/msgbatch_1/results" => {
            let name = |n: usize| format!("{n:064x}");
            let message = json!({"content": [{"type": "text", "text": "second"}], "stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 1}});
            let lines = [
                json!({"custom_id": name(0), "result": {"type": "errored", "error": {"type": "invalid_request"}}}).to_string(),
                json!({"custom_id": name(1), "result": {"type": "succeeded", "message": message}}).to_string(),
                json!({"custom_id": name(2), "result": {"type": "expired"}}).to_string(),
            ];
            Act::raw(200, lines.join("\n"))
        }
        other => Act::error(404, "", other),
    })
    .await;
    let llm = batching(ApiDialect::Anthropic, &server).await;
    let calls = calls(3);
    let id = llm.submit(TAG, &borrowed(&calls)).await.unwrap();
    let progress = llm.progress(&id).await.unwrap();
    assert_eq!(
        progress.ended.as_deref(),
        Some("ended (1 errored, 1 expired)")
    );
    let replies = llm.collect(&id, &borrowed(&calls)).await.unwrap();
    assert_eq!(replies.len(), 1);
    assert_eq!(
        (replies[0].0.as_str(), replies[0].1.text.as_str()),
        (calls[1].0.as_str(), "second")
    );
    let submitted = &server.requests()[0].body["requests"];
    assert_eq!(submitted.as_array().unwrap().len(), 3);
    assert_eq!(submitted[2]["params"]["messages"][0]["content"], "text 2");
}

/// The answer to the first submission is lost: the batch is found, not sent again.
#[tokio::test]
async fn lost_submission_is_not_repeated() {
    let submitted = Arc::new(AtomicUsize::new(0));
    let count = submitted.clone();
    let server = MockServer::start(move |seen: &Seen| match seen.line.as_str() {
        "POST /v1/files" => Act::json(200, &json!({"id": "file-in"})),
        "POST /v1/batches" => {
            count.fetch_add(1, SeqCst);
            Act::hang_up()
        }
        "GET /v1/batches?limit=100" => Act::json(
            200,
            &json!({"data": [
                {"id": "other", "status": "in_progress", "metadata": {"shiftproof": "another"}},
                {"id": "old", "status": "failed", "metadata": {"shiftproof": TAG}},
                {"id": "ours", "status": "in_progress", "metadata": {"shiftproof": TAG}}
            ]}),
        ),
        other => Act::error(404, "", other),
    })
    .await;
    let llm = batching(ApiDialect::OpenAi, &server).await;
    let calls = calls(2);
    let id = llm.submit(TAG, &borrowed(&calls)).await.unwrap();
    assert_eq!((id.as_str(), submitted.load(SeqCst)), ("ours", 1));
}

#[tokio::test]
async fn refused_batch_says_why() {
    let server = MockServer::start(|_| {
        Act::json(
            200,
            &json!({"id": "b", "status": "failed", "errors": {"data": [{"message": "no such model"}]}}),
        )
    })
    .await;
    let progress = batching(ApiDialect::OpenAi, &server)
        .await
        .progress("b")
        .await
        .unwrap();
    assert_eq!(progress.refused.as_deref(), Some("no such model"));
    // A server without batches says so too.
    let server = MockServer::start(|_| Act::error(404, "", "Not Found")).await;
    let error = batching(ApiDialect::OpenAi, &server)
        .await
        .progress("b")
        .await
        .unwrap_err();
    assert!(matches!(&error, LlmError::Request(text) if text.contains("no such batch")));
}

#[tokio::test]
async fn unbatched_providers_are_refused() {
    for api in [ApiDialect::Azure, ApiDialect::Gemini, ApiDialect::Ollama] {
        let server = MockServer::in_turn([Act::text("a")]).await;
        let config = HttpConfig {
            api,
            batch: Some(BatchConfig::default()),
            ..config(&server)
        };
        let error = HttpLlm::connect(config).await.unwrap_err();
        assert!(
            matches!(&error, ConnectError::Config(text) if text.contains("batch")),
            "{error:?}"
        );
        assert_eq!(server.calls(), 0);
    }
}
