//! A search method of one's own: one type, one line, and everything around it
//! comes along.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use shiftproof_search::event::Phase;
use shiftproof_search::gateway::RunError;
use shiftproof_search::methods::{DataCounts, MethodPlan, PlannedStep, SearchMethod};
use shiftproof_search::propose::{EditProposer, InductionProposer, TargetUse};
use shiftproof_search::run::{CandidateIndex, SearchContext};
use shiftproof_search::spec::SearchSpec;

use crate::support::mock_server::MockServer;
use crate::support::program::{Desk, Ended, model};
use crate::tui::{Terminal, no_tmux, server_in};

/// Looks at everything on a few examples, then edits what failed least.
struct Glance;

/// Texts it asks for; it tries to get more than it plans.
const TEXTS: usize = 4;
const EDITS: usize = 6;
const LOOK: usize = 8;

#[async_trait]
impl SearchMethod for Glance {
    fn name(&self) -> &'static str {
        "glance"
    }

    fn problems(&self, spec: &SearchSpec) -> Vec<String> {
        if spec.evaluations < 20 {
            return vec!["search.evaluations must be at least 20 for glance".into()];
        }
        Vec::new()
    }

    fn plan(&self, _: &SearchSpec, _: &DataCounts) -> MethodPlan {
        MethodPlan {
            steps: vec![
                PlannedStep {
                    texts: TEXTS,
                    prompts: TEXTS,
                    ..PlannedStep::new(Phase::Propose, "a few prompts at first glance")
                },
                PlannedStep {
                    share: 0.4,
                    ..PlannedStep::new(Phase::Screen, "a look at each")
                },
                PlannedStep {
                    prompts: EDITS,
                    share: 0.3,
                    ..PlannedStep::new(Phase::Refine, "edits of the best")
                },
            ],
            final_share: 0.3,
        }
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let spec = context.spec();
        context.enter_phase(Phase::Propose, "prompts at first glance".into())?;
        let proposer = InductionProposer {
            shots: spec.shots,
            chunks: spec.chunks,
            target: TargetUse::Nothing,
        };
        let given = context.candidates();
        context
            .propose(&proposer, &given, 3 * TEXTS, "glance")
            .await?;
        let all = context.candidates();
        let mut examples = context.shuffled_examples("look");
        examples.truncate(LOOK);
        context.enter_phase(Phase::Screen, format!("a look at {} prompts", all.len()))?;
        if !context.evaluate(&all, &examples).await? {
            return Ok(given);
        }
        let mut wrong: Vec<(usize, CandidateIndex)> = all
            .iter()
            .map(|&candidate| {
                let groups = context.answers_by_group(candidate, &examples);
                (groups.iter().map(|g| g.failures.len()).sum(), candidate)
            })
            .collect();
        wrong.sort_unstable();
        let best: Vec<CandidateIndex> = wrong.iter().take(2).map(|(_, c)| *c).collect();
        context.enter_phase(
            Phase::Refine,
            format!("the best has {} of {LOOK} wrong", wrong[0].0),
        )?;
        let edits = context
            .propose(&EditProposer, &best, EDITS, "glance edits")
            .await?;
        context.race([best, edits].concat(), spec.finalists).await
    }
}

const ARGUMENTS: &str = "SHIFTPROOF_TEST_GLANCE";

/// Not a test but the program that the others run.
#[test]
#[ignore = "run by the tests of this module"]
fn program_with_glance() -> ExitCode {
    let Ok(arguments) = std::env::var(ARGUMENTS) else {
        return ExitCode::SUCCESS;
    };
    let arguments = std::iter::once("shiftproof").chain(arguments.split(' '));
    shiftproof::App::new().method(Glance).run_with(arguments)
}

