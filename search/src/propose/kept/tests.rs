use shiftproof_tasks::Reply;

use super::*;
use crate::llm::ModelCall;
use crate::scripted::{Bench, ProposerBench};

#[track_caller]
fn check(parent: &str, child: &str, expected: Result<(), &str>) {
    let bench = Bench::new(|_: &ModelCall| Ok(Reply::text("")));
    let mut bench = ProposerBench::new(bench, 1);
    bench.limit = 60;
    let view = bench.view();
    let screen = ProposalScreen::new(&view);
    let got = RequiredPieces::of(&view, &screen, parent).check(child);
    assert_eq!(got, expected.map_err(str::to_owned), "{child}");
}

#[test]
fn labels_keep_their_count() {
    let parent = "Positive notes are kind. Say positive or negative.";
    let lost = Err("it would drop a label");
    check(
        parent,
        "Negative! Say positive or negative. Positive too.",
        Ok(()),
    );
    check(parent, "Say positive or negative.", lost);
    check(parent, "Positive, positive, and negativity.", lost);
    // A label that the parent does not name need not be there.
    check("Judge the mood.", "Judge it.", Ok(()));
}

#[test]
fn placeholders_are_never_dropped() {
    let parent = "Note: {text}. Judge its mood.";
    check(parent, "Judge its mood. Note: {text}.", Ok(()));
    check(
        parent,
        "Judge its mood. Note: none.",
        Err("it would drop a placeholder"),
    );
    // The sentence around a placeholder stays as it is.
    check(
        parent,
        "The note: {text}, of which judge the mood.",
        Err("it would drop what the output looks like"),
    );
}

#[test]
fn formats_and_paragraphs_stay() {
    let parent = "Judge the mood.\n\n- Weigh the price.\n\nAnswer with one word.";
    check(
        parent,
        "Judge it.\n\n- Weigh the price.\n\nAnswer with one word.",
        Ok(()),
    );
    check(
        parent,
        "Judge the mood.\n\n- Weigh the price.\n\nWith one word.",
        Err("it would drop what the output looks like"),
    );
    check(
        parent,
        "Judge the mood. Answer with one word.",
        Err("it would drop a paragraph"),
    );
    check(
        "Judge the mood.",
        &"Judge the mood of it. ".repeat(20),
        Err("it would be longer than 60 tokens (search.max_prompt_tokens)"),
    );
}

#[test]
fn neighbouring_names_both_count() {
    assert_eq!(times(" yes yes yesterday yes ", " yes "), 3);
    assert_eq!(times(" no ", " yes "), 0);
}
