//! Keys and values, and attention over them.
//!
//! A query may attend to several stretches in turn: prefixes shared by many sequences, earlier
//! tokens of its own sequence, its own span. Nothing is copied per sequence, and every sum runs in
//! token order across stretches, so a score is bit for bit the same whether its prefix was shared.

#![allow(clippy::inline_always)]

use super::{
    kernels::softmax_inline,
    strips::{
        PANEL, STRIP, columns, covering, heights, kernel, kernel_rows, strips, tallest, vectors,
        with_tile,
    },
    weights::ModelConfig,
};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Keys and values of one layer for a stretch of tokens, laid out as panels for the kernels.
#[derive(Clone)]
pub(super) struct LayerKv {
    len: usize,
    /// Per head: strips of [`STRIP`] tokens, each `[head_dim][STRIP]`, up to a whole [`PANEL`].
    keys: Vec<Vec<f32>>,
    /// Per head and strip of its dimensions, padded to whole panels: `[token][STRIP]`.
    values: Vec<Vec<f32>>,
}

impl LayerKv {
    pub fn new(c: &ModelConfig) -> Self {
        Self {
            len: 0,
            keys: vec![Vec::new(); c.kv_heads],
            values: vec![Vec::new(); c.kv_heads * value_strips(c.head_dim)],
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn clear(&mut self) {
        self.len = 0;
        self.keys
            .iter_mut()
            .chain(&mut self.values)
            .for_each(Vec::clear);
    }

    /// Appends one token's rotated keys and its values (`kv_heads * head_dim` each).
    pub fn push(&mut self, keys: &[f32], values: &[f32], head_dim: usize) {
        let (strip, column) = (self.len / STRIP, self.len % STRIP);
        for (store, head) in self.keys.iter_mut().zip(keys.chunks_exact(head_dim)) {
            store.resize((self.len + 1).next_multiple_of(PANEL) * head_dim, 0.0);
            let slots = &mut store[strip * STRIP * head_dim..][..STRIP * head_dim];
            let slots = slots.iter_mut().skip(column).step_by(STRIP);
            slots.zip(head).for_each(|(slot, &k)| *slot = k);
        }
        let stores = self.values.chunks_exact_mut(value_strips(head_dim));
        for (stores, head) in stores.zip(values.chunks_exact(head_dim)) {
            let parts = head.chunks(STRIP).chain(std::iter::repeat(&[][..]));
            for (store, part) in stores.iter_mut().zip(parts) {
                store.extend_from_slice(part);
                store.resize((self.len + 1) * STRIP, 0.0);
            }
        }
        self.len += 1;
    }
}

/// Strips that hold one head's part of the values.
fn value_strips(head_dim: usize) -> usize {
    head_dim.next_multiple_of(PANEL) / STRIP
}

/// Keys and values of all layers.
#[derive(Clone)]
pub(super) struct KeyValueCache {
    pub layers: Vec<LayerKv>,
}

impl KeyValueCache {
    pub fn new(c: &ModelConfig) -> Self {
        Self {
            layers: vec![LayerKv::new(c); c.layers],
        }
    }

    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, |l| l.len)
    }

    /// Memory in bytes that `tokens` tokens take.
    pub fn bytes(c: &ModelConfig, tokens: usize) -> usize {
        let width = c.head_dim * tokens.next_multiple_of(PANEL)
            + c.head_dim.next_multiple_of(PANEL) * tokens;
        c.layers * c.kv_heads * width * size_of::<f32>()
    }
}

/// What the queries of one span attend to at one layer.
pub(super) struct AttentionView<'a> {
    /// Stretches seen whole, each with the tokens of it that count.
    pub past: Vec<(&'a LayerKv, usize)>,
    /// The span itself, after what it had before: `own_before` tokens and then its new ones.
    pub own: &'a LayerKv,
    pub own_before: usize,
}

/// One query: its row in `qkv`, and which new token of which span it is.
#[derive(Clone, Copy)]
pub(super) struct AttentionQuery {
    pub row: usize,
    pub span: usize,
    pub index: usize,
}

/// Attention of `queries` (rows of `qkv`, already rotated and scaled) into `out`
/// (`[queries, heads * head_dim]`). Queries of one span should be adjacent.
pub(super) fn attend(
    arch: Arch,
    c: &ModelConfig,
    qkv: &[f32],
    views: &[AttentionView],
    queries: &[AttentionQuery],
    out: &mut [f32],
) {
    let width = c.heads * c.head_dim;
    let per_task = (tallest(heights(arch)) / (c.heads / c.kv_heads)).max(1);
    let mut tasks = Vec::new();
    let mut rest = out;
    for same_span in queries.chunk_by(|a, b| a.span == b.span) {
        for chunk in same_span.chunks(per_task) {
            let (head, tail) = rest.split_at_mut(chunk.len() * width);
            rest = tail;
            tasks.push((chunk, head));
        }
    }
    let run = |(queries, out): (&[AttentionQuery], &mut [f32])| {
        let Some(first) = queries.first() else { return };
        arch.dispatch(AttentionTask {
            arch,
            c,
            qkv,
            view: &views[first.span],
            queries,
            out,
        });
    };
    if tasks.len() == 1 {
        tasks.into_iter().for_each(run);
    } else {
        tasks.into_par_iter().for_each(run);
    }
}

