//! Whoever else grades, renders or answers: programs of the user's own in a real
//! Python, and models that judge. What goes wrong with them is a state with a message,
//! never a score, and nothing is asked twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::Value;

use crate::schemas;
use crate::support::mock_server::{Act, MockServer, Seen, completion};
use crate::support::program::{Desk, Ended};

/// A folder with the shipped examples.
fn examples() -> Desk {
    let desk = Desk::new();
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/own");
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        desk.write(&name, std::fs::read(&path).unwrap());
    }
    desk
}

async fn eval(desk: &Desk, study: &str, args: &[&str]) -> Ended {
    let args: Vec<&str> = ["eval", study, "--quiet", "--audit"]
        .iter()
        .chain(args)
        .copied()
        .collect();
    desk.run(&args).await
}

fn json(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.out).unwrap()
}

/// Whether an output is as its schema says.
#[track_caller]
fn described(schema: &'static str, output: Value) {
    schemas::check(&BTreeMap::from([(schema, vec![output])]));
}

/// The score of every group of the first prompt.
fn scores(table: &Value) -> Vec<f64> {
    let groups = table["prompts"][0]["groups"].as_array().unwrap();
    groups
        .iter()
        .map(|group| group["value"].as_f64().unwrap())
        .collect()
}

#[tokio::test]
async fn shipped_programs_score_render_and_answer() {
    let desk = examples();
    let table = json(&eval(&desk, "metric.toml", &["--json"]).await);
    assert_eq!(
        (scores(&table), &table["metric"]),
        (vec![1.0, 1.0], &"command".into())
    );
    let task = json(&eval(&desk, "task.toml", &["--json"]).await);
    for score in scores(&task) {
        assert!((0.85..0.95).contains(&score), "{score}");
    }
    // A prompt that asks for less is worth more, by the program's own lights.
    let brief = eval(
        &desk,
        "task.toml",
        &["--json", "--prompt", "Answer briefly."],
    )
    .await;
    let brief = json(&brief);
    let value = brief["prompts"][1]["groups"][0]["value"].as_f64().unwrap();
    assert!(value > 0.97, "{value}");
}

#[tokio::test]
async fn every_command_takes_a_program_as_model() {
    let desk = examples();
    let told = desk.run(&["doctor", "metric.toml"]).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    for piece in [
        "command:python3 agent.py (",
        "grader",
        "renderer",
        "graded: ",
    ] {
        assert!(told.out.contains(piece), "{piece}: {}", told.out);
    }
    let told = desk.run(&["estimate", "metric.toml"]).await;
    assert!(
        told.out.contains("a program of your own, not started"),
        "{told:?}"
    );
    let run = desk
        .run(&["optimize", "metric.toml", "--headless", "--quiet"])
        .await;
    assert_eq!(run.code, Some(0), "{run:?}");
    // Executed again, every line is answered from the store.
    let again = desk.run(&["optimize", "metric.toml", "--headless"]).await;
    assert!(
        again.err.contains("0 calls were sent to a model"),
        "{}",
        again.err
    );
    let gate = desk
        .run(&[
            "gate",
            "metric.toml",
            "--mode",
            "guard",
            "--min-worst",
            "0.9",
            "--quiet",
        ])
        .await;
    assert_eq!(gate.code, Some(0), "{gate:?}");
}

/// What a program was asked it is not asked again; another edition of it is.
#[tokio::test]
async fn programs_are_asked_once() {
    let desk = examples();
    let script = desk.read("score.py");
    let counting = script.replace(
        "    row = json.loads(line)\n",
        "    row = json.loads(line)\n    open('asked', 'a').write(row['id'] + '\\n')\n",
    );
    assert_ne!(script, counting);
    desk.write("score.py", &counting);
    let asked = || desk.read("asked").lines().count();
    let first = eval(&desk, "metric.toml", &["--json"]).await;
    let once = asked();
    assert!(once >= 20, "{once}");
    let second = eval(&desk, "metric.toml", &["--json"]).await;
    assert_eq!(asked(), once);
    assert_eq!(scores(&json(&first)), scores(&json(&second)));
    assert_eq!(json(&second)["sent"], 0);
    desk.write(
        "score.py",
        counting.replace(") / len(wanted)", ") / len(wanted) / 2"),
    );
    let third = json(&eval(&desk, "metric.toml", &["--json"]).await);
    assert_eq!((scores(&third), asked()), (vec![0.5, 0.5], 2 * once));
    // The model's answers were there.
    assert_eq!(third["sent"], 0);
}

