//! A run told by hand, with everything a report has to show and texts that try
//! to break out of it.

use shiftproof_search::budget::{BudgetLimits, Spend};
use shiftproof_search::event::{
    AuditedPrompt, CandidateProposed, CheckedVotes, ClassVotes, Event, GroupInfo, GroupOutcome,
    GroupRole, InputVote, Origin, Phase, RunEnding, RunStarted, ScoreDifference, VoteSummary,
    VoterStanding,
};
use shiftproof_tasks::{Demonstration, Prompt, PromptId};

use super::{NamedRun, RunSummary};

/// What no page may run or end at.
pub(crate) const NASTY: &str =
    "Judge </style></title><script>alert(1)</script> the text & answer \"positive\" | `negative`.";

/// The group whose name is as bad.
pub(crate) const NASTY_GROUP: &str = "films <b>|`@everyone`";

pub(crate) fn seed() -> Prompt {
    Prompt::new("Is this customer review positive or negative?")
}

fn induced() -> Prompt {
    Prompt::new("Say whether the review is positive or negative.")
}

/// The prompt that the fixture's run selects.
pub(crate) fn selected() -> Prompt {
    Prompt::new(NASTY).with_demonstrations(vec![Demonstration {
        input: "Review: ```fine``` {{x}} {% y %}".into(),
        answer: "positive".into(),
    }])
}

fn score(group: &str, role: GroupRole, value: f64, n: usize) -> GroupOutcome {
    GroupOutcome {
        group: group.into(),
        role,
        voted: false,
        value: Some(value),
        low: Some(value - 0.09),
        high: Some(value + 0.08),
        n,
        unparseable: 0,
        truncated: 0,
        failed: 0,
    }
}

fn audited(books: f64, films: f64, songs: f64) -> Vec<GroupOutcome> {
    let mut groups = vec![
        score("books", GroupRole::Source, books, 100),
        score(NASTY_GROUP, GroupRole::Target, films, 100),
        score("songs", GroupRole::Target, songs, 98),
    ];
    groups[2].unparseable = 3;
    groups[2].failed = 2;
    groups
}

fn difference(group: &str, value: f64) -> ScoreDifference {
    ScoreDifference {
        group: group.into(),
        value,
        low: value - 0.05,
        high: value + 0.05,
        n: 100,
    }
}

fn proposed(prompt: &Prompt, origin: Origin, parents: Vec<PromptId>) -> Event {
    Event::Proposed(CandidateProposed {
        candidate: prompt.id(),
        prompt: prompt.clone(),
        origin,
        parents,
    })
}

fn ranked(prompt: &Prompt, phase: Phase, score_: f64, n: usize, kept: bool) -> [Event; 2] {
    [
        Event::Evaluated {
            candidate: prompt.id(),
            phase,
            score: score_,
            groups: vec![score("books", GroupRole::Source, score_, n)],
        },
        Event::Decided {
            candidate: prompt.id(),
            kept,
            reason: format!("rank of a race on {n} examples"),
        },
    ]
}

fn phase(phase: Phase, plan: &str) -> Event {
    Event::Phase {
        phase,
        plan: plan.into(),
    }
}

fn started(method: &str, seed_number: u64) -> Event {
    let group = |name: &str, role, source: bool| GroupInfo {
        name: name.into(),
        role,
        train: if source { 60 } else { 0 },
        validation: if source { 120 } else { 0 },
        labelled: 0,
        unlabelled: if source { 0 } else { 120 },
        audit: 100,
    };
    Event::Started(RunStarted {
        study: "reviews".into(),
        task: "reviews".into(),
        metric: "accuracy".into(),
        method: method.into(),
        objective: "robust".into(),
        task_model: "embedded:Tiny/blake3:0123abcd/embedded-1".into(),
        proposer_model: "openai http://127.0.0.1:8080/v1 large".into(),
        seed: seed_number,
        limits: BudgetLimits {
            calls: Some(1500),
            tokens: None,
            usd: Some(2.5),
        },
        groups: vec![
            group("books", GroupRole::Source, true),
            group(NASTY_GROUP, GroupRole::Target, false),
            group("songs", GroupRole::Target, false),
        ],
        version: "0.1.0".into(),
    })
}

