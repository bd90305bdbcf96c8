//! Keys, and what comes of them.

use std::sync::mpsc::channel;
use std::time::Duration;

use shiftproof_search::control::RunControl;
use shiftproof_search::event_log::LogLine;

use super::super::keys::KeyAction;
use super::super::source::{EventSource, LiveRun, ReplayedRun, WatchedRun};
use super::super::state::ScreenState;
use super::super::theme::{ColorDepth, ColorTheme};
use super::super::ui::{KeyEffect, ScreenUi, ScreenView, SourceKind};
use super::super::{ScreenMessage, export};
use super::recorded;
use crate::runs::tail::LogPlayer;

fn ui(kind: SourceKind) -> ScreenUi {
    ScreenUi::new(kind, "run", ColorTheme::new(ColorDepth::None))
}

fn whole() -> ScreenState {
    ScreenState::of(&recorded::whole())
}

#[test]
fn stopping_is_asked_first() {
    let (state, mut ui) = (ScreenState::default(), ui(SourceKind::Run));
    assert_eq!(ui.update(KeyAction::Stop, &state), None);
    assert!(ui.asked_to_stop);
    assert_eq!(ui.update(KeyAction::Back, &state), None);
    assert!(!ui.asked_to_stop && !ui.stopping);
    ui.update(KeyAction::Stop, &state);
    // A key that answers nothing is a no, and does nothing else.
    assert_eq!(ui.update(KeyAction::View(3), &state), None);
    assert_eq!((ui.asked_to_stop, ui.view), (false, ScreenView::Overview));
    ui.update(KeyAction::Stop, &state);
    assert_eq!(ui.update(KeyAction::Yes, &state), Some(KeyEffect::Stop));
    assert_eq!(ui.update(KeyAction::Stop, &state), None);
    assert_eq!(
        ui.update(KeyAction::Interrupt, &state),
        Some(KeyEffect::Interrupt)
    );
    ui.done = true;
    assert_eq!(ui.update(KeyAction::Stop, &state), Some(KeyEffect::Leave));
    assert_eq!(ui.update(KeyAction::Pause, &state), None);
}

#[test]
fn failures_open_and_close_with_one_key() {
    let (state, mut ui) = (whole(), ui(SourceKind::Watch));
    for from in [ScreenView::Overview, ScreenView::Matrix] {
        ui.view = from;
        for back in [KeyAction::Failures, KeyAction::Back] {
            ui.update(KeyAction::Failures, &state);
            assert_eq!(ui.view, ScreenView::Failures);
            ui.update(KeyAction::Help, &state);
            assert_eq!(ui.view, ScreenView::Help);
            ui.update(KeyAction::Failures, &state);
            assert_eq!(ui.view, ScreenView::Failures);
            ui.update(back, &state);
            assert_eq!(ui.view, from);
        }
    }
}

#[test]
fn watcher_leaves_without_pausing() {
    let (state, mut ui) = (ScreenState::default(), ui(SourceKind::Watch));
    assert_eq!(ui.update(KeyAction::Pause, &state), None);
    assert!(ui.message.as_ref().unwrap().contains("another process"));
    assert_eq!(
        ui.update(KeyAction::Interrupt, &state),
        Some(KeyEffect::Leave)
    );
    assert_eq!(ui.update(KeyAction::Stop, &state), Some(KeyEffect::Leave));
    assert_eq!(ui.update(KeyAction::Step(1), &state), None);
}

#[test]
fn views_cycle_and_help_returns() {
    let (state, mut ui) = (ScreenState::default(), ui(SourceKind::Run));
    for view in ScreenView::ALL
        .iter()
        .skip(1)
        .chain([&ScreenView::Overview])
    {
        ui.update(KeyAction::NextView, &state);
        assert_eq!(ui.view, *view);
    }
    ui.update(KeyAction::PreviousView, &state);
    assert_eq!(ui.view, ScreenView::Help);
    ui.update(KeyAction::View(2), &state);
    ui.update(KeyAction::Help, &state);
    assert_eq!(ui.view, ScreenView::Help);
    ui.update(KeyAction::Back, &state);
    assert_eq!(ui.view, ScreenView::Matrix);
}

#[test]
fn cursor_stays_in_list() {
    let (state, mut ui) = (whole(), ui(SourceKind::Run));
    for view in [
        ScreenView::Candidates,
        ScreenView::Matrix,
        ScreenView::Lineage,
    ] {
        ui.view = view;
        ui.candidate = None;
        let mut seen = std::collections::BTreeSet::new();
        ui.update(KeyAction::First, &state);
        for _ in 0..state.order.len() {
            seen.insert(ui.selected(&state));
            ui.update(KeyAction::Rows(1), &state);
        }
        assert_eq!(seen.len(), state.order.len(), "{view:?}");
        let last = ui.selected(&state);
        ui.update(KeyAction::Pages(1), &state);
        assert_eq!(ui.selected(&state), last);
        ui.update(KeyAction::Rows(-1), &state);
        assert_ne!(ui.selected(&state), last);
    }
    for view in [
        ScreenView::Examples,
        ScreenView::Votes,
        ScreenView::Calls,
        ScreenView::Overview,
    ] {
        ui.view = view;
        ui.update(KeyAction::Last, &state);
        ui.update(KeyAction::Rows(1), &state);
        ui.update(KeyAction::First, &state);
        assert_eq!(ui.row, 0);
    }
}

