//! The prompt in use, watched day by day.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::labels::server_in;
use crate::support::mock_server::{Act, MockServer, Seen, completion};
use crate::support::program::{Desk, rows};

/// A model that is right nine times in ten until the day turns; then it takes every
/// film for negative.
fn turning(turned: &AtomicBool, seen: &Seen) -> Act {
    let text = seen.prompt();
    let number: u32 = text
        .rsplit(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    let late = text.contains("films") && number >= 10_000;
    if late && turned.load(SeqCst) {
        return Act::text("negative");
    }
    let right = number % 10 != 7;
    Act::text(if number.is_multiple_of(2) == right {
        "positive"
    } else {
        "negative"
    })
}

fn day(from: u32, rows: u32, label: bool) -> String {
    let mut csv = String::from("id,domain,label,text\n");
    for number in from..from + rows {
        let truth = if number % 2 == 0 {
            "positive"
        } else {
            "negative"
        };
        let truth = if label { truth } else { "" };
        writeln!(
            csv,
            "films{number},films,{truth},films text number {number}"
        )
        .unwrap();
    }
    csv
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story of several days")]
async fn days_are_watched() {
    let turned = Arc::new(AtomicBool::new(false));
    let server = {
        let turned = turned.clone();
        MockServer::start(move |seen| turning(&turned, seen)).await
    };
    let desk = Desk::new();
    desk.write("data.csv", rows(200));
    server_in(&desk, &server);
    desk.edit_study("validation = 24", "validation = 4");
    desk.edit_study("audit = 16", "audit = 100");
    for (name, from) in [("mon", 1000), ("tue", 2000), ("wed", 3000)] {
        desk.write(&format!("{name}.csv"), day(from, 40, true));
        let calm = desk
            .run(&["drift", "--quiet", "--batch", &format!("{name}.csv")])
            .await;
        assert_eq!(calm.code, Some(0), "{calm:?}");
        assert!(
            calm.out
                .ends_with("KEEP: nothing is shown to have become worse or to have moved\n"),
            "{}",
            calm.out
        );
    }
    // The same day again costs nothing and counts once.
    let sent = server.asked();
    let again = desk.run(&["drift", "--quiet", "--batch", "wed.csv"]).await;
    assert_eq!((again.code, server.asked()), (Some(0), sent), "{again:?}");
    assert!(again.out.contains("(3 days so far)"), "{}", again.out);

    // Without labels the answers alone are seen to move.
    turned.store(true, SeqCst);
    desk.write("thu.csv", day(10_000, 120, false));
    let moved = desk.run(&["drift", "--quiet", "--batch", "thu.csv"]).await;
    assert_eq!(moved.code, Some(102), "{moved:?}");
    assert!(
        moved
            .out
            .contains("Alarm: the answers in films moved, most likely from thu on"),
        "{}",
        moved.out
    );
    assert!(
        moved.out.contains("RE-LABEL: ")
            && moved
                .out
                .contains("label study.toml --batch thu.csv --group \"films\""),
        "{}",
        moved.out
    );

    // Labelled, and asked again, the fall is shown.
    let out = desk
        .run(&[
            "label",
            "study.toml",
            "--batch",
            "thu.csv",
            "-n",
            "100",
            "--export",
            "out.csv",
        ])
        .await;
    out.expect(0, &["100 inputs are in out.csv"]);
    let asked = desk.read("out.csv");
    assert!(!asked.contains("chosen"), "{asked}");
    let mut filled = String::new();
    for (at, line) in asked.lines().enumerate() {
        let id = line.split(',').next().unwrap();
        let number: u32 = id.trim_start_matches("films").parse().unwrap_or(0);
        let label = if number.is_multiple_of(2) {
            "positive"
        } else {
            "negative"
        };
        let line = if at == 0 {
            line.to_owned()
        } else {
            line.replacen(",films,,", &format!(",films,{label},"), 1)
        };
        filled.push_str(&line);
        filled.push('\n');
    }
    desk.write("back.csv", filled);
    let back = desk
        .run(&[
            "label",
            "study.toml",
            "--batch",
            "thu.csv",
            "--import",
            "back.csv",
        ])
        .await;
    back.expect(0, &["100 labels were added"]);
    let sent = server.asked();
    let fell = desk
        .run(&[
            "drift", "--quiet", "--batch", "thu.csv", "-o", "d.html", "-o", "d.xml", "-o", "d.md",
            "--json",
        ])
        .await;
    assert_eq!((fell.code, server.asked()), (Some(102), sent), "{fell:?}");
    let told: serde_json::Value = serde_json::from_str(&fell.out).unwrap();
    assert_eq!(told["decision"], "re-optimise");
    assert_eq!(told["groups"][1]["fall"]["since"], "thu");
    assert_eq!(told["days"].as_array().unwrap().len(), 4);
    assert!(desk.read("d.html").contains(">alarm<") && desk.read("d.html").contains(">labels<"));
    assert!(
        desk.read("d.xml").contains("failures=\"2\""),
        "{}",
        desk.read("d.xml")
    );
    assert!(
        desk.read("d.md").starts_with("## RE-OPTIMISE"),
        "{}",
        desk.read("d.md")
    );

    // The level is the stream's.
    let other = desk
        .run(&["drift", "--quiet", "--batch", "thu.csv", "--alpha", "0.01"])
        .await;
    other.expect(2, &["the stream began with --alpha 0.05"]);
    let nowhere = desk
        .run(&["drift", "--batch", "thu.csv", "-o", "d.pdf"])
        .await;
    nowhere.expect(2, &["d.pdf"]);
}

/// What could not be had is in no count, and is told; a service that refused everything
/// is asked again once it is mended.
#[tokio::test(flavor = "multi_thread")]
async fn unanswered_rows_are_told() {
    let mended = Arc::new(AtomicBool::new(false));
    let server = {
        let mended = mended.clone();
        MockServer::start(move |seen| {
            if !mended.load(SeqCst) && !seen.prompt().starts_with("Repeat this word") {
                return Act::error(400, "invalid_request_error", "no chat template is set");
            }
            if seen.prompt().ends_with('3') {
                let mut body = completion("", 10);
                body["choices"][0]["finish_reason"] = "content_filter".into();
                return Act::json(200, &body);
            }
            turning(&AtomicBool::new(false), seen)
        })
        .await
    };
    let desk = Desk::new();
    desk.write("data.csv", rows(200));
    server_in(&desk, &server);
    desk.edit_study("audit = 16", "audit = 60");
    desk.write("mon.csv", day(1000, 40, true));
    let drift = ["drift", "--quiet", "--batch", "mon.csv", "--json"];
    desk.run(&drift)
        .await
        .expect(6, &["no chat template is set", "--keep-going"]);
    mended.store(true, SeqCst);
    let calm = desk.run(&drift).await;
    assert_eq!(calm.code, Some(0), "{calm:?}");
    let told: serde_json::Value = serde_json::from_str(&calm.out).unwrap();
    assert_eq!(told["groups"][1]["rows"], 36);
    let notes = told["notes"].to_string();
    assert!(notes.contains("answers could not be had"), "{notes}");
}

/// Sixty viewers of two kinds of films. `days`: how many days each has watched a film a day
/// of its kind; from day 4 on the other kind.
fn log(days: std::ops::Range<usize>) -> String {
    let mut csv = String::from("user,item,title,time,genres\n");
    for day in days {
        for user in 0..60_usize {
            let turned = day >= 7;
            let genre = ["Crime", "Space"][(user + usize::from(turned)) % 2];
            let film = (user / 2 + day * 3) % 31;
            let time = 1_000_000 + 86_400 * day + user;
            writeln!(
                csv,
                "u{user},{genre}{film},{genre} Story {film} (1990),{time},{genre}"
            )
            .unwrap();
        }
    }
    csv
}

/// Ranks films of the genre that the history shows most often first.
fn same_genre(seen: &Seen) -> Act {
    let text = seen.prompt();
    let (before, candidates) = text.split_once("Candidates:\n").unwrap_or((text, ""));
    let often = |genre: &str| before.matches(&format!("{genre} Story")).count();
    let genre = if often("Crime") >= often("Space") {
        "Crime"
    } else {
        "Space"
    };
    let titles = candidates
        .lines()
        .map(|line| line.split_once(". ").map_or(line, |(_, title)| title));
    let (mut first, rest): (Vec<&str>, Vec<&str>) =
        titles.partition(|title| title.starts_with(genre));
    first.extend(rest);
    let read = text.split_whitespace().count() as u64;
    Act::json(200, &completion(&first.join("\n"), read))
}

const LOGGED: &str = r#"
name = "logged"
model = { name = "openai:mock", base_url = "URL", label_scores = "off", prefill = "off" }
[task]
kind = "llmrank"
prompt = "Rank these films."
metric = "ndcg@5"
window = 4
[data]
files = ["log.csv"]
leaks = "allow"
[data.interactions]
item_attributes = ["genres"]
shift = "SHIFT"
history = 4
candidates = { count = 12 }
[groups]
source = ["Crime"]
target = ["Space"]
train = 2
validation = 2
unlabelled = 2
audit = 24
"#;

/// A day's log of a recommender: what users did next is the truth, what they did before, on
/// whichever day, is the history; cost stands beside the score.
#[tokio::test(flavor = "multi_thread")]
async fn logs_are_watched_by_day() {
    let server = MockServer::start(same_genre).await;
    let desk = Desk::new();
    let study = LOGGED.replace("URL", &server.base_url());
    desk.write("study.toml", study.replace("SHIFT", "category"));
    desk.write("log.csv", log(0..4));
    let files = [
        "day-4.csv",
        "day-5.csv",
        "day-6.csv",
        "day-7.csv",
        "day-8.csv",
    ];
    for (file, day) in files.iter().zip(4..) {
        desk.write(file, log(day..day + 1));
    }
    let mut line = vec!["drift", "--quiet", "-o", "days.html", "--json", "--batch"];
    let mut told = serde_json::Value::Null;
    for (at, file) in files.iter().enumerate() {
        line.push(file);
        let day = desk.run(&line).await;
        told = serde_json::from_str(&day.out).unwrap_or_else(|_| panic!("{day:?}"));
        let (code, decision) = if at < 4 {
            (0, "keep")
        } else {
            (102, "re-optimise")
        };
        assert_eq!(day.code, Some(code), "{file}: {told:#}");
        assert_eq!(told["decision"], decision, "{told:#}");
        // The next day comes after it.
        line.pop();
        line.insert(1, file);
        line.insert(1, "--before");
    }
    let rows = |day: usize| &told["days"][day];
    assert_eq!(rows(0)["cost"]["rows"], 60);
    assert_eq!(rows(4)["cost"]["calls"], 60);
    assert!(
        rows(4)["cost"]["tokens"].as_u64().unwrap() > 60 * 40,
        "{told:#}"
    );
    let score = |day: usize, group: &str| {
        let own = &rows(day)["groups"][group];
        own["right"].as_f64().unwrap() / own["labels"].as_f64().unwrap()
    };
    for group in ["Crime", "Space"] {
        assert!(score(0, group) > score(4, group) + 0.2, "{group}: {told:#}");
    }
    // Nobody is asked to label what a log tells itself.
    let next = told["next"].as_array().unwrap();
    assert!(
        next.iter()
            .all(|line| !line.as_str().unwrap().contains(" label "))
    );
    let page = desk.read("days.html");
    assert!(
        page.contains("tokens a row") && page.contains(">alarm<"),
        "{page}"
    );
    // Asked again in text, the day costs nothing and is the same.
    let sent = server.asked();
    let mut again: Vec<&str> = vec!["drift", "--quiet"];
    for file in &files[..4] {
        again.extend(["--before", file]);
    }
    again.extend(["--batch", files[4]]);
    let text = desk.run(&again).await;
    assert_eq!((text.code, server.asked()), (Some(102), sent), "{text:?}");
    assert!(
        text.out.contains("calls a row") && text.out.contains("1.00"),
        "{}",
        text.out
    );

    // What cannot be watched by the day, and what is no day, is said.
    let twice = ["drift", "--before", "day-4.csv", "--batch", "day-4.csv"];
    desk.run(&twice)
        .await
        .expect(5, &["every event of it is in the study's files"]);
    desk.write("study.toml", study.replace("SHIFT", "time"));
    desk.edit_study("source = [\"Crime\"]", "source = [\"early\"]");
    desk.edit_study("target = [\"Space\"]", "target = [\"late\"]");
    desk.run(&["drift", "--batch", "day-4.csv"])
        .await
        .expect(2, &["study.toml:", "data.interactions.shift"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_belongs_to_logs() {
    let server = MockServer::start(|seen| turning(&AtomicBool::new(false), seen)).await;
    let desk = Desk::new();
    desk.write("data.csv", rows(60));
    server_in(&desk, &server);
    desk.write("mon.csv", day(1000, 20, true));
    let line = ["drift", "--batch", "mon.csv", "--before", "mon.csv"];
    desk.run(&line)
        .await
        .expect(2, &["no interactions: leave it out"]);
}
