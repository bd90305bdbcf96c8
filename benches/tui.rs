//! A run of a million evaluations on the screen: the memory a replay takes, and
//! how long the slowest frame of every view takes.
//!
//! A log of 1,000 candidates on 1,000 examples is written, read back and folded
//! as `replay` does; then every view is drawn at 200×60. Fails where memory or a
//! frame is over its bound.
//! Run with `cargo bench --bench tui`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use shiftproof::runs::tail::LogPlayer;
use shiftproof::tui::state::ScreenState;
use shiftproof::tui::theme::{ColorDepth, ColorTheme};
use shiftproof::tui::ui::{ScreenUi, ScreenView, SourceKind};
use shiftproof::tui::views;
use shiftproof_search::budget::BudgetLimits;
use shiftproof_search::event::{
    AnswerVerdict, CandidateProposed, Event, GroupInfo, GroupOutcome, GroupRole, Origin, Phase,
    RunStarted, ShownInput,
};
use shiftproof_search::event_log::{self, LogLine};
use shiftproof_tasks::Prompt;

const CANDIDATES: usize = 1_000;
const EXAMPLES: usize = 1_000;
const GROUPS: usize = 8;
/// Answers that are free text: all different, as in a task without labels.
const FREE_TEXT_EVERY: usize = 10;
const MEMORY: f64 = 300.0;
const FRAME: Duration = Duration::from_millis(100);

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    write(&path);
    let megabytes = path.metadata().unwrap().len() as f64 / 1e6;
    println!(
        "{} evaluations, log of {megabytes:.1} MB ({:.1} bytes an evaluation)",
        CANDIDATES * EXAMPLES,
        megabytes * 1e6 / (CANDIDATES * EXAMPLES) as f64
    );

    let began = Instant::now();
    let mut player = LogPlayer::new(event_log::read(&path).unwrap(), 1.0);
    let read = began.elapsed();
    let began = Instant::now();
    let mut state = ScreenState::default();
    let (_, total) = player.place();
    for line in player.seek(total) {
        state.apply(&line.event, false);
    }
    let folded = began.elapsed();
    println!("read in {read:.2?}, folded in {folded:.2?}");

    let mut worst = Duration::ZERO;
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).unwrap();
    for view in ScreenView::ALL {
        let mut ui = ScreenUi::new(
            SourceKind::Replay,
            "million",
            ColorTheme::new(ColorDepth::Many),
        );
        ui.view = view;
        let mut slowest = Duration::ZERO;
        for frame in 0..20 {
            ui.row = frame * 47;
            ui.candidate = Some(state.order[frame * 49]);
            let began = Instant::now();
            terminal
                .draw(|frame| views::draw(&state, &ui, frame))
                .unwrap();
            slowest = slowest.max(began.elapsed());
        }
        println!(
            "{:<14}slowest of 20 frames {slowest:>9.2?}",
            format!("{view:?}")
        );
        worst = worst.max(slowest);
    }
    println!(
        "slowest frame {:.3} of the 100 ms that ten frames a second leave",
        worst.as_secs_f64() / FRAME.as_secs_f64()
    );
    assert!(worst < FRAME, "a frame took {worst:?}");
    if let Some(peak) = peak_megabytes() {
        println!(
            "peak memory {peak:.0} MB, {:.3} of {MEMORY} MB",
            peak / MEMORY
        );
        assert!(peak < MEMORY, "{peak} MB");
    }
}

/// The log, line by line, so that writing it takes no memory.
fn write(path: &Path) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    let mut seq = 0;
    let mut tell = |event: Event| {
        let line = LogLine {
            seq,
            at_ms: seq * 100,
            event,
        };
        serde_json::to_writer(&mut out, &line).unwrap();
        out.write_all(b"\n").unwrap();
        seq += 1;
    };
    let groups: Vec<GroupInfo> = (0..GROUPS)
        .map(|group| GroupInfo {
            name: format!("group {group}"),
            role: if group == 0 {
                GroupRole::Source
            } else {
                GroupRole::Target
            },
            train: 60,
            validation: EXAMPLES / GROUPS,
            labelled: 0,
            unlabelled: 0,
            audit: 0,
        })
        .collect();
    tell(Event::Started(RunStarted {
        study: "million".into(),
        task: "classify".into(),
        metric: "accuracy".into(),
        method: "gpo".into(),
        objective: "robust".into(),
        task_model: "none".into(),
        proposer_model: "none".into(),
        seed: 1,
        limits: BudgetLimits::default(),
        groups: groups.clone(),
        version: "0".into(),
    }));
    let inputs = (0..EXAMPLES).map(|n| ShownInput {
        id: format!("example {n}"),
        group: groups[n % GROUPS].name.clone(),
        text: format!("{n} {}", "some words of a text that goes on ".repeat(6)),
        label: (n % GROUPS == 0).then(|| "positive".into()),
    });
    tell(Event::Inputs {
        inputs: inputs.collect(),
    });
    for n in 0..CANDIDATES {
        for event in candidate(n, &groups) {
            tell(event);
        }
    }
    out.flush().unwrap();
}

fn prompt(n: usize) -> Prompt {
    Prompt::new(format!(
        "Variant {n}: decide whether the text is positive or negative and answer in one word, \
         whatever the text is about and whoever wrote it."
    ))
}

/// What is told of one candidate.
fn candidate(n: usize, groups: &[GroupInfo]) -> Vec<Event> {
    let mut events = Vec::new();
    let id = prompt(n).id();
    events.push(Event::Proposed(CandidateProposed {
        candidate: id,
        prompt: prompt(n),
        origin: if n == 0 { Origin::Seed } else { Origin::Edit },
        parents: if n == 0 {
            vec![]
        } else {
            vec![prompt(n / 2).id()]
        },
    }));
    let mut texts = vec!["positive".to_owned(), "negative".to_owned()];
    let answers = (0..EXAMPLES).map(|example| {
        let free = (n * EXAMPLES + example).is_multiple_of(FREE_TEXT_EVERY);
        let text = if free {
            texts.push(format!("an answer of candidate {n} to example {example}"));
            texts.len() - 1
        } else {
            (n + example) % 2
        };
        let right = f64::from(u8::from((n * 7 + example * 3) % 5 > 1));
        (example as u32, text as u32, AnswerVerdict::Graded(right)).into()
    });
    let answers = answers.collect();
    events.push(Event::Answered {
        candidate: id,
        phase: Phase::Screen,
        texts,
        answers,
    });
    let value = 0.5 + (n % 97) as f64 / 250.0;
    let scores: Vec<GroupOutcome> = groups
        .iter()
        .map(|group| GroupOutcome {
            group: group.name.clone(),
            role: group.role,
            voted: false,
            value: Some(value),
            low: Some(value - 0.1),
            high: Some(value + 0.1),
            n: EXAMPLES / GROUPS,
            unparseable: 0,
            truncated: 0,
            failed: 0,
        })
        .collect();
    events.push(Event::Leading {
        candidate: id,
        phase: Phase::Screen,
        calls: ((n + 1) * EXAMPLES) as u64,
        score: value,
        groups: scores.clone(),
    });
    events.push(Event::Evaluated {
        candidate: id,
        phase: Phase::Screen,
        score: value,
        groups: scores,
    });
    events.push(Event::Decided {
        candidate: id,
        kept: n.is_multiple_of(3),
        reason: format!("rank {n} of {CANDIDATES} on {EXAMPLES} examples"),
    });
    events
}

/// The most memory this process ever had, where the system tells.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}
