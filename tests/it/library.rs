//! The program as a dependency: `Optimization` as the page on it and its examples use it.

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use shiftproof::exit::ExitStatus;
use shiftproof::search::event::{Event, GroupRole, Phase};
use shiftproof::search::gateway::RunError;
use shiftproof::tasks::{
    AnswerForm, Example, GradedTask, Input, JudgeGrader, JudgeScale, Label, Prompt, Reply,
};
use shiftproof::{
    BudgetLimits, Capabilities, GroupsSpec, LeakPolicy, Llm, LlmError, ModelCall, ModelChoice,
    Optimization, OptimizationBuilder, OptimizationError, Price, ReportFormat, RunControl, Task,
    VerdictTone, async_trait,
};

use crate::support::program::Desk;

#[allow(dead_code)]
#[path = "../../examples/library_classifier.rs"]
mod classifier;
#[allow(dead_code)]
#[path = "../../examples/library_recommender.rs"]
mod recommender;

#[test]
fn classifier_example_holds_on_chats() {
    let result = classifier::run().unwrap();
    assert!(result.is_better(), "{:?}", result.verdict);
    let rules = &result.selected.instruction;
    assert!(
        rules.contains("my money") && rules.contains("being locked out"),
        "{rules}"
    );
    let [email, chat] = &result.groups[..] else {
        panic!("{:?}", result.groups)
    };
    assert_eq!(
        (email.role, chat.role),
        (GroupRole::Source, GroupRole::Target)
    );
    let gain = chat.difference.as_ref().unwrap();
    assert!(
        gain.low > 0.2 && gain.low <= gain.value && gain.value <= gain.high,
        "{gain:?}"
    );
    assert!(!chat.is_regressed() && result.unverified().is_empty());
    assert_eq!(chat.selected.as_ref().unwrap().n, 90);
    // Two models with prices of their own, within the limit on calls.
    assert!(
        result.spent.calls <= 3000 && result.spent.calls == result.sent,
        "{:?}",
        result.spent
    );
    let best = result.candidates.first().unwrap();
    assert!(best.score.is_some() && result.candidates.iter().any(|c| c.prompt == result.seed));
    let json = result.report(ReportFormat::Json).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["selected"], result.selected.id().to_string());
    assert!(
        result
            .report(ReportFormat::Text)
            .unwrap()
            .contains("better on the worst target")
    );
}

#[test]
fn recommender_example_goes_by_genre() {
    let observer = recommender::PhaseCounter::default();
    let result = recommender::run(observer.clone()).unwrap();
    assert_eq!(
        result.verdict.tone,
        VerdictTone::Better,
        "{:?}",
        result.verdict
    );
    assert!(
        result
            .selected
            .instruction
            .contains("the genre of the latest track")
    );
    let counts = observer.counts();
    assert!(
        counts[&Phase::Final] > 0 && counts[&Phase::Audit] >= 200,
        "{counts:?}"
    );
    // Its model has no price: nothing is said of money.
    assert_eq!(result.spent.unpriced, result.spent.calls);
}

struct Mood;

impl Task for Mood {
    fn name(&self) -> &'static str {
        "mood"
    }

    fn seed(&self) -> Prompt {
        Prompt::new("Say happy or sad.")
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        AnswerForm::choice(["happy", "sad"])
    }
}

/// Right about even numbers alone, unless the instruction says "number"; counts.
struct Counting(Arc<AtomicUsize>);

#[async_trait]
impl Llm for Counting {
    fn identity(&self) -> &'static str {
        "counting"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: 1,
            concurrency: 4,
            ..Capabilities::default()
        }
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        self.0.fetch_add(1, SeqCst);
        let asked = &call.request.messages.last().unwrap().content;
        if call.request.answer.labels().is_none() {
            let prompt = "Say happy where the number of the text is even, else sad: one word.";
            return Ok(Reply::text(format!("<prompt>{prompt}</prompt>")));
        }
        let number: usize = asked.rsplit(' ').next().unwrap().parse().unwrap();
        let even = number.is_multiple_of(2) || !asked.contains("number of the text");
        Ok(Reply::text(if even { "happy" } else { "sad" }))
    }
}

fn example(n: usize, group: &str) -> Example {
    let label = ["happy", "sad"][n % 2];
    Input::new(format!("{group}{n}"), group)
        .with_field("text", format!("{group} with {n}"))
        .with_label(Label::Class(label.into()))
}

fn search(calls: &Arc<AtomicUsize>) -> OptimizationBuilder {
    Optimization::builder()
        .name("moods")
        .task(Mood)
        .examples((0..80).map(|n| example(n, "novels")))
        .examples((0..60).map(|n| example(n, "letters")))
        .groups(GroupsSpec {
            source: vec!["novels".into()],
            target: vec!["letters".into()],
            train: Some(20),
            validation: Some(30),
            unlabelled: Some(20),
            audit: Some(30),
            ..GroupsSpec::default()
        })
        .model(ModelChoice::llm(Counting(calls.clone())))
}

