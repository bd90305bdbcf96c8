//! Speed of the embedded engine's matrix product on every instruction set there is here.
//!
//! `cargo bench -p shiftproof-llm --bench matmul [-- --threads N] [--rounds N]`
//!
//! Each line sets the product of weights in f32 beside the one it replaced (whole panels of 32
//! columns a tile, 3 rows with AVX2 and 12 with AVX-512), beside the product of the same weights as
//! a `Q4_1` file holds them, and beside a loop that does nothing but multiply and add. The four
//! take turns, and the fastest of all rounds counts: other load on the machine only slows. Weights
//! are those of several layers in turn, so that none waits in the second-level cache.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::inline_always,
    clippy::many_single_char_names,
    reason = "a bench prints and may fail loudly; kernels must be inlined into the dispatch"
)]

#[path = "../embedded/matmul.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
mod matmul;
#[path = "../embedded/quantized.rs"]
#[allow(dead_code, reason = "the loader uses the rest")]
mod quantized;
#[path = "../embedded/strips.rs"]
#[allow(dead_code, unused_imports, reason = "attention uses the rest")]
mod strips;

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor},
};
use matmul::PackedMatrix;
use pulp::{Arch, Simd, WithSimd, bytemuck};
use quantized::{QuantizedRows, WeightRows};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Width and output width of products: SmolLM2-135M's (queries, keys and values; gate and up;
/// down; attention's output), then those of a model of 0.5B parameters (Qwen2.5).
const SHAPES: [(usize, usize); 8] = [
    (576, 960),
    (576, 3072),
    (1536, 576),
    (576, 576),
    (896, 1152),
    (896, 9728),
    (4864, 896),
    (896, 896),
];
const ROWS: [usize; 9] = [1, 2, 3, 6, 8, 16, 32, 64, 128];
/// Bytes of weights that take turns at least.
const LAYERS_BYTES: usize = 32 << 20;

fn main() {
    let (mut threads, mut rounds) = (1, 20);
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(arg) = args.next() {
        let number = args.next().and_then(|n| n.parse().ok());
        match (arg.as_str(), number) {
            ("--threads", Some(n)) => threads = n,
            ("--rounds", Some(n)) => rounds = n,
            _ => panic!("{arg}: --threads N and --rounds N are what there is"),
        }
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    pool.install(|| {
        for (name, arch) in archs() {
            println!("{name}, {threads} threads, best of {rounds} rounds");
            println!("     width  rows   before      now  ratio  of peak     Q4_1  ratio  of peak  (GFLOP/s)");
            for (k, n) in SHAPES {
                let layers = layers(k, n);
                for m in ROWS {
                    compare(arch, &layers, [m, k, n], rounds, threads);
                }
            }
        }
    });
}

fn archs() -> Vec<(&'static str, Arch)> {
    let mut archs = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        use pulp::x86::{V3, V4};
        archs.extend(V3::try_new().map(|simd| ("AVX2", Arch::V3(simd))));
        archs.extend(V4::try_new().map(|simd| ("AVX-512", Arch::V4(simd))));
    }
    if archs.is_empty() {
        archs.push(("detected", Arch::new()));
    }
    archs
}

/// One layer's matrix in each form.
struct Layer {
    before: Before,
    now: PackedMatrix,
    quantized: PackedMatrix,
}

fn layers(k: usize, n: usize) -> Vec<Layer> {
    let w = Tensor::from_vec(numbers(n * k, 104_729), (n, k), &Device::Cpu).unwrap();
    let w = QTensor::quantize(&w, GgmlDType::Q4_1).unwrap();
    let floats = w.dequantize(&Device::Cpu).unwrap();
    let floats: Vec<f32> = floats.flatten_all().unwrap().to_vec1().unwrap();
    let data = w.data().unwrap();
    let layer = || {
        let rows = QuantizedRows::read(GgmlDType::Q4_1, &data).unwrap();
        Layer {
            before: Before::new(&floats, k),
            now: PackedMatrix::new(vec![WeightRows::Floats(floats.clone())], k),
            quantized: PackedMatrix::new(vec![WeightRows::Quantized(rows)], k),
        }
    };
    (0..LAYERS_BYTES.div_ceil(4 * n * k))
        .map(|_| layer())
        .collect()
}

fn numbers(len: usize, step: usize) -> Vec<f32> {
    (0..len)
        .map(|i| (i * step % 1000) as f32 / 1000.0 - 0.5)
        .collect()
}

