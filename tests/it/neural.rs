//! Recommenders that are trained here, as a user meets them.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::support::mock_server::{Act, MockServer, capable};
use crate::support::program::{Desk, Ended};

/// Ninety viewers who go round thirty films, every second one two films at a time: what comes
/// next is told by the last two films together, and no film is more popular than another.
fn rounds() -> String {
    let mut rows = String::from("user,item,title,time\n");
    for user in 0..90 {
        let stride = 1 + user % 2;
        for step in 0..9 {
            let film = (user * 7 + step * stride) % 30;
            writeln!(rows, "u{user},i{film},Film number {film},{step}").unwrap();
        }
    }
    rows
}

fn desk(server: &str, task: &str) -> Desk {
    let desk = Desk::new();
    desk.write("rounds.csv", rounds());
    desk.write(
        "study.toml",
        format!(
            r#"
name = "rounds"
model = {{ name = "openai:mock", base_url = "{server}", label_scores = "off", prefill = "off" }}
[task]
{task}
[data]
files = ["rounds.csv"]
leaks = "allow"
[data.interactions]
examples = "listwise"
candidates = {{ count = 10 }}
history = 5
[groups]
source = ["all"]
train = 9
validation = 16
audit = 20
"#
        ),
    );
    desk
}

fn rows(ended: &Ended) -> Vec<Value> {
    ended.expect(0, &[]);
    serde_json::from_str(&ended.out).unwrap()
}

fn ndcg(rows: &[Value], name: &str) -> f64 {
    let row = rows.iter().find(|row| row["name"] == name);
    row.unwrap()["all"]["ndcg_10"].as_f64().unwrap()
}

const RANK: &str = "kind = \"llmrank\"\nprompt = \"List the films.\"";

#[tokio::test(flavor = "multi_thread")]
async fn neural_baselines_are_trained_once() {
    let desk = desk("http://127.0.0.1:9", RANK);
    let plain = desk.run(&["data", "baselines", "--json"]).await;
    assert_eq!(rows(&plain).len(), 5);
    let first = desk.run(&["data", "baselines", "--json", "--neural"]).await;
    assert!(first.err.contains("training sasrec: pass"), "{}", first.err);
    let told = rows(&first);
    for name in ["gru4rec", "caser", "sasrec", "dros"] {
        // No film is more popular than another: what they know is what follows what.
        let (own, counted) = (ndcg(&told, name), ndcg(&told, "most-pop"));
        assert!(
            own > counted + 0.3,
            "{name} {own:.3}, most popular {counted:.3}"
        );
    }
    // Read again from the cache folder; what is damaged there is trained again, and no error.
    let folder = desk.path("cache/recommenders");
    let mut kept: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    kept.sort();
    assert_eq!(kept.len(), 4);
    let again = desk.run(&["data", "baselines", "--json", "--neural"]).await;
    assert_eq!(
        (&again.out, again.err.contains("training")),
        (&first.out, false)
    );
    let mut bytes = fs::read(&kept[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&kept[0], &bytes).unwrap();
    let named = desk
        .run(&["data", "baselines", "--json", "--neural=caser,gru4rec"])
        .await;
    assert!(named.err.contains("training caser"), "{}", named.err);
    assert!(!named.err.contains("training gru4rec"), "{}", named.err);
    let told = rows(&named);
    assert_eq!(
        (told.len(), ndcg(&told, "caser")),
        (7, ndcg(&rows(&first), "caser"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_needed_and_names_known() {
    let desk = desk("http://127.0.0.1:9", RANK);
    let ended = desk.run(&["data", "baselines", "--neural=bert4rec"]).await;
    ended.expect(2, &["bert4rec", "sasrec"]);
    desk.edit_study("\"listwise\"", "\"pointwise\"");
    desk.edit_study("candidates = { count = 10 }\n", "");
    desk.write("rounds.csv", rounds().replace(",time\n", ",time,rating\n"));
    let mut rated = String::new();
    for (at, line) in rounds().lines().enumerate() {
        let rating = if at == 0 {
            "rating"
        } else {
            ["5", "1"][at % 2]
        };
        writeln!(rated, "{line},{rating}").unwrap();
    }
    desk.write("rounds.csv", rated);
    let ended = desk.run(&["data", "baselines", "--neural"]).await;
    ended.expect(2, &["--neural ranks lists", "listwise"]);
}

/// What a task names is trained before the first call, proposes what the model ranks, and
/// stands beside the prompts.
#[tokio::test(flavor = "multi_thread")]
async fn tasks_take_trained_recommenders() {
    let server = MockServer::start(|seen| {
        let text = seen.prompt();
        let Some((_, proposed)) = text.split_once("Candidates:\n") else {
            return capable(seen).unwrap_or_else(|| Act::text("yes"));
        };
        let titles = proposed.lines().take_while(|line| !line.trim().is_empty());
        assert_eq!(titles.clone().count(), 3, "{text}");
        Act::text(&titles.collect::<Vec<_>>().join("\n"))
    })
    .await;
    let task = format!("{RANK}\nrecommender = \"sasrec\"\nproposed = 3\nmetric = \"hr@1\"");
    let desk = desk(&server.base_url(), &task);
    let ended = desk.run(&["eval", "--audit", "--json"]).await;
    ended.expect(0, &[]);
    let table: Value = serde_json::from_str(&ended.out).unwrap();
    let hit = table["prompts"][0]["groups"][0]["value"].as_f64().unwrap();
    // The model repeats the order proposed, so the score is the recommender's.
    let names: Vec<&str> = table["baselines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    let place = names.iter().position(|name| *name == "sasrec").unwrap();
    let own = table["baselines"][place]["groups"][0]["value"]
        .as_f64()
        .unwrap();
    assert_eq!(hit, own);
    assert!(own > 0.6, "{own}");
}
