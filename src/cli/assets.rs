//! Commands on studies, data sets and models.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Write a study.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").args(["from", "data"])))]
pub struct InitArgs {
    /// The folder to write to.
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// Bring over this promptfoo config: prompts, labelled tests, provider.
    #[arg(long, value_name = "promptfooconfig.yaml")]
    pub from: Option<PathBuf>,
    /// Draft a study for this data file (.csv, .tsv, .jsonl, .json), whose rows may
    /// lack labels; may be repeated. What each column is, is guessed and told.
    #[arg(long, value_name = "FILE")]
    pub data: Vec<PathBuf>,
    /// With --data: the column that holds the label.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    pub label: Option<String>,
    /// With --data: the column that holds the group. With --from: the metadata key
    /// or variable that holds a test's.
    #[arg(long, value_name = "COLUMN|KEY", requires = "what")]
    pub group: Option<String>,
    /// With --data: a column the model may see; may be repeated.
    #[arg(
        long,
        alias = "text",
        value_name = "COLUMN",
        requires = "data",
        value_delimiter = ','
    )]
    pub fields: Vec<String>,
    /// With --data: the column that holds a name for each row.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    pub id: Option<String>,
    /// A group whose labels are free to use; may be repeated. The others are
    /// targets. By default the largest group, or those with labels where others
    /// have none.
    #[arg(long, value_name = "GROUP", requires = "what")]
    pub source: Vec<String>,
}

/// Look after models or data sets.
#[derive(Debug, Args)]
pub struct AssetsArgs {
    /// What to do; the list where absent.
    #[command(subcommand)]
    pub action: Option<AssetsAction>,
}

/// Look after data sets.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// What to do; the list where absent.
    #[command(subcommand)]
    pub action: Option<DataAction>,
}

/// What to do with data sets.
#[derive(Debug, Subcommand)]
pub enum DataAction {
    /// Look after named data sets.
    #[command(flatten)]
    Assets(AssetsAction),
    /// Score methods without a language model on all of a study's interactions.
    Baselines(BaselinesArgs),
}

/// Score methods without a language model.
#[derive(Debug, Args)]
pub struct BaselinesArgs {
    /// The study file; only its `[data]` is used.
    #[arg(value_name = "STUDY.toml", default_value = "study.toml")]
    pub study: PathBuf,
    /// Train neural recommenders on the training part and score them too: all four, or those
    /// named (--neural=sasrec,dros). Each takes a minute or two of one core on 100,000 events,
    /// the first time; from then on it is read from the cache folder.
    #[arg(
        long,
        value_name = "NAMES",
        value_enum,
        value_delimiter = ',',
        num_args = 0..,
        require_equals = true,
        default_missing_values = ["gru4rec", "caser", "sasrec", "dros"]
    )]
    pub neural: Vec<NeuralBaseline>,
    /// Print all measures as JSON.
    #[arg(long)]
    pub json: bool,
}

/// A recommender that is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NeuralBaseline {
    /// A recurrent network.
    Gru4rec,
    /// Convolutions over the last items.
    Caser,
    /// Self-attention over the last items.
    Sasrec,
    /// The same, trained for shifted distributions.
    Dros,
}

/// What to do with models or data sets.
#[derive(Debug, Subcommand)]
pub enum AssetsAction {
    /// List them with their state, licence and source.
    List,
    /// Fetch one into the cache folder.
    Fetch {
        /// Its name.
        name: String,
    },
    /// Hash one in the cache again.
    Verify {
        /// Its name.
        name: String,
    },
}
