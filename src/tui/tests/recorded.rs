//! A small run as it would be told, the same every time.

use std::time::Duration;

use shiftproof_search::budget::{BudgetLimits, Spend};
use shiftproof_search::event::{
    AnswerDetail, AnswerVerdict, AuditedPrompt, CandidateProposed, ClassVotes, EndedBatch, Event,
    GroupInfo, GroupOutcome, GroupRole, InputVote, Origin, Phase, ProgressTick, RunEnding,
    RunStarted, ScoreDifference, ShownInput, UngradedReason, VoteSummary,
};
use shiftproof_search::llm::ClientTraffic;
use shiftproof_tasks::{Prompt, PromptId};

const SEED: &str = "Is this customer review positive or negative?";
const LIBRARY: &str = "Classify the text as positive or negative. Answer with one word.";
const INDUCED: &str = "Say whether the review praises the product or complains about it.";
const MIXED: &str = "Is the text positive or negative? Answer with one word.";
const EDIT: &str = "Is this text, whatever it is about, positive or negative?";
const LONG: &str = "Read the text twice. Then say in one word, positive or negative, what the \
    writer thinks of it; do not mind what the text is about, and do not explain.";

pub fn id(text: &str) -> PromptId {
    Prompt::new(text).id()
}

/// What the selected prompt said where it is wrong.
pub fn detail() -> AnswerDetail {
    AnswerDetail {
        candidate: edit(),
        input: 2,
        text: None,
        label: None,
        answer: None,
        reason: None,
        reply: Some("Whoever wrote this is not happy: \u{1b}[31mnegative, I would say.".into()),
        wrong: Vec::new(),
    }
}

pub fn edit() -> PromptId {
    id(EDIT)
}

fn proposed(text: &str, origin: Origin, parents: &[&str]) -> Event {
    Event::Proposed(CandidateProposed {
        candidate: id(text),
        prompt: Prompt::new(text),
        origin,
        parents: parents.iter().map(|parent| id(parent)).collect(),
    })
}

fn group(name: &str, value: f64, half: f64, n: usize, voted: bool) -> GroupOutcome {
    GroupOutcome {
        group: name.into(),
        role: if name == "amazon" {
            GroupRole::Source
        } else {
            GroupRole::Target
        },
        voted,
        value: Some(value),
        low: Some((value - half).max(0.0)),
        high: Some((value + half).min(1.0)),
        n,
        unparseable: usize::from(value < 0.55),
        truncated: 0,
        failed: 0,
    }
}

fn scores(amazon: f64, movies: Option<f64>, nyt: Option<f64>, n: usize) -> Vec<GroupOutcome> {
    let half = 0.9 / (n as f64).sqrt();
    let mut groups = vec![group("amazon", amazon, half, n, false)];
    groups.extend(movies.map(|value| group("movies", value, half, n / 2, true)));
    groups.extend(nyt.map(|value| group("nyt", value, half, n / 2, true)));
    groups
}

fn judged(
    text: &str,
    phase: Phase,
    score: f64,
    groups: Vec<GroupOutcome>,
    reason: &str,
) -> [Event; 2] {
    [
        Event::Evaluated {
            candidate: id(text),
            phase,
            score,
            groups,
        },
        Event::Decided {
            candidate: id(text),
            kept: !reason.contains("behind"),
            reason: reason.into(),
        },
    ]
}

fn leading(text: &str, phase: Phase, calls: u64, groups: Vec<GroupOutcome>) -> Event {
    Event::Leading {
        candidate: id(text),
        phase,
        calls,
        score: groups[0].value.unwrap_or(0.0),
        groups,
    }
}

fn input(number: usize, group: &str, text: &str, label: Option<&str>) -> ShownInput {
    ShownInput {
        id: format!("{group}-{number}"),
        group: group.into(),
        text: text.into(),
        label: label.map(Into::into),
    }
}

fn phase(phase: Phase, plan: &str) -> Event {
    Event::Phase {
        phase,
        plan: plan.into(),
    }
}

