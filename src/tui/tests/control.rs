//! Keys, and what comes of them.

use std::sync::mpsc::channel;
use std::time::Duration;

use shiftproof_search::control::RunControl;
use shiftproof_search::log::LogLine;

use super::super::keys::Action;
use super::super::source::{Replayed, Running, Source, Watched};
use super::super::state::State;
use super::super::theme::{Depth, Theme};
use super::super::ui::{Effect, Kind, Ui, View};
use super::super::{Message, export};
use super::recorded;
use crate::follow::Player;

fn ui(kind: Kind) -> Ui {
    Ui::new(kind, "run", Theme::new(Depth::None))
}

fn whole() -> State {
    State::of(&recorded::whole())
}

#[test]
fn stopping_is_asked_first() {
    let (state, mut ui) = (State::default(), ui(Kind::Run));
    assert_eq!(ui.update(Action::Stop, &state), None);
    assert!(ui.asked_to_stop);
    assert_eq!(ui.update(Action::Back, &state), None);
    assert!(!ui.asked_to_stop && !ui.stopping);
    ui.update(Action::Stop, &state);
    // A key that answers nothing is a no, and does nothing else.
    assert_eq!(ui.update(Action::View(3), &state), None);
    assert_eq!((ui.asked_to_stop, ui.view), (false, View::Overview));
    ui.update(Action::Stop, &state);
    assert_eq!(ui.update(Action::Yes, &state), Some(Effect::Stop));
    assert_eq!(ui.update(Action::Stop, &state), None);
    assert_eq!(
        ui.update(Action::Interrupt, &state),
        Some(Effect::Interrupt)
    );
    ui.done = true;
    assert_eq!(ui.update(Action::Stop, &state), Some(Effect::Leave));
    assert_eq!(ui.update(Action::Pause, &state), None);
}

#[test]
fn a_watcher_leaves_and_cannot_pause() {
    let (state, mut ui) = (State::default(), ui(Kind::Watch));
    assert_eq!(ui.update(Action::Pause, &state), None);
    assert!(ui.message.as_ref().unwrap().contains("another process"));
    assert_eq!(ui.update(Action::Interrupt, &state), Some(Effect::Leave));
    assert_eq!(ui.update(Action::Stop, &state), Some(Effect::Leave));
    assert_eq!(ui.update(Action::Step(1), &state), None);
}

#[test]
fn views_turn_in_a_circle_and_help_goes_back() {
    let (state, mut ui) = (State::default(), ui(Kind::Run));
    for view in View::ALL.iter().skip(1).chain([&View::Overview]) {
        ui.update(Action::NextView, &state);
        assert_eq!(ui.view, *view);
    }
    ui.update(Action::PreviousView, &state);
    assert_eq!(ui.view, View::Help);
    ui.update(Action::View(2), &state);
    ui.update(Action::Help, &state);
    assert_eq!(ui.view, View::Help);
    ui.update(Action::Back, &state);
    assert_eq!(ui.view, View::Matrix);
}

#[test]
fn the_cursor_goes_through_the_list_and_stays_in_it() {
    let (state, mut ui) = (whole(), ui(Kind::Run));
    for view in [View::Candidates, View::Matrix, View::Lineage] {
        ui.view = view;
        ui.candidate = None;
        let mut seen = std::collections::BTreeSet::new();
        ui.update(Action::First, &state);
        for _ in 0..state.order.len() {
            seen.insert(ui.selected(&state));
            ui.update(Action::Rows(1), &state);
        }
        assert_eq!(seen.len(), state.order.len(), "{view:?}");
        let last = ui.selected(&state);
        ui.update(Action::Pages(1), &state);
        assert_eq!(ui.selected(&state), last);
        ui.update(Action::Rows(-1), &state);
        assert_ne!(ui.selected(&state), last);
    }
    for view in [View::Examples, View::Votes, View::Calls, View::Overview] {
        ui.view = view;
        ui.update(Action::Last, &state);
        ui.update(Action::Rows(1), &state);
        ui.update(Action::First, &state);
        assert_eq!(ui.row, 0);
    }
}

