//! Seeded draws that depend on names, not on the order of anything.

/// A stream of numbers for one purpose and one name.
pub(super) struct NumberStream(blake3::OutputReader);

impl NumberStream {
    pub fn new(seed: u64, purpose: &str, name: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_be_bytes());
        for part in [purpose, name] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        Self(hasher.finalize_xof())
    }

    pub fn next(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    /// A number below `n`, each equally likely; `n` is not 0.
    pub fn below(&mut self, n: u64) -> u64 {
        // Above the last full multiple of n the low numbers would be likelier.
        let limit = u64::MAX - u64::MAX % n;
        loop {
            let number = self.next();
            if number < limit {
                return number % n;
            }
        }
    }

    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for index in (1..values.len()).rev() {
            let other = self.below(index as u64 + 1) as usize;
            values.swap(index, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_name() {
        let first = |seed, purpose, name| NumberStream::new(seed, purpose, name).next();
        assert_eq!(first(1, "a", "b"), first(1, "a", "b"));
        assert_ne!(first(1, "a", "b"), first(2, "a", "b"));
        assert_ne!(first(1, "ab", ""), first(1, "a", "b"));
        let mut counts = [0_u32; 6];
        let mut stream = NumberStream::new(7, "die", "");
        for _ in 0..6_000 {
            counts[stream.below(6) as usize] += 1;
        }
        assert!(
            counts.iter().all(|n| (850..1_150).contains(n)),
            "{counts:?}"
        );
        let mut values: Vec<u32> = (0..50).collect();
        stream.shuffle(&mut values);
        assert_ne!(values, (0..50).collect::<Vec<_>>());
        values.sort_unstable();
        assert_eq!(values, (0..50).collect::<Vec<_>>());
    }
}
