//! How alike prompts are, from their texts alone.

use std::collections::HashMap;

/// A positive semi-definite similarity of candidate texts with mean variance 1
/// after centring: cosine of tf-idf over character 4-grams and words.
///
/// Prompts that read alike score alike (paraphrases, edits of one parent), so
/// an outcome of one says something about the others.
#[derive(Debug, Clone)]
pub struct TextKernel {
    size: usize,
    /// Row-major, centred.
    values: Vec<f64>,
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
        let mut values = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let value = dot(&vectors[i], &vectors[j]);
                values[i * n + j] = value;
                values[j * n + i] = value;
            }
        }
        Self::from_matrix(n, values)
    }

    /// Of any symmetric similarity, row-major n × n (embeddings, say).
    pub fn from_matrix(n: usize, mut values: Vec<f64>) -> Option<Self> {
        if n < 3 || values.len() != n * n || values.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let means: Vec<f64> = values
            .chunks(n)
            .map(|row| row.iter().sum::<f64>() / n as f64)
            .collect();
        let grand = means.iter().sum::<f64>() / n as f64;
        for i in 0..n {
            for j in 0..n {
                values[i * n + j] += grand - means[i] - means[j];
            }
        }
        let trace = (0..n).map(|i| values[i * n + i]).sum::<f64>() / n as f64;
        if trace < 1e-9 {
            return None;
        }
        for value in &mut values {
            *value /= trace;
        }
        Some(Self { size: n, values })
    }

    /// The same similarities with candidates in another order: `order[new]` is
    /// the old number. `None` unless all are below [`TextKernel::size`].
    pub fn reordered(&self, order: &[usize]) -> Option<Self> {
        if order.iter().any(|&p| p >= self.size) {
            return None;
        }
        let row = |&a: &usize| order.iter().map(move |&b| self.get(a, b));
        Some(Self {
            size: order.len(),
            values: order.iter().flat_map(row).collect(),
        })
    }

    /// Number of candidates.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Similarity of two candidates.
    pub fn get(&self, a: usize, b: usize) -> f64 {
        self.values[a * self.size + b]
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
