//! Weights kept as the small integers (*codes*) a file holds, each in a byte.
//!
//! GGUF's quantised types give every 16 or 32 weights of a row (a *block*) a scale and, some of
//! them, an offset: `weight = code · scale + offset`. A product of few rows takes as long as its
//! weights take from memory, and codes are a third of what f32 would be.
//!
//! A weight is computed as `dequantize` of candle does it: one multiplication and one addition, each
//! rounded to f32. So every result is bit for bit that of weights held in f32.

// A kernel is only compiled for the detected instruction set if it is inlined into the dispatch.
#![allow(clippy::inline_always)]

use super::strips::{STRIP, Tile, pack_strips, vectors};
use candle_core::quantized::GgmlDType;
use half::f16;
use pulp::{Simd, WithSimd};

/// Codes in one word, those of rows that follow one another, lowest byte first.
///
/// Shifting words takes them apart with the few operations every instruction set has; of loops over
/// bytes the compiler makes scalar conversions.
const CODES: usize = 4;
/// What codes are raised by in a word, so that they are not negative.
const RAISED: u8 = 128;
/// 2^23: an integer below it, put into its low bits, is added to it.
const MANTISSA: f32 = 8_388_608.0;

/// What types without offsets add: it changes no sum, not even the sign of a zero.
const NO_OFFSET: f32 = -0.0;

/// The rows of a weight matrix, end to end.
pub(super) enum WeightRows {
    Floats(Vec<f32>),
    Quantized(QuantizedRows),
}

impl WeightRows {
    pub fn into_floats(self) -> Vec<f32> {
        match self {
            Self::Floats(rows) => rows,
            Self::Quantized(rows) => rows.to_floats(),
        }
    }

    /// The same rows, of `width` weights each, in another order: `reorder` gets them as floats,
    /// codes, scales and offsets in turn.
    pub fn reordered(self, width: usize, reorder: &impl RowOrder) -> Self {
        match self {
            Self::Floats(rows) => Self::Floats(reorder.apply(&rows, width)),
            Self::Quantized(rows) => Self::Quantized(QuantizedRows {
                block: rows.block,
                codes: reorder.apply(&rows.codes, width),
                scales: reorder.apply(&rows.scales, width / rows.block),
                offsets: reorder.apply(&rows.offsets, width / rows.block),
            }),
        }
    }
}

/// An order of rows, whatever they are made of.
pub(super) trait RowOrder {
    /// Rows of `width` items, end to end, in the new order.
    fn apply<T: Copy>(&self, rows: &[T], width: usize) -> Vec<T>;
}

/// Quantised rows, end to end.
pub(super) struct QuantizedRows {
    /// Weights that share a scale and an offset.
    block: usize,
    codes: Vec<i8>,
    /// One for every block.
    scales: Vec<f32>,
    /// As many as there are scales.
    offsets: Vec<f32>,
}

impl QuantizedRows {
    /// Reads a tensor's bytes; `None` for types whose weights are not a small integer by a scale, or
    /// that are too rare to be worth it.
    pub fn read(dtype: GgmlDType, data: &[u8]) -> Option<Self> {
        let (block, read): (usize, fn(&mut Self, &[u8])) = match dtype {
            GgmlDType::Q4_0 => (32, Self::push_q4_0),
            GgmlDType::Q4_1 => (32, Self::push_q4_1),
            GgmlDType::Q5_0 => (32, Self::push_q5_0),
            GgmlDType::Q5_1 => (32, Self::push_q5_1),
            GgmlDType::Q8_0 => (32, Self::push_q8_0),
            GgmlDType::Q4K => (32, Self::push_q4_k),
            GgmlDType::Q6K => (16, Self::push_q6_k),
            _ => return None,
        };
        let weights = data.len() / dtype.type_size() * dtype.block_size();
        let mut rows = Self {
            block,
            codes: Vec::with_capacity(weights),
            scales: Vec::with_capacity(weights / block),
            offsets: Vec::with_capacity(weights / block),
        };
        for bytes in data.chunks_exact(dtype.type_size()) {
            read(&mut rows, bytes);
        }
        Some(rows)
    }

