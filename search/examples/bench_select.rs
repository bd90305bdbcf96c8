//! Replays every spending rule over recorded outcomes.
//!
//! ```text
//! cargo run --release -p shiftproof-search --example bench_select -- DIR [REPEATS] [FILTER] [OUT.json]
//! ```
//!
//! `FILTER` keeps settings whose name holds one of its `|`-separated parts.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use shiftproof_search::replay::{self, MakeRule, Plan, Report};
use shiftproof_search::select::{self, Spending};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let root = arguments
        .next()
        .ok_or("name a directory of recorded outcomes")?;
    let repeats = arguments.next().map_or(Ok(20), |n| n.parse())?;
    let filter = arguments.next().unwrap_or_default();
    let out = arguments.next();
    let mut matrices = Vec::new();
    for directory in replay::find(Path::new(&root))? {
        matrices.extend(replay::load(&directory)?);
    }
    let settings: Vec<_> = matrices
        .iter()
        .enumerate()
        .flat_map(|(index, matrix)| replay::settings(index, matrix))
        .filter(|s| filter.split('|').any(|part| s.name.contains(part)))
        .collect();
    let names = ["halving", "uniform", "racing", "triple-cr", "posterior"];
    let makers: Vec<_> = names
        .iter()
        .map(|&name| move |seed| select::rule(name, seed).expect("a name of `rule_names`"))
        .collect();
    let rules: Vec<MakeRule<'_>> = names
        .iter()
        .zip(&makers)
        .map(|(&name, make)| (name, make as &(dyn Fn(u64) -> Box<dyn Spending> + Sync)))
        .collect();
    let plan = Plan {
        repeats,
        ..Plan::default()
    };
    let start = Instant::now();
    let regrets = replay::replay(&matrices, &settings, &rules, &plan);
    let report = Report::new(&settings, &names, &plan, &regrets);
    println!(
        "{}{:.0} s",
        report.text(false),
        start.elapsed().as_secs_f64()
    );
    if let Some(out) = out {
        std::fs::write(out, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(())
}
