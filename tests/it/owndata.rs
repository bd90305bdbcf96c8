//! A user's own data, with and without labels, from `init --data` to the report.

use std::fmt::Write as _;

use crate::support::mock_server::{Act, MockServer, Seen};
use crate::support::program::{Desk, model};

/// Rows as Excel saves them in much of Europe. A text is positive when its number
/// is even; of each of the `bare` groups the first so many rows have a label.
fn excel(labelled: &[(&str, usize)], bare: &[(&str, usize, usize)]) -> String {
    let mut rows = String::from("\u{feff}Nr;channel;label;text\r\n");
    let mut number = 0;
    let mut row = |group: &str, with_label: bool| {
        let label = match (with_label, number % 2) {
            (false, _) => "",
            (true, 0) => "positive",
            (true, _) => "negative",
        };
        write!(
            rows,
            "r{number};{group};{label};\"{group} wrote; this is number {number}\"\r\n"
        )
        .unwrap();
        number += 1;
    };
    for (group, rows) in labelled {
        (0..*rows).for_each(|_| row(group, true));
    }
    for (group, rows, with_label) in bare {
        (0..*rows).for_each(|at| row(group, at < *with_label));
    }
    rows
}

/// Nothing is edited but the prompt and the line that names the model.
fn edit(desk: &Desk, study: &str, server: &MockServer) {
    let text = desk.read(study);
    let prompt = text
        .lines()
        .find(|line| line.starts_with("prompt = "))
        .unwrap();
    let url = server.base_url();
    let text = text
        .replace(prompt, "prompt = \"Is this customer happy or not?\"")
        .replace(
            "model = \"embedded\"\n",
            &format!(
                "model = {{ name = \"openai:mock\", base_url = \"{url}\", max_retries = 1 }}\n"
            ),
        );
    desk.write(study, text);
}