#[tokio::test]
async fn broken_programs_give_a_message_and_no_score() {
    const LOOP: &str =
        "import json, sys, time, os\nfor line in sys.stdin:\n    row = json.loads(line)\n";
    for (body, code, pieces) in [
        // It dies before it reads, and says why.
        (
            "import no_such_module",
            4,
            &["exit code 1", "No module named 'no_such_module'"][..],
        ),
        (
            "print('ready')",
            4,
            &["\"ready\"", "everything else to standard error"],
        ),
        ("    time.sleep(60)\n", 4, &["within 1 s (timeout_s)"]),
        (
            "    print(json.dumps({'score': 7}), flush=True)\n",
            6,
            &["score is 7, but must be"],
        ),
        (
            "    print(json.dumps({'points': 1}), flush=True)\n",
            6,
            &["neither \"score\""],
        ),
        (
            "    print(json.dumps({'error': 'no table'}), flush=True)\n",
            6,
            &["no table"],
        ),
        (
            "    print(json.dumps({'unavailable': 'index is built'}), flush=True)\n",
            4,
            &["index is built"],
        ),
        // Too few lines: it ends after one.
        (
            "    print(json.dumps({'score': 1}), flush=True)\n    os._exit(0)\n",
            0,
            &[],
        ),
        // Odd at one kind of line: those alone have no score.
        (
            "    if row['label'].startswith('B'): raise ValueError('B is odd')\n    \
             print(json.dumps({'score': 1}), flush=True)\n",
            0,
            &[],
        ),
    ] {
        let desk = examples();
        desk.write(
            "score.py",
            if body.starts_with(' ') {
                format!("{LOOP}{body}")
            } else {
                body.into()
            },
        );
        if body.contains("sleep") {
            // The others start a Python for every line, which takes its time under load.
            let study = desk.read("metric.toml");
            desk.write(
                "metric.toml",
                study.replace("score.py\"", "score.py\"\ntimeout_s = 1"),
            );
        }
        let ended = eval(&desk, "metric.toml", &[]).await;
        if code == 6 {
            assert!(matches!(ended.code, Some(4 | 6)), "{ended:?}");
            assert!(
                pieces.iter().all(|piece| ended.err.contains(piece)),
                "{ended:?}"
            );
        } else {
            ended.expect(code, pieces);
        }
        if code != 0 {
            assert!(!ended.out.contains("100.0"), "{ended:?}");
        }
        if body.contains("os._exit(0)") {
            assert!(!ended.out.contains("failed"), "{ended:?}");
        }
        if body.contains("B is odd") {
            assert!(ended.out.contains("failed"), "{ended:?}");
        }
    }
}

/// What cannot grade is told before a model is asked.
#[cfg(unix)]
#[tokio::test]
async fn broken_programs_cost_nothing() {
    for (command, code, told) in [
        ("python3 scor.py", 2, "there is no \"scor.py\" in"),
        ("./score.py", 2, "executable"),
        ("no-such-scorer", 2, "cannot be started"),
        ("python3 score.py", 4, "No module named 'no_such_module'"),
    ] {
        let server = MockServer::start(|_| Act::text("Paris")).await;
        let desk = examples();
        desk.write("score.py", "import no_such_module");
        let model = format!("name = \"openai:m\"\nbase_url = \"{}\"", server.base_url());
        let study = desk
            .read("metric.toml")
            .replace("python3 score.py", command)
            .replace("name = \"command:python3 agent.py\"", &model);
        assert!(study.contains(command) && study.contains(&model));
        desk.write("metric.toml", study);
        eval(&desk, "metric.toml", &[]).await.expect(code, &[told]);
        // One that ends by itself is looked after while the client asks what the model can
        // do; no example is asked.
        let most = if code == 4 { 4 } else { 0 };
        assert!(server.asked() <= most, "{command}: {}", server.asked());
    }
}

/// One that takes its time to fail is asked before a model is: to score, to render, and
/// by a search as by an evaluation.
#[cfg(unix)]
#[tokio::test]
async fn programs_that_fail_late_cost_nothing() {
    let late = "import time\ntime.sleep(2)\nimport no_such_module\n";
    let told = "No module named 'no_such_module'";
    for (study, script, command) in [
        ("metric.toml", "score.py", "eval"),
        ("metric.toml", "score.py", "optimize"),
        ("task.toml", "task.py", "optimize"),
    ] {
        let server = MockServer::start(|_| Act::text("Paris")).await;
        let desk = examples();
        let model = format!("name = \"openai:m\"\nbase_url = \"{}\"", server.base_url());
        let own = desk
            .read(study)
            .replace("name = \"command:python3 agent.py\"", &model);
        assert!(own.contains(&model), "{own}");
        desk.write(study, own);
        desk.write(script, late);
        desk.run(&[command, study, "--quiet"])
            .await
            .expect(4, &[told]);
        // Questions on what the model can do, and no example.
        let asked = server.asked();
        assert!(asked <= 4, "{command} {study}: {asked}");
    }
}

