//! From a study's command to a program that answers lines.

use std::path::{Path, PathBuf};
use std::time::Duration;

use shiftproof_tasks::CommandLine;

use crate::exit::{ExitStatus, Failure};
use crate::llm::command::{CommandConfig, CommandDialect, CommandLlm};
use crate::study::{ModelSpec, ProgramOptions};

/// Seconds that a program may be silent which scores or renders.
const SCORING_S: u64 = 60;
/// Lines sent along at once to it.
const BATCH: usize = 16;
/// Seconds that an agent may be silent: it may call models itself.
const ANSWERING_S: u64 = 300;
/// Agents side by side.
pub(crate) const AGENTS: usize = 4;
/// Bytes of a program's own file that are looked at for its identity.
const LARGEST: u64 = 64 << 20;

/// The words of a command: the program, then its arguments; `key` is for messages.
///
/// # Errors
/// A command of no word, or with a quotation mark that is never closed.
pub(crate) fn words(command: &CommandLine, key: &str) -> Result<Vec<String>, Failure> {
    let words = match command {
        CommandLine::List(words) => Some(words.clone()),
        CommandLine::Text(text) => shlex::split(text),
    };
    let Some(words) = words else {
        return Err(Failure::usage(format!(
            "{key} has a quotation mark that is never closed: {command:?}"
        )));
    };
    if words
        .first()
        .is_none_or(|program| program.trim().is_empty())
    {
        return Err(Failure::usage(format!(
            "{key} names no program: write it as on a command line, such as \"python3 score.py\""
        )));
    }
    Ok(words)
}

/// The command of `model = "command:…"`.
pub(crate) fn of_model(
    spec: &ModelSpec,
    command: &str,
    folder: &Path,
) -> Result<CommandConfig, Failure> {
    let words = words(&CommandLine::Text(command.to_owned()), "model")?;
    Ok(CommandConfig {
        identity: identity(&words, folder),
        command: words,
        folder: started_in(folder),
        dialect: CommandDialect::Messages,
        processes: spec.concurrency.unwrap_or(AGENTS).max(1),
        batch: 1,
        timeout: Duration::from_secs(spec.timeout_s.unwrap_or(ANSWERING_S)),
        max_tokens: spec.max_tokens,
    })
}

/// A program that scores or renders.
pub(crate) fn of_lines(
    command: &CommandLine,
    options: ProgramOptions,
    folder: &Path,
    key: &str,
) -> Result<CommandConfig, Failure> {
    let words = words(command, key)?;
    Ok(CommandConfig {
        identity: identity(&words, folder),
        command: words,
        folder: started_in(folder),
        dialect: CommandDialect::Lines,
        processes: options.processes.unwrap_or(1).max(1),
        batch: options.batch.unwrap_or(BATCH).max(1),
        timeout: Duration::from_secs(options.timeout_s.unwrap_or(SCORING_S)),
        max_tokens: None,
    })
}

/// Starts it; `exit` is that of a program that cannot be.
pub(crate) fn start(config: CommandConfig) -> Result<CommandLlm, Failure> {
    CommandLlm::start(config).map_err(|told| Failure::new(ExitStatus::Usage, told))
}

/// The folder itself; of a study named without one, where we are.
fn started_in(folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        folder.to_owned()
    }
}

/// What names a program in stores: its command, and a hash of every file that the
/// command names, so that answers of another edition of it are others.
fn identity(words: &[String], folder: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut any = false;
    for word in words {
        let path = folder.join(word);
        let is_small = std::fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= LARGEST);
        let Some(bytes) = is_small.then(|| std::fs::read(&path).ok()).flatten() else {
            continue;
        };
        any = true;
        hasher.update(&(bytes.len() as u64).to_be_bytes());
        hasher.update(&bytes);
    }
    let command = format!("command:{}", words.join(" "));
    if any {
        format!("{command} ({})", &hasher.finalize().to_hex()[..12])
    } else {
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(command: &str) -> CommandLine {
        CommandLine::Text(command.to_owned())
    }

    #[test]
    fn commands_are_split_as_a_shell_does() {
        let split = |command| words(&text(command), "metric.command").ok();
        let expect = |words: &[&str]| Some(words.iter().map(|&w| w.to_owned()).collect());
        assert_eq!(
            split("python3 'my score.py' -v"),
            expect(&["python3", "my score.py", "-v"])
        );
        assert_eq!(split("a $HOME | b"), expect(&["a", "$HOME", "|", "b"]));
        let told = words(&text("say 'x"), "metric.command")
            .unwrap_err()
            .message;
        assert!(
            told.starts_with("metric.command has a quotation mark"),
            "{told}"
        );
        for none in [text("  "), CommandLine::List(vec![])] {
            let told = words(&none, "task.command").unwrap_err().message;
            assert!(told.starts_with("task.command names no program"), "{told}");
        }
    }

    /// Another edition of a program is another program; a study moved elsewhere is not.
    #[test]
    fn identity_follows_the_files_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let words = ["python3", "score.py", "--strict"].map(str::to_owned);
        let none = identity(&words, folder.path());
        assert_eq!(none, "command:python3 score.py --strict");
        let write = |folder: &Path, text| std::fs::write(folder.join("score.py"), text).unwrap();
        write(folder.path(), "print(1)");
        let first = identity(&words, folder.path());
        assert!(
            first.starts_with("command:python3 score.py --strict ("),
            "{first}"
        );
        let elsewhere = tempfile::tempdir().unwrap();
        write(elsewhere.path(), "print(1)");
        assert_eq!(identity(&words, elsewhere.path()), first);
        write(folder.path(), "print(2)");
        assert_ne!(identity(&words, folder.path()), first);
    }
}