#[tokio::test]
async fn stored_replies_are_not_paid_again() {
    let desk = Desk::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let first = search(&calls)
        .store(desk.path("store"))
        .run()
        .await
        .unwrap();
    let paid = calls.load(SeqCst);
    assert!(
        first.is_better() && first.run == "moods-s1-1",
        "{:?}",
        first.verdict
    );
    assert_eq!(first.sent, paid as u64);
    let again = search(&calls)
        .store(desk.path("store"))
        .run()
        .await
        .unwrap();
    assert_eq!((calls.load(SeqCst), again.sent), (paid, 0));
    assert_eq!(
        (again.selected, again.spent),
        (first.selected.clone(), first.spent)
    );
    // The program reads what the library wrote.
    let ended = desk
        .run(&["report", "moods-s1-1", "--store", "store"])
        .await;
    ended.expect(0, &[]);
    assert_eq!(ended.out, first.report(ReportFormat::Text).unwrap());
    let ended = desk.run(&["runs", "--store", "store", "--json"]).await;
    assert!(ended.out.contains("moods-s1-2"), "{ended:?}");
    // Each run's opening of the audit is counted.
    let openings = std::fs::read_to_string(desk.path("store/gate.jsonl")).unwrap();
    assert_eq!(
        openings
            .lines()
            .filter(|line| line.contains("library"))
            .count(),
        2
    );
}

