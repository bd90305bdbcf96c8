//! Texts as vectors.

use super::{Engine, EngineError, model::TokenSpan, score::batches};

impl Engine {
    /// The last layer's normalised state at the last token of plain `text`, [`Self::width`] values.
    pub fn embed(&self, text: &str) -> Result<Vec<f32>, EngineError> {
        let mut states = self.embed_all(&[text]);
        states
            .pop()
            .unwrap_or_else(|| Err(EngineError::Request("the text was not embedded".into())))
    }

    /// As [`Self::embed`], many texts in few forward passes; one result each, in their order.
    pub fn embed_all<T: AsRef<str>>(&self, texts: &[T]) -> Vec<Result<Vec<f32>, EngineError>> {
        let tokens: Vec<Result<Vec<u32>, EngineError>> = texts
            .iter()
            .map(|text| self.embedded_tokens(text.as_ref()))
            .collect();
        let valid: Vec<&[u32]> = tokens.iter().flatten().map(Vec::as_slice).collect();
        let mut states = Vec::with_capacity(valid.len());
        for batch in batches(&valid, |tokens| tokens.len()) {
            let mut spans: Vec<TokenSpan> = batch
                .iter()
                .map(|tokens| TokenSpan {
                    tokens,
                    past: Vec::new(),
                    kv: None,
                })
                .collect();
            let mut row = 0;
            let last: Vec<usize> = batch
                .iter()
                .map(|tokens| {
                    row += tokens.len();
                    row - 1
                })
                .collect();
            let rows = self
                .pool
                .install(|| self.weights.forward(self.arch, &mut spans, &last));
            states.extend(rows.chunks_exact(self.width()).map(<[f32]>::to_vec));
        }
        let mut states = states.into_iter();
        tokens
            .into_iter()
            .map(|tokens| {
                tokens?;
                let state = states.next().unwrap_or_default();
                if state.is_empty() || state.iter().any(|value| value.is_nan()) {
                    return Err(EngineError::NotANumber);
                }
                Ok(state)
            })
            .collect()
    }

    fn embedded_tokens(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        let tokens = self.tokenizer.encode(text)?;
        if tokens.is_empty() {
            return Err(EngineError::Request("the text to embed is empty".into()));
        }
        self.fits(tokens.len())?;
        Ok(tokens)
    }
}
