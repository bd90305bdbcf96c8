//! Replaying spending rules over recorded outcomes.

// Formulas in the docs.
#![allow(clippy::doc_markdown)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::matrix::{Kind, Matrix};
use super::setting::Setting;
use crate::select::{Group, Problem, Role, Scores, Spending, Step};
use crate::stats::rng::SplitMix;

/// What to replay.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Evaluations to spend; `usize::MAX` for all there are.
    pub budgets: Vec<usize>,
    /// Repeats per setting.
    pub repeats: usize,
    /// Seed of splits, orders and rules.
    pub seed: u64,
    /// Worker threads.
    pub threads: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            budgets: vec![50, 200, 1000, 5000, usize::MAX],
            repeats: 40,
            seed: 0,
            threads: 2,
        }
    }
}

/// Regret of one pick on the target groups: best possible less achieved, each
/// in the units of the score.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Regret {
    /// Of the mean over groups.
    pub mean: f64,
    /// Of the worst group.
    pub worst: f64,
    /// Of the mean over the worst tenth of groups.
    pub cvar10: f64,
}

impl Regret {
    /// Mean, worst, `CVaR10`.
    pub const fn parts(self) -> [f64; 3] {
        [self.mean, self.worst, self.cvar10]
    }
}

/// Makes a rule from a seed.
pub type MakeRule<'a> = (&'a str, &'a (dyn Fn(u64) -> Box<dyn Spending> + Sync));

/// Regrets of one setting: `[rule][budget][repeat]`.
pub type Regrets = Vec<Vec<Vec<Regret>>>;