/// What a judge says for a grade below 1 stands beside the answer.
#[tokio::test]
async fn reasons_for_grades_are_shown() {
    let server = MockServer::start(|seen: &Seen| {
        let failing = ["of A", "of C", "of S"]
            .iter()
            .any(|asked| seen.prompt().contains(asked));
        Act::text(if failing {
            "It names the city, but not the river.\n\n**Grade: fail**"
        } else {
            "It names both.\n\nGrade: pass"
        })
    })
    .await;
    let desk = judged(&server, "");
    let told = eval(&desk, "judged.toml", &["--failures"]).await;
    told.expect(0, &[]);
    let why = "It names the city, but not the river.";
    assert!(
        told.out.contains(why) && !told.out.contains("names both"),
        "{}",
        told.out
    );
    let table = json(&eval(&desk, "judged.toml", &["--json"]).await);
    described("eval", table.clone());
    let rows = table["prompts"][0]["answers"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["state"] == "wrong"), "{table}");
    for row in rows {
        let reason = (row["state"] == "wrong").then_some(why);
        assert_eq!(row["reason"].as_str(), reason, "{row}");
    }
    // And in a run's report, of examples whose label may be told.
    let run = [
        "optimize",
        "judged.toml",
        "--headless",
        "--quiet",
        "-o",
        "r.html",
        "-o",
        "r.md",
    ];
    desk.run(&run).await.expect(0, &[]);
    for report in ["r.html", "r.md"] {
        let shown = desk.read(report);
        assert!(
            shown.contains(why) && shown.contains("judged.toml --method"),
            "{report}: {shown}"
        );
    }
}

/// A judge of another server than the model's is said to be one.
#[tokio::test]
async fn judges_without_an_address_say_whom_they_ask() {
    let server = MockServer::start(|_| Act::text("Grade: pass")).await;
    let desk = judged(&server, "");
    let study = desk.read("judged.toml");
    let (before, rest) = study.split_once("[judge.model]\n").unwrap();
    let (_, after) = rest.split_once("max_retries = 0").unwrap();
    let own = format!("{before}model = \"anthropic:claude\"{after}");
    desk.write("judged.toml", own);
    let ended = eval(&desk, "judged.toml", &[]).await;
    let told = [
        "judge.model: ",
        "asked of https://api.anthropic.com",
        "base_url = …",
    ];
    ended.expect(2, &told);
}

/// A rubric with points is no matter of pass or fail.
#[tokio::test]
async fn rubrics_with_points_name_the_key() {
    let server = MockServer::start(|_| Act::text("Rather good.\nGrade: 4")).await;
    let desk = judged(&server, "");
    let study = desk.read("judged.toml");
    let points = "Rate it from 1 (wrong) to 5 (right), 1 to 5.";
    desk.write(
        "judged.toml",
        study.replace("The answer names the same city.", points),
    );
    let told = desk.run(&["estimate", "judged.toml"]).await;
    assert!(
        told.out.contains("rubric-and-points") && told.out.contains("judge.points = 5"),
        "{}",
        told.out
    );
    let shown = eval(&desk, "judged.toml", &[]).await;
    let all = shown.out + &shown.err;
    assert!(all.contains("set judge.points to the highest"), "{all}");
}

