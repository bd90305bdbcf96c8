//! One request on the wire and what is made of its answer.

use std::sync::atomic::Ordering::Relaxed;

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use shiftproof_search::{LlmError, ModelCall};

use super::client::HttpSender;
use super::protocol::parse;
use super::reply::{ChatCompletion, ParsedBody};
use super::retry_policy::{self, FaultContext, RequestFault};

/// Most bytes of a body that are read. The longest honest answer, 16 scored
/// tokens with 20 alternatives each, is below 100 KB; long texts stay below 1 MB.
const MOST_BYTES: usize = 8 << 20;
/// Most bytes of the file with a batch's answers.
const MOST_FILE: usize = 512 << 20;

impl HttpSender {
    /// Sends one request and receives the answer, whatever its status.
    pub(super) async fn receive(
        &self,
        method: Method,
        url: Url,
        content: Option<(&str, Vec<u8>)>,
        context: &FaultContext<'_>,
    ) -> Result<(u16, HeaderMap, Vec<u8>), RequestFault> {
        let most = if method == Method::GET {
            MOST_FILE
        } else {
            MOST_BYTES
        };
        let broken = |error| retry_policy::of_transport(error, context, self.config.timeout);
        let mut request = self.client.request(method, url);
        if let Some((kind, body)) = content {
            request = request.header("content-type", kind).body(body);
        }
        let mut response = request
            .headers(self.headers.clone())
            .send()
            .await
            .map_err(broken)?;
        let mut received = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if received.len() + chunk.len() > most {
                return Err(RequestFault::request(format!(
                    "{} answered with more than {} MiB",
                    context.address,
                    most >> 20
                )));
            }
            received.extend_from_slice(&chunk);
        }
        let status = response.status().as_u16();
        Ok((
            status,
            response.headers().clone(),
            // Before anything is cut or stored.
            self.secrets.mask(received),
        ))
    }

    /// Reads an answer. One that cannot be read fails this call alone where the
    /// server has answered others; where it has not, the address is wrong.
    pub(super) fn read(
        &self,
        received: &[u8],
        context: &FaultContext<'_>,
    ) -> Result<ChatCompletion, RequestFault> {
        let address = context.address;
        let said = || retry_policy::quote(&String::from_utf8_lossy(received));
        let unread = |what: String| {
            if self.answered.load(Relaxed) {
                RequestFault::odd(what)
            } else {
                RequestFault::rejected(format!(
                    "{what}; is base_url right? expected one such as {}",
                    context.example
                ))
            }
        };
        Err(match parse(received, &*self.protocol) {
            ParsedBody::Completion(completion) => {
                // What was escaped is legible now.
                let text = self.secrets.mask_text(&completion.text).into_owned();
                return Ok(ChatCompletion { text, ..completion });
            }
            ParsedBody::Error(error) => retry_policy::of_error(&error, context),
            ParsedBody::Empty => RequestFault::odd(format!("{address} answered without a choice")),
            ParsedBody::Broken => RequestFault::odd(format!(
                "{address} answered with JSON that cannot be read: {}",
                said()
            )),
            ParsedBody::Truncated if self.answered.load(Relaxed) => RequestFault::odd(format!(
                "the answer of {address} broke off after {} bytes",
                received.len()
            )),
            ParsedBody::Truncated => RequestFault::passing(format!(
                "the answer of {address} broke off after {} bytes",
                received.len()
            )),
            ParsedBody::Html if self.answered.load(Relaxed) => {
                RequestFault::passing(format!("{address} answered with HTML, not JSON"))
            }
            ParsedBody::Html => unread(format!("{address} answered with HTML, not JSON")),
            ParsedBody::Foreign => unread(format!(
                "{address} answered with JSON that is no answer of a model: {}",
                said()
            )),
            ParsedBody::NotJson => unread(format!(
                "{address} answered with something other than JSON: {}",
                said()
            )),
        })
    }

    /// A server that cuts a long prompt without a word (Ollama does) answers a
    /// question nobody asked. Every word is a token at least, so fewer tokens
    /// than words means that words are missing.
    pub(super) fn check_prompt(
        &self,
        call: &ModelCall,
        completion: &ChatCompletion,
    ) -> Result<(), LlmError> {
        const FEW: u64 = 64;
        /// Less is no context of a server: it counts what was not in its cache
        /// (as Ollama does), or does not count.
        const CONTEXT: u64 = 512;
        let Some(usage) = completion.usage else {
            return Ok(());
        };
        let words: usize = call
            .request
            .messages
            .iter()
            .map(|message| message.content.split_whitespace().count())
            .sum();
        let (words, read) = (words as u64, usage.prompt_tokens);
        // A tenth less is granted: a tokenizer may join words into one token.
        if words < FEW || read < CONTEXT || read * 10 >= words * 9 {
            return Ok(());
        }
        Err(LlmError::Request(format!(
            "{} read {read} tokens of a prompt of {words} words: it cut the prompt; raise the context of {} (Ollama: context_tokens in the study, or num_ctx on the server)",
            self.endpoint.shown, self.config.model,
        )))
    }
}