/// The run up to the first race's end and the vote.
#[allow(clippy::too_many_lines)] // One event after the other.
pub fn first_half() -> Vec<Event> {
    let info = |name: &str, role, train, validation, unlabelled| GroupInfo {
        name: name.into(),
        role,
        train,
        validation,
        labelled: 0,
        unlabelled,
        audit: 100,
    };
    let mut events = vec![
        Event::Started(RunStarted {
            study: "reviews".into(),
            task: "classify".into(),
            metric: "accuracy".into(),
            method: "gpo".into(),
            objective: "robust".into(),
            task_model: "small".into(),
            proposer_model: "small".into(),
            seed: 1,
            limits: BudgetLimits {
                calls: Some(4000),
                tokens: None,
                usd: Some(2.0),
            },
            groups: vec![
                info("amazon", GroupRole::Source, 60, 120, 0),
                info("movies", GroupRole::Target, 0, 0, 120),
                info("nyt", GroupRole::Target, 0, 0, 120),
            ],
            version: "0.1.0".into(),
        }),
        proposed(SEED, Origin::Seed, &[]),
        proposed(LIBRARY, Origin::Library, &[]),
        phase(Phase::Propose, "induce: 12 texts"),
        Event::Discarded {
            reason: "names no label".into(),
            count: 7,
            example: "The weather is fine.".into(),
        },
        proposed(INDUCED, Origin::Induced, &[]),
        proposed(LONG, Origin::Paraphrase, &[INDUCED]),
        phase(Phase::Screen, "4 prompts, 3 of them to keep"),
        leading(LIBRARY, Phase::Screen, 120, scores(0.6, None, None, 15)),
        leading(LIBRARY, Phase::Screen, 260, scores(0.64, None, None, 30)),
        leading(SEED, Phase::Screen, 480, scores(0.66, None, None, 60)),
        Event::Inputs {
            inputs: vec![
                input(
                    1,
                    "amazon",
                    "Broke after two days. I want my money back.",
                    Some("negative"),
                ),
                input(
                    2,
                    "amazon",
                    "Does what it says, and quietly.",
                    Some("positive"),
                ),
                input(
                    3,
                    "amazon",
                    "Fine for the price, I suppose?",
                    Some("positive"),
                ),
            ],
        },
        Event::Answered {
            candidate: id(SEED),
            phase: Phase::Screen,
            texts: vec![
                "negative".into(),
                "positive".into(),
                "It is a review.".into(),
            ],
            answers: vec![
                (0, 0, AnswerVerdict::Graded(1.0)).into(),
                (1, 0, AnswerVerdict::Graded(0.0)).into(),
                (2, 2, AnswerVerdict::Ungraded(UngradedReason::Unparseable)).into(),
            ],
        },
    ];
    events.extend(judged(
        SEED,
        Phase::Screen,
        0.66,
        scores(0.66, None, None, 60),
        "rank 1 of 4 on 60 examples",
    ));
    events.extend(judged(
        LIBRARY,
        Phase::Screen,
        0.64,
        scores(0.64, None, None, 60),
        "rank 2 of 4 on 60 examples",
    ));
    events.extend(judged(
        INDUCED,
        Phase::Screen,
        0.58,
        scores(0.58, None, None, 30),
        "rank 3 of 4 on 30 examples",
    ));
    events.extend(judged(
        LONG,
        Phase::Screen,
        0.51,
        scores(0.51, None, None, 15),
        "rank 4 of 4 on 15 examples; behind after the first halving",
    ));
    events.push(phase(Phase::Vote, "3 prompts label 240 target inputs"));
    events.push(Event::Inputs {
        inputs: vec![
            input(
                1,
                "movies",
                "Two hours of my life that I will not get back.",
                None,
            ),
            input(
                2,
                "nyt",
                "The council's plan deserves a hearing, if not a cheer.",
                None,
            ),
        ],
    });
    events.push(Event::Answered {
        candidate: id(SEED),
        phase: Phase::Vote,
        texts: vec!["negative".into(), "positive".into()],
        answers: vec![
            (3, 0, AnswerVerdict::Ungraded(UngradedReason::Unlabelled)).into(),
            (4, 1, AnswerVerdict::Ungraded(UngradedReason::Unlabelled)).into(),
        ],
    });
    events.push(Event::Voted(VoteSummary {
        voters: vec![id(SEED), id(LIBRARY), id(INDUCED)],
        threshold: 0.83,
        inputs: 240,
        kept: 150,
        source_accuracy: Some(0.78),
        checked: None,
        standings: vec![],
        classes: vec![
            ClassVotes {
                label: "negative".into(),
                won: 130,
                kept: 90,
            },
            ClassVotes {
                label: "positive".into(),
                won: 108,
                kept: 60,
            },
        ],
        votes: vec![
            InputVote {
                input: "movies-1".into(),
                winner: Some("negative".into()),
                share: 1.0,
                kept: true,
            },
            InputVote {
                input: "nyt-2".into(),
                winner: Some("positive".into()),
                share: 2.0 / 3.0,
                kept: false,
            },
            InputVote {
                input: "nyt-3".into(),
                winner: None,
                share: 0.0,
                kept: false,
            },
        ],
    }));
    events
}

