//! Log-probabilities of labels.

use super::{
    ChatPrompt, Engine, EngineError,
    attention::KeyValueCache,
    kernels::{any_nan, log_sum_exp},
    model::{PastTokens, TokenSpan},
    prefix::{BATCH_ROWS, PrefixPlan, SequenceTail, past},
};

/// Rows of logits held at once.
const LOGIT_ROWS: usize = 32;

/// One chat's labels, scored.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredLabels {
    /// Natural-log probability of each label as the assistant's next words, in the order given.
    pub logprobs: Vec<f64>,
    /// Tokens of each label.
    pub label_tokens: Vec<usize>,
    /// Tokens of the rendered chat.
    pub prompt_tokens: usize,
    /// Tokens computed, label tokens included; a shared prefix counts once, for one of its chats.
    pub computed_tokens: usize,
}

/// Token ids of one chat's labels.
type Labels = Vec<Vec<u32>>;

impl Engine {
    /// Scores every label as the continuation of every chat: `Σ ln p(token)` over the label's
    /// tokens, in `(-∞, 0]`.
    ///
    /// What the chats have in common is computed once, kept across calls, and does not change any
    /// score. A label is encoded on its own, right after the prompt; after a prefill that ends in a
    /// word, begin the label with a space.
    ///
    /// The outer error is a label that cannot be scored; the inner ones concern single chats.
    pub fn score(
        &self,
        chats: &[ChatPrompt],
        labels: &[String],
    ) -> Result<Vec<Result<ScoredLabels, EngineError>>, EngineError> {
        let labels = self.labels(labels)?;
        let sets = chats.iter().map(|_| Ok(&labels)).collect();
        Ok(self.score_sets(chats, sets))
    }

    /// As [`Self::score`], each chat with labels of its own, of any number: a whole catalogue of
    /// titles shares its chat.
    pub fn score_each(
        &self,
        pairs: &[(ChatPrompt, Vec<String>)],
    ) -> Vec<Result<ScoredLabels, EngineError>> {
        let chats: Vec<ChatPrompt> = pairs.iter().map(|(chat, _)| chat.clone()).collect();
        let sets: Vec<Result<Labels, EngineError>> = pairs
            .iter()
            .map(|(_, labels)| self.labels(labels))
            .collect();
        let sets = sets.iter().map(Result::as_ref).map(|set| {
            // Labels that cannot be scored concern one chat only here.
            set.map_err(|error| EngineError::Request(error.to_string()))
        });
        self.score_sets(&chats, sets.collect())
    }

    fn labels(&self, labels: &[String]) -> Result<Labels, EngineError> {
        labels.iter().map(|label| self.label(label)).collect()
    }

    fn label(&self, label: &str) -> Result<Vec<u32>, EngineError> {
        if label.is_empty() {
            return Err(EngineError::Request("a label is empty".into()));
        }
        self.tokenizer.encode(label)
    }

    fn score_sets(
        &self,
        chats: &[ChatPrompt],
        sets: Vec<Result<&Labels, EngineError>>,
    ) -> Vec<Result<ScoredLabels, EngineError>> {
        let prompts: Vec<Result<(Vec<u32>, &Labels), EngineError>> = chats
            .iter()
            .zip(sets)
            .map(|(chat, labels)| {
                let labels = labels?;
                let longest = labels.iter().map(Vec::len).max().unwrap_or(0);
                Ok((self.render(chat, longest)?, labels))
            })
            .collect();
        let valid: Vec<usize> = (0..chats.len()).filter(|&i| prompts[i].is_ok()).collect();
        let (sequences, labels): (Vec<&[u32]>, Vec<&Labels>) = prompts
            .iter()
            .filter_map(|prompt| prompt.as_ref().ok())
            .map(|(tokens, labels)| (tokens.as_slice(), *labels))
            .unzip();
        let mut results: Vec<Option<Result<ScoredLabels, EngineError>>> =
            chats.iter().map(|_| None).collect();
        self.pool.install(|| {
            let sharing = self.sharing();
            let leaves = sharing.plan(&sequences);
            let rows = |leaf: &SequenceTail| {
                sequences[leaf.sequence].len() - leaf.shared + branch_rows(labels[leaf.sequence])
            };
            for batch in batches(&leaves, rows) {
                if let [leaf] = batch
                    && branch_rows(labels[leaf.sequence]) > BATCH_ROWS
                {
                    let (sequence, labels) = (sequences[leaf.sequence], labels[leaf.sequence]);
                    let scored = self.score_wide(&sharing, leaf, sequence, labels);
                    results[valid[leaf.sequence]] = Some(scored);
                    continue;
                }
                let scored = self.score_batch(&sharing, batch, &sequences, &labels);
                for (leaf, scored) in batch.iter().zip(scored) {
                    results[valid[leaf.sequence]] = Some(scored);
                }
            }
        });
        let results =
            results
                .into_iter()
                .zip(prompts)
                .map(|(result, prompt)| match (result, prompt) {
                    (_, Err(e)) => Err(e),
                    (Some(result), Ok(_)) => result,
                    (None, Ok(_)) => Err(EngineError::Request("the chat was not scored".into())),
                });
        results.collect()
    }

