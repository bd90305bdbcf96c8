use std::io::IsTerminal;
use std::path::Path;
use std::time::Instant;

use shiftproof_search::bench::{
    self, BenchPlan, BenchReport, BenchSetting, OutcomeMatrix, SyntheticEffects, TestedRule,
};
use shiftproof_search::recorded::matrix_of_run;
use shiftproof_search::select::{self, AllocationRule, PosteriorRule};

use super::{note, print, write};
use crate::cli::{BenchAction, BenchArgs, BenchSelect};
use crate::exit::{ExitStatus, Failure};
use crate::report::to_json;
use crate::runs::stored;
use crate::wording::shown::visible;

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
    let plan = BenchPlan {
        budgets: args.budgets.clone(),
        repeats: args.repeats.max(1),
        labelled: args.labelled,
        seed: args.seed,
        threads: num_cpus::get_physical(),
    };
    if std::io::stderr().is_terminal() {
        note(&format!(
            "replaying {} rules over {} settings, {} repeats of {} budgets",
            args.rules.len(),
            settings.len(),
            plan.repeats,
            plan.budgets.len()
        ));
    }
    if args.leave_one_family_out {
        return held_out(args, &matrices, &settings, &plan);
    }
    let makers: Vec<_> = args
        .rules
        .iter()
        .map(|named| |seed| select::rule(&named.rule, seed).expect("clap has checked the name"))
        .collect();
    let tested: Vec<TestedRule<'_>> = args
        .rules
        .iter()
        .zip(&makers)
        .map(|(named, make)| TestedRule {
            name: &named.given,
            make: make as &(dyn Fn(u64) -> Box<dyn AllocationRule> + Sync),
            labelled: named.labelled,
            shares: named.shares,
        })
        .collect();
    let began = Instant::now();
    let regrets = bench::replay(&matrices, &settings, &tested, &plan);
    let names: Vec<&str> = args
        .rules
        .iter()
        .map(|named| named.given.as_str())
        .collect();
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

/// The first rule, then every `posterior` rule with constants that were chosen
/// without the family it is measured on.
fn held_out(
    args: &BenchSelect,
    matrices: &[OutcomeMatrix],
    settings: &[BenchSetting],
    plan: &BenchPlan,
) -> Result<ExitStatus, Failure> {
    let base = &args.rules[0];
    let baseline = |seed| select::rule(&base.rule, seed).expect("clap has checked the name");
    let chosen: Vec<_> = args.rules[1..]
        .iter()
        .filter(|named| named.rule == "posterior")
        .collect();
    if chosen.is_empty() {
        return Err(Failure::usage(
            "--leave-one-family-out chooses the constants of posterior, posterior+ or posterior%: \
             name one after the first of --rules",
        ));
    }
    let grid = bench::constants_grid();
    let makers: Vec<_> = grid
        .iter()
        .map(|(_, constants)| {
            let constants = *constants;
            move |seed| -> Box<dyn AllocationRule> {
                Box::new(PosteriorRule::with_constants(seed, constants))
            }
        })
        .collect();
    let mut tested = vec![TestedRule {
        name: &base.given,
        make: &baseline,
        labelled: base.labelled,
        shares: base.shares,
    }];
    for named in &chosen {
        for ((name, _), make) in grid.iter().zip(&makers) {
            tested.push(TestedRule {
                name,
                make,
                labelled: named.labelled,
                shares: named.shares,
            });
        }
    }
    let regrets = bench::replay(matrices, settings, &tested, plan);
    let mut reports = Vec::new();
    for (at, named) in chosen.iter().enumerate() {
        let columns = 1 + at * grid.len()..;
        let variants: Vec<(usize, String)> = columns
            .zip(grid.iter().map(|(name, _)| name.clone()))
            .collect();
        let report = bench::leave_one_family_out(&named.given, &variants, settings, plan, &regrets);
        reports.push(report.ok_or_else(|| {
            Failure::usage(
                "--leave-one-family-out needs outcomes of two families or more: name more folders",
            )
        })?);
    }
    for path in &args.output {
        write(path, &to_json(&reports)?)?;
    }
    if args.json {
        print(&to_json(&reports)?)?;
    } else {
        for report in &reports {
            print(&visible(&report.text(&base.given)))?;
            print("\n")?;
        }
    }
    Ok(ExitStatus::Done)
}

/// Everything there is to replay: recorded outcomes and planted worlds.
fn worlds(args: &BenchSelect) -> Result<(Vec<OutcomeMatrix>, Vec<BenchSetting>), Failure> {
    let mut matrices = Vec::new();
    let mut settings = Vec::new();
    for folder in &args.folders {
        let found = bench::find(folder).map_err(Failure::from_error(ExitStatus::Data))?;
        for folder in found {
            load(&folder, &mut matrices, &mut settings)?;
        }
    }
    for run in &args.runs {
        let events = stored::events(&stored::folder(&args.store.store, run)?)?;
        let matrix = matrix_of_run(run, &events).ok_or_else(|| {
            Failure::usage(format!(
                "run {run} graded fewer than two prompts on ten examples of two groups: nothing to \
                 choose. `shiftproof eval STUDY -p … --record DIR` records more"
            ))
        })?;
        settings.extend(bench::settings(matrices.len(), &matrix));
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
    let loaded = bench::load(folder).map_err(Failure::from_error(ExitStatus::Data))?;
    for matrix in loaded {
        settings.extend(bench::settings(matrices.len(), &matrix));
        matrices.push(matrix);
    }
    Ok(())
}
