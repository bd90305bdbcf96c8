//! The screens in a real terminal (tmux), and runs that are looked at from
//! outside.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use shiftproof_tasks::{Answer, AnswerForm, Input, Label, Outcome, Prompt, Task};

use crate::support::mock_server::{MockServer, Seen};
use crate::support::program::{Desk, Ended, model};

/// Nothing here takes as long on a machine that is alive.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) fn server_in(desk: &Desk, server: &MockServer) {
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\", \
             concurrency = 4, label_scores = \"off\", prefill = \"off\" }}",
            server.base_url()
        ),
    );
}

async fn slow(milliseconds: u64) -> MockServer {
    MockServer::start(move |seen: &Seen| model(seen).after(Duration::from_millis(milliseconds)))
        .await
}

/// Whether there is no screen, or no tmux to test it in; says so loudly.
#[allow(clippy::print_stderr)]
pub(crate) fn no_tmux() -> bool {
    if !cfg!(feature = "tui") {
        eprintln!("SKIPPED: built without the feature `tui`, so there is no screen to test");
        return true;
    }
    let found = Command::new("tmux").arg("-V").output().is_ok();
    if !found {
        eprintln!("SKIPPED: tmux is not installed, so the terminal is not tested");
    }
    !found
}

/// A shell in a terminal of its own.
pub(crate) struct Terminal {
    socket: String,
}

impl Terminal {
    pub(crate) fn new(desk: &Desk, width: u16, height: u16) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let terminal = Self {
            socket: format!(
                "shiftproof-{}-{}",
                std::process::id(),
                COUNT.fetch_add(1, SeqCst)
            ),
        };
        let bin = PathBuf::from(env!("CARGO_BIN_EXE_shiftproof"));
        let path = format!(
            "{}:{}",
            bin.parent().unwrap().display(),
            std::env::var("PATH").unwrap()
        );
        let output = terminal
            .tmux(&[
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                "-x",
                &width.to_string(),
            ])
            .args(["-y", &height.to_string(), "-c"])
            .arg(desk.path(""))
            .args([
                "env",
                "-u",
                "OPENAI_API_KEY",
                "-u",
                "SHIFTPROOF_STORE",
                "-u",
                "NO_COLOR",
            ])
            .arg(format!("SHIFTPROOF_CACHE={}", desk.path("cache").display()))
            .arg(format!("PATH={path}"))
            .args(["RUST_BACKTRACE=0", "PS1=ready ", "sh"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        terminal.wait_for("ready");
        terminal
    }

    fn tmux(&self, args: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.socket]).args(args);
        command
    }

    fn output(&self, args: &[&str]) -> String {
        let output = self.tmux(args).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Keys by tmux's names.
    pub(crate) fn keys(&self, keys: &[&str]) {
        self.output(&[&["send-keys"], keys].concat());
    }

    /// Runs a command line; its exit code is printed behind `EXIT`.
    pub(crate) fn run(&self, line: &str) {
        self.keys(&["-l", &format!("clear; {line}; echo EXIT $?")]);
        self.keys(&["Enter"]);
    }

    fn screen(&self) -> String {
        self.output(&["capture-pane", "-p"])
    }

    /// The screen once it shows `piece`.
    #[track_caller]
    pub(crate) fn wait_for(&self, piece: &str) -> String {
        self.wait_until(piece, |screen| screen.contains(piece))
    }

    #[track_caller]
    fn wait_until(&self, what: &str, shown: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if shown(&screen) {
                return screen;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{what:?} is not on the screen:\n{screen}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end of a command and checks that the terminal is as it was:
    /// the first screen, a cursor, lines edited and echoed.
    #[track_caller]
    pub(crate) fn wait_for_exit(&self, code: i32) -> String {
        let ended = |screen: &str| {
            let (_, rest) = screen.rsplit_once("EXIT ")?;
            rest.split_whitespace().next()?.parse::<i32>().ok()
        };
        let screen = self.wait_until("EXIT with a code", |screen| ended(screen).is_some());
        assert_eq!(ended(&screen), Some(code), "{screen}");
        let flags = self.output(&["display", "-p", "#{alternate_on} #{cursor_flag}"]);
        assert_eq!(flags.trim(), "0 1", "{screen}");
        self.keys(&["-l", "clear; stty -a"]);
        self.keys(&["Enter"]);
        let modes = self.wait_for("icanon");
        for mode in ["icanon", "echo", "isig"] {
            let on = modes.split_whitespace().any(|word| word == mode);
            assert!(on, "{mode} is off: {modes}");
        }
        screen
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.output(&["kill-server"]);
    }
}

/// What of a run must not depend on who looked at it.
fn results(desk: &Desk) -> (String, Vec<serde_json::Value>) {
    let folder = ".shiftproof/runs/mock-s1-1";
    let events = desk.read(format!("{folder}/events.jsonl"));
    let events = events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].clone());
    (desk.read(format!("{folder}/report.json")), events.collect())
}

