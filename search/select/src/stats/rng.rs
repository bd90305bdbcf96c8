//! The generator of bootstrap indices.

/// `SplitMix64` (Steele, Lea and Flood 2014): one addition and three
/// multiply-shifts a draw. A bootstrap needs hundreds of millions of small
/// indices, no secrecy, and the same stream on every platform and version.
#[derive(Debug, Clone)]
pub struct SplitMix(u64);

impl SplitMix {
    /// A stream for `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// An independent stream for one part of the work.
    pub fn fork(seed: u64, part: u64) -> Self {
        let mut parent = Self(seed ^ part.wrapping_mul(0xD1B5_4A32_D192_ED03));
        Self(parent.next_u64())
    }

    /// 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform in `0..n`, biased by at most n / 2⁶⁴; 0 when `n` is 0.
    #[inline]
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }

    /// Two indices in `0..n` from one draw, each biased by at most n / 2³².
    #[inline]
    pub(crate) fn two_below(&mut self, n: u32) -> (u32, u32) {
        let bits = self.next_u64();
        let scale = |half: u64| ((half * u64::from(n)) >> 32) as u32;
        (scale(bits & 0xFFFF_FFFF), scale(bits >> 32))
    }

    /// Fisher-Yates shuffle.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