#[tokio::test]
async fn contradictions_about_graders_name_their_line() {
    for (from, to, told) in [
        (
            "prompt = \"Answer",
            "metric = \"accuracy\"\nprompt = \"Answer",
            "unknown key `metric`",
        ),
        (
            "does = [\"render\"]",
            "does = [\"render\", \"score\"]",
            "scores answers, and so does [metric]",
        ),
        (
            "command = \"python3 score.py\"",
            "command = \"python3 'score.py\"",
            "never closed",
        ),
        (
            "command = \"python3 score.py\"",
            "command = \"no-such-program\"",
            "cannot be started",
        ),
        (
            "[metric]",
            "[judge]\nrubric = \"Right?\"\n[metric]",
            "keep one of the two tables",
        ),
        (
            "[metric]",
            "[judge]\nrubric = \" \"\nmin_agreement = 0.5\n[metric]",
            "judge.rubric is empty",
        ),
        (
            "prompt = \"Answer",
            "system = \"Be kind.\"\nprompt = \"Answer",
            "the program renders them",
        ),
    ] {
        let desk = examples();
        let study = desk.read("metric.toml");
        assert!(study.contains(from), "{from}");
        desk.write("metric.toml", study.replacen(from, to, 1));
        eval(&desk, "metric.toml", &[]).await.expect(2, &[told]);
    }
    let desk = Desk::new();
    desk.edit_study("labels = ", "metric = \"judge\"\nlabels = ");
    eval(&desk, "study.toml", &[]).await.expect(2, &["metric"]);
}

/// A judge that compares the submission with the reference, and says why first.
fn verdict(seen: &Seen) -> &'static str {
    let text = seen.prompt();
    let part = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>\n")).unwrap_or_default();
        let (part, _) = rest.split_once(&format!("\n</{name}>")).unwrap_or_default();
        part
    };
    if !part("reference").is_empty() && part("submission").contains(part("reference")) {
        "pass"
    } else {
        "fail"
    }
}

/// The examples with a judge on this server instead of the program that scores.
fn judged(server: &MockServer, more: &str) -> Desk {
    let desk = examples();
    let study = desk.read("metric.toml").replace(
        "[metric]\ncommand = \"python3 score.py\"",
        &format!(
            "[judge]\nrubric = \"The answer names the same city.\"\n{more}\n[judge.model]\nname = \
             \"openai:judge\"\nbase_url = \"{}\"\nmax_retries = 0",
            server.base_url()
        ),
    );
    assert!(study.contains("[judge]"));
    desk.write("judged.toml", study);
    desk
}

#[tokio::test]
async fn judges_grade_by_the_rubric() {
    let server = MockServer::start(|seen| {
        Act::text(&format!(
            "The city is named or not.\n\n**Grade: {}**",
            verdict(seen)
        ))
    })
    .await;
    let desk = judged(&server, "");
    let ended = eval(&desk, "judged.toml", &["--json"]).await;
    let table = json(&ended);
    assert_eq!(
        (scores(&table), &table["metric"]),
        (vec![1.0, 1.0], &"judge".into())
    );
    // The judge counts as a call does, once for every answer.
    assert_eq!(table["spent"]["calls"], 50);
    let notes = table["notes"].to_string();
    assert!(notes.contains("never compared with a person"), "{notes}");
}

#[tokio::test]
async fn judges_without_a_grade_are_no_score() {
    let cuts = Arc::new(AtomicUsize::new(0));
    let cut = cuts.clone();
    let server = MockServer::start(move |seen: &Seen| {
        let text = seen.prompt();
        // It declines about some, and is cut off once about others.
        if text.contains("of Austria") || text.contains("of Italy") || text.contains("of Kenya") {
            return Act::text("I cannot help with grading that.");
        }
        let room = seen.body["max_tokens"].as_u64().unwrap_or(9_999);
        let long = ["of Spain", "of Peru", "of Cuba"];
        if room < 1000 && long.iter().any(|asked| text.contains(asked)) {
            cut.fetch_add(1, SeqCst);
            let mut body = completion("The answer says that the", 512);
            body["choices"][0]["finish_reason"] = "length".into();
            return Act::json(200, &body);
        }
        Act::text(&format!("Grade: {}", verdict(seen)))
    })
    .await;
    let desk = judged(&server, "");
    // All 60 rows are in the audit or near it: some of each kind are asked about.
    let ended = eval(&desk, "judged.toml", &["--json"]).await;
    let table = json(&ended);
    assert_eq!(scores(&table), [1.0, 1.0], "a refusal is no fail");
    described("eval", table.clone());
    let failed: u64 = table["prompts"][0]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["failed"].as_u64().unwrap_or(0))
        .sum();
    let asked = cuts.load(SeqCst);
    assert!(failed + asked as u64 > 0, "{table}");
}

fn calibration(right: usize) -> String {
    let mut csv = String::from("question,answer,output,grade\n");
    for row in 0..40 {
        let output = if row % 2 == 0 { "Paris" } else { "Rome" };
        let agrees = row < right;
        let grade = if (row % 2 == 0) == agrees {
            "pass"
        } else {
            "fail"
        };
        let _ = writeln!(csv, "Capital of France? ({row}),Paris,{output},{grade}");
    }
    csv
}

