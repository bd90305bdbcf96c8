use shiftproof_search::event::{
    AuditedPrompt, CandidateProposed, Event, GroupRole, Origin, RunObserver as _,
};
use shiftproof_tasks::{Prompt, PromptId};

use super::*;
use crate::report::RunSummary;

fn input(id: &str, group: &str, label: Option<&str>) -> ShownInput {
    ShownInput {
        id: id.into(),
        group: group.into(),
        text: format!("text of {id}"),
        label: label.map(Into::into),
    }
}

fn detail(candidate: PromptId, input: u32, reply: &str) -> AnswerDetail {
    AnswerDetail {
        candidate,
        input,
        text: None,
        label: None,
        answer: None,
        reason: None,
        reply: Some(reply.into()),
        wrong: vec!["due".into()],
    }
}

fn score(group: &str, value: f64) -> GroupOutcome {
    GroupOutcome {
        group: group.into(),
        role: GroupRole::Target,
        voted: false,
        value: Some(value),
        low: None,
        high: None,
        n: 9,
        unparseable: 0,
        truncated: 0,
        failed: 0,
    }
}

const GRADED: fn(f64) -> AnswerVerdict = AnswerVerdict::Graded;
const UNREAD: fn(UngradedReason) -> AnswerVerdict = AnswerVerdict::Ungraded;

#[test]
fn states_are_told_apart() {
    let candidate = Prompt::new("x").id();
    let labelled = input("1", "films", Some("yes"));
    let of = |verdict, detail: Option<&AnswerDetail>| {
        FailingAnswer::of_event(&labelled, ("said", verdict, Phase::Final), detail)
    };
    let told = |verdict| {
        let own = of(verdict, None).unwrap();
        let names: Vec<&str> = own.told().iter().map(|(name, _)| *name).collect();
        format!("{}: {}", own.state_told(), names.join(" "))
    };
    assert_eq!(told(GRADED(0.0)), "wrong: input label answer");
    assert_eq!(told(GRADED(0.4)), "partly 40.0: input label answer");
    let unread = |why| told(UNREAD(why));
    assert_eq!(
        unread(UngradedReason::Unparseable),
        "unparseable: input label reply"
    );
    assert_eq!(
        unread(UngradedReason::Truncated),
        "truncated: input label reply"
    );
    assert_eq!(unread(UngradedReason::Failed), "failed: input label why");
    assert_eq!(of(GRADED(1.0), None), None);
    assert_eq!(of(UNREAD(UngradedReason::Unlabelled), None), None);
    // A grade without a label is a vote's.
    let target = input("2", "films", None);
    let voted = ("said", GRADED(0.2), Phase::Final);
    assert_eq!(FailingAnswer::of_event(&target, voted, None), None);

    let more = detail(candidate, 0, "I say:\n said ");
    let own = of(GRADED(0.0), Some(&more)).unwrap();
    assert_eq!(
        own.told()[3..],
        [
            ("wrong", "due".to_owned()),
            ("reply", "I say: said".to_owned())
        ]
    );
    // A reply that says no more than what was read is not said twice.
    let same = of(GRADED(0.0), Some(&detail(candidate, 0, "said"))).unwrap();
    assert!(same.told().iter().all(|(name, _)| *name != "reply"));
}

/// A run of two prompts: three groups, of which one was audited, and a vote.
fn events() -> (Vec<Event>, PromptId, PromptId) {
    let (seed, other) = (Prompt::new("seed"), Prompt::new("other"));
    let proposed = |prompt: &Prompt, origin| {
        Event::Proposed(CandidateProposed {
            candidate: prompt.id(),
            prompt: prompt.clone(),
            origin,
            parents: Vec::new(),
        })
    };
    let answered = |candidate, phase, answers: &[(u32, AnswerVerdict)]| Event::Answered {
        candidate,
        phase,
        texts: vec!["no".into()],
        answers: answers
            .iter()
            .map(|(input, verdict)| (*input, 0, *verdict).into())
            .collect(),
    };
    let (seed_id, id) = (seed.id(), other.id());
    let mut inputs: Vec<ShownInput> = (0..8)
        .map(|n| input(&format!("b{n}"), "books", Some("yes")))
        .collect();
    inputs.push(input("f0", "films", None));
    let audit = ["f1", "f2"].map(|id| input(id, "films", Some("yes")));
    let books: Vec<(u32, AnswerVerdict)> = (0..8).map(|n| (n, GRADED(0.0))).collect();
    let groups = vec![score("books", 0.5), score("films", 0.25)];
    let events = vec![
        proposed(&seed, Origin::Seed),
        proposed(&other, Origin::Induced),
        Event::Inputs { inputs },
        answered(id, Phase::Screen, &books),
        answered(seed_id, Phase::Screen, &[(0, GRADED(1.0))]),
        answered(id, Phase::Vote, &[(8, UNREAD(UngradedReason::Unparseable))]),
        // Read otherwise by now, and right.
        answered(id, Phase::Final, &[(7, GRADED(1.0))]),
        Event::Selected {
            candidate: id,
            reason: String::new(),
            ensemble: Vec::new(),
        },
        Event::Inputs {
            inputs: audit.to_vec(),
        },
        answered(id, Phase::Audit, &[(9, GRADED(0.0)), (10, GRADED(1.0))]),
        Event::Audited {
            contestant: AuditedPrompt::Selected,
            groups,
        },
    ];
    (events, seed_id, id)
}

