//! Strips of weights and the tiles that kernels compute with them.
//!
//! A kernel computes a tile of some rows by one strip or two, whose accumulators must fit the
//! registers: [`heights`] and `with_tile` say which tiles an instruction set gets. Whatever the
//! tile, an element is one sum from the first `k` to the last, so results do not depend on it.

// A kernel is only compiled for the detected instruction set if it is inlined into the dispatch.
#![allow(clippy::inline_always)]

use pulp::{
    Arch, Simd, WithSimd,
    bytemuck::{self, Pod},
};
use rayon::prelude::*;

/// Columns per strip: one AVX-512, two AVX2 or four NEON vectors.
pub(super) const STRIP: usize = 16;
/// Columns that are shared out together: two strips, one after the other.
pub(super) const PANEL: usize = 2 * STRIP;
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

/// Values per vector of the detected instruction set.
pub(super) fn lanes(arch: Arch) -> usize {
    arch.dispatch(Lanes)
}

/// Rows of the kernels there are for the detected instruction set, ascending.
pub(super) fn heights(arch: Arch) -> &'static [usize] {
    match lanes(arch) {
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
