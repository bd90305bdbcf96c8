//! Commands that measure the program itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use shiftproof_search::select;

use super::StoreArgs;

/// Measure parts of the program.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure.
    #[command(subcommand)]
    pub action: BenchAction,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchAction {
    /// Replay selection rules: how far is each rule's pick from the best prompt
    /// of the target groups, for how many evaluations?
    Select(BenchSelect),
}

/// Which outcomes, rules and budgets.
#[derive(Debug, Args)]
pub struct BenchSelect {
    /// Folders of recorded outcomes (docs/selection.md tells their format).
    #[arg(value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// Also replay what this run graded; repeatable.
    #[arg(long = "run", value_name = "RUN")]
    pub runs: Vec<String>,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Also replay this many planted worlds of each family.
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u64).range(..=10_000))]
    pub planted: u64,
    /// Rules; the others are held against the first. A name that ends in +
    /// may also buy outcomes on the labelled target examples, with a % it is told
    /// the target's shares of classes.
    #[arg(
        long,
        value_name = "RULE,…",
        value_delimiter = ',',
        value_parser = rule,
        default_value = "halving,uniform,racing,triple-cr,posterior,posterior+"
    )]
    pub rules: Vec<NamedRule>,
    /// Evaluations to spend; "all" for all there are.
    #[arg(
        long,
        value_name = "N,…",
        value_delimiter = ',',
        value_parser = budget,
        default_value = "50,200,1000,5000,all"
    )]
    pub budgets: Vec<usize>,
    /// Labelled target examples, over all target groups alike.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = count)]
    pub labelled: usize,
    /// Repeats per setting.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = repeats)]
    pub repeats: usize,
    /// Seed of splits, orders and rules.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Keep settings whose name holds this text; repeatable.
    #[arg(long, value_name = "TEXT")]
    pub filter: Vec<String>,
    /// Instead of the rules as they are, leave each family of outcomes out in
    /// turn, choose the constants of every `posterior` rule on the others and
    /// measure them on the one left out. A family is what matrices have before the
    /// first / of their names. Takes nine times as long.
    #[arg(long)]
    pub leave_one_family_out: bool,
    /// Also print every setting.
    #[arg(long)]
    pub detail: bool,
    /// Print JSON instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Also write JSON to these files.
    #[arg(long, short, value_name = "FILE")]
    pub output: Vec<PathBuf>,
}

/// An allocation rule to replay.
#[derive(Debug, Clone)]
pub struct NamedRule {
    /// As it was given.
    pub given: String,
    /// The rule's own name.
    pub rule: String,
    /// Whether it may also buy outcomes on labelled target examples.
    pub labelled: bool,
    /// Whether it is told the target's shares of classes.
    pub shares: bool,
}

fn rule(given: &str) -> Result<NamedRule, String> {
    let rule = given.strip_suffix(['+', '%']).unwrap_or(given);
    if !select::rule_names().contains(&rule) {
        return Err(format!(
            "there is no rule {rule:?}; there are {} (with a + at its end a rule may also use \
             labelled target examples, with a % it is told the target's shares of classes)",
            select::rule_names().join(", ")
        ));
    }
    Ok(NamedRule {
        given: given.to_owned(),
        rule: rule.to_owned(),
        labelled: given.ends_with('+'),
        shares: given.ends_with('%'),
    })
}

/// A number of examples.
fn count(given: &str) -> Result<usize, String> {
    const MOST: usize = 10_000_000;
    match given.parse() {
        Ok(count) if count <= MOST => Ok(count),
        _ => Err(format!("a whole number up to {MOST} is needed")),
    }
}

/// How often something is done.
fn repeats(given: &str) -> Result<usize, String> {
    match count(given) {
        Ok(count) if (1..=100_000).contains(&count) => Ok(count),
        _ => Err("a whole number between 1 and 100000 is needed".to_owned()),
    }
}

/// Evaluations to spend.
fn budget(given: &str) -> Result<usize, String> {
    match given.parse() {
        _ if given == "all" => Ok(usize::MAX),
        Ok(evaluations) if evaluations > 0 => Ok(evaluations),
        _ => Err("a budget is a number of evaluations or \"all\"".to_owned()),
    }
}
