use shiftproof_tasks::{Message, Reply, Role};

use super::*;
use crate::budget::BudgetLimits;
use crate::llm::{Capabilities, LlmError};
use crate::scripted::{Bench, ProposerBench, examples, server, text};

fn induction(target: TargetUse) -> InductionProposer {
    InductionProposer {
        shots: 12,
        chunks: 3,
        target,
    }
}

/// A prompt of its own for each call, said as a chat model says it.
fn chatty(call: &ModelCall) -> Result<Reply, LlmError> {
    Ok(Reply::text(format!(
        "<think>Two labels, so a choice.</think>\nSure! Here is the prompt you asked \
         for:\n\n<prompt>\nRead the note of case {} and say positive or negative.\n</prompt>\n\nLet \
         me know if you want another one!",
        call.sample
    )))
}

async fn proposed(bench: &ProposerBench, target: TargetUse) -> ProposalBatch {
    induction(target).propose(&bench.view()).await.unwrap()
}

/// The numbers of the notes that a request shows as `group`'s.
fn shown(call: &ModelCall, group: &str) -> Vec<usize> {
    let start = format!("{group} note number ");
    let messages = &call.request.messages;
    let user = messages.iter().map(|message| &message.content);
    let lines = user.flat_map(|content| content.lines());
    let lines = lines.filter_map(|line| line.strip_prefix("Input: "));
    let numbers = lines.filter_map(|line| line.strip_prefix(&start)?.parse().ok());
    numbers.collect()
}

fn rules(batch: &ProposalBatch) -> Vec<(&str, u64)> {
    let told = batch.discards.0.iter();
    told.map(|(rule, (count, _))| (rule.as_str(), *count))
        .collect()
}

#[tokio::test]
async fn chunks_take_turns() {
    let bench = ProposerBench::new(Bench::new(chatty), 6);
    let batch = proposed(&bench, TargetUse::Nothing).await;
    let mut calls = bench.bench.asked();
    calls.sort_by_key(|call| call.sample);
    let chunks: Vec<Vec<usize>> = calls.iter().map(|call| shown(call, "source")).collect();
    let expected: [Vec<usize>; 3] = [(0..4).collect(), (4..8).collect(), (8..12).collect()];
    assert_eq!(chunks, [expected.clone(), expected].concat());
    // The first of each chunk is greedy; the others vary, and rewrite what is there.
    for (at, call) in calls.iter().enumerate() {
        let again = at >= 3;
        assert_eq!(call.sampling.temperature > 0.0, again);
        assert_eq!(text(call).contains("<current_prompt>"), again);
    }
    assert_eq!((batch.asked, batch.again, batch.kept.len()), (6, 0, 6));
    for (at, proposal) in batch.kept.iter().enumerate() {
        let instruction = format!("Read the note of case {at} and say positive or negative.");
        assert_eq!(proposal.prompt.instruction, instruction);
        assert_eq!(
            (proposal.origin, proposal.chunk),
            (Origin::Induced, Some(at % 3))
        );
        assert_eq!(proposal.parents.is_empty(), at < 3);
    }
    assert!(rules(&batch).is_empty());
}

#[tokio::test]
async fn useless_replies_are_counted() {
    let check = async |reply: &'static str, kept: usize, expected: &[(&str, u64)]| {
        let manner = move |_: &ModelCall| Ok(Reply::text(reply));
        let bench = ProposerBench::new(Bench::new(manner), 4);
        let batch = proposed(&bench, TargetUse::Nothing).await;
        assert_eq!(
            (batch.kept.len(), rules(&batch).as_slice()),
            (kept, expected)
        );
    };
    let same = "```\nSay if the note is positive or negative.\n```";
    check(same, 1, &[("it was proposed before", 3)]).await;
    check(
        "<think>What could it be",
        0,
        &[("no prompt is in the reply", 4)],
    )
    .await;
    check(
        "<prompt>Yes.</prompt>",
        0,
        &[("it is too short to be an instruction", 4)],
    )
    .await;
    let five = "<prompt>Say one: positive or negative.</prompt>\n\
                <prompt>Say two: positive or negative.</prompt>\n\
                <prompt>Say three: positive or negative.</prompt>\n\
                <prompt>Say four: positive or negative.</prompt>\n\
                <prompt>Say five: positive or negative.</prompt>";
    check(five, 4, &[("more were sent than asked for", 16)]).await;
}

