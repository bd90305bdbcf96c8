//! Ours: halving on the posterior of a hierarchical model.

use super::stream::{Stream, block};
use super::{Drop, Estimates, Likeness, Pick, Problem, Scores, Spending, Step, ranked};
use crate::stats::rng::SplitMix;

/// Posterior halving.
#[derive(Debug)]
pub struct Posterior {
    rng: SplitMix,
    tune: Tune,
    state: Option<State>,
}

/// Knobs.
#[derive(Debug, Clone, Copy)]
pub struct Tune {
    /// evaluations behind each entrant at least.
    pub per_entrant: f64,
    /// price of interaction std.
    pub price: f64,
    /// prior degrees of freedom of the spread.
    pub prior: f64,
    /// optimism.
    pub optimism: f64,
    /// use text.
    pub text: bool,
    /// share of candidates kept each round.
    pub keep: f64,
}

impl Default for Tune {
    fn default() -> Self {
        Self { per_entrant: 2.0, price: 0.5, prior: 10.0, optimism: 0.5, text: true, keep: 0.5 }
    }
}

#[derive(Debug)]
struct State {
    stream: Stream,
    basis: Option<Basis>,
    alive: Vec<usize>,
    out: Vec<usize>,
    rounds_left: usize,
}

impl Posterior {
    /// A rule with its seed.
    pub fn new(seed: u64) -> Self {
        Self { rng: SplitMix::new(seed), tune: Tune::default(), state: None }
    }

    /// Tuned.
    pub fn tuned(seed: u64, tune: Tune) -> Self {
        Self { rng: SplitMix::new(seed), tune, state: None }
    }
}

/// Low-rank factor of a likeness: K ≈ L Lᵀ + diag(rest).
#[derive(Debug, Clone)]
struct Basis {
    rank: usize,
    factor: Vec<f64>,
    rest: Vec<f64>,
}

const RANK: usize = 32;

impl Basis {
    /// Pivoted Cholesky.
    fn new(likeness: &Likeness) -> Self {
        let n = likeness.size();
        let rank = RANK.min(n - 1);
        let mut factor = vec![0.0; n * rank];
        let mut rest: Vec<f64> = (0..n).map(|i| likeness.get(i, i)).collect();
        for column in 0..rank {
            let pivot = (0..n).max_by(|&a, &b| rest[a].total_cmp(&rest[b])).unwrap_or(0);
            if rest[pivot] < 1e-9 {
                break;
            }
            let scale = rest[pivot].sqrt();
            let row: Vec<f64> = factor[pivot * rank..pivot * rank + column].to_vec();
            for i in 0..n {
                let own = &factor[i * rank..i * rank + column];
                let known: f64 = own.iter().zip(&row).map(|(a, b)| a * b).sum();
                let value = (likeness.get(i, pivot) - known) / scale;
                factor[i * rank + column] = value;
                rest[i] = (rest[i] - value * value).max(0.0);
            }
        }
        Self { rank, factor, rest }
    }
}

/// Posterior of the main effects.
#[derive(Debug, Clone)]
struct Belief {
    mean: Vec<f64>,
    variance: Vec<f64>,
}

const SHARES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 0.95];
const SPREADS: [f64; 6] = [0.0005, 0.0015, 0.005, 0.015, 0.04, 0.1];

fn believe(effects: &[(f64, f64)], basis: Option<&Basis>) -> Belief {
    let n = effects.len();
    let mut fits: Vec<(f64, Belief)> = Vec::new();
    for &spread in &SPREADS {
        // Log-normal prior of the spread of prompts: 0.1 give or take a factor 3.
        let prior = -0.5 * ((spread / 0.01_f64).ln() / 2.0).powi(2);
        for &share in if basis.is_some() { &SHARES[..] } else { &SHARES[..1] } {
            let (evidence, belief) = regress(effects, basis, spread, share);
            fits.push((evidence + prior, belief));
        }
    }
    let best = fits.iter().map(|f| f.0).fold(f64::NEG_INFINITY, f64::max);
    let mut belief = Belief { mean: vec![0.0; n], variance: vec![0.0; n] };
    let total: f64 = fits.iter().map(|f| (f.0 - best).exp()).sum();
    for (evidence, fit) in &fits {
        let weight = (evidence - best).exp() / total;
        for p in 0..n {
            belief.mean[p] += weight * fit.mean[p];
            belief.variance[p] += weight * (fit.variance[p] + fit.mean[p] * fit.mean[p]);
        }
    }
    for p in 0..n {
        belief.variance[p] = (belief.variance[p] - belief.mean[p] * belief.mean[p]).max(1e-9);
    }
    belief
}

