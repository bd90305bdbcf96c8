//! Matrix product with weights packed once at load.
//!
//! A general matrix product packs its right-hand side on every call. Weights never change, so they
//! are packed here into strips of [`STRIP`] columns, `[strip][k][STRIP]`, each read front to back by
//! the kernel. That matters most for the short batches (8 to 64 rows) of suffix scoring and decoding.
//!
//! Weights that a file holds quantised stay so in memory. They become floats in
//! registers for the rows of a single tile, and a panel at a time for more.

// A kernel is only compiled for the detected instruction set if it is inlined into the dispatch.
#![allow(clippy::inline_always)]

use super::quantized::{QuantizedRows, QuantizedStrips, UnpackPanel, WeightRows, quantized_kernel};
use super::strips::{
    PANEL, STRIP, Tile, columns, covering, heights, kernel, lanes, pack_strips, strips, tallest,
    with_tile,
};
use pulp::{Arch, Simd, WithSimd, bytemuck::Pod};
use rayon::prelude::*;
use std::ops::Range;

/// Multiply-adds below which splitting a product over threads costs more than it saves.
const PARALLEL_FROM: usize = 1 << 17;

/// A `k × n` matrix in strips, padded with zero columns to whole panels.
pub(super) struct PackedMatrix {
    /// Inner dimension (input width).
    pub k: usize,
    /// Output width.
    pub n: usize,
    strips: Strips,
}

enum Strips {
    /// `[strip][k][STRIP]`.
    Floats(Vec<f32>),
    Quantized(QuantizedStrips),
}

impl PackedMatrix {
    /// Packs row-major matrices of `k` columns each (GGUF's `[out, in]` layout), stacked along the
    /// output: fused projections are one product. They stay quantised if all of them are.
    pub fn new(parts: Vec<WeightRows>, k: usize) -> Self {
        let quantized: Vec<&QuantizedRows> = parts
            .iter()
            .filter_map(|part| match part {
                WeightRows::Quantized(rows) if rows.divides(k) => Some(rows),
                _ => None,
            })
            .collect();
        if quantized.len() == parts.len() {
            return Self {
                k,
                n: quantized.iter().map(|rows| rows.len() / k).sum(),
                strips: Strips::Quantized(QuantizedStrips::pack(&quantized, k)),
            };
        }
        let parts: Vec<Vec<f32>> = parts.into_iter().map(WeightRows::into_floats).collect();
        let rows: Vec<&[f32]> = parts.iter().flat_map(|p| p.chunks_exact(k)).collect();
        Self {
            k,
            n: rows.len(),
            strips: Strips::Floats(pack_strips(&rows, k)),
        }
    }

    /// Writes column `j` (`k` values).
    pub fn column(&self, j: usize, out: &mut [f32]) {
        let data = match &self.strips {
            Strips::Floats(data) => data,
            Strips::Quantized(strips) => return strips.column(j, out),
        };
        let strip = &data[j / STRIP * STRIP * self.k..][..STRIP * self.k];
        for (o, &w) in out
            .iter_mut()
            .zip(strip.iter().skip(j % STRIP).step_by(STRIP))
        {
            *o = w;
        }
    }

    /// `out[m, n] = x[m, k] · W` (or `+=` with `accumulate`), all row-major.
    pub fn apply(&self, arch: Arch, x: &[f32], out: &mut [f32], accumulate: bool) {
        let m = x.len() / self.k;
        debug_assert_eq!(x.len(), m * self.k);
        debug_assert_eq!(out.len(), m * self.n);
        if m == 0 {
            return;
        }
        let first = match self.strips {
            Strips::Floats(_) => fetching(arch),
            Strips::Quantized(_) => tallest(heights(arch)),
        };
        let blocks = pack_rows(x, self.k, heights(arch), first);
        let threads = if m * self.k * self.n < PARALLEL_FROM {
            1
        } else {
            rayon::current_num_threads()
        };
        // Four tasks a thread let a fast thread take over from one the system interrupts.
        let tasks = if threads == 1 { 1 } else { threads * 4 };
        let panels = self.n.div_ceil(PANEL);
        let per_task = panels.div_ceil(tasks);
        let width = per_task * PANEL;
        let mut columns: Vec<Vec<&mut [f32]>> = (0..panels.div_ceil(per_task))
            .map(|_| Vec::with_capacity(m))
            .collect();
        for row in out.chunks_exact_mut(self.n) {
            for (task, part) in columns.iter_mut().zip(row.chunks_mut(width)) {
                task.push(part);
            }
        }
        let run = |(task, mut rows): (usize, Vec<&mut [f32]>)| {
            arch.dispatch(PanelColumns {
                matrix: self,
                blocks: &blocks,
                panels: task * per_task..panels.min((task + 1) * per_task),
                rows: &mut rows,
                accumulate,
            });
        };
        if columns.len() == 1 {
            columns.into_iter().enumerate().for_each(run);
        } else {
            columns.into_par_iter().enumerate().for_each(run);
        }
    }
}

/// Input rows of one tile interleaved as `[k][rows]`, zero-padded to a kernel's row count.
struct RowBlock {
    /// Rows of the kernel that computes this block.
    height: usize,
    /// Rows that are real.
    used: usize,
    data: Vec<f32>,
}

