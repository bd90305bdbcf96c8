//! A row of the table: what one method's runs came to.

use std::collections::BTreeMap;

use serde::Serialize;
use shiftproof_search::event::{AuditedPrompt, ScoreDifference};
use shiftproof_search::stats::{CrossedDifference, CrossedSample};
use shiftproof_tasks::PromptId;

use super::outcomes::ExampleName;
use super::{AuditClusters, CellRun, judged, judged_mean};
use crate::report::compare::SeedSpread;

/// Bootstrap draws behind each standard error.
const REPLICATES: usize = 2000;
const CONFIDENCE: f64 = 0.95;

/// What one method's runs came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MethodRow {
    /// The method.
    pub method: String,
    /// Runs that finished.
    pub finished: usize,
    /// Runs that there are to be.
    pub planned: usize,
    /// The selected prompt's mean score over the target groups.
    pub mean: Option<SeedSpread>,
    /// Its score on the worst target group.
    pub worst: Option<SeedSpread>,
    /// Selected − seed prompt.
    pub over_seed: Option<PairedScores>,
    /// Against the best other method.
    pub over_other: Option<OtherMethod>,
    /// Runs whose selected prompt scores less than the seed prompt.
    pub below_seed: BelowSeed,
    /// Calls spent.
    pub calls: Option<SeedSpread>,
    /// Tokens spent.
    pub tokens: Option<SeedSpread>,
    /// US dollars spent; none where a price is unknown.
    pub usd: Option<SeedSpread>,
    /// Whether and when the leader had the study's level.
    pub level: Option<LevelReached>,
}

/// Differences with 95% intervals over random seeds and examples.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PairedScores {
    /// Of the mean over target groups.
    pub mean: ScoreDifference,
    /// Of the worst target group.
    pub worst: ScoreDifference,
}

/// Differences to the other method with the highest worst-group score.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct OtherMethod {
    /// The other method.
    pub method: String,
    /// Random seeds that both finished.
    pub runs: usize,
    /// Own − other.
    #[serde(flatten)]
    pub scores: PairedScores,
}

/// Counts of runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct BelowSeed {
    /// Below it on the mean of the target groups.
    pub mean: usize,
    /// Below it on at least one target group.
    pub any_group: usize,
}

/// When the leader had a level.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LevelReached {
    /// Runs whose leader has it at the end.
    pub runs: usize,
    /// Calls from which on it had it.
    pub calls: Option<SeedSpread>,
}

impl MethodRow {
    /// The row of these finished runs, each with its random seed, all but what needs
    /// the other rows.
    pub fn of(
        method: &str,
        runs: &[(u64, &CellRun)],
        planned: usize,
        audit: &AuditClusters,
    ) -> Self {
        let over = |value: &dyn Fn(&CellRun) -> Option<f64>| {
            SeedSpread::of(runs.iter().filter_map(|(_, run)| value(run)))
        };
        let selected = AuditedPrompt::Selected;
        let spent = |value: fn(&shiftproof_search::budget::Spend) -> Option<f64>| {
            over(&move |run: &CellRun| value(run.run.summary.spent.as_ref()?))
        };
        let pairs: Vec<[Contestant<'_>; 2]> = runs
            .iter()
            .map(|(_, run)| [Contestant::selected(run), Contestant::seed(run)])
            .collect();
        Self {
            method: method.to_owned(),
            finished: runs.len(),
            planned,
            mean: over(&|run| judged_mean(run.run.summary.audited(selected)?)),
            worst: over(&|run| run.run.summary.worst_of(selected)?.value),
            over_seed: paired(&pairs, audit),
            over_other: None,
            below_seed: below_seed(runs),
            calls: spent(|spent| Some(spent.calls as f64)),
            tokens: spent(|spent| Some(spent.tokens() as f64)),
            usd: spent(|spent| (spent.unpriced == 0).then(|| spent.usd())),
            level: None,
        }
    }
}

fn below_seed(runs: &[(u64, &CellRun)]) -> BelowSeed {
    let mut below = BelowSeed::default();
    for (_, run) in runs {
        let summary = &run.run.summary;
        let (Some(seed), Some(selected)) = (
            summary.audited(AuditedPrompt::Seed),
            summary.audited(AuditedPrompt::Selected),
        ) else {
            continue;
        };
        if let (Some(before), Some(after)) = (judged_mean(seed), judged_mean(selected)) {
            below.mean += usize::from(is_less(after, before));
        }
        let any = judged(selected).into_iter().any(|group| {
            let before = seed.iter().find(|other| other.group == group.group);
            let before = before.and_then(|group| group.value);
            matches!((group.value, before), (Some(after), Some(before)) if is_less(after, before))
        });
        below.any_group += usize::from(any);
    }
    below
}

/// Less by more than rounding.
fn is_less(a: f64, b: f64) -> bool {
    a < b - 1e-9
}

/// The difference between two methods over the random seeds that both have; `None`
/// without one.
pub(crate) fn against(
    own: &[(u64, &CellRun)],
    (method, other): (&str, &[(u64, &CellRun)]),
    audit: &AuditClusters,
) -> Option<OtherMethod> {
    let pairs: Vec<[Contestant<'_>; 2]> = own
        .iter()
        .filter_map(|(seed, run)| {
            let (_, rival) = other.iter().find(|(other, _)| other == seed)?;
            Some([Contestant::selected(run), Contestant::selected(rival)])
        })
        .collect();
    Some(OtherMethod {
        method: method.to_owned(),
        runs: pairs.len(),
        scores: paired(&pairs, audit)?,
    })
}

/// A prompt of a run.
#[derive(Clone, Copy)]
struct Contestant<'a> {
    run: &'a CellRun,
    is_seed: bool,
}

impl<'a> Contestant<'a> {
    const fn selected(run: &'a CellRun) -> Self {
        Self {
            run,
            is_seed: false,
        }
    }