fn regress(
    effects: &[(f64, f64)],
    basis: Option<&Basis>,
    spread: f64,
    share: f64,
) -> (f64, Belief) {
    let n = effects.len();
    let rank = basis.filter(|_| share > 0.0).map_or(0, |b| b.rank);
    let size = rank + 1;
    let scale = (spread * share).sqrt();
    let feature = |p: usize, k: usize| {
        if k == rank { 1.0 } else { basis.map_or(0.0, |b| b.factor[p * b.rank + k]) * scale }
    };
    let own = |p: usize| {
        spread * (1.0 - share + basis.map_or(0.0, |b| if rank > 0 { share * b.rest[p] } else { 0.0 }))
    };
    let mut a = vec![0.0; size * size];
    let mut b = vec![0.0; size];
    for k in 0..size {
        a[k * size + k] = 1.0;
    }
    let mut evidence = 0.0;
    let mut row = vec![0.0; size];
    for p in 0..n {
        let (y, v) = effects[p];
        if !v.is_finite() {
            continue;
        }
        let d = own(p) + v;
        for (k, r) in row.iter_mut().enumerate() {
            *r = feature(p, k);
        }
        evidence -= 0.5 * (d.ln() + y * y / d);
        for i in 0..size {
            let x = row[i] / d;
            b[i] += x * y;
            for j in 0..=i {
                a[i * size + j] += x * row[j];
            }
        }
    }
    // Cholesky in place (lower).
    for i in 0..size {
        for j in 0..=i {
            let mut s = a[i * size + j];
            for k in 0..j {
                s -= a[i * size + k] * a[j * size + k];
            }
            a[i * size + j] = if i == j { s.max(1e-12).sqrt() } else { s / a[j * size + j] };
        }
        evidence -= a[i * size + i].ln();
    }
    let forward = |v: &mut [f64]| {
        for i in 0..size {
            let mut s = v[i];
            for k in 0..i {
                s -= a[i * size + k] * v[k];
            }
            v[i] = s / a[i * size + i];
        }
    };
    let mut z = b.clone();
    forward(&mut z);
    evidence += 0.5 * z.iter().map(|x| x * x).sum::<f64>();
    let mut weights = z;
    for i in (0..size).rev() {
        let mut s = weights[i];
        for k in i + 1..size {
            s -= a[k * size + i] * weights[k];
        }
        weights[i] = s / a[i * size + i];
    }
    let mut mean = vec![0.0; n];
    let mut variance = vec![0.0; n];
    for p in 0..n {
        for (k, r) in row.iter_mut().enumerate() {
            *r = feature(p, k);
        }
        let line: f64 = row.iter().zip(&weights).map(|(x, w)| x * w).sum();
        forward(&mut row);
        let uncertain: f64 = row.iter().map(|x| x * x).sum();
        let (y, v) = effects[p];
        let u = own(p);
        if v.is_finite() {
            let gain = u / (u + v);
            mean[p] = line + gain * (y - line);
            variance[p] = u * (1.0 - gain) + (1.0 - gain).powi(2) * uncertain;
        } else {
            mean[p] = line;
            variance[p] = u + uncertain;
        }
    }
    (evidence, Belief { mean, variance })
}