fn pack_rows(x: &[f32], k: usize, heights: &[usize], first: usize) -> Vec<RowBlock> {
    let pack = |rows: &[f32]| {
        let used = rows.len() / k;
        let height = covering(heights, used);
        let mut data = vec![0.0; height * k];
        for (r, row) in rows.chunks_exact(k).enumerate() {
            for (slot, &v) in data.iter_mut().skip(r).step_by(height).zip(row) {
                *slot = v;
            }
        }
        RowBlock { height, used, data }
    };
    let (first, rest) = x.split_at(x.len().min(first * k));
    let rows = tallest(heights) * k;
    let blocks = std::iter::once(first).chain(rest.chunks(rows));
    if x.len() > 64 * k {
        blocks
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(pack)
            .collect()
    } else {
        blocks.map(pack).collect()
    }
}

/// Rows of a product's first block. It is the one that fetches a panel from memory, which two
/// strips at a time do faster; the tall tiles after it find the panel in cache.
fn fetching(arch: Arch) -> usize {
    match lanes(arch) {
        8 => 3,
        _ => tallest(heights(arch)),
    }
}

/// Rows up to which quantised weights become floats in registers: where their sums, the weights and
/// what these are made of fit, and no second tile would do the same again.
fn rows_in_registers(lanes: usize) -> usize {
    match lanes {
        16 => 14,
        8 => 3,
        _ => 2,
    }
}

/// One task's share: a run of whole panels for every row.
struct PanelColumns<'a, 'o> {
    matrix: &'a PackedMatrix,
    blocks: &'a [RowBlock],
    panels: Range<usize>,
    rows: &'a mut [&'o mut [f32]],
    accumulate: bool,
}

impl WithSimd for PanelColumns<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let k = self.matrix.k;
        let mut buffer = Vec::new();
        for (p, panel) in self.panels.clone().enumerate() {
            let column = p * PANEL;
            match &self.matrix.strips {
                Strips::Floats(data) => {
                    self.whole_panel(simd, column, &data[panel * k * PANEL..][..k * PANEL]);
                }
                Strips::Quantized(strips) => {
                    let first = panel * (PANEL / STRIP);
                    if self.rows.len() <= rows_in_registers(S::F32_LANES) {
                        self.quantized_panel(simd, column, strips, first);
                    } else {
                        buffer.resize(k * PANEL, 0.0);
                        simd.vectorize(UnpackPanel {
                            strips,
                            k,
                            first,
                            out: &mut buffer,
                        });
                        self.whole_panel(simd, column, &buffer);
                    }
                }
            }
        }
    }
}

impl PanelColumns<'_, '_> {
    /// All rows by a panel of floats.
    #[inline(always)]
    fn whole_panel<S: Simd>(&mut self, simd: S, column: usize, panel: &[f32]) {
        let k = self.matrix.k;
        let mut first = 0;
        for block in self.blocks {
            let mut sink = BlockSink {
                rows: &mut self.rows[first..first + block.used],
                column,
                accumulate: self.accumulate,
            };
            with_tile!(S, block.height, (V, P, R) => {
                for (i, data) in panel.chunks_exact(P * STRIP * k).enumerate() {
                    let zero = [[[simd.splat_f32s(0.0); V]; P]; R];
                    let weights = strips::<S, V, P>(data, k);
                    let acc = kernel::<S, V, P, R>(simd, &block.data, weights, zero);
                    sink.store(i * P * STRIP, &acc);
                }
            });
            first += block.used;
        }
    }

    /// The rows of the only block by a quantised panel.
    #[inline(always)]
    fn quantized_panel<S: Simd>(
        &mut self,
        simd: S,
        column: usize,
        strips: &QuantizedStrips,
        first: usize,
    ) {
        let block = &self.blocks[0];
        let mut sink = BlockSink {
            rows: &mut *self.rows,
            column,
            accumulate: self.accumulate,
        };
        with_tile!(S, block.height, (V, P, R) => {
            for p in (0..PANEL / STRIP).step_by(P) {
                let acc = quantized_kernel::<S, V, P, R>(simd, &block.data, strips, first + p);
                sink.store(p * STRIP, &acc);
            }
        });
    }
}

/// Where a kernel's block of results goes.
struct BlockSink<'a, 'o> {
    rows: &'a mut [&'o mut [f32]],
    column: usize,
    accumulate: bool,
}

impl BlockSink<'_, '_> {
    #[inline(always)]
    fn store<F: Pod, const V: usize, const P: usize, const R: usize>(
        &mut self,
        offset: usize,
        acc: &Tile<F, V, P, R>,
    ) {
        for (row, acc) in self.rows.iter_mut().zip(acc) {
            let values = columns(acc);
            // The last panel's columns beyond the matrix are padding.
            let out = row.get_mut(self.column + offset..).unwrap_or_default();
            if self.accumulate {
                out.iter_mut().zip(values).for_each(|(o, v)| *o += v);
            } else {
                out.iter_mut().zip(values).for_each(|(o, v)| *o = *v);
            }
        }
    }
}
