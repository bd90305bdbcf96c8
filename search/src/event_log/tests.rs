use std::sync::{Arc, Mutex};

use shiftproof_tasks::Prompt;

use super::*;

fn discarded(count: u64) -> Event {
    Event::Discarded {
        reason: "copy".into(),
        count,
        example: String::new(),
    }
}

#[test]
fn torn_log_resumes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let mut bus = EventLog::logged(&path, vec![]).unwrap();
    bus.emit(&discarded(1)).unwrap();
    bus.emit(&discarded(2)).unwrap();
    drop(bus);
    let text = std::fs::read(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 5]).unwrap();

    let mut bus = EventLog::logged(&path, vec![]).unwrap();
    for count in 1..=3 {
        bus.emit(&discarded(count)).unwrap();
    }
    drop(bus);
    let events: Vec<_> = read(&path)
        .unwrap()
        .into_iter()
        .map(|line| (line.seq, line.event))
        .collect();
    assert_eq!(
        events,
        [(0, discarded(1)), (1, discarded(2)), (2, discarded(3))]
    );
}

#[test]
fn another_course_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    EventLog::logged(&path, vec![])
        .unwrap()
        .emit(&discarded(1))
        .unwrap();
    let error = EventLog::logged(&path, vec![])
        .unwrap()
        .emit(&discarded(7))
        .unwrap_err();
    assert!(matches!(error, LogError::Diverged { seq: 0 }));
}

#[test]
fn floats_survive_log_exactly() {
    let prompt = Prompt::new("x").id();
    for bits in [
        0x3fb9_9999_9999_999a_u64,
        0x3fd5_5555_5555_5555,
        0x3ff0_0000_0000_0001,
    ] {
        let event = Event::Evaluated {
            candidate: prompt,
            phase: crate::event::Phase::Final,
            score: f64::from_bits(bits),
            groups: vec![],
        };
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}

/// Notes what it is told.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<(u64, bool)>>>);

impl RunObserver for Listener {
    fn event(&mut self, event: &Event, replayed: bool) {
        if let Event::Discarded { count, .. } = event {
            self.0.lock().unwrap().push((*count, replayed));
        }
    }
}

#[test]
fn observers_know_replays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let tell = |counts: &[u64]| {
        let listener = Listener::default();
        let mut log = EventLog::logged(&path, vec![Box::new(listener.clone())]).unwrap();
        for &count in counts {
            log.emit(&discarded(count)).unwrap();
        }
        assert_eq!(log.emitted().len(), counts.len());
        listener.0.lock().unwrap().clone()
    };
    assert_eq!(tell(&[1, 2]), [(1, false), (2, false)]);
    // A process that ends in its replay adds nothing.
    assert_eq!(tell(&[1]), [(1, true)]);
    assert_eq!(tell(&[1, 2, 3]), [(1, true), (2, true), (3, false)]);
    assert_eq!(read(&path).unwrap().len(), 3);
}

#[test]
fn divergence_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let mut log = EventLog::logged(&path, vec![]).unwrap();
    for count in [1, 2] {
        log.emit(&discarded(count)).unwrap();
    }
    let before = std::fs::read(&path).unwrap();
    let listener = Listener::default();
    let mut log = EventLog::logged(&path, vec![Box::new(listener.clone())]).unwrap();
    log.emit(&discarded(1)).unwrap();
    let stop = log.emit(&discarded(9)).unwrap_err();
    assert!(matches!(stop, LogError::Diverged { seq: 1 }));
    assert!(stop.to_string().ends_with("start a new run"));
    // Nobody is told of what is not in the log.
    assert_eq!(*listener.0.lock().unwrap(), [(1, true)]);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn malformed_lines_are_located() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let mut log = EventLog::logged(&path, vec![]).unwrap();
    log.emit(&discarded(1)).unwrap();
    drop(log);
    let good = std::fs::read_to_string(&path).unwrap();
    // As versions without checksums wrote it.
    let sum = good.find(",\"sum\":").unwrap();
    let plain = format!("{}}}\n", &good[..sum]);
    let bad = [
        "",
        "{}",
        "not json",
        &good.trim_end()[..20],
        &good.replace("discarded", "danced"),
    ];
    for (first, told) in [
        (&plain, "not an event of this version"),
        (&good, "the line is damaged"),
    ] {
        for bad in &bad {
            std::fs::write(&path, format!("{first}{}\n{good}", bad.trim_end())).unwrap();
            let error = read(&path).unwrap_err().to_string();
            let expected = format!("events.jsonl:2: {told}");
            assert!(
                error.contains(&expected) || error.contains(":2: the line is damaged"),
                "{error}"
            );
            assert!(EventLog::logged(&path, vec![]).is_err());
        }
    }
    assert!(
        read(&dir.path().join("none.jsonl"))
            .unwrap_err()
            .to_string()
            .starts_with("cannot use")
    );
}

/// Wherever a kill cuts the file, whole lines are read and the rest is written anew.
#[test]
fn every_cut_resumes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let mut log = EventLog::logged(&path, vec![]).unwrap();
    for count in [1, 20, 300] {
        log.emit(&discarded(count)).unwrap();
    }
    drop(log);
    let whole = std::fs::read(&path).unwrap();
    let events = |path: &Path| -> Vec<Event> {
        let lines = read(path).unwrap();
        lines.into_iter().map(|line| line.event).collect()
    };
    let expected = events(&path);
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let complete = whole[..cut].split(|byte| *byte == b'\n').count() - 1;
        assert_eq!(events(&path), expected[..complete]);
        let mut log = EventLog::logged(&path, vec![]).unwrap();
        for event in &expected {
            log.emit(event).unwrap();
        }
        assert_eq!(events(&path), expected, "cut at {cut}");
    }
}

#[test]
fn unlogged_events_are_kept() {
    let mut log = EventLog::unlogged(vec![]);
    for count in [3, 3] {
        log.emit(&discarded(count)).unwrap();
    }
    assert_eq!(log.emitted(), [discarded(3), discarded(3)]);
}

/// No digit of a log can change unnoticed, and no line can go.
#[test]
fn every_flip_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let mut log = EventLog::logged(&path, vec![]).unwrap();
    for count in 1..4 {
        log.emit(&discarded(count)).unwrap();
    }
    log.sync().unwrap();
    drop(log);
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(read(&path).unwrap().len(), 3);
    let first = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    for at in first..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        // The last line without its break is one that was cut off in writing.
        let last = at + 1 == whole.len();
        assert_eq!(
            read(&path).map(|lines| lines.len()).ok(),
            last.then_some(2),
            "byte {at}"
        );
    }
    let second = first
        + whole[first..]
            .iter()
            .position(|&byte| byte == b'\n')
            .unwrap()
        + 1;
    std::fs::write(&path, [&whole[..first], &whole[second..]].concat()).unwrap();
    let told = read(&path).unwrap_err().to_string();
    assert!(
        told.contains("it is event 2, and event 1 is expected"),
        "{told}"
    );
}
