//! Log-probabilities of labels.

use super::{
    Chat, Engine, Error,
    attention::Kv,
    kernels::{any_nan, log_sum_exp},
    model::{Past, Span},
    prefix::{BATCH_ROWS, Leaf, Sharing, past},
};

/// Rows of logits held at once.
const LOGIT_ROWS: usize = 32;

/// One chat's labels, scored.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Natural-log probability of each label as the assistant's next words, in the order given.
    pub logprobs: Vec<f64>,
    /// Tokens of the rendered chat.
    pub prompt_tokens: usize,
    /// Tokens computed, label tokens included; a shared prefix counts once, for one of its chats.
    pub computed_tokens: usize,
}

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
        chats: &[Chat],
        labels: &[String],
    ) -> Result<Vec<Result<Scored, Error>>, Error> {
        let labels: Vec<Vec<u32>> = labels
            .iter()
            .map(|l| self.label(l))
            .collect::<Result<_, _>>()?;
        let longest = labels.iter().map(Vec::len).max().unwrap_or(0);
        let prompts: Vec<Result<Vec<u32>, Error>> =
            chats.iter().map(|c| self.render(c, longest)).collect();
        let valid: Vec<usize> = (0..chats.len()).filter(|&i| prompts[i].is_ok()).collect();
        let sequences: Vec<&[u32]> = prompts.iter().filter_map(|p| p.as_deref().ok()).collect();
        let mut results: Vec<Option<Result<Scored, Error>>> = chats.iter().map(|_| None).collect();
        self.pool.install(|| {
            let sharing = self.sharing();
            let leaves = sharing.plan(&sequences);
            let extra: usize = labels.iter().map(|l| l.len() - 1).sum();
            let rows = |leaf: &Leaf| sequences[leaf.sequence].len() - leaf.shared + extra;
            for batch in batches(&leaves, rows) {
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
                    (None, Ok(_)) => Err(Error::Request("the chat was not scored".into())),
                });
        Ok(results.collect())
    }

    fn label(&self, label: &str) -> Result<Vec<u32>, Error> {
        if label.is_empty() {
            return Err(Error::Request("a label is empty".into()));
        }
        self.tokenizer.encode(label)
    }

    fn score_batch(
        &self,
        sharing: &Sharing,
        batch: &[Leaf],
        sequences: &[&[u32]],
        labels: &[Vec<u32>],
    ) -> Vec<Result<Scored, Error>> {
        // A chat scored alone is worth remembering: the next one may start like it.
        let mut kept = (sequences.len() == 1).then(|| Kv::new(&self.weights.config));
        let mut keep = kept.as_mut();
        let mut spans: Vec<Span> = Vec::new();
        let mut wanted = Vec::new();
        let mut row = 0;
        for leaf in batch {
            let chat = spans.len();
            let tokens = &sequences[leaf.sequence][leaf.shared..];
            spans.push(Span {
                tokens,
                past: past(&leaf.chain),
                kv: keep.take(),
            });
            row += tokens.len();
            wanted.push(row - 1);
            // Each longer label is a branch of its own after the prompt.
            for label in labels.iter().filter(|l| l.len() > 1) {
                let mut branch = past(&leaf.chain);
                branch.push(Past::Span(chat));
                let tokens = &label[..label.len() - 1];
                spans.push(Span {
                    tokens,
                    past: branch,
                    kv: None,
                });
                wanted.extend(row..row + tokens.len());
                row += tokens.len();
            }
        }
        let states = self.weights.forward(self.arch, &mut spans, &wanted);
        drop(spans);
        if let (Some(kv), [leaf]) = (kept, batch) {
            sharing.remember(sequences[leaf.sequence], &leaf.chain, kv);
        }
        let rows_per_chat = wanted.len() / batch.len();
        let asked = asked_tokens(labels);
        let mut values: Vec<Vec<f64>> = Vec::with_capacity(wanted.len());
        let width = self.weights.config.hidden;
        for (chunk, states) in states.chunks(LOGIT_ROWS * width).enumerate() {
            let logits = self.weights.logits(self.arch, states);
            for (i, logits) in logits.chunks_exact(self.weights.config.vocab).enumerate() {
                let asked = &asked[(chunk * LOGIT_ROWS + i) % rows_per_chat];
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
        let per_chat = batch.iter().zip(values.chunks_exact(rows_per_chat));
        per_chat
            .map(|(leaf, values)| {
                let prompt_tokens = sequences[leaf.sequence].len();
                let logprobs = sum_labels(labels, values);
                if logprobs.iter().any(|p| p.is_nan()) {
                    return Err(Error::NotANumber);
                }
                let computed_tokens =
                    prompt_tokens - leaf.shared + leaf.computed + rows_per_chat - 1;
                Ok(Scored {
                    logprobs,
                    prompt_tokens,
                    computed_tokens,
                })
            })
            .collect()
    }
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

/// Runs of leaves of about [`BATCH_ROWS`] rows, at least one leaf each.
pub(super) fn batches(leaves: &[Leaf], rows: impl Fn(&Leaf) -> usize) -> Vec<&[Leaf]> {
    let mut batches = Vec::new();
    let (mut start, mut held) = (0, 0);
    for (i, leaf) in leaves.iter().enumerate() {
        let rows = rows(leaf);
        if held > 0 && held + rows > BATCH_ROWS {
            batches.push(&leaves[start..i]);
            (start, held) = (i, 0);
        }
        held += rows;
    }
    if start < leaves.len() {
        batches.push(&leaves[start..]);
    }
    batches
}
