//! Constants chosen on some families of outcomes and measured on another.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::run::Regrets;
use super::setting::{BenchPlan, BenchSetting};
use crate::posterior::PosteriorConstants;

/// Regret in units of the score at one budget.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeldOutRegret {
    /// Evaluations; absent for all.
    pub budget: Option<usize>,
    /// The baseline's regret of the mean.
    pub baseline_mean: f64,
    /// The baseline's regret of the worst tenth.
    pub baseline_cvar10: f64,
    /// The chosen constants' regret of the mean.
    pub mean: f64,
    /// The chosen constants' regret of the worst tenth.
    pub cvar10: f64,
}

/// One family, judged with constants that never saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldOutFamily {
    /// The family.
    pub family: String,
    /// Name of the constants chosen on the others.
    pub chosen: String,
    /// Per budget.
    pub regrets: Vec<HeldOutRegret>,
}

/// What constants are worth on outcomes that they were not chosen on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldOutReport {
    /// The rule whose constants were chosen.
    pub rule: String,
    /// Every family once left out.
    pub families: Vec<HeldOutFamily>,
    /// Average over families, each counting once.
    pub overall: Vec<HeldOutRegret>,
}

/// The family of a setting: its matrix's name up to a `/`, an `@` or a space.
pub fn family(setting: &str) -> &str {
    setting.split(['/', '@', ' ']).next().unwrap_or(setting)
}

/// The constants tried, with their names.
pub fn constants_grid() -> Vec<(String, PosteriorConstants)> {
    let mut grid = Vec::new();
    for unevenness in [0.0, 0.75, 1.5] {
        for optimism in [0.0, 1.0, 2.0] {
            let constants = PosteriorConstants {
                unevenness,
                optimism,
                ..PosteriorConstants::default()
            };
            grid.push((
                format!("unevenness {unevenness}, optimism {optimism}"),
                constants,
            ));
        }
    }
    grid
}

/// Leaves each family of `settings` out in turn: of `variants` (columns of
/// `regrets` with their names) takes the one that does best on the other families,
/// by the mean over budgets and families of its regret of the mean relative to the
/// baseline's (column 0), and reads its regret on the family left out. `None` with
/// fewer than two families or no variant.
pub fn leave_one_family_out(
    rule: &str,
    variants: &[(usize, String)],
    settings: &[BenchSetting],
    plan: &BenchPlan,
    regrets: &[Regrets],
) -> Option<HeldOutReport> {
    let of_setting: Vec<&str> = settings.iter().map(|s| family(&s.name)).collect();
    let names: BTreeSet<&str> = of_setting.iter().copied().collect();
    if names.len() < 2 || variants.is_empty() {
        return None;
    }
    // Mean and worst tenth of a column at a budget over a family's settings.
    let regret = |family: &str, column: usize, budget: usize| {
        let (mut mean, mut cvar10, mut count) = (0.0, 0.0, 0.0);
        let own = of_setting
            .iter()
            .zip(regrets)
            .filter(|(f, _)| **f == family);
        for pick in own.flat_map(|(_, regrets)| &regrets[column][budget]) {
            mean += pick.mean;
            cvar10 += pick.cvar10;
            count += 1.0;
        }
        (mean / count, cvar10 / count)
    };
    let budgets = 0..plan.budgets.len();
    let cost = |family: &str, column: usize| {
        let ratio = |b| regret(family, column, b).0 / regret(family, 0, b).0.max(1e-4);
        budgets.clone().map(ratio).sum::<f64>()
    };
    let families: Vec<HeldOutFamily> = names
        .iter()
        .map(|&left_out| {
            let others = names.iter().filter(|&&name| name != left_out);
            let total = |column: usize| others.clone().map(|f| cost(f, column)).sum::<f64>();
            let (column, chosen) = variants
                .iter()
                .map(|variant| (total(variant.0), variant))
                .reduce(|best, next| if next.0 < best.0 { next } else { best })
                .map(|(_, variant)| variant.clone())
                .unwrap_or_default();
            let row = |b: usize| {
                let (base, own) = (regret(left_out, 0, b), regret(left_out, column, b));
                HeldOutRegret {
                    budget: Some(plan.budgets[b]).filter(|budget| *budget != usize::MAX),
                    baseline_mean: base.0,
                    baseline_cvar10: base.1,
                    mean: own.0,
                    cvar10: own.1,
                }
            };
            HeldOutFamily {
                family: left_out.to_owned(),
                chosen,
                regrets: budgets.clone().map(row).collect(),
            }
        })
        .collect();
    let average = |b: usize| {
        let of = |f: fn(&HeldOutRegret) -> f64| {
            families.iter().map(|own| f(&own.regrets[b])).sum::<f64>() / families.len() as f64
        };
        HeldOutRegret {
            budget: families[0].regrets[b].budget,
            baseline_mean: of(|r| r.baseline_mean),
            baseline_cvar10: of(|r| r.baseline_cvar10),
            mean: of(|r| r.mean),
            cvar10: of(|r| r.cvar10),
        }
    };
    Some(HeldOutReport {
        rule: rule.to_owned(),
        overall: budgets.clone().map(average).collect(),
        families,
    })
}

