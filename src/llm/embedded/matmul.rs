//! Matrix product with weights packed once at load.
//!
//! A general matrix product packs its right-hand side on every call. Weights never change, so they
//! are packed here into panels of [`PANEL`] columns, `[panel][k][PANEL]`, each read front to back by
//! the kernel. That matters most for the short batches (8 to 64 rows) of suffix scoring and decoding.

// A kernel is only compiled for the detected instruction set if it is inlined into the dispatch.
#![allow(clippy::inline_always)]

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Columns per packed panel: two AVX-512, four AVX2 or eight NEON vectors.
pub(super) const PANEL: usize = 32;
/// Most rows one kernel call covers (with AVX-512: 24 accumulators of the 32 registers).
const MAX_ROWS: usize = 12;
/// Multiply-adds below which splitting a product over threads costs more than it saves.
const PARALLEL_FROM: usize = 1 << 17;

/// A `k × n` matrix in panels, padded with zero columns to whole panels.
pub(super) struct Packed {
    /// Inner dimension (input width).
    pub k: usize,
    /// Output width.
    pub n: usize,
    data: Vec<f32>,
}

impl Packed {
    /// Packs row-major matrices of `k` columns each (GGUF's `[out, in]` layout), stacked along the
    /// output: fused projections are one product.
    pub fn from_rows(parts: &[&[f32]], k: usize) -> Self {
        let rows: Vec<&[f32]> = parts.iter().flat_map(|p| p.chunks_exact(k)).collect();
        let n = rows.len();
        let mut data = vec![0.0; n.div_ceil(PANEL) * PANEL * k];
        let panels = data
            .par_chunks_exact_mut(PANEL * k)
            .zip(rows.par_chunks(PANEL));
        panels.for_each(|(panel, rows)| {
            for (i, slots) in panel.chunks_exact_mut(PANEL).enumerate() {
                for (slot, row) in slots.iter_mut().zip(rows) {
                    *slot = row[i];
                }
            }
        });
        Self { k, n, data }
    }

    /// Writes column `j` (`k` values).
    pub fn column(&self, j: usize, out: &mut [f32]) {
        let panel = &self.data[j / PANEL * PANEL * self.k..][..PANEL * self.k];
        for (o, &w) in out
            .iter_mut()
            .zip(panel.iter().skip(j % PANEL).step_by(PANEL))
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
        let max_rows = max_rows(arch);
        let blocks = pack_rows(x, m, self.k, max_rows);
        let threads = if m * self.k * self.n < PARALLEL_FROM {
            1
        } else {
            rayon::current_num_threads()
        };
        // Four tasks a thread let a fast thread take over from one the system interrupts.
        let tasks = if threads == 1 { 1 } else { threads * 4 };
        let panels = self.data.len() / (PANEL * self.k);
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
        let run = |(weights, mut rows): (&[f32], Vec<&mut [f32]>)| {
            arch.dispatch(Columns {
                k: self.k,
                blocks: &blocks,
                weights,
                rows: &mut rows,
                accumulate,
            });
        };
        let work = self.data.chunks(per_task * PANEL * self.k);
        if columns.len() == 1 {
            work.zip(columns).for_each(run);
        } else {
            work.zip(columns)
                .collect::<Vec<_>>()
                .into_par_iter()
                .for_each(run);
        }
    }
}

/// Up to [`MAX_ROWS`] input rows interleaved as `[k][rows]`, zero-padded to a kernel's row count.
struct RowBlock {
    /// Rows of the kernel that computes this block.
    height: usize,
    /// Rows that are real.
    used: usize,
    data: Vec<f32>,
}

fn pack_rows(x: &[f32], m: usize, k: usize, max_rows: usize) -> Vec<RowBlock> {
    let pack = |rows: &[f32]| {
        let used = rows.len() / k;
        let height = kernel_height(used, max_rows);
        let mut data = vec![0.0; height * k];
        for (r, row) in rows.chunks_exact(k).enumerate() {
            for (slot, &v) in data.iter_mut().skip(r).step_by(height).zip(row) {
                *slot = v;
            }
        }
        RowBlock { height, used, data }
    };
    if m > 64 {
        x.par_chunks(max_rows * k).map(pack).collect()
    } else {
        x.chunks(max_rows * k).map(pack).collect()
    }
}

/// Rows the widest kernel of the detected instruction set takes.
pub(super) fn max_rows(arch: Arch) -> usize {
    arch.dispatch(RowsPerBlock)
}

/// The smallest kernel that covers `used` rows.
pub(super) fn kernel_height(used: usize, max_rows: usize) -> usize {
    [1, 2, 3, 4, 6, 8]
        .into_iter()
        .find(|&h| h >= used)
        .unwrap_or(MAX_ROWS)
        .min(max_rows)
}