/// Moderated standard deviation of each candidate's interaction.
fn spreads(estimates: &Estimates, prior: f64) -> Vec<f64> {
    let mut raw: Vec<(f64, f64, f64)> = Vec::new();
    for p in 0..estimates.candidates() {
        let (mut n, mut squares, mut noise) = (0.0, 0.0, 0.0);
        for (x, count) in estimates.interactions(p) {
            n += 1.0;
            squares += x * x;
            noise += estimates.noise / count;
        }
        if n > 1.0 {
            raw.push((squares / (n - 1.0), n - 1.0, noise / n));
        } else {
            raw.push((0.0, 0.0, 0.0));
        }
    }
    let freedom: f64 = raw.iter().map(|r| r.1).sum();
    let pooled = estimates.interaction;
    raw.iter()
        .map(|&(s2, df, noise)| {
            if freedom == 0.0 || df == 0.0 {
                return pooled.sqrt();
            }
            let centre = pooled + noise;
            let moderated = (prior * centre + df * s2) / (prior + df);
            (moderated - noise).max(0.1 * pooled).sqrt()
        })
        .collect()
}

impl Posterior {
    fn judge(&self, problem: &Problem, scores: &Scores, basis: Option<&Basis>) -> Vec<(f64, f64)> {
        let estimates = Estimates::fit(problem, scores);
        let effects: Vec<(f64, f64)> =
            (0..problem.candidates).map(|p| estimates.main_effect(p)).collect();
        let belief = believe(&effects, basis);
        let spreads = spreads(&estimates, self.tune.prior);
        (0..problem.candidates)
            .map(|p| {
                (belief.mean[p] - self.tune.price * spreads[p], belief.variance[p].sqrt())
            })
            .collect()
    }

    fn start(&mut self, problem: &Problem, budget: usize) -> State {
        let stream = Stream::new(problem, &mut self.rng);
        let basis =
            problem.likeness.as_deref().filter(|l| self.tune.text && l.size() == problem.candidates);
        let basis = basis.map(Basis::new);
        let most = (budget as f64 / self.tune.per_entrant) as usize;
        let alive = super::halving::affordable(problem, most, &mut self.rng);
        let out = Vec::new();
        let rounds_left =
            ((alive.len().max(2) as f64).ln() / (1.0 / self.tune.keep).ln()).ceil() as usize;
        State { stream, basis, alive, out, rounds_left }
    }
}

impl Spending for Posterior {
    fn name(&self) -> &'static str {
        "posterior"
    }

    fn next(
        &mut self,
        problem: &Problem,
        scores: &Scores,
        remaining: usize,
        dropped: &mut Vec<Drop>,
    ) -> Step {
        let mut state = match self.state.take() {
            Some(state) => state,
            None => self.start(problem, remaining),
        };
        let all: Vec<usize> = (0..problem.candidates).collect();
        if !scores.is_empty() && state.rounds_left > 0 {
            let judged = self.judge(problem, scores, state.basis.as_ref());
            let hopeful: Vec<usize> =
                all.iter().copied().filter(|p| !state.out.contains(p)).collect();
            let ranking =
                ranked(&hopeful, |p| judged[p].0 + self.tune.optimism * judged[p].1);
            let half = ((state.alive.len() as f64 * self.tune.keep).ceil() as usize).max(2);
            let next: Vec<usize> = ranking
                .iter()
                .enumerate()
                .filter(|&(at, p)| at < half || problem.keep.contains(p))
                .map(|(_, &p)| p)
                .collect();
            for &p in &state.alive {
                if !next.contains(&p) {
                    state.out.push(p);
                    dropped.push(Drop { candidate: p, reason: "behind".into() });
                }
            }
            state.alive = next;
            state.rounds_left -= 1;
        }
        if state.rounds_left > 0 {
            let share = remaining / state.rounds_left / state.alive.len();
            let count = share.max(1).min(remaining / state.alive.len());
            let asks = block(&state.alive, state.stream.take(count), scores);
            if !asks.is_empty() {
                self.state = Some(state);
                return Step::Evaluate(asks);
            }
        }
        let judged = self.judge(problem, scores, state.basis.as_ref());
        let ranking = ranked(&all, |p| judged[p].0);
        self.state = Some(State { rounds_left: 0, ..state });
        Step::Pick(Pick { candidate: ranking[0], ranking, reason: "best".into() })
    }
}
