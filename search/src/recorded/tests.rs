use shiftproof_tasks::{Prompt, PromptId};

use super::*;
use crate::event::{CandidateProposed, Origin, Phase, ShownAnswer, ShownInput};

fn proposed(text: &str) -> Event {
    let prompt = Prompt::new(text);
    Event::Proposed(CandidateProposed {
        candidate: prompt.id(),
        prompt,
        origin: Origin::Human,
        parents: Vec::new(),
    })
}

/// `count` inputs of a group.
fn told(group: &str, count: usize) -> Event {
    let input = |at: usize| ShownInput {
        id: format!("{group}-{at}"),
        group: group.into(),
        text: String::new(),
        label: None,
    };
    Event::Inputs {
        inputs: (0..count).map(input).collect(),
    }
}

fn id(text: &str) -> PromptId {
    Prompt::new(text).id()
}

fn answered(text: &str, inputs: std::ops::Range<u32>, verdict: AnswerVerdict) -> Event {
    Event::Answered {
        candidate: id(text),
        phase: Phase::Screen,
        texts: vec!["yes".into()],
        answers: inputs
            .map(|input| ShownAnswer {
                input,
                text: 0,
                verdict,
            })
            .collect(),
    }
}

const RIGHT: AnswerVerdict = AnswerVerdict::Graded(1.0);
const EVADED: AnswerVerdict = AnswerVerdict::Ungraded(UngradedReason::Unparseable);
const FAILED: AnswerVerdict = AnswerVerdict::Ungraded(UngradedReason::Failed);

/// Two prompts on twelve inputs of each of two groups.
fn whole() -> Vec<Event> {
    vec![
        proposed("a"),
        proposed("b"),
        told("source", 12),
        told("target", 12),
        answered("a", 0..24, RIGHT),
        answered("b", 0..10, RIGHT),
        answered("b", 10..24, EVADED),
    ]
}

#[test]
fn runs_become_matrices() {
    let matrix = matrix_of_run("run", &whole()).unwrap();
    assert_eq!(matrix.groups, ["source", "target"]);
    assert_eq!(matrix.group_of.len(), 24);
    let means: Vec<f32> = matrix
        .outcomes
        .chunks(24)
        .map(|row| row.iter().sum::<f32>() / 24.0)
        .collect();
    let of = |text: &str| {
        let at = matrix.prompts.iter().position(|own| own == text).unwrap();
        means[at]
    };
    // What is not of the form asked for is wrong.
    assert_eq!((of("a"), of("b")), (1.0, 10.0 / 24.0));
}

#[test]
fn latest_grade_counts() {
    let mut events = whole();
    events.push(answered("b", 10..24, RIGHT));
    let matrix = matrix_of_run("run", &events).unwrap();
    assert!(matrix.outcomes.iter().all(|grade| *grade == 1.0));
    // What has no grade is missing, and takes none away.
    events.push(answered("c", 0..24, FAILED));
    events.push(answered("b", 0..2, FAILED));
    assert_eq!(
        matrix_of_run("run", &events).unwrap().outcomes,
        matrix.outcomes
    );
}

#[test]
fn thin_runs_make_none() {
    let check = |events: &[Event], expected: bool| {
        assert_eq!(matrix_of_run("run", events).is_some(), expected);
    };
    check(&whole(), true);
    check(&[], false);
    // One prompt, one group, or a prompt that nobody proposed.
    check(&[&whole()[..5]].concat(), false);
    check(&[&whole()[1..]].concat(), false);
    let one_group = [
        proposed("a"),
        proposed("b"),
        told("source", 12),
        answered("a", 0..12, RIGHT),
        answered("b", 0..12, RIGHT),
    ];
    check(&one_group, false);
    // Nine answers say nothing of a group.
    let mut few = whole();
    few[5] = answered("b", 3..12, RIGHT);
    few[6] = answered("b", 12..24, EVADED);
    check(&few, false);
    few[5] = answered("b", 2..12, RIGHT);
    check(&few, true);
}
