use std::fmt::Write as _;
use std::fs;

use super::*;
use crate::stats::special::t_cdf;
use crate::{self as select, AllocationRule};

type Make = fn(u64) -> Box<dyn AllocationRule>;

fn rules(names: &[&'static str]) -> Vec<(&'static str, Make)> {
    let make = |name: &str| -> Make {
        match name {
            "uniform" => |seed| select::rule("uniform", seed).unwrap(),
            "halving" => |seed| select::rule("halving", seed).unwrap(),
            "watcher" => |_| Box::new(Watcher),
            "tail" => |seed| {
                let objective = select::by_name("cvar").unwrap();
                Box::new(select::PosteriorRule::with_objective(
                    seed,
                    objective.into(),
                ))
            },
            _ => |seed| select::rule("posterior", seed).unwrap(),
        }
    };
    names.iter().map(|&name| (name, make(name))).collect()
}

fn run(worlds: &[SyntheticEffects], names: &[&'static str], budgets: Vec<usize>) -> Vec<Regrets> {
    let matrices: Vec<OutcomeMatrix> = worlds.iter().map(SyntheticEffects::draw).collect();
    let settings: Vec<BenchSetting> = worlds
        .iter()
        .enumerate()
        .map(|(i, w)| w.setting(i))
        .collect();
    let rules = rules(names);
    let contestants: Vec<TestedRule<'_>> = rules
        .iter()
        .map(|(name, make)| TestedRule {
            name,
            make: make as &(dyn Fn(u64) -> _ + Sync),
            labelled: name.ends_with('+'),
            shares: name.ends_with('%'),
        })
        .collect();
    replay(
        &matrices,
        &settings,
        &contestants,
        &BenchPlan {
            budgets,
            repeats: 1,
            labelled: 50,
            seed: 5,
            threads: 2,
        },
    )
}

/// Where prompts differ in how they hold, an objective of the tail beats the mean
/// rule on the worst of the shifted target.
#[test]
fn planted_shift_is_met() {
    let worlds: Vec<SyntheticEffects> = (0..80)
        .map(|seed| SyntheticEffects {
            seed,
            ..SyntheticEffects::default()
        })
        .collect();
    let got = run(&worlds, &["uniform", "tail"], vec![usize::MAX]);
    let gains: Vec<f64> = got
        .iter()
        .map(|r| r[0][0][0].cvar10 - r[1][0][0].cvar10)
        .collect();
    let p = one_sided(&gains);
    assert!(p < 0.001, "p = {p:.5}");
}

/// p-value of the t-test that gains are above 0.
fn one_sided(gains: &[f64]) -> f64 {
    let n = gains.len() as f64;
    let mean = gains.iter().sum::<f64>() / n;
    let spread = gains.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / (n - 1.0);
    t_cdf(-mean / (spread / n).sqrt(), n - 1.0)
}

/// Fifty target labels, or the target's shares of classes alone, beat nothing
/// known of the target where its classes come in other shares; at full information
/// about the source too, which cannot tell.
#[test]
fn class_shares_meet_prevalence_shift() {
    let (_, family) = SyntheticEffects::families()
        .into_iter()
        .find(|(name, _)| *name == "prevalence")
        .unwrap();
    let worlds: Vec<SyntheticEffects> = (0..40)
        .map(|seed| SyntheticEffects {
            seed,
            ..family.clone()
        })
        .collect();
    let names = ["posterior", "posterior+", "posterior%"];
    let got = run(&worlds, &names, vec![1000, usize::MAX]);
    for (budget, rule) in [(0, 1), (1, 1), (1, 2)] {
        let gains: Vec<f64> = got
            .iter()
            .map(|r| r[0][budget][0].mean - r[rule][budget][0].mean)
            .collect();
        let p = one_sided(&gains);
        assert!(p < 0.001, "{}: p = {p:.5}", names[rule]);
    }
}

/// Where the shares do not shift, being told so costs nothing.
#[test]
fn equal_shares_change_no_pick() {
    let worlds: Vec<SyntheticEffects> = (0..10)
        .map(|seed| SyntheticEffects {
            seed,
            strictness: 0.8,
            prevalence: (1.0, 1.0),
            ..SyntheticEffects::default()
        })
        .collect();
    for regrets in run(&worlds, &["posterior", "posterior%"], vec![500, usize::MAX]) {
        assert_eq!(regrets[0], regrets[1]);
    }
}

/// Picks the first candidate and checks what it is shown.
#[derive(Debug)]
struct Watcher;

impl AllocationRule for Watcher {
    fn name(&self) -> &'static str {
        "watcher"
    }

    fn next(
        &mut self,
        problem: &select::SelectionProblem,
        scores: &select::OutcomeTable,
        _remaining: usize,
        _dropped: &mut Vec<select::Elimination>,
    ) -> select::AllocationStep {
        let shown: usize = problem.groups.iter().map(|g| g.examples.len()).sum();
        assert_eq!(shown, scores.examples());
        assert!(problem.groups.iter().all(|g| g.name.starts_with("source")));
        select::AllocationStep::Pick(select::Selection {
            candidate: 0,
            ranking: vec![0],
            reason: String::new(),
        })
    }
}

/// A rule without labels does not learn that there is a target.
#[test]
fn target_labels_stay_hidden() {
    run(&[SyntheticEffects::default()], &["watcher"], vec![50]);
}

/// Regret falls as the budget grows, and a world without effects has none.
#[test]
fn regret_behaves() {
    let worlds: Vec<SyntheticEffects> = (0..30)
        .map(|seed| SyntheticEffects {
            seed,
            fragile: 0.0,
            ..SyntheticEffects::default()
        })
        .collect();
    let got = run(&worlds, &["halving"], vec![100, 3000]);
    let at = |b: usize| got.iter().map(|r| r[0][b][0].mean).sum::<f64>();
    assert!(at(1) < 0.6 * at(0), "{} then {}", at(0), at(1));
    assert!(
        got.iter()
            .flatten()
            .flatten()
            .flatten()
            .all(|r| r.mean >= 0.0 && r.worst >= 0.0)
    );
    let null = run(&[SyntheticEffects::null(1)], &["posterior"], vec![200]);
    assert!(null[0][0][0][0].mean.abs() < 1e-12);
}

#[test]
fn outcomes_estimate_planted_truth() {
    let world = SyntheticEffects {
        examples: 4_000,
        prompts: 3,
        groups: 4,
        label_noise: 0.0,
        judge_noise: 0.0,
        ..SyntheticEffects::default()
    };
    let matrix = world.draw();
    let truth = matrix.truth.clone().unwrap();
    let columns = matrix.group_of.len();
    for p in 0..3 {
        for g in 0..4 {
            let cells = &matrix.outcomes[p * columns + g * 4_000..p * columns + (g + 1) * 4_000];
            let mean = f64::from(cells.iter().sum::<f32>()) / 4_000.0;
            // Five standard errors of a coin.
            assert!((mean - truth[p * 4 + g]).abs() < 0.04);
        }
    }
}

/// Writes a small matrix and lets `change` spoil it.
fn directory(
    change: impl Fn(&mut String, &mut String, &mut String, &mut Vec<u8>),
) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut meta =
        r#"{"name":"tiny","format_version":1,"kind":"example","n_prompts":2,"n_examples":4,
        "llms":[{"id":"m","file":"outcomes.m.bin","dtype":"u8"}]}"#
            .to_owned();
    let mut prompts = "{\"id\":0,\"text\":\"a\"}\n{\"id\":1,\"text\":\"b\"}\n".to_owned();
    let mut examples = "id,group,site\n0,x,u\n1,x,u\n2,y,v\n3,\"z, w\",v\n".to_owned();
    let mut bytes = vec![1, 0, 1, 255, 0, 0, 1, 1];
    change(&mut meta, &mut prompts, &mut examples, &mut bytes);
    fs::write(dir.path().join("meta.json"), meta).unwrap();
    fs::write(dir.path().join("prompts.jsonl"), prompts).unwrap();
    fs::write(dir.path().join("examples.csv"), examples).unwrap();
    fs::write(dir.path().join("outcomes.m.bin"), bytes).unwrap();
    dir
}

