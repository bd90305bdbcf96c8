//! One repeat of a setting: what a rule may buy, and the truth it is held
//! against.

use std::sync::Arc;

use super::matrix::{ColumnKind, OutcomeMatrix};
use super::setting::{BenchPlan, BenchSetting, PickRegret, TestedRule};
use crate::objective::tail_mean;
use crate::problem::{
    AllocationRule, AllocationStep, ExampleClasses, ExampleGroup, LabelRole, SelectionProblem,
};
use crate::scores::OutcomeTable;
use crate::stats::rng::SplitMix;

/// One repeat: the outcomes a rule may buy and the target's truth.
#[derive(Debug)]
pub(super) struct BenchWorld {
    /// The source's groups, then the target's with their labelled examples.
    problem: SelectionProblem,
    /// The examples' classes with the target's true shares of them.
    stated: Option<Arc<ExampleClasses>>,
    /// How many of the groups are the source's.
    sources: usize,
    /// How many of the examples are the source's; they come first.
    source_examples: usize,
    /// Row of every candidate. Shuffled, for ties go to the lower number and the
    /// first prompts of a file are often the better ones.
    rows: Vec<usize>,
    group_of: Vec<u32>,
    /// What can be bought, row-major candidates × examples.
    outcomes: Vec<f32>,
    /// True target means without the labelled examples, row-major rows of the
    /// matrix × target groups.
    target: Vec<f64>,
}

/// One column of the matrix that is for sale: `take` examples of it.
struct ColumnSample {
    column: usize,
    group: u32,
    take: usize,
}

impl BenchWorld {
    pub(super) fn new(
        matrix: &OutcomeMatrix,
        setting: &BenchSetting,
        plan: &BenchPlan,
        repeat: u64,
    ) -> Self {
        let mut rng = SplitMix::fork(plan.seed, repeat);
        let (source, target) = setting.draw(matrix.groups.len(), &mut rng);
        let mut rows: Vec<usize> = (0..matrix.prompts.len()).collect();
        rng.shuffle(&mut rows);
        let items = match matrix.kind {
            ColumnKind::Example => 1,
            ColumnKind::Cell { items } => items as usize,
        };
        let place = |list: &[u32], column: usize| {
            let group = matrix.group_of[column];
            list.iter().position(|&x| x == group)
        };
        let mut lots: Vec<ColumnSample> = (0..matrix.group_of.len())
            .filter_map(|column| {
                Some(ColumnSample {
                    column,
                    group: place(&source, column)? as u32,
                    take: items,
                })
            })
            .collect();
        let source_examples = lots.len() * items;
        lots.extend(labelled(
            matrix,
            &target,
            source.len(),
            items,
            plan.labelled,
            &mut rng,
        ));
        let group_of: Vec<u32> = lots
            .iter()
            .flat_map(|lot| std::iter::repeat_n(lot.group, lot.take))
            .collect();
        let (outcomes, left) = draw(matrix, &rows, &lots, items, source_examples, &mut rng);
        let truth = truth(matrix, &target, &left);
        let named = |&g: &u32, role| ExampleGroup {
            name: matrix.groups[g as usize].clone(),
            role,
            weight: 1.0,
            examples: Vec::new(),
        };
        let mut groups: Vec<ExampleGroup> =
            source.iter().map(|g| named(g, LabelRole::Source)).collect();
        groups.extend(target.iter().map(|g| named(g, LabelRole::LabelledTarget)));
        for (e, &g) in group_of.iter().enumerate() {
            groups[g as usize].examples.push(e as u32);
        }
        let classes = matrix.classes();
        let of_example = classes.as_ref().map(|of_column| {
            lots.iter()
                .flat_map(|lot| std::iter::repeat_n(Some(of_column[lot.column]), lot.take))
                .collect()
        });
        let stated = classes.as_ref().zip(of_example.as_ref()).map(
            |(of_column, of_example): (_, &Vec<Option<u32>>)| {
                Arc::new(ExampleClasses {
                    of_example: of_example.clone(),
                    target_shares: Some(shares(matrix, &target, of_column)),
                })
            },
        );
        let classes = of_example.map(|of_example| {
            Arc::new(ExampleClasses {
                of_example,
                target_shares: None,
            })
        });
        let kernel = matrix.kernel.as_ref().and_then(|l| l.reordered(&rows));
        Self {
            problem: SelectionProblem {
                candidates: rows.len(),
                groups,
                kernel: kernel.map(Arc::new),
                keep: Vec::new(),
                lengths: Vec::new(),
                classes,
            },
            stated,
            sources: source.len(),
            source_examples,
            rows,
            group_of,
            outcomes,
            target: truth,
        }
    }

