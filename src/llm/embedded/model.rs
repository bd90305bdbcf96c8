//! The forward pass over a ragged batch: rows of many sequences lie end to end without padding.

use super::{
    attention::{AttentionQuery, AttentionView, KeyValueCache, LayerKv, attend},
    kernels::{rms_norm, rope, silu_mul},
    matmul::PackedMatrix,
    weights::{LayerWeights, ModelWeights},
};
use pulp::Arch;
use rayon::prelude::*;

/// Rows a task of a row-wise operation takes.
const ROWS_PER_TASK: usize = 16;

/// A run of new tokens of one sequence.
pub(super) struct TokenSpan<'a> {
    pub tokens: &'a [u32],
    /// What the tokens see before their own `kv`, in order.
    pub past: Vec<PastTokens<'a>>,
    /// Earlier tokens of this span, to which the new ones are added; `None` starts empty and keeps
    /// nothing.
    pub kv: Option<&'a mut KeyValueCache>,
}

/// A stretch of tokens a span attends to.
#[derive(Clone, Copy)]
pub(super) enum PastTokens<'a> {
    /// The first tokens of a stored stretch.
    Stored(&'a KeyValueCache, usize),
    /// All tokens of the span at this (lower) index of the same batch.
    Span(usize),
}

impl ModelWeights {
    /// Runs `spans` and returns the final normalised state of the rows in `wanted` (ascending,
    /// counted over all spans end to end), `[wanted, hidden]`.
    pub fn forward(&self, arch: Arch, spans: &mut [TokenSpan], wanted: &[usize]) -> Vec<f32> {
        let c = &self.config;
        let starts = starts(spans);
        let all: Vec<AttentionQuery> = queries(spans);
        let last: Vec<AttentionQuery> = wanted.iter().map(|&w| all[w]).collect();
        let mut x = vec![0.0; all.len() * c.hidden];
        let tokens = spans.iter().flat_map(|s| s.tokens);
        for (row, &token) in x.chunks_exact_mut(c.hidden).zip(tokens) {
            self.embedding.column(token as usize, row);
        }
        let angles = RotaryAngles::new(&self.config.frequencies, &all, &starts);
        let mut scratch: Vec<LayerKv> = spans.iter().map(|_| LayerKv::new(c)).collect();
        let mut buffers = LayerBuffers::default();
        for (i, layer) in self.layers.iter().enumerate() {
            let final_layer = i + 1 == self.layers.len();
            let qkv = self.project(arch, layer, &x, &angles, &mut buffers);
            let before: Vec<usize> = spans
                .iter()
                .map(|s| s.kv.as_ref().map_or(0, |kv| kv.layers[i].len()))
                .collect();
            store(
                spans,
                &mut scratch,
                i,
                qkv,
                c.heads * c.head_dim,
                c.kv_heads * c.head_dim,
                c.head_dim,
            );
            let stored: Vec<&LayerKv> = spans
                .iter()
                .zip(&scratch)
                .map(|(s, scratch)| s.kv.as_ref().map_or(scratch, |kv| &kv.layers[i]))
                .collect();
            let views: Vec<AttentionView> = spans
                .iter()
                .zip(&before)
                .enumerate()
                .map(|(s, (span, &own_before))| AttentionView {
                    past: span
                        .past
                        .iter()
                        .map(|past| match *past {
                            PastTokens::Stored(kv, len) => (&kv.layers[i], len),
                            PastTokens::Span(other) => (stored[other], stored[other].len()),
                        })
                        .collect(),
                    own: stored[s],
                    own_before,
                })
                .collect();
            // Past the last layer's keys and values only the wanted rows matter.
            let queries = if final_layer { &last } else { &all };
            if final_layer {
                x = wanted
                    .iter()
                    .flat_map(|&w| &x[w * c.hidden..][..c.hidden])
                    .copied()
                    .collect();
            }
            if queries.is_empty() {
                continue;
            }
            let attended = sized(&mut buffers.attended, queries.len() * c.heads * c.head_dim);
            attend(arch, c, &buffers.qkv, &views, queries, attended);
            layer.output.apply(arch, attended, &mut x, true);
            self.feed_forward(arch, layer, &mut x, &mut buffers);
        }
        let mut out = vec![0.0; wanted.len() * c.hidden];
        self.norm(arch, &x, &self.output_norm, &mut out);
        out
    }

    /// Logits over the vocabulary, `[rows, vocab]`, of states from [`Self::forward`].
    pub fn logits(&self, arch: Arch, states: &[f32]) -> Vec<f32> {
        let matrix: &PackedMatrix = self.output.as_ref().unwrap_or(&self.embedding);
        let mut out = vec![0.0; states.len() / self.config.hidden * self.config.vocab];
        matrix.apply(arch, states, &mut out, false);
        out
    }

