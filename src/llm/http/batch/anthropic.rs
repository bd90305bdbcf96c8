//! Anthropic: a batch of messages, known by its id alone.

use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Value, json};
use shiftproof_search::{BatchProgress, LlmError};

use super::{BatchWire, beside, get, json as read, lines, once, patiently, text, without_id};
use crate::counts::count;
use crate::http::client::HttpSender;
use crate::http::retry_policy::RequestFault;

pub(super) struct AnthropicBatches;

#[async_trait]
impl BatchWire for AnthropicBatches {
    async fn submit(
        &self,
        sender: &HttpSender,
        _: &str,
        calls: Vec<(&str, Value)>,
    ) -> Result<String, RequestFault> {
        let requests: Vec<Value> = calls
            .into_iter()
            .map(|(name, params)| json!({"custom_id": name, "params": params}))
            .collect();
        let url = beside(sender, 0, &["batches"]);
        let body = json!({"requests": requests}).to_string().into_bytes();
        let received = once(sender, Method::POST, url, Some(("application/json", body))).await?;
        let batch = read(sender, &received).map_err(RequestFault::Final)?;
        text(&batch, "id")
            .map(str::to_owned)
            .ok_or_else(|| without_id(sender, &received))
    }

    /// A batch carries no name of ours, so the newest with as many calls is taken
    /// for it; where it is not, no call in it is ours, and nothing is collected.
    async fn find(
        &self,
        sender: &HttpSender,
        _: &str,
        calls: usize,
    ) -> Result<Option<String>, LlmError> {
        let mut url = beside(sender, 0, &["batches"]);
        url.query_pairs_mut().append_pair("limit", "100");
        let list = get(sender, &url).await?;
        let batches = list.get("data").and_then(Value::as_array);
        for batch in batches.into_iter().flatten() {
            let (Some(id), true) = (text(batch, "id"), total(batch) == calls as u64) else {
                continue;
            };
            // Of those that have ended, the answers tell.
            let ended = text(batch, "processing_status") == Some("ended");
            if !ended || self.answers(sender, id).await.is_ok_and(|all| ours(&all)) {
                return Ok(Some(id.to_owned()));
            }
        }
        Ok(None)
    }

    async fn progress(&self, sender: &HttpSender, id: &str) -> Result<BatchProgress, LlmError> {
        let batch = get(sender, &beside(sender, 0, &["batches", id])).await?;
        let total = total(&batch);
        let waiting = counted(&batch, "processing");
        let ended = text(&batch, "processing_status") == Some("ended");
        Ok(BatchProgress {
            done: total - waiting,
            total,
            ended: ended.then(|| {
                let of = |name: &str| match counted(&batch, name) {
                    0 => None,
                    calls => Some(format!("{calls} {name}")),
                };
                let parts: Vec<String> = ["errored", "canceled", "expired"]
                    .into_iter()
                    .filter_map(of)
                    .collect();
                if parts.is_empty() {
                    "ended".to_owned()
                } else {
                    format!("ended ({})", parts.join(", "))
                }
            }),
            refused: None,
        })
    }

    async fn answers(
        &self,
        sender: &HttpSender,
        id: &str,
    ) -> Result<Vec<(String, Value)>, LlmError> {
        let url = beside(sender, 0, &["batches", id, "results"]);
        let received = patiently(sender, &Method::GET, &url, None).await?;
        let answers = lines(&received).filter_map(|line| {
            let succeeded = line.pointer("/result/type")?.as_str()? == "succeeded";
            let message = line.pointer("/result/message")?.clone();
            succeeded.then_some((text(&line, "custom_id")?.to_owned(), message))
        });
        Ok(answers.collect())
    }
}

fn counted(batch: &Value, name: &str) -> u64 {
    batch
        .pointer(&format!("/request_counts/{name}"))
        .and_then(count)
        .unwrap_or(0)
}

fn total(batch: &Value) -> u64 {
    ["processing", "succeeded", "errored", "canceled", "expired"]
        .into_iter()
        .map(|name| counted(batch, name))
        .sum()
}

/// Whether the names are such as we give: keys of 64 hexadecimal digits.
fn ours(answers: &[(String, Value)]) -> bool {
    let digits = |name: &str| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
    answers.iter().all(|(name, _)| digits(name))
}