/// The whole run.
pub fn whole() -> Vec<Event> {
    let mut events = first_half();
    events.push(phase(
        Phase::Repropose,
        "induce: 12 texts from 60 voted and as many source examples",
    ));
    events.push(proposed(MIXED, Origin::InducedFromMix, &[]));
    events.push(phase(
        Phase::Refine,
        "round 1 of 1: 4 edits and crossovers of 3 prompts",
    ));
    events.push(proposed(EDIT, Origin::Edit, &[SEED]));
    events.push(proposed(
        &format!("{SEED} {LIBRARY}"),
        Origin::Crossover,
        &[SEED, LIBRARY],
    ));
    events.push(leading(
        MIXED,
        Phase::Refine,
        1500,
        scores(0.7, Some(0.72), Some(0.6), 80),
    ));
    events.push(leading(
        EDIT,
        Phase::Refine,
        1900,
        scores(0.72, Some(0.74), Some(0.66), 110),
    ));
    events.extend(judged(
        EDIT,
        Phase::Refine,
        0.7,
        scores(0.72, Some(0.74), Some(0.66), 110),
        "rank 1 of 5 on 220 examples",
    ));
    events.extend(judged(
        MIXED,
        Phase::Refine,
        0.68,
        scores(0.7, Some(0.72), Some(0.6), 110),
        "rank 2 of 5 on 220 examples",
    ));
    events.push(Event::Answered {
        candidate: id(EDIT),
        phase: Phase::Refine,
        texts: vec!["negative".into(), "positive".into()],
        answers: vec![
            (0, 0, AnswerVerdict::Graded(1.0)).into(),
            (1, 1, AnswerVerdict::Graded(1.0)).into(),
            (2, 0, AnswerVerdict::Graded(0.0)).into(),
            (3, 0, AnswerVerdict::Graded(1.0)).into(),
        ],
    });
    events.push(phase(Phase::Final, "3 finalists on 210 examples"));
    events.push(Event::Selected {
        candidate: id(EDIT),
        reason: "1.9 points ahead of the next by the shrunk robust score".into(),
        ensemble: vec![id(EDIT), id(MIXED)],
    });
    events.push(phase(
        Phase::Audit,
        "seed, selected and an ensemble of 2 on 300 sealed examples",
    ));
    let sealed = |amazon, movies, nyt| {
        vec![
            group("amazon", amazon, 0.09, 100, false),
            group("movies", movies, 0.09, 100, false),
            group("nyt", nyt, 0.1, 100, false),
        ]
    };
    for (contestant, groups) in [
        (AuditedPrompt::Seed, sealed(0.62, 0.71, 0.53)),
        (AuditedPrompt::Selected, sealed(0.7, 0.74, 0.63)),
        (AuditedPrompt::Ensemble, sealed(0.69, 0.74, 0.61)),
    ] {
        events.push(Event::Audited { contestant, groups });
    }
    let difference = |group: &str, value: f64| ScoreDifference {
        group: group.into(),
        value,
        low: value - 0.09,
        high: value + 0.09,
        n: 100,
    };
    events.push(Event::Compared {
        groups: vec![
            difference("amazon", 0.08),
            difference("movies", 0.03),
            difference("nyt", 0.1),
        ],
        worst: difference("worst target", 0.1),
    });
    events.push(Event::Finished {
        ending: RunEnding::Completed,
        spent: spent(3100),
        unanswered: Spend::default(),
        target_labels_read: 0,
        audit_labels_read: 300,
    });
    events
}

fn spent(calls: u64) -> Spend {
    Spend {
        calls,
        prompt_tokens: calls * 50,
        completion_tokens: calls,
        picodollars: calls * 80_000_000,
        ..Spend::default()
    }
}

/// Signs of life of the vote: one a second.
pub fn ticks() -> Vec<(Duration, ProgressTick)> {
    (0..40)
        .map(|n: u64| {
            let failed = u64::from(n == 17);
            let tick = ProgressTick {
                phase: Phase::Vote,
                done: n + 1,
                total: 240,
                sent: 600 + 12 * n,
                spent: spent(600),
                ended: Some(EndedBatch {
                    calls: 1,
                    latency: Duration::from_millis(180 + (n * 37) % 200),
                    tokens: 52 * (1 - failed),
                    failed,
                    error: (failed > 0).then(|| "the request is too long for the model".into()),
                }),
                in_flight: 4,
                slots: 8,
                traffic: Some(ClientTraffic {
                    in_flight: 3,
                    limit: 4,
                    waiting: 1,
                    retries: 5,
                    rate_limited: 2,
                }),
                paused: false,
                status: None,
            };
            (Duration::from_secs(n), tick)
        })
        .collect()
}
