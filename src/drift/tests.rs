use std::collections::BTreeMap;

use shiftproof_search::event::{GroupInfo, GroupRole};
use shiftproof_tasks::Prompt;

use super::*;

fn infos() -> Vec<GroupInfo> {
    let info = |name: &str, role| GroupInfo {
        name: name.into(),
        role,
        train: 0,
        validation: 0,
        labelled: 0,
        unlabelled: 0,
        audit: 0,
    };
    vec![
        info("mail", GroupRole::Source),
        info("chat", GroupRole::Target),
    ]
}

fn count(right: f64, labels: f64, yes: f64, no: f64) -> GroupCount {
    let classes = [("yes", yes), ("no", no)];
    GroupCount {
        rows: (yes + no) as usize,
        labels,
        right,
        classes: classes.map(|(name, n)| (name.to_owned(), n)).into(),
    }
}

fn groups(mail: GroupCount, chat: GroupCount) -> BTreeMap<String, GroupCount> {
    [("mail".to_owned(), mail), ("chat".to_owned(), chat)].into()
}

fn reference(prompt: &Prompt) -> ReferenceRecord {
    ReferenceRecord {
        prompt: prompt.id(),
        model: "m".into(),
        alpha: 0.05,
        tolerance: 0.02,
        groups: groups(
            count(90.0, 100.0, 50.0, 50.0),
            count(85.0, 100.0, 60.0, 40.0),
        ),
    }
}

fn day(name: &str, prompt: &Prompt, mail: GroupCount, chat: GroupCount) -> DayRecord {
    DayRecord {
        batch: name.into(),
        prompt: prompt.id(),
        groups: groups(mail, chat),
        cost: None,
        alarms: Vec::new(),
        labelled: false,
    }
}

const fn files(batch: &'static str) -> NextSteps<'static> {
    NextSteps {
        study: "s.toml",
        batch: Some(batch),
        flag: "",
    }
}

#[test]
fn falls_and_moves_are_told_apart() {
    let prompt = Prompt::new("p");
    let calm = |name| {
        day(
            name,
            &prompt,
            count(45.0, 50.0, 25.0, 25.0),
            count(43.0, 50.0, 30.0, 20.0),
        )
    };
    let mut days = vec![calm("d1"), calm("d2")];
    let watched = watch(&infos(), &reference(&prompt), &days);
    assert!(watched.iter().all(|group| !group.alarms()), "{watched:?}");
    let (decision, ..) = decide(&watched, &[], files("d2.csv"));
    assert_eq!(decision, DriftDecision::Keep);

    // No label, and the answers turn: the group is to be looked at.
    let turned = count(0.0, 0.0, 10.0, 90.0);
    days.push(day("d3", &prompt, count(45.0, 50.0, 25.0, 25.0), turned));
    let watched = watch(&infos(), &reference(&prompt), &days);
    assert!(watched[1].shares.alarm && !watched[1].fall.alarm && !watched[0].alarms());
    assert_eq!(watched[1].shares.since.as_deref(), Some("d3"));
    assert_eq!(watched[1].moved.as_ref().unwrap().1, 0.6);
    let (decision, reason, next) = decide(&watched, &[], files("d3.csv"));
    assert_eq!(decision, DriftDecision::ReLabel, "{reason}");
    assert_eq!(
        next,
        ["shiftproof label s.toml --batch d3.csv --group \"chat\""]
    );

    // Labelled, it is seen to be wrong.
    days[2] = day(
        "d3",
        &prompt,
        count(45.0, 50.0, 25.0, 25.0),
        count(40.0, 100.0, 10.0, 90.0),
    );
    let watched = watch(&infos(), &reference(&prompt), &days);
    assert!(watched[1].fall.alarm && !watched[0].alarms());
    let ahead = RacedChampion {
        run: "s-1".into(),
        prompt: prompt.id(),
        score: 0.8,
        ahead: [0.4, 0.2, 0.6],
        n: 100,
    };
    let (decision, reason, next) = decide(&watched, &[ahead], files("d3.csv"));
    assert_eq!(decision, DriftDecision::ReOptimise);
    assert!(
        reason.contains("worse in chat") && reason.contains("40.0 points"),
        "{reason}"
    );
    assert!(next[0].contains("gate s.toml --run s-1"));
    // A log tells its own truth: nobody is asked to label it.
    let log = NextSteps {
        batch: None,
        ..files("")
    };
    let (_, _, next) = decide(&watched, &[], log);
    assert_eq!(next, ["shiftproof optimize s.toml --continue"]);
}

#[test]
fn days_are_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/s.jsonl");
    let (old, new) = (Prompt::new("old"), Prompt::new("new"));
    let mut log = DriftLog::read(&path).unwrap();
    assert!(log.reference(old.id(), "m").is_none());
    log.begin(reference(&old)).unwrap();
    let calm = || count(40.0, 50.0, 25.0, 25.0);
    log.add(day("d1", &old, calm(), count(0.0, 0.0, 5.0, 5.0)))
        .unwrap();
    let mut alarmed = day("d2", &old, calm(), calm());
    alarmed.alarms = vec!["fall:chat".into()];
    log.add(alarmed).unwrap();
    // The same day again, with labels; the alarm of a day is not taken back.
    log.add(day("d1", &old, calm(), count(5.0, 10.0, 5.0, 5.0)))
        .unwrap();
    log.add(day("d2", &old, calm(), calm())).unwrap();
    let log = DriftLog::read(&path).unwrap();
    let days = log.stream();
    let names: Vec<&str> = days.iter().map(|day| day.batch.as_str()).collect();
    assert_eq!(names, ["d1", "d2"]);
    assert!(days[0].labelled && !days[1].labelled);
    assert_eq!(days[1].alarms, ["fall:chat"]);
    let watched = watch(&infos(), log.reference(old.id(), "m").unwrap(), &days);
    assert!(watched[1].fall.alarm && watched[1].fall.capital < watched[1].fall.bar);

    // Another prompt, or another model: another stream. Its days follow.
    let mut log = log;
    assert!(log.reference(old.id(), "other").is_none());
    log.begin(reference(&new)).unwrap();
    assert!(log.stream().is_empty());
    log.add(day("d3", &new, calm(), calm())).unwrap();
    assert_eq!(log.days().len(), 3);
    std::fs::write(&path, "{\"type\":\"day\"}\n").unwrap();
    let error = DriftLog::read(&path).err().unwrap();
    assert!(error.message.contains("s.jsonl:1:"), "{error}");
}