#[test]
fn examples_are_filtered_by_group_and_failure() {
    use super::super::views::examples::listed;
    let (state, mut ui) = (whole(), ui(Kind::Run));
    ui.view = View::Examples;
    assert_eq!(listed(&state, &ui).len(), 4);
    ui.update(Action::Filter, &state);
    assert_eq!(listed(&state, &ui).len(), 1);
    ui.update(Action::Filter, &state);
    ui.update(Action::Sideways(1), &state);
    assert_eq!(listed(&state, &ui).len(), 3);
    ui.update(Action::Sideways(1), &state);
    assert_eq!(listed(&state, &ui).len(), 1);
}

#[test]
fn candidates_are_sorted_and_filtered() {
    use super::super::views::candidates::listed;
    let (state, mut ui) = (whole(), ui(Kind::Run));
    let by_score = listed(&state, &ui);
    assert_eq!(state.order[by_score[0]], recorded::edit());
    ui.update(Action::Reverse, &state);
    let mut backward = listed(&state, &ui);
    backward.reverse();
    assert_eq!(backward, by_score);
    ui.update(Action::Filter, &state);
    assert_eq!(listed(&state, &ui).len(), by_score.len() - 1);
}

#[test]
fn a_run_is_paused_resumed_and_stopped_by_its_control() {
    let (sender, receiver) = channel();
    let control = RunControl::new();
    let mut source = Running {
        receiver,
        control: control.clone(),
    };
    let (mut state, mut ui) = (State::new(9), ui(Kind::Run));
    for event in recorded::first_half() {
        sender.send(Message::Event(Box::new(event), false)).unwrap();
    }
    assert!(source.poll(&mut state, &mut ui, Duration::ZERO).unwrap());
    assert_eq!(state.events as usize, recorded::first_half().len());
    assert!(!source.poll(&mut state, &mut ui, Duration::ZERO).unwrap());
    source.effect(Effect::TogglePause, &mut state, &mut ui);
    assert!(control.is_paused());
    assert!(source.poll(&mut state, &mut ui, Duration::ZERO).unwrap() && ui.paused);
    source.effect(Effect::TogglePause, &mut state, &mut ui);
    assert!(!control.is_paused());
    source.effect(Effect::Stop, &mut state, &mut ui);
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
fn a_replay_comes_to_the_state_of_the_run_however_it_is_wound() {
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
    let (mut state, mut ui) = (State::default(), ui(Kind::Replay));
    let mut source = Replayed::new(Player::new(lines, 1.0));
    source
        .poll(&mut state, &mut ui, Duration::from_millis(10_500))
        .unwrap();
    assert_eq!(state.events, 11);
    source.effect(Effect::Step(-3), &mut state, &mut ui);
    assert!(ui.paused);
    assert_eq!(state.events, 8);
    source.effect(Effect::Phases(-1), &mut state, &mut ui);
    assert_eq!(state.events, 4);
    for _ in 0..9 {
        source.effect(Effect::Phases(1), &mut state, &mut ui);
    }
    assert_eq!(state.events as usize, total);
    let summary = |state: &State| serde_json::to_string(&state.summary).unwrap();
    assert_eq!(summary(&state), summary(&whole()));
    source.effect(Effect::Speed(2.0), &mut state, &mut ui);
    assert_eq!(ui.playback.unwrap().speed, 2.0);
}

#[test]
fn a_watcher_reads_the_folder_alone() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let (mut state, mut ui) = (State::default(), ui(Kind::Watch));
    let mut source = Watched::new(folder.path());
    source.poll(&mut state, &mut ui, Duration::ZERO).unwrap();
    assert_eq!(ui.process.as_deref(), Some("not running"));
    let live = crate::live::LiveFile::create(folder.path(), 77).unwrap();
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
fn a_prompt_is_written_under_its_own_name() {
    let (state, mut ui) = (whole(), ui(Kind::Run));
    let Some(Effect::Export(id)) = ui.update(Action::Export, &state) else {
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
