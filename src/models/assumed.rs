//! A model that nobody asked, as a study describes it: for estimates.

use std::sync::Arc;

use async_trait::async_trait;
use shiftproof_search::{Capabilities, Llm, LlmError, ModelCall};
use shiftproof_tasks::{Reply, Request};

use crate::exit::Failure;
use crate::llm::http::{AbilityMode, ApiDialect, estimate_tokens};
use crate::models::connect_model::{ConnectedModel, price};
use crate::models::connect_program;
use crate::study::{ModelProvider, ModelSpec};

/// Calls an embedded model computes together.
const EMBEDDED_BATCH: usize = 48;
/// Calls in flight of a client that is told no number.
const CONCURRENCY: usize = 8;

/// A model that answers nothing.
struct AssumedModel {
    identity: String,
    capabilities: Capabilities,
}

#[async_trait]
impl Llm for AssumedModel {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn estimate_tokens(&self, request: &Request) -> u64 {
        estimate_tokens(request)
    }

    async fn call(&self, _: &ModelCall) -> Result<Reply, LlmError> {
        Err(LlmError::Rejected(
            "a model that is only assumed answers nothing".to_owned(),
        ))
    }
}

/// What the study says of the model `spec`, and what follows where it says
/// nothing.
pub(crate) fn assumed(spec: &ModelSpec) -> Result<ConnectedModel, Failure> {
    let provider = spec.provider().map_err(Failure::usage)?;
    let (capabilities, report) = match provider.server() {
        None if !provider.is_in_process() => program(spec),
        None => (embedded(spec), "in this process".to_owned()),
        Some((api, _)) => {
            // A study without an address is told now.
            crate::models::connect_model::base_url(spec, api)?;
            server(spec, api)
        }
    };
    let name = match provider {
        ModelProvider::Gguf(_) | ModelProvider::Embedded => "embedded".to_owned(),
        _ => spec.name.clone(),
    };
    let llm = AssumedModel {
        identity: name.clone(),
        capabilities,
    };
    Ok(ConnectedModel::assumed(
        Arc::new(llm),
        price(spec),
        format!("{name}: {report}"),
    ))
}

fn embedded(spec: &ModelSpec) -> Capabilities {
    Capabilities {
        label_scores: true,
        prefill: true,
        batch: EMBEDDED_BATCH,
        concurrency: 1,
        max_tokens: spec.max_tokens,
        thinking_tokens: 0,
    }
}

/// A program answers in text, and each process of it one question at a time.
fn program(spec: &ModelSpec) -> (Capabilities, String) {
    let capabilities = Capabilities {
        batch: 1,
        concurrency: spec.concurrency.unwrap_or(connect_program::AGENTS).max(1),
        max_tokens: spec.max_tokens,
        ..Capabilities::default()
    };
    let report = "a program of your own, not started; its time is not known".to_owned();
    (capabilities, report)
}

/// Labels may be scored wherever the protocol can; a model counts as one that
/// reasons where the study says so.
fn server(spec: &ModelSpec, api: ApiDialect) -> (Capabilities, String) {
    const THOUGHTS: u32 = 1024;
    let reasons = spec.thinking_tokens.is_some_and(|tokens| tokens > 0)
        || (spec.thinking_tokens.is_none() && spec.reasoning_effort.is_some());
    let scores = match spec.label_scores {
        AbilityMode::On => true,
        AbilityMode::Off => false,
        AbilityMode::Auto => {
            matches!(
                api,
                ApiDialect::OpenAi | ApiDialect::Azure | ApiDialect::Ollama
            ) && !reasons
                && spec.batch.is_off()
        }
    };
    let thoughts = if reasons {
        spec.thinking_tokens.unwrap_or(THOUGHTS)
    } else {
        0
    };
    let capabilities = Capabilities {
        label_scores: scores,
        prefill: spec.prefill == AbilityMode::On,
        batch: 1,
        concurrency: spec.concurrency.unwrap_or(CONCURRENCY).max(1),
        max_tokens: spec.max_tokens,
        thinking_tokens: thoughts,
    };
    let whose = crate::models::connect_model::default_server(spec)
        .map_or_else(String::new, |address| {
            format!(" ({address}, for want of base_url)")
        });
    let labels = if scores {
        "scored where a task has labels"
    } else {
        "read from text"
    };
    let thinks = if reasons {
        format!("with up to {thoughts} tokens of thoughts an answer")
    } else {
        "without thoughts (thinking_tokens says otherwise)".to_owned()
    };
    (
        capabilities,
        format!("not asked{whose}; assumed are labels {labels}, answers {thinks}"),
    )
}