#[test]
fn examples_filter_by_group() {
    use super::super::views::examples::listed;
    let (state, mut ui) = (whole(), ui(SourceKind::Run));
    ui.view = ScreenView::Examples;
    assert_eq!(listed(&state, &ui).len(), 4);
    ui.update(KeyAction::Filter, &state);
    assert_eq!(listed(&state, &ui).len(), 1);
    ui.update(KeyAction::Filter, &state);
    ui.update(KeyAction::Sideways(1), &state);
    assert_eq!(listed(&state, &ui).len(), 3);
    ui.update(KeyAction::Sideways(1), &state);
    assert_eq!(listed(&state, &ui).len(), 1);
}

#[test]
fn candidates_are_sorted_and_filtered() {
    use super::super::views::candidates::listed;
    let (state, mut ui) = (whole(), ui(SourceKind::Run));
    let by_score = listed(&state, &ui);
    assert_eq!(state.order[by_score[0]], recorded::edit());
    ui.update(KeyAction::Reverse, &state);
    let mut backward = listed(&state, &ui);
    backward.reverse();
    assert_eq!(backward, by_score);
    ui.update(KeyAction::Filter, &state);
    assert_eq!(listed(&state, &ui).len(), by_score.len() - 1);
}

#[test]
fn control_pauses_and_stops_run() {
    let (sender, receiver) = channel();
    let control = RunControl::new();
    let mut source = LiveRun {
        receiver,
        control: control.clone(),
    };
    let (mut state, mut ui) = (ScreenState::new(9), ui(SourceKind::Run));
    for event in recorded::first_half() {
        sender
            .send(ScreenMessage::Event(Box::new(event), false))
            .unwrap();
    }
    assert!(source.poll(&mut state, &mut ui, Duration::ZERO).unwrap());
    assert_eq!(state.events as usize, recorded::first_half().len());
    assert!(!source.poll(&mut state, &mut ui, Duration::ZERO).unwrap());
    source.effect(KeyEffect::TogglePause, &mut state, &mut ui);
    assert!(control.is_paused());
    assert!(source.poll(&mut state, &mut ui, Duration::ZERO).unwrap() && ui.paused);
    source.effect(KeyEffect::TogglePause, &mut state, &mut ui);
    assert!(!control.is_paused());
    source.effect(KeyEffect::Stop, &mut state, &mut ui);
    assert!(control.is_stopped());
    drop(sender);
    assert!(source.poll(&mut state, &mut ui, Duration::ZERO).unwrap());
    assert!(
        ui.done && source.is_left(&ui),
        "a stopped run gives the terminal back"
    );
    (ui.stopping, ui.touched) = (false, true);
    assert!(
        !source.is_left(&ui),
        "who looks around decides when to leave"
    );
}

#[test]
fn replay_reaches_run_state() {
    let lines: Vec<LogLine> = recorded::whole()
        .into_iter()
        .enumerate()
        .map(|(seq, event)| LogLine {
            seq: seq as u64,
            at_ms: 1000 * seq as u64,
            event,
        })
        .collect();
    let total = lines.len();
    let (mut state, mut ui) = (ScreenState::default(), ui(SourceKind::Replay));
    let mut source = ReplayedRun::new(LogPlayer::new(lines, 1.0));
    source
        .poll(&mut state, &mut ui, Duration::from_millis(10_500))
        .unwrap();
    assert_eq!(state.events, 11);
    source.effect(KeyEffect::Step(-3), &mut state, &mut ui);
    assert!(ui.paused);
    assert_eq!(state.events, 8);
    source.effect(KeyEffect::Phases(-1), &mut state, &mut ui);
    assert_eq!(state.events, 4);
    for _ in 0..9 {
        source.effect(KeyEffect::Phases(1), &mut state, &mut ui);
    }
    assert_eq!(state.events as usize, total);
    let summary = |state: &ScreenState| serde_json::to_string(&state.summary).unwrap();
    assert_eq!(summary(&state), summary(&whole()));
    source.effect(KeyEffect::Speed(2.0), &mut state, &mut ui);
    assert_eq!(ui.playback.unwrap().speed, 2.0);
}

#[test]
fn watcher_reads_folder_alone() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let (mut state, mut ui) = (ScreenState::default(), ui(SourceKind::Watch));
    let mut source = WatchedRun::new(folder.path());
    source.poll(&mut state, &mut ui, Duration::ZERO).unwrap();
    assert_eq!(ui.process.as_deref(), Some("not running"));
    let live = crate::runs::heartbeat::LiveFile::create(folder.path(), 77).unwrap();
    let mut log = std::fs::File::create(folder.path().join("events.jsonl")).unwrap();
    for (seq, event) in recorded::whole().into_iter().enumerate() {
        let line = LogLine {
            seq: seq as u64,
            at_ms: 0,
            event,
        };
        serde_json::to_writer(&log, &line).unwrap();
        log.write_all(b"\n").unwrap();
    }
    source
        .poll(&mut state, &mut ui, Duration::from_secs(1))
        .unwrap();
    assert_eq!(state.planned, 77);
    assert!(ui.process.as_ref().unwrap().starts_with("process "));
    assert!(state.is_over());
    drop(live);
    source
        .poll(&mut state, &mut ui, Duration::from_secs(2))
        .unwrap();
    assert_eq!(ui.process.as_deref(), Some("ended"));
}

#[test]
fn prompt_file_has_own_name() {
    let (state, mut ui) = (whole(), ui(SourceKind::Run));
    let Some(KeyEffect::Export(id)) = ui.update(KeyAction::Export, &state) else {
        panic!("e exports");
    };
    assert_eq!(id, recorded::edit());
    let folder = tempfile::tempdir().unwrap();
    let prompt = &state.summary.candidates[&id].prompt;
    let path = export(prompt, folder.path()).unwrap();
    assert!(path.is_absolute());
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, format!("{}\n", prompt.instruction));
    assert_eq!(export(prompt, folder.path()).unwrap(), path);
}