/// Replays every rule on every setting, budget and repeat. All rules of a
/// repeat see the same split and the same target; what they see of the source
/// depends on what they ask.
pub fn replay(
    matrices: &[Matrix],
    settings: &[Setting],
    rules: &[MakeRule<'_>],
    plan: &Plan,
) -> Vec<Regrets> {
    let blank = vec![vec![vec![Regret::default(); plan.repeats]; plan.budgets.len()]; rules.len()];
    let results: Vec<Mutex<Regrets>> = settings.iter().map(|_| Mutex::new(blank.clone())).collect();
    let next = AtomicUsize::new(0);
    let work = || loop {
        let unit = next.fetch_add(1, Ordering::Relaxed);
        let (repeat, at) = (unit / settings.len(), unit % settings.len());
        if repeat >= plan.repeats {
            return;
        }
        let setting = &settings[at];
        let world = World::new(&matrices[setting.matrix], setting, plan.seed, repeat as u64);
        for (r, (_, make)) in rules.iter().enumerate() {
            for (b, &budget) in plan.budgets.iter().enumerate() {
                let mut rule = make(plan.seed ^ (repeat as u64).wrapping_mul(0x9E37_79B9));
                let pick = world.race(rule.as_mut(), budget);
                let regret = world.regret(pick);
                if let Ok(mut result) = results[at].lock() {
                    result[r][b][repeat] = regret;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..plan.threads.max(1) {
            scope.spawn(work);
        }
        work();
    });
    results
        .into_iter()
        .filter_map(|r| r.into_inner().ok())
        .collect()
}

/// One repeat: the source a rule may buy from and the target's truth.
#[derive(Debug)]
pub(super) struct World<'a> {
    matrix: &'a Matrix,
    problem: Problem,
    /// Row of every candidate. Shuffled, for ties go to the lower number and the
    /// first prompts of a file are often the better ones.
    rows: Vec<usize>,
    group_of: Vec<u32>,
    /// Source outcomes, row-major candidates × source examples.
    source: Vec<f32>,
    /// True target means, row-major candidates × target groups.
    target: Vec<f64>,
}

impl<'a> World<'a> {
    pub(super) fn new(matrix: &'a Matrix, setting: &Setting, seed: u64, repeat: u64) -> Self {
        let mut rng = SplitMix::fork(seed, repeat);
        let (source, target) = setting.draw(matrix.groups.len(), &mut rng);
        let candidates = matrix.prompts.len();
        let columns = matrix.group_of.len();
        let mut rows: Vec<usize> = (0..candidates).collect();
        rng.shuffle(&mut rows);
        let row = |p: usize| &matrix.outcomes[p * columns..(p + 1) * columns];
        let place = |list: &[u32], g: u32| list.iter().position(|&x| x == g);
        // Truth on the target.
        let in_target: Vec<Option<usize>> =
            matrix.group_of.iter().map(|&g| place(&target, g)).collect();
        let mut truth = Vec::with_capacity(candidates * target.len());
        for p in 0..candidates {
            if let Some(known) = &matrix.truth {
                let own = &known[p * matrix.groups.len()..];
                truth.extend(target.iter().map(|&g| own[g as usize]));
                continue;
            }
            let mut sums = vec![(0.0, 0.0); target.len()];
            for (x, at) in row(p).iter().zip(&in_target) {
                if let Some(at) = at.filter(|_| !x.is_nan()) {
                    sums[at].0 += f64::from(*x);
                    sums[at].1 += 1.0;
                }
            }
            truth.extend(
                sums.iter()
                    .map(|(s, n)| if *n > 0.0 { s / n } else { f64::NAN }),
            );
        }
        // What can be bought of the source.
        let own: Vec<usize> = (0..columns)
            .filter(|&e| place(&source, matrix.group_of[e]).is_some())
            .collect();
        let items = match matrix.kind {
            Kind::Example => 1,
            Kind::Cell { items } => items as usize,
        };
        let group_of: Vec<u32> = own
            .iter()
            .flat_map(|&e| {
                let g = place(&source, matrix.group_of[e]).unwrap_or(0) as u32;
                std::iter::repeat_n(g, items)
            })
            .collect();
        let mut outcomes = Vec::with_capacity(candidates * group_of.len());
        let mut draw = vec![0.0_f32; items];
        for &p in &rows {
            for &e in &own {
                let value = row(p)[e];
                match matrix.kind {
                    Kind::Example => outcomes.push(value),
                    // A finite population with exactly the recorded share of
                    // successes, in random order.
                    Kind::Cell { .. } => {
                        let ones = (f64::from(value) * items as f64).round() as usize;
                        for (i, d) in draw.iter_mut().enumerate() {
                            *d = if value.is_nan() {
                                value
                            } else {
                                f32::from(u8::from(i < ones))
                            };
                        }
                        rng.shuffle(&mut draw);
                        outcomes.extend_from_slice(&draw);
                    }
                }
            }
        }
        let mut groups: Vec<Group> = source
            .iter()
            .map(|&g| Group {
                name: matrix.groups[g as usize].clone(),
                role: Role::Source,
                weight: 1.0,
                examples: Vec::new(),
            })
            .collect();
        for (e, &g) in group_of.iter().enumerate() {
            groups[g as usize].examples.push(e as u32);
        }
        let likeness = matrix
            .likeness
            .as_ref()
            .and_then(|l| l.reordered(&rows))
            .map(Arc::new);
        let problem = Problem {
            candidates,
            groups,
            likeness,
            keep: Vec::new(),
        };
        Self {
            matrix,
            problem,
            rows,
            group_of,
            source: outcomes,
            target: truth,
        }
    }

    /// Runs a rule to its pick, a row of the matrix.
    pub(super) fn race(&self, rule: &mut dyn Spending, budget: usize) -> usize {
        let examples = self.group_of.len();
        let mut left = budget.min(self.source.len());
        let mut scores = Scores::new(
            self.problem.candidates,
            self.group_of.clone(),
            self.problem.groups.len(),
        );
        let mut dropped = Vec::new();
        loop {
            match rule.next(&self.problem, &scores, left, &mut dropped) {
                Step::Pick(pick) => return self.rows[pick.candidate],
                Step::Evaluate(asks) => {
                    debug_assert!(asks.len() <= left, "{} overspends", rule.name());
                    left = left.saturating_sub(asks.len());
                    for ask in asks {
                        let at = ask.candidate * examples + ask.example as usize;
                        scores.push(ask.candidate, ask.example, f64::from(self.source[at]));
                    }
                }
            }
        }
    }

    pub(super) fn regret(&self, pick: usize) -> Regret {
        let groups = self.target.len() / self.matrix.prompts.len();
        let mut best = [f64::NEG_INFINITY; 3];
        let mut own = [0.0; 3];
        for (p, means) in self.target.chunks(groups).enumerate() {
            let got = summary(means);
            for (best, got) in best.iter_mut().zip(got) {
                *best = best.max(got);
            }
            if p == pick {
                own = got;
            }
        }
        Regret {
            mean: best[0] - own[0],
            worst: best[1] - own[1],
            cvar10: best[2] - own[2],
        }
    }
}

/// Mean, worst and CVaR10 over groups.
fn summary(means: &[f64]) -> [f64; 3] {
    let mut known: Vec<(f64, f64)> = means
        .iter()
        .filter(|m| !m.is_nan())
        .map(|&m| (m, 1.0))
        .collect();
    let mean = known.iter().map(|m| m.0).sum::<f64>() / known.len() as f64;
    let worst = known.iter().map(|m| m.0).fold(f64::INFINITY, f64::min);
    [mean, worst, crate::select::tail_mean(&mut known, 0.1)]
}
