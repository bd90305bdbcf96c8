//! Keys and values, and attention over them.
//!
//! A query may attend to several stretches in turn: prefixes shared by many sequences, earlier
//! tokens of its own sequence, its own span. Nothing is copied per sequence, and every sum runs in
//! token order across stretches, so a score is bit for bit the same whether its prefix was shared.

#![allow(clippy::inline_always)]

use super::{
    kernels::softmax_inline,
    matmul::{PANEL, kernel, kernel_height, kernel_rows, max_rows, with_height},
    weights::Config,
};
use pulp::{Arch, Simd, WithSimd, bytemuck};
use rayon::prelude::*;

/// Keys and values of one layer for a stretch of tokens, laid out as panels for the kernels.
#[derive(Clone)]
pub(super) struct LayerKv {
    len: usize,
    /// Per head: blocks of [`PANEL`] tokens, each `[head_dim][PANEL]`.
    keys: Vec<Vec<f32>>,
    /// Per head and panel of its dimensions: `[token][PANEL]`.
    values: Vec<Vec<f32>>,
}

impl LayerKv {
    pub fn new(c: &Config) -> Self {
        Self {
            len: 0,
            keys: vec![Vec::new(); c.kv_heads],
            values: vec![Vec::new(); c.kv_heads * c.head_dim.div_ceil(PANEL)],
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
        let column = self.len % PANEL;
        for (store, head) in self.keys.iter_mut().zip(keys.chunks_exact(head_dim)) {
            if column == 0 {
                store.resize(store.len() + head_dim * PANEL, 0.0);
            }
            let block = store.len() - head_dim * PANEL;
            let slots = store[block..].iter_mut().skip(column).step_by(PANEL);
            slots.zip(head).for_each(|(slot, &k)| *slot = k);
        }
        let panels = values
            .chunks_exact(head_dim)
            .flat_map(|head| head.chunks(PANEL));
        for (store, part) in self.values.iter_mut().zip(panels) {
            store.extend_from_slice(part);
            store.resize(store.len() + PANEL - part.len(), 0.0);
        }
        self.len += 1;
    }
}

/// Keys and values of all layers.
#[derive(Clone)]
pub(super) struct Kv {
    pub layers: Vec<LayerKv>,
}

impl Kv {
    pub fn new(c: &Config) -> Self {
        Self {
            layers: vec![LayerKv::new(c); c.layers],
        }
    }

    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, |l| l.len)
    }

    /// Memory in bytes that `tokens` tokens take.
    pub fn bytes(c: &Config, tokens: usize) -> usize {
        let width = c.head_dim * tokens.next_multiple_of(PANEL)
            + c.head_dim.next_multiple_of(PANEL) * tokens;
        c.layers * c.kv_heads * width * size_of::<f32>()
    }
}

/// What the queries of one span attend to at one layer.
pub(super) struct View<'a> {
    /// Stretches seen whole, each with the tokens of it that count.
    pub past: Vec<(&'a LayerKv, usize)>,
    /// The span itself, after what it had before: `own_before` tokens and then its new ones.
    pub own: &'a LayerKv,
    pub own_before: usize,
}

/// One query: its row in `qkv`, and which new token of which span it is.
#[derive(Clone, Copy)]
pub(super) struct Query {
    pub row: usize,
    pub span: usize,
    pub index: usize,
}

