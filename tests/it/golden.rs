//! What a search comes to is kept byte for byte: events, reports, estimates and
//! lists of a run of each method, and runs that earlier programs left behind.
//!
//! The runs are snapshots in `golden/`: a change that is meant is read and
//! accepted with `cargo insta review`. Nothing in `golden/v1` is ever rewritten:
//! it is what a program of that form wrote, and must open as it did.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::mock_server::{Act, MockServer, Seen, capable, completion};
use crate::support::program::{Desk, model, rows};

/// Of a program's own form of runs: a folder in `golden/`.
const VERSION: u32 = 1;
const VERSION_SAID: &str = concat!("\"version\":\"", env!("CARGO_PKG_VERSION"), "\"");
const RUN: &str = "mock-s1-1";

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden")
}

/// Answers as they come: some are cut off whatever the room, some are refused,
/// some say nothing of the kind.
fn uneven(seen: &Seen) -> Act {
    let text = seen.prompt();
    let number: u64 = text
        .rsplit(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    let finish = match number % 13 {
        3 => "length",
        5 => "content_filter",
        _ if blake3::hash(text.as_bytes()).as_bytes()[0] < 12 => {
            return Act::text("That is hard to tell.");
        }
        _ => return model(seen),
    };
    let mut body = completion("", 10);
    body["choices"][0]["finish_reason"] = finish.into();
    Act::json(200, &body)
}

/// A model that scores labels and leans to the first.
fn scoring(seen: &Seen) -> Act {
    if let Some(probe) = capable(seen) {
        return probe;
    }
    if !seen.wants_logprobs() {
        return model(seen);
    }
    let draw = blake3::hash(seen.body.to_string().as_bytes()).as_bytes()[0];
    if draw < 160 {
        Act::scored(&[&[("positive", 0.7), ("negative", 0.2)]])
    } else {
        Act::scored(&[&[("negative", 0.5), ("positive", 0.4)]])
    }
}

/// A study of one method, and the model it is run with.
struct Scene {
    desk: Desk,
    server: MockServer,
}

impl Scene {
    async fn new(search: &str, script: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Self {
        let server = MockServer::start(script).await;
        let desk = Desk::new();
        desk.edit_study(
            "name = \"mock\"",
            &format!(
                "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\", \
                 concurrency = 4, label_scores = \"off\", prefill = \"off\" }}",
                server.base_url()
            ),
        );
        desk.edit_study("ensemble = 2", &format!("ensemble = 2\n{search}"));
        Self { desk, server }
    }

    /// A text without what differs from day to day: port, folder and clock.
    fn steady(&self, text: &str) -> String {
        let folder = self.desk.path("").display().to_string();
        let text = text
            .replace(
                self.server.origin().trim_start_matches("http://"),
                "127.0.0.1:PORT",
            )
            .replace(folder.trim_end_matches('/'), "FOLDER")
            .replace(VERSION_SAID, "\"version\":\"0\"");
        text.lines()
            .map(|line| without_clock(line) + "\n")
            .collect()
    }

    /// Runs the study and keeps everything that it is told by.
    async fn keep(&self, name: &str, options: &[&str]) {
        let estimate = self.desk.run(&[&["estimate"], options].concat()).await;
        assert_eq!(estimate.code, Some(0), "{estimate:?}");
        self.check(name, "estimate", &estimate.out);

        let reports = ["-o", "a.html", "-o", "a.md"];
        let ended = self
            .desk
            .run(&[&["optimize", "--quiet"], options, &reports].concat())
            .await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        self.check(name, "told", &ended.err);
        let folder = format!(".shiftproof/runs/{RUN}");
        self.check(
            name,
            "events",
            &events(&self.desk.read(format!("{folder}/events.jsonl"))),
        );
        for (what, file) in [
            ("text", format!("{folder}/report.txt")),
            ("json", format!("{folder}/report.json")),
            ("markdown", "a.md".into()),
            ("page", "a.html".into()),
        ] {
            self.check(name, what, &self.desk.read(file));
        }
        self.check(name, "runs", &self.desk.run(&["runs"]).await.out);
    }

    fn check(&self, name: &str, what: &str, text: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(golden().join(name));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(what, self.steady(text)));
    }
}

/// The events of a log, without the time each was told at and the checksum of that.
fn events(log: &str) -> String {
    let mut text = String::new();
    for line in log.lines() {
        let (head, rest) = line.split_once("\"at_ms\":").unwrap();
        let rest = rest.trim_start_matches(|char: char| char.is_ascii_digit());
        let said = rest
            .rsplit_once(",\"sum\":\"")
            .map_or_else(|| rest.to_owned(), |(said, _)| format!("{said}}}"));
        writeln!(text, "{head}\"at_ms\":0{said}").unwrap();
    }
    text
}

/// A line with every date, and time of day, in zeros.
fn without_clock(line: &str) -> String {
    const SHAPES: [&str; 2] = ["0000-00-00 00:00", "0000-00-00"];
    let mut bytes = line.as_bytes().to_vec();
    for shape in SHAPES {
        for start in 0..bytes.len().saturating_sub(shape.len() - 1) {
            let here = start..start + shape.len();
            let alike = |(byte, form): (&u8, u8)| match form {
                b'0' => byte.is_ascii_digit(),
                _ => *byte == form,
            };
            if bytes[here.clone()].iter().zip(shape.bytes()).all(alike) {
                bytes[here].copy_from_slice(shape.as_bytes());
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_keeps_its_events() {
    for method in [
        "ape",
        "ape-ut",
        "gpo",
        "edits",
        "gpo-paper",
        "protegi",
        "gepa",
        "group-reflective",
        "opro",
        "evoprompt-ga",
        "evoprompt-de",
        "capo",
        "mipro",
    ] {
        let scene = Scene::new(&format!("method = \"{method}\""), model).await;
        scene.keep(method, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_keep_their_events() {
    for (name, rule, objective) in [
        ("racing", "racing", "worst"),
        ("halving", "halving", "mean"),
        ("triple", "triple-cr", "robust"),
    ] {
        let search = format!("rule = \"{rule}\"\nobjective = \"{objective}\"\nlibrary = true");
        let scene = Scene::new(&search, model).await;
        scene
            .desk
            .edit_study("audit = 16", "audit = 16\nlabelled = 8");
        scene.keep(name, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uneven_answers_keep_their_events() {
    let scene = uneven_scene().await;
    scene.keep("uneven", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calibrated_scores_keep_their_events() {
    let scene = Scene::new("method = \"ape\"\ncalibration = \"batch\"", scoring).await;
    scene.desk.edit_study("label_scores = \"off\", ", "");
    scene.keep("calibrated", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_budgets_keep_their_events() {
    let scene = Scene::new("method = \"gpo\"", model).await;
    scene.keep("budget", &["--max-calls", "260"]).await;
}

/// Two target groups: half of the first has labels, the other none.
fn half_labelled() -> String {
    let plays = rows(40).replace("books", "plays");
    let plays = plays.lines().filter(|line| line.contains(",plays,"));
    let films = rows(60);
    let bare = |line: &str| {
        let (head, rest) = line
            .split_once(",p")
            .or_else(|| line.split_once(",n"))
            .unwrap();
        let (_, text) = rest.split_once(',').unwrap();
        format!("{head},,{text}")
    };
    let mut csv = String::new();
    for (at, line) in films.lines().enumerate() {
        let without = line.contains(",films,") && at % 2 == 0 && at % 3 == 0;
        let line = if without { bare(line) } else { line.to_owned() };
        writeln!(csv, "{line}").unwrap();
    }
    for line in plays {
        let (id, text) = (line.split(',').next(), line.rsplit(',').next());
        writeln!(csv, "{},plays,,{}", id.unwrap(), text.unwrap()).unwrap();
    }
    csv
}

/// A study with every kind of answer and of row, on a server of its own.
async fn uneven_scene() -> Scene {
    let scene = Scene::new("method = \"gpo\"", uneven).await;
    scene.desk.write("data.csv", half_labelled());
    scene
        .desk
        .edit_study("target = [\"films\"]", "target = [\"films\", \"plays\"]");
    scene
}

/// What a run leaves behind, but for the index, which is made anew from the
/// journal.
const LEFT: [&str; 2] = ["study.toml", "data.csv"];
const REPORTS: [&str; 4] = ["a.html", "a.md", "a.json", "a.txt"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes the golden files of a new version"]
async fn write_golden_files() {
    let folder = golden().join(format!("v{VERSION}"));
    if folder.exists() {
        return;
    }
    let scene = uneven_scene().await;
    let run = ["optimize", "--quiet"];
    let reports = REPORTS.iter().flat_map(|name| ["-o", name]);
    let ended = scene
        .desk
        .run(&run.into_iter().chain(reports).collect::<Vec<_>>())
        .await;
    ended.expect(0, &[]);
    for name in LEFT.iter().chain(&REPORTS) {
        keep(&folder, name, &scene.desk.read(name));
    }
    for name in ["events.jsonl", "study.json"] {
        let name = format!(".shiftproof/runs/{RUN}/{name}");
        keep(&folder, &name, &scene.desk.read(&name));
    }
    let exported = scene.desk.run(&["export", RUN, "--format", "json"]).await;
    keep(&folder, "exported.json", &exported.out);
}

fn keep(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What a page says, without its style and its tags: a text a tag.
fn words(html: &str) -> Vec<&str> {
    let (head, rest) = html.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    let pieces = head.split('<').chain(body.split('<'));
    let texts = pieces.map(|piece| piece.split_once('>').map_or("", |(_, text)| text.trim()));
    texts.filter(|text| !text.is_empty()).collect()
}

/// A page may be laid out anew and say more; what the old one says it says, in its order.
fn says_at_least(new: &str, old: &str) {
    let said = words(new);
    let mut rest = said.iter();
    for text in words(old) {
        assert!(rest.any(|said| *said == text), "{text:?} is lost: {said:?}");
    }
}

/// A Markdown report without the blocks of failing examples, which old ones had not.
fn unfolded(report: &str) -> String {
    let mut parts = report.split("\n<details>");
    let first = parts.next().unwrap_or_default().to_owned();
    let kept = parts.filter(|part| !part.contains(": where it fails</summary>"));
    kept.fold(first, |report, part| report + "\n<details>" + part)
}

/// The log, the study and the stored options of an old run give what they gave.
#[tokio::test(flavor = "multi_thread")]
async fn old_runs_report_alike() {
    for version in 1..=VERSION {
        let folder = golden().join(format!("v{version}"));
        let old = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let desk = Desk::new();
        for name in LEFT {
            desk.write(name, old(name));
        }
        let run = format!(".shiftproof/runs/{RUN}");
        fs::create_dir_all(desk.path(&run)).unwrap();
        for name in ["events.jsonl", "study.json"] {
            desk.write(&format!("{run}/{name}"), old(&format!("{run}/{name}")));
        }
        for report in REPORTS {
            let ended = desk.run(&["report", RUN, "-o", report]).await;
            ended.expect(0, &[]);
            let (new, old) = (desk.read(report), old(report));
            if old.starts_with("<!DOCTYPE html>") {
                says_at_least(&new, &old);
            } else if report == "a.md" {
                // What it says more is folded up.
                assert_eq!(unfolded(&new), old, "version {version}: {report}");
            } else {
                assert_eq!(new, old, "version {version}: {report}");
            }
        }
        let exported = desk.run(&["export", RUN, "--format", "json"]).await;
        assert_eq!(exported.out, old("exported.json"), "version {version}");
        desk.run(&["estimate"]).await.expect(0, &[]);
        let shown = desk.run(&["runs", "show", RUN]).await;
        assert_eq!(shown.out, old("a.txt"), "version {version}");
    }
}
