//! Worlds with a known truth.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Bernoulli, Distribution, Normal};

use super::matrix::{ColumnKind, OutcomeMatrix};
use super::setting::{BenchSetting, GroupSplit};

/// What to plant. Effects are in logits; the first half of the groups is the
/// source, the rest the target.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticEffects {
    /// Prompts, at least 2.
    pub prompts: usize,
    /// Groups, at least 2.
    pub groups: usize,
    /// Examples per group, at least 1.
    pub examples: usize,
    /// Standard deviation of the prompts' main effects.
    pub main: f64,
    /// Standard deviation of prompt × group effects of a robust prompt.
    pub interaction: f64,
    /// Share of prompts that are fragile.
    pub fragile: f64,
    /// What fragile prompts gain everywhere.
    pub bait: f64,
    /// Standard deviation of a fragile prompt's group effects.
    pub fragility: f64,
    /// Share of positive labels on (source, target).
    pub prevalence: (f64, f64),
    /// Standard deviation of strictness: what a prompt gains on positives and
    /// loses on negatives.
    pub strictness: f64,
    /// How much harder target examples are.
    pub covariate_shift: f64,
    /// Chance that a recorded label is wrong.
    pub label_noise: f64,
    /// Chance that the judge errs on an outcome.
    pub judge_noise: f64,
    /// Seed of everything.
    pub seed: u64,
}

impl Default for SyntheticEffects {
    fn default() -> Self {
        Self {
            prompts: 24,
            groups: 16,
            examples: 150,
            main: 0.3,
            interaction: 0.15,
            fragile: 0.4,
            bait: 0.3,
            fragility: 1.2,
            prevalence: (0.5, 0.5),
            strictness: 0.0,
            covariate_shift: 0.3,
            label_noise: 0.02,
            judge_noise: 0.02,
            seed: 0,
        }
    }
}

impl SyntheticEffects {
    /// A world without any effect: every prompt is the same.
    pub fn null(seed: u64) -> Self {
        Self {
            main: 0.0,
            interaction: 0.0,
            fragile: 0.0,
            strictness: 0.0,
            seed,
            ..Self::default()
        }
    }

    /// Worlds worth telling apart, by name.
    pub fn families() -> [(&'static str, Self); 5] {
        [
            // Prompts that win on the source and break on some target groups.
            ("fragile", Self::default()),
            // Every prompt holds alike: the mean is all there is to know.
            (
                "even",
                Self {
                    fragile: 0.0,
                    ..Self::default()
                },
            ),
            // Strict and lenient prompts trade places as positives get rare.
            (
                "prevalence",
                Self {
                    fragile: 0.0,
                    strictness: 0.8,
                    prevalence: (0.7, 0.2),
                    ..Self::default()
                },
            ),
            // The target is much harder, and labels and judge err.
            (
                "noisy",
                Self {
                    covariate_shift: 1.0,
                    label_noise: 0.1,
                    judge_noise: 0.1,
                    ..Self::default()
                },
            ),
            ("null", Self::null(0)),
        ]
    }

    /// Draws the world. Outcomes carry the noise; `truth` does not. Standard
    /// deviations and chances out of range count as 0.
    pub fn draw(&self) -> OutcomeMatrix {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let (prompts, groups) = (self.prompts.max(2), self.groups.max(2));
        let examples = self.examples.max(1);
        let source = groups / 2;
        let labels = [coin(self.prevalence.0), coin(self.prevalence.1)];
        let difficulty = normal(1.0);
        let columns = groups * examples;
        let mut group_of = Vec::with_capacity(columns);
        let mut items = Vec::with_capacity(columns);
        for g in 0..groups {
            let side = usize::from(g >= source);
            for _ in 0..examples {
                let hard = difficulty.sample(&mut rng) + self.covariate_shift * side as f64;
                group_of.push(g as u32);
                items.push((labels[side].sample(&mut rng), hard));
            }
        }
        // A wrong label turns right into wrong for every prompt alike.
        let flip = coin(self.label_noise);
        let flipped: Vec<bool> = (0..columns).map(|_| flip.sample(&mut rng)).collect();
        let judge = coin(self.judge_noise);
        let mut outcomes = Vec::with_capacity(prompts * columns);
        let mut truth = Vec::with_capacity(prompts * groups);
        for p in 0..prompts {
            let fragile = (p as f64 + 0.5) / (prompts as f64) < self.fragile;
            let main = normal(self.main).sample(&mut rng) + if fragile { self.bait } else { 0.0 };
            let own = normal(if fragile {
                self.fragility
            } else {
                self.interaction
            });
            let strict = normal(self.strictness).sample(&mut rng);
            for g in 0..groups {
                let effect = main + own.sample(&mut rng);
                let mut total = 0.0;
                for e in g * examples..(g + 1) * examples {
                    let (positive, hard) = items[e];
                    let lean = if positive { strict } else { -strict };
                    let chance = 1.0 / (1.0 + (hard - 0.8 - effect - lean).exp());
                    total += chance;
                    let right = rng.random::<f64>() < chance;
                    let recorded = right ^ flipped[e] ^ judge.sample(&mut rng);
                    outcomes.push(f32::from(u8::from(recorded)));
                }
                truth.push(total / examples as f64);
            }
        }
        let label = items.iter().map(|i| u8::from(i.0).to_string()).collect();
        OutcomeMatrix {
            name: format!("planted-{}", self.seed),
            kind: ColumnKind::Example,
            prompts: (0..prompts)
                .map(|p| format!("planted prompt {p}"))
                .collect(),
            groups: (0..groups)
                .map(|g| format!("{}-{g}", if g < source { "source" } else { "target" }))
                .collect(),
            group_of,
            columns: BTreeMap::from([("label".to_owned(), label)]),
            outcomes,
            kernel: None,
            truth: Some(truth),
        }
    }

    /// The one setting of a planted matrix: planted source to planted target.
    pub fn setting(&self, index: usize) -> BenchSetting {
        let source = (0..self.groups.max(2) as u32 / 2).collect();
        BenchSetting {
            name: format!("planted-{}", self.seed),
            matrix: index,
            split: GroupSplit::Fixed(source),
        }
    }
}

fn coin(chance: f64) -> Bernoulli {
    let chance = if chance.is_finite() {
        chance.clamp(0.0, 1.0)
    } else {
        0.0
    };
    Bernoulli::new(chance).expect("a chance within 0 to 1")
}

fn normal(deviation: f64) -> Normal<f64> {
    let deviation = if deviation.is_finite() {
        deviation.max(0.0)
    } else {
        0.0
    };
    Normal::new(0.0, deviation).expect("a finite deviation of at least 0")
}
