//! Commands that hold prompts against each other.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use shiftproof_search::stats::GroupProof;

use super::{BudgetArgs, StoreArgs, StudyArgs, TroubleArgs, VerbosityArgs};

/// Decide about a prompt.
#[derive(Debug, Args)]
#[command(after_help = GATE_HELP)]
pub struct GateArgs {
    /// Which study.
    #[command(flatten)]
    pub study: StudyArgs,
    /// What may be spent.
    #[command(flatten)]
    pub budget: BudgetArgs,
    /// Where runs and replies are kept.
    #[command(flatten)]
    pub store: StoreArgs,
    /// What is done about answers that cannot be used.
    #[command(flatten)]
    pub trouble: TroubleArgs,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
    /// What is decided: ship (may a candidate replace the incumbent?) or guard
    /// (does the prompt in use still hold?).
    #[arg(long, value_enum, default_value_t = crate::gate::GateMode::Ship)]
    pub mode: crate::gate::GateMode,
    /// The incumbent is the prompt of this committed file instead of the
    /// study's.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// A prompt to judge, as text or @FILE; may be repeated. With --baseline the
    /// study's prompt where absent.
    #[arg(long, short, value_name = "TEXT|@FILE")]
    pub candidate: Vec<String>,
    /// Judge the prompt that this stored run selected.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Compare with the grades recorded in the baseline file, example by
    /// example, instead of asking its prompt anew: shows what a changed model
    /// did. The audit must be the recorded one.
    #[arg(long, requires = "baseline")]
    pub trust_baseline: bool,
    /// Write the prompt that stands after the decision, with its scores, to this
    /// file, for --baseline. Nothing is written when the exit code is 100.
    #[arg(long, value_name = "FILE")]
    pub write_baseline: Option<PathBuf>,
    /// The robust score, over group means of equal weight.
    #[arg(long, value_name = "NAME", default_value = "soft-min",
          value_parser = clap::builder::PossibleValuesParser::new(
              shiftproof_search::select::mean_names()))]
    pub objective: String,
    /// Loss a group may bear, in units of the score (0.02 is 2 points).
    #[arg(long, value_name = "DELTA", default_value_t = 0.02, value_parser = share)]
    pub tolerance: f64,
    /// Chance of a wrong decision that is accepted, over all questions put to the
    /// audit: the kth may spend ALPHA/(k(k + 1)) of it in ship mode.
    #[arg(long, value_name = "ALPHA", default_value_t = 0.05, value_parser = chance)]
    pub alpha: f64,
    /// Exit with 100 unless the judged prompt's worst target group reaches this
    /// score (0 to 1).
    #[arg(long, value_name = "SCORE", value_parser = share)]
    pub min_worst: Option<f64>,
    /// Exit with 100 unless this group reaches this score; may be repeated.
    #[arg(long, value_name = "NAME=SCORE", value_parser = floor)]
    pub min_group: Vec<(String, f64)>,
    /// How a group is shown not to lose more than the tolerance: each by its own
    /// examples, or pooled, by what all groups gain (many small groups; docs/ci.md
    /// tells its price).
    #[arg(long, value_name = "HOW", value_enum, default_value_t = GateProof::Each)]
    pub proof: GateProof,
    /// Print JSON instead of text (docs/schema/gate.json).
    #[arg(long)]
    pub json: bool,
    /// Also write the decision to these files; the ending says how (.txt, .json,
    /// .md, .html, .xml with test cases, .sarif).
    #[arg(long, short, value_name = "FILE")]
    pub output: Vec<PathBuf>,
}

const GATE_HELP: &str = "\
Modes:
  ship   a candidate ships when its robust score is better than the incumbent's
         and no group loses more than the tolerance, all at once beyond chance
         (paired bootstrap of 10,000 replicates, Holm over candidates).
         0: it may replace the incumbent; 101: nothing is shown to be better;
         100: every candidate is shown to be worse, or the winner is below a bar
  guard  the prompt in use passes unless it is shown to be worse than the
         baseline, overall or in a group, or is below a bar.
         0: it holds; 100: it regressed or is below a bar

Either way 2: command line, study or baseline file; 3: the budget ran out, no
decision; 4: the model's service; 5: store or data; 6: answers that cannot be
used; 130: interrupted. Replies paid for are kept: the same command goes on
where it stopped.";

/// A share, 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        read => Err(format!(
            "a number from 0 to 1 is needed (0.02 is 2 points){}",
            meant(text, read.ok())
        )),
    }
}

/// What was probably meant by points or a percentage where a share is needed.
fn meant(text: &str, read: Option<f64>) -> String {
    let percent = text.trim().strip_suffix('%');
    let points = read.or_else(|| percent?.trim().parse().ok());
    points
        .filter(|points| (0.0..=100.0).contains(points) && (*points > 1.0 || percent.is_some()))
        .map_or_else(String::new, |points| {
            format!("; for {points} points say {}", points / 100.0)
        })
}

/// A chance strictly between 0 and one half.
pub(super) fn chance(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if value > 0.0 && value < 0.5 => Ok(value),
        _ => Err("a number above 0 and below 0.5 is needed".to_owned()),
    }
}

/// A group's bar.
fn floor(text: &str) -> Result<(String, f64), String> {
    let (name, score) = text
        .rsplit_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or("NAME=SCORE is needed, as in films=0.8")?;
    Ok((name.to_owned(), share(score)?))
}

/// By what a group is shown not to lose more than the tolerance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GateProof {
    /// By its own examples.
    Each,
    /// By what all groups gain.
    Pooled,
}

impl From<GateProof> for GroupProof {
    fn from(proof: GateProof) -> Self {
        match proof {
            GateProof::Each => Self::Each,
            GateProof::Pooled => Self::Pooled,
        }
    }
}

/// Show two prompts.
#[derive(Debug, Args)]
#[command(after_help = "\
A and B: text, @FILE, or the name of a stored run (its selected prompt). With
--run also: seed, selected, or the first digits of a candidate's id.")]
pub struct DiffArgs {
    /// The prompt before.
    pub a: String,
    /// The prompt after.
    pub b: String,
    /// Score both on this study's audit; stored answers cost nothing.
    #[arg(long, value_name = "STUDY.toml", conflicts_with = "run")]
    pub study: Option<PathBuf>,
    /// Take candidates and scores from this stored run; nothing is asked.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// What may be spent with --study.
    #[command(flatten)]
    pub budget: BudgetArgs,
    /// Where runs and replies are kept.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Print JSON instead of text.
    #[arg(long, conflicts_with = "color")]
    pub json: bool,
    /// Colour: auto asks the terminal and `NO_COLOR`.
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub color: ColorChoice,
}

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_told_as_shares() {
        assert_eq!(share("0.9"), Ok(0.9));
        let told = |text| share(text).unwrap_err();
        assert!(told("90").ends_with("; for 90 points say 0.9"));
        assert!(told("85.5%").ends_with("; for 85.5 points say 0.855"));
        assert!(told("1%").ends_with("; for 1 points say 0.01"));
        for text in ["-0.1", "101", "high", "", "nan"] {
            assert!(!told(text).contains("say"), "{text:?}");
        }
        let told = floor("films=75").unwrap_err();
        assert!(told.ends_with("for 75 points say 0.75"), "{told}");
    }
}
