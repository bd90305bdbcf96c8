//! The command that scores fixed prompts.

use std::path::PathBuf;

use clap::Args;
use shiftproof_tasks::Metric;

use super::decide::share;
use super::{BudgetArgs, StoreArgs, StudyArgs, TroubleArgs, VerbosityArgs};

/// Score fixed prompts.
#[derive(Debug, Args)]
#[command(after_help = crate::exit::HELP)]
pub struct EvalArgs {
    /// Which study.
    #[command(flatten)]
    pub study: EvalStudyArgs,
    /// What may be spent.
    #[command(flatten)]
    pub budget: BudgetArgs,
    /// Where replies are kept.
    #[command(flatten)]
    pub store: StoreArgs,
    /// What is done about answers that cannot be used.
    #[command(flatten)]
    pub trouble: TroubleArgs,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
    /// An instruction to score beside the seed, as text or @FILE; may be
    /// repeated.
    #[arg(long, short, value_name = "TEXT|@FILE")]
    pub prompt: Vec<String>,
    /// Score on the sealed audit instead of the development examples. Each opening
    /// is written down: whoever chooses by what it says tunes on it.
    #[arg(long)]
    pub audit: bool,
    /// Score this group alone; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub group: Vec<String>,
    /// Score at most this many examples of each group.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Ask about each example so many times, in calls of their own, and tell how far
    /// scores and answers differ.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeat: u32,
    /// Show examples that are not right, of the weakest group first: so many for each
    /// prompt, 10 unless said.
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true,
          default_missing_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    pub failures: Option<u32>,
    /// Print JSON instead of text, with the answer to every example.
    #[arg(long)]
    pub json: bool,
    /// Also write the answer to every example to these files; the ending says how
    /// (.csv, .jsonl, or .json for what --json prints; of rankings .run and .qrels, as
    /// `trec_eval` reads them).
    #[arg(long, short, value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// With --audit: exit with 100 unless every prompt's worst target group reaches
    /// this score (0 to 1).
    #[arg(long, value_name = "SCORE", value_parser = share)]
    pub min_worst: Option<f64>,
    /// Score by this metric instead of the study's, such as ndcg@5, diversity@10
    /// or coverage@10; answers in the store are scored anew without a call.
    #[arg(long, value_name = "METRIC")]
    pub metric: Option<Metric>,
    /// Also tell NDCG and hit rate of rankings at these places, such as 1,3,5,10,20, of
    /// prompts and of methods without a language model, over all examples and by group.
    #[arg(long, value_name = "K,K,…", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub places: Vec<u32>,
    /// Score the prompts once more with these keys of the task table in place of the study's, as
    /// TOML: 'inject = "dros", gamma = "auto"'; may be repeated.
    #[arg(long, value_name = "KEYS")]
    pub with: Vec<String>,
    /// Also ask how lists change when this attribute of the user is named, for
    /// each of its values in turn (for tasks that rank; two and more further
    /// calls per example).
    #[arg(long, value_name = "ATTRIBUTE")]
    pub fair: Option<String>,
    /// With --fair: places of a list that are compared.
    #[arg(long, value_name = "K", default_value_t = 10, requires = "fair",
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub fair_places: u32,
    /// Also write every grade to this folder, for `bench select`.
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
}

/// Which study, by which models.
#[derive(Debug, Clone, Args)]
pub struct EvalStudyArgs {
    /// The study file.
    #[arg(value_name = "STUDY.toml", default_value = "study.toml")]
    pub study: PathBuf,
    /// Random seed: it deals the examples out that are not the audit's.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Use this model instead of the study's (as for `optimize`); may be repeated: every
    /// prompt is scored by every model.
    #[arg(long, value_name = "MODEL")]
    pub model: Vec<String>,
    /// Address of the models' server, version included.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Prices of models, in place of the built-in list prices where it names them
    /// (docs/models.md).
    #[arg(long, value_name = "FILE", env = "SHIFTPROOF_PRICES")]
    pub prices: Option<PathBuf>,
}

impl EvalStudyArgs {
    /// The study by each model in turn; once where it is the study's own.
    pub fn by_model(&self) -> Vec<StudyArgs> {
        let by = |model: Option<&String>| StudyArgs {
            study: self.study.clone(),
            seed: self.seed,
            model: model.cloned(),
            base_url: self.base_url.clone(),
            prices: self.prices.clone(),
            method: None,
        };
        if self.model.is_empty() {
            return vec![by(None)];
        }
        self.model.iter().map(|model| by(Some(model))).collect()
    }
}
