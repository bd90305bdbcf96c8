//! Studies on interactions, through the program; `MovieLens` 100K is skipped,
//! loudly, where it cannot be fetched.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::ops::ControlFlow;

use serde_json::Value;
use shiftproof::assets::datasets::{self, DatasetError};
use shiftproof::assets::{AssetFetcher, FetchError};

use crate::fetch_stage::skip;
use crate::schemas;
use crate::support::mock_server::{Act, MockServer, Seen};
use crate::support::program::Desk;

/// Ratings of 80 users; even items are liked, odd ones are not.
fn ratings() -> String {
    let mut csv = String::from("user,item,rating,time,title,gender\n");
    for user in 0..80 {
        for step in 0..14 {
            let item = (user * 11 + step * (7 + user % 3)) % 90;
            let rating = if item % 2 == 0 { 5 } else { 1 };
            let gender = if user % 2 == 0 { "F" } else { "M" };
            let time = step * 1_000 + user;
            writeln!(
                csv,
                "u{user},{item},{rating},{time},Film number {item},{gender}"
            )
            .unwrap();
        }
    }
    csv
}

const LIKES: &str = r#"
name = "likes"
[task]
kind = "classify"
prompt = "Will this user like the film? Answer yes or no."
input = "Liked: {liked}\nDisliked: {disliked}\nFilm: {item}"
labels = ["yes", "no"]
metric = "auc"
[data]
files = ["ratings.csv"]
[data.interactions]
examples = "pointwise"
split = "rolling"
min_history = 5
shift = "gender"
user_attributes = ["gender"]
[groups]
source = ["F"]
target = ["M"]
train = 12
validation = 24
unlabelled = 16
audit = 40
[search]
shots = 12
chunks = 3
proposals = 12
evaluations = 240
finalists = 3
ensemble = 2
"#;

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("ratings.csv", ratings());
    desk.write("study.toml", LIKES);
    desk
}

#[tokio::test(flavor = "multi_thread")]
async fn baselines_need_no_model() {
    let desk = desk();
    let text = desk.run(&["data", "baselines"]).await;
    text.expect(0, &[]);
    insta::assert_snapshot!(text.out);
    let json = desk.run(&["data", "baselines", "--json"]).await;
    let table: Value = serde_json::from_str(&json.out).unwrap();
    schemas::check(&BTreeMap::from([("baselines", vec![table])]));
    let rows: Vec<Value> = serde_json::from_str(&json.out).unwrap();
    // Likes are told by the item alone, and nothing of a user's past tells them.
    let auc = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        row["all"]["auc"].as_f64().unwrap()
    };
    assert!(auc("item-mean") > 0.85, "{}", auc("item-mean"));
    assert!((auc("random") - 0.5).abs() < 0.1, "{}", auc("random"));
}