#[test]
fn directory_is_read() {
    let dir = directory(|_, _, _, _| ());
    assert_eq!(find(dir.path()).unwrap(), [dir.path()]);
    let matrix = &load(dir.path()).unwrap()[0];
    assert_eq!(matrix.groups, ["x", "y", "z, w"]);
    assert_eq!(matrix.group_of, [0, 0, 1, 2]);
    assert!(matrix.outcomes[3].is_nan());
    let names: Vec<String> = settings(0, matrix).into_iter().map(|s| s.name).collect();
    assert_eq!(
        names,
        [
            "tiny random",
            "tiny u→rest",
            "tiny rest→u",
            "tiny hard→easy",
            "tiny easy→hard"
        ]
    );
}

/// What is written is read again, missing outcomes included.
#[test]
fn matrix_survives_its_folder() {
    let matrix = OutcomeMatrix::recorded(
        "own",
        vec!["a".into(), "b, \"c\"".into()],
        vec!["x".into(), "y, z".into()],
        vec![0, 1, 1],
        vec![1.0, 0.25, f32::NAN, 0.0, 1.0, 0.5],
    );
    let dir = tempfile::tempdir().unwrap();
    matrix.write(dir.path()).unwrap();
    let back = &load(dir.path()).unwrap()[0];
    assert_eq!(back.groups, matrix.groups);
    assert_eq!(back.group_of, matrix.group_of);
    let bits = |m: &OutcomeMatrix| m.outcomes.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(back), bits(&matrix));
    assert!(back.prompts[1].ends_with("b, \"c\""));
}