fn report() -> DriftReport {
    let (old, new) = (Prompt::new("old"), Prompt::new("new"));
    let calm = || count(45.0, 50.0, 25.0, 25.0);
    let mut days = vec![
        day("mon", &old, calm(), count(43.0, 50.0, 30.0, 20.0)),
        day("tue", &old, calm(), count(20.0, 50.0, 10.0, 40.0)),
        day("wed", &new, calm(), count(41.0, 50.0, 29.0, 21.0)),
        day("thu", &new, calm(), count(12.0, 60.0, 5.0, 95.0)),
    ];
    days[1].alarms = vec!["fall:chat".into()];
    days[1].labelled = true;
    let spent = |calls, picodollars| Spend {
        calls,
        prompt_tokens: 400 * calls,
        completion_tokens: 12 * calls,
        picodollars,
        ..Spend::default()
    };
    days[2].cost = Some(DayCost::new(100, spent(150, 30_000_000_000)));
    let unpriced = Spend {
        unpriced: 1,
        ..spent(160, 30_000_000_000)
    };
    days[3].cost = Some(DayCost::new(160, unpriced));
    let groups = watch(&infos(), &reference(&new), &days[2..]);
    let (decision, reason, next) = decide(&groups, &[], files("thu.csv"));
    DriftReport {
        study: "s".into(),
        prompt: new.id(),
        model: "m".into(),
        metric: "accuracy".into(),
        batch: "thu".into(),
        alpha: 0.05,
        tolerance: 0.02,
        decision,
        reason,
        next,
        groups,
        race: Vec::new(),
        days,
        notes: vec!["A <b>note</b>.".into()],
        spent: Spend::default(),
        sent: 0,
    }
}

#[test]
fn report_has_every_form() {
    let report = report();
    assert_eq!(report.exit(), ExitStatus::Drifted);
    insta::assert_snapshot!("drift_text", report.text());
    insta::assert_snapshot!("drift_markdown", report.markdown());
    insta::assert_snapshot!("drift_junit", report.junit().unwrap());
    let html = report.html();
    for piece in [
        "RE-OPTIMISE",
        ">update<",
        ">alarm<",
        ">labels<",
        "A &lt;b&gt;note",
        "when committed",
    ] {
        assert!(html.contains(piece), "{piece} is not in it");
    }
    let json = report.render(Path::new("a.json")).unwrap();
    assert!(json.contains("\"decision\": \"re-optimise\""), "{json}");
    assert!(DriftForm::of(Path::new("a.pdf")).is_err());
}