    fn score_batch(
        &self,
        sharing: &PrefixPlan,
        batch: &[SequenceTail],
        sequences: &[&[u32]],
        labels: &[&Labels],
    ) -> Vec<Result<ScoredLabels, EngineError>> {
        // A chat scored alone is worth remembering: the next one may start like it.
        let mut kept = (sequences.len() == 1).then(|| KeyValueCache::new(&self.weights.config));
        let mut keep = kept.as_mut();
        let mut spans: Vec<TokenSpan> = Vec::new();
        let mut wanted = Vec::new();
        let mut asked: Vec<Vec<u32>> = Vec::new();
        let mut row = 0;
        for leaf in batch {
            let chat = spans.len();
            let labels = labels[leaf.sequence];
            let tokens = &sequences[leaf.sequence][leaf.shared..];
            spans.push(TokenSpan {
                tokens,
                past: past(&leaf.chain),
                kv: keep.take(),
            });
            row += tokens.len();
            wanted.push(row - 1);
            // Each longer label is a branch of its own after the prompt.
            for label in labels.iter().filter(|l| l.len() > 1) {
                let mut branch = past(&leaf.chain);
                branch.push(PastTokens::Span(chat));
                let tokens = &label[..label.len() - 1];
                spans.push(TokenSpan {
                    tokens,
                    past: branch,
                    kv: None,
                });
                wanted.extend(row..row + tokens.len());
                row += tokens.len();
            }
            asked.extend(asked_tokens(labels));
        }
        let states = self.weights.forward(self.arch, &mut spans, &wanted);
        drop(spans);
        if let (Some(kv), [leaf]) = (kept, batch) {
            sharing.remember(sequences[leaf.sequence], &leaf.chain, kv);
        }
        let values = self.logprobs(&states, &asked);
        let mut values = values.as_slice();
        batch
            .iter()
            .map(|leaf| {
                let labels = labels[leaf.sequence];
                let (own, rest) = values.split_at(1 + branch_rows(labels));
                values = rest;
                scored(sequences[leaf.sequence], leaf, labels, own)
            })
            .collect()
    }

    /// One chat with more labels than a forward pass should hold: the chat is computed once and
    /// kept, then its labels pass by in batches.
    fn score_wide(
        &self,
        sharing: &PrefixPlan,
        leaf: &SequenceTail,
        sequence: &[u32],
        labels: &Labels,
    ) -> Result<ScoredLabels, EngineError> {
        let tokens = &sequence[leaf.shared..];
        let mut kv = KeyValueCache::new(&self.weights.config);
        let mut span = [TokenSpan {
            tokens,
            past: past(&leaf.chain),
            kv: Some(&mut kv),
        }];
        let state = self
            .weights
            .forward(self.arch, &mut span, &[tokens.len() - 1]);
        let mut chain = leaf.chain.clone();
        chain.push((sharing.remember(sequence, &leaf.chain, kv), tokens.len()));

        let asked = asked_tokens(labels);
        let mut values = self.logprobs(&state, &asked[..1]);
        let branches: Vec<&[u32]> = labels
            .iter()
            .filter(|label| label.len() > 1)
            .map(|label| &label[..label.len() - 1])
            .collect();
        for branches in batches(&branches, |branch| branch.len()) {
            let mut spans: Vec<TokenSpan> = branches
                .iter()
                .map(|tokens| TokenSpan {
                    tokens,
                    past: past(&chain),
                    kv: None,
                })
                .collect();
            let rows = branches.iter().map(|branch| branch.len()).sum();
            let wanted: Vec<usize> = (0..rows).collect();
            let states = self.weights.forward(self.arch, &mut spans, &wanted);
            let asked = &asked[values.len()..][..rows];
            values.extend(self.logprobs(&states, asked));
        }
        scored(sequence, leaf, labels, &values)
    }

