//! The fold itself.

use std::time::Duration;

use shiftproof_search::event::{AnswerVerdict, Event, GroupOutcome, GroupRole, Phase};

use super::super::state::{ScreenState, ValueBand};
use super::recorded;

fn group(low: f64, value: f64, high: f64) -> GroupOutcome {
    GroupOutcome {
        group: "g".into(),
        role: GroupRole::Source,
        voted: false,
        value: Some(value),
        low: Some(low),
        high: Some(high),
        n: 9,
        unparseable: 0,
        truncated: 0,
        failed: 0,
    }
}

#[test]
fn independent_intervals_add_in_squares() {
    let mean = ValueBand::mean(&[group(0.4, 0.7, 0.8), group(0.4, 0.8, 0.9)]).unwrap();
    assert!((mean.value - 0.75).abs() < 1e-12);
    assert!((mean.low - (0.75 - 0.25)).abs() < 1e-12, "{mean:?}");
    assert!((mean.high - (0.75 + 0.02_f64.sqrt() / 2.0)).abs() < 1e-12);
    assert_eq!(ValueBand::mean(&[]), None);
}

#[test]
fn curve_follows_leader() {
    let state = ScreenState::of(&recorded::whole());
    let calls: Vec<u64> = state.curve.iter().map(|point| point.calls).collect();
    // The audit's labels and examples are others than a race's.
    assert_eq!(calls, [120, 260, 480, 1500, 1900]);
    let last = state.curve.last().unwrap();
    assert_eq!(last.phase, Phase::Refine);
    let values = [last.scores.source, last.scores.voted].map(|band| band.unwrap().value);
    assert!((values[0] - 0.72).abs() < 1e-12 && (values[1] - 0.66).abs() < 1e-12);
    assert_eq!(last.scores.target, None, "the votes are no true labels");
    let phases: Vec<Phase> = state.seeds.iter().map(|seed| seed.0).collect();
    assert_eq!(phases, [Phase::Screen]);
}

/// A log written before leaders and answers were told.
#[test]
fn old_log_still_draws() {
    let old: Vec<Event> = recorded::whole()
        .into_iter()
        .filter(|event| {
            !matches!(
                event,
                Event::Leading { .. } | Event::Answered { .. } | Event::Inputs { .. }
            )
        })
        .collect();
    let state = ScreenState::of(&old);
    let phases: Vec<Phase> = state.curve.iter().map(|point| point.phase).collect();
    assert_eq!(phases, [Phase::Screen, Phase::Refine]);
    assert!(state.is_over() && state.leader().is_some());
}

#[test]
fn version_0_1_line_reads() {
    let text = r#"{"seq":3,"at_ms":1,"event":{"type":"evaluated","candidate":"00112233445566778899aabbccddeeff","phase":"screen","score":0.5,"groups":[{"group":"g","role":"source","voted":false,"value":null,"low":null,"high":null,"n":0,"unparseable":0,"failed":2}]}}"#;
    let line: shiftproof_search::event_log::LogLine = serde_json::from_str(text).unwrap();
    let mut state = ScreenState::default();
    state.apply(&line.event, false);
    assert!(
        state.curve.is_empty(),
        "a group without a value is no point"
    );
}

#[test]
fn repeated_answer_replaces_first() {
    let state = ScreenState::of(&recorded::whole());
    let seed = state.places[&recorded::id("Is this customer review positive or negative?")];
    assert_eq!(state.answers[seed].len(), 5);
    let kept = state.answers[seed][&0];
    assert_eq!(state.text(kept), "negative");
    let mut state = state;
    state.apply(
        &Event::Answered {
            candidate: state.order[seed],
            phase: Phase::Final,
            texts: vec!["positive".into()],
            answers: vec![(0, 0, AnswerVerdict::Graded(0.0)).into()],
        },
        false,
    );
    assert_eq!(state.answers[seed].len(), 5);
    assert_eq!(state.text(state.answers[seed][&0]), "positive");
}

#[test]
fn rate_covers_last_minute() {
    let mut state = ScreenState::new(100);
    for (at, tick) in recorded::ticks() {
        state.tick(&tick, at);
    }
    assert!((state.pace.per_second().unwrap() - 12.0).abs() < 1e-9);
    assert_eq!((state.calls.len(), state.failed), (40, 1));
    assert_eq!(state.spent_calls(), 640);
    // A long silence is not averaged away.
    let (_, tick) = recorded::ticks().pop().unwrap();
    state.tick(&tick, Duration::from_secs(100));
    state.tick(&tick, Duration::from_secs(101));
    assert_eq!(state.pace.per_second(), None);
    assert!(state.pace.silence().is_some());
}

#[test]
fn screen_memory_stays_bounded() {
    let mut state = ScreenState::of(&recorded::first_half());
    let candidate = state.order[0];
    for batch in 0..60_u32 {
        let texts: Vec<String> = (0..1000).map(|n| format!("text {batch} {n}")).collect();
        let answers = (0..1000).map(|n| (batch * 1000 + n, n, AnswerVerdict::Graded(1.0)).into());
        state.apply(
            &Event::Answered {
                candidate,
                phase: Phase::Screen,
                texts,
                answers: answers.collect(),
            },
            false,
        );
        state.apply(
            &Event::Leading {
                candidate,
                phase: Phase::Screen,
                calls: u64::from(batch),
                score: 0.5,
                groups: vec![group(0.1, 0.5, 0.9)],
            },
            false,
        );
    }
    assert_eq!(state.answers[0].len(), 60_000);
    assert_eq!(state.text(state.answers[0][&59_999]), "(text not kept)");
    assert_eq!(state.text(state.answers[0][&7]), "text 0 7");
}