struct RowsPerBlock;
impl WithSimd for RowsPerBlock {
    type Output = usize;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        match S::F32_LANES {
            16 => MAX_ROWS,
            8 => 3,
            _ => 2,
        }
    }
}

/// Expands its body for the kernel heights worth compiling at `S`'s register count.
macro_rules! with_height {
    ($S:ty, $height:expr, $R:ident => $body:block) => {
        match (<$S>::F32_LANES, $height) {
            (_, 1) => {
                const $R: usize = 1;
                $body
            }
            (_, 2) => {
                const $R: usize = 2;
                $body
            }
            (8 | 16, 3) => {
                const $R: usize = 3;
                $body
            }
            (16, 4) => {
                const $R: usize = 4;
                $body
            }
            (16, 6) => {
                const $R: usize = 6;
                $body
            }
            (16, 8) => {
                const $R: usize = 8;
                $body
            }
            (16, 12) => {
                const $R: usize = 12;
                $body
            }
            _ => unreachable!("kernel_height() returns one of the heights above"),
        }
    };
}
pub(super) use with_height;

/// One task's share: a run of whole panels for every row.
struct Columns<'a, 'o> {
    k: usize,
    blocks: &'a [RowBlock],
    weights: &'a [f32],
    rows: &'a mut [&'o mut [f32]],
    accumulate: bool,
}

impl WithSimd for Columns<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // The vectors per panel follow from the lane count; the match is resolved at compile time.
        match S::F32_LANES {
            16 => self.run::<S, 2>(simd),
            8 => self.run::<S, 4>(simd),
            4 => self.run::<S, 8>(simd),
            _ => self.run::<S, 32>(simd),
        }
    }
}

impl Columns<'_, '_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let Self {
            k,
            blocks,
            weights,
            rows,
            accumulate,
        } = self;
        for (p, panel) in weights.chunks_exact(k * PANEL).enumerate() {
            let panel = S::as_simd_f32s(panel).0.as_chunks::<V>().0;
            let mut first = 0;
            for block in blocks {
                let mut sink = Sink {
                    rows: &mut rows[first..first + block.used],
                    column: p * PANEL,
                    accumulate,
                };
                let a = block.data.as_slice();
                with_height!(S, block.height, R => {
                    let zero = [[simd.splat_f32s(0.0); V]; R];
                    sink.store(kernel::<S, V, R>(simd, a, panel, zero));
                });
                first += block.used;
            }
        }
    }
}

/// Where a kernel's block of results goes.
struct Sink<'a, 'o> {
    rows: &'a mut [&'o mut [f32]],
    column: usize,
    accumulate: bool,
}

impl Sink<'_, '_> {
    #[inline(always)]
    fn store<F: pulp::bytemuck::Pod, const V: usize, const R: usize>(&mut self, acc: [[F; V]; R]) {
        for (row, acc) in self.rows.iter_mut().zip(&acc) {
            let values: &[f32] = pulp::bytemuck::cast_slice(acc);
            let end = (self.column + PANEL).min(row.len());
            let out = &mut row[self.column..end];
            if self.accumulate {
                out.iter_mut().zip(values).for_each(|(o, v)| *o += v);
            } else {
                out.iter_mut().zip(values).for_each(|(o, v)| *o = *v);
            }
        }
    }
}

/// Adds `R` interleaved rows (`[k][R]`) times one panel to `acc`, in registers over all of `k`.
#[inline(always)]
pub(super) fn kernel<S: Simd, const V: usize, const R: usize>(
    simd: S,
    a: &[f32],
    panel: &[[S::f32s; V]],
    mut acc: [[S::f32s; V]; R],
) -> [[S::f32s; V]; R] {
    for (a, b) in a.as_chunks::<R>().0.iter().zip(panel) {
        for r in 0..R {
            let x = simd.splat_f32s(a[r]);
            for v in 0..V {
                acc[r][v] = simd.mul_add_e_f32s(x, b[v], acc[r][v]);
            }
        }
    }
    acc
}

/// As [`kernel`], for rows that lie apart; each holds at least as many values as the panel.
#[inline(always)]
pub(super) fn kernel_rows<S: Simd, const V: usize, const R: usize>(
    simd: S,
    rows: [&[f32]; R],
    panel: &[[S::f32s; V]],
    mut acc: [[S::f32s; V]; R],
) -> [[S::f32s; V]; R] {
    let rows = rows.map(|row| &row[..panel.len()]);
    for (i, b) in panel.iter().enumerate() {
        for r in 0..R {
            let x = simd.splat_f32s(rows[r][i]);
            for v in 0..V {
                acc[r][v] = simd.mul_add_e_f32s(x, b[v], acc[r][v]);
            }
        }
    }
    acc
}
