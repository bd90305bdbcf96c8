//! Several runs in one table: methods by groups, over seeds.

use std::collections::BTreeSet;

use serde::Serialize;
use shiftproof_search::budget::BudgetLimits;
use shiftproof_search::event::{AuditedPrompt, GroupOutcome, GroupRole, RunStarted};

use super::facts::machine;
use super::{NamedRun, RunSummary};

/// Runs side by side.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RunComparison {
    /// Groups in the order they first occur.
    pub groups: Vec<(String, GroupRole)>,
    /// First the seed prompt of each setting, then a row per method.
    pub rows: Vec<ComparedRuns>,
    /// Why some of these figures should not be held against each other.
    pub cautions: Vec<String>,
}

/// What runs that differ in their seed alone came to, audited.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ComparedRuns {
    /// The method, and what else tells this row from the others.
    pub label: String,
    /// The runs' names.
    pub runs: Vec<String>,
    /// Per group of the comparison.
    pub groups: Vec<Option<SeedSpread>>,
    /// The worst target group.
    pub worst: Option<SeedSpread>,
    /// Selected − seed on the worst target group.
    pub gain: Option<SeedSpread>,
    /// Model calls.
    pub calls: Option<SeedSpread>,
}

/// A mean over seeds with its spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct SeedSpread {
    /// Values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (n − 1); `None` for a single value.
    pub sd: Option<f64>,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl SeedSpread {
    /// The spread of some values; `None` without any.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        if values.is_empty() {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self {
            n: values.len(),
            mean,
            sd: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()),
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }

    /// Mean and standard deviation in points of a hundred.
    pub fn points(&self, sign: bool) -> String {
        let mean = if sign {
            format!("{:+.1}", self.mean * 100.0)
        } else {
            format!("{:.1}", self.mean * 100.0)
        };
        match self.sd {
            Some(sd) => format!("{mean} ± {:.1}", sd * 100.0),
            None => mean,
        }
    }
}

