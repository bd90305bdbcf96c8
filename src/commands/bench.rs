use std::io::IsTerminal;
use std::path::Path;
use std::time::Instant;

use shiftproof_search::replay::{
    self, BenchPlan, BenchReport, BenchSetting, OutcomeMatrix, SyntheticEffects, TestedRule,
};
use shiftproof_search::select::{self, AllocationRule};

use super::{note, print, write};
use crate::cli::{BenchAction, BenchArgs, BenchSelect};
use crate::exit::{ExitStatus, Failure};
use crate::report::to_json;
use crate::stored;
use crate::word_diff::visible;

/// Ends the name of a rule that may also buy outcomes on labelled target
/// examples.
const WITH_LABELS: char = '+';

pub(super) fn run(args: BenchArgs) -> Result<ExitStatus, Failure> {
    match args.action {
        BenchAction::Select(args) => select(&args),
    }
}

fn select(args: &BenchSelect) -> Result<ExitStatus, Failure> {
    if let Some(path) = args
        .output
        .iter()
        .find(|path| path.extension().is_none_or(|ending| ending != "json"))
    {
        return Err(Failure::usage(format!(
            "cannot write {}: use the ending .json",
            path.display()
        )));
    }
    let (matrices, settings) = worlds(args)?;
    let names = rules(args)?;
    let plan = BenchPlan {
        budgets: budgets(args)?,
        repeats: args.repeats.max(1),
        labelled: args.labelled,
        seed: args.seed,
        threads: num_cpus::get_physical(),
    };
    if std::io::stderr().is_terminal() {
        note(&format!(
            "replaying {} rules over {} settings, {} repeats of {} budgets",
            names.len(),
            settings.len(),
            plan.repeats,
            plan.budgets.len()
        ));
    }
    let makers: Vec<_> = names
        .iter()
        .map(|name| {
            let name = name.trim_end_matches(WITH_LABELS).to_owned();
            move |seed| select::rule(&name, seed).expect("names are checked before")
        })
        .collect();
    let contestants: Vec<TestedRule<'_>> = names
        .iter()
        .zip(&makers)
        .map(|(name, make)| TestedRule {
            name,
            make: make as &(dyn Fn(u64) -> Box<dyn AllocationRule> + Sync),
            labelled: name.ends_with(WITH_LABELS),
        })
        .collect();
    let began = Instant::now();
    let regrets = replay::replay(&matrices, &settings, &contestants, &plan);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let report = BenchReport::new(&settings, &names, &plan, &regrets);
    for path in &args.output {
        write(path, &to_json(&report)?)?;
    }
    if args.json {
        print(&to_json(&report)?)?;
    } else {
        print(&visible(&report.text(args.detail)))?;
        note(&format!("Took {:.0} s.", began.elapsed().as_secs_f64()));
    }
    Ok(ExitStatus::Done)
}

/// Everything there is to replay: recorded outcomes and planted worlds.
fn worlds(args: &BenchSelect) -> Result<(Vec<OutcomeMatrix>, Vec<BenchSetting>), Failure> {
    let mut matrices = Vec::new();
    let mut settings = Vec::new();
    for folder in &args.folders {
        let found = replay::find(folder).map_err(Failure::from_error(ExitStatus::Data))?;
        for folder in found {
            load(&folder, &mut matrices, &mut settings)?;
        }
    }
    for run in &args.runs {
        let events = stored::events(&stored::folder(&args.store.store, run)?)?;
        let matrix = OutcomeMatrix::of_run(run, &events).ok_or_else(|| {
            Failure::usage(format!(
                "run {run} graded fewer than two prompts on ten examples of two groups: nothing to \
                 choose. `shiftproof eval STUDY -p … --record DIR` records more"
            ))
        })?;
        settings.extend(replay::settings(matrices.len(), &matrix));
        matrices.push(matrix);
    }
    for (name, world) in SyntheticEffects::families() {
        for seed in 0..args.planted {
            let world = SyntheticEffects {
                seed,
                ..world.clone()
            };
            let mut setting = world.setting(matrices.len());
            setting.name = format!("planted {name} {seed}");
            settings.push(setting);
            matrices.push(world.draw());
        }
    }
    settings.retain(|setting| {
        args.filter.is_empty() || args.filter.iter().any(|part| setting.name.contains(part))
    });
    if settings.is_empty() {
        return Err(Failure::usage(
            "nothing to replay: name a folder of recorded outcomes, --run RUN, or --planted N for N planted \
             worlds of each family; --filter may have left nothing",
        ));
    }
    Ok((matrices, settings))
}

fn load(
    folder: &Path,
    matrices: &mut Vec<OutcomeMatrix>,
    settings: &mut Vec<BenchSetting>,
) -> Result<(), Failure> {
    let loaded = replay::load(folder).map_err(Failure::from_error(ExitStatus::Data))?;
    for matrix in loaded {
        settings.extend(replay::settings(matrices.len(), &matrix));
        matrices.push(matrix);
    }
    Ok(())
}

fn rules(args: &BenchSelect) -> Result<Vec<String>, Failure> {
    for name in &args.rules {
        let bare = name.trim_end_matches(WITH_LABELS);
        if !select::rule_names().contains(&bare) {
            return Err(Failure::usage(format!(
                "there is no rule {bare:?}; there are {} (with a {WITH_LABELS} at its end a rule \
                 may also use labelled target examples)",
                select::rule_names().join(", ")
            )));
        }
    }
    Ok(args.rules.clone())
}

fn budgets(args: &BenchSelect) -> Result<Vec<usize>, Failure> {
    args.budgets
        .iter()
        .map(|text| match text.as_str() {
            "all" => Ok(usize::MAX),
            _ => text.parse().ok().filter(|n| *n > 0).ok_or_else(|| {
                Failure::usage(format!(
                    "a budget is a number of evaluations or \"all\", not {text:?}"
                ))
            }),
        })
        .collect()
}
