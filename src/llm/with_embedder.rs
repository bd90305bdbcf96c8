//! A model without embeddings, with an embedder beside it.

use std::sync::Arc;

use async_trait::async_trait;
use shiftproof_search::{
    BatchInterface, Capabilities, ClientTraffic, Llm, LlmError, ModelCall, RequestAllowance,
};
use shiftproof_tasks::{AnswerForm, Reply, Request};

/// Everything is asked of `chat`, distances of embeddings of `embedder`.
pub struct WithEmbedder {
    chat: Arc<dyn Llm>,
    embedder: Arc<dyn Llm>,
    identity: String,
}

impl WithEmbedder {
    /// `chat` with `embedder` beside it.
    pub fn new(chat: Arc<dyn Llm>, embedder: Arc<dyn Llm>) -> Self {
        // The embedder can change a reply, so it belongs to the cache key.
        let identity = format!("{} beside {}", chat.identity(), embedder.identity());
        Self {
            chat,
            embedder,
            identity,
        }
    }

    fn of(&self, request: &Request) -> &dyn Llm {
        match request.answer {
            AnswerForm::Nearest { .. } => self.embedder.as_ref(),
            _ => self.chat.as_ref(),
        }
    }
}

#[async_trait]
impl Llm for WithEmbedder {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn capabilities(&self) -> Capabilities {
        self.chat.capabilities()
    }

    fn estimate_tokens(&self, request: &Request) -> u64 {
        self.of(request).estimate_tokens(request)
    }

    fn status(&self) -> Option<String> {
        self.chat.status()
    }

    fn traffic(&self) -> Option<ClientTraffic> {
        self.chat.traffic()
    }

    // Distances are never part of a batch.
    fn batches(&self) -> Option<&dyn BatchInterface> {
        self.chat.batches()
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        self.of(&call.request).call(call).await
    }

    async fn call_within(
        &self,
        call: &ModelCall,
        allowance: &dyn RequestAllowance,
    ) -> Result<Reply, LlmError> {
        self.of(&call.request).call_within(call, allowance).await
    }

    fn probes(&self) -> u64 {
        self.chat.probes()
    }

    async fn call_batch(&self, calls: &[ModelCall]) -> Vec<Result<Reply, LlmError>> {
        let mut replies = Vec::with_capacity(calls.len());
        let embeds = |call: &ModelCall| matches!(call.request.answer, AnswerForm::Nearest { .. });
        for run in calls.chunk_by(|a, b| embeds(a) == embeds(b)) {
            replies.extend(self.of(&run[0].request).call_batch(run).await);
        }
        replies
    }
}

#[cfg(test)]
mod tests {
    use shiftproof_tasks::Message;

    use super::*;

    /// Answers with its own name.
    struct Named(&'static str);

    #[async_trait]
    impl Llm for Named {
        fn identity(&self) -> &str {
            self.0
        }

        fn capabilities(&self) -> Capabilities {
            Capabilities {
                label_scores: self.0 == "embedder",
                prefill: false,
                batch: 1,
                concurrency: 8,
                ..Capabilities::default()
            }
        }

        async fn call(&self, _: &ModelCall) -> Result<Reply, LlmError> {
            Ok(Reply::text(self.0))
        }
    }

    #[tokio::test]
    async fn embedder_serves_distances_only() {
        let llm = WithEmbedder::new(Arc::new(Named("chat")), Arc::new(Named("embedder")));
        assert_eq!(llm.identity(), "chat beside embedder");
        assert!(!llm.capabilities().label_scores);
        let call = |answer| {
            let messages = vec![Message::user("Heat")];
            ModelCall::greedy(Request { messages, answer }, 1)
        };
        let text = call(AnswerForm::Text { max_tokens: 1 });
        let near = call(AnswerForm::Nearest { candidates: vec![] });
        let calls = [near.clone(), text.clone(), text.clone(), near.clone()];
        let said: Vec<String> = llm
            .call_batch(&calls)
            .await
            .into_iter()
            .map(|reply| reply.unwrap().text)
            .collect();
        assert_eq!(said, ["embedder", "chat", "chat", "embedder"]);
        assert_eq!(llm.call(&near).await.unwrap().text, "embedder");
        assert_eq!(llm.call(&text).await.unwrap().text, "chat");
    }
}
