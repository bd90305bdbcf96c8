//! Running the program as a user does.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::mock_server::{Act, Seen};

/// A folder with a study on data of its own and a store; nothing of the user's
/// own set-up is seen.
pub struct Desk {
    folder: tempfile::TempDir,
}

/// A study of two groups whose answers a mock server knows by heart: a text is
/// positive when its number is even.
const STUDY: &str = r#"
name = "mock"
[task]
kind = "classify"
prompt = "Is this positive or negative?"
input = "{text}"
labels = ["positive", "negative"]
[data]
files = ["data.csv"]
id = "id"
group = "domain"
label = "label"
fields = ["text"]
[groups]
source = ["books"]
target = ["films"]
train = 12
validation = 24
unlabelled = 16
audit = 16
[search]
shots = 12
chunks = 3
proposals = 12
evaluations = 240
finalists = 3
ensemble = 2
"#;

/// This many labelled texts of either domain.
pub fn rows(each: usize) -> String {
    let mut csv = String::from("id,domain,label,text\n");
    for domain in ["books", "films"] {
        for number in 0..each {
            let label = if number % 2 == 0 {
                "positive"
            } else {
                "negative"
            };
            writeln!(
                csv,
                "{domain}{number},{domain},{label},{domain} text number {number}"
            )
            .unwrap();
        }
    }
    csv
}

impl Desk {
    /// A fresh folder with the study and its data.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let desk = Self { folder };
        desk.write("data.csv", rows(60));
        desk.write("study.toml", STUDY);
        desk
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in the folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Replaces a piece of the study, which must be there.
    pub fn edit_study(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path("study.toml")).unwrap();
        assert!(text.contains(from), "{from:?} is not in the study");
        self.write("study.toml", text.replace(from, to));
    }

    /// The program with these arguments, in the folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shiftproof"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_remove("OPENAI_API_KEY")
            .env_remove("SHIFTPROOF_PRICES")
            .env_remove("SHIFTPROOF_STORE")
            .env_remove("SHIFTPROOF_SHARED_BUDGET")
            .env("SHIFTPROOF_CACHE", self.path("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end without blocking the test's own server.
    pub async fn run(&self, args: &[&str]) -> Ended {
        let mut command = self.command(args);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        Ended::from(output)
    }

    /// Starts the program, its output thrown away.
    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// The text of a file in the folder.
    pub fn read(&self, name: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

/// How the program ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// Expects an exit code and pieces of the error text.
    #[track_caller]
    pub fn expect(&self, code: i32, pieces: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for piece in pieces {
            assert!(
                self.err.contains(piece),
                "{piece:?} is not in: {}",
                self.err
            );
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }
}

/// A model that proposes one of a few instructions and answers by a rule of its
/// own: the same request always gets the same answer.
pub fn model(seen: &Seen) -> Act {
    let text = seen.prompt();
    let digest = blake3::hash(seen.body.to_string().as_bytes());
    let draw = digest.as_bytes()[0];
    if seen.asks_for_prompt() {
        let words = ["kind", "sober", "plain", "exact", "gentle"];
        let word = words[usize::from(draw) % words.len()];
        return Act::text(&format!(
            "Say in a {word} way if the text is positive or negative."
        ));
    }
    let number: u64 = text
        .rsplit(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    let right = draw < 160;
    Act::text(if number.is_multiple_of(2) == right {
        "positive"
    } else {
        "negative"
    })
}
