//! The matrix product and attention against plain loops, on every instruction set there is here.

#![allow(
    clippy::many_single_char_names,
    reason = "a product is of m × k and k × n"
)]

use super::archs;
use crate::embedded::{
    attention::{AttentionQuery, AttentionView, LayerKv, attend},
    matmul::PackedMatrix,
    quantized::{QuantizedRows, WeightRows},
    strips::{covering, heights, tallest},
    weights::ModelConfig,
};
use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor},
};
use proptest::prelude::*;
use pulp::Arch;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn values(rng: &mut ChaCha8Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// One sum per element from the first `k` to the last, fused where `arch` fuses.
fn plain_product(arch: Arch, x: &[f32], w: &[f32], k: usize) -> Vec<f32> {
    let fused = !matches!(arch, Arch::Scalar);
    let step = |sum: f32, (&x, &w): (&f32, &f32)| {
        if fused {
            x.mul_add(w, sum)
        } else {
            x * w + sum
        }
    };
    let rows = x.chunks_exact(k);
    rows.flat_map(|x| {
        w.chunks_exact(k)
            .map(move |w| x.iter().zip(w).fold(0.0, step))
    })
    .collect()
}

fn packed(parts: &[&[f32]], k: usize) -> PackedMatrix {
    let parts = parts.iter().map(|p| WeightRows::Floats(p.to_vec()));
    PackedMatrix::new(parts.collect(), k)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn check_product(m: usize, k: usize, n: usize, seed: u64) {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let (x, w, before) = (values(rng, m * k), values(rng, n * k), values(rng, m * n));
    // Stacked parts are one matrix.
    let (top, bottom) = w.split_at(n / 3 * k);
    let packed = packed(&[top, bottom], k);
    for arch in archs() {
        let product = plain_product(arch, &x, &w, k);
        let mut out = before.clone();
        packed.apply(arch, &x, &mut out, false);
        assert_eq!(bits(&out), bits(&product), "{arch:?} {m}×{k}×{n}");
        let sums: Vec<f32> = before.iter().zip(&product).map(|(a, b)| a + b).collect();
        out.copy_from_slice(&before);
        packed.apply(arch, &x, &mut out, true);
        assert_eq!(bits(&out), bits(&sums), "{arch:?} {m}×{k}×{n}, added");
    }
}

proptest! {
    #[test]
    fn product_is_plain_sum_exactly(
        m in 1usize..40, k in 1usize..80, n in 1usize..120, seed: u64,
    ) {
        check_product(m, k, n, seed);
    }

    #[test]
    fn columns_match_packed_rows(k in 1usize..20, n in 1usize..80, seed: u64) {
        let w = values(&mut ChaCha8Rng::seed_from_u64(seed), n * k);
        let packed = packed(&[&w], k);
        for (j, row) in w.chunks_exact(k).enumerate() {
            let mut column = vec![0.0; k];
            packed.column(j, &mut column);
            prop_assert_eq!(column, row);
        }
    }

    #[test]
    fn attention_is_plain_mean(
        heads in (1usize..4, 1usize..8), head_dim in 1usize..70,
        lens in (0usize..70, 0usize..40, 1usize..9), seed: u64,
    ) {
        check_attention(heads, head_dim, lens, seed);
    }
}

/// Rows of a type as a file has them, and their weights in f32 as candle reads them.
fn quantized(dtype: GgmlDType, w: &[f32], k: usize) -> (QuantizedRows, Vec<f32>) {
    let tensor = Tensor::from_slice(w, (w.len() / k, k), &Device::Cpu).expect("a matrix");
    let tensor = QTensor::quantize(&tensor, dtype).expect("whole blocks");
    let floats = tensor.dequantize(&Device::Cpu).expect("f32 weights");
    let floats = floats.flatten_all().and_then(|t| t.to_vec1());
    let data = tensor.data().expect("bytes in memory");
    let rows = QuantizedRows::read(dtype, &data).expect("a type that stays quantised");
    (rows, floats.expect("f32 weights"))
}

/// A product and a column of weights that stay quantised, against the same weights as floats.
fn check_quantized(dtypes: &[GgmlDType], m: usize, k: usize, n: usize) {
    let rng = &mut ChaCha8Rng::seed_from_u64((m * k * n) as u64);
    let (mut parts, mut floats) = (Vec::new(), Vec::new());
    for &dtype in dtypes {
        // A mean apart from zero, so that offsets matter.
        let w: Vec<f32> = values(rng, n * k).iter().map(|w| w + 0.3).collect();
        let (rows, weights) = quantized(dtype, &w, k);
        parts.push(WeightRows::Quantized(rows));
        floats.extend(weights);
    }
    let n = n * dtypes.len();
    let matrix = PackedMatrix::new(parts, k);
    assert_eq!((matrix.k, matrix.n), (k, n));
    let mut column = vec![0.0; k];
    for (j, row) in floats.chunks_exact(k).enumerate() {
        matrix.column(j, &mut column);
        assert_eq!(bits(&column), bits(row), "{dtypes:?}, column {j}");
    }
    let (x, before) = (values(rng, m * k), values(rng, m * n));
    for arch in archs() {
        let product = plain_product(arch, &x, &floats, k);
        let mut out = before.clone();
        matrix.apply(arch, &x, &mut out, false);
        assert_eq!(
            bits(&out),
            bits(&product),
            "{arch:?} {dtypes:?} {m}×{k}×{n}"
        );
        let sums: Vec<f32> = before.iter().zip(&product).map(|(a, b)| a + b).collect();
        out.copy_from_slice(&before);
        matrix.apply(arch, &x, &mut out, true);
        assert_eq!(
            bits(&out),
            bits(&sums),
            "{arch:?} {dtypes:?} {m}×{k}×{n}, added"
        );
    }
}

#[test]
fn quantized_weights_change_no_bit() {
    use GgmlDType::{Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q6K, Q8_0};
    for dtype in [Q4_0, Q4_1, Q5_0, Q5_1, Q8_0] {
        // Pieces of weights that do not fill the buffer; every number of rows with one tile or two.
        for m in (1..=16).chain([31, 70]) {
            check_quantized(&[dtype], m, [32, 160, 288][m % 3], [1, 33, 48][m % 3]);
        }
    }
    for dtype in [Q4K, Q6K] {
        for m in [1, 2, 5, 15, 40] {
            check_quantized(&[dtype], m, [256, 512][m % 2], 33);
        }
    }
    // Fused projections mix types: with offsets and without, blocks of 32 and of 16.
    check_quantized(&[Q5_0, Q8_0], 3, 96, 17);
    check_quantized(&[Q4_0, Q4_1], 3, 96, 17);
    check_quantized(&[Q4K, Q6K, Q8_0], 7, 256, 21);
}

#[test]
fn quantized_parts_join_floats() {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let (w, x) = (values(rng, 20 * 64), values(rng, 64));
    let (rows, mut floats) = quantized(GgmlDType::Q8_0, &w, 64);
    let more = values(rng, 5 * 64);
    floats.extend_from_slice(&more);
    let parts = vec![WeightRows::Quantized(rows), WeightRows::Floats(more)];
    let matrix = PackedMatrix::new(parts, 64);
    let mut out = vec![0.0; 25];
    matrix.apply(Arch::Scalar, &x, &mut out, false);
    assert_eq!(
        bits(&out),
        bits(&plain_product(Arch::Scalar, &x, &floats, 64))
    );
}

/// Every number of rows up to three of the tallest tiles, and enough that blocks are packed by
/// several threads; one column more and one fewer than whole strips.
#[test]
fn every_row_count_has_tiles() {
    for m in (1..=43).chain([64, 65, 97]) {
        check_product(m, 33, [31, 33, 48, 97][m % 4], m as u64);
    }
}

#[test]
fn threads_change_no_product() {
    check_product(7, 300, 700, 1);
    check_product(70, 129, 130, 2);
}

#[test]
fn no_rows_are_no_product() {
    let packed = packed(&[&[1.0, 2.0]], 2);
    packed.apply(Arch::new(), &[], &mut [], false);
}

#[test]
fn tile_covers_given_rows() {
    for arch in archs() {
        let heights = heights(arch);
        assert!(heights.is_sorted() && heights[0] == 1, "{heights:?}");
        for used in 1..=tallest(heights) {
            let height = covering(heights, used);
            assert!(heights.contains(&height) && height >= used);
        }
    }
}

fn config(heads: usize, kv_heads: usize, head_dim: usize) -> ModelConfig {
    ModelConfig {
        layers: 1,
        hidden: heads * head_dim,
        inner: 1,
        heads,
        kv_heads,
        head_dim,
        vocab: 1,
        context: 1,
        eps: 1e-5,
        frequencies: Vec::new(),
    }
}

/// A stored stretch of which a part is seen, earlier tokens of the span, and its new ones.
fn check_attention(
    (kv_heads, group): (usize, usize),
    d: usize,
    (stored, before, new): (usize, usize, usize),
    seed: u64,
) {
    let c = config(kv_heads * group, kv_heads, d);
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let (q_width, kv_width) = (c.heads * d, kv_heads * d);
    let stretch = |rng: &mut ChaCha8Rng, tokens: usize| {
        let mut kv = LayerKv::new(&c);
        let rows: Vec<_> = (0..tokens)
            .map(|_| (values(rng, kv_width), values(rng, kv_width)))
            .collect();
        for (k, v) in &rows {
            kv.push(k, v, d);
        }
        (kv, rows)
    };
    let ((past, mut tokens), (own, own_tokens)) =
        (stretch(rng, stored), stretch(rng, before + new));
    let seen_of_past = stored - stored / 3;
    tokens.truncate(seen_of_past);
    tokens.extend(own_tokens);
    let views = [AttentionView {
        past: vec![(&past, seen_of_past)],
        own: &own,
        own_before: before,
    }];
    let qkv = values(rng, new * (q_width + 2 * kv_width));
    let queries: Vec<AttentionQuery> = (0..new)
        .map(|index| AttentionQuery {
            row: index,
            span: 0,
            index,
        })
        .collect();
    let mut fused: Option<Vec<f32>> = None;
    for arch in archs() {
        let mut out = vec![f32::NAN; new * q_width];
        attend(arch, &c, &qkv, &views, &queries, &mut out);
        for (i, got) in out.iter().enumerate() {
            let (index, head, dim) = (i / q_width, i % q_width / d, i % d);
            let at = index * (q_width + 2 * kv_width) + head * d;
            let seen = &tokens[..=seen_of_past + before + index];
            let want = plain_mean(&qkv[at..][..d], seen, head / group * d, dim);
            assert!(
                (f64::from(*got) - want).abs() < 1e-4,
                "{arch:?}: {got} instead of {want}"
            );
        }
        if !matches!(arch, Arch::Scalar) {
            let first = fused.get_or_insert_with(|| out.clone());
            assert_eq!(bits(&out), bits(first), "{arch:?}");
        }
    }
}

/// One dimension of softmax(q · k) · v, in f64.
fn plain_mean(q: &[f32], seen: &[(Vec<f32>, Vec<f32>)], at: usize, dim: usize) -> f64 {
    let weight = |(k, _): &(Vec<f32>, Vec<f32>)| {
        let products = q
            .iter()
            .zip(&k[at..])
            .map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum::<f64>().exp()
    };
    let total: f64 = seen.iter().map(weight).sum();
    let sum: f64 = seen
        .iter()
        .map(|t| weight(t) * f64::from(t.1[at + dim]))
        .sum();
    sum / total
}