#[tokio::test]
async fn stopped_runs_go_on_where_they_were() {
    let desk = Desk::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let whole = search(&calls).in_memory().run().await.unwrap();
    let control = RunControl::new();
    let stopping = control.clone();
    let stopped = search(&calls)
        .store(desk.path("store"))
        .control(control)
        .on_event(move |event| {
            if matches!(
                event,
                Event::Phase {
                    phase: Phase::Screen,
                    ..
                }
            ) {
                stopping.stop();
            }
        });
    let error = stopped.run().await.unwrap_err();
    let OptimizationError::Stopped {
        run,
        stop: RunError::Interrupted,
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!(run, "moods-s1-1");
    assert_eq!(error.exit_status(), ExitStatus::Interrupted);
    assert!(error.source().is_some());
    // The program has no such data, and says who does.
    let ended = desk
        .run(&["optimize", "--resume", "moods-s1-1", "--store", "store"])
        .await;
    ended.expect(2, &["in the memory of a program"]);
    let other = search(&calls)
        .store(desk.path("store"))
        .resume()
        .seed(2)
        .run()
        .await;
    let told = other.unwrap_err().to_string();
    assert!(
        told.contains("moods-s1-1") && told.contains("seed (1 | 2)"),
        "{told}"
    );
    let resumed = search(&calls)
        .store(desk.path("store"))
        .resume()
        .run()
        .await
        .unwrap();
    assert_eq!(resumed.run, "moods-s1-1");
    assert_eq!(
        (resumed.selected, resumed.groups, resumed.spent),
        (whole.selected, whole.groups, whole.spent)
    );
}

#[track_caller]
fn problems(builder: OptimizationBuilder) -> Vec<String> {
    match builder.run_blocking() {
        Err(OptimizationError::Settings { problems }) => problems,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let found = problems(Optimization::builder().name("a b").method("gpoo"));
    for piece in [
        "\"a b\"",
        "no examples",
        "no task",
        "no model",
        ".in_memory()",
        "did you mean \"gpo\"",
    ] {
        assert!(
            found.iter().any(|problem| problem.contains(piece)),
            "{piece}: {found:?}"
        );
    }
    assert_eq!(found.len(), 6);
    let calls = Arc::new(AtomicUsize::new(0));
    let found = problems(search(&calls).in_memory().model("opneai:gpt-4o"));
    assert!(found[0].contains("did you mean \"openai\""), "{found:?}");
    let usd = BudgetLimits {
        usd: Some(1.0),
        ..BudgetLimits::default()
    };
    let found = problems(search(&calls).in_memory().budget(usd));
    assert!(found[0].contains(".priced("), "{found:?}");
    // Nobody is there to ask for a grade: that is known before a call is paid for.
    let judge = JudgeGrader::new("Is it right?", JudgeScale::PassFail, true);
    let graded = GradedTask::new(Arc::new(Mood), Arc::new(judge));
    let found = problems(search(&calls).in_memory().task(graded));
    assert!(found[0].contains("nobody to ask"), "{found:?}");
    let none = BudgetLimits {
        calls: Some(0),
        ..BudgetLimits::default()
    };
    assert!(
        problems(search(&calls).in_memory().budget(none))[0].contains("leaves nothing to spend")
    );
    assert_eq!(calls.load(SeqCst), 0);
}

#[test]
fn unfit_data_are_refused_before_a_call() {
    let calls = Arc::new(AtomicUsize::new(0));
    let refused = |builder: OptimizationBuilder, pieces: &[&str]| {
        let error = builder.in_memory().run_blocking().unwrap_err();
        let refused = [ExitStatus::Usage, ExitStatus::Data].contains(&error.exit_status());
        assert!(refused, "{error:?}");
        for piece in pieces {
            assert!(
                error.to_string().contains(piece),
                "{piece:?} is not in: {error}"
            );
        }
    };
    let unknown = GroupsSpec {
        source: vec!["novel".into()],
        ..GroupsSpec::default()
    };
    refused(
        search(&calls).groups(unknown),
        &["did you mean \"novels\"?"],
    );
    refused(
        search(&calls).examples([example(3, "novels")]),
        &["duplicate-id", "novels3"],
    );
    let odd = Input::new("odd", "novels").with_field("text", "novels with 99");
    let odd = odd.with_label(Label::Class("furious".into()));
    refused(
        search(&calls).examples([odd]),
        &["label-outside-set", "odd"],
    );
    let twin = |n: usize| Example {
        input: Input::new(format!("twin{n}"), "letters")
            .with_field("text", format!("novels with {n}")),
        label: example(n, "novels").label,
    };
    refused(
        search(&calls).examples((0..80).map(twin)),
        &["leak", ".leaks(LeakPolicy::Drop)"],
    );
    assert_eq!(calls.load(SeqCst), 0);
    let dropped = search(&calls)
        .examples((0..80).map(twin))
        .leaks(LeakPolicy::Allow);
    assert!(dropped.in_memory().run_blocking().is_ok());
}

#[tokio::test]
async fn preparing_asks_nothing_and_tells_the_plan() {
    let calls = Arc::new(AtomicUsize::new(0));
    let unlabelled = (0..60).map(|n| example(n, "diaries").input);
    let groups = GroupsSpec {
        source: vec!["novels".into()],
        target: vec!["letters".into(), "diaries".into()],
        train: Some(20),
        validation: Some(30),
        unlabelled: Some(20),
        audit: Some(30),
        ..GroupsSpec::default()
    };
    let ready = search(&calls)
        .inputs(unlabelled)
        .groups(groups)
        .in_memory()
        .prepare()
        .await;
    let ready = ready.unwrap();
    assert!(ready.planned_calls() > 500, "{}", ready.planned_calls());
    let notes = ready.notes().join("\n");
    assert!(
        notes.contains("diaries") && notes.contains("no labelled rows"),
        "{notes}"
    );
    assert_eq!(calls.load(SeqCst), 0);
    let result = ready.run().await.unwrap();
    assert_eq!(result.unverified(), ["diaries"]);
    let diaries = result
        .groups
        .iter()
        .find(|group| group.name == "diaries")
        .unwrap();
    assert!(diaries.selected.is_none() && diaries.difference.is_none());
}

#[tokio::test]
async fn runs_move_between_threads() {
    let calls = Arc::new(AtomicUsize::new(0));
    let model = ModelChoice::llm(Counting(calls.clone())).priced(Price::per_million(1.0, 2.0));
    let run = search(&calls).model(model).in_memory().run();
    let result = tokio::spawn(run).await.unwrap().unwrap();
    assert_eq!(result.spent.unpriced, 0);
}

/// The page shows what the examples do, and names no method that is not there.
#[test]
fn page_names_what_there_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/library.md")).unwrap();
    let builder = std::fs::read_to_string(root.join("src/optimization/builder.rs")).unwrap();
    let table = page.lines().filter(|line| line.starts_with("| `."));
    let named: Vec<&str> = table
        .flat_map(|line| {
            line.split('|')
                .nth(1)
                .unwrap()
                .split('`')
                .skip(1)
                .step_by(2)
        })
        .map(|code| code.trim_start_matches('.').split('(').next().unwrap())
        .collect();
    assert!(named.len() > 15, "{named:?}");
    for name in &named {
        assert!(
            builder.contains(&format!("pub fn {name}("))
                || builder.contains(&format!("pub async fn {name}(")),
            "{name}"
        );
    }
    for line in builder
        .lines()
        .filter(|line| line.starts_with("    pub fn ") || line.starts_with("    pub async fn "))
    {
        let name = line.split("fn ").nth(1).unwrap().split('(').next().unwrap();
        assert!(named.contains(&name), "{name} is not on the page");
    }
}
