//! Drawing the next token.

use super::EngineError;
use rand_chacha::{ChaCha8Rng, rand_core::Rng};

/// How new tokens are drawn and when to stop.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenSampling {
    /// Softmax temperature; 0 takes the likeliest token.
    pub temperature: f64,
    /// Keep the fewest likeliest tokens whose probability reaches this; 1 keeps all.
    pub top_p: f64,
    /// Keep this many likeliest tokens; 0 keeps all.
    pub top_k: usize,
    /// Most tokens to generate.
    pub max_tokens: usize,
    /// Texts that end the answer; they are not part of it.
    pub stop: Vec<String>,
}

impl Default for TokenSampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            max_tokens: 128,
            stop: Vec::new(),
        }
    }
}

impl TokenSampling {
    pub(super) fn check(&self) -> Result<(), EngineError> {
        if !self.temperature.is_finite() || self.temperature < 0.0 {
            return Err(EngineError::Request(format!(
                "temperature {} is not a finite number of at least 0",
                self.temperature
            )));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(EngineError::Request(format!(
                "top_p {} is not in (0, 1]",
                self.top_p
            )));
        }
        if self.stop.iter().any(String::is_empty) {
            return Err(EngineError::Request("a stop text is empty".into()));
        }
        Ok(())
    }

    /// Draws a token; one random number per call unless greedy. Ties go to the lower id.
    pub(super) fn draw(&self, logits: &[f32], rng: &mut ChaCha8Rng) -> u32 {
        let order = |&a: &u32, &b: &u32| {
            logits[b as usize]
                .total_cmp(&logits[a as usize])
                .then(a.cmp(&b))
        };
        let mut ids: Vec<u32> = (0..).take(logits.len()).collect();
        let best = ids.iter().copied().min_by(order).unwrap_or(0);
        if self.temperature == 0.0 {
            return best;
        }
        let max = f64::from(logits[best as usize]);
        let weight = |id: u32| ((f64::from(logits[id as usize]) - max) / self.temperature).exp();
        if self.top_k > 0 && self.top_k < ids.len() {
            ids.select_nth_unstable_by(self.top_k - 1, order);
            ids.truncate(self.top_k);
        }
        let total: f64 = ids.iter().map(|&id| weight(id)).sum();
        if self.top_p < 1.0 {
            // The nucleus is small as a rule: look at ever longer heads instead of sorting all.
            let mut head = 64;
            loop {
                let n = head.min(ids.len());
                if n < ids.len() {
                    ids.select_nth_unstable_by(n - 1, order);
                }
                ids[..n].sort_unstable_by(order);
                let mut sum = 0.0;
                let reached = ids[..n].iter().position(|&id| {
                    sum += weight(id);
                    sum >= self.top_p * total
                });
                match reached {
                    Some(last) => ids.truncate(last + 1),
                    None if n < ids.len() => {
                        head *= 8;
                        continue;
                    }
                    None => {}
                }
                break;
            }
        } else {
            ids.sort_unstable();
        }
        // 53 random bits make a uniform number in [0, 1).
        let uniform = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let mut left = uniform * ids.iter().map(|&id| weight(id)).sum::<f64>();
        for &id in &ids {
            left -= weight(id);
            if left < 0.0 {
                return id;
            }
        }
        // Rounding may leave a sliver; the last token with any weight takes it.
        ids.iter()
            .rev()
            .copied()
            .find(|&id| weight(id) > 0.0)
            .unwrap_or(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    /// Shares of each token over many draws.
    fn shares(logits: &[f32], sampling: &TokenSampling) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut counts = vec![0.0; logits.len()];
        for _ in 0..20_000 {
            counts[sampling.draw(logits, &mut rng) as usize] += 1.0 / 20_000.0;
        }
        counts
    }

    #[test]
    fn draws_follow_softmax() {
        let logits = [0.7f32, 0.1, 0.2].map(f32::ln);
        let hot = TokenSampling {
            temperature: 1.0,
            ..TokenSampling::default()
        };
        let close = |got: Vec<f64>, want: [f64; 3]| {
            // Four standard errors of a share over 20,000 draws stay below 0.015.
            assert!(
                got.iter().zip(want).all(|(g, w)| (g - w).abs() < 0.015),
                "{got:?} instead of {want:?}"
            );
        };
        close(shares(&logits, &hot), [0.7, 0.1, 0.2]);
        close(
            shares(
                &logits,
                &TokenSampling {
                    top_k: 2,
                    ..hot.clone()
                },
            ),
            [0.7 / 0.9, 0.0, 0.2 / 0.9],
        );
        close(
            shares(
                &logits,
                &TokenSampling {
                    top_p: 0.8,
                    ..hot.clone()
                },
            ),
            [0.7 / 0.9, 0.0, 0.2 / 0.9],
        );
        close(
            shares(
                &logits,
                &TokenSampling {
                    top_p: 0.5,
                    ..hot.clone()
                },
            ),
            [1.0, 0.0, 0.0],
        );
        let squared = [0.49, 0.01, 0.04].map(|p| p / 0.54);
        close(
            shares(
                &logits,
                &TokenSampling {
                    temperature: 0.5,
                    ..hot
                },
            ),
            squared,
        );
    }

    #[test]
    fn greedy_takes_lowest_of_equals() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(TokenSampling::default().draw(&[1.0, 3.0, 3.0], &mut rng), 1);
    }

    #[test]
    fn wide_nucleus_is_found() {
        let flat = TokenSampling {
            temperature: 1.0,
            top_p: 0.5,
            ..TokenSampling::default()
        };
        let shares = shares(&[0.0; 1000], &flat);
        // Equal logits tie by id, so the nucleus is the first half, give or take a rounding.
        assert!(shares[..490].iter().filter(|&&s| s > 0.0).count() > 480);
        assert!(shares[502..].iter().all(|&s| s == 0.0));
    }
}