fn compare(arch: Arch, layers: &[Layer], [m, k, n]: [usize; 3], rounds: usize, threads: usize) {
    let x = numbers(m * k, 7919);
    let [mut before_out, mut now_out, mut quantized_out] = [(); 3].map(|()| vec![0.0; m * n]);
    let [mut before_s, mut now_s, mut quantized_s] = [Duration::MAX; 3];
    let mut peak = 0f64;
    for layer in layers.iter().cycle().take(rounds) {
        if threads == 1 {
            before_s = before_s.min(timed(|| layer.before.apply(arch, &x, &mut before_out)));
        }
        now_s = now_s.min(timed(|| layer.now.apply(arch, &x, &mut now_out, false)));
        let quantized = timed(|| layer.quantized.apply(arch, &x, &mut quantized_out, false));
        quantized_s = quantized_s.min(quantized);
        peak = peak.max(fma_rate(arch) * threads as f64);
    }
    assert_eq!(now_out, quantized_out, "the same weights");
    let rate = |time: Duration| (2 * m * k * n) as f64 / time.as_secs_f64() / 1e9;
    let (now, quantized) = (rate(now_s), rate(quantized_s));
    let before = if threads == 1 {
        assert_eq!(now_out, before_out, "the same sums in the same order");
        let before = rate(before_s);
        format!("{before:7.1}  {now:7.1}  {:5.2}", now / before)
    } else {
        format!("      –  {now:7.1}      –")
    };
    let of_peak = |rate: f64| 100.0 * rate / peak;
    println!(
        "{k:5}×{n:4}  {m:4}  {before}  {:5.0} %  {quantized:7.1}  {:5.2}  {:5.0} %",
        of_peak(now),
        quantized / now,
        of_peak(quantized),
    );
}

fn timed(f: impl FnOnce()) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}

/// GFLOP/s of one thread that only multiplies and adds, in registers.
fn fma_rate(arch: Arch) -> f64 {
    const STEPS: usize = 100_000;
    let mut operations = 0;
    let time = timed(|| operations = black_box(arch.dispatch(Fma { steps: STEPS })));
    operations as f64 / time.as_secs_f64() / 1e9
}

struct Fma {
    steps: usize,
}

impl WithSimd for Fma {
    type Output = usize;
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        // Enough sums to hide the latency of each.
        const SUMS: usize = 12;
        let (x, y) = (
            simd.splat_f32s(black_box(0.999)),
            simd.splat_f32s(black_box(0.001)),
        );
        let mut sums = [simd.splat_f32s(0.0); SUMS];
        for _ in 0..self.steps {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, x, y);
            }
        }
        black_box(sums);
        2 * SUMS * S::F32_LANES * self.steps
    }
}

/// The product as it was: panels of 32 columns, `[panel][k][32]`, every tile as wide as a panel.
struct Before {
    k: usize,
    n: usize,
    data: Vec<f32>,
}

const PANEL: usize = 32;

impl Before {
    fn new(w: &[f32], k: usize) -> Self {
        let n = w.len() / k;
        let mut data = vec![0.0; n.next_multiple_of(PANEL) * k];
        for (j, row) in w.chunks_exact(k).enumerate() {
            let slots = data[j / PANEL * PANEL * k..].iter_mut();
            let slots = slots.skip(j % PANEL).step_by(PANEL);
            slots.zip(row).for_each(|(slot, &v)| *slot = v);
        }
        Self { k, n, data }
    }

    fn apply(&self, arch: Arch, x: &[f32], out: &mut [f32]) {
        arch.dispatch(BeforeProduct {
            product: self,
            x,
            out,
        });
    }
}

struct BeforeProduct<'a> {
    product: &'a Before,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for BeforeProduct<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 2, 12>(simd),
            8 => self.run::<S, 4, 3>(simd),
            4 => self.run::<S, 8, 2>(simd),
            _ => self.run::<S, 32, 2>(simd),
        }
    }
}

impl BeforeProduct<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize, const MOST: usize>(self, simd: S) {
        let Before { k, n, ref data } = *self.product;
        // Rows of a tile interleaved, as they were.
        let blocks: Vec<(usize, Vec<f32>)> = (self.x.chunks(MOST * k))
            .map(|rows| {
                let used = rows.len() / k;
                let heights = [1, 2, 3, 4, 6, 8].into_iter();
                let height = heights.filter(|&h| h >= used).min().unwrap_or(12).min(MOST);
                let mut block = vec![0.0; height * k];
                for (r, row) in rows.chunks_exact(k).enumerate() {
                    let slots = block.iter_mut().skip(r).step_by(height);
                    slots.zip(row).for_each(|(slot, &v)| *slot = v);
                }
                (height, block)
            })
            .collect();
        for (p, panel) in data.chunks_exact(k * PANEL).enumerate() {
            let panel = S::as_simd_f32s(panel).0.as_chunks::<V>().0;
            let mut rows = self.out.chunks_exact_mut(n);
            for (height, block) in &blocks {
                macro_rules! tile {
                    ($($rows:literal)*) => {
                        match height {
                            $($rows if $rows <= MOST => {
                                let acc = before_kernel::<S, V, $rows>(simd, block, panel);
                                for (acc, row) in acc.iter().zip(&mut rows) {
                                    let out = &mut row[p * PANEL..n.min((p + 1) * PANEL)];
                                    let acc: &[f32] = bytemuck::cast_slice(acc);
                                    out.copy_from_slice(&acc[..out.len()]);
                                }
                            })*
                            _ => unreachable!(),
                        }
                    };
                }
                tile!(1 2 3 4 6 8 12);
            }
        }
    }
}

#[inline(always)]
fn before_kernel<S: Simd, const V: usize, const R: usize>(
    simd: S,
    a: &[f32],
    panel: &[[S::f32s; V]],
) -> [[S::f32s; V]; R] {
    let mut acc = [[simd.splat_f32s(0.0); V]; R];
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
