//! From a study's command to a program that answers lines.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// How long a program is watched after its start: one that fails at once is to be told
/// before anything is paid for.
const WATCHED: Duration = Duration::from_secs(1);
/// The same where its command names a file that is not there.
const DOUBTED: Duration = Duration::from_secs(5);

/// A program that was started a moment ago.
#[derive(Clone)]
pub(crate) struct StartedProgram {
    pub llm: Arc<CommandLlm>,
    since: Instant,
}

impl StartedProgram {
    /// Fails where it has ended with a failure by now, which it is given a moment to
    /// from its start on: whoever connects models in between waits for nothing. One that
    /// takes longer to fail is told by the question that a run or an evaluation asks
    /// it before all else.
    pub async fn check(&self) -> Result<(), Failure> {
        let left = WATCHED.saturating_sub(self.since.elapsed());
        let ended = self.llm.early_end(left).await;
        ended.map_or(Ok(()), |told| Err(Failure::new(ExitStatus::Provider, told)))
    }
}

/// Starts it; one whose command names a file that is not there is waited for.
pub(crate) async fn start(config: CommandConfig) -> Result<StartedProgram, Failure> {
    let missing = missing_file(&config.command, &config.folder).map(str::to_owned);
    let folder = config.folder.clone();
    let llm = CommandLlm::start(config).map_err(Failure::usage)?;
    if let Some(file) = missing
        && let Some(told) = llm.early_end(DOUBTED).await
    {
        return Err(Failure::usage(format!(
            "{told}\n  there is no {file:?} in {}: paths in a command start from the study's folder",
            folder.display()
        )));
    }
    Ok(StartedProgram {
        llm: Arc::new(llm),
        since: Instant::now(),
    })
}

/// An argument that is called as a script is and is no file.
fn missing_file<'w>(words: &'w [String], folder: &Path) -> Option<&'w str> {
    const SCRIPTS: [&str; 12] = [
        "py", "js", "mjs", "ts", "sh", "rb", "pl", "r", "jl", "php", "lua", "jar",
    ];
    let is_script = |word: &&str| {
        let ending = Path::new(word)
            .extension()
            .and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| SCRIPTS.contains(&ending.to_lowercase().as_str()))
            && !word.starts_with('-')
            && !word.contains(char::is_whitespace)
    };
    let arguments = words.iter().skip(1).map(String::as_str);
    arguments
        .filter(is_script)
        .find(|word| !folder.join(word).exists())
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

    #[test]
    fn missing_scripts_are_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("there.py"), "").unwrap();
        let missing = |command: &str| {
            let words = words(&text(command), "metric.command").unwrap();
            missing_file(&words, folder.path()).map(str::to_owned)
        };
        assert_eq!(missing("python3 scor.py"), Some("scor.py".into()));
        assert_eq!(
            missing("node lib/Score.JS --all"),
            Some("lib/Score.JS".into())
        );
        for command in [
            "python3 there.py",
            "python3 -m score",
            "sh -c 'a.py | b'",
            "score.py -v",
        ] {
            assert_eq!(missing(command), None, "{command}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn programs_that_fail_at_once_are_not_started() {
        let folder = tempfile::tempdir().unwrap();
        let started = async |command: &str| {
            let options = ProgramOptions::default();
            let config = of_lines(&text(command), options, folder.path(), "metric.command");
            let checked = match start(config.unwrap()).await {
                Ok(program) => program.check().await,
                Err(failure) => Err(failure),
            };
            checked.map_err(|failure| failure.message)
        };
        let missing = started("sh score.sh").await.unwrap_err();
        assert!(
            missing.contains("there is no \"score.sh\" in "),
            "{missing}"
        );
        let broken = started("sh -c 'echo no table >&2; exit 3'")
            .await
            .unwrap_err();
        assert!(
            broken.contains("ended with exit code 3 before it was asked anything\n    no table"),
            "{broken}"
        );
        let none = started("no-such-program-anywhere").await.unwrap_err();
        assert!(none.contains("cannot be started"), "{none}");
        // It names a file that it is to write.
        assert_eq!(started("sh -c 'cat' --log new.sh").await, Ok(()));
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