    /// Natural-log probabilities of the tokens asked for at each state; NaN where the model
    /// produced NaN.
    fn logprobs(&self, states: &[f32], asked: &[Vec<u32>]) -> Vec<Vec<f64>> {
        let config = &self.weights.config;
        let mut values = Vec::with_capacity(asked.len());
        let chunks = states.chunks(LOGIT_ROWS * config.hidden);
        for (states, asked) in chunks.zip(asked.chunks(LOGIT_ROWS)) {
            let logits = self.weights.logits(self.arch, states);
            for (logits, asked) in logits.chunks_exact(config.vocab).zip(asked) {
                values.push(if any_nan(self.arch, logits) {
                    vec![f64::NAN; asked.len()]
                } else {
                    let total = log_sum_exp(self.arch, logits);
                    asked
                        .iter()
                        .map(|&t| f64::from(logits[t as usize]) - total)
                        .collect()
                });
            }
        }
        values
    }
}

/// One chat's result from the log-probabilities at its prompt and label rows.
fn scored(
    sequence: &[u32],
    leaf: &SequenceTail,
    labels: &Labels,
    values: &[Vec<f64>],
) -> Result<ScoredLabels, EngineError> {
    let logprobs = sum_labels(labels, values);
    if logprobs.iter().any(|p| p.is_nan()) {
        return Err(EngineError::NotANumber);
    }
    Ok(ScoredLabels {
        logprobs,
        label_tokens: labels.iter().map(Vec::len).collect(),
        prompt_tokens: sequence.len(),
        computed_tokens: sequence.len() - leaf.shared + leaf.computed + branch_rows(labels),
    })
}

/// Rows of the labels after their first tokens.
fn branch_rows(labels: &Labels) -> usize {
    labels.iter().map(|label| label.len() - 1).sum()
}

/// Which tokens' probabilities are read at each wanted row of one chat: the first tokens of all
/// labels after the prompt, then the next token at each position of the longer labels.
fn asked_tokens(labels: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let mut asked = vec![labels.iter().map(|l| l[0]).collect()];
    asked.extend(labels.iter().flat_map(|l| l[1..].iter().map(|&t| vec![t])));
    asked
}

fn sum_labels(labels: &[Vec<u32>], values: &[Vec<f64>]) -> Vec<f64> {
    let (first, mut rest) = (&values[0], &values[1..]);
    let sums = labels.iter().zip(first).map(|(label, first)| {
        let (own, others) = rest.split_at(label.len() - 1);
        rest = others;
        let sum = first + own.iter().flatten().sum::<f64>();
        // Rounding can leave a certain token a hair above probability 1; min() would hide a NaN.
        if sum > 0.0 { 0.0 } else { sum }
    });
    sums.collect()
}

/// Runs of items of about [`BATCH_ROWS`] rows, at least one item each.
pub(super) fn batches<T>(items: &[T], rows: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut batches = Vec::new();
    let (mut start, mut held) = (0, 0);
    for (i, item) in items.iter().enumerate() {
        let rows = rows(item);
        if held > 0 && held + rows > BATCH_ROWS {
            batches.push(&items[start..i]);
            (start, held) = (i, 0);
        }
        held += rows;
    }
    if start < items.len() {
        batches.push(&items[start..]);
    }
    batches
}