#[tokio::test]
async fn targets_are_shown_as_asked() {
    let notes = |target, voted: usize| async move {
        let mut bench = ProposerBench::new(Bench::new(chatty), 3);
        bench.pseudo_labelled = examples("target", voted);
        let batch = proposed(&bench, target).await;
        let calls = bench.bench.asked();
        let all = |group| -> Vec<usize> {
            let mut all: Vec<usize> = calls.iter().flat_map(|call| shown(call, group)).collect();
            all.sort_unstable();
            all
        };
        let beside = calls
            .iter()
            .filter(|call| text(call).contains("inputs like these"));
        (
            all("source").len(),
            all("target"),
            beside.count(),
            batch.kept[0].origin,
        )
    };
    assert_eq!(
        notes(TargetUse::Nothing, 2).await,
        (12, vec![], 0, Origin::Induced)
    );
    // As many inputs as a chunk has shots, in turn.
    let inputs = [[0; 3], [1; 3], [2; 3], [3; 3]].concat();
    assert_eq!(
        notes(TargetUse::Inputs, 2).await,
        (12, inputs, 3, Origin::Induced)
    );
    // Half and half, the few voted ones as often as it takes.
    let voted = [[0; 6], [1; 6]].concat();
    let mixed = Origin::InducedFromMix;
    assert_eq!(notes(TargetUse::Voted, 2).await, (12, voted, 0, mixed));
    assert_eq!(notes(TargetUse::Voted, 0).await, (12, vec![], 0, mixed));
}

#[tokio::test]
async fn lines_go_on_from_openings() {
    let goes_on = |call: &ModelCall| {
        let Message { content, .. } = call.request.messages.last().unwrap();
        // A continuation, then what small models add.
        Ok(Reply::text(if content.ends_with("Classify the") {
            "note as positive or negative. Be brief and do not\nInput: another note"
        } else {
            "weather in Paris. It rains there."
        }))
    };
    let mut bench = ProposerBench::new(Bench::new(goes_on), 4);
    bench.form = ProposalForm::Opening;
    let batch = proposed(&bench, TargetUse::Nothing).await;
    let calls = bench.bench.asked();
    assert!(calls.iter().all(|call| {
        call.sampling.max_tokens == LINE_TOKENS && text(call).starts_with("The instruction was: ")
    }));
    let openings: std::collections::BTreeSet<&str> = calls.iter().map(text).collect();
    assert_eq!(openings.len(), 4, "each from another opening");
    let kept: Vec<&str> = batch
        .kept
        .iter()
        .map(|own| own.prompt.instruction.as_str())
        .collect();
    assert_eq!(kept, ["Classify the note as positive or negative."]);
    assert_eq!(rules(&batch), [("it names no label", 3)]);
    assert_eq!(batch.asked, 4);
}

#[tokio::test]
async fn nothing_comes_of_nothing() {
    for form in [ProposalForm::Plain, ProposalForm::Opening] {
        let mut bench = ProposerBench::new(Bench::new(chatty), 4);
        bench.form = form;
        bench.source.clear();
        let batch = proposed(&bench, TargetUse::Nothing).await;
        assert_eq!((batch.kept.len(), batch.asked), (0, 0));
        let bench = ProposerBench::new(Bench::limited(0, chatty), 4);
        let batch = proposed(&bench, TargetUse::Nothing).await;
        assert_eq!((batch.kept.len(), batch.asked), (0, 0));
        assert!(bench.bench.asked().is_empty() && rules(&batch).is_empty());
    }
}

#[test]
fn continuations_end_with_sentences() {
    let check = |opening: &str, reply: &str, expected: &str| {
        assert_eq!(join(opening, complete_sentences(reply)), expected);
    };
    check("Classify the", "note. Say why", "Classify the note.");
    check("Classify the", " note as good", "Classify the note as good");
    check("Is it good", "? Or bad? Hm", "Is it good? Or bad?");
    check("Rate how", ", well, good", "Rate how, well, good");
    check("Judge", "", "Judge");
}

#[test]
fn proposer_names_tell_sources() {
    let name = |target| {
        let proposer = induction(target);
        assert!(proposer.asks_model());
        proposer.name().to_owned()
    };
    assert_eq!(name(TargetUse::Nothing), "induce (APE)");
    assert!(name(TargetUse::Inputs).contains("APE-ut"));
    assert!(name(TargetUse::Voted).contains("GPO"));
}

/// Shown a pattern, it puts other nouns into it; made to go on, it goes on.
fn parrot(call: &ModelCall) -> Result<Reply, LlmError> {
    let begun = call
        .request
        .messages
        .last()
        .is_some_and(|message| message.role == Role::Assistant);
    Ok(Reply::text(if begun {
        format!(" say if note {} is positive or negative.", call.sample)
    } else {
        "<prompt>You are shown a note that a customer left at a gym. Decide whether it is about \
         cardio or strength training.</prompt>"
            .to_owned()
    }))
}

#[tokio::test]
async fn parrots_go_on_from_openings() {
    let prefilled = Capabilities {
        prefill: true,
        ..server()
    };
    let bench = ProposerBench::new(Bench::with(prefilled, BudgetLimits::default(), parrot), 4);
    let batch = proposed(&bench, TargetUse::Nothing).await;
    assert_eq!((batch.asked, batch.again, batch.kept.len()), (4, 4, 4));
    assert_eq!(rules(&batch), [("it repeats the words of the request", 4)]);
    // Who cannot be made to go on is not asked to.
    let bench = ProposerBench::new(Bench::with(server(), BudgetLimits::default(), parrot), 4);
    let batch = proposed(&bench, TargetUse::Nothing).await;
    assert_eq!((batch.asked, batch.again, batch.kept.len()), (4, 0, 0));
}
