//! The program as a library: everything of it for a third party's binary.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use shiftproof_search::methods::SearchMethod;
use shiftproof_tasks::Task;

use crate::cli::Cli;
use crate::commands;
use crate::exit::ExitStatus;
use crate::task_registry::TaskRegistry;
use crate::word_diff::visible;

/// The program with its tasks and search methods. A plug-in's `main` is
///
/// ```no_run
/// # use shiftproof_tasks::{AnswerForm, Input, Prompt, Task};
/// # struct NextGenre;
/// # impl Task for NextGenre {
/// #     fn name(&self) -> &str { "next-genre" }
/// #     fn seed(&self) -> Prompt { Prompt::new("Name the genre they want next.") }
/// #     fn answer_form(&self, _: &Input) -> AnswerForm { AnswerForm::choice(["crime", "comedy"]) }
/// # }
/// fn main() -> std::process::ExitCode {
///     shiftproof::App::new().task(NextGenre).run()
/// }
/// ```
///
/// and a study names the task by `kind = "next-genre"`.
#[derive(Default)]
pub struct App {
    registry: TaskRegistry,
}

impl App {
    /// The program with the tasks that studies can declare.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a task under its own name.
    #[must_use]
    pub fn task(mut self, task: impl Task + 'static) -> Self {
        self.registry.register(Arc::new(task));
        self
    }

    /// Adds a search method under its own name: `search.method = "NAME"`.
    #[must_use]
    pub fn method(mut self, method: impl SearchMethod + 'static) -> Self {
        self.registry.register_method(Arc::new(method));
        self
    }

    /// Runs the command line to its end. The exit code follows
    /// [`ExitStatus`](crate::exit::ExitStatus).
    pub fn run(self) -> ExitCode {
        self.run_with(std::env::args_os())
    }

    /// Runs these arguments instead of the process's own; the first is the
    /// program's name.
    pub fn run_with(
        self,
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> ExitCode {
        let cli = match Cli::try_parse_from(arguments) {
            Ok(cli) => cli,
            Err(error) => {
                let exit = if error.use_stderr() {
                    ExitStatus::Usage
                } else {
                    ExitStatus::Done
                };
                let _ = error.print();
                return exit.into();
            }
        };
        let runtime = match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "error: cannot start: {error}");
                return ExitStatus::Internal.into();
            }
        };
        let exit = match runtime.block_on(commands::run(cli, &self.registry)) {
            Ok(exit) => exit,
            Err(failure) => {
                let _ = writeln!(std::io::stderr(), "error: {}", visible(&failure.message));
                failure.exit
            }
        };
        // An embedded model may be in the middle of a batch that nobody waits for.
        runtime.shutdown_background();
        exit.into()
    }
}
