//! Labelling target inputs.

use std::path::PathBuf;

use clap::Args;

use super::StoreArgs;

/// Label target inputs.
#[derive(Debug, Args)]
#[command(after_help = LABEL_HELP)]
pub struct LabelArgs {
    /// The study, or a stored run of it: then its answers say what is unclear.
    #[arg(value_name = "STUDY.toml|RUN", default_value = "study.toml")]
    pub subject: String,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Inputs to label.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub count: usize,
    /// Of this target group alone; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub group: Vec<String>,
    /// Choose among the rows of this file instead, which has the study's columns: a
    /// new day's data. All are drawn at random, as `drift` needs it.
    #[arg(long, value_name = "FILE")]
    pub batch: Option<PathBuf>,
    /// Write the chosen inputs to this CSV file, to be filled in elsewhere.
    #[arg(long, value_name = "FILE", conflicts_with = "import")]
    pub export: Option<PathBuf>,
    /// Take over the labels of a file that was filled in.
    #[arg(long, value_name = "FILE")]
    pub import: Option<PathBuf>,
    /// Print what would be labelled, and why, instead of asking.
    #[arg(long)]
    pub list: bool,
}

const LABEL_HELP: &str = "\
Labels are kept beside the study, in NAME.labels.csv: a line a label, with the input
whole, why it was chosen and how it was drawn. Every later command on the study uses
them as labelled target examples. The sealed audit is never asked about.

In the terminal a key is a label; u takes the last one back, s skips, v shows what
prompts answered, q leaves. What is labelled is kept at once.

Exit codes: 0 done; 2 command line or study; 5 a file cannot be read or written, or
does not fit the study (nothing is taken over then).";