fn voted(induced: &Prompt, seed: &Prompt) -> Event {
    let vote = |share: f64| InputVote {
        input: "a target input".into(),
        winner: Some("positive".into()),
        share,
        kept: share > 0.83,
    };
    Event::Voted(VoteSummary {
        voters: vec![induced.id(), seed.id()],
        threshold: 0.83,
        inputs: 4,
        kept: 2,
        source_accuracy: Some(0.875),
        checked: Some(CheckedVotes {
            examples: 40,
            kept: 32,
            right: 28,
        }),
        standings: [(0, 0.8), (1, 0.7)]
            .map(|(family, independence)| VoterStanding {
                asked: 40,
                right: 30,
                accuracy: 0.74,
                independence,
                family,
            })
            .to_vec(),
        classes: vec![
            ClassVotes {
                label: "negative".into(),
                won: 1,
                kept: 0,
            },
            ClassVotes {
                label: "positive".into(),
                won: 3,
                kept: 2,
            },
        ],
        votes: vec![vote(1.0), vote(1.0), vote(0.5), vote(0.5)],
    })
}

fn ending(selected: &Prompt, induced: &Prompt, gain: f64) -> Vec<Event> {
    vec![
        Event::Selected {
            candidate: selected.id(),
            reason: "4.0 points ahead of the next".into(),
            ensemble: vec![selected.id(), induced.id()],
        },
        phase(
            Phase::Audit,
            "seed, selected and an ensemble of 2 on 300 sealed examples",
        ),
        Event::Audited {
            contestant: AuditedPrompt::Seed,
            groups: audited(0.7, 0.6, 0.66),
        },
        Event::Audited {
            contestant: AuditedPrompt::Selected,
            groups: audited(0.78, 0.6 + gain, 0.68),
        },
        Event::Audited {
            contestant: AuditedPrompt::Ensemble,
            groups: audited(0.77, 0.65, 0.67),
        },
        Event::Compared {
            groups: vec![
                difference("books", 0.08),
                difference(NASTY_GROUP, gain),
                difference("songs", 0.02),
            ],
            worst: difference("worst target", gain),
        },
        Event::Finished {
            ending: RunEnding::Completed,
            spent: Spend {
                calls: 1234,
                prompt_tokens: 56_789,
                completion_tokens: 1011,
                picodollars: 1_250_000_000_000,
                ..Spend::default()
            },
            unanswered: Spend::default(),
            target_labels_read: 0,
            audit_labels_read: 300,
        },
    ]
}

/// A whole run; `gain` is selected − seed on the worst target group.
pub(crate) fn events(method: &str, seed_number: u64, gain: f64) -> Vec<Event> {
    let (seed, induced, selected) = (seed(), induced(), selected());
    let mut events = vec![
        started(method, seed_number),
        proposed(&seed, Origin::Seed, vec![]),
        phase(Phase::Propose, "induce: 36 texts"),
        Event::Discarded {
            reason: "copies an example".into(),
            count: 4,
            example: "no".into(),
        },
        proposed(&induced, Origin::Induced, vec![seed.id()]),
        phase(Phase::Screen, "2 prompts, 2 of them to keep"),
    ];
    events.extend(ranked(&induced, Phase::Screen, 0.71, 40, true));
    events.extend(ranked(&seed, Phase::Screen, 0.64, 30, true));
    events.push(phase(Phase::Vote, "2 prompts label 4 target inputs"));
    events.push(voted(&induced, &seed));
    events.push(phase(Phase::Refine, "round 1 of 1: 12 edits"));
    events.push(proposed(&selected, Origin::Edit, vec![induced.id()]));
    events.extend(ranked(&selected, Phase::Refine, 0.75, 60, true));
    events.extend(ranked(&induced, Phase::Refine, 0.7, 60, true));
    events.extend(ranked(&seed, Phase::Refine, 0.65, 60, true));
    events.push(phase(Phase::Final, "3 finalists on 60 examples"));
    events.extend(ranked(&selected, Phase::Final, 0.74, 60, true));
    events.extend(ranked(&induced, Phase::Final, 0.7, 60, false));
    events.extend(ranked(&seed, Phase::Final, 0.66, 60, true));
    events.extend(ending(&selected, &induced, gain));
    events
}

/// The fold of a whole run under a name.
pub(crate) fn run(name: &str, method: &str, seed: u64, gain: f64) -> NamedRun {
    NamedRun::new(name, RunSummary::of(&events(method, seed, gain)))
}
