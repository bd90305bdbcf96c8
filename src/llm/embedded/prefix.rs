//! Which prefixes a batch shares, computed once and remembered across calls.

use super::{
    attention::KeyValueCache,
    model::{PastTokens, TokenSpan},
    weights::ModelWeights,
};
use pulp::Arch;
use std::sync::{Arc, Mutex, PoisonError};

/// Rows of one forward pass: enough to keep the kernels busy, few enough to stay in cache.
pub(super) const BATCH_ROWS: usize = 512;
/// Recomputed tokens a shared stretch must save to be worth a forward pass of its own.
const WORTH_SHARING: usize = 48;

/// Stored keys and values of a stretch of tokens, after those of its ancestors.
pub(super) struct PrefixNode {
    /// All tokens from the start of the sequence.
    path: Vec<u32>,
    before: Chain,
    kv: KeyValueCache,
}

/// Stored stretches in order, each with how many of its tokens count.
pub(super) type Chain = Vec<(Arc<PrefixNode>, usize)>;

/// What a chain holds, for a span.
pub(super) fn past(chain: &Chain) -> Vec<PastTokens<'_>> {
    chain
        .iter()
        .map(|(node, len)| PastTokens::Stored(&node.kv, *len))
        .collect()
}

impl PrefixNode {
    /// The chain of this node's first `len` tokens.
    fn chain(self: &Arc<Self>, len: usize) -> Chain {
        let mut chain = Chain::new();
        let mut left = len;
        for (node, held) in self
            .before
            .iter()
            .map(|(n, l)| (n, *l))
            .chain([(self, self.kv.len())])
        {
            let used = held.min(left);
            if used > 0 {
                chain.push((Arc::clone(node), used));
            }
            left -= used;
        }
        chain
    }
}

/// Most recently used prefixes, up to a number of bytes.
pub(super) struct PrefixCache {
    limit: usize,
    /// Least recently used first.
    nodes: Mutex<Vec<Arc<PrefixNode>>>,
}

impl PrefixCache {
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            nodes: Mutex::default(),
        }
    }

    /// The longest stored prefix of `tokens`, with its length.
    fn find(&self, tokens: &[u32]) -> (Chain, usize) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let best = nodes
            .iter()
            .enumerate()
            .map(|(i, node)| (common(&node.path, tokens), i))
            .max()
            .filter(|&(len, _)| len > 0);
        let Some((len, i)) = best else {
            return (Chain::new(), 0);
        };
        nodes[i..].rotate_left(1);
        let chain = nodes.last().map(|node| node.chain(len)).unwrap_or_default();
        (chain, len)
    }

    fn insert(&self, weights: &ModelWeights, node: Arc<PrefixNode>) {
        let bytes = |node: &Arc<PrefixNode>| KeyValueCache::bytes(&weights.config, node.kv.len());
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.push(node);
        let mut total: usize = nodes.iter().map(bytes).sum();
        let mut drop = 0;
        while total > self.limit && drop < nodes.len() {
            total -= bytes(&nodes[drop]);
            drop += 1;
        }
        nodes.drain(..drop);
    }
}

/// One sequence of a batch after its stored prefix.
pub(super) struct SequenceTail {
    /// Index of the sequence in the batch.
    pub sequence: usize,
    pub chain: Chain,
    /// Tokens the chain covers.
    pub shared: usize,
    /// Tokens computed for the chain and charged to this sequence.
    pub computed: usize,
}

/// Plans and computes what a batch of sequences shares.
pub(super) struct PrefixPlan<'a> {
    pub arch: Arch,
    pub weights: &'a ModelWeights,
    pub cache: &'a PrefixCache,
}

impl PrefixPlan<'_> {
    /// Computes the stretches that several of `sequences` start with. Every sequence keeps at least
    /// its last token, whose state is what is asked for. Leaves come in lexicographic order.
    pub fn plan(&self, sequences: &[&[u32]]) -> Vec<SequenceTail> {
        // The part of a sequence that may be shared: all but its last token.
        let mut sorted: Vec<(usize, &[u32])> = sequences
            .iter()
            .enumerate()
            .map(|(i, s)| (i, s.split_last().map_or(*s, |(_, rest)| rest)))
            .collect();
        sorted.sort_by(|a, b| a.1.cmp(b.1));
        let mut leaves = Vec::with_capacity(sequences.len());
        self.descend(&sorted, &Chain::new(), 0, &mut leaves);
        leaves
    }

    /// `sorted` agree on their first `depth` tokens, which `chain` holds up to `held`.
    fn descend(
        &self,
        sorted: &[(usize, &[u32])],
        chain: &Chain,
        held: usize,
        leaves: &mut Vec<SequenceTail>,
    ) {
        let [(_, first), .., (_, last)] = sorted else {
            if let [(sequence, tokens)] = sorted {
                let (found, len) = self.cache.find(tokens);
                let (chain, shared) = if len > held {
                    (found, len)
                } else {
                    (chain.clone(), held)
                };
                leaves.push(SequenceTail {
                    sequence: *sequence,
                    chain,
                    shared,
                    computed: 0,
                });
            }
            return;
        };
        // In sorted order the ends differ first.
        let agree = common(first, last);
        let path = &first[..agree];
        let (found, len) = self.cache.find(path);
        let (mut chain, mut held) = if len > held {
            (found, len)
        } else {
            (chain.clone(), held)
        };
        let mut computed = 0;
        if (agree - held) * (sorted.len() - 1) >= WORTH_SHARING {
            computed = agree - held;
            let node = self.extend(path, &chain, held);
            chain.push((node, computed));
            held = agree;
        }
        let charged = leaves.len();
        for group in sorted.chunk_by(|a, b| a.1.get(agree) == b.1.get(agree)) {
            if group.iter().all(|(_, tokens)| tokens.len() == agree) {
                leaves.extend(group.iter().map(|&(sequence, _)| SequenceTail {
                    sequence,
                    chain: chain.clone(),
                    shared: held,
                    computed: 0,
                }));
            } else {
                self.descend(group, &chain, held, leaves);
            }
        }
        if let Some(leaf) = leaves.get_mut(charged) {
            leaf.computed += computed;
        }
    }

    /// Computes `path[held..]` after `chain` and remembers it.
    fn extend(&self, path: &[u32], chain: &Chain, held: usize) -> Arc<PrefixNode> {
        let mut kv = KeyValueCache::new(&self.weights.config);
        for tokens in path[held..].chunks(BATCH_ROWS) {
            let span = TokenSpan {
                tokens,
                past: past(chain),
                kv: Some(&mut kv),
            };
            self.weights.forward(self.arch, &mut [span], &[]);
        }
        self.remember(path, chain, kv)
    }

    /// Remembers keys and values that follow `chain`, so that later calls may start from them.
    pub fn remember(&self, path: &[u32], chain: &Chain, kv: KeyValueCache) -> Arc<PrefixNode> {
        let node = Arc::new(PrefixNode {
            path: path.to_vec(),
            before: chain.clone(),
            kv,
        });
        self.cache.insert(self.weights, Arc::clone(&node));
        node
    }
}

fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