/// What a row's runs share: everything but the seed.
fn setting(started: &RunStarted) -> [(&'static str, String); 7] {
    [
        ("study", started.study.clone()),
        ("task model", started.task_model.clone()),
        ("metric", started.metric.clone()),
        ("method", started.method.clone()),
        ("objective", started.objective.clone()),
        ("proposer model", started.proposer_model.clone()),
        ("budget", budget(&started.limits)),
    ]
}

/// Limits in words.
pub(crate) fn budget(limits: &BudgetLimits) -> String {
    let limit = |what: Option<String>, unit: &str| what.map(|value| format!("{value} {unit}"));
    let set: Vec<String> = [
        limit(limits.calls.map(|n| n.to_string()), "calls"),
        limit(limits.tokens.map(|n| n.to_string()), "tokens"),
        limit(limits.usd.map(|usd| usd.to_string()), "USD"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if set.is_empty() {
        "no limit".into()
    } else {
        format!("at most {}", set.join(", "))
    }
}

/// How many parts of a setting decide what the seed prompt scores.
const SEED_PARTS: usize = 3;
/// The part that always names a row.
const METHOD: usize = 3;
/// The parts that are models.
const MODELS: [usize; 2] = [1, 5];

type Key = Vec<String>;

impl RunComparison {
    /// The comparison of these runs, rows in the order of their first run.
    pub fn of(runs: &[NamedRun]) -> Self {
        let mut groups: Vec<(String, GroupRole)> = Vec::new();
        let mut settings: Vec<(Key, Vec<&NamedRun>)> = Vec::new();
        let mut baselines: Vec<(Key, Vec<&NamedRun>)> = Vec::new();
        for run in runs {
            let Some(started) = &run.summary.started else {
                continue;
            };
            for group in &started.groups {
                if !groups.iter().any(|(name, _)| *name == group.name) {
                    groups.push((group.name.clone(), group.role));
                }
            }
            let key: Key = setting(started).into_iter().map(|part| part.1).collect();
            join(&mut baselines, key[..SEED_PARTS].to_vec(), run);
            join(&mut settings, key, run);
        }
        let varies: Vec<bool> = (0..METHOD + 4)
            .map(|part| {
                settings
                    .iter()
                    .any(|row| row.0[part] != settings[0].0[part])
            })
            .collect();
        let values = |part: usize| settings.iter().map(move |row| row.0[part].as_str());
        // A model by its name for people, unless two share one.
        let shown = |part: usize, value: &str| {
            let apart = |part| {
                let whole: BTreeSet<&str> = values(part).collect();
                let short: BTreeSet<String> = whole.iter().map(|value| machine(value)).collect();
                whole.len() == short.len()
            };
            if MODELS.contains(&part) && apart(part) {
                machine(value)
            } else {
                value.to_owned()
            }
        };
        let name = |first: &str, key: &Key| {
            let rest = key.iter().enumerate();
            let rest = rest.filter(|(part, _)| varies[*part] && *part != METHOD);
            let mut label = first.to_owned();
            for (part, value) in rest {
                label.push_str(" · ");
                label.push_str(&shown(part, value));
            }
            label
        };
        let mut rows: Vec<ComparedRuns> = baselines
            .iter()
            .map(|(key, runs)| {
                ComparedRuns::of(name("seed prompt", key), AuditedPrompt::Seed, runs, &groups)
            })
            .collect();
        rows.extend(settings.iter().map(|(key, runs)| {
            ComparedRuns::of(
                name(&key[METHOD], key),
                AuditedPrompt::Selected,
                runs,
                &groups,
            )
        }));
        Self {
            cautions: cautions(runs, &settings, &varies),
            groups,
            rows,
        }
    }
}

fn join<'a>(rows: &mut Vec<(Key, Vec<&'a NamedRun>)>, key: Key, run: &'a NamedRun) {
    match rows.iter_mut().find(|row| row.0 == key) {
        Some(row) => row.1.push(run),
        None => rows.push((key, vec![run])),
    }
}

fn cautions(runs: &[NamedRun], settings: &[(Key, Vec<&NamedRun>)], varies: &[bool]) -> Vec<String> {
    let mut cautions = Vec::new();
    for (part, what) in ["studies", "task models", "metrics"]
        .into_iter()
        .enumerate()
    {
        if varies[part] {
            cautions.push(format!("The runs are of different {what}."));
        }
    }
    let of_study = |run: &NamedRun| {
        let started = run.summary.started.as_ref();
        started.map(|started| {
            let groups = started.groups.iter();
            let groups = groups.map(|group| (group.name.clone(), group.role, group.audit));
            (started.study.clone(), groups.collect::<Vec<_>>())
        })
    };
    if runs.iter().any(|run| {
        runs.iter()
            .any(|other| match (of_study(run), of_study(other)) {
                (Some(a), Some(b)) => a.0 == b.0 && a.1 != b.1,
                _ => false,
            })
    }) {
        cautions
            .push("Runs of one study differ in their groups or in the size of the audit.".into());
    }
    for (key, runs) in settings {
        let mut seeds: Vec<u64> = runs
            .iter()
            .filter_map(|run| Some(run.summary.started.as_ref()?.seed))
            .collect();
        seeds.sort_unstable();
        if seeds.windows(2).any(|pair| pair[0] == pair[1]) {
            cautions.push(format!(
                "Some runs of {} have the same seed: they are no repetition, and the spread is too small.",
                key[METHOD]
            ));
        }
    }
    let open: Vec<&str> = runs
        .iter()
        .filter(|run| run.summary.audited(AuditedPrompt::Selected).is_none())
        .map(|run| run.name.as_str())
        .collect();
    if !open.is_empty() {
        cautions.push(format!("Not audited, in no mean: {}.", open.join(", ")));
    }
    cautions
}

impl ComparedRuns {
    /// The row of some runs by what this contestant scored, per group named.
    pub fn of(
        label: String,
        contestant: AuditedPrompt,
        runs: &[&NamedRun],
        groups: &[(String, GroupRole)],
    ) -> Self {
        let summaries: Vec<&RunSummary> = runs.iter().map(|run| &run.summary).collect();
        let audits: Vec<&[GroupOutcome]> = summaries
            .iter()
            .filter_map(|summary| summary.audited(contestant))
            .collect();
        let of_group = |name: &str| {
            SeedSpread::of(audits.iter().filter_map(|audit| {
                let group = audit.iter().find(|group| group.group == name);
                group.and_then(|group| group.value)
            }))
        };
        let searched = contestant != AuditedPrompt::Seed;
        let over_runs = |value: fn(&RunSummary) -> Option<f64>| {
            let values = summaries.iter().filter_map(|summary| value(summary));
            SeedSpread::of(values).filter(|_| searched)
        };
        Self {
            label,
            runs: runs.iter().map(|run| run.name.clone()).collect(),
            groups: groups.iter().map(|(name, _)| of_group(name)).collect(),
            worst: SeedSpread::of(
                summaries
                    .iter()
                    .filter_map(|summary| summary.worst_of(contestant)?.value),
            ),
            gain: over_runs(|summary| {
                summary.worst_of(AuditedPrompt::Selected)?;
                Some(summary.worst.as_ref()?.value)
            }),
            calls: over_runs(|summary| Some(summary.spent?.calls as f64)),
        }
    }
}