#[tokio::test]
async fn judges_are_compared_with_a_person() {
    let server = MockServer::start(|seen| Act::text(&format!("Grade: {}", verdict(seen)))).await;
    let more = "calibration = \"graded.csv\"\nmin_agreement = 0.6";
    let desk = judged(&server, more);
    desk.write("graded.csv", calibration(38));
    let ended = eval(&desk, "judged.toml", &["--json", "--min-worst", "0.5"]).await;
    let table = json(&ended);
    assert_eq!(table["judge"]["agreement"]["n"], 40);
    assert_eq!(table["judge"]["agreement"]["share"], 0.95);
    let kappa = table["judge"]["agreement"]["kappa"].as_f64().unwrap();
    assert!((kappa - 0.9).abs() < 1e-9, "{kappa}");
    described("eval", table.clone());
    let corrected = &table["judge"]["corrected"][0][0];
    assert_eq!(corrected["group"], "europe");
    assert!(corrected["interval"]["low"].as_f64() < corrected["estimate"].as_f64());
    let notes = table["notes"].to_string();
    for piece in [
        "agrees with the person on 95% of 40",
        "Cohen's kappa 0.90",
        "PPI++",
    ] {
        assert!(notes.contains(piece), "{piece}: {notes}");
    }
    // One that agrees little is shown, and holds for no bar.
    desk.write("graded.csv", calibration(24));
    let shown = eval(&desk, "judged.toml", &[]).await;
    shown.expect(0, &[]);
    assert!(shown.out.contains("kappa 0.20"), "{}", shown.out);
    let told = [
        "the judge is no bar",
        "kappa of 0.20, below judge.min_agreement = 0.6",
    ];
    eval(&desk, "judged.toml", &["--min-worst", "0.5"])
        .await
        .expect(2, &told);
    // Nor in a search, which stops before it has cost more than the comparison.
    let asked = server.asked();
    for bar in [&["--min-worst", "0.5"][..], &["--require-gain"]] {
        for seeds in [&[][..], &["--seeds", "1..2"]] {
            let run = [&["optimize", "judged.toml", "--headless"], bar, seeds].concat();
            desk.run(&run).await.expect(2, &told);
        }
    }
    // Each asks what the judge can do, and has the grades stored.
    assert!(server.asked() <= asked + 4, "{} of {asked}", server.asked());
    desk.run(&[
        "gate",
        "judged.toml",
        "--mode",
        "guard",
        "--min-worst",
        "0.5",
        "--quiet",
    ])
    .await
    .expect(2, &told);
}

#[tokio::test]
async fn calibration_tables_name_what_is_wrong() {
    let server = MockServer::start(|_| Act::text("Grade: pass")).await;
    for (table, told) in [
        (
            "question,answer,output\nWhat?,Paris,Paris\n",
            "there is no column grade",
        ),
        (
            "question,answer,output,grade\nWhat?,Paris,Paris,so-so\n",
            "graded.csv:2: \"so-so\" is no grade",
        ),
        (
            "question,output,grade\nWhat?,Paris,pass\n",
            "set judge.reference = false",
        ),
    ] {
        let desk = judged(&server, "calibration = \"graded.csv\"");
        desk.write("graded.csv", table);
        eval(&desk, "judged.toml", &[]).await.expect(5, &[told]);
    }
}

/// Without a reference no label is needed, and none is shown.
#[tokio::test]
async fn judges_without_reference_need_no_labels() {
    let server = MockServer::start(|seen| {
        assert!(!seen.prompt().contains("<reference>"), "{}", seen.prompt());
        let known = seen.prompt().contains("as far as I know");
        Act::text(if known { "Grade: fail" } else { "Grade: pass" })
    })
    .await;
    let desk = judged(&server, "reference = false");
    let data = desk.read("questions.csv");
    let unlabelled: Vec<String> = data
        .lines()
        .map(|line| match line.split_once("elsewhere,") {
            Some(_) => format!("{},", line.rsplit_once(',').unwrap().0),
            None => line.to_owned(),
        })
        .collect();
    desk.write("questions.csv", unlabelled.join("\n"));
    let ended = eval(
        &desk,
        "judged.toml",
        &["--json", "--prompt", "Answer in one word."],
    )
    .await;
    let table = json(&ended);
    assert_eq!(scores(&table), [0.0, 0.0]);
    let target = &table["prompts"][1]["groups"][1];
    // The pipeline looks the answers up in the same file, and finds none there now.
    assert_eq!(target["role"], "target");
    assert!(target["n"].as_u64().unwrap() > 5, "{target}");
}

