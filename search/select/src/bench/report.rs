//! Tables of a replay.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::run::Regrets;
use super::setting::{BenchPlan, BenchSetting, PickRegret};

/// A mean with its standard error, in units of the score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanWithError {
    /// Mean over repeats (or over settings).
    pub value: f64,
    /// Standard error over repeats; for an average over settings, that of the
    /// repeats within them. Absent where there is one repeat.
    #[serde(default)]
    pub error: Option<f64>,
}

/// Regrets of one rule at one budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleRegrets {
    /// The rule.
    pub rule: String,
    /// Evaluations it could spend; absent for all.
    pub budget: Option<usize>,
    /// Regret of the mean over target groups.
    pub mean: MeanWithError,
    /// Regret of the worst target group.
    pub worst: MeanWithError,
    /// Regret of the mean over the worst tenth of target groups.
    pub cvar10: MeanWithError,
    /// Regret of the mean less the baseline's on the same repeats; negative is
    /// better.
    pub mean_to_baseline: MeanWithError,
    /// The same for the worst tenth.
    pub cvar10_to_baseline: MeanWithError,
    /// Regret of the mean less the plain mean rule's (`uniform`), where that
    /// rule was replayed.
    #[serde(default)]
    pub mean_to_plain: Option<MeanWithError>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettingReport {
    /// Matrix and direction.
    pub name: String,
    /// Budget-major, rules in the order given.
    pub rows: Vec<RuleRegrets>,
}

/// A whole replay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    /// Repeats per setting.
    pub repeats: usize,
    /// Seed.
    pub seed: u64,
    /// The rule others are held against: the first.
    pub baseline: String,
    /// Average over settings, each counting once.
    pub overall: Vec<RuleRegrets>,
    /// Every setting.
    pub settings: Vec<SettingReport>,
}

/// The plain mean rule.
const PLAIN: &str = "uniform";
/// A rule loses a setting to the plain mean rule when its regret is larger by
/// this share of it, and by more than two standard errors.
const MARGIN: f64 = 0.05;

fn estimate(values: impl Iterator<Item = f64> + Clone) -> MeanWithError {
    let n = values.clone().count() as f64;
    let value = values.clone().sum::<f64>() / n;
    let spread = values.map(|x| (x - value).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    MeanWithError {
        value,
        error: (n > 1.0).then(|| (spread / n).sqrt()),
    }
}

fn average<'a>(parts: impl Iterator<Item = &'a MeanWithError>) -> MeanWithError {
    let (mut n, mut value, mut variance) = (0.0, 0.0, Some(0.0));
    for part in parts {
        n += 1.0;
        value += part.value;
        variance = variance
            .zip(part.error)
            .map(|(sum, error)| sum + error * error);
    }
    MeanWithError {
        value: value / n,
        error: variance.map(|sum: f64| sum.sqrt() / n),
    }
}

impl BenchReport {
    /// Sums up what [`super::replay`] returned for these settings, rules and
    /// plan.
    pub fn new(
        settings: &[BenchSetting],
        rules: &[&str],
        plan: &BenchPlan,
        regrets: &[Regrets],
    ) -> Self {
        let pick = |f: fn(&PickRegret) -> f64| f;
        let plain = rules.iter().position(|&rule| rule == PLAIN);
        let settings: Vec<SettingReport> = settings
            .iter()
            .zip(regrets)
            .map(|(setting, regrets)| {
                let mut rows = Vec::with_capacity(rules.len() * plan.budgets.len());
                for (b, &budget) in plan.budgets.iter().enumerate() {
                    for (r, rule) in rules.iter().enumerate() {
                        let own = &regrets[r][b];
                        let base = &regrets[0][b];
                        let of = |f: fn(&PickRegret) -> f64| estimate(own.iter().map(f));
                        let against = |f: fn(&PickRegret) -> f64| {
                            estimate(own.iter().zip(base).map(move |(a, b)| f(a) - f(b)))
                        };
                        let plain = plain.map(|at| {
                            let plain = &regrets[at][b];
                            estimate(own.iter().zip(plain).map(|(a, b)| a.mean - b.mean))
                        });
                        rows.push(RuleRegrets {
                            mean_to_plain: plain,
                            rule: (*rule).to_owned(),
                            budget: (budget != usize::MAX).then_some(budget),
                            mean: of(pick(|x| x.mean)),
                            worst: of(pick(|x| x.worst)),
                            cvar10: of(pick(|x| x.cvar10)),
                            mean_to_baseline: against(pick(|x| x.mean)),
                            cvar10_to_baseline: against(pick(|x| x.cvar10)),
                        });
                    }
                }
                SettingReport {
                    name: setting.name.clone(),
                    rows,
                }
            })
            .collect();
        let count = settings.first().map_or(0, |s| s.rows.len());
        let overall = (0..count)
            .map(|at| {
                let column = || settings.iter().map(move |s| &s.rows[at]);
                RuleRegrets {
                    rule: settings[0].rows[at].rule.clone(),
                    budget: settings[0].rows[at].budget,
                    mean: average(column().map(|r| &r.mean)),
                    worst: average(column().map(|r| &r.worst)),
                    cvar10: average(column().map(|r| &r.cvar10)),
                    mean_to_baseline: average(column().map(|r| &r.mean_to_baseline)),
                    cvar10_to_baseline: average(column().map(|r| &r.cvar10_to_baseline)),
                    mean_to_plain: settings[0].rows[at]
                        .mean_to_plain
                        .map(|_| average(column().filter_map(|r| r.mean_to_plain.as_ref()))),
                }
            })
            .collect();
        Self {
            repeats: plan.repeats,
            seed: plan.seed,
            baseline: rules.first().copied().unwrap_or_default().to_owned(),
            overall,
            settings,
        }
    }