fn program(desk: &Desk, arguments: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("methods::program_with_glance")
        .env(ARGUMENTS, arguments)
        .env("SHIFTPROOF_CACHE", desk.path("cache"))
        .env_remove("OPENAI_API_KEY")
        .env_remove("SHIFTPROOF_STORE")
        .current_dir(desk.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn run(desk: &Desk, arguments: &str) -> Ended {
    let mut command = program(desk, arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    Ended::from(output.await.unwrap())
}

fn desk(server: &MockServer) -> Desk {
    let desk = Desk::new();
    server_in(&desk, server);
    desk.edit_study("ensemble = 2", "ensemble = 2\nmethod = \"glance\"");
    desk
}

fn events(desk: &Desk) -> Vec<serde_json::Value> {
    let log = desk.read(Path::new(".shiftproof/runs/mock-s1-1/events.jsonl"));
    log.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].clone())
        .collect()
}

#[track_caller]
fn says(text: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(text.contains(piece), "{piece:?} is not in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_method_plans_and_reports() {
    let server = MockServer::start(model).await;
    let desk = desk(&server);
    // Where nobody has registered it, there is none.
    let unknown = desk.run(&["estimate"]).await;
    unknown.expect(
        2,
        &["search.method is \"glance\"; there is ape, ape-ut, gpo, gpo-paper, edits, protegi, gepa, group-reflective, opro, evoprompt-ga, evoprompt-de, capo, mipro, library"],
    );
    let estimate = run(&desk, "estimate").await;
    estimate.expect(0, &[]);
    says(
        &estimate.out,
        &["a few prompts at first glance", "races, the final included"],
    );
    let unknown = run(&desk, "estimate study.toml --method glanse").await;
    says(
        &unknown.err,
        &[
            "--method is \"glanse\"; there is ape, ape-ut, gpo, gpo-paper, edits, protegi, gepa, group-reflective, opro, evoprompt-ga, evoprompt-de, capo, mipro, library, glance; did you mean \"glance\"?",
        ],
    );

    let ended = run(&desk, "optimize --quiet -o a.md").await;
    ended.expect(0, &[]);
    let events = events(&desk);
    let of = |kind: &str| -> Vec<&serde_json::Value> {
        events
            .iter()
            .filter(|event| event["type"] == kind)
            .collect()
    };
    assert_eq!(of("started")[0]["method"], "glance");
    let phases: Vec<&str> = of("phase")
        .iter()
        .map(|event| event["phase"].as_str().unwrap())
        .collect();
    assert_eq!(phases, ["propose", "screen", "refine", "final", "audit"]);
    // It asked for three times as many.
    let induced = of("proposals")
        .into_iter()
        .find(|event| event["model"] == true)
        .unwrap();
    assert_eq!(induced["asked"], TEXTS);
    says(&desk.read("a.md"), &["glance"]);
    // A stored run needs no method to be looked at.
    let shown = desk.run(&["runs", "show", "mock-s1-1"]).await;
    shown.expect(0, &[]);
    let lines = desk.run(&["replay", "mock-s1-1"]).await;
    lines.expect(0, &[]);
    says(&lines.out, &["a look at", "the best has"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn own_method_keeps_budget() {
    let server = MockServer::start(model).await;
    let desk = desk(&server);
    let limit = 130;
    let estimate = run(&desk, &format!("estimate --max-calls {limit}")).await;
    estimate.expect(0, &[]);
    let ended = run(&desk, &format!("optimize --quiet --max-calls {limit}")).await;
    ended.expect(0, &[]);
    let finished = events(&desk).pop().unwrap();
    let calls = finished["spent"]["calls"].as_u64().unwrap();
    assert!((60..=limit).contains(&calls), "{calls}");
    // The method's own checks are the study's.
    desk.edit_study("evaluations = 240", "evaluations = 19");
    let refused = run(&desk, "estimate").await;
    says(
        &refused.err,
        &["study.toml:26: search.evaluations must be at least 20 for glance"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn own_method_resumes_after_kills() {
    let server = MockServer::start(|seen| model(seen).after(Duration::from_millis(25))).await;
    let calm = desk(&server);
    run(&calm, "optimize --quiet").await.expect(0, &[]);
    let killed = desk(&server);
    let log = killed.path(".shiftproof/runs/mock-s1-1/events.jsonl");
    let mut kills = 0;
    for wait in [300, 500, 700] {
        let resume = if log.exists() { " --resume" } else { "" };
        let mut child = program(&killed, &format!("optimize --quiet{resume}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 0, "the run was over before it was killed");
    let resume = if log.exists() { " --resume" } else { "" };
    run(&killed, &format!("optimize --quiet{resume}"))
        .await
        .expect(0, &[]);
    // What the kills cost is told, and nothing else differs.
    let but_losses = |desk: &Desk| {
        let mut events = events(desk);
        for event in &mut events {
            event["unanswered"].take();
        }
        events
    };
    assert_eq!(but_losses(&killed), but_losses(&calm));
}

#[tokio::test(flavor = "multi_thread")]
async fn own_method_is_on_screen() {
    if no_tmux() {
        return;
    }
    let server = MockServer::start(|seen| model(seen).after(Duration::from_millis(40))).await;
    let desk = desk(&server);
    let terminal = Terminal::new(&desk, 100, 40);
    terminal.run(&format!(
        "{ARGUMENTS}=optimize {} --ignored --exact --nocapture methods::program_with_glance",
        std::env::current_exe().unwrap().display()
    ));
    terminal.wait_for("1 Overview");
    // Its own words for what it is about to do.
    terminal.wait_for("the best has");
}
