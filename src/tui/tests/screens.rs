//! What every view looks like.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use shiftproof_search::event::{Event, GroupRole};

use super::super::state::ScreenState;
use super::super::theme::{ColorDepth, ColorTheme};
use super::super::ui::{PlaybackState, ScreenUi, ScreenView, SourceKind};
use super::super::views;
use super::recorded;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (40, 10)];

fn half() -> ScreenState {
    let mut state = ScreenState::new(5000);
    for event in &recorded::first_half() {
        state.apply(event, false);
    }
    for (at, tick) in &recorded::ticks() {
        state.tick(tick, *at);
    }
    state
}

fn ui(kind: SourceKind) -> ScreenUi {
    ScreenUi::new(kind, "reviews-s1-1", ColorTheme::new(ColorDepth::Many))
}

fn screen(state: &ScreenState, ui: &ScreenUi, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| views::draw(state, ui, frame))
        .unwrap();
    let buffer = terminal.backend().buffer();
    let rows = buffer.content().chunks(usize::from(width));
    let rows = rows.map(|row| {
        let text: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

fn check(name: &str, state: &ScreenState, ui: &ScreenUi) {
    for size in SIZES {
        let name = format!("{name}_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, screen(state, ui, size));
    }
}

#[test]
fn running_run_shows_views() {
    let (state, mut ui) = (half(), ui(SourceKind::Run));
    for view in [
        ScreenView::Overview,
        ScreenView::Calls,
        ScreenView::Votes,
        ScreenView::Help,
    ] {
        ui.view = view;
        check(&format!("running_{view:?}"), &state, &ui);
    }
}

#[test]
fn finished_run_shows_views() {
    let (state, mut ui) = (ScreenState::of(&recorded::whole()), ui(SourceKind::Watch));
    ui.details.add(recorded::detail());
    for view in [
        ScreenView::Overview,
        ScreenView::Candidates,
        ScreenView::Matrix,
        ScreenView::Prompt,
        ScreenView::Lineage,
        ScreenView::Examples,
        ScreenView::Failures,
    ] {
        ui.view = view;
        check(&format!("finished_{view:?}"), &state, &ui);
    }
}

#[test]
fn last_line_asks() {
    let (state, mut ui) = (half(), ui(SourceKind::Run));
    ui.asked_to_stop = true;
    ui.paused = true;
    let shown = screen(&state, &ui, (80, 24));
    assert!(shown.contains("Stop and save the run?"), "{shown}");
    assert!(shown.lines().next().unwrap().ends_with("PAUSED"), "{shown}");
    ui.kind = SourceKind::Replay;
    ui.playback = Some(PlaybackState {
        speed: 4.0,
        done: 10,
        total: 99,
    });
    let shown = screen(&state, &ui, (80, 24));
    assert!(shown.contains("replay ×4 10/99"), "{shown}");
}

#[test]
fn small_screen_says_so() {
    let shown = screen(&half(), &ui(SourceKind::Run), (40, 10));
    for piece in ["better?", "worst", "calls", "time", "40×10 is small"] {
        assert!(shown.contains(piece), "{piece:?} is not on:\n{shown}");
    }
}

fn every_view() -> impl Iterator<Item = ScreenView> {
    ScreenView::ALL.into_iter().chain([ScreenView::Failures])
}

/// Every view, whatever the state, at every size, in every depth of colour.
#[test]
fn no_size_panics() {
    let states = [
        ScreenState::default(),
        half(),
        ScreenState::of(&recorded::whole()),
    ];
    for state in &states {
        for (width, height) in [
            (1, 1),
            (2, 3),
            (7, 5),
            (20, 4),
            (59, 15),
            (81, 17),
            (300, 90),
        ] {
            for depth in [ColorDepth::None, ColorDepth::Sixteen, ColorDepth::Many] {
                for view in every_view() {
                    let mut ui = ui(SourceKind::Run);
                    ui.theme = ColorTheme::new(depth);
                    ui.view = view;
                    ui.row = 10_000;
                    ui.column = 10_000;
                    ui.group = 10_000;
                    screen(state, &ui, (width, height));
                }
            }
        }
    }
}

/// Without colours the screens say the same.
#[test]
fn color_alone_says_nothing() {
    let state = ScreenState::of(&recorded::whole());
    for view in every_view() {
        let (mut many, mut none) = (ui(SourceKind::Watch), ui(SourceKind::Watch));
        (many.view, none.view) = (view, view);
        none.theme = ColorTheme::new(ColorDepth::None);
        let size = (120, 40);
        assert_eq!(screen(&state, &many, size), screen(&state, &none, size));
    }
}

#[test]
fn overview_names_unverified_groups() {
    let mut state = ScreenState::new(5000);
    for mut event in recorded::whole() {
        if let Event::Started(started) = &mut event {
            for group in &mut started.groups {
                if group.role == GroupRole::Target {
                    group.audit = 0;
                }
            }
        }
        state.apply(&event, false);
    }
    let shown = screen(&state, &ui(SourceKind::Run), (120, 40));
    assert!(
        shown.contains("better? unverified: nothing on the target"),
        "{shown}"
    );
}