    /// Runs a rule to its pick, a row of the matrix. Without `labelled` the rule
    /// does not learn that there are target examples; with `shares` it is told the
    /// target's shares of classes.
    pub(super) fn race(
        &self,
        rule: &mut dyn AllocationRule,
        budget: usize,
        tested: &TestedRule<'_>,
    ) -> usize {
        let all = self.group_of.len();
        let mut problem = self.problem.clone();
        let mut visible = all;
        if tested.shares {
            problem.classes.clone_from(&self.stated);
        }
        if !tested.labelled || all == self.source_examples {
            problem.groups.truncate(self.sources);
            visible = self.source_examples;
        }
        let mut left = budget.min(visible * problem.candidates);
        let mut scores = OutcomeTable::new(
            problem.candidates,
            self.group_of[..visible].to_vec(),
            problem.groups.len(),
        );
        let mut dropped = Vec::new();
        loop {
            match rule.next(&problem, &scores, left, &mut dropped) {
                AllocationStep::Pick(pick) => return self.rows[pick.candidate],
                AllocationStep::Evaluate(asks) => {
                    debug_assert!(asks.len() <= left, "{} overspends", rule.name());
                    left = left.saturating_sub(asks.len());
                    for ask in asks {
                        let at = ask.candidate * all + ask.example as usize;
                        scores.push(ask.candidate, ask.example, f64::from(self.outcomes[at]));
                    }
                }
            }
        }
    }

    pub(super) fn regret(&self, pick: usize) -> PickRegret {
        let groups = self.target.len() / self.rows.len();
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
        PickRegret {
            mean: best[0] - own[0],
            worst: best[1] - own[1],
            cvar10: best[2] - own[2],
        }
    }
}

/// Draws the labelled target examples: target groups in turn, a random column
/// of theirs each time, never more than half of what a column holds.
fn labelled(
    matrix: &OutcomeMatrix,
    target: &[u32],
    sources: usize,
    items: usize,
    count: usize,
    rng: &mut SplitMix,
) -> Vec<ColumnSample> {
    let mut decks: Vec<Vec<usize>> = vec![Vec::new(); target.len()];
    for (column, group) in matrix.group_of.iter().enumerate() {
        if let Some(at) = target.iter().position(|t| t == group) {
            decks[at].extend(std::iter::repeat_n(column, (items / 2).max(1)));
        }
    }
    for deck in &mut decks {
        rng.shuffle(deck);
        if items == 1 {
            deck.truncate(deck.len().div_ceil(2));
        }
    }
    let mut order: Vec<usize> = (0..target.len()).collect();
    rng.shuffle(&mut order);
    let mut lots: Vec<ColumnSample> = Vec::new();
    let mut given = 0;
    while given < count && decks.iter().any(|deck| !deck.is_empty()) {
        for &at in &order {
            let Some(column) = decks[at].pop().filter(|_| given < count) else {
                continue;
            };
            given += 1;
            match lots.iter_mut().find(|lot| lot.column == column) {
                Some(lot) => lot.take += 1,
                None => lots.push(ColumnSample {
                    column,
                    group: (sources + at) as u32,
                    take: 1,
                }),
            }
        }
    }
    lots
}