/// The study that is there to be copied, with its models on a server here.
#[tokio::test]
async fn shipped_judge_is_compared_with_its_table() {
    let server = MockServer::start(|seen: &Seen| {
        if seen.prompt().contains("<submission>") {
            return Act::text(&format!("Grade: {}", verdict(seen)));
        }
        Act::text("That must be Paris.")
    })
    .await;
    let desk = examples();
    let mut study = desk.read("judge.toml");
    for name in ["\"openai:gpt-4.1-mini\"", "\"openai:gpt-4.1\""] {
        assert_eq!(study.matches(name).count(), 1, "{name}");
        let here = format!("{name}\nbase_url = \"{}\"", server.base_url());
        study = study.replace(name, &here);
    }
    desk.write("judge.toml", study);
    let table = json(&eval(&desk, "judge.toml", &["--json"]).await);
    let agreement = &table["judge"]["agreement"];
    assert_eq!(agreement["n"], 32);
    // This one takes an answer of two cities for right.
    assert_eq!(agreement["share"], 28.0 / 32.0);
    assert!(scores(&table)[0] < 0.5, "{table}");
    let told = desk.run(&["estimate", "judge.toml"]).await;
    told.expect(0, &[]);
    assert!(
        told.out
            .contains("the judge on 32 answers that a person graded"),
        "{}",
        told.out
    );
}

/// A search whose answers are judged says what the judge is worth, and what the person
/// would have given; killed in between, it goes on where it was, and asks nothing twice.
#[tokio::test]
async fn judged_runs_tell_what_the_judge_is_worth() {
    let slow = std::time::Duration::from_millis(8);
    let server = MockServer::start(move |seen: &Seen| {
        Act::text(&format!("Grade: {}", verdict(seen))).after(slow)
    })
    .await;
    let desk = judged(&server, "calibration = \"graded.csv\"");
    desk.write("graded.csv", calibration(38));
    let optimize = ["optimize", "judged.toml", "--headless", "--quiet"];
    let whole = desk
        .run(&[&optimize[..], &["--json", "--store", "whole"]].concat())
        .await;
    let told = json(&whole);
    described("report", told.clone());
    let events = desk.read("whole/runs/own-metric-s1-1/events.jsonl");
    for line in events.lines() {
        described("events", serde_json::from_str(line).unwrap());
    }
    assert_eq!(told["judge"]["graded"], 40);
    assert_eq!(told["judge"]["agreement"]["share"], 0.95);
    assert!(told["judge"]["agreement"]["kappa_interval"]["low"].is_number());
    let corrected = told["corrected"].as_array().unwrap();
    assert_eq!(corrected[0]["contestant"], "seed");
    assert_eq!(corrected[1]["contestant"], "selected");
    assert!(corrected[0]["groups"][0]["interval"]["low"].is_number());
    let report = ["report", "own-metric-s1-1", "--store", "whole"];
    let page = desk
        .run(&[&report[..], &["-o", "r.html", "-o", "r.md"]].concat())
        .await;
    page.expect(0, &[]);
    for report in ["r.html", "r.md"] {
        let shown = desk.read(report);
        for piece in [
            "agrees with the person on 95% of 40",
            "kappa 0.90",
            "PPI",
            "(λ ",
            "The answer names the same city.",
            "optimize judged.toml --method",
        ] {
            assert!(shown.contains(piece), "{report}: {piece}\n{shown}");
        }
    }
    let asked = server.asked();

    // Stopped half-way by its limit and by a kill, it is the same run in the end.
    let mut child = desk.start(&[&optimize[..], &["--store", "killed"]].concat());
    while server.asked() < asked + asked / 3 {
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let resume = ["--resume", "own-metric-s1-1", "--store", "killed", "--json"];
    let resumed = json(&desk.run(&[&optimize[..], &resume].concat()).await);
    for key in ["selected", "judge", "corrected", "compared", "audited"] {
        assert_eq!(resumed[key], told[key], "{key}");
    }
    assert_eq!(resumed["spent"]["calls"], told["spent"]["calls"]);

    // A judge whom nobody compared is called that.
    let desk = judged(&server, "");
    let ended = desk
        .run(&["optimize", "judged.toml", "--headless", "--quiet"])
        .await;
    assert!(
        ended.out.contains("never compared with a person"),
        "{ended:?}"
    );
}