    const fn seed(run: &'a CellRun) -> Self {
        Self { run, is_seed: true }
    }

    fn prompt(&self) -> Option<PromptId> {
        if self.is_seed {
            self.run.run.summary.seed()
        } else {
            self.run.run.summary.selected
        }
    }

    fn grade(&self, example: &ExampleName) -> Option<f64> {
        let grades = self.run.grades.get(example)?;
        if self.is_seed {
            grades.seed
        } else {
            grades.selected
        }
    }
}

/// First − second of each pair on the examples that all of them have a grade for.
fn paired(pairs: &[[Contestant<'_>; 2]], audit: &AuditClusters) -> Option<PairedScores> {
    let summary = &pairs.first()?[0].run.run.summary;
    // Nothing of the target was measured where only sources are audited.
    let worst_name = summary
        .worst_of(AuditedPrompt::Selected)
        .map(|_| summary.worst_name())?;
    let scored = summary.audited(AuditedPrompt::Selected)?;
    let groups: Vec<&str> = judged(scored)
        .into_iter()
        .map(|group| group.group.as_str())
        .collect();
    let same = pairs
        .iter()
        .map(|[first, second]| first.prompt().is_some() && first.prompt() == second.prompt())
        .collect();
    let mut sample = CrossedSample::new(same, groups.len());
    let mut clusters: BTreeMap<String, u64> = BTreeMap::new();
    for example in pairs[0][0].run.grades.keys() {
        let Some(group) = groups.iter().position(|group| *group == example.0) else {
            continue;
        };
        let grades: Option<Vec<[f64; 2]>> = pairs
            .iter()
            .map(|[first, second]| Some([first.grade(example)?, second.grade(example)?]))
            .collect();
        let Some(grades) = grades else { continue };
        let cluster = audit
            .cluster(example)
            .map_or_else(|| format!("\0{}\0{}", example.0, example.1), str::to_owned);
        let next = clusters.len() as u64;
        let cluster = *clusters.entry(cluster).or_insert(next);
        let _complete = sample.push(group, cluster, &grades);
    }
    let mean = |groups: &[f64]| groups.iter().sum::<f64>() / groups.len() as f64;
    let least = |groups: &[f64]| groups.iter().copied().fold(f64::INFINITY, f64::min);
    Some(PairedScores {
        mean: named("mean of groups", sample.difference(REPLICATES, 0, mean)?),
        worst: named(worst_name, sample.difference(REPLICATES, 0, least)?),
    })
}

fn named(group: &str, difference: CrossedDifference) -> ScoreDifference {
    let interval = difference.interval(CONFIDENCE);
    ScoreDifference {
        group: group.to_owned(),
        value: difference.estimate,
        low: interval.low,
        high: interval.high,
        n: difference.examples,
    }
}

/// Whether differences of mean grades are differences of the scores shown: for a
/// metric like AUC or macro-F1 they are not.
pub(crate) fn grades_make_scores(run: &CellRun) -> bool {
    let Some(scored) = run.run.summary.audited(AuditedPrompt::Selected) else {
        return true;
    };
    judged(scored).into_iter().all(|group| {
        let of_group = run.grades.iter().filter(|(name, _)| name.0 == group.group);
        let grades: Vec<f64> = of_group.filter_map(|(_, grades)| grades.selected).collect();
        let mean = grades.iter().sum::<f64>() / grades.len() as f64;
        let Some(value) = group.value.filter(|_| !grades.is_empty()) else {
            return true;
        };
        (mean - value).abs() < 1e-6
    })
}

/// The level of a study: the seed prompt's score and half of the best method's gain, on
/// the search's own examples. `None` where no leader was better.
pub(crate) fn level(methods: &[Vec<(u64, &CellRun)>]) -> Option<f64> {
    let runs = || methods.iter().flatten();
    let seed = SeedSpread::of(runs().filter_map(|(_, run)| run.curve.seed))?.mean;
    let best = methods
        .iter()
        .filter_map(|runs| SeedSpread::of(runs.iter().filter_map(|(_, run)| run.curve.last())))
        .map(|last| last.mean)
        .fold(f64::NEG_INFINITY, f64::max);
    (best > seed).then_some(f64::midpoint(seed, best))
}

/// When the leaders of these runs had a level.
pub(crate) fn reached(runs: &[(u64, &CellRun)], level: f64) -> LevelReached {
    let calls: Vec<f64> = runs
        .iter()
        .filter_map(|(_, run)| run.curve.reaches(level))
        .map(|calls| calls as f64)
        .collect();
    LevelReached {
        runs: calls.len(),
        calls: SeedSpread::of(calls),
    }
}

/// The seed prompt's mean and worst score, the same in all runs but for calibration
/// learnt from other examples.
pub(crate) fn seed_scores(runs: &[&CellRun]) -> [Option<SeedSpread>; 2] {
    let audited = || {
        runs.iter()
            .filter_map(|run| run.run.summary.audited(AuditedPrompt::Seed))
    };
    let worst_of = |run: &&CellRun| run.run.summary.worst_of(AuditedPrompt::Seed)?.value;
    [
        SeedSpread::of(audited().filter_map(judged_mean)),
        SeedSpread::of(runs.iter().filter_map(worst_of)),
    ]
}
