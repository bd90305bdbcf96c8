//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::shared::StoreLocation;

mod assets;
mod compare;
mod decide;
mod drift;
mod eval;
mod label;
mod measure;
mod runs;
mod shared;
mod shell;

pub use assets::{
    AssetsAction, AssetsArgs, BaselinesArgs, DataAction, DataArgs, InitArgs, NeuralBaseline,
};
pub use compare::{CompareArgs, RandomSeeds};
pub use decide::{ColorChoice, DiffArgs, GateArgs, GateProof};
pub use drift::DriftArgs;
pub use eval::{EvalArgs, EvalStudyArgs};
pub use label::LabelArgs;
pub use measure::{BenchAction, BenchArgs, BenchSelect, NamedRule};
pub use runs::{ExportArgs, ExportFormat, ReplayArgs, ReportArgs, RunsAction, RunsArgs, WatchArgs};
pub use shared::{SharedAction, SharedArgs, WorkerArgs};
pub use shell::{CompletionsArgs, ManArgs};

/// Prompts that hold when the data shifts.
#[derive(Debug, Parser)]
#[command(name = "shiftproof", version, about, after_help = crate::exit::HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: CliCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Search for a prompt that holds on the study's target groups.
    Optimize(OptimizeArgs),
    /// Score fixed prompts, group by group.
    Eval(EvalArgs),
    /// Decide whether a prompt may replace the one in use, or whether the one in
    /// use still holds.
    Gate(GateArgs),
    /// Watch the prompt in use on new data, day by day: keep, re-label or
    /// re-optimise.
    Drift(DriftArgs),
    /// Choose target inputs that are worth a label, and label them: in the terminal
    /// or by way of a file.
    Label(LabelArgs),
    /// Show two prompts as a word diff with their scores per group.
    Diff(DiffArgs),
    /// Compare search methods over random seeds and studies, at equal budgets.
    Compare(CompareArgs),
    /// Print what a run would ask and cost; call no model but with --probe.
    Estimate(EstimateArgs),
    /// Check that model, data, store and terminal are fit for a run.
    Doctor(DoctorArgs),
    /// Write the report of stored runs: HTML, Markdown, JSON or text.
    Report(ReportArgs),
    /// Write a run's prompt for use elsewhere.
    Export(ExportArgs),
    /// Write a commented study and a little data to start from, draft one for your
    /// own data, or bring over a promptfoo config.
    Init(InitArgs),
    /// List, show or remove stored runs.
    Runs(RunsArgs),
    /// Follow a run of another process, full-screen or as lines.
    Watch(WatchArgs),
    /// Play a stored run back, full-screen or as lines.
    Replay(ReplayArgs),
    /// List, fetch or verify named data sets; score methods without a model.
    Data(DataArgs),
    /// List, fetch or verify named models.
    Models(AssetsArgs),
    /// Show what several processes share in a database, and set its budgets.
    Shared(SharedArgs),
    /// Work through the cells of comparisons that wait in a shared store.
    Worker(WorkerArgs),
    /// Measure selection rules on recorded or planted outcomes; call no model.
    Bench(BenchArgs),
    /// Print the completions of a shell.
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for every command.
    Man(ManArgs),
}

/// Which study, with which changes.
#[derive(Debug, Clone, Args)]
pub struct StudyArgs {
    /// The study file.
    #[arg(value_name = "STUDY.toml", default_value = "study.toml")]
    pub study: PathBuf,
    /// Random seed: same seed, same study, same replies, same result.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Use this model instead of the study's: embedded, embedded:PATH.gguf,
    /// openai:MODEL, anthropic:MODEL, gemini:MODEL, azure:DEPLOYMENT, ollama:MODEL or
    /// "command:PROGRAM ARGUMENTS".
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Address of the model's server, version included.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Prices of models, in place of the built-in list prices where it names them
    /// (docs/models.md).
    #[arg(long, value_name = "FILE", env = "SHIFTPROOF_PRICES")]
    pub prices: Option<PathBuf>,
    /// Search by this method: gpo, gpo-paper, ape, ape-ut, edits, protegi, gepa,
    /// group-reflective, opro, evoprompt-ga, evoprompt-de, capo, mipro or library.
    #[arg(long, value_name = "METHOD")]
    pub method: Option<String>,
}

/// What may be spent.
#[derive(Debug, Clone, Copy, Args)]
pub struct BudgetArgs {
    /// Model calls at most, proposer and task model together.
    #[arg(long, value_name = "N")]
    pub max_calls: Option<u64>,
    /// Tokens at most, prompt and completion together.
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<u64>,
    /// US dollars at most, by the study's price table.
    #[arg(long, value_name = "USD")]
    pub max_usd: Option<f64>,
}

impl BudgetArgs {
    /// Whether any limit was named.
    pub const fn is_given(&self) -> bool {
        self.max_calls.is_some() || self.max_tokens.is_some() || self.max_usd.is_some()
    }
}

