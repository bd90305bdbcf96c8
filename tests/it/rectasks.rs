//! Recommendation tasks as a user runs them.

use std::fmt::Write as _;

use crate::support::mock_server::{Act, MockServer, Seen, completion};
use crate::support::program::Desk;

/// Films by genre; a viewer stays with one genre for good.
const GENRES: [&str; 3] = ["Crime", "Comedy", "Space"];

/// Interactions of sixty viewers with nine films of each genre, and a study that
/// ranks by a written list.
fn study(desk: &Desk, server: &MockServer, task: &str) {
    let mut rows = String::from("user,item,title,time,gender,genres\n");
    for user in 0..60_usize {
        let genre = GENRES[user % 3];
        let gender = ["F", "M"][user / 3 % 2];
        for step in 0..6_usize {
            let film = (user / 3 + step * 2) % 13;
            writeln!(
                rows,
                "u{user},{genre}{film},{genre} Story {film} (1990),{step},{gender},{genre}"
            )
            .unwrap();
        }
    }
    desk.write("events.csv", rows);
    let url = server.base_url();
    desk.write(
        "study.toml",
        format!(
            r#"
name = "mock"
model = {{ name = "openai:mock", base_url = "{url}", label_scores = "off", prefill = "off" }}
[task]
{task}
[data]
files = ["events.csv"]
leaks = "allow"
[data.interactions]
user_attributes = ["gender"]
item_attributes = ["genres"]
examples = "listwise"
shift = "gender"
part = "both"
history = 4
candidates = {{ count = 8 }}
[groups]
source = ["F"]
target = ["M"]
train = 9
validation = 16
unlabelled = 10
audit = 20
[search]
shots = 6
chunks = 3
threshold = 0.5
proposals = 6
evaluations = 120
finalists = 3
ensemble = 2
"#
        ),
    );
}

/// A reply to a prompt that was read in full.
fn answer(seen: &Seen, text: &str) -> Act {
    let read = seen.prompt().split_whitespace().count() as u64 * 2;
    Act::json(200, &completion(text, read))
}

/// Proposes instructions; ranks by genre when the instruction speaks of the
/// history, and repeats the list otherwise.
fn model(seen: &Seen) -> Act {
    let text = seen.prompt();
    if seen.asks_for_prompt() {
        // Every chunk of demonstrations has a prompt of its own: a vote needs several.
        let ways = ["first", "before all others", "at the top", "above the rest"];
        let way = ways[text.len() % ways.len()];
        let prompt = format!("Rank the candidates that share a genre with the history {way}.");
        return answer(seen, &prompt);
    }
    let (before, candidates) = text.split_once("Candidates:\n").unwrap_or((text, ""));
    let reads_history = text.contains("genre") || text.contains("latest choices");
    let genre = GENRES
        .iter()
        .copied()
        .max_by_key(|genre| before.matches(&format!("{genre} Story")).count())
        .unwrap_or_default();
    let (mut fitting, mut rest) = (Vec::new(), Vec::new());
    for line in candidates.lines() {
        let title = line.split_once(". ").map_or(line, |(_, title)| title);
        if reads_history && title.starts_with(genre) {
            fitting.push(title);
        } else {
            rest.push(title);
        }
    }
    let lines: Vec<String> = fitting
        .iter()
        .chain(&rest)
        .zip(1..)
        .map(|(title, n)| format!("{n}. **{title}**"))
        .collect();
    answer(
        seen,
        &format!("Here is my ranking:\n\n{}", lines.join("\n")),
    )
}

fn json(desk: &Desk) -> serde_json::Value {
    serde_json::from_str(&desk.read(".shiftproof/runs/mock-s1-1/report.json")).unwrap()
}