/// Attention of `queries` (rows of `qkv`, already rotated and scaled) into `out`
/// (`[queries, heads * head_dim]`). Queries of one span should be adjacent.
pub(super) fn attend(
    arch: Arch,
    c: &Config,
    qkv: &[f32],
    views: &[View],
    queries: &[Query],
    out: &mut [f32],
) {
    let width = c.heads * c.head_dim;
    let per_task = (max_rows(arch) / (c.heads / c.kv_heads)).max(1);
    let mut tasks = Vec::new();
    let mut rest = out;
    for same_span in queries.chunk_by(|a, b| a.span == b.span) {
        for chunk in same_span.chunks(per_task) {
            let (head, tail) = rest.split_at_mut(chunk.len() * width);
            rest = tail;
            tasks.push((chunk, head));
        }
    }
    let run = |(queries, out): (&[Query], &mut [f32])| {
        let Some(first) = queries.first() else { return };
        arch.dispatch(Task {
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
struct Task<'a> {
    arch: Arch,
    c: &'a Config,
    qkv: &'a [f32],
    view: &'a View<'a>,
    queries: &'a [Query],
    out: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 2>(simd),
            8 => self.run::<S, 4>(simd),
            4 => self.run::<S, 8>(simd),
            _ => self.run::<S, 32>(simd),
        }
    }
}

/// One row of a kernel call: a query, a head and how many tokens it sees.
#[derive(Clone, Copy)]
struct Row {
    query: usize,
    head: usize,
    seen: usize,
}

impl Task<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(mut self, simd: S) {
        let past: usize = self.view.past.iter().map(|(_, len)| len).sum();
        let before = past + self.view.own_before;
        let group = self.c.heads / self.c.kv_heads;
        let step = max_rows(self.arch);
        for kv_head in 0..self.c.kv_heads {
            let rows: Vec<Row> = (0..self.queries.len() * group)
                .map(|i| Row {
                    query: i / group,
                    head: kv_head * group + i % group,
                    seen: before + self.queries[i / group].index + 1,
                })
                .collect();
            for rows in rows.chunks(step) {
                with_height!(S, kernel_height(rows.len(), step), R => {
                    self.rows::<S, V, R>(simd, kv_head, rows);
                });
            }
        }
    }

    /// Stretches in token order, each with its length, for rows that see up to `total` tokens.
    fn stretches(&self, total: usize) -> impl Iterator<Item = (&LayerKv, usize)> {
        let past: usize = self.view.past.iter().map(|(_, len)| len).sum();
        let own = (self.view.own, total - past);
        self.view.past.iter().copied().chain([own])
    }

    #[inline(always)]
    fn rows<S: Simd, const V: usize, const R: usize>(
        &mut self,
        simd: S,
        kv_head: usize,
        rows: &[Row],
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
        let zero = [[simd.splat_f32s(0.0); V]; R];
        let mut scores = vec![0.0; R * total];
        let mut at = 0;
        for (kv, len) in self.stretches(total) {
            for (b, block) in kv.keys[kv_head].chunks_exact(d * PANEL).enumerate() {
                let Some(width) = len.checked_sub(b * PANEL).filter(|&w| w > 0) else {
                    break;
                };
                let width = width.min(PANEL);
                let panel = S::as_simd_f32s(block).0.as_chunks::<V>().0;
                let acc = kernel::<S, V, R>(simd, &q, panel, zero);
                for (row, acc) in scores.chunks_exact_mut(total).zip(&acc) {
                    let acc: &[f32] = bytemuck::cast_slice(acc);
                    row[at + b * PANEL..][..width].copy_from_slice(&acc[..width]);
                }
            }
            at += len;
        }
        for (row, scores) in rows.iter().zip(scores.chunks_exact_mut(total)) {
            let (seen, unseen) = scores.split_at_mut(row.seen);
            softmax_inline(seen);
            unseen.fill(0.0);
        }
        let panels = d.div_ceil(PANEL);
        for p in 0..panels {
            let mut acc = zero;
            let mut at = 0;
            for (kv, len) in self.stretches(total) {
                let values = &kv.values[kv_head * panels + p][..len * PANEL];
                let values = S::as_simd_f32s(values).0.as_chunks::<V>().0;
                let probabilities: [&[f32]; R] =
                    std::array::from_fn(|r| &scores[r * total + at..][..len]);
                acc = kernel_rows::<S, V, R>(simd, probabilities, values, acc);
                at += len;
            }
            for (row, acc) in rows.iter().zip(&acc) {
                let acc: &[f32] = bytemuck::cast_slice(acc);
                let width = PANEL.min(d - p * PANEL);
                let at = row.query * q_width + row.head * d + p * PANEL;
                self.out[at..at + width].copy_from_slice(&acc[..width]);
            }
        }
    }
}