/// A few neighbouring queries of one span, all heads.
struct AttentionTask<'a> {
    arch: Arch,
    c: &'a ModelConfig,
    qkv: &'a [f32],
    view: &'a AttentionView<'a>,
    queries: &'a [AttentionQuery],
    out: &'a mut [f32],
}

impl WithSimd for AttentionTask<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let past: usize = self.view.past.iter().map(|(_, len)| len).sum();
        let before = past + self.view.own_before;
        let group = self.c.heads / self.c.kv_heads;
        let heights = heights(self.arch);
        for kv_head in 0..self.c.kv_heads {
            let rows: Vec<KernelRow> = (0..self.queries.len() * group)
                .map(|i| KernelRow {
                    query: i / group,
                    head: kv_head * group + i % group,
                    seen: before + self.queries[i / group].index + 1,
                })
                .collect();
            for rows in rows.chunks(tallest(heights)) {
                with_tile!(S, covering(heights, rows.len()), (V, P, R) => {
                    self.rows::<S, V, P, R>(simd, kv_head, rows);
                });
            }
        }
    }
}

/// One row of a kernel call: a query, a head and how many tokens it sees.
#[derive(Clone, Copy)]
struct KernelRow {
    query: usize,
    head: usize,
    seen: usize,
}

impl AttentionTask<'_> {
    /// Stretches in token order, each with its length, for rows that see up to `total` tokens.
    fn stretches(&self, total: usize) -> impl Iterator<Item = (&LayerKv, usize)> {
        let past: usize = self.view.past.iter().map(|(_, len)| len).sum();
        let own = (self.view.own, total - past);
        self.view.past.iter().copied().chain([own])
    }

    #[inline(always)]
    fn rows<S: Simd, const V: usize, const P: usize, const R: usize>(
        &mut self,
        simd: S,
        kv_head: usize,
        rows: &[KernelRow],
    ) {
        let (d, q_width) = (self.c.head_dim, self.c.heads * self.c.head_dim);
        let stride = q_width + 2 * self.c.kv_heads * d;
        let total = rows.iter().map(|r| r.seen).max().unwrap_or(0);
        let mut q = vec![0.0; R * d];
        for (r, row) in rows.iter().enumerate() {
            let at = self.queries[row.query].row * stride + row.head * d;
            let slots = q.iter_mut().skip(r).step_by(R);
            slots
                .zip(&self.qkv[at..at + d])
                .for_each(|(slot, &x)| *slot = x);
        }
        let mut scores = vec![0.0; R * total];
        self.dot_keys::<S, V, P, R>(simd, kv_head, &q, &mut scores);
        for (row, scores) in rows.iter().zip(scores.chunks_exact_mut(total)) {
            let (seen, unseen) = scores.split_at_mut(row.seen);
            softmax_inline(seen);
            unseen.fill(0.0);
        }
        self.sum_values::<S, V, P, R>(simd, kv_head, rows, &scores);
    }

    /// Scores (`[R][total]`) of `R` interleaved queries against the first `total` keys.
    #[inline(always)]
    fn dot_keys<S: Simd, const V: usize, const P: usize, const R: usize>(
        &self,
        simd: S,
        kv_head: usize,
        q: &[f32],
        scores: &mut [f32],
    ) {
        let zero = [[[simd.splat_f32s(0.0); V]; P]; R];
        let (d, total) = (self.c.head_dim, scores.len() / R);
        let mut at = 0;
        for (kv, len) in self.stretches(total) {
            let keys = kv.keys[kv_head].chunks_exact(P * STRIP * d);
            for (i, keys) in keys.enumerate() {
                let first = i * P * STRIP;
                let width = len.saturating_sub(first).min(P * STRIP);
                if width == 0 {
                    break;
                }
                let acc = kernel::<S, V, P, R>(simd, q, strips::<S, V, P>(keys, d), zero);
                for (row, acc) in scores.chunks_exact_mut(total).zip(&acc) {
                    row[at + first..][..width].copy_from_slice(&columns(acc)[..width]);
                }
            }
            at += len;
        }
    }

    /// Writes the values' means, weighted by probabilities `[R][total]`.
    #[inline(always)]
    fn sum_values<S: Simd, const V: usize, const P: usize, const R: usize>(
        &mut self,
        simd: S,
        kv_head: usize,
        rows: &[KernelRow],
        probabilities: &[f32],
    ) {
        let (d, q_width) = (self.c.head_dim, self.c.heads * self.c.head_dim);
        let total = probabilities.len() / R;
        for strip in (0..d.div_ceil(STRIP)).step_by(P) {
            let first = strip * STRIP;
            let mut acc = [[[simd.splat_f32s(0.0); V]; P]; R];
            let mut at = 0;
            for (kv, len) in self.stretches(total) {
                let values = &kv.values[kv_head * value_strips(d) + strip..][..P];
                let values = std::array::from_fn(|p| vectors::<S, V>(&values[p][..len * STRIP]));
                let weights = std::array::from_fn(|r| &probabilities[r * total + at..][..len]);
                acc = kernel_rows::<S, V, P, R>(simd, weights, values, acc);
                at += len;
            }
            let width = (d - first).min(P * STRIP);
            for (row, acc) in rows.iter().zip(&acc) {
                let at = row.query * q_width + row.head * d + first;
                self.out[at..at + width].copy_from_slice(&columns(acc)[..width]);
            }
        }
    }
}
