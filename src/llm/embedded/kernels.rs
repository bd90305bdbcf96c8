//! Row-wise vector operations, compiled for the detected instruction set by [`pulp`].

// A kernel is only compiled for the detected instruction set if it is inlined into the dispatch.
#![allow(clippy::inline_always)]

use pulp::Arch;

/// Partial sums kept apart so that a reduction runs in vector registers. The order of summation
/// depends on the length alone, hence results do not depend on how rows were batched.
const LANES: usize = 32;

#[inline(always)]
fn fold(x: &[f32], init: f32, f: impl Fn(f32, f32) -> f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut acc = [init; LANES];
    let (chunks, tail) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (a, &v) in acc.iter_mut().zip(chunk) {
            *a = f(*a, v);
        }
    }
    for (a, &v) in acc.iter_mut().zip(tail) {
        *a = f(*a, v);
    }
    acc.into_iter().fold(init, join)
}

#[inline(always)]
fn add(a: f32, b: f32) -> f32 {
    a + b
}

#[inline(always)]
fn greater(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// `out = x / rms(x) * weight` (Zhang & Sennrich 2019), one row.
pub(super) fn rms_norm(arch: Arch, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    arch.dispatch(
        #[inline(always)]
        || {
            let squares = fold(x, 0.0, |a, v| a + v * v, add);
            let scale = 1.0 / (squares / x.len() as f32 + eps).sqrt();
            for ((o, &v), &w) in out.iter_mut().zip(x).zip(weight) {
                *o = v * scale * w;
            }
        },
    );
}

/// `e^x` for `x ≤ 0` within 2 units in the last place; 0 below -87.
///
/// Cody-Waite reduction by ln 2 and a degree-6 polynomial; the libm function cannot be vectorised.
#[inline(always)]
fn exp_non_positive(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    /// Adding and subtracting 1.5·2^23 rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    let clamped = greater(x, -87.0);
    let shifted = clamped * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let rest = clamped - n * LN2_HIGH - n * LN2_LOW;
    let mut y = 1.0 / 720.0;
    for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        y = y * rest + coefficient;
    }
    // The low bits of `shifted` count n in [-126, 0], so the biased exponent is in range.
    let exponent = shifted
        .to_bits()
        .wrapping_sub(ROUND.to_bits())
        .wrapping_add(127);
    y *= f32::from_bits(exponent << 23);
    if x < -87.0 { 0.0 } else { y }
}

/// Softmax in place; an empty or all `-inf` row is left as it is.
#[inline(always)]
pub(super) fn softmax_inline(row: &mut [f32]) {
    let max = fold(row, f32::NEG_INFINITY, greater, greater);
    if max == f32::NEG_INFINITY {
        return;
    }
    for v in row.iter_mut() {
        *v = exp_non_positive(*v - max);
    }
    let inverse = 1.0 / fold(row, 0.0, add, add);
    for v in row.iter_mut() {
        *v *= inverse;
    }
}

/// `ln Σ e^x` over one row of logits; NaN if any logit is NaN.
pub(super) fn log_sum_exp(arch: Arch, row: &[f32]) -> f64 {
    arch.dispatch(
        #[inline(always)]
        || {
            let max = fold(row, f32::NEG_INFINITY, greater, greater);
            let mut sum = 0.0;
            // Chunks summed in f64 keep the error below 1e-6 for any vocabulary.
            for chunk in row.chunks(1024) {
                sum += f64::from(fold(chunk, 0.0, |a, v| a + exp_non_positive(v - max), add));
            }
            f64::from(max) + sum.ln()
        },
    )
}

/// Whether any value is NaN.
pub(super) fn any_nan(arch: Arch, row: &[f32]) -> bool {
    arch.dispatch(
        #[inline(always)]
        || fold(row, 0.0, |a, v| if v.is_nan() { 1.0 } else { a }, add) > 0.0,
    )
}

/// `out = silu(gate) * up` (Shazeer 2020, `SwiGLU`), one row.
pub(super) fn silu_mul(arch: Arch, gate: &[f32], up: &[f32], out: &mut [f32]) {
    arch.dispatch(
        #[inline(always)]
        || {
            for ((o, &g), &u) in out.iter_mut().zip(gate).zip(up) {
                // sigmoid(g) from e^-|g|, which cannot overflow.
                let e = exp_non_positive(-g.abs());
                let s = if g >= 0.0 { 1.0 } else { e } / (1.0 + e);
                *o = g * s * u;
            }
        },
    );
}

/// Rotates the first `2 * cos.len()` entries of one head, pairing `i` with `i + cos.len()`
/// (Su et al. 2021), and scales the whole head.
pub(super) fn rope(arch: Arch, head: &mut [f32], cos: &[f32], sin: &[f32], scale: f32) {
    arch.dispatch(
        #[inline(always)]
        || {
            let (rotated, rest) = head.split_at_mut(2 * cos.len());
            let (a, b) = rotated.split_at_mut(cos.len());
            for (((a, b), &c), &s) in a.iter_mut().zip(b).zip(cos).zip(sin) {
                let (x, y) = (*a, *b);
                *a = (x * c - y * s) * scale;
                *b = (x * s + y * c) * scale;
            }
            for v in rest {
                *v *= scale;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_libm() {
        let mut worst = 0f64;
        for i in 0..=870_000 {
            let x = -(i as f32) / 10_000.0;
            let want = f64::from(x).exp();
            worst = worst.max((f64::from(exp_non_positive(x)) - want).abs() / want);
        }
        assert!(worst < 3e-7, "relative error {worst:e}");
        assert_eq!(exp_non_positive(0.0), 1.0);
        assert_eq!(exp_non_positive(-1e4), 0.0);
        assert_eq!(exp_non_positive(f32::NEG_INFINITY), 0.0);
        assert!(exp_non_positive(f32::NAN).is_nan());
    }

    #[test]
    fn log_sum_exp_is_exact() {
        let arch = Arch::new();
        let got = log_sum_exp(arch, &vec![3.0; 49_152]);
        assert!((got - (3.0 + 49_152f64.ln())).abs() < 1e-6, "{got}");
        assert!(any_nan(arch, &[1.0, f32::NAN]));
        assert!(!any_nan(arch, &[1.0, f32::NEG_INFINITY]));
    }

    #[test]
    fn softmax_sums_to_one() {
        let mut row: Vec<f32> = (0..77).map(|i| (i as f32).sin() * 9.0).collect();
        softmax_inline(&mut row);
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn silu_matches_its_definition() {
        let gate: Vec<f32> = (-50..50).map(|i| i as f32 * 2.0).collect();
        let mut out = vec![0.0; gate.len()];
        silu_mul(Arch::new(), &gate, &vec![2.0; gate.len()], &mut out);
        for (g, o) in gate.iter().zip(&out) {
            let want = 2.0 * g / (1.0 + (-g).exp());
            assert!(
                (o - want).abs() <= 1e-5 * want.abs().max(1e-3),
                "{g}: {o} {want}"
            );
        }
    }
}
