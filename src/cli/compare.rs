//! The command that holds methods against each other.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::{BudgetArgs, StoreArgs, TroubleArgs, VerbosityArgs};

/// Compare search methods.
#[allow(clippy::struct_excessive_bools)] // Flags, not a state.
#[derive(Debug, Args)]
#[command(after_help = COMPARE_HELP)]
pub struct CompareArgs {
    /// The study files.
    #[arg(value_name = "STUDY.toml", required = true)]
    pub studies: Vec<PathBuf>,
    /// The methods, or all: any that search.method can name. The seed prompt is a row
    /// of every table; library is the generic prompts alone.
    #[arg(long, value_name = "METHOD,…", value_delimiter = ',', required = true)]
    pub methods: Vec<String>,
    /// The random seeds: 1..5 (both ends among them), 1,2,7, or both.
    #[arg(long, value_name = "SEEDS", default_value = "1..5", value_parser = seeds)]
    pub seeds: RandomSeeds,
    /// What each cell may spend.
    #[command(flatten)]
    pub budget: BudgetArgs,
    /// Let the generic prompts for the answer form enter every search; without this
    /// they enter none but that of library, whatever search.library says.
    #[arg(long)]
    pub library: bool,
    /// Run so many cells at once. Each sends as many requests at once as the study's
    /// model allows, and what two of them ask at the same moment is asked twice.
    #[arg(long, value_name = "N", default_value = "1")]
    pub jobs: NonZeroUsize,
    /// Use this model instead of the studies', as in optimize.
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Let this model write prompts instead of the studies' proposer.
    #[arg(long, value_name = "MODEL")]
    pub proposer: Option<String>,
    /// Address of the task model's server, version included.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Prices of models, as in optimize.
    #[arg(long, value_name = "FILE", env = "SHIFTPROOF_PRICES")]
    pub prices: Option<PathBuf>,
    /// Where runs and replies are kept.
    #[command(flatten)]
    pub store: StoreArgs,
    /// What is done about answers that cannot be used.
    #[command(flatten)]
    pub trouble: TroubleArgs,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
    /// Run nothing: compare the cells that are finished in the store, and say which
    /// are missing.
    #[arg(long)]
    pub stored: bool,
    /// Print the table of Li et al. 2023: the selected prompt (Top 1) and the ensemble,
    /// group by group.
    #[arg(long)]
    pub paper: bool,
    /// Print JSON instead of text.
    #[arg(long, conflicts_with = "paper")]
    pub json: bool,
    /// Also write the comparison to these files; the ending says how (.html, .md,
    /// .json, .txt).
    #[arg(long, short, value_name = "FILE")]
    pub output: Vec<PathBuf>,
}

const COMPARE_HELP: &str = "\
Every cell (a study, a method, a random seed) is a run like those of optimize, under
the same limit, proposer and vote included: --max-calls, --max-tokens, --max-usd, or
the study's [budget]. A cell that is finished in the store is taken as it is, an
interrupted one goes on: the same command again does what is missing. A cell that
fails is told with its reason; it is no score, and stops no other.

Exit codes: 0 the table stands, even where some cells failed; 2 command line or
study; 5 store or data; 130 interrupted, the same command goes on; where every cell
failed, the code of the first.";

/// Random seeds in the order given, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RandomSeeds(pub Vec<u64>);

/// Random seeds at most.
const MOST: u64 = 1000;

pub(super) fn seeds(text: &str) -> Result<RandomSeeds, String> {
    let wrong =
        || format!("random seeds are numbers and ranges, such as 1..5 or 1,2,7; {text:?} is not");
    let mut seeds = Vec::new();
    for part in text.split(',').map(str::trim) {
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
        let (first, last) = match part.split_once("..") {
            Some((first, last)) => (number(first)?, number(last.trim_start_matches('='))?),
            None => (number(part)?, number(part)?),
        };
        if first > last {
            return Err(format!(
                "{first}..{last} holds no random seed; write {last}..{first}"
            ));
        }
        if last - first >= MOST {
            return Err(format!(
                "{first}..{last} holds more than {MOST} random seeds"
            ));
        }
        for seed in first..=last {
            if !seeds.contains(&seed) {
                seeds.push(seed);
            }
        }
    }
    Ok(RandomSeeds(seeds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_read_as_written() {
        let read = |text: &str| seeds(text).map(|seeds| seeds.0);
        assert_eq!(read("1..5"), Ok(vec![1, 2, 3, 4, 5]));
        assert_eq!(read("1, 2,7"), Ok(vec![1, 2, 7]));
        assert_eq!(read("7,1..=3,2"), Ok(vec![7, 1, 2, 3]));
        for wrong in ["", "a", "1..", "-1", "5..1", "0..4000000000", "1.5"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