    /// Queries, keys and values of every row, biased, rotated, and queries scaled.
    fn project<'b>(
        &self,
        arch: Arch,
        layer: &LayerWeights,
        x: &[f32],
        angles: &RotaryAngles,
        buffers: &'b mut LayerBuffers,
    ) -> &'b [f32] {
        let c = &self.config;
        let rows = x.len() / c.hidden;
        let normed = sized(&mut buffers.normed, x.len());
        self.norm(arch, x, &layer.attention_norm, normed);
        let qkv = sized(&mut buffers.qkv, rows * layer.qkv.n);
        layer.qkv.apply(arch, normed, qkv, false);
        let scale = 1.0 / (c.head_dim as f32).sqrt();
        for_rows(qkv, layer.qkv.n, |i, row| {
            row.iter_mut()
                .zip(&layer.qkv_bias)
                .for_each(|(x, b)| *x += b);
            let (cos, sin) = angles.row(i);
            let heads = row.chunks_exact_mut(c.head_dim).take(c.heads + c.kv_heads);
            for (h, head) in heads.enumerate() {
                rope(arch, head, cos, sin, if h < c.heads { scale } else { 1.0 });
            }
        });
        qkv
    }

    fn feed_forward(
        &self,
        arch: Arch,
        layer: &LayerWeights,
        x: &mut [f32],
        buffers: &mut LayerBuffers,
    ) {
        let c = &self.config;
        let rows = x.len() / c.hidden;
        let normed = sized(&mut buffers.normed, x.len());
        self.norm(arch, x, &layer.ffn_norm, normed);
        let gate_up = sized(&mut buffers.gate_up, rows * 2 * c.inner);
        layer.gate_up.apply(arch, normed, gate_up, false);
        let inner = sized(&mut buffers.inner, rows * c.inner);
        for_rows(inner, c.inner, |i, out| {
            let (gate, up) = gate_up[i * 2 * c.inner..][..2 * c.inner].split_at(c.inner);
            silu_mul(arch, gate, up, out);
        });
        layer.down.apply(arch, inner, x, true);
    }

    fn norm(&self, arch: Arch, x: &[f32], weight: &[f32], out: &mut [f32]) {
        let c = &self.config;
        for_rows(out, c.hidden, |i, out| {
            rms_norm(arch, &x[i * c.hidden..][..c.hidden], weight, c.eps, out);
        });
    }
}

/// Activations reused from layer to layer.
#[derive(Default)]
struct LayerBuffers {
    normed: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    gate_up: Vec<f32>,
    inner: Vec<f32>,
}

fn sized(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.resize(len, 0.0);
    buffer
}

fn for_rows(out: &mut [f32], width: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    if out.len() <= width * ROWS_PER_TASK {
        out.chunks_exact_mut(width)
            .enumerate()
            .for_each(|(i, row)| f(i, row));
    } else {
        let chunks = out.par_chunks_mut(width * ROWS_PER_TASK).enumerate();
        chunks.for_each(|(chunk, rows)| {
            let rows = rows.chunks_exact_mut(width).enumerate();
            rows.for_each(|(i, row)| f(chunk * ROWS_PER_TASK + i, row));
        });
    }
}

/// Position of each span's first new token.
fn starts(spans: &[TokenSpan]) -> Vec<usize> {
    let mut starts: Vec<usize> = Vec::with_capacity(spans.len());
    for span in spans {
        let past: usize = span
            .past
            .iter()
            .map(|past| match *past {
                PastTokens::Stored(_, len) => len,
                PastTokens::Span(i) => {
                    spans[i].tokens.len() + spans[i].kv.as_ref().map_or(0, |kv| kv.len())
                }
            })
            .sum();
        starts.push(past + span.kv.as_ref().map_or(0, |kv| kv.len()));
    }
    starts
}

fn queries(spans: &[TokenSpan]) -> Vec<AttentionQuery> {
    let pairs = spans
        .iter()
        .enumerate()
        .flat_map(|(span, s)| (0..s.tokens.len()).map(move |index| (span, index)));
    pairs
        .enumerate()
        .map(|(row, (span, index))| AttentionQuery { row, span, index })
        .collect()
}

/// Adds every span's new keys and values to where they are kept for this layer.
fn store(
    spans: &mut [TokenSpan],
    scratch: &mut [LayerKv],
    layer: usize,
    qkv: &[f32],
    q: usize,
    kv: usize,
    head_dim: usize,
) {
    let mut rest = qkv;
    let mut work = Vec::with_capacity(spans.len());
    for (span, scratch) in spans.iter_mut().zip(scratch) {
        let (rows, tail) = rest.split_at(span.tokens.len() * (q + 2 * kv));
        rest = tail;
        let target = if let Some(kv) = &mut span.kv {
            &mut kv.layers[layer]
        } else {
            scratch.clear();
            scratch
        };
        work.push((target, rows));
    }
    work.into_par_iter().for_each(|(target, rows)| {
        for row in rows.chunks_exact(q + 2 * kv) {
            target.push(&row[q..q + kv], &row[q + kv..], head_dim);
        }
    });
}

/// Cosines and sines of every row's position.
struct RotaryAngles {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RotaryAngles {
    fn new(frequencies: &[f32], queries: &[AttentionQuery], starts: &[usize]) -> Self {
        let angle = |q: &AttentionQuery| {
            let position = (starts[q.span] + q.index) as f32;
            frequencies.iter().map(move |f| position * f)
        };
        let (sin, cos) = queries.iter().flat_map(angle).map(f32::sin_cos).unzip();
        Self {
            half: frequencies.len(),
            cos,
            sin,
        }
    }

    fn row(&self, i: usize) -> (&[f32], &[f32]) {
        let range = i * self.half..(i + 1) * self.half;
        (&self.cos[range.clone()], &self.sin[range])
    }
}
