//! Independent random streams by name.
//!
//! Every decision draws from a stream of its own, derived from the run's seed
//! and a name, so that adding a draw in one phase shifts no other.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The stream called `name` under `seed`.
pub fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(*digest(seed, name).as_bytes())
}

/// One number called `name` under `seed`, for seeds handed to others.
pub fn number(seed: u64, name: &str) -> u64 {
    let digest = digest(seed, name);
    u64::from_be_bytes(
        digest.as_bytes()[..8]
            .try_into()
            .expect("a digest has 32 bytes"),
    )
}

fn digest(seed: u64, name: &str) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_be_bytes());
    hasher.update(name.as_bytes());
    hasher.finalize()
}
