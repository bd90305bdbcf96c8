//! Knowledge written about users and items: asked once, counted, never of what is to come;
//! worth something where it is true, and nothing where there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::schemas;
use crate::support::mock_server::{Act, MockServer, Seen, completion};
use crate::support::program::{Desk, Ended};

/// Films without a word about them: of which genre each is, only who knows them can tell.
const GENRES: [&str; 3] = ["crime", "comedy", "space"];
const USERS: u64 = 96;
const STEPS: u64 = 9;
const HISTORY: usize = 6;

/// The film that a user meets at a step: a well-known one or one of many.
fn film(user: u64, step: u64) -> u64 {
    let draw = (user * 1_000_003 + step * 7_919).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    if step % 3 == 1 {
        draw % 6
    } else {
        // No user meets one film twice.
        6 + (draw % 9) * STEPS + step
    }
}

fn title(film: u64) -> String {
    format!("Story {film:03} (1990)")
}

fn rating(user: u64, film: u64) -> u64 {
    if film % 3 == user % 3 { 5 } else { 1 }
}

fn events() -> String {
    let mut rows = String::from("user,item,title,rating,time\n");
    for user in 0..USERS {
        for step in 0..STEPS {
            let film = film(user, step);
            let (title, rating) = (title(film), rating(user, film));
            writeln!(rows, "u{user},{film},{title},{rating},{step}").unwrap();
        }
    }
    rows
}

/// A study of these films that has knowledge written by the model `writer` of this server.
fn desk(server: &MockServer, augment: &str) -> Desk {
    let desk = Desk::new();
    desk.write("events.csv", events());
    let url = server.base_url();
    desk.write(
        "study.toml",
        format!(
            r#"
name = "mock"
model = {{ name = "openai:mock", base_url = "{url}", concurrency = 4, label_scores = "off", prefill = "off" }}
[task]
kind = "tallrec"
metric = "accuracy"
[data]
files = ["events.csv"]
leaks = "allow"
[data.interactions]
item = "movie"
examples = "pointwise"
shift = "popularity"
part = "both"
history = {HISTORY}
repeats = "keep"
[groups]
source = ["head"]
target = ["tail"]
train = 6
validation = 12
unlabelled = 8
audit = 18
[search]
shots = 4
chunks = 2
proposals = 4
evaluations = 60
finalists = 2
ensemble = 0
{augment}"#
        ),
    );
    desk
}

fn kar(server: &MockServer) -> String {
    format!(
        "[augment]\nkind = \"kar\"\nmodel = {{ name = \"openai:writer\", base_url = \"{}\", \
         concurrency = 4, max_retries = 0 }}\n",
        server.base_url()
    )
}

fn is_knowledge(seen: &Seen) -> bool {
    seen.body["model"] == "writer" && !seen.prompt().starts_with("Repeat this word")
}

fn of_user(seen: &Seen) -> bool {
    is_knowledge(seen) && seen.prompt().contains("\nHistory:\n")
}

/// The number of the film that a line names.
fn named(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("Story ")?;
    rest.get(..3)?.parse().ok()
}

/// Knows every film.
fn truth(seen: &Seen) -> String {
    let text = seen.prompt();
    if !of_user(seen) {
        let (_, asked) = text.split_once("Title: ").unwrap();
        let genre = GENRES[named(asked).unwrap() as usize % 3];
        return format!("Sure! Here is what is known:\n\n- **genre**: it is a {genre} film");
    }
    let (_, history) = text.split_once("\nHistory:\n").unwrap();
    let liked = history.lines().find(|line| line.ends_with("rated 5"));
    match liked.and_then(named) {
        Some(film) => format!("genre: likes {} films", GENRES[film as usize % 3]),
        None => "UNKNOWN".to_owned(),
    }
}