/// A list task runs from proposals over votes to the audit, and the prompt that
/// reads the history wins.
#[tokio::test(flavor = "multi_thread")]
async fn ranking_prompt_is_optimised() {
    let (desk, server) = (Desk::new(), MockServer::start(model).await);
    let task = "kind = \"llmrank\"\nprompt = \"List the candidates.\"\nmetric = \"ndcg@5\"";
    study(&desk, &server, task);
    let ended = desk.run(&["optimize", "--quiet"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("ndcg@5"), "{}", ended.out);
    let report = json(&desk);
    let voted = &report["voted"];
    assert!(voted["kept"].as_u64().unwrap() > 0, "{voted}");
    assert_eq!(voted["classes"], serde_json::json!([]));
    let winner = voted["votes"][0]["winner"].as_str().unwrap();
    assert!(winner.ends_with("(1990)"), "a vote is one title: {winner}");
    let score = |contestant: &str| {
        report["audited"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["contestant"] == contestant)
            .map(|row| row["groups"][1]["value"].as_f64().unwrap())
            .unwrap()
    };
    assert!(score("selected") > score("seed") + 0.1, "{}", ended.out);
    assert!(score("ensemble") > score("seed"), "{}", ended.out);
    // Baselines stand beside the prompts.
    assert!(ended.out.contains("most-pop"), "{}", ended.out);
}

/// A server that cannot score titles is asked to write, and its words are read.
#[tokio::test(flavor = "multi_thread")]
async fn likelihood_falls_back_to_text() {
    let (desk, server) = (Desk::new(), MockServer::start(model).await);
    let task = "kind = \"lmrec\"\nprompt = \"Think of the genre.\"\nlead = \"\"\n\
                scoring = \"mean\"\nmetric = \"mrr\"";
    study(&desk, &server, task);
    // Nothing is listed in the question, so nothing can be ranked: counted, shown and
    // no success.
    let ended = desk
        .run(&["eval", "--audit", "--json", "--keep-going"])
        .await;
    ended.expect(6, &["could not be read", "not one answer can be used"]);
    let table: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let group = &table["prompts"][0]["groups"][0];
    assert_eq!(group["unparseable"], group["n"], "{}", ended.out);
    assert_eq!(group["failed"], 0);
}

/// Options are checked by name, and a kind that does not exist lists those that
/// do.
#[tokio::test(flavor = "multi_thread")]
async fn options_of_tasks_are_checked() {
    let (desk, server) = (Desk::new(), MockServer::start(model).await);
    study(&desk, &server, "kind = \"llmrank\"\nhistroy = \"recency\"");
    let ended = desk.run(&["eval", "--audit"]).await;
    ended.expect(2, &["unknown key `histroy`", "did you mean `history`?"]);
    study(&desk, &server, "kind = \"llmrank\"\nmetric = \"ndgc@10\"");
    let ended = desk.run(&["eval", "--audit"]).await;
    ended.expect(
        2,
        &[
            "there is no metric \"ndgc@10\"",
            "did you mean \"ndcg@10\"?",
        ],
    );
    study(&desk, &server, "kind = \"llmrnk\"");
    let ended = desk.run(&["eval", "--audit"]).await;
    let meant = "did you mean \"llmrank\"?";
    ended.expect(2, &["task.kind is \"llmrnk\"", "tallrec", meant]);
    assert_eq!(server.asked(), 0);
}

/// A model that never looks at the gender treats all alike; one that turns the
/// list round for women does not.
#[tokio::test(flavor = "multi_thread")]
async fn lists_compare_without_attribute() {
    let task = "kind = \"llmrank\"\nprompt = \"Rank by genre.\"\nuser = true";
    let measured = async |model: fn(&Seen) -> Act| {
        let (desk, server) = (Desk::new(), MockServer::start(model).await);
        study(&desk, &server, task);
        let ended = desk
            .run(&["eval", "--audit", "--fair", "gender", "--json"])
            .await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let table: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        table["fairness"][0].clone()
    };
    let blind = measured(model).await;
    assert_eq!(blind["values"], serde_json::json!(["F", "M"]));
    assert_eq!(blind["examples"], 40);
    for measure in blind["measures"].as_array().unwrap() {
        assert_eq!(
            (&measure["range"], &measure["deviation"]),
            (&0.0.into(), &0.0.into())
        );
    }
    assert_eq!(
        blind["measures"][0]["similarities"],
        serde_json::json!([1.0, 1.0])
    );
    let biased = measured(|seen| {
        let text = seen.prompt();
        let list = text
            .split_once("Candidates:\n")
            .map_or("", |(_, list)| list);
        let mut titles: Vec<&str> = list.lines().collect();
        if text.contains("gender: F") {
            titles.reverse();
        }
        answer(seen, &titles.join("\n"))
    })
    .await;
    let prag = &biased["measures"][2];
    assert_eq!(prag["name"], "prag");
    assert_eq!(prag["similarities"], serde_json::json!([0.0, 1.0]));
    assert_eq!(prag["range"], 1.0);

    let (desk, server) = (Desk::new(), MockServer::start(model).await);
    study(&desk, &server, task);
    let ended = desk.run(&["eval", "--audit", "--fair", "city"]).await;
    ended.expect(2, &["--fair city", "two values or more"]);
}

/// Turns of a dialogue are calls of one evaluation: planned, paid for and kept as
/// such. Asked again, nothing is sent.
#[tokio::test(flavor = "multi_thread")]
async fn dialogue_takes_its_calls() {
    // More tokens than the whole dialogue has words.
    let said = |text: &str| Act::json(200, &completion(text, 2000));
    let talks = move |seen: &Seen| {
        let text = seen.prompt();
        if seen.asks_for_prompt() {
            return said("Recommend what is most like the user's latest choices.");
        }
        if text.starts_with("Repeat this word") {
            return said("banana");
        }
        if text.contains("Explain it to the user") {
            let asked = text.split('"').nth(1).unwrap_or_default();
            return said(&format!("You enjoy stories such as \"{asked}\"."));
        }
        if !text.contains("Answer proposals or explanation.") {
            assert!(text.contains("The recommender proposes:\n1. "), "{text}");
            let proposed = text.split_once("1. ").map_or("", |(_, list)| list);
            let first = proposed.lines().next().unwrap_or_default();
            return said(first);
        }
        let again = text.contains("Why did you recommend");
        said(if again { "explanation" } else { "proposals" })
    };
    let (desk, server) = (Desk::new(), MockServer::start(talks).await);
    let task = "kind = \"chatrec\"\nproposed = 4\nplaces = 2\nmetric = \"hr@2\"";
    study(&desk, &server, task);
    let planned = desk.run(&["estimate", "--json"]).await;
    let plan: serde_json::Value = serde_json::from_str(&planned.out).unwrap();
    let audit = plan["phases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|phase| phase["phase"] == "audit")
        .unwrap();
    // Seed, selected and one more of the ensemble; forty examples; four calls.
    assert_eq!(audit["task_calls"], 3 * 40 * 4);
    let ended = desk.run(&["eval", "--audit", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let table: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    // Viewers with one history ask one question.
    let calls = server.asked();
    assert!((80..=40 * 4).contains(&calls), "{calls}");
    for group in table["prompts"][0]["groups"].as_array().unwrap() {
        assert_eq!(
            (&group["unparseable"], &group["failed"]),
            (&0.into(), &0.into()),
            "{group}"
        );
        assert!(group["value"].as_f64().unwrap() > 0.1, "{group}");
    }
    let again = desk.run(&["eval", "--audit", "--json"]).await;
    assert_eq!((again.code, server.asked()), (Some(0), calls));
    let ended = desk
        .run(&["optimize", "--quiet", "--max-calls", "700"])
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let spent = json(&desk)["spent"]["calls"].as_u64().unwrap();
    assert!(spent <= 700, "{spent}");
}

/// Templates are groups; a model that reads seen ones only shows it.
#[tokio::test(flavor = "multi_thread")]
async fn templates_form_own_groups() {
    let server = MockServer::start(|seen| {
        let text = seen.prompt();
        // Both held-out wordings of the family.
        if text.contains("on the shelf") || text.contains("into the hands") {
            return answer(seen, "I do not understand.");
        }
        let films = GENRES
            .iter()
            .flat_map(|genre| (0..13).map(move |film| format!("{genre} Story {film} (1990)")));
        answer(seen, &films.collect::<Vec<_>>().join("\n"))
    })
    .await;
    let desk = Desk::new();
    let task = "kind = \"p5\"\nfamily = \"direct\"\nitem = \"film\"";
    study(&desk, &server, task);
    desk.edit_study(
        "source = [\"F\"]\ntarget = [\"M\"]\ntrain = 9\nvalidation = 16\nunlabelled = 10\naudit = 20",
        "source = [\"seen-1\", \"seen-2\", \"seen-3\", \"seen-4\"]\n\
         target = [\"held-out-1\", \"held-out-2\"]\n\
         train = 3\nvalidation = 4\nunlabelled = 4\naudit = 10",
    );
    let ended = desk.run(&["eval", "--audit", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let table: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let row = &table["prompts"][0];
    let groups = row["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 6);
    let mut values = Vec::new();
    for group in groups {
        let value = group["value"].as_f64().unwrap();
        let held_out = group["group"].as_str().unwrap().starts_with("held-out");
        assert_eq!(value == 0.0, held_out, "{group}");
        assert_eq!(group["unparseable"] == group["n"], held_out, "{group}");
        values.push(value);
    }
    let most = values.iter().copied().fold(0.0, f64::max);
    assert_eq!(row["spread"], most);
    let ended = desk.run(&["eval", "--audit"]).await;
    let line = format!("spread over groups {:.1}", most * 100.0);
    for piece in ["held-out-1", "seen-4", &line, "most-pop"] {
        assert!(ended.out.contains(piece), "{piece}: {}", ended.out);
    }
    // The methods without a model are told by the same groups.
    let ended = desk.run(&["data", "baselines"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("held-out-2"), "{}", ended.out);
    // The data's own groups crossed with the templates.
    desk.edit_study(task, &format!("{task}\ngroups = \"both\""));
    desk.edit_study("seen-1", "F/seen-1");
    desk.edit_study(
        ", \"seen-2\", \"seen-3\", \"seen-4\"]\ntarget = [\"held-out-1\", \"held-out-2\"]",
        "]\ntarget = [\"M/held-out-2\"]",
    );
    desk.edit_study("audit = 10", "audit = 3");
    let ended = desk.run(&["eval", "--audit"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("M/held-out-2"), "{}", ended.out);
}

/// Answers in the store are scored by any metric without a call; what cannot tell
/// right from wrong chooses no prompt.
#[tokio::test(flavor = "multi_thread")]
async fn stored_answers_fit_other_metrics() {
    let (desk, server) = (Desk::new(), MockServer::start(model).await);
    study(
        &desk,
        &server,
        "kind = \"llmrank\"\nprompt = \"List the candidates.\"",
    );
    let scores = async |metric: &str| {
        let ended = desk
            .run(&["eval", "--audit", "--json", "--metric", metric])
            .await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let table: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(table["metric"], metric);
        table["prompts"][0]["groups"][0].clone()
    };
    let ndcg = scores("ndcg@5").await;
    let calls = server.asked();
    let diversity = scores("diversity@5").await;
    // Films of one genre are alike, and no list holds one genre only.
    assert!(diversity["value"].as_f64().unwrap() > 0.0);
    assert!(ndcg["low"].is_number() && diversity["low"].is_number());
    let coverage = scores("coverage@8").await;
    assert!(coverage["value"].as_f64().unwrap() > 0.9, "{coverage}");
    assert!(coverage["low"].is_null());
    assert_eq!(server.asked(), calls);
    let shown = desk
        .run(&["eval", "--audit", "--metric", "coverage@8", "--quiet"])
        .await;
    assert!(shown.out.contains("F  "), "{}", shown.out);
    let ended = desk
        .run(&["eval", "--audit", "--metric", "diversty@5"])
        .await;
    ended.expect(2, &["--metric", "did you mean \"diversity@10\"?"]);
    desk.edit_study("[data]\n", "metric = \"coverage@5\"\n[data]\n");
    let ended = desk.run(&["optimize"]).await;
    ended.expect(2, &["coverage@5 describes lists", "eval"]);
    assert_eq!(server.asked(), calls);
}

/// Cells of `InstructRec` are groups of a study; rankings are written as a run file and its
/// labels, and what was looked for is never the title.
#[tokio::test(flavor = "multi_thread")]
async fn instructions_are_groups_and_rankings_run_files() {
    let (desk, server) = (Desk::new(), MockServer::start(model).await);
    let task = "kind = \"instructrec\"\nform = \"rerank\"\npreference = [\"implicit\"]\n\
                prompt = \"Rank by genre.\"\nmetric = \"map@5\"";
    study(&desk, &server, task);
    let written = desk.read("study.toml");
    desk.write(
        "study.toml",
        written
            .replace("[\"F\"]", "[\"implicit+none\"]")
            .replace("[\"M\"]", "[\"implicit+vague\", \"implicit+specific\"]")
            .replace(
                "train = 9\nvalidation = 16\nunlabelled = 10\naudit = 20",
                "train = 4\nvalidation = 6\nunlabelled = 6\naudit = 12",
            ),
    );
    let files = ["-o", "answers.run", "-o", "answers.qrels"];
    let ended = desk
        .run(&[&["eval", "--audit", "--json"][..], &files[..]].concat())
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let table: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(table["metric"], "map@5");
    let groups = table["prompts"][0]["groups"].as_array().unwrap();
    let names: Vec<&str> = groups.iter().filter_map(|g| g["group"].as_str()).collect();
    assert_eq!(
        names,
        ["implicit+none", "implicit+vague", "implicit+specific"]
    );
    let qrels = desk.read("answers.qrels");
    assert_eq!(qrels.lines().count(), 36);
    let wanted: Vec<&str> = qrels
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    let run = desk.read("answers.run");
    // Eight candidates a list, best first, each line of six columns.
    assert_eq!(run.lines().count(), 36 * 8);
    let first: Vec<&str> = run.lines().next().unwrap().split(' ').collect();
    assert_eq!(
        (first.len(), first[1], first[3], first[4]),
        (6, "Q0", "1", "8")
    );
    assert!(wanted.iter().all(|title| run.contains(title)));
    for answer in table["prompts"][0]["answers"].as_array().unwrap() {
        let (told, _) = answer["input"]
            .as_str()
            .unwrap()
            .split_once("Candidates:")
            .unwrap();
        let looked_for = told.lines().find(|line| line.starts_with("Now the user"));
        let title = answer["label"].as_str().unwrap();
        assert!(
            looked_for.is_none_or(|line| !line.contains(title)),
            "{told}"
        );
        assert_eq!(
            looked_for.is_none(),
            answer["group"] == "implicit+none",
            "{told}"
        );
    }
}

/// The four templates of `prompt4nr` are four calls, each with words of its own.
#[tokio::test(flavor = "multi_thread")]
async fn templates_of_news_are_asked_apart() {
    let server = MockServer::start(|seen: &Seen| {
        let text = seen.prompt();
        let yes = text.contains("Crime");
        let pairs = [
            ("related", "unrelated"),
            ("interesting", "boring"),
            ("yes", "no"),
            ("good", "bad"),
        ];
        let pair = pairs
            .iter()
            .find(|(a, b)| text.contains(&format!("{a} or {b}")));
        let (affirms, denies) = pair.copied().unwrap_or(("ok", "ok"));
        answer(seen, if yes { affirms } else { denies })
    })
    .await;
    let desk = Desk::new();
    study(
        &desk,
        &server,
        "kind = \"prompt4nr\"\nview = \"all\"\nitem = \"story\"\nmetric = \"gauc\"",
    );
    let written = desk.read("study.toml");
    desk.write(
        "study.toml",
        written
            .replace(
                "examples = \"listwise\"",
                "examples = \"pointwise\"\nlike_above = 2",
            )
            .replace("candidates = { count = 8 }", ""),
    );
    let rows = desk
        .read("events.csv")
        .replace("user,item,title", "user,item,rating,title");
    let mut rated = String::new();
    for (number, line) in rows.lines().enumerate() {
        let cells: Vec<&str> = line.splitn(3, ',').collect();
        match number {
            0 => rated.push_str(line),
            _ => write!(
                rated,
                "{},{},{},{}",
                cells[0],
                cells[1],
                1 + number % 4,
                cells[2]
            )
            .unwrap(),
        }
        rated.push('\n');
    }
    desk.write("events.csv", rated);
    let ended = desk.run(&["eval", "--audit", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let table: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    for group in table["prompts"][0]["groups"].as_array().unwrap() {
        assert_eq!(
            (&group["unparseable"], &group["failed"]),
            (&0.into(), &0.into()),
            "{group}"
        );
    }
    // Four questions an example, but for those of users with one history and one film.
    assert!(server.asked() > 2 * 40, "{}", server.asked());
}

/// NDCG and hit rate at several places, and the task with another key beside it, in one table.
#[tokio::test(flavor = "multi_thread")]
async fn several_places_in_one_table() {
    let (desk, server) = (Desk::new(), MockServer::start(model).await);
    let prompt = "List candidates that share a genre with the history.";
    let task = format!("kind = \"llmrank\"\nprompt = \"{prompt}\"\nmetric = \"ndcg@5\"");
    study(&desk, &server, &task);
    let line = [
        "eval",
        "--quiet",
        "--audit",
        "--places",
        "1,3,8",
        "--with",
        "history = \"none\"",
    ];
    let told = desk.run(&[&line[..], &["--json"]].concat()).await;
    let told: serde_json::Value =
        serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{told:?}"));
    crate::schemas::check(&[("eval", vec![told.clone()])].into());
    let prompts = told["prompts"].as_array().unwrap();
    assert_eq!(prompts.len(), 2);
    assert_eq!(prompts[0].get("with"), None);
    assert_eq!(prompts[1]["with"], "history = \"none\"");
    let baselines = told["baseline_places"].as_object().unwrap();
    assert!(baselines.contains_key("most-pop") && baselines.contains_key("random"));
    let rows = prompts.iter().map(|row| &row["places"]);
    for scores in rows.clone().chain(baselines.values()) {
        assert_eq!(scores["places"], serde_json::json!([1, 3, 8]));
        let groups = scores["groups"].as_array().unwrap();
        let names: Vec<&str> = groups
            .iter()
            .map(|g| g["group"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["all", "F", "M"]);
        assert_eq!(groups[0]["n"], 40);
        for group in groups {
            let at = |name: &str, place: usize| group[name][place].as_f64().unwrap();
            assert!((at("ndcg", 0) - at("hr", 0)).abs() < 1e-12);
            assert!(at("hr", 0) <= at("hr", 1) && at("hr", 1) <= at("hr", 2));
            // Eight candidates: whoever lists them all hits.
            assert_eq!(at("hr", 2), 1.0, "{group}");
        }
    }
    let hit = |row: usize| {
        prompts[row]["places"]["groups"][0]["hr"][1]
            .as_f64()
            .unwrap()
    };
    assert!(hit(0) > hit(1) + 0.2, "{told:#}");
    let sent = server.asked();
    let text = desk.run(&line).await;
    assert_eq!((text.code, server.asked()), (Some(0), sent), "{text:?}");
    for piece in [
        "at several places · all (n 40)",
        "HR@8",
        "most-pop",
        " · history = \"none\"",
    ] {
        assert!(text.out.contains(piece), "{piece}: {}", text.out);
    }
    desk.run(&["eval", "--with", "kind = \"liu\""])
        .await
        .expect(2, &["--with \"kind", "write a study of its own"]);
    desk.run(&["eval", "--with", "windows = 3"])
        .await
        .expect(2, &["windows"]);
}

/// Writes of the retrieved film what it is, with a word that every viewer likes when the
/// instruction asks for it; in the second round with a year that is none of it.
fn writer(seen: &Seen) -> Act {
    let text = seen.prompt();
    if text.contains("Would this user want it?") {
        return answer(
            seen,
            if text.contains("gripping") {
                "Yes."
            } else {
                "No."
            },
        );
    }
    let opening = &seen.body["messages"][0]["content"];
    let shown = opening.as_str().unwrap_or_default();
    let (_, retrieved) = shown.split_once("Retrieved:\ntitle: ").unwrap_or(("", ""));
    let (title, rest) = retrieved.split_once("; genres: ").unwrap_or(("", ""));
    let genre = rest.lines().next().unwrap_or_default();
    let said = if text.contains("Write another one") {
        format!("{title} is {genre} from 2020, gripping.")
    } else if shown.contains("suspense") {
        format!("{title} is gripping {genre}.")
    } else {
        format!("{title} is {genre}.")
    };
    answer(seen, &said)
}

/// A text that keeps to the facts and is preferred stands; what became of the others is told
/// with the example, and another metric looks at the same answers.
#[tokio::test(flavor = "multi_thread")]
async fn texts_for_users_are_measured() {
    let (desk, server) = (Desk::new(), MockServer::start(writer).await);
    study(&desk, &server, "kind = \"generec\"");
    let line = ["eval", "--quiet", "--json", "-p", "Write of the suspense."];
    let told = desk.run(&line).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told["metric"], "preference");
    // No method without a language model writes a text.
    assert_eq!(told.get("baselines"), None);
    let value = |row: usize| told["prompts"][row]["groups"][0]["value"].as_f64().unwrap();
    assert_eq!((value(0), value(1)), (0.0, 1.0));
    let answer = |row: usize| &told["prompts"][row]["answers"][0];
    let reason = answer(0)["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("round 1 not accepted: the preference is 0.0 of 100"),
        "{reason}"
    );
    assert!(
        reason.contains("round 2 refused: it names the year 2020"),
        "{reason}"
    );
    assert!(
        answer(1)["answer"]
            .as_str()
            .unwrap()
            .contains("is gripping")
    );
    let sent = server.asked();
    let line = [&line[..], &["--metric", "fidelity"]].concat();
    let told = desk.run(&line).await;
    assert_eq!((told.code, server.asked()), (Some(0), sent), "{told:?}");
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told["prompts"][1]["groups"][0]["value"], 0.5);
    desk.run(&["eval", "--metric", "ndcg@10"])
        .await
        .expect(2, &["use preference or fidelity"]);
}