    /// How many weights there are.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether rows of `width` weights are whole blocks.
    pub fn divides(&self, width: usize) -> bool {
        width.is_multiple_of(self.block)
    }

    fn to_floats(&self) -> Vec<f32> {
        let blocks = self.codes.chunks_exact(self.block);
        let blocks = blocks.zip(self.scales.iter().zip(&self.offsets));
        let weights = blocks.flat_map(|(codes, (scale, offset))| {
            codes.iter().map(move |&c| f32::from(c) * scale + offset)
        });
        weights.collect()
    }

    fn push(&mut self, scale: f32, offset: f32, code: impl Fn(usize) -> i8) {
        self.codes.extend((0..self.block).map(code));
        self.scales.push(scale);
        self.offsets.push(offset);
    }

    fn push_q4_0(&mut self, b: &[u8]) {
        self.push(half(b, 0), NO_OFFSET, |j| nibble(&b[2..], j) - 8);
    }

    fn push_q4_1(&mut self, b: &[u8]) {
        self.push(half(b, 0), half(b, 2), |j| nibble(&b[4..], j));
    }

    fn push_q5_0(&mut self, b: &[u8]) {
        let code = |j| (nibble(&b[6..], j) | fifth_bit(&b[2..6], j)) - 16;
        self.push(half(b, 0), NO_OFFSET, code);
    }

    fn push_q5_1(&mut self, b: &[u8]) {
        let code = |j| nibble(&b[8..], j) | fifth_bit(&b[4..8], j);
        self.push(half(b, 0), half(b, 2), code);
    }

    fn push_q8_0(&mut self, b: &[u8]) {
        self.push(half(b, 0), NO_OFFSET, |j| b[2 + j].cast_signed());
    }

    /// 256 weights: eight blocks with 6 bits each for scale and offset.
    fn push_q4_k(&mut self, b: &[u8]) {
        let (scale, offset, packed) = (half(b, 0), half(b, 2), &b[4..16]);
        for i in 0..8 {
            let (s, o) = if i < 4 {
                (packed[i] & 63, packed[i + 4] & 63)
            } else {
                let high = |at: usize| packed[at] >> 6 << 4;
                let low = packed[i + 4];
                (low & 15 | high(i - 4), low >> 4 | high(i))
            };
            let codes = &b[16 + i / 2 * 32..][..32];
            let code = |j: usize| (codes[j] >> (i % 2 * 4) & 15).cast_signed();
            self.push(scale * f32::from(s), -(offset * f32::from(o)), code);
        }
    }

    /// 256 weights: sixteen blocks; low nibbles, then pairs of high bits, then scales.
    fn push_q6_k(&mut self, b: &[u8]) {
        let (low, high, scales) = (&b[..128], &b[128..192], &b[192..208]);
        for (i, scale) in scales.iter().enumerate() {
            let (low, high) = (&low[i / 8 * 64..], &high[i / 8 * 32..]);
            let (quarter, first) = (i % 8 / 2, i % 2 * 16);
            let code = |j: usize| {
                let low = low[quarter % 2 * 32 + first + j] >> (quarter / 2 * 4) & 15;
                let high = high[first + j] >> (quarter * 2) & 3;
                (low | high << 4).cast_signed() - 32
            };
            let scale = half(b, 208) * f32::from(scale.cast_signed());
            self.push(scale, NO_OFFSET, code);
        }
    }
}