/// Likes what it is told that the user likes; else goes by the number.
fn reader(seen: &Seen) -> Act {
    let text = seen.prompt();
    if text.starts_with("Repeat this word") {
        return Act::text("banana");
    }
    if seen.asks_for_prompt() {
        let ways = ["fairly", "soberly", "plainly", "kindly"];
        return Act::text(&format!(
            "Read what is known and say {} whether the user will like it: Yes or No.",
            ways[text.len() % ways.len()]
        ));
    }
    let knows = |what: &str| {
        let of = |genre: &&&str| text.contains(&format!("{what} {genre} film"));
        GENRES.iter().find(of)
    };
    let (_, target) = text.rsplit_once("will like the target").unwrap_or_default();
    let likes = match (knows("likes"), knows("it is a")) {
        (Some(liked), Some(genre)) => liked == genre,
        _ => named(target).is_some_and(|film| film.is_multiple_of(2)),
    };
    Act::text(if likes { "Yes." } else { "No." })
}

fn world(writer: impl Fn(&Seen) -> String + Send + Sync + 'static) -> impl Fn(&Seen) -> Act {
    move |seen| {
        if is_knowledge(seen) {
            Act::text(&writer(seen))
        } else {
            reader(seen)
        }
    }
}

fn table(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.out).unwrap()
}

fn scores(table: &Value) -> BTreeMap<String, f64> {
    let groups = table["prompts"][0]["groups"].as_array().unwrap();
    let of = |group: &Value| {
        let name = group["group"].as_str().unwrap().to_owned();
        (name, group["value"].as_f64().unwrap())
    };
    groups.iter().map(of).collect()
}

const EVAL: [&str; 4] = ["eval", "--audit", "--json", "--quiet"];

#[tokio::test(flavor = "multi_thread")]
async fn true_knowledge_helps_and_none_harms_nothing() {
    let measured = async |writer: Option<fn(&Seen) -> String>| {
        let server = MockServer::start(world(writer.unwrap_or(|_| String::new()))).await;
        let augment = writer.map_or_else(String::new, |_| kar(&server));
        let desk = desk(&server, &augment);
        desk.edit_study("metric = \"accuracy\"", "metric = \"auc\"");
        let first = desk.run(&EVAL).await;
        let asked = server.asked();
        // Asked again, nothing is sent; nor is anything by another command that scores the
        // same examples.
        let second = table(&desk.run(&EVAL).await);
        assert_eq!(second["sent"], 0);
        desk.run(&["gate", "--mode", "guard", "--min-worst", "0.1", "--quiet"])
            .await
            .expect(0, &[]);
        assert_eq!(server.asked(), asked);
        table(&first)
    };
    let plain = measured(None).await;
    let told = measured(Some(truth)).await;
    let null = measured(Some(|_| "UNKNOWN".to_owned())).await;
    let (without, with) = (scores(&plain), scores(&told));
    assert!(without["tail"] < 0.7, "{without:?}");
    assert!(with["tail"] > 0.9, "{with:?}");
    // Nothing known, nothing said: every answer is the one it was.
    assert_eq!(scores(&null), without);
    let notes = null["notes"].to_string();
    assert!(
        notes.contains("preference_knowledge: 0 of") && notes.contains("the model does not know"),
        "{notes}"
    );
    assert!(notes.contains("it is empty for 36 of 36 inputs"), "{notes}");
}