/// Outcomes of the lots, row-major candidates × examples, and what is left of
/// every outcome of the matrix once the labelled examples are taken out (NaN
/// for nothing).
fn draw(
    matrix: &OutcomeMatrix,
    rows: &[usize],
    lots: &[ColumnSample],
    items: usize,
    source_examples: usize,
    rng: &mut SplitMix,
) -> (Vec<f32>, Vec<f32>) {
    let columns = matrix.group_of.len();
    let mut left = matrix.outcomes.clone();
    let mut outcomes = Vec::new();
    let mut deck = vec![0.0_f32; items];
    for &p in rows {
        let mut sold = 0;
        for lot in lots {
            let at = p * columns + lot.column;
            let value = matrix.outcomes[at];
            let is_target = sold >= source_examples;
            sold += lot.take;
            match matrix.kind {
                ColumnKind::Example => {
                    outcomes.push(value);
                    if is_target {
                        left[at] = f32::NAN;
                    }
                }
                ColumnKind::Cell { .. } if value.is_nan() => {
                    outcomes.extend(std::iter::repeat_n(value, lot.take));
                }
                // A finite population with exactly the recorded share of
                // successes, in random order.
                ColumnKind::Cell { .. } => {
                    let ones = (f64::from(value) * items as f64).round() as usize;
                    for (i, d) in deck.iter_mut().enumerate() {
                        *d = f32::from(u8::from(i < ones));
                    }
                    rng.shuffle(&mut deck);
                    let (taken, rest) = deck.split_at(lot.take);
                    outcomes.extend_from_slice(taken);
                    if is_target {
                        left[at] = rest.iter().sum::<f32>() / rest.len() as f32;
                    }
                }
            }
        }
    }
    (outcomes, left)
}

/// Target means of every row of the matrix, row-major.
fn truth(matrix: &OutcomeMatrix, target: &[u32], left: &[f32]) -> Vec<f64> {
    if let Some(known) = &matrix.truth {
        return known
            .chunks(matrix.groups.len())
            .flat_map(|own| target.iter().map(|&g| own[g as usize]))
            .collect();
    }
    let places: Vec<Option<usize>> = matrix
        .group_of
        .iter()
        .map(|group| target.iter().position(|t| t == group))
        .collect();
    let mut truth = Vec::with_capacity(matrix.prompts.len() * target.len());
    for row in left.chunks(matrix.group_of.len()) {
        let mut sums = vec![(0.0, 0.0); target.len()];
        for (x, place) in row.iter().zip(&places) {
            if let Some(at) = place.filter(|_| !x.is_nan()) {
                sums[at].0 += f64::from(*x);
                sums[at].1 += 1.0;
            }
        }
        let mean = |(sum, n): &(f64, f64)| if *n > 0.0 { sum / n } else { f64::NAN };
        truth.extend(sums.iter().map(mean));
    }
    truth
}

/// Shares of the two classes over target groups, each counting once.
fn shares(matrix: &OutcomeMatrix, target: &[u32], of_column: &[u32]) -> Vec<f64> {
    let means = target.iter().map(|group| {
        let own = matrix.group_of.iter().zip(of_column);
        let (sum, n) = own
            .filter(|(g, _)| *g == group)
            .fold((0.0, 0.0), |(sum, n), (_, class)| {
                (sum + f64::from(*class), n + 1.0)
            });
        sum / n
    });
    let ones = means.sum::<f64>() / target.len() as f64;
    vec![1.0 - ones, ones]
}

/// Mean, worst and mean of the worst tenth over groups.
fn summary(means: &[f64]) -> [f64; 3] {
    let mut known: Vec<(f64, f64)> = means
        .iter()
        .filter(|m| !m.is_nan())
        .map(|&m| (m, 1.0))
        .collect();
    let mean = known.iter().map(|m| m.0).sum::<f64>() / known.len() as f64;
    let worst = known.iter().map(|m| m.0).fold(f64::INFINITY, f64::min);
    [mean, worst, tail_mean(&mut known, 0.1)]
}
