//! What is believed of every instruction together with every set of
//! demonstrations, from the few pairs that were tried.
//!
//! An outcome y of instruction i with set d in minibatch b is a sum of independent
//! normal effects, y = m + α(i) + β(d) + γ(i, d) + δ(b) + ε: what an instruction is worth
//! with any demonstrations, what a set is worth with any instruction, what the two
//! are worth together, how hard the minibatch was, and the chance of n answers, with
//! the variance (m (1 − m) + .01) / n. The prior standard deviations are 8, 6, 4 and 4
//! points; m is the mean of all answers. The posterior is that of linear regression
//! with known variances (Bishop 2006, §3.3), reached by one update an observation.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

const INSTRUCTION: f64 = 0.08;
const DEMONSTRATIONS: f64 = 0.06;
const TOGETHER: f64 = 0.04;
const BATCH: f64 = 0.04;
/// Answers are never surely right or wrong.
const LEAST_VARIANCE: f64 = 0.01;

/// The mean outcome of a pair in one minibatch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TrialOutcome {
    /// The instruction's number.
    pub instruction: usize,
    /// The number of the set of demonstrations.
    pub shown: usize,
    /// The minibatch's number.
    pub batch: usize,
    /// The mean, in `0..=1`.
    pub value: f64,
    /// Answers it is the mean of; at least 1.
    pub answers: usize,
}

/// See the [module](self).
#[derive(Debug, Clone)]
pub(super) struct JointModel {
    instructions: usize,
    sets: usize,
    trials: Vec<TrialOutcome>,
}

impl JointModel {
    /// Nothing known yet.
    pub const fn new(instructions: usize, sets: usize) -> Self {
        Self {
            instructions,
            sets,
            trials: Vec::new(),
        }
    }

    /// Takes an outcome in.
    pub fn learn(&mut self, trial: TrialOutcome) {
        self.trials.push(trial);
    }

    /// What each pair is expected to be worth, instruction by instruction.
    pub fn means(&self) -> Vec<f64> {
        let mean = self.mean();
        let observed: Vec<f64> = self.trials.iter().map(|trial| trial.value - mean).collect();
        self.pairs(&self.posterior(&observed))
    }

    /// One draw of what the pairs may be worth, from their joint posterior: by a draw
    /// from the prior, corrected by the posterior mean of what it leaves of the
    /// observations (Matheron's rule).
    pub fn draw(&self, rng: &mut impl RngExt) -> Vec<f64> {
        let mean = self.mean();
        let mut normal = || -> f64 { StandardNormal.sample(rng) };
        let mut effects: Vec<f64> = self.priors().into_iter().map(|sd| sd * normal()).collect();
        let left: Vec<f64> = self
            .trials
            .iter()
            .map(|trial| {
                let expected: f64 = self.at(trial).iter().map(|&at| effects[at]).sum();
                let chance = self.variance(trial).sqrt() * normal();
                trial.value - mean - expected - chance
            })
            .collect();
        for (effect, correction) in effects.iter_mut().zip(self.posterior(&left)) {
            *effect += correction;
        }
        self.pairs(&effects)
    }

    /// The mean of all answers; ½ without any.
    fn mean(&self) -> f64 {
        let answers: usize = self.trials.iter().map(|trial| trial.answers).sum();
        let sum: f64 = self
            .trials
            .iter()
            .map(|trial| trial.value * trial.answers as f64)
            .sum();
        if answers == 0 {
            0.5
        } else {
            sum / answers as f64
        }
    }

    fn variance(&self, trial: &TrialOutcome) -> f64 {
        let mean = self.mean();
        (mean * (1.0 - mean) + LEAST_VARIANCE) / trial.answers.max(1) as f64
    }

    fn batches(&self) -> usize {
        let batches = self.trials.iter().map(|trial| trial.batch + 1);
        batches.max().unwrap_or(0)
    }

    /// Prior standard deviations of all effects: instructions, sets, pairs,
    /// minibatches.
    fn priors(&self) -> Vec<f64> {
        let pairs = self.instructions * self.sets;
        [
            (INSTRUCTION, self.instructions),
            (DEMONSTRATIONS, self.sets),
            (TOGETHER, pairs),
            (BATCH, self.batches()),
        ]
        .into_iter()
        .flat_map(|(sd, count)| std::iter::repeat_n(sd, count))
        .collect()
    }

    /// The effects that an observation is the sum of.
    fn at(&self, trial: &TrialOutcome) -> [usize; 4] {
        let pairs = self.instructions + self.sets;
        [
            trial.instruction,
            self.instructions + trial.shown,
            pairs + trial.instruction * self.sets + trial.shown,
            pairs + self.instructions * self.sets + trial.batch,
        ]
    }

