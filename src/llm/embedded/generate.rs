//! Seeded text generation, many sequences at a time.

use super::{
    ChatPrompt, Engine, EngineError, TokenSampling,
    attention::KeyValueCache,
    kernels::any_nan,
    model::TokenSpan,
    prefix::{Chain, past},
    score::batches,
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// Sequences decoded together: a step reads all weights once, whatever their number.
const WIDTH: usize = 16;

/// One text to generate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GenerationRequest {
    /// The conversation to continue.
    pub chat: ChatPrompt,
    /// Seed of this text; the same chat with another seed is another sample.
    pub seed: u64,
}

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GenerationEnd {
    /// The model ended its turn, or a stop text came up.
    Stop,
    /// `max_tokens` or the context was reached.
    Length,
}

/// A generated text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedText {
    /// The continuation, without prefill, stop text and control tokens.
    pub text: String,
    /// Why it ended.
    pub finish: GenerationEnd,
    /// Tokens of the rendered chat.
    pub prompt_tokens: usize,
    /// Tokens drawn, the one that ended the turn included.
    pub output_tokens: usize,
    /// Tokens computed; a shared prefix counts once, for one of its chats.
    pub computed_tokens: usize,
}

/// A sequence being decoded.
struct ActiveSequence {
    request: usize,
    chain: Chain,
    kv: KeyValueCache,
    rng: ChaCha8Rng,
    /// Drawn tokens; the last one is not in `kv` yet.
    drawn: Vec<u32>,
    /// Most tokens to draw.
    limit: usize,
    prompt_tokens: usize,
    computed_tokens: usize,
}

impl Engine {
    /// Generates a text for every request.
    ///
    /// A text depends on its chat, its seed and `sampling` alone, not on what else is in the batch.
    /// The outer error is a setting that cannot be meant; the inner ones concern single requests.
    pub fn generate(
        &self,
        requests: &[GenerationRequest],
        sampling: &TokenSampling,
    ) -> Result<Vec<Result<GeneratedText, EngineError>>, EngineError> {
        sampling.check()?;
        let mut results: Vec<Option<Result<GeneratedText, EngineError>>> =
            requests.iter().map(|_| None).collect();
        self.pool.install(|| {
            let mut pending = requests.iter().enumerate();
            let mut active: Vec<ActiveSequence> = Vec::new();
            loop {
                // Refilling in groups lets newcomers share their prefix.
                if active.len() <= WIDTH / 2 {
                    let newcomers: Vec<_> = pending.by_ref().take(WIDTH - active.len()).collect();
                    active.extend(self.admit(&newcomers, sampling, &mut results));
                }
                if active.is_empty() {
                    break;
                }
                self.step(&mut active, sampling, &mut results);
            }
        });
        let results = results.into_iter();
        Ok(results
            .map(|r| r.unwrap_or_else(|| Err(EngineError::Request("nothing was generated".into()))))
            .collect())
    }

