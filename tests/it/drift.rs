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
