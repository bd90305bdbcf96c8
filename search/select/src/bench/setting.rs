//! Source → target splits of a matrix.

use std::collections::BTreeSet;

use super::matrix::{ColumnKind, OutcomeMatrix};
use crate::problem::AllocationRule;
use crate::stats::rng::SplitMix;

/// How source and target groups are told apart.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupSplit {
    /// A new random half of the groups per repeat.
    Random,
    /// These groups are the source, all others the target.
    Fixed(Vec<u32>),
}

/// One matrix with one way to split it.
#[derive(Debug, Clone)]
pub struct BenchSetting {
    /// Name in tables: matrix and direction.
    pub name: String,
    /// Which matrix.
    pub matrix: usize,
    /// The split.
    pub split: GroupSplit,
}

/// A coarser column makes directed splits when it has at most this many values.
const COARSE: usize = 8;

/// All splits of a matrix: random halves; every value of a coarser column
/// against the rest, both ways; low against high prevalence (a 0/1 column named
/// `label` or starting with `rel`), and hard against easy, both ways. Matrices
/// of LLMs as groups are split at random only: across LLMs.
pub fn settings(index: usize, matrix: &OutcomeMatrix) -> Vec<BenchSetting> {
    let mut found = vec![BenchSetting {
        name: format!("{} random", matrix.name),
        matrix: index,
        split: GroupSplit::Random,
    }];
    let count = matrix.groups.len();
    if count < 2 {
        return Vec::new();
    }
    if matrix.kind != ColumnKind::Example {
        return found;
    }
    let mut both = |from: &str, to: &str, source: Vec<u32>| {
        let rest: Vec<u32> = (0..count as u32).filter(|g| !source.contains(g)).collect();
        if source.is_empty() || rest.is_empty() {
            return;
        }
        for (a, b, source) in [(from, to, source), (to, from, rest)] {
            found.push(BenchSetting {
                name: format!("{} {a}→{b}", matrix.name),
                matrix: index,
                split: GroupSplit::Fixed(source),
            });
        }
    };
    for values in matrix.columns.values() {
        let Some(of_group) = constant_in_groups(matrix, values) else {
            continue;
        };
        let distinct: BTreeSet<&str> = of_group.iter().copied().collect();
        if distinct.len() < 2 || distinct.len() > COARSE || distinct.len() == count {
            continue;
        }
        for (at, value) in distinct.iter().enumerate() {
            if distinct.len() == 2 && at == 1 {
                break;
            }
            let source = (0..count as u32)
                .filter(|&g| of_group[g as usize] == *value)
                .collect();
            both(value, "rest", source);
        }
    }
    if let Some(classes) = matrix.classes() {
        let prevalence = group_means(matrix, |e| f64::from(classes[e]));
        both("low prevalence", "high", lower_half(&prevalence));
    }
    let examples = matrix.group_of.len();
    let difficulty = group_means(matrix, |e| {
        let column = matrix
            .outcomes
            .iter()
            .skip(e)
            .step_by(examples)
            .filter(|x| !x.is_nan());
        let (sum, n) = column.fold((0.0, 0.0), |(s, n), x| (s + f64::from(*x), n + 1.0));
        if n > 0.0 { sum / n } else { 0.5 }
    });
    both("hard", "easy", lower_half(&difficulty));
    found
}

fn constant_in_groups<'a>(matrix: &OutcomeMatrix, values: &'a [String]) -> Option<Vec<&'a str>> {
    let mut of_group: Vec<Option<&str>> = vec![None; matrix.groups.len()];
    for (&g, value) in matrix.group_of.iter().zip(values) {
        let known = of_group[g as usize].get_or_insert(value);
        if *known != value {
            return None;
        }
    }
    of_group.into_iter().collect()
}

fn group_means(matrix: &OutcomeMatrix, value: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); matrix.groups.len()];
    for (e, &g) in matrix.group_of.iter().enumerate() {
        sums[g as usize].0 += value(e);
        sums[g as usize].1 += 1.0;
    }
    sums.into_iter().map(|(s, n)| s / n).collect()
}

fn lower_half(values: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
    order.truncate(values.len() / 2);
    order
}

impl BenchSetting {
    /// Source and target groups of one repeat.
    pub fn draw(&self, groups: usize, rng: &mut SplitMix) -> (Vec<u32>, Vec<u32>) {
        let source = match &self.split {
            GroupSplit::Fixed(source) => source.clone(),
            GroupSplit::Random => {
                let mut order: Vec<u32> = (0..groups as u32).collect();
                rng.shuffle(&mut order);
                order.truncate(groups / 2);
                order
            }
        };
        let target = (0..groups as u32).filter(|g| !source.contains(g)).collect();
        (source, target)
    }
}

/// What to replay.
#[derive(Debug, Clone)]
pub struct BenchPlan {
    /// Evaluations to spend; `usize::MAX` for all there are.
    pub budgets: Vec<usize>,
    /// Repeats per setting.
    pub repeats: usize,
    /// Target examples whose labels are known, over all target groups alike.
    pub labelled: usize,
    /// Seed of splits, orders and rules.
    pub seed: u64,
    /// Worker threads.
    pub threads: usize,
}

impl Default for BenchPlan {
    fn default() -> Self {
        Self {
            budgets: vec![50, 200, 1000, 5000, usize::MAX],
            repeats: 40,
            labelled: 50,
            seed: 0,
            threads: 2,
        }
    }
}

/// A rule under test.
#[derive(Clone, Copy)]
pub struct TestedRule<'a> {
    /// Name in tables.
    pub name: &'a str,
    /// Makes the rule from a seed.
    pub make: &'a (dyn Fn(u64) -> Box<dyn AllocationRule> + Sync),
    /// Whether it may also buy outcomes on the labelled target examples.
    pub labelled: bool,
    /// Whether it is told the target's true shares of classes, where there are any.
    pub shares: bool,
}

/// Regret of one pick on the target groups: best possible less achieved, each
/// in the units of the score.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PickRegret {
    /// Of the mean over groups.
    pub mean: f64,
    /// Of the worst group.
    pub worst: f64,
    /// Of the mean over the worst tenth of groups.
    pub cvar10: f64,
}

impl PickRegret {
    /// Mean, worst, `CVaR10`.
    pub const fn parts(self) -> [f64; 3] {
        [self.mean, self.worst, self.cvar10]
    }
}
