//! Folders in which the commands of a page run, and the model that answers them.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::mock_server::{Act, Seen};
use crate::support::program::{Desk, model, rows};

/// Commands that take a model: to them the scripted one is given.
const ASKING: &str = "optimize|eval|gate|estimate|drift|compare";

/// A folder with the program as `shiftproof` on its path.
pub struct DocDesk {
    pub desk: Desk,
}

impl DocDesk {
    /// `url`: where the scripted model answers.
    pub fn new(url: &str) -> Self {
        let desk = Desk::new();
        std::fs::create_dir(desk.path("bin")).unwrap();
        let program = env!("CARGO_BIN_EXE_shiftproof");
        desk.write(
            "bin/shiftproof",
            format!(
                "#!/bin/sh\ncase \"$1\" in\n{ASKING})\n  case \" $* \" in\n  *\" --model \"*) exec \
                 {program} \"$@\" ;;\n  *) exec {program} \"$@\" --model openai:mock --base-url {url} ;;\n  \
                 esac ;;\n*) exec {program} \"$@\" ;;\nesac\n"
            ),
        );
        let script = desk.path("bin/shiftproof");
        std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { desk }
    }

    /// Lays out what a page takes for granted.
    pub async fn lay_out(&self, fixture: &str) {
        match fixture {
            "study" => {}
            "reviews" => {
                self.name_study("reviews");
                for seed in ["1", "2"] {
                    self.sh(&format!("shiftproof optimize study.toml -q --seed {seed}"))
                        .await;
                }
                self.name_study("reviews-ape");
                self.sh("shiftproof optimize study.toml -q --method ape")
                    .await;
                self.name_study("reviews");
                std::fs::create_dir_all(self.desk.path("studies")).unwrap();
                self.sh("cp study.toml studies/reviews.toml; cp data.csv studies/")
                    .await;
            }
            "days" => {
                let fresh = rows(100);
                let mut lines = fresh.lines();
                let mut monday = format!("{}\n", lines.next().unwrap());
                for line in lines.filter(|line| line.starts_with("films")).skip(60) {
                    writeln!(monday, "{line}").unwrap();
                }
                self.desk.write("monday.csv", monday);
                self.sh("shiftproof optimize study.toml -q").await;
            }
            "tickets" => self.desk.write("tickets.csv", tickets()),
            other => panic!("there is no fixture {other:?}"),
        }
    }

    fn name_study(&self, name: &str) {
        let text = self.desk.read("study.toml");
        let line = text
            .lines()
            .find(|line| line.starts_with("name = "))
            .unwrap();
        self.desk.edit_study(line, &format!("name = {name:?}"));
    }

    /// Runs a script; its exit code, and all it said.
    pub async fn sh(&self, script: &str) -> (Option<i32>, String) {
        let mut command = self.desk.command(&[]);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-eu", "-c", &format!("exec 2>&1\n{script}")]);
        shell.current_dir(self.desk.path(""));
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let path = std::env::var("PATH").unwrap_or_default();
        shell.env(
            "PATH",
            format!("{}:{path}", self.desk.path("bin").display()),
        );
        shell.stdin(std::process::Stdio::null());
        command = shell;
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    }
}

/// What customers write, and which desk it is for.
const MATTERS: [(&str, &str); 3] = [
    ("billing", "the invoice is wrong"),
    ("delivery", "the parcel is late"),
    ("account", "the password is refused"),
];

/// E-mails that were sorted, chats that were not.
fn tickets() -> String {
    let mut csv = String::from("id,channel,text,queue\n");
    for number in 0..240 {
        let (queue, matter) = MATTERS[number % 3];
        writeln!(
            csv,
            "e{number},email,\"Order {number}: {matter}, please help.\",{queue}"
        )
        .unwrap();
    }
    for number in 0..160 {
        let (queue, matter) = MATTERS[number % 3];
        let queue = if number < 40 { queue } else { "" };
        writeln!(
            csv,
            "c{number},chat,hi again about {number} - {matter} lol,{queue}"
        )
        .unwrap();
    }
    csv
}

/// Answers for the studies of the pages: tickets by what they are about, other texts by
/// whether their number is even; one answer in six is wrong.
pub fn answer(seen: &Seen) -> Act {
    let text = seen.prompt();
    let is_ticket = MATTERS.iter().all(|(desk, _)| text.contains(desk)) || text.contains("Order ");
    if !is_ticket && !text.contains("lol") {
        return model(seen);
    }
    let draw = usize::from(blake3::hash(seen.body.to_string().as_bytes()).as_bytes()[0]);
    if seen.asks_for_prompt() {
        let way = ["calmly", "carefully", "quickly", "plainly"][draw % 4];
        return Act::text(&format!(
            "Read the message {way} and decide which desk it is for. Answer billing, delivery or account."
        ));
    }
    let last = text.rsplit("\n\n").next().unwrap_or(text);
    let right = MATTERS.iter().position(|(_, matter)| last.contains(matter));
    let given = right.map_or(0, |right| (right + usize::from(draw % 6 == 0)) % 3);
    Act::text(MATTERS[given].0)
}