/// What is done about answers that cannot be used.
#[derive(Debug, Clone, Copy, Args)]
pub struct TroubleArgs {
    /// Go on where nine in ten of the first answers are refused, cut off or not to
    /// be read, instead of stopping before more is spent (exit code 6).
    #[arg(long)]
    pub keep_going: bool,
    /// Ask again what the model's service refused in an earlier command; what was
    /// answered is not asked again.
    #[arg(long)]
    pub retry_failed: bool,
}

impl From<TroubleArgs> for crate::runs::session::UnusablePolicy {
    fn from(args: TroubleArgs) -> Self {
        Self {
            keep_going: args.keep_going,
            retry_failed: args.retry_failed,
        }
    }
}

/// Where runs and replies are kept.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// Folder of the store, or the address of a PostgreSQL database that several processes
    /// share (docs/scale.md).
    #[arg(
        long,
        global = true,
        value_name = "DIR|postgres://…",
        default_value = ".shiftproof",
        env = "SHIFTPROOF_STORE",
        hide_env_values = true
    )]
    pub store: StoreLocation,
    /// Draw on this budget of a shared store (`shiftproof shared budget`), too.
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "SHIFTPROOF_SHARED_BUDGET"
    )]
    pub shared_budget: Option<String>,
}

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, Args)]
pub struct VerbosityArgs {
    /// Say nothing but errors.
    #[arg(long, short)]
    pub quiet: bool,
    /// Tell every decision with its reason.
    #[arg(long, short, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// Search for a prompt.
#[allow(clippy::struct_excessive_bools)] // Flags, not a state.
#[derive(Debug, Args)]
#[command(after_help = crate::exit::HELP)]
pub struct OptimizeArgs {
    /// Which study.
    #[command(flatten)]
    pub study: StudyArgs,
    /// What may be spent.
    #[command(flatten)]
    pub budget: BudgetArgs,
    /// Where it is kept.
    #[command(flatten)]
    pub store: StoreArgs,
    /// What is done about answers that cannot be used.
    #[command(flatten)]
    pub trouble: TroubleArgs,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
    /// Go on with a stopped or killed run: its name, or the study's latest.
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "")]
    pub resume: Option<String>,
    /// Go on from a finished run, its name or the study's latest, with the study, its
    /// data and labels as they are now: what it knew races at once, and nothing it
    /// paid for is paid for again. The random seed is its own unless --seed names
    /// another.
    #[arg(long = "continue", value_name = "RUN", num_args = 0..=1, default_missing_value = "",
          conflicts_with = "resume")]
    pub continues: Option<String>,
    /// Run under each of these random seeds in turn, 1..5 or 1,2,7, and compare what they
    /// select. Each run is one of its own, with the limits of one; finished ones are not
    /// run again.
    #[arg(long, value_name = "SEEDS", value_parser = compare::seeds,
          conflicts_with_all = ["seed", "resume", "continues", "batch", "batch_exit", "dry_run", "events"])]
    pub seeds: Option<RandomSeeds>,
    /// Send calls as batches where there are many, for later and for less (openai
    /// and anthropic; as batch = true in the study).
    #[arg(long)]
    pub batch: bool,
    /// Do not wait for batches: end with 75 once they are submitted, and collect
    /// them with --resume.
    #[arg(long)]
    pub batch_exit: bool,
    /// Show progress as lines, even on a terminal.
    #[arg(long)]
    pub headless: bool,
    /// Print the plan with its cost and stop (as `estimate`).
    #[arg(long)]
    pub dry_run: bool,
    /// Print the report as JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// Also write the report to these files; the ending says how (.html,
    /// .md, .json, .txt).
    #[arg(long, short, value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// Also write every event as a line of JSON to this file; - is standard
    /// output.
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Exit with 100 unless the audited worst target group reaches this score
    /// (0 to 1).
    #[arg(long, value_name = "SCORE", value_parser = decide::share)]
    pub min_worst: Option<f64>,
    /// Exit with 101 unless the selected prompt beats the seed on the worst
    /// target group beyond chance.
    #[arg(long)]
    pub require_gain: bool,
}

/// Print the plan.
#[derive(Debug, Args)]
pub struct EstimateArgs {
    /// Which study.
    #[command(flatten)]
    pub study: StudyArgs,
    /// What may be spent.
    #[command(flatten)]
    pub budget: BudgetArgs,
    /// Where a probe's replies are kept.
    #[command(flatten)]
    pub store: StoreArgs,
    /// What is done about answers of a probe that cannot be used.
    #[command(flatten)]
    pub trouble: TroubleArgs,
    /// Also ask the model: the seed prompt and the generic ones about so many source
    /// examples, 24 unless said. Tells whether there is anything to gain before a run
    /// is paid for; the run reuses the replies.
    #[arg(
        long,
        value_name = "EXAMPLES",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "24",
        value_parser = clap::value_parser!(u16).range(12..)
    )]
    pub probe: Option<u16>,
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Check the surroundings.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The study whose model and data are checked: study.toml where there is one.
    #[arg(value_name = "STUDY.toml")]
    pub study: Option<PathBuf>,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}
