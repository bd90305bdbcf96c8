//! `OpenAI`: a file of requests, a batch of the file, a file of answers.

use std::fmt::Write as _;

use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Value, json};
use shiftproof_search::{BatchProgress, LlmError};

use super::{BatchWire, beside, get, json as read, lines, once, patiently, text, without_id};
use crate::counts::count;
use crate::http::client::HttpSender;
use crate::http::retry_policy::RequestFault;

/// Segments of a call's path that are not part of the base address.
const CALL: usize = 2;
/// The metadata under which our name stands.
const TAG: &str = "shiftproof";

pub(super) struct OpenAiBatches;

#[async_trait]
impl BatchWire for OpenAiBatches {
    async fn submit(
        &self,
        sender: &HttpSender,
        tag: &str,
        calls: Vec<(&str, Value)>,
    ) -> Result<String, RequestFault> {
        let (kind, body) = form(tag, &calls);
        let files = beside(sender, CALL, &["files"]);
        let content = Some((kind.as_str(), body.as_slice()));
        // A file that was uploaded twice costs nothing.
        let received = patiently(sender, &Method::POST, &files, content)
            .await
            .map_err(RequestFault::Final)?;
        let file = read(sender, &received).map_err(RequestFault::Final)?;
        let file = text(&file, "id").ok_or_else(|| without_id(sender, &received))?;
        let body = json!({
            "input_file_id": file,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {TAG: tag},
        });
        let url = beside(sender, CALL, &["batches"]);
        let content = Some(("application/json", body.to_string().into_bytes()));
        let received = once(sender, Method::POST, url, content).await?;
        let batch = read(sender, &received).map_err(RequestFault::Final)?;
        text(&batch, "id")
            .map(str::to_owned)
            .ok_or_else(|| without_id(sender, &received))
    }

    async fn find(
        &self,
        sender: &HttpSender,
        tag: &str,
        _: usize,
    ) -> Result<Option<String>, LlmError> {
        let mut url = beside(sender, CALL, &["batches"]);
        url.query_pairs_mut().append_pair("limit", "100");
        let list = get(sender, &url).await?;
        let batches = list.get("data").and_then(Value::as_array);
        let mut ours = batches.into_iter().flatten().filter(|batch| {
            let known = batch.pointer(&format!("/metadata/{TAG}"));
            let status = text(batch, "status").unwrap_or_default();
            known.and_then(Value::as_str) == Some(tag)
                && !matches!(status, "failed" | "cancelling" | "cancelled")
        });
        Ok(ours
            .next()
            .and_then(|batch| text(batch, "id"))
            .map(str::to_owned))
    }

    async fn progress(&self, sender: &HttpSender, id: &str) -> Result<BatchProgress, LlmError> {
        let batch = get(sender, &beside(sender, CALL, &["batches", id])).await?;
        let status = text(&batch, "status").unwrap_or_default().to_owned();
        let counted = |name: &str| {
            batch
                .pointer(&format!("/request_counts/{name}"))
                .and_then(count)
                .unwrap_or(0)
        };
        let nothing = text(&batch, "output_file_id").is_none();
        let refused = (status == "failed" && nothing).then(|| {
            batch
                .pointer("/errors/data/0/message")
                .and_then(Value::as_str)
                .unwrap_or("no reason is given")
                .to_owned()
        });
        Ok(BatchProgress {
            done: counted("completed"),
            total: counted("total"),
            ended: matches!(
                status.as_str(),
                "completed" | "expired" | "cancelled" | "failed"
            )
            .then_some(status),
            refused,
        })
    }

    async fn answers(
        &self,
        sender: &HttpSender,
        id: &str,
    ) -> Result<Vec<(String, Value)>, LlmError> {
        let batch = get(sender, &beside(sender, CALL, &["batches", id])).await?;
        // Where no call succeeded there is only a file of errors.
        let Some(file) = text(&batch, "output_file_id") else {
            return Ok(Vec::new());
        };
        let url = beside(sender, CALL, &["files", file, "content"]);
        let received = patiently(sender, &Method::GET, &url, None).await?;
        let answers = lines(&received).filter_map(|line| {
            let status = line.pointer("/response/status_code").and_then(count)?;
            let body = line.pointer("/response/body")?.clone();
            (status == 200).then_some((text(&line, "custom_id")?.to_owned(), body))
        });
        Ok(answers.collect())
    }
}

/// The upload of a file of requests: its content type and body.
fn form(tag: &str, calls: &[(&str, Value)]) -> (String, Vec<u8>) {
    // No line of JSON can hold it: they begin with a brace.
    let boundary = format!("--{tag}");
    let mut body = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
         --{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{tag}.jsonl\"\r\n\
         content-type: application/jsonl\r\n\r\n"
    );
    for (name, call) in calls {
        let line = json!({
            "custom_id": name,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": call,
        });
        body.push_str(&line.to_string());
        body.push('\n');
    }
    let _ = write!(body, "\r\n--{boundary}--\r\n");
    (
        format!("multipart/form-data; boundary={boundary}"),
        body.into_bytes(),
    )
}