    /// The posterior means of all effects, had the trials come out so above the mean.
    fn posterior(&self, observed: &[f64]) -> Vec<f64> {
        let priors = self.priors();
        let size = priors.len();
        let mut means = vec![0.0; size];
        let mut covariance = vec![0.0; size * size];
        for (at, sd) in priors.iter().enumerate() {
            covariance[at * size + at] = sd * sd;
        }
        for (trial, &value) in self.trials.iter().zip(observed) {
            let at = self.at(trial);
            let with: Vec<f64> = (0..size)
                .map(|row| {
                    at.iter()
                        .map(|&column| covariance[row * size + column])
                        .sum()
                })
                .collect();
            let own: f64 = at.iter().map(|&row| with[row]).sum();
            let expected: f64 = at.iter().map(|&row| means[row]).sum();
            let total = own + self.variance(trial);
            for row in 0..size {
                let gain = with[row] / total;
                means[row] += gain * (value - expected);
                for column in 0..size {
                    covariance[row * size + column] -= gain * with[column];
                }
            }
        }
        means
    }

    /// What the pairs are worth under these effects.
    fn pairs(&self, effects: &[f64]) -> Vec<f64> {
        let mean = self.mean();
        let (instructions, rest) = effects.split_at(self.instructions);
        let (sets, together) = rest.split_at(self.sets);
        let pair =
            |at: usize| mean + instructions[at / self.sets] + sets[at % self.sets] + together[at];
        (0..self.instructions * self.sets).map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds;

    fn trial(instruction: usize, shown: usize, batch: usize, value: f64) -> TrialOutcome {
        TrialOutcome {
            instruction,
            shown,
            batch,
            value,
            answers: 25,
        }
    }

    #[test]
    fn one_observation_has_known_posterior() {
        let mut model = JointModel::new(2, 2);
        model.learn(trial(0, 0, 0, 0.8));
        model.learn(trial(1, 1, 0, 0.6));
        // Two pairs that share nothing but their minibatch: differences of .2 shrink
        // by V / (V + noise) with V = .08² + .06² + .04².
        let own = 0.0064 + 0.0036 + 0.0016;
        let noise = (0.7 * 0.3 + 0.01) / 25.0;
        let means = model.means();
        let expected = 0.1 * own / (own + noise);
        assert!((means[0] - 0.7 - expected).abs() < 1e-9, "{means:?}");
        assert!((means[3] - 0.7 + expected).abs() < 1e-9, "{means:?}");
        // The untried pairs have one good half each.
        let mixed = 0.1 * (0.0064 - 0.0036) / (own + noise);
        assert!((means[1] - 0.7 - mixed).abs() < 1e-9, "{means:?}");
        assert_eq!(JointModel::new(1, 2).means(), [0.5, 0.5]);
    }

    #[test]
    fn hard_minibatch_is_no_fault() {
        let mut model = JointModel::new(2, 1);
        for _ in 0..4 {
            model.learn(trial(0, 0, 0, 0.5));
            model.learn(trial(1, 0, 1, 0.9));
        }
        let apart = model.means()[1] - model.means()[0];
        for batch in 2..10 {
            model.learn(trial(0, 0, batch, 0.7));
            model.learn(trial(1, 0, batch, 0.7));
        }
        let paired = model.means()[1] - model.means()[0];
        assert!(apart > 0.1 && paired < apart / 2.0, "{apart} {paired}");
    }

    #[test]
    fn draws_follow_posterior() {
        let mut model = JointModel::new(3, 2);
        for (instruction, shown, value) in [(0, 0, 0.9), (1, 1, 0.5), (0, 1, 0.8)] {
            model.learn(trial(instruction, shown, 0, value));
        }
        let means = model.means();
        let mut rng = seeds::stream(4, "draws");
        let draws: Vec<Vec<f64>> = (0..4000).map(|_| model.draw(&mut rng)).collect();
        let spread = |at: usize| {
            let mean: f64 = draws.iter().map(|d| d[at]).sum::<f64>() / 4000.0;
            let variance: f64 = draws.iter().map(|d| (d[at] - mean).powi(2)).sum::<f64>() / 4000.0;
            (mean, variance.sqrt())
        };
        for (at, &expected) in means.iter().enumerate() {
            let (mean, _) = spread(at);
            assert!((mean - expected).abs() < 0.006, "{at}: {mean} {expected}");
        }
        // What was not tried is the least known.
        assert!(
            spread(5).1 > spread(0).1 * 1.2,
            "{:?} {:?}",
            spread(5),
            spread(0)
        );
    }
}