#[test]
fn errors_name_file_and_line() {
    #[track_caller]
    fn check(change: impl Fn(&mut String, &mut String, &mut String, &mut Vec<u8>), want: &str) {
        let dir = directory(change);
        let error = load(dir.path()).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    check(
        |m, _, _, _| *m = m.replace("version\":1", "version\":9"),
        "meta.json: format_version 9",
    );
    check(|m, _, _, _| m.truncate(20), "meta.json:1:");
    check(|_, p, _, _| p.push('{'), "prompts.jsonl:3:");
    check(
        |_, p, _, _| *p = p.replace("\"id\":1", "\"id\":7"),
        "prompts.jsonl:2: id 7 where row 1",
    );
    check(
        |_, _, e, _| *e = e.replace("group", "gruppe"),
        "examples.csv:1: no column `group`",
    );
    check(|_, _, e, _| e.push_str("4,x\n"), "examples.csv:6");
    check(|_, _, _, b| b.truncate(7), "outcomes.m.bin: 7 bytes");
    let nowhere = load(std::path::Path::new("/nonexistent"))
        .unwrap_err()
        .to_string();
    assert!(nowhere.contains("/nonexistent/meta.json"));
}

#[test]
fn report_adds_up() {
    let worlds: Vec<SyntheticEffects> = (0..3)
        .map(|seed| SyntheticEffects {
            seed,
            ..SyntheticEffects::default()
        })
        .collect();
    let settings: Vec<BenchSetting> = worlds
        .iter()
        .enumerate()
        .map(|(i, w)| w.setting(i))
        .collect();
    let plan = BenchPlan {
        budgets: vec![50, usize::MAX],
        repeats: 1,
        labelled: 0,
        seed: 5,
        threads: 1,
    };
    let got = run(&worlds, &["halving", "posterior"], plan.budgets.clone());
    let report = BenchReport::new(&settings, &["halving", "posterior"], &plan, &got);
    let row = &report.overall[3];
    assert_eq!((row.rule.as_str(), row.budget), ("posterior", None));
    let by_hand: f64 = got.iter().map(|r| r[1][1][0].mean).sum::<f64>() / 3.0;
    assert!((row.mean.value - by_hand).abs() < 1e-12);
    assert!((report.overall[2].mean_to_baseline.value).abs() < 1e-12);
    let text = report.text(true);
    assert!(text.contains("planted-2"));
    // One repeat says nothing of its own spread.
    assert_eq!(row.mean.error, None);
    assert!(!text.contains('±'), "{text}");
    let back: BenchReport = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(back.overall.len(), 4);
}

/// A column of 0 and 1 that is called `label` or begins with `rel` tells classes.
#[test]
fn classes_come_from_their_column() {
    let with = |header: &str, values: [&str; 4]| {
        let dir = directory(|_, _, examples, _| {
            *examples = format!("id,group,{header}\n");
            for (id, (group, value)) in ["x", "x", "y", "z"].iter().zip(values).enumerate() {
                let _ = writeln!(examples, "{id},{group},{value}");
            }
        });
        load(dir.path()).unwrap()[0].classes()
    };
    assert_eq!(with("label", ["0", "1", "1", "0"]), Some(vec![0, 1, 1, 0]));
    assert_eq!(with("rel2", ["1", "1", "1", "0"]), Some(vec![1, 1, 1, 0]));
    assert_eq!(with("label", ["0", "1", "2", "0"]), None, "three values");
    assert_eq!(with("site", ["0", "1", "1", "0"]), None);
}

/// Directed splits both ways, none that leaves a side empty, and draws that are a
/// partition.
#[test]
fn splits_are_partitions() {
    let matrix = SyntheticEffects {
        groups: 7,
        examples: 12,
        prevalence: (0.3, 0.8),
        ..SyntheticEffects::default()
    }
    .draw();
    let all = settings(3, &matrix);
    let names: Vec<&str> = all.iter().map(|s| s.name.as_str()).collect();
    for part in [
        "random",
        "low prevalence→high",
        "high→low prevalence",
        "hard→easy",
    ] {
        assert!(names.iter().any(|name| name.ends_with(part)), "{names:?}");
    }
    for setting in &all {
        assert_eq!(setting.matrix, 3);
        let mut rng = crate::stats::rng::SplitMix::new(5);
        let (source, target) = setting.draw(7, &mut rng);
        let mut both: Vec<u32> = source.iter().chain(&target).copied().collect();
        both.sort_unstable();
        assert_eq!(both, (0..7).collect::<Vec<_>>(), "{}", setting.name);
        assert!(!source.is_empty() && !target.is_empty());
    }
    // Random halves differ from repeat to repeat, directed ones do not.
    let draws = |at: usize| {
        let drawn = (0..8).map(|seed| {
            let mut rng = crate::stats::rng::SplitMix::new(seed);
            all[at].draw(7, &mut rng).0
        });
        drawn.collect::<std::collections::BTreeSet<_>>().len()
    };
    assert!(draws(0) > 1);
    assert_eq!(draws(1), 1);
    let one = OutcomeMatrix::recorded(
        "m",
        vec!["a".into(), "b".into()],
        vec!["g".into()],
        vec![0],
        vec![0.0, 1.0],
    );
    assert!(settings(0, &one).is_empty(), "one group cannot be split");
}

/// Accuracies of cells are sold as outcomes that average to them.
#[test]
fn cells_are_sold_as_outcomes() {
    let dir = directory(|meta, _, examples, bytes| {
        *meta = meta.replace("\"example\"", "\"cell\"").replace("u8", "f32");
        *examples = "id,group,n_items\n0,x,40\n1,x,40\n2,y,40\n3,z,40\n".to_owned();
        let accuracies = [0.25_f32, 0.5, 1.0, 0.0, 0.75, 0.5, 0.0, f32::NAN];
        *bytes = accuracies.iter().flat_map(|x| x.to_le_bytes()).collect();
    });
    let matrix = &load(dir.path()).unwrap()[0];
    assert_eq!(matrix.kind, ColumnKind::Cell { items: 40 });
    let matrices = [matrix.clone()];
    let setting = BenchSetting {
        name: "cells".into(),
        matrix: 0,
        split: GroupSplit::Fixed(vec![0]),
    };
    let make = |seed| select::rule("uniform", seed).unwrap();
    let rule = TestedRule {
        name: "uniform",
        make: &make,
        labelled: false,
        shares: false,
    };
    let plan = BenchPlan {
        budgets: vec![usize::MAX],
        repeats: 3,
        threads: 1,
        ..BenchPlan::default()
    };
    let regrets = replay(&matrices, &[setting], &[rule], &plan);
    // The source prefers the second prompt (0.625 to 0.375). On the target it has 0
    // on y, the first 1 there and 0 on z, where the second has no outcome: means of
    // 0.5 and 0, worst of 0 both.
    for pick in &regrets[0][0][0] {
        assert_eq!((pick.mean, pick.worst), (0.5, 0.0));
    }
}