    /// Computes the prompts of `newcomers` and draws their first tokens.
    fn admit(
        &self,
        newcomers: &[(usize, &GenerationRequest)],
        sampling: &TokenSampling,
        results: &mut [Option<Result<GeneratedText, EngineError>>],
    ) -> Vec<ActiveSequence> {
        let mut prompts = Vec::with_capacity(newcomers.len());
        for &(index, request) in newcomers {
            match self.render(&request.chat, 1) {
                Ok(tokens) if sampling.max_tokens == 0 => {
                    results[index] = Some(Ok(GeneratedText {
                        text: String::new(),
                        finish: GenerationEnd::Length,
                        prompt_tokens: tokens.len(),
                        output_tokens: 0,
                        computed_tokens: 0,
                    }));
                }
                Ok(tokens) => prompts.push((index, request.seed, tokens)),
                Err(e) => results[index] = Some(Err(e)),
            }
        }
        let sequences: Vec<&[u32]> = prompts
            .iter()
            .map(|(_, _, tokens)| tokens.as_slice())
            .collect();
        let leaves = self.sharing().plan(&sequences);
        let mut admitted = Vec::with_capacity(leaves.len());
        for batch in batches(&leaves, |leaf| sequences[leaf.sequence].len() - leaf.shared) {
            let mut kvs: Vec<KeyValueCache> = batch
                .iter()
                .map(|_| KeyValueCache::new(&self.weights.config))
                .collect();
            let mut wanted = Vec::with_capacity(batch.len());
            let mut row = 0;
            let mut spans: Vec<TokenSpan> = Vec::with_capacity(batch.len());
            for (leaf, kv) in batch.iter().zip(&mut kvs) {
                let tokens = &sequences[leaf.sequence][leaf.shared..];
                row += tokens.len();
                wanted.push(row - 1);
                spans.push(TokenSpan {
                    tokens,
                    past: past(&leaf.chain),
                    kv: Some(kv),
                });
            }
            let states = self.weights.forward(self.arch, &mut spans, &wanted);
            drop(spans);
            let mut started: Vec<ActiveSequence> = batch
                .iter()
                .zip(kvs)
                .map(|(leaf, kv)| {
                    let (request, seed, ref tokens) = prompts[leaf.sequence];
                    ActiveSequence {
                        request,
                        chain: leaf.chain.clone(),
                        kv,
                        rng: ChaCha8Rng::seed_from_u64(seed),
                        drawn: Vec::new(),
                        limit: sampling.max_tokens.min(self.context - tokens.len()),
                        prompt_tokens: tokens.len(),
                        computed_tokens: tokens.len() - leaf.shared + leaf.computed,
                    }
                })
                .collect();
            self.draw(&states, &mut started, sampling, results);
            admitted.append(&mut started);
        }
        admitted
    }

    /// Computes the last drawn token of every sequence and draws the next.
    fn step(
        &self,
        active: &mut Vec<ActiveSequence>,
        sampling: &TokenSampling,
        results: &mut [Option<Result<GeneratedText, EngineError>>],
    ) {
        let mut spans: Vec<TokenSpan> = active
            .iter_mut()
            .map(|a| {
                a.computed_tokens += 1;
                let last = a.drawn.len().saturating_sub(1);
                TokenSpan {
                    tokens: &a.drawn[last..],
                    past: past(&a.chain),
                    kv: Some(&mut a.kv),
                }
            })
            .collect();
        let wanted: Vec<usize> = (0..spans.len()).collect();
        let states = self.weights.forward(self.arch, &mut spans, &wanted);
        drop(spans);
        self.draw(&states, active, sampling, results);
    }

    /// Draws a token for every sequence and retires those that are done.
    fn draw(
        &self,
        states: &[f32],
        active: &mut Vec<ActiveSequence>,
        sampling: &TokenSampling,
        results: &mut [Option<Result<GeneratedText, EngineError>>],
    ) {
        let logits = self.weights.logits(self.arch, states);
        let mut rows = logits.chunks_exact(self.weights.config.vocab);
        active.retain_mut(|a| {
            let Some(logits) = rows.next() else {
                return false;
            };
            if any_nan(self.arch, logits) {
                results[a.request] = Some(Err(EngineError::NotANumber));
                return false;
            }
            let token = sampling.draw(logits, &mut a.rng);
            a.drawn.push(token);
            let Some((text, finish)) = self.finished(a, sampling) else {
                return true;
            };
            results[a.request] = Some(Ok(GeneratedText {
                text,
                finish,
                prompt_tokens: a.prompt_tokens,
                output_tokens: a.drawn.len(),
                computed_tokens: a.computed_tokens,
            }));
            false
        });
    }

    /// The text and reason if a sequence is done.
    fn finished(
        &self,
        a: &ActiveSequence,
        sampling: &TokenSampling,
    ) -> Option<(String, GenerationEnd)> {
        let (&last, before) = a.drawn.split_last()?;
        if self.tokenizer.is_control(last) {
            return Some((self.tokenizer.decode(before), GenerationEnd::Stop));
        }
        if !sampling.stop.is_empty() {
            let text = self.tokenizer.decode(&a.drawn);
            if let Some(at) = sampling
                .stop
                .iter()
                .filter_map(|s| text.find(s.as_str()))
                .min()
            {
                return Some((text[..at].to_owned(), GenerationEnd::Stop));
            }
        }
        (a.drawn.len() >= a.limit).then(|| (self.tokenizer.decode(&a.drawn), GenerationEnd::Length))
    }
}