impl HeldOutReport {
    /// A table for people, in points.
    pub fn text(&self, baseline: &str) -> String {
        let mut out = String::new();
        let _ = writeln!(
            out,
            "{} with constants chosen on the other families, points; change against {baseline}",
            self.rule
        );
        let _ = writeln!(
            out,
            "{:<20}{:>7}{:>10}{:>10}{:>10}{:>10}",
            "family left out", "budget", "mean", "", "cvar10", ""
        );
        for own in &self.families {
            rows(&mut out, &own.family, &own.regrets);
            let _ = writeln!(out, "{:<20}  {}", "", own.chosen);
        }
        rows(&mut out, "all, each once", &self.overall);
        out
    }
}

fn rows(out: &mut String, name: &str, regrets: &[HeldOutRegret]) {
    for (at, row) in regrets.iter().enumerate() {
        let budget = row.budget.map_or_else(|| "all".into(), |b| b.to_string());
        let change = |own: f64, base: f64| {
            if base > 0.0 {
                format!("{:+.0}%", 100.0 * (own / base - 1.0))
            } else {
                "-".to_owned()
            }
        };
        let _ = writeln!(
            out,
            "{:<20}{budget:>7}{:>10.2}{:>10}{:>10.2}{:>10}",
            if at == 0 { name } else { "" },
            100.0 * row.mean,
            change(row.mean, row.baseline_mean),
            100.0 * row.cvar10,
            change(row.cvar10, row.baseline_cvar10)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{GroupSplit, PickRegret};

    fn setting(name: &str) -> BenchSetting {
        BenchSetting {
            name: name.into(),
            matrix: 0,
            split: GroupSplit::Random,
        }
    }

    fn column(mean: f64) -> Vec<Vec<PickRegret>> {
        let pick = PickRegret {
            mean,
            worst: 0.5,
            cvar10: 2.0 * mean,
        };
        vec![vec![pick; 2]]
    }

    #[test]
    fn families_are_named_by_their_matrix() {
        assert_eq!(family("sets/trec random"), "sets");
        assert_eq!(family("maths gsm→rest"), "maths");
        assert_eq!(family("judges@mistral hard→easy"), "judges");
        assert_eq!(family("one"), "one");
    }

    /// Variant 1 is best on a and b, variant 2 on c: whoever is left out is judged
    /// by what the other two prefer, never by what it would have chosen itself.
    #[test]
    fn left_out_family_has_no_say() {
        let settings = ["a/1 random", "a/2 random", "b random", "c random"].map(setting);
        let baseline = || column(0.10);
        let regrets: Vec<Regrets> = vec![
            vec![baseline(), column(0.04), column(0.20)],
            vec![baseline(), column(0.06), column(0.20)],
            vec![baseline(), column(0.08), column(0.12)],
            vec![baseline(), column(0.15), column(0.01)],
        ];
        let plan = BenchPlan {
            budgets: vec![100],
            repeats: 2,
            ..BenchPlan::default()
        };
        let variants = [(1, "one".to_owned()), (2, "two".to_owned())];
        let report = leave_one_family_out("r", &variants, &settings, &plan, &regrets).unwrap();
        let chosen: Vec<(&str, &str)> = report
            .families
            .iter()
            .map(|f| (f.family.as_str(), f.chosen.as_str()))
            .collect();
        // a out: one .8 + 1.5, two 1.2 + .1. b out: one .5 + 1.5, two 2 + .1.
        // c out: one .5 + .8, two 2 + 1.2.
        assert_eq!(chosen, [("a", "two"), ("b", "one"), ("c", "one")]);
        let mean: Vec<f64> = report.families.iter().map(|f| f.regrets[0].mean).collect();
        for (got, want) in mean.iter().zip([0.20, 0.08, 0.15]) {
            assert!((got - want).abs() < 1e-12, "{mean:?}");
        }
        let all = report.overall[0];
        assert!((all.mean - 0.43 / 3.0).abs() < 1e-12 && (all.baseline_mean - 0.1).abs() < 1e-12);
        assert!((all.cvar10 - 2.0 * all.mean).abs() < 1e-12);
        let text = report.text("halving");
        assert!(text.contains("+43%") && text.contains("two"), "{text}");
        assert!(leave_one_family_out("r", &[], &settings, &plan, &regrets).is_none());
        assert!(
            leave_one_family_out("r", &variants, &settings[..2], &plan, &regrets[..2]).is_none()
        );
    }

    #[test]
    fn default_constants_are_on_the_grid() {
        let grid = constants_grid();
        let default = PosteriorConstants::default();
        assert!(grid.iter().any(|(_, constants)| *constants == default));
        let names: BTreeSet<&String> = grid.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), grid.len());
    }
}