/// Whoever is asked about a user sees the events right before the target, never the target
/// and what follows; who is asked about a film sees no user.
#[tokio::test(flavor = "multi_thread")]
async fn questions_hold_nothing_of_what_is_to_come() {
    let server = MockServer::start(world(truth)).await;
    let desk = desk(&server, &kar(&server));
    table(&desk.run(&EVAL).await);
    let line = |user, step| {
        let film = film(user, step);
        format!("- {}, rated {}", title(film), rating(user, film))
    };
    // The validation part's target is the last event but one, the test part's the last.
    let windows = |ends: &[u64]| -> BTreeSet<Vec<String>> {
        let of = |user| {
            ends.iter().map(move |&end| {
                let from = end.saturating_sub(HISTORY as u64);
                (from..end).map(|step| line(user, step)).collect()
            })
        };
        (0..USERS).flat_map(of).collect()
    };
    let (before, after) = (windows(&[STEPS - 2, STEPS - 1]), windows(&[STEPS]));
    let mut users = 0;
    for seen in server.requests().iter().filter(|seen| is_knowledge(seen)) {
        let text = seen.prompt();
        if of_user(seen) {
            users += 1;
            let (_, history) = text.split_once("\nHistory:\n").unwrap();
            let lines: Vec<String> = history.lines().map(str::to_owned).collect();
            assert!(before.contains(&lines) && !after.contains(&lines), "{text}");
        } else {
            assert_eq!(
                text.matches("Story ").count(),
                1 + text.matches("From the").count()
            );
            assert!(!text.contains("rated"), "{text}");
        }
        assert!(!text.contains("Yes") && !text.contains("u1"), "{text}");
    }
    assert!(users > 20, "{users}");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_ask_once_within_the_plan() {
    let server = MockServer::start(world(truth)).await;
    let desk = desk(&server, &kar(&server));
    let planned = table(&desk.run(&["estimate", "--json"]).await);
    assert_eq!(server.calls(), 0);
    let phase = &planned["phases"][0];
    assert_eq!(phase["phase"], "augment", "{planned}");
    let first = desk.run(&["optimize"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let written = |server: &MockServer| {
        let all = server.requests();
        all.into_iter().filter(is_knowledge).count() as u64
    };
    assert_eq!(phase["task_calls"], written(&server));
    assert!(
        first
            .err
            .contains("augment   preference_knowledge and item_knowledge of")
    );
    assert!(first.err.contains("questions answered"), "{}", first.err);
    let asked = server.asked();
    let report: Value =
        serde_json::from_str(&desk.read(".shiftproof/runs/mock-s1-1/report.json")).unwrap();
    assert_eq!(report["knowledge"][1]["field"], "item_knowledge");
    assert_eq!(
        report["knowledge"][1]["asked"],
        report["knowledge"][1]["written"]
    );
    let log = desk.read(".shiftproof/runs/mock-s1-1/events.jsonl");
    let log = log.lines().map(|line| serde_json::from_str(line).unwrap());
    schemas::check(&BTreeMap::from([
        ("estimate", vec![planned.clone()]),
        ("report", vec![report.clone()]),
        ("events", log.collect()),
    ]));
    // Whoever takes the prompt elsewhere is told what it relies on, and so is the file.
    for (format, piece) in [
        ("json", "\"augment\": ["),
        ("dspy", "\"augment\": ["),
        ("langchain", "\"augment\": ["),
        (
            "promptfoo",
            "# Mind that it was scored on inputs with knowledge",
        ),
    ] {
        let exported = desk.run(&["export", "mock-s1-1", "--format", format]).await;
        exported.expect(
            0,
            &["preference_knowledge, item_knowledge), which is not in the prompt"],
        );
        assert!(exported.out.contains(piece), "{format}: {}", exported.out);
        if format == "json" {
            let told = serde_json::from_str(&exported.out).unwrap();
            schemas::check(&BTreeMap::from([("prompt", vec![told])]));
        }
    }
    // What the proposer is shown has it too.
    let shown = server.requests();
    let proposal = shown.iter().find(|seen| seen.asks_for_prompt()).unwrap();
    assert!(proposal.text.contains("likes "), "{}", proposal.text);
    // A second run pays nothing, and counts the same.
    let second = desk.run(&["optimize"]).await;
    assert!(
        second.err.contains("0 calls were sent to a model"),
        "{}",
        second.err
    );
    assert_eq!((server.asked(), first.out), (asked, second.out));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_with_knowledge() {
    let server = MockServer::start(world(truth)).await;
    let desk = desk(&server, &kar(&server));
    let plan = table(
        &desk
            .run(&["estimate", "--json", "--max-calls", "100000"])
            .await,
    );
    let least = plan["smallest"]["calls"].as_u64().unwrap();
    let written = plan["phases"][0]["task_calls"].as_u64().unwrap();
    assert!(least > written, "{plan}");
    let too_low = (least - 1).to_string();
    let ended = desk.run(&["optimize", "--max-calls", &too_low]).await;
    ended.expect(3, &["nothing was asked"]);
    assert_eq!(server.calls(), 0);
    let limit = (least + 5).to_string();
    let ended = desk
        .run(&["optimize", "--quiet", "--max-calls", &limit])
        .await;
    assert!(matches!(ended.code, Some(0)), "{ended:?}");
    assert!(
        server.calls() as u64 <= least + 5,
        "{} of {limit}",
        server.calls()
    );
    // A limit that knowledge alone does not fit leaves an evaluation without scores.
    let other = self::desk(&server, &kar(&server));
    let ended = other
        .run(&["eval", "--audit", "--quiet", "--max-calls", "12"])
        .await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
}

/// Killed while knowledge is written, a run goes on, pays for nothing twice but for what was
/// on the way, and ends as if nothing had happened.
#[tokio::test(flavor = "multi_thread")]
async fn kills_in_the_middle_lose_nothing() {
    let calm_server = MockServer::start(world(truth)).await;
    let calm = desk(&calm_server, &kar(&calm_server));
    let ended = calm.run(&["optimize", "--quiet"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let needed = calm_server.asked();

    let quick = world(truth);
    let server = MockServer::start(move |seen| quick(seen).after(Duration::from_millis(20))).await;
    let desk = desk(&server, &kar(&server));
    let mut kills = 0;
    for upto in [15, 40, 60] {
        let known = desk
            .path(".shiftproof/runs/mock-s1-1/events.jsonl")
            .exists();
        let args: &[&str] = if known {
            &["optimize", "--quiet", "--resume"]
        } else {
            &["optimize", "--quiet"]
        };
        let mut child = desk.start(args);
        while server.asked() < upto && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let log = desk.read(".shiftproof/runs/mock-s1-1/events.jsonl");
        assert!(
            !log.contains("\"augmented\""),
            "the kill came too late: {log}"
        );
    }
    let ended = desk.run(&["optimize", "--quiet", "--resume"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told = |desk: &Desk, server: &MockServer| {
        let report = desk.read(".shiftproof/runs/mock-s1-1/report.txt");
        let lines = report.lines().filter(|line| !line.starts_with("Beside"));
        let text: Vec<&str> = lines.collect();
        let origin = server.origin();
        text.join("\n")
            .replace(origin.trim_start_matches("http://"), "HOST")
    };
    assert_eq!(told(&desk, &server), told(&calm, &calm_server));
    let extra = server.asked() - needed;
    assert!(extra <= kills * 2 * 4, "{extra} calls were made again");
}

/// What lacks knowledge is asked about without it, and told of by what came of the question.
#[tokio::test(flavor = "multi_thread")]
async fn missing_knowledge_is_a_state_of_its_own() {
    let server = MockServer::start(|seen| {
        if !is_knowledge(seen) {
            return reader(seen);
        }
        if of_user(seen) {
            return Act::text("<think>Well…</think>\ngenre: likes crime films");
        }
        let (_, asked) = seen.prompt().split_once("Title: ").unwrap();
        match named(asked).unwrap() % 6 {
            0 => Act::text("I'm sorry, but I can't help with that."),
            1 => Act::error(400, "content_filter", "The request was filtered."),
            2 => {
                let mut body = completion("genre: it is a space fi", 900);
                body["choices"][0]["finish_reason"] = "length".into();
                Act::json(200, &body)
            }
            3 => Act::text("genre: unknown"),
            // The question again.
            4 => Act::text(seen.prompt()),
            _ => Act::text(&truth(seen)),
        }
    })
    .await;
    let desk = desk(&server, &kar(&server));
    let evaluated = table(&desk.run(&EVAL).await);
    let notes = evaluated["notes"].to_string();
    for piece in [
        "item_knowledge: ",
        "refused",
        "cut off",
        "the model does not know",
        "not to be read",
    ] {
        assert!(notes.contains(piece), "{piece}: {notes}");
    }
    assert!(!notes.contains("preference_knowledge"), "{notes}");
    let mut empty = 0;
    for seen in server.requests().iter().filter(|seen| !is_knowledge(seen)) {
        let text = seen.prompt();
        if !text.contains("will like the target") {
            continue;
        }
        let (_, target) = text.rsplit_once("will like the target").unwrap();
        let known = text.contains("What is known of the items:");
        assert_eq!(known, named(target).unwrap() % 6 == 5, "{text}");
        assert!(
            !text.contains("sorry") && !text.contains("space fi\n"),
            "{text}"
        );
        empty += usize::from(!known);
    }
    assert!(
        notes.contains(&format!("it is empty for {empty} of 36 inputs")),
        "{notes}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_nothing_stop_the_run() {
    let server = MockServer::start(world(|_| "I cannot assist with that request.".into())).await;
    let desk = desk(&server, &kar(&server));
    let ended = desk.run(&["optimize", "--quiet"]).await;
    ended.expect(
        6,
        &[
            "hardly any knowledge",
            "20 of 20",
            "--keep-going",
            "augment.model",
        ],
    );
    assert!(server.asked() <= 20, "{}", server.asked());
    let evaluated = desk
        .run(&["eval", "--audit", "--json", "--quiet", "--keep-going"])
        .await;
    assert!(table(&evaluated)["notes"].to_string().contains("refused"));
}

#[tokio::test]
async fn studies_say_what_can_be_written() {
    let server = MockServer::start(world(truth)).await;
    for (augment, told) in [
        ("[augment]\nkind = \"kra\"", "augment.kind"),
        (
            "[augment]\nkind = \"kar\"\nfactor = [\"a\"]",
            "did you mean `factors`?",
        ),
        (
            "[augment]\nkind = \"kar\"\nfields = [\"item_facts\"]",
            "there is no field \"item_facts\"",
        ),
        (
            "[augment]\nkind = \"kar\"\nquestions = { a = \"{item}\" }",
            "belongs to kind = \"ask\"",
        ),
        ("[augment]\nkind = \"ask\"", "augment.questions"),
        (
            "[augment]\nkind = \"ask\"\nquestions = { a = \"Say hello.\" }",
            "shows nothing of the input",
        ),
        (
            "[augment]\nkind = \"ask\"\nquestions = { history = \"{item}\" }",
            "already",
        ),
        (
            "[augment]\nkind = \"ask\"\nquestions = { a = \"{itme}\" }",
            ": augment.questions.a shows {itme}, and no example has it; did you mean \"item\"?",
        ),
        (
            "[augment]\nkind = \"kar\"\nmax_tokens = 0",
            "must be between 1 and",
        ),
    ] {
        let desk = desk(&server, augment);
        let ended = desk.run(&["estimate"]).await;
        ended.expect(2, &[told]);
        assert!(ended.err.contains("study.toml"), "{}", ended.err);
        if augment.contains("{itme}") {
            let text = desk.read("study.toml");
            let at = text.lines().position(|line| line.contains("{itme}"));
            let place = format!("study.toml:{}: augment", at.unwrap() + 1);
            assert!(ended.err.contains(&place), "{place}: {}", ended.err);
        }
    }
    // What nothing shows is not written.
    let desk = desk(&server, "[augment]\nkind = \"kar\"\n");
    desk.edit_study(
        "kind = \"tallrec\"\nmetric = \"accuracy\"",
        "kind = \"classify\"\nprompt = \"Will they like it?\"\ninput = \"{item}\"\nlabels = \
         [\"yes\", \"no\"]",
    );
    let ended = desk.run(&["estimate"]).await;
    ended.expect(
        2,
        &[
            "neither task.input nor a prompt shows it",
            "preference_knowledge",
        ],
    );
    desk.edit_study(
        "input = \"{item}\"",
        "input = \"{preference_knowledge} {item_knowledge}\"",
    );
    assert_eq!(desk.run(&["estimate"]).await.code, Some(0));
    assert_eq!(server.calls(), 0);
}

/// Lists have a line a candidate; the model of the task writes where no other is named.
#[tokio::test(flavor = "multi_thread")]
async fn candidates_are_told_line_by_line() {
    let server = MockServer::start(|seen| {
        let text = seen.prompt();
        if text.starts_with("Below is ") {
            let is_user = text.contains("\nHistory:\n");
            return Act::text(if is_user {
                "genre: all"
            } else {
                "genre: some\nmood: dark"
            });
        }
        let list = text
            .split_once("Candidates:\n")
            .map_or("", |(_, list)| list);
        Act::text(list)
    })
    .await;
    let desk = desk(
        &server,
        "[augment]\nkind = \"kar\"\nfactors = [\"genre\", \"mood\"]\n",
    );
    desk.edit_study(
        "kind = \"tallrec\"\nmetric = \"accuracy\"",
        "kind = \"llmrank\"",
    );
    desk.edit_study(
        "examples = \"pointwise\"",
        "examples = \"listwise\"\ncandidates = { count = 5 }",
    );
    desk.edit_study("repeats = \"keep\"\n", "");
    table(&desk.run(&EVAL).await);
    let ranked: Vec<Seen> = server
        .requests()
        .into_iter()
        .filter(|seen| seen.prompt().contains("Candidates:"))
        .collect();
    assert!(ranked.len() >= 20, "{}", ranked.len());
    for seen in ranked {
        let text = seen.prompt();
        let told = text.matches("(1990): genre: some; mood: dark\n").count();
        assert_eq!(told, 5, "{text}");
        let at = |piece: &str| text.find(piece).unwrap();
        assert!(at("genre: all") < at("genre: some") && at("genre: some") < at("Candidates:"));
    }
}

/// Any table: a study's own question about a column, shown where the study has its place.
#[tokio::test(flavor = "multi_thread")]
async fn columns_are_asked_about() {
    let server = MockServer::start(|seen| {
        let text = seen.prompt();
        let number = text.rsplit(' ').next().and_then(|n| n.parse::<u64>().ok());
        match number.filter(|_| text.starts_with("Odd or even?")) {
            Some(number) if number.is_multiple_of(2) => Act::text("even"),
            Some(_) => Act::text("odd"),
            None if text.ends_with("even") => Act::text("positive"),
            None if text.ends_with("odd") => Act::text("negative"),
            None => Act::text("banana"),
        }
    })
    .await;
    let desk = Desk::new();
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\", label_scores = \
             \"off\", prefill = \"off\" }}",
            server.base_url()
        ),
    );
    desk.edit_study("input = \"{text}\"", "input = \"{text}: {parity}\"");
    desk.edit_study(
        "[data]",
        "[augment]\nkind = \"ask\"\nquestions = { parity = \"Odd or even? {text}\" }\n[data]",
    );
    let evaluated = table(&desk.run(&EVAL).await);
    assert!(
        scores(&evaluated).values().all(|score| *score >= 1.0),
        "{evaluated}"
    );
    // 32 texts, a question and an answer each.
    assert_eq!(evaluated["spent"]["calls"], 64);
    let told = desk.run(&["doctor", "study.toml"]).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(
        told.out.contains("\"positive\"") && told.out.contains("augment"),
        "{}",
        told.out
    );
}