#[track_caller]
fn says(text: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(text.contains(piece), "{piece:?} is not in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unlabelled_targets_reach_report() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    let data = excel(&[("shop", 90)], &[("chat", 60, 0), ("app reviews", 50, 0)]);
    desk.write("mine.csv", data);
    let init = desk.run(&["init", "--data", "mine.csv", "own"]).await;
    init.expect(
        0,
        &[
            "mine.csv: 200 rows, separated by ';', UTF-8",
            "label: \"label\" (its name; 2 different values, blank in 110 rows)",
            "group: \"channel\" (its name; 3 different values)",
            "id: \"Nr\"",
            "text: \"text\" (running text",
            "labels: negative (45), positive (45)",
            "source: shop (90)",
            "target: app reviews (50 without a label), chat (60 without a label)",
            "unverified: app reviews, chat",
        ],
    );
    says(&init.out, &["wrote own/study.toml"]);
    says(
        &desk.read("own/study.toml"),
        &[
            "files = [\"../mine.csv\"]",
            "unlabelled = 50",
            "# Without labels, so unverified",
        ],
    );
    desk.run(&["init", "--data", "mine.csv", "own"])
        .await
        .expect(2, &["exists"]);
    edit(&desk, "own/study.toml", &server);

    let estimate = desk.run(&["estimate", "own/study.toml"]).await;
    estimate.expect(0, &[]);
    says(
        &estimate.out,
        &["Note: the target group \"chat\" has no labelled rows: none of it can be audited"],
    );
    let flags = [
        "optimize",
        "own/study.toml",
        "--headless",
        "-o",
        "a.md",
        "-o",
        "a.html",
        "-o",
        "a.json",
    ];
    let run = desk.run(&flags).await;
    run.expect(0, &["Note: the target group \"chat\" has no labelled rows"]);
    let verdict = "nothing on the target was measured";
    let caution = "nverified on app reviews and chat";
    says(
        &run.out,
        &[
            verdict,
            caution,
            "Label about 100 rows a group",
            "worst source",
        ],
    );
    assert!(!run.out.contains("worst target"), "{}", run.out);
    says(
        &desk.read("a.md"),
        &["**Unverified: nothing on the target", caution],
    );
    says(&desk.read("a.html"), &[verdict, caution]);
    let json: serde_json::Value = serde_json::from_str(&desk.read("a.json")).unwrap();
    says(
        &json.to_string(),
        &["\"unverified\":[\"app reviews\",\"chat\"]", caution],
    );
    // Where the seed stays there is nothing to verify.
    let runs = desk.run(&["runs"]).await;
    says(&runs.out, &["seed stays"]);
    let export = desk.run(&["export", "mine-s1-1"]).await;
    export.expect(0, &[]);
    let export = desk.run(&["export", "mine-s1-1", "--format", "json"]).await;
    says(&export.out, &["\"proven\": false", "\"app reviews\""]);
    let report = desk.run(&["report", "mine-s1-1"]).await;
    says(&report.out, &[verdict, caution]);

    // What can be scored is, and what cannot be decided is said.
    let eval = desk.run(&["eval", "own/study.toml", "--audit", "-q"]).await;
    eval.expect(0, &[]);
    says(&eval.out, &["shop", caution]);
    let bar = "eval own/study.toml --audit -q --min-worst 0.1".split(' ');
    desk.run(&bar.collect::<Vec<_>>())
        .await
        .expect(100, &["no target group is audited"]);
    let gate = ["gate", "own/study.toml", "--quiet", "-c", "Well?"];
    desk.run(&gate).await.expect(
        2,
        &[
            "no target group (app reviews and chat) has labelled examples",
            "`shiftproof eval",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn partly_labelled_target_is_verified() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    let data = excel(&[("shop", 120)], &[("chat", 90, 40), ("reviews", 50, 0)]);
    desk.write("mine.csv", data);
    desk.run(&["init", "--data", "mine.csv", "own"])
        .await
        .expect(
            0,
            &["target: chat (40 labelled, 50 not), reviews (50 without a label)"],
        );
    edit(&desk, "own/study.toml", &server);
    let run = desk.run(&["optimize", "own/study.toml", "--quiet"]).await;
    run.expect(0, &[]);
    says(&run.out, &["chat", "worst target", "nverified on reviews"]);
    assert!(!run.out.contains("nothing on the target was measured"));
    let gate = ["gate", "own/study.toml", "--quiet", "-c", "Well?", "--json"];
    let gate = desk.run(&gate).await;
    says(&gate.out, &["unverified on reviews"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn groupless_data_can_run() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    let mut rows = String::from("[\n");
    for number in 0..120 {
        let comma = if number == 0 { "" } else { "," };
        let happy = u8::from(number % 2 == 0);
        writeln!(
            rows,
            "{comma}{{\"said\": \"somebody wrote number {number}\", \"happy\": {happy}}}"
        )
        .unwrap();
    }
    rows.push(']');
    desk.write("said.json", rows);
    let init = desk
        .run(&["init", "--data", "said.json", "--label", "happy", "own"])
        .await;
    init.expect(
        0,
        &[
            "source: all (120) (the only group)",
            "target: none",
            "labels: 0 (60), 1 (60)",
        ],
    );
    edit(&desk, "own/study.toml", &server);
    desk.run(&["estimate", "own/study.toml"])
        .await
        .expect(0, &[]);
    let server_says = MockServer::start(|seen: &Seen| {
        let text = seen.prompt();
        if seen.asks_for_prompt() {
            return model(seen);
        }
        let number: u64 = text
            .rsplit(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        Act::text(if number.is_multiple_of(2) { "1" } else { "0" })
    })
    .await;
    let study = desk.read("own/study.toml");
    desk.write(
        "own/study.toml",
        study.replace(&server.base_url(), &server_says.base_url()),
    );
    let run = desk
        .run(&["optimize", "own/study.toml", "--headless"])
        .await;
    run.expect(0, &["there is no target group"]);
    says(
        &run.out,
        &["100.0", "worst source", "there is no target group"],
    );
    assert!(!run.out.contains("nverified"), "{}", run.out);
    says(&desk.run(&["runs"]).await.out, &["ape", "seed stays"]);
    let bar = "eval own/study.toml --audit -q --min-worst 0.9".split(' ');
    desk.run(&bar.collect::<Vec<_>>()).await.expect(0, &[]);

    // The same without `[groups]` at all.
    let study = desk.read("own/study.toml");
    let start = study.find("[groups]").unwrap();
    let end = study.find("[search]").unwrap();
    desk.write("own/study.toml", study[..start].to_owned() + &study[end..]);
    let run = desk
        .run(&["optimize", "own/study.toml", "--headless"])
        .await;
    run.expect(0, &["gives less than the default sizes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn auditless_run_names_missing_labels() {
    let server = MockServer::start(model).await;
    let desk = Desk::new();
    desk.edit_study("audit = 16", "audit = 0");
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\" }}",
            server.base_url()
        ),
    );
    let run = desk
        .run(&["optimize", "--quiet", "-o", "a.html", "-o", "a.md"])
        .await;
    run.expect(0, &[]);
    let sentence = "nverified: the study has no audit examples";
    says(&run.out, &[sentence, "keep groups.audit above 0"]);
    says(&desk.read("a.html"), &[sentence]);
    says(&desk.read("a.md"), &[sentence]);
    says(&desk.run(&["runs"]).await.out, &["unverified"]);
    let missing = "no audit examples to score on: groups.audit is 0";
    desk.run(&["eval", "--audit", "--quiet"])
        .await
        .expect(2, &[missing, "books (60), films (60)"]);
    desk.run(&["gate", "--quiet", "-c", "Well?"])
        .await
        .expect(2, &[missing]);
    desk.run(&["optimize", "--quiet", "--min-worst", "0.1"])
        .await
        .expect(100, &["no target group is audited"]);
}

#[tokio::test]
async fn impossible_data_come_with_help() {
    let desk = Desk::new();
    // Blank labels in a source leave too few.
    let data = desk
        .read("data.csv")
        .replace("books1,books,negative", "books1,books,");
    let blank: String = data
        .lines()
        .map(|line| match line.split_once(",books,") {
            Some((id, rest)) if !id.ends_with(['0', '2', '4', '5']) => {
                let text = rest.split_once(',').map_or("", |(_, text)| text);
                format!("{id},books,,{text}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    desk.write("data.csv", blank);
    desk.run(&["estimate"]).await.expect(
        2,
        &[
            "rows without a label are left aside",
            "the largest that fit together: audit = ",
        ],
    );
    // A quote that is never text, with its line.
    desk.write(
        "data.csv",
        "id,domain,label,text\na,books,positive,\"fine\" she said\n",
    );
    desk.run(&["estimate"])
        .await
        .expect(5, &["data.csv:2: text follows the quotation mark"]);
    desk.write(
        "text.csv",
        "id,text\n1,one of many words\n2,another of many words\n",
    );
    desk.run(&["init", "--data", "text.csv", "own"])
        .await
        .expect(2, &["no column looks like a label", "--label"]);
    desk.run(&["init", "--label", "x"])
        .await
        .expect(2, &["--data"]);
}

/// Multiple choice: what is drafted of it is a study that runs.
#[tokio::test]
async fn questions_with_options_are_a_study() {
    let desk = Desk::new();
    let mut csv = String::from("qid,exam,question,choices,answer\n");
    for number in 0..120 {
        let exam = ["spring", "autumn"][number % 2];
        let (sum, letter) = (number + 7, ["A", "B"][number / 2 % 2]);
        let options = match letter {
            "A" => format!("{sum}|{}", sum + 1),
            _ => format!("{}|{sum}", sum + 1),
        };
        let row = format!("q{number},{exam},What is {number} plus 7?,{options},{letter}\n");
        csv.push_str(&row);
    }
    desk.write("questions.csv", csv);
    let init = desk
        .run(&["init", "--data", "questions.csv", "own exam"])
        .await;
    init.expect(0, &["options: \"choices\""]);
    says(
        &init.out,
        &["next: shiftproof estimate \"own exam/study.toml\""],
    );
    desk.run(&["estimate", "own exam/study.toml"])
        .await
        .expect(0, &[]);
}