async fn calm(server: &MockServer) -> (String, Vec<serde_json::Value>) {
    let desk = Desk::new();
    server_in(&desk, server);
    let ended = desk.run(&["optimize", "--quiet"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    results(&desk)
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn run_is_paused_and_resumed() {
    if no_tmux() {
        return;
    }
    let server = slow(60).await;
    let expected = calm(&server).await;
    let desk = Desk::new();
    server_in(&desk, &server);
    let terminal = Terminal::new(&desk, 120, 40);
    terminal.run("shiftproof optimize");
    terminal.wait_for("1 Overview");
    for (key, piece) in [
        ("2", "reason ·"),
        ("3", "candidate"),
        ("4", "the seed: the prompt in use today"),
        ("5", "seed: Is this positive or negative?"),
        ("6", "all answers"),
        ("7", "latency"),
        ("8", "vote"),
        ("?", "Ctrl-C"),
        ("Escape", "vote"),
        ("Tab", "Ctrl-C"),
        ("1", "calls/s"),
    ] {
        terminal.keys(&[key]);
        terminal.wait_for(piece);
    }
    terminal.output(&["resize-window", "-x", "40", "-y", "10"]);
    terminal.wait_for("40×10 is small");
    terminal.output(&["resize-window", "-x", "120", "-y", "40"]);
    terminal.wait_for("8 Pseudo-labels");
    terminal.keys(&["p"]);
    terminal.wait_for("in flight 0/4");
    assert!(terminal.screen().contains("PAUSED"));
    let sent = server.asked();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(server.asked(), sent, "a call was sent in the pause");
    terminal.keys(&["p"]);
    until("the run goes on", || server.asked() > sent + 8).await;

    terminal.keys(&["e"]);
    terminal.wait_for("wrote /");
    let exported = std::fs::read_dir(desk.path("")).unwrap().flatten();
    let exported =
        exported.filter(|entry| entry.file_name().to_string_lossy().starts_with("prompt-"));
    assert_eq!(exported.count(), 1);

    terminal.keys(&["q"]);
    terminal.wait_for("Stop and save the run?");
    terminal.keys(&["n"]);
    terminal.keys(&["q"]);
    terminal.wait_for("Stop and save the run?");
    terminal.keys(&["y"]);
    let screen = terminal.wait_for_exit(130);
    assert!(screen.contains("--resume mock-s1-1"), "{screen}");
    assert!(!desk.path(".shiftproof/runs/mock-s1-1/live.json").exists());

    terminal.run("shiftproof optimize --resume");
    terminal.wait_for("1 Overview");
    // Who looks around keeps the screen to the end.
    terminal.keys(&["2"]);
    terminal.wait_for("The run has ended");
    terminal.keys(&["q"]);
    let screen = terminal.wait_for_exit(0);
    assert!(screen.contains("Verdict:"), "{screen}");
    assert_eq!(results(&desk), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_restore_terminal() {
    if no_tmux() {
        return;
    }
    let server = slow(20).await;
    for signal in ["-TERM", "-HUP", "-INT"] {
        let desk = Desk::new();
        server_in(&desk, &server);
        let terminal = Terminal::new(&desk, 120, 24);
        terminal.run("shiftproof optimize");
        terminal.wait_for("2 Candidates");
        let live = live_file(&desk).await;
        let sent = Command::new("kill")
            .args([signal, &live["pid"].to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        let screen = terminal.wait_for_exit(130);
        assert!(screen.contains("--resume mock-s1-1"), "{screen}");
    }
}

/// What a run says of itself while it lasts: the screen may be there before it.
async fn live_file(desk: &Desk) -> serde_json::Value {
    let path = desk.path(".shiftproof/runs/mock-s1-1/live.json");
    for _ in 0..600 {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if let Ok(live) = serde_json::from_str(&text) {
            return live;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the run has no sign of life");
}

/// A terminal window that is closed takes no process hostage: the run is saved
/// and the process ends.
#[tokio::test(flavor = "multi_thread")]
async fn vanished_terminal_ends_run() {
    if no_tmux() {
        return;
    }
    let server = slow(20).await;
    let desk = Desk::new();
    server_in(&desk, &server);
    let terminal = Terminal::new(&desk, 120, 24);
    terminal.run("shiftproof optimize");
    terminal.wait_for("2 Candidates");
    let live = live_file(&desk).await;
    terminal.output(&["kill-server"]);
    let began = Instant::now();
    let alive = || {
        let asked = Command::new("kill")
            .args(["-0", &live["pid"].to_string()])
            .stderr(std::process::Stdio::null())
            .status();
        asked.unwrap().success()
    };
    while alive() {
        assert!(began.elapsed() < PATIENCE, "it never ends");
        std::thread::sleep(Duration::from_millis(50));
    }
    let runs = desk.run(&["runs"]).await;
    assert!(runs.out.contains("can be resumed"), "{runs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn second_interrupt_does_not_wait() {
    if no_tmux() {
        return;
    }
    // But for the client's own question no answer comes in the time of the test.
    let server = MockServer::start(|seen: &Seen| match seen.prompt() {
        text if text.starts_with("Repeat this word") => model(seen),
        _ => model(seen).after(PATIENCE),
    })
    .await;
    let desk = Desk::new();
    server_in(&desk, &server);
    let terminal = Terminal::new(&desk, 120, 24);
    terminal.run("shiftproof optimize");
    terminal.wait_for("2 Candidates");
    // Something has to be in flight: with nothing to wait for one interrupt is enough.
    let began = Instant::now();
    while server.asked() < 1 {
        assert!(began.elapsed() < PATIENCE, "no call is sent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    terminal.keys(&["C-c"]);
    terminal.wait_for("STOPPING");
    terminal.keys(&["C-c"]);
    let screen = terminal.wait_for_exit(130);
    assert!(screen.contains("aborted"), "{screen}");
}

/// A run that nobody touches closes its screen and prints the report.
#[tokio::test(flavor = "multi_thread")]
async fn untouched_screen_closes_itself() {
    if no_tmux() {
        return;
    }
    let server = slow(1).await;
    let desk = Desk::new();
    server_in(&desk, &server);
    let terminal = Terminal::new(&desk, 80, 40);
    terminal.run("shiftproof optimize > report.txt");
    terminal.wait_for_exit(0);
    let folder = ".shiftproof/runs/mock-s1-1";
    assert_eq!(
        desk.read("report.txt"),
        desk.read(format!("{folder}/report.txt"))
    );
}

const DOOMED: &str = "SHIFTPROOF_TEST_DOOMED";

/// A task whose grading panics after a while.
struct Doomed(AtomicUsize);

impl Task for Doomed {
    fn name(&self) -> &'static str {
        "doomed"
    }

    fn seed(&self) -> Prompt {
        Prompt::new("Is this positive or negative?")
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        AnswerForm::choice(["positive", "negative"])
    }

    fn grade(&self, answer: &Answer, label: &Label) -> Outcome {
        assert!(self.0.fetch_add(1, SeqCst) < 300, "grading is doomed");
        shiftproof_tasks::grade::grade(answer, label)
    }
}

/// Not a test but the program that the next one runs.
#[test]
#[ignore = "run by panic_restores_terminal"]
fn program_that_panics() {
    if std::env::var_os(DOOMED).is_some() {
        let app = shiftproof::App::new().task(Doomed(AtomicUsize::new(0)));
        let exit = app.run_with(["shiftproof", "optimize"]);
        // The harness ends with 101 where this fails: so the next test learns that the
        // program itself ended with 1.
        assert_ne!(exit, std::process::ExitCode::from(1), "as it should");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn panic_restores_terminal() {
    if no_tmux() {
        return;
    }
    let server = slow(10).await;
    let desk = Desk::new();
    server_in(&desk, &server);
    desk.edit_study("kind = \"classify\"\n", "kind = \"doomed\"\n");
    for line in [
        "prompt = \"Is this positive or negative?\"\n",
        "input = \"{text}\"\n",
        "labels = [\"positive\", \"negative\"]\n",
    ] {
        desk.edit_study(line, "");
    }
    let terminal = Terminal::new(&desk, 100, 40);
    terminal.run(&format!(
        "{DOOMED}=1 {} --ignored --exact --nocapture tui::program_that_panics",
        std::env::current_exe().unwrap().display()
    ));
    terminal.wait_for("1 Overview");
    let screen = terminal.wait_for_exit(101);
    assert!(screen.contains("grading is doomed"), "{screen}");
    assert!(screen.contains("as it should"), "{screen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_change_nothing() {
    let server = slow(25).await;
    let expected = calm(&server).await;
    let desk = Desk::new();
    server_in(&desk, &server);
    let mut run = desk.start(&["optimize", "--quiet"]);
    let log = desk.path(".shiftproof/runs/mock-s1-1/events.jsonl");
    until("the run begins", || log.exists()).await;
    if !no_tmux() {
        for _ in 0..3 {
            let terminal = Terminal::new(&desk, 80, 24);
            terminal.run("shiftproof watch");
            terminal.wait_for("process ");
            terminal.keys(&["q"]);
            terminal.wait_for_exit(0);
        }
    }
    let mut met_alive = 0;
    for _ in 0..100 {
        let mut watch = desk.command(&["watch"]).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(watch.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        assert!(first.starts_with("propose"), "{first:?}");
        watch.kill().unwrap();
        watch.wait().unwrap();
        met_alive += usize::from(run.try_wait().unwrap().is_none());
    }
    assert!(
        met_alive > 20,
        "the run was over after {met_alive} watchers: slow the server down"
    );
    // One stays to the end.
    let last = desk.run(&["watch", "mock-s1-1"]).await;
    let code = tokio::task::spawn_blocking(move || run.wait().unwrap())
        .await
        .unwrap()
        .code();
    assert_eq!(code, Some(0));
    assert_eq!(results(&desk), expected);
    last.expect(0, &[]);
    let replayed = desk.run(&["replay", "mock-s1-1"]).await;
    replayed.expect(0, &[]);
    assert_eq!(last.out, replayed.out);
    assert!(replayed.out.contains("selected"), "{}", replayed.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn abandoned_run_can_be_watched() {
    let server = slow(20).await;
    let desk = Desk::new();
    desk.run(&["watch"])
        .await
        .expect(2, &["there is no run", "--store"]);
    server_in(&desk, &server);
    let mut run = desk.start(&["optimize", "--quiet"]);
    until("calls are sent", || server.asked() > 60).await;
    run.kill().unwrap();
    run.wait().unwrap();
    let live = desk.path(".shiftproof/runs/mock-s1-1/live.json");
    assert!(live.exists(), "a killed process cannot clean up");
    make_old(&live);
    let watched = desk.run(&["watch"]).await;
    watched.expect(0, &["no process is at work on it"]);
    desk.run(&["watch", "mock-s2-1"])
        .await
        .expect(2, &["mock-s1-1"]);
    desk.run(&["replay", "--speed", "0"])
        .await
        .expect(2, &["--speed"]);
    // The log alone is enough, on another machine too.
    std::fs::remove_dir_all(desk.path(".shiftproof/db")).unwrap();
    let replayed = desk.run(&["replay", "--speed", "1000"]).await;
    replayed.expect(0, &[]);
    assert_eq!(replayed.out, watched.out);
    assert!(
        !desk.path(".shiftproof/db").exists(),
        "a replay opens no store"
    );
}

fn make_old(path: &Path) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let hour = Duration::from_hours(1);
    file.set_modified(std::time::SystemTime::now() - hour)
        .unwrap();
}

/// Where there is no terminal, and where none is wanted, nothing changed: lines
/// and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn headless_run_prints_lines() {
    let server = slow(0).await;
    let desk = Desk::new();
    server_in(&desk, &server);
    let ended = desk.run(&["optimize"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        ended.out,
        desk.read(".shiftproof/runs/mock-s1-1/report.txt")
    );
    let folder = desk.path(".shiftproof").display().to_string();
    let told = timeless(&ended, &server).replace(&folder, "STORE");
    insta::assert_snapshot!(told);

    if no_tmux() {
        return;
    }
    let terminal = Terminal::new(&desk, 200, 50);
    terminal.run("shiftproof optimize --headless 2> err > out");
    terminal.wait_for_exit(0);
    assert_eq!(desk.read("out"), ended.out);
    assert!(!desk.read("err").contains('\x1b'), "{}", desk.read("err"));
    assert!(desk.path(".shiftproof/runs/mock-s1-2/report.txt").exists());
}

/// The text on standard error without what differs from run to run.
fn timeless(ended: &Ended, server: &MockServer) -> String {
    let mut lines = Vec::new();
    for line in ended.err.replace(&server.base_url(), "URL").lines() {
        // How often progress is told depends on the clock alone.
        if line.contains(" of ≤ ") {
            continue;
        }
        let mut line = line.to_owned();
        if let Some(rest) = line.strip_prefix("Took ")
            && let Some((_, end)) = rest.split_once("; ")
        {
            line = format!("Took …; {end}");
        }
        lines.push(line);
    }
    lines.join("\n")
}