/// The 16-bit float at a place.
fn half(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// The `j`-th of 32 values in 16 bytes: low halves first, then high ones.
fn nibble(bytes: &[u8], j: usize) -> i8 {
    (bytes[j % 16] >> (j / 16 * 4) & 15).cast_signed()
}

/// The `j`-th of 32 bits, where the fifth bit of a value stands.
fn fifth_bit(bytes: &[u8], j: usize) -> i8 {
    (bytes[j / 8] >> (j % 8) & 1).cast_signed() << 4
}

/// Quantised weights in strips of [`STRIP`] columns, as `PackedMatrix` has them.
pub(super) struct QuantizedStrips {
    /// Weights of a column that share a scale and an offset.
    block: usize,
    /// `[strip][k / CODES][STRIP]`.
    words: Vec<u32>,
    /// `[strip][k / block][STRIP]`.
    scales: Vec<f32>,
    /// As the scales; empty where no weight has an offset.
    offsets: Vec<f32>,
}

impl QuantizedStrips {
    /// Packs parts stacked along the output, whose rows of `k` weights are whole blocks.
    pub fn pack(parts: &[&QuantizedRows], k: usize) -> Self {
        let block = parts.iter().map(|p| p.block).min().unwrap_or(1);
        let codes = parts.iter().flat_map(|p| p.codes.as_chunks().0);
        let words: Vec<u32> = codes
            .map(|c: &[i8; CODES]| u32::from_le_bytes(c.map(|c| c.cast_unsigned() ^ RAISED)))
            .collect();
        let words: Vec<&[u32]> = words.chunks_exact(k / CODES).collect();
        // Parts of larger blocks repeat theirs.
        let spread = |values: fn(&QuantizedRows) -> &[f32]| -> Vec<f32> {
            let part = |p: &&QuantizedRows| {
                let repeated = values(p)
                    .iter()
                    .flat_map(|&v| std::iter::repeat_n(v, p.block / block));
                repeated.collect::<Vec<f32>>()
            };
            parts.iter().flat_map(part).collect()
        };
        let strips = |values: &[f32]| {
            let rows: Vec<&[f32]> = values.chunks_exact(k / block).collect();
            pack_strips(&rows, k / block)
        };
        let offsets = spread(|p| &p.offsets);
        let offset_free = offsets.iter().all(|o| o.to_bits() == NO_OFFSET.to_bits());
        Self {
            block,
            words: pack_strips(&words, k / CODES),
            scales: strips(&spread(|p| &p.scales)),
            offsets: if offset_free {
                Vec::new()
            } else {
                strips(&offsets)
            },
        }
    }

    /// Writes column `j` (`k` weights).
    pub fn column(&self, j: usize, out: &mut [f32]) {
        let k = out.len();
        let (strip, column) = (j / STRIP, j % STRIP);
        for (i, o) in out.iter_mut().enumerate() {
            let at = (strip * k / self.block + i / self.block) * STRIP + column;
            let word = self.words[(strip * k + i) / CODES * STRIP + column];
            let code = (word.to_le_bytes()[i % CODES] ^ RAISED).cast_signed();
            let offset = self.offsets.get(at).copied().unwrap_or(NO_OFFSET);
            *o = f32::from(code) * self.scales[at] + offset;
        }
    }
}

/// Writes a panel's weights as floats, `[strip][k][STRIP]`.
pub(super) struct UnpackPanel<'a> {
    pub strips: &'a QuantizedStrips,
    pub k: usize,
    /// The panel's first strip.
    pub first: usize,
    pub out: &'a mut [f32],
}

impl WithSimd for UnpackPanel<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.unpack::<S, { STRIP / 16 }>(simd),
            8 => self.unpack::<S, { STRIP / 8 }>(simd),
            4 => self.unpack::<S, { STRIP / 4 }>(simd),
            _ => self.unpack::<S, STRIP>(simd),
        }
    }
}

impl UnpackPanel<'_> {
    #[inline(always)]
    fn unpack<S: Simd, const V: usize>(self, simd: S) {
        let (k, block) = (self.k, self.strips.block);
        for b in 0..k / block {
            // Strips take turns, so that all of them come from memory at once.
            for (p, out) in self.out.chunks_exact_mut(k * STRIP).enumerate() {
                let view = self.strips.strip::<S, V>(k, self.first + p);
                let BlockView {
                    words,
                    scale,
                    offset,
                } = view.block(simd, b);
                let out = &mut out[b * block * STRIP..][..block * STRIP];
                let out = S::as_mut_simd_f32s(out).0.as_chunks_mut::<V>().0;
                for (word, out) in words.iter().zip(out.as_chunks_mut::<CODES>().0) {
                    for (i, out) in out.iter_mut().enumerate() {
                        for v in 0..V {
                            out[v] = weight(simd, word[v], i, scale[v], offset[v]);
                        }
                    }
                }
            }
        }
    }
}

