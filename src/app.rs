//! The program as a library: everything of it for a third party's binary.

use std::ffi::OsString;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Once};

use clap::Parser;
use shiftproof_search::methods::SearchMethod;
use shiftproof_store::panic_is_contained;
use shiftproof_tasks::Task;

use crate::cli::Cli;
use crate::commands;
use crate::exit::ExitStatus;
use crate::study::task_registry::TaskRegistry;
use crate::wording::shown::visible;

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
        tell_panics();
        // A panic's own code would be that of a bar which was missed.
        let ended = catch_unwind(AssertUnwindSafe(|| self.run_to_end(arguments)));
        ended.unwrap_or_else(|_| {
            let _ = writeln!(
                std::io::stderr(),
                "this is a fault of the program; everything paid for is stored"
            );
            ExitStatus::Internal.into()
        })
    }

    fn run_to_end(
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

/// A panic may quote what a model or a file said: it is shown like all such text.
fn tell_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            if panic_is_contained() {
                return;
            }
            let _ = writeln!(std::io::stderr(), "error: {}", visible(&panic.to_string()));
        }));
    });
}

#[cfg(test)]
mod tests {
    use shiftproof_tasks::{AnswerForm, Input, Prompt};

    use super::*;

    struct Fragile;

    impl Task for Fragile {
        fn name(&self) -> &'static str {
            "fragile"
        }

        fn seed(&self) -> Prompt {
            panic!("a fault of the task's own")
        }

        fn answer_form(&self, _: &Input) -> AnswerForm {
            AnswerForm::choice(["good", "bad"])
        }
    }

    #[test]
    fn panics_have_their_own_code() {
        let folder = tempfile::tempdir().unwrap();
        let study = folder.path().join("study.toml");
        let rows: Vec<String> = (0..40)
            .map(|n| format!("{n},{},text {n}\n", ["good", "bad"][n % 2]))
            .collect();
        let rows = rows.concat();
        std::fs::write(
            folder.path().join("a.csv"),
            format!("id,label,text\n{rows}"),
        )
        .unwrap();
        std::fs::write(
            &study,
            "name = \"x\"\ntask = { kind = \"fragile\" }\n[data]\nfiles = [\"a.csv\"]\nid = \"id\"\n\
             label = \"label\"\nfields = [\"text\"]\n[groups]\ntrain = 8\nvalidation = 8\naudit = 4\n",
        )
        .unwrap();
        let exit = App::new().task(Fragile).run_with([
            OsString::from("shiftproof"),
            "estimate".into(),
            study.into_os_string(),
        ]);
        assert_eq!(exit, ExitStatus::Internal.into());
    }
}