    /// A table for people, in points (hundredths of the score), `value±error`:
    /// the average over settings, and every setting where `detail`.
    pub fn text(&self, detail: bool) -> String {
        let mut out = String::new();
        let _ = writeln!(
            out,
            "regret on the target, points, {} settings × {} repeats; Δ against {}",
            self.settings.len(),
            self.repeats,
            self.baseline
        );
        table(&mut out, &self.overall);
        self.losses(&mut out);
        for setting in self.settings.iter().filter(|_| detail) {
            let _ = writeln!(out, "\n{}", setting.name);
            table(&mut out, &setting.rows);
        }
        out
    }
}

impl BenchReport {
    /// In which settings a rule does worse than the plain mean rule, beyond
    /// noise.
    fn losses(&self, out: &mut String) {
        // One repeat has no standard error.
        if self.repeats < 2 || self.overall.iter().all(|row| row.mean_to_plain.is_none()) {
            return;
        }
        let _ = writeln!(
            out,
            "\nsettings with more regret of the mean than {PLAIN}, by over {:.0}% and two standard errors:",
            100.0 * MARGIN
        );
        for (at, row) in self.overall.iter().enumerate() {
            if row.rule == PLAIN {
                continue;
            }
            let lost: Vec<String> = self
                .settings
                .iter()
                .filter_map(|setting| {
                    let row = &setting.rows[at];
                    let gap = row.mean_to_plain?;
                    let base = row.mean.value - gap.value;
                    let worse = gap.value > MARGIN * base && gap.value > 2.0 * gap.error?;
                    worse.then(|| format!("{} (+{:.1})", setting.name, 100.0 * gap.value))
                })
                .collect();
            let list = if lost.is_empty() {
                "none".to_owned()
            } else {
                lost.join(", ")
            };
            let _ = writeln!(out, "{:>7}  {:<12} {list}", budget(row), row.rule);
        }
    }
}

fn budget(row: &RuleRegrets) -> String {
    row.budget
        .map_or_else(|| "all".to_owned(), |b| b.to_string())
}

fn table(out: &mut String, rows: &[RuleRegrets]) {
    let _ = writeln!(
        out,
        "{:>7}  {:<12}{:>12}{:>12}{:>12}{:>13}{:>13}",
        "budget", "rule", "mean", "worst", "cvar10", "Δ mean", "Δ cvar10"
    );
    let cell = |e: MeanWithError| match e.error {
        Some(error) => format!("{:.2}±{:.2}", 100.0 * e.value, 100.0 * error),
        None => format!("{:.2}", 100.0 * e.value),
    };
    for row in rows {
        let _ = writeln!(
            out,
            "{:>7}  {:<12}{:>12}{:>12}{:>12}{:>13}{:>13}",
            budget(row),
            row.rule,
            cell(row.mean),
            cell(row.worst),
            cell(row.cvar10),
            cell(row.mean_to_baseline),
            cell(row.cvar10_to_baseline)
        );
    }
}
