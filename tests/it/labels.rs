//! Labels that people give: chosen, kept, used by every later command, and a run that
//! goes on with them.

use crate::support::mock_server::MockServer;
use crate::support::program::{Desk, model};

pub(crate) fn server_in(desk: &Desk, server: &MockServer) {
    desk.edit_study(
        "name = \"mock\"",
        &format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\", \
             label_scores = \"off\", prefill = \"off\" }}",
            server.base_url()
        ),
    );
}

/// Fills in what was exported, by the rule of the data.
fn fill(text: &str) -> String {
    let mut lines = text.lines();
    let head = lines.next().unwrap();
    let place = |name: &str| head.split(',').position(|column| column == name).unwrap();
    let (id, label) = (place("id"), place("label"));
    let mut out = head.to_owned();
    for line in lines {
        // Reasons have commas only behind the label.
        let mut cells: Vec<&str> = line.split(',').collect();
        let number: u32 = cells[id].trim_start_matches("films").parse().unwrap();
        cells[label] = if number.is_multiple_of(2) {
            "positive"
        } else {
            "negative"
        };
        out.push('\n');
        out.push_str(&cells.join(","));
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_go_round_and_on() {
    let (desk, server) = (Desk::new(), MockServer::start(model).await);
    server_in(&desk, &server);
    let first = desk.run(&["optimize", "--quiet"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let before = server.asked();

    let out = desk
        .run(&["label", "study.toml", "-n", "10", "--export", "out.csv"])
        .await;
    out.expect(0, &["10 inputs are in out.csv", "positive, negative"]);
    let asked = desk.read("out.csv");
    assert!(
        asked.contains("prompts disagree: ") && asked.contains("drawn at random"),
        "{asked}"
    );
    assert!(!desk.path("mock.labels.csv").exists());
    // By the run's name the same.
    let listed = desk
        .run(&["label", "mock-s1-1", "-n", "10", "--list"])
        .await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert!(listed.out.contains("films"), "{}", listed.out);

    desk.write("wrong.csv", fill(&asked).replacen("positive", "positiv", 1));
    let wrong = desk
        .run(&["label", "study.toml", "--import", "wrong.csv"])
        .await;
    wrong.expect(
        5,
        &[
            "wrong.csv:",
            "\"positiv\" is no label; did you mean \"positive\"?",
        ],
    );
    assert!(!desk.path("mock.labels.csv").exists());

    desk.write("back.csv", fill(&asked));
    let back = desk
        .run(&["label", "study.toml", "--import", "back.csv"])
        .await;
    back.expect(
        0,
        &[
            "10 labels were added; mock.labels.csv holds 10",
            "--continue mock-s1-1",
        ],
    );
    let again = desk
        .run(&["label", "study.toml", "--import", "back.csv"])
        .await;
    again.expect(0, &["10 labels that were known", "0 labels were added"]);
    assert_eq!(server.asked(), before, "labelling asks no model");

    // None of them is asked about again.
    desk.run(&["label", "study.toml", "-n", "10", "--export", "next.csv"])
        .await
        .expect(0, &[]);
    let next = desk.read("next.csv");
    let id = |line: &str| line.split(',').next().unwrap().to_owned();
    let known: Vec<String> = asked.lines().skip(1).map(id).collect();
    assert!(
        next.lines().skip(1).all(|line| !known.contains(&id(line))),
        "{next}"
    );

    let on = desk.run(&["optimize", "--continue", "--headless"]).await;
    on.expect(
        0,
        &[
            "labels of mock.labels.csv in use: 10 (films 10)",
            "Goes on from run mock-s1-1",
        ],
    );
    assert!(
        on.out.contains("Goes on from run mock-s1-1: "),
        "{}",
        on.out
    );
    assert!(on.out.contains("answers were carried over"), "{}", on.out);
    assert!(
        on.out.contains("Target labels read by the search: 10;"),
        "{}",
        on.out
    );
    // Nothing is paid for twice: no body was sent more often than once, but for what is
    // asked to find out about the model.
    let twice: Vec<String> = server
        .requests()
        .iter()
        .filter(|seen| seen.prompt().contains("films text") || seen.prompt().contains("books text"))
        .map(|seen| seen.body.to_string())
        .filter(|body| server.calls_per_body()[body] > 1)
        .collect();
    assert!(
        twice.is_empty(),
        "{} bodies were sent twice, such as {}",
        twice.len(),
        twice[0]
    );

    // Told anew after a kill, it tells the same.
    let report = desk.read(".shiftproof/runs/mock-s1-2/report.txt");
    let log = desk.path(".shiftproof/runs/mock-s1-2/events.jsonl");
    std::fs::remove_file(log).unwrap();
    let sent = server.asked();
    let anew = desk
        .run(&["optimize", "--quiet", "--resume", "mock-s1-2"])
        .await;
    assert_eq!(anew.code, Some(0), "{anew:?}");
    assert_eq!(desk.read(".shiftproof/runs/mock-s1-2/report.txt"), report);
    assert_eq!(server.asked(), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_of_a_run_are_its_own() {
    let (desk, server) = (Desk::new(), MockServer::start(model).await);
    server_in(&desk, &server);
    let head = "id,group,label,drawn,reason,input.text\n";
    let labels = "films2,films,positive,random,,films text number 2\n";
    desk.write("mock.labels.csv", format!("{head}{labels}"));
    let first = desk.run(&["optimize", "--quiet"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    // More labels do not change what the run began with; other ones are refused.
    let log = desk.path(".shiftproof/runs/mock-s1-1/events.jsonl");
    let more = "films4,films,positive,chosen,,films text number 4\n";
    desk.write("mock.labels.csv", format!("{head}{labels}{more}"));
    std::fs::remove_file(&log).unwrap();
    let sent = server.asked();
    let anew = desk
        .run(&["optimize", "--quiet", "--resume", "mock-s1-1"])
        .await;
    assert_eq!((anew.code, server.asked()), (Some(0), sent), "{anew:?}");
    std::fs::remove_file(&log).unwrap();
    desk.write(
        "mock.labels.csv",
        format!("{head}{}", labels.replace("positive", "negative")),
    );
    let other = desk
        .run(&["optimize", "--quiet", "--resume", "mock-s1-1"])
        .await;
    other.expect(5, &["mock.labels.csv", "not those that the run began with"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn continuing_needs_a_finished_run() {
    let desk = Desk::new();
    let none = desk.run(&["optimize", "--continue"]).await;
    none.expect(2, &["there is no finished run of mock"]);
    let none = desk.run(&["optimize", "--continue", "mock-s1-7"]).await;
    none.expect(2, &["there is no run mock-s1-7"]);
    let both = desk.run(&["optimize", "--continue", "--resume"]).await;
    both.expect(2, &["cannot be used with"]);
}

/// The command that a text tells to go on with, as its arguments.
fn told_command(text: &str, after: &str) -> Vec<String> {
    let (_, command) = text.split_once(after).unwrap();
    let command = command.lines().next().unwrap();
    command.split(' ').map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn told_commands_work_as_told() {
    let (desk, server) = (Desk::new(), MockServer::start(model).await);
    server_in(&desk, &server);
    let store = ["--store", "other"];
    let first = desk
        .run(&[&["optimize", "--quiet"][..], &store].concat())
        .await;
    assert_eq!(first.code, Some(0), "{first:?}");
    // A day's rows, which no run has seen.
    let day: String = (500..540)
        .map(|number| format!("films{number},films,,films text number {number}\n"))
        .collect::<Vec<_>>()
        .concat();
    desk.write("day.csv", format!("id,domain,label,text\n{day}"));
    let label = ["label", "study.toml", "-n", "6"];
    let batch = ["--batch", "day.csv", "--export", "out.csv"];
    let out = desk.run(&[&label[..], &batch, &store].concat()).await;
    out.expect(0, &["6 inputs are in out.csv"]);
    desk.write("out.csv", fill(&desk.read("out.csv")));
    let import = told_command(&out.err, "then: shiftproof ");
    let import: Vec<&str> = import.iter().map(String::as_str).collect();
    let back = desk.run(&import).await;
    back.expect(0, &["6 labels were added"]);
    let on = told_command(&back.err, "Go on with: shiftproof ");
    let on: Vec<&str> = on.iter().map(String::as_str).collect();
    let on = desk.run(&on).await;
    on.expect(
        0,
        &["Goes on from run mock-s1-1", "--run mock-s1-1 --store /"],
    );
}

/// The limits of the command line hold for a study that comes from a run, too.
#[tokio::test(flavor = "multi_thread")]
async fn continued_runs_keep_the_stated_limit() {
    let (desk, server) = (Desk::new(), MockServer::start(model).await);
    server_in(&desk, &server);
    let first = desk.run(&["optimize", "--quiet"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    std::fs::remove_file(desk.path("study.toml")).unwrap();
    let sent = server.asked();
    let on = ["optimize", "--quiet", "--continue", "mock-s1-1"];
    let ended = desk.run(&[&on[..], &["--max-calls", "3"]].concat()).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(
        ended.err.contains("the budget of 3 calls is too low"),
        "{ended:?}"
    );
    assert_eq!(server.asked(), sent);
    let ended = desk.run(&[&on[..], &["--max-calls", "140"]].concat()).await;
    let sent = server.asked() - sent;
    assert!(ended.code == Some(0) && sent <= 140, "{sent}: {ended:?}");
}
