//! How alike prompts are, from their texts alone.

use std::collections::HashMap;
use std::sync::Arc;

/// A positive semi-definite similarity of candidate texts with mean variance 1
/// after centring: cosine of tf-idf over character 4-grams and words.
///
/// Prompts that read alike score alike (paraphrases, edits of one parent), so
/// an outcome of one says something about the others. What is kept is linear in
/// the texts; a pair is worked out when it is asked for, and who reads a few
/// columns of a thousand candidates pays for those alone.
#[derive(Debug, Clone)]
pub struct TextKernel {
    /// Which row of the similarities a candidate is.
    order: Vec<usize>,
    pairs: Arc<PairSimilarity>,
    /// Mean similarity of each row to all rows, and the mean of those.
    means: Arc<[f64]>,
    grand: f64,
    /// Mean variance after centring.
    scale: f64,
}

/// Similarities before centring.
#[derive(Debug)]
enum PairSimilarity {
    /// Cosines of these unit vectors.
    Cosine(Vec<Features>),
    /// Row-major, n × n.
    Dense(Vec<f64>),
}

impl PairSimilarity {
    fn of(&self, a: usize, b: usize, size: usize) -> f64 {
        match self {
            Self::Cosine(vectors) => dot(&vectors[a], &vectors[b]),
            Self::Dense(values) => values[a * size + b],
        }
    }
}

/// Sparse vector sorted by feature.
type Features = Vec<(u64, f64)>;

fn features(text: &str) -> HashMap<u64, f64> {
    let text: Vec<char> = format!(
        " {} ",
        text.to_lowercase()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    )
    .chars()
    .collect();
    let mut counts: HashMap<u64, f64> = HashMap::new();
    let mut add = |kind: u64, piece: &[char]| {
        // FNV-1a: the same number in every run and version.
        let code = piece.iter().fold(0xCBF2_9CE4_8422_2325 ^ kind, |hash, &c| {
            (hash ^ u64::from(c)).wrapping_mul(0x0100_0000_01B3)
        });
        *counts.entry(code).or_default() += 1.0;
    };
    for gram in text.windows(4) {
        add(0, gram);
    }
    for word in text.split(|c| c.is_whitespace()).filter(|w| !w.is_empty()) {
        add(1, word);
    }
    counts
}

impl TextKernel {
    /// Of texts, in candidate order; `None` for fewer than three or when all
    /// read the same.
    pub fn of_texts<S: AsRef<str>>(texts: &[S]) -> Option<Self> {
        let n = texts.len();
        if n < 3 {
            return None;
        }
        let counts: Vec<HashMap<u64, f64>> = texts.iter().map(|t| features(t.as_ref())).collect();
        let mut documents: HashMap<u64, f64> = HashMap::new();
        for feature in counts.iter().flat_map(HashMap::keys) {
            *documents.entry(*feature).or_default() += 1.0;
        }
        let vectors: Vec<Features> = counts
            .into_iter()
            .map(|counts| {
                let mut vector: Features = counts
                    .into_iter()
                    .map(|(f, c)| (f, (1.0 + c.ln()) * (n as f64 / documents[&f]).ln_1p()))
                    .collect();
                vector.sort_unstable_by_key(|v| v.0);
                let norm = vector
                    .iter()
                    .map(|v| v.1 * v.1)
                    .sum::<f64>()
                    .sqrt()
                    .max(1e-12);
                for feature in &mut vector {
                    feature.1 /= norm;
                }
                vector
            })
            .collect();
        // The mean similarity to all texts is that to their mean vector.
        let mut centre: HashMap<u64, f64> = HashMap::new();
        for &(feature, value) in vectors.iter().flatten() {
            *centre.entry(feature).or_default() += value / n as f64;
        }
        let means = vectors
            .iter()
            .map(|vector| vector.iter().map(|(feature, x)| x * centre[feature]).sum())
            .collect();
        Self::centred(PairSimilarity::Cosine(vectors), means)
    }

    /// Of any symmetric similarity, row-major n × n (embeddings, say).
    pub fn from_matrix(n: usize, values: Vec<f64>) -> Option<Self> {
        if n < 3 || values.len() != n * n || values.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let means = values
            .chunks(n)
            .map(|row| row.iter().sum::<f64>() / n as f64)
            .collect();
        Self::centred(PairSimilarity::Dense(values), means)
    }

    fn centred(pairs: PairSimilarity, means: Vec<f64>) -> Option<Self> {
        let n = means.len();
        let grand = means.iter().sum::<f64>() / n as f64;
        let trace = (0..n).map(|i| pairs.of(i, i, n)).sum::<f64>() / n as f64 - grand;
        if trace < 1e-9 {
            return None;
        }
        Some(Self {
            order: (0..n).collect(),
            pairs: Arc::new(pairs),
            means: means.into(),
            grand,
            scale: trace,
        })
    }

    /// The same similarities with candidates in another order: `order[new]` is
    /// the old number. `None` unless all are below [`TextKernel::size`].
    pub fn reordered(&self, order: &[usize]) -> Option<Self> {
        let order = order.iter().map(|&p| self.order.get(p).copied());
        Some(Self {
            order: order.collect::<Option<_>>()?,
            ..self.clone()
        })
    }

    /// Number of candidates.
    pub const fn size(&self) -> usize {
        self.order.len()
    }

    /// Similarity of two candidates.
    pub fn get(&self, a: usize, b: usize) -> f64 {
        let (a, b) = (self.order[a], self.order[b]);
        let pair = self.pairs.of(a, b, self.means.len());
        (pair - self.means[a] - self.means[b] + self.grand) / self.scale
    }
}

fn dot(a: &Features, b: &Features) -> f64 {
    let (mut i, mut j, mut sum) = (0, 0, 0.0);
    while i < a.len() && j < b.len() {
        match a[i].0.cmp(&b[j].0) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                sum += a[i].1 * b[j].1;
                i += 1;
                j += 1;
            }
        }
    }
    sum
}
