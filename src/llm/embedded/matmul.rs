//! Matrix product with weights packed once at load.
//!
//! A general matrix product packs its right-hand side on every call. Weights never change, so they
//! are packed here into strips of [`STRIP`] columns, `[strip][k][STRIP]`, each read front to back by
//! the kernel. That matters most for the short batches (8 to 64 rows) of suffix scoring and decoding.
//!
//! A kernel computes a tile of some rows by one strip or two, whose accumulators must fit the
//! registers: [`heights`] and `with_tile` say which tiles an instruction set gets. Whatever the
//! tile, an element is one sum from the first `k` to the last, so results do not depend on it.
//!
//! Weights that a file holds quantised stay so in memory. They become floats in
//! registers for the rows of a single tile, and a panel at a time for more.

// A kernel is only compiled for the detected instruction set if it is inlined into the dispatch.
#![allow(clippy::inline_always)]

use super::quantized::{QuantizedRows, QuantizedStrips, UnpackPanel, WeightRows, quantized_kernel};
use pulp::{
    Arch, Simd, WithSimd,
    bytemuck::{self, Pod},
};
use rayon::prelude::*;
use std::ops::Range;

/// Columns per strip: one AVX-512, two AVX2 or four NEON vectors.
pub(super) const STRIP: usize = 16;
/// Columns that are shared out together: two strips, one after the other.
pub(super) const PANEL: usize = 2 * STRIP;
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

/// Rows of `width` items in strips of [`STRIP`] columns, `[strip][width][STRIP]`, padded to whole
/// panels.
pub(super) fn pack_strips<T: Copy + Default + Send + Sync>(rows: &[&[T]], width: usize) -> Vec<T> {
    let mut data = vec![T::default(); rows.len().next_multiple_of(PANEL) * width];
    let strips = data
        .par_chunks_exact_mut(STRIP * width)
        .zip(rows.par_chunks(STRIP));
    strips.for_each(|(strip, rows)| {
        for (i, slots) in strip.chunks_exact_mut(STRIP).enumerate() {
            for (slot, row) in slots.iter_mut().zip(rows) {
                *slot = row[i];
            }
        }
    });
    data
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
    match arch.dispatch(Lanes) {
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

/// Rows of the kernels there are for the detected instruction set, ascending.
pub(super) fn heights(arch: Arch) -> &'static [usize] {
    match arch.dispatch(Lanes) {
        16 => &[1, 2, 3, 4, 6, 8, 10, 12, 14],
        4 | 8 => &[1, 2, 3, 4, 5, 6],
        _ => &[1, 2],
    }
}

/// Rows of the tallest kernel.
pub(super) fn tallest(heights: &[usize]) -> usize {
    heights.last().copied().unwrap_or(1)
}

/// Rows of the smallest kernel that covers `used` rows, which are no more than the tallest has.
pub(super) fn covering(heights: &[usize], used: usize) -> usize {
    let covers = heights.iter().copied().find(|&h| h >= used);
    covers.unwrap_or(tallest(heights))
}

/// Values per vector.
struct Lanes;
impl WithSimd for Lanes {
    type Output = usize;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// Expands its body for the tile of `S` that has `height` rows: `R` rows by `P` strips of `V`
/// vectors.
///
/// Accumulators (`R · P · V`), a step's weights (`P · V`) and one broadcast input share 32 registers
/// with AVX-512 and NEON, else 16. One strip leaves room for more rows, which then share a weight
/// read; for few rows it takes both strips to have enough sums that do not wait for one another,
/// and to fetch more from memory at a time.
macro_rules! with_tile {
    ($S:ty, $height:expr, ($V:ident, $P:ident, $R:ident) => $body:block) => {
        with_tile!(@ $S, $height, ($V, $P, $R) => $body;
            (16, 1, 2) (16, 2, 2) (16, 3, 2) (16, 4, 2) (16, 6, 2) (16, 8, 2) (16, 10, 2)
            (16, 12, 2) (16, 14, 2)
            (8, 1, 2) (8, 2, 2) (8, 3, 2) (8, 4, 1) (8, 5, 1) (8, 6, 1)
            (4, 1, 2) (4, 2, 2) (4, 3, 1) (4, 4, 1) (4, 5, 1) (4, 6, 1)
            (1, 1, 2) (1, 2, 2)
        )
    };
    (@ $S:ty, $height:expr, ($V:ident, $P:ident, $R:ident) => $body:block;
        $(($lanes:literal, $rows:literal, $strips:literal))*) => {
        match (<$S>::F32_LANES, $height) {
            $(($lanes, $rows) => {
                const $V: usize = STRIP / $lanes;
                const $P: usize = $strips;
                const $R: usize = $rows;
                $body
            })*
            _ => unreachable!("heights() lists the heights above"),
        }
    };
}
pub(super) use with_tile;

/// `P` strips that follow one another, `k` rows of `V` vectors each.
#[inline(always)]
pub(super) fn strips<S: Simd, const V: usize, const P: usize>(
    data: &[f32],
    k: usize,
) -> [&[[S::f32s; V]]; P] {
    std::array::from_fn(|p| vectors::<S, V>(&data[p * k * STRIP..][..k * STRIP]))
}

/// One strip's rows.
#[inline(always)]
pub(super) fn vectors<S: Simd, const V: usize>(strip: &[f32]) -> &[[S::f32s; V]] {
    S::as_simd_f32s(strip).0.as_chunks::<V>().0
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

/// Accumulators of `R` rows by `P` strips of `V` vectors.
pub(super) type Tile<F, const V: usize, const P: usize, const R: usize> = [[[F; V]; P]; R];

/// One row of a tile.
#[inline(always)]
pub(super) fn columns<F: Pod, const V: usize, const P: usize>(row: &[[F; V]; P]) -> &[f32] {
    bytemuck::cast_slice(row.as_flattened())
}

/// Adds `R` interleaved rows (`[k][R]`) times `P` strips to `acc`, in registers over all of `k`.
#[inline(always)]
pub(super) fn kernel<S: Simd, const V: usize, const P: usize, const R: usize>(
    simd: S,
    a: &[f32],
    strips: [&[[S::f32s; V]]; P],
    mut acc: Tile<S::f32s, V, P, R>,
) -> Tile<S::f32s, V, P, R> {
    let a = a.as_chunks::<R>().0;
    let strips = strips.map(|strip| &strip[..a.len()]);
    for (i, a) in a.iter().enumerate() {
        for r in 0..R {
            let x = simd.splat_f32s(a[r]);
            for p in 0..P {
                for v in 0..V {
                    acc[r][p][v] = simd.mul_add_e_f32s(x, strips[p][i][v], acc[r][p][v]);
                }
            }
        }
    }
    acc
}

/// As [`kernel`], for rows that lie apart; each holds at least as many values as a strip has rows.
#[inline(always)]
pub(super) fn kernel_rows<S: Simd, const V: usize, const P: usize, const R: usize>(
    simd: S,
    rows: [&[f32]; R],
    strips: [&[[S::f32s; V]]; P],
    mut acc: Tile<S::f32s, V, P, R>,
) -> Tile<S::f32s, V, P, R> {
    let k = strips[0].len();
    let strips = strips.map(|strip| &strip[..k]);
    let rows = rows.map(|row| &row[..k]);
    for i in 0..k {
        for r in 0..R {
            let x = simd.splat_f32s(rows[r][i]);
            for p in 0..P {
                for v in 0..V {
                    acc[r][p][v] = simd.mul_add_e_f32s(x, strips[p][i][v], acc[r][p][v]);
                }
            }
        }
    }
    acc
}