#[test]
fn weakest_group_and_free_examples_come_first() {
    let (events, _, id) = events();
    let mut details = AnswerDetails::default();
    details.add(detail(id, 9, "Well, no."));
    let found = of_run(&events, &RunSummary::of(&events), &details);
    // The seed has no failure.
    let [own] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((own.prompt, own.is_seed), (id, false));
    assert!(own.title(true).starts_with("Selected prompt "));
    let [films, books] = own.groups.as_slice() else {
        panic!("{own:?}");
    };
    let shown: Vec<(&str, bool)> = films
        .shown
        .iter()
        .map(|own| (own.id.as_str(), own.audited))
        .collect();
    assert_eq!(shown, [("f0", false), ("f1", true)]);
    assert!(films.shows_audit() && !books.shows_audit());
    assert_eq!(films.counted(), "2 of 3 answers not right");
    assert_eq!(films.shown[1].reply.as_deref(), Some("Well, no."));
    assert_eq!(books.counted(), "7 of 8 answers not right, 5 shown");

    // Of a run that goes on, those of the prompt that leads; no audit is told of.
    let going = &events[..7];
    let mut summary = RunSummary::of(going);
    for (prompt, standing) in &mut summary.candidates {
        standing.score = Some(if *prompt == id { 0.6 } else { 0.5 });
    }
    let found = of_run(going, &summary, &details);
    assert!(found[0].title(false).starts_with("Leading prompt "));
    assert!(!found[0].groups.iter().any(GroupFailures::shows_audit));
}

#[test]
fn wrong_fields_are_counted_where_the_audit_is_open() {
    let (events, _, id) = events();
    let mut details = AnswerDetails::default();
    // "due" is wrong in each; the first is of a race, the other of the audit.
    details.add(detail(id, 0, "no"));
    details.add(detail(id, 9, "no"));
    let whole = of_run(&events, &RunSummary::of(&events), &details);
    assert_eq!(
        whole[0].fields_told().as_deref(),
        Some(
            "Wrong fields in 2 answers of the audit that could be read: due 1 (50%). The others are \
             right in all of them."
        )
    );
    let going = &events[..7];
    let mut summary = RunSummary::of(going);
    for (prompt, standing) in &mut summary.candidates {
        standing.score = Some(if *prompt == id { 0.6 } else { 0.5 });
    }
    let told = of_run(going, &summary, &details)[0].fields_told().unwrap();
    assert!(
        told.starts_with("Wrong fields in 8 answers that could be read: due 1 (12%)"),
        "{told}"
    );
    // Answers without parts have none.
    let plain = of_run(&events, &RunSummary::of(&events), &AnswerDetails::default());
    assert_eq!(plain[0].fields_told(), None);
}

#[test]
fn details_are_kept_and_followed() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let id = Prompt::new("x").id();
    let (mut keeper, kept) = DetailKeeper::new(Some(&run));
    keeper.detail(&detail(id, 1, "one"));
    let mut follower = details::DetailFollower::new(&run);
    let mut followed = AnswerDetails::default();
    assert!(follower.poll(&mut followed));
    assert!(!follower.poll(&mut followed));
    keeper.detail(&detail(id, 2, "two"));
    keeper.detail(&detail(id, 1, "one anew"));
    assert!(follower.poll(&mut followed));
    let reply = |details: &AnswerDetails, at| details.of(id, at).and_then(|own| own.reply.clone());
    for details in [&followed, &AnswerDetails::read(&run), &kept.lock().unwrap()] {
        assert_eq!(reply(details, 1).as_deref(), Some("one anew"));
        assert_eq!(reply(details, 2).as_deref(), Some("two"));
    }
    // A run that is executed again tells all of it anew; a torn line is left for later.
    let (mut again, _) = DetailKeeper::new(Some(&run));
    assert!(!follower.poll(&mut followed));
    assert_eq!(reply(&followed, 2), None);
    again.detail(&detail(id, 3, "three"));
    let path = run.join("failing.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}{{\"candidate\"")).unwrap();
    let read = AnswerDetails::read(&run);
    assert_eq!(reply(&read, 3).as_deref(), Some("three"));
    assert_eq!(reply(&AnswerDetails::read(folder.path()), 3), None);
}