/// One strip in vectors.
#[derive(Clone, Copy)]
struct StripView<'a, S: Simd, const V: usize> {
    words_per_block: usize,
    words: &'a [[S::u32s; V]],
    scales: &'a [[S::f32s; V]],
    offsets: &'a [[S::f32s; V]],
}

impl QuantizedStrips {
    #[inline(always)]
    fn strip<S: Simd, const V: usize>(&self, k: usize, strip: usize) -> StripView<'_, S, V> {
        let words = &self.words[strip * (k / CODES) * STRIP..][..k / CODES * STRIP];
        let of_blocks = k / self.block * STRIP;
        let from = if self.offsets.is_empty() {
            0
        } else {
            strip * of_blocks
        };
        StripView {
            words_per_block: self.block / CODES,
            words: S::as_simd_u32s(words).0.as_chunks::<V>().0,
            scales: vectors::<S, V>(&self.scales[strip * of_blocks..][..of_blocks]),
            offsets: vectors::<S, V>(&self.offsets[from..]),
        }
    }
}

impl<'a, S: Simd, const V: usize> StripView<'a, S, V> {
    #[inline(always)]
    fn block(&self, simd: S, b: usize) -> BlockView<'a, S, V> {
        let none = [simd.splat_f32s(NO_OFFSET); V];
        BlockView {
            words: &self.words[b * self.words_per_block..][..self.words_per_block],
            scale: self.scales[b],
            offset: self.offsets.get(b).copied().unwrap_or(none),
        }
    }
}

/// One block of a strip.
struct BlockView<'a, S: Simd, const V: usize> {
    words: &'a [[S::u32s; V]],
    scale: [S::f32s; V],
    offset: [S::f32s; V],
}

/// The weight of the `i`-th code of every word.
#[inline(always)]
fn weight<S: Simd>(simd: S, word: S::u32s, i: usize, scale: S::f32s, offset: S::f32s) -> S::f32s {
    let byte = simd.wrapping_dyn_shr_u32s(word, simd.splat_u32s(8 * i as u32));
    let byte = simd.and_u32s(byte, simd.splat_u32s(0xff));
    let float = simd.or_u32s(byte, simd.splat_u32s(MANTISSA.to_bits()));
    let raised = simd.splat_f32s(MANTISSA + f32::from(RAISED));
    let code = simd.sub_f32s(simd.transmute_f32s_u32s(float), raised);
    simd.add_f32s(simd.mul_f32s(code, scale), offset)
}

/// Rows (`[k][R]`) times `P` strips from the `first`, as `strips::kernel` has it for floats.
///
/// Weights become floats in registers. Strips take turns a block at a time, so that all of them
/// come from memory at once while the sums of only one take registers.
#[inline(always)]
pub(super) fn quantized_kernel<S: Simd, const V: usize, const P: usize, const R: usize>(
    simd: S,
    a: &[f32],
    strips: &QuantizedStrips,
    first: usize,
) -> Tile<S::f32s, V, P, R> {
    let mut acc = [[[simd.splat_f32s(0.0); V]; P]; R];
    let a = a.as_chunks::<R>().0;
    let views: [StripView<S, V>; P] = std::array::from_fn(|p| strips.strip(a.len(), first + p));
    let a = a.as_chunks::<CODES>().0;
    for (b, a) in a.chunks_exact(strips.block / CODES).enumerate() {
        for p in 0..P {
            let mut sums = acc.map(|row| row[p]);
            let BlockView {
                words,
                scale,
                offset,
            } = views[p].block(simd, b);
            for (word, a) in words.iter().zip(a) {
                for (i, a) in a.iter().enumerate() {
                    for v in 0..V {
                        let weight = weight(simd, word[v], i, scale[v], offset[v]);
                        for r in 0..R {
                            sums[r][v] =
                                simd.mul_add_e_f32s(simd.splat_f32s(a[r]), weight, sums[r][v]);
                        }
                    }
                }
            }
            for r in 0..R {
                acc[r][p] = sums[r];
            }
        }
    }
    acc
}