#[tokio::test(flavor = "multi_thread")]
async fn doubtful_data_is_shown() {
    let server = MockServer::start(model).await;
    let desk = desk();
    desk.write("ratings.csv", ratings().replace(",title,", ",caption,"));
    let options = "label_scores = \"off\", prefill = \"off\"";
    desk.edit_study(
        "[task]",
        &format!(
            "model = {{ name = \"openai:mock\", base_url = \"{}\", {options} }}\n[task]",
            server.base_url()
        ),
    );
    desk.edit_study("[data]", "[data]\nleaks = \"drop\"");
    let told = "warning[untitled]: 90 of 90 items have no title, so the model sees their ids";
    for args in [
        &["data", "baselines"][..],
        &["eval", "--audit"],
        &["doctor", "study.toml"],
    ] {
        let ended = desk.run(args).await;
        let shown = ended.out.clone() + &ended.err;
        assert!(shown.contains(told), "{args:?}: {ended:?}");
        assert!(
            shown.contains("columns there are: caption, gender, item"),
            "{ended:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_key_comes_with_help() {
    let desk = desk();
    let model = "model = { name = \"openai:x\", base_url = \"http://127.0.0.1:9/v1\" }\n[task]";
    for (from, to, piece) in [
        ("shift = ", "shfit = ", "did you mean `shift`?"),
        ("shift = ", "shfit = ", "study.toml:16: "),
        ("= \"gender\"", "= \"sex\"", "history-length"),
        (
            "[\"yes\", \"no\"]",
            "[\"like\", \"dislike\"]",
            "data.label_map",
        ),
        ("[data]", "[data]\nlabel = \"rating\"", "remove data.label"),
        ("{item}", "{itm}", "no example has the field \"itm\""),
        (
            "\"pointwise\"",
            "\"pointwise\"\nhistory = 0",
            "data.interactions.history",
        ),
    ] {
        desk.write("study.toml", LIKES.replace("[task]", model));
        desk.edit_study(from, to);
        let ended = desk.run(&["estimate"]).await;
        assert!(matches!(ended.code, Some(2 | 5)), "{ended:?}");
        ended.expect(ended.code.unwrap(), &[piece]);
    }
}

/// Answers by the film's number: even ones are liked.
fn model(seen: &Seen) -> Act {
    let text = seen.prompt();
    if seen.asks_for_prompt() {
        return Act::text("Say yes if the user would enjoy the film, else no.");
    }
    let number = text.rsplit(' ').next().and_then(|n| n.parse::<u64>().ok());
    Act::text(if number.unwrap_or(1).is_multiple_of(2) {
        "yes"
    } else {
        "no"
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_show_baselines() {
    let server = MockServer::start(model).await;
    let desk = desk();
    let options = "label_scores = \"off\", prefill = \"off\"";
    let table = format!(
        "model = {{ name = \"openai:mock\", base_url = \"{}\", {options} }}\n[task]",
        server.base_url()
    );
    desk.edit_study("[task]", &table);
    // Numbers made by a rule repeat themselves; films do not.
    desk.edit_study("[data]", "[data]\nleaks = \"drop\"");
    let ended = desk.run(&["optimize", "--quiet"]).await;
    ended.expect(0, &[]);
    let from = ended.out.find("without model").unwrap();
    let rows: Vec<&str> = ended.out[from..].lines().take(5).collect();
    assert!(
        rows[0].contains('F') && rows[0].contains("worst target"),
        "{rows:?}"
    );
    for (row, name) in rows[1..]
        .iter()
        .zip(["random", "liked-fraction", "user-mean", "item-mean"])
    {
        assert!(row.starts_with(name), "{rows:?}");
    }
    // Baselines read no label beyond those that the audit reads for the prompts.
    assert!(ended.out.contains("by the audit: 80."), "{}", ended.out);
    let json = desk.read(".shiftproof/runs/likes-s1-1/report.json");
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["baselines"][1]["name"], "liked-fraction");
    assert_eq!(report["baselines"][1]["groups"][0]["n"], 40);
    let eval = desk.run(&["eval", "--audit", "--quiet"]).await;
    eval.expect(0, &[]);
    assert!(eval.out.contains("without model"), "{}", eval.out);
}

/// Reference figures of N@10 on leave-one-out with 1 + 19 candidates, computed apart in another
/// language: all, and where known head and tail.
const REFERENCE: [(&str, f64, Option<f64>, Option<f64>); 5] = [
    ("random", 0.232, None, None),
    ("most-pop", 0.466, Some(0.827), Some(0.080)),
    ("item-knn", 0.593, None, Some(0.340)),
    ("markov", 0.563, None, Some(0.183)),
    ("genre-overlap", 0.321, None, Some(0.357)),
];

/// A desk with the fetched ratings; none without a network.
fn ml_100k() -> Option<Desk> {
    let desk = Desk::new();
    let fetcher = AssetFetcher::new(desk.path("cache"));
    match datasets::prepare_with(&fetcher, "ml-100k", &mut |_| ControlFlow::Continue(())) {
        Ok(path) => fs::copy(path, desk.path("ml-100k.jsonl")).unwrap(),
        Err(DatasetError::Fetch(
            error @ (FetchError::Network { .. } | FetchError::NoClient { .. }),
        )) => {
            skip("data set ml-100k", &error);
            return None;
        }
        Err(error) => panic!("{error}; {}", error.help()),
    };
    Some(desk)
}

#[tokio::test(flavor = "multi_thread")]
async fn ml_100k_reproduces_reference() {
    let Some(desk) = tokio::task::spawn_blocking(ml_100k).await.unwrap() else {
        return;
    };
    desk.write(
        "study.toml",
        r#"
name = "rank"
[task]
kind = "rank"
[data]
dataset = "ml-100k"
[data.interactions]
examples = "listwise"
shift = "popularity"
ties = "item"
[groups]
source = ["head"]
target = ["tail"]
"#,
    );
    let ended = desk.run(&["data", "baselines", "--json"]).await;
    ended.expect(0, &[]);
    let rows: Vec<Value> = serde_json::from_str(&ended.out).unwrap();
    for (name, all, head, tail) in REFERENCE {
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        let near = |measures: &Value, expected: Option<f64>, within: f64| {
            let got = measures["ndcg_10"].as_f64().unwrap();
            assert!(
                expected.is_none_or(|expected| (got - expected).abs() <= within),
                "{name}: {got:.3}, not {expected:?} ± {within}"
            );
        };
        // Of 943 viewers seven watched a film last that is in the data under two ids, and had
        // watched it under the other.
        assert_eq!(row["all"]["n"], 936);
        near(&row["all"], Some(all), 0.015);
        // 247 and 159 targets, and other draws of the candidates.
        near(&row["groups"]["head"], head, 0.05);
        near(&row["groups"]["tail"], tail, 0.05);
    }
}
