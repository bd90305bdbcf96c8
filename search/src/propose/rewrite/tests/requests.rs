//! What is asked, and what comes of it where the model answers well.

use super::*;

#[tokio::test]
async fn gradients_lead_to_edits_and_paraphrases() {
    let (batch, asked) = propose(&gradient(), ProposalForm::Plain, 5, |_, request| {
        let text = text_of(request);
        Reply::text(if text.contains("different reasons") {
            "Sure!\n<reason>It does not say whose task a cold meal is.</reason>\n<reason>It leaves \
             open what to answer where nothing fits.</reason>"
        } else if text.contains("whose task") {
            GOOD
        } else if text.contains("other words") {
            "Guests complain. Sort it: what is about food, drink or waiters goes to the kitchen, \
             all about noise, heating or linen goes to rooms.\n\nOne word is the answer, kitchen \
             or rooms."
        } else {
            BETTER
        })
    })
    .await;
    // Reasons, an edit against each, and both in other words.
    assert_eq!(asked.len(), 5);
    let reasons = text_of(&asked[0]);
    says(
        &reasons,
        &[
            SEED,
            "The soup was cold",
            "Its output: rooms",
            "Right output: kitchen",
            "Give 4 different reasons",
            // An answer that is none is told as one.
            "That depends, dear guest!\nIt is not an answer of the form that is wanted.",
        ],
    );
    assert!(!reasons.contains("radiator"), "gradients come from errors");
    says(
        &text_of(&asked[1]),
        &["whose task a cold meal is", "kitchen or rooms"],
    );
    says(&text_of(&asked[2]), &["where nothing fits"]);
    let origins: Vec<Origin> = batch.kept.iter().map(|kept| kept.origin).collect();
    assert_eq!(
        origins,
        [Origin::Reflected, Origin::Reflected, Origin::Paraphrase]
    );
    assert_eq!(batch.kept[0].parents, [Desks.seed().id()]);
    assert_eq!(batch.kept[2].parents, [batch.kept[0].prompt.id()]);
    // Four prompts were asked for; the second paraphrase says what the first did.
    assert_eq!((batch.asked, batch.discards.count()), (4, 1));
}

#[tokio::test]
async fn texts_are_shared_out_over_the_beam() {
    let case = |text: &str| GradientCase {
        parent: Prompt::new(text),
        ..gradient().cases.remove(0)
    };
    for (cases, count, expected) in [(4, 12, 2), (4, 7, 1), (1, 2, 0), (1, 1, 0), (2, 8, 1)] {
        let proposer = GradientProposer {
            cases: (0..cases)
                .map(|at| case(&format!("Prompt {at}: kitchen or rooms?")))
                .collect(),
        };
        let (batch, asked) = propose(&proposer, ProposalForm::Plain, count, |at, request| {
            let text = text_of(request);
            let words = [
                "mild", "stern", "swift", "calm", "dry", "full", "warm", "kind",
            ];
            let one = words[at % words.len()];
            let two = words[at / words.len()];
            Reply::text(if text.contains("different reasons") {
                "<reason>It names nothing that tells them apart.</reason>".to_owned()
            } else {
                format!(
                    "Be {one} and {two} with each complaint: kitchen if it is about food, rooms \
                     if it is about sleep."
                )
            })
        })
        .await;
        let reasons = asked
            .iter()
            .filter(|request| text_of(request).contains("different reasons"));
        assert_eq!(reasons.count(), expected, "{cases} cases, {count} texts");
        assert!(asked.len() <= count, "{} of {count}", asked.len());
        assert_eq!(batch.kept.len(), count - expected, "{:?}", batch.discards);
    }
}

#[tokio::test]
async fn silent_critics_do_not_stop_the_edits() {
    let (batch, asked) = propose(&gradient(), ProposalForm::Plain, 4, |_, request| {
        Reply::text(if text_of(request).contains("different reasons") {
            "rooms"
        } else {
            GOOD
        })
    })
    .await;
    assert!(!text_of(&asked[1]).contains("What is wrong with the prompt"));
    assert_eq!(batch.kept.len(), 1);
    assert!(batch.discards.0.contains_key("no reason is in the reply"));
    assert_eq!(
        batch.asked,
        batch.kept.len() as u64 + batch.discards.count()
    );
}

#[tokio::test]
async fn traces_are_shown_with_feedback() {
    let (batch, asked) = propose(&reflection(), ProposalForm::Plain, 1, |_, _| {
        Reply::text(format!("<think>Food goes first.</think>\n```\n{GOOD}\n```"))
    })
    .await;
    says(
        &text_of(&asked[0]),
        &[
            SEED,
            "Its output: rooms\nRight output: kitchen",
            "The radiator never worked.\nIts output: rooms\nRight output: rooms",
            "for each of the labels kitchen or rooms",
        ],
    );
    assert_eq!(batch.kept[0].prompt, Prompt::new(GOOD));
    assert_eq!(
        (batch.kept[0].origin, batch.kept[0].chunk),
        (Origin::Reflected, Some(0))
    );
}

#[tokio::test]
async fn groups_are_shown_with_what_must_stay_right() {
    let mut proposer = group_reflection(2);
    for failure in &mut proposer.cases[1].failures {
        failure.voted = true;
    }
    proposer.cases[1].contrast = None;
    let (batch, asked) = propose(&proposer, ProposalForm::Plain, 2, |at, _| {
        Reply::text([GOOD, BETTER][at])
    })
    .await;
    let [first, second] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    let (first, second) = (text_of(first), text_of(second));
    says(
        &first,
        &[
            "weakest in the group \"letters\"",
            "The soup was cold",
            "It gets these right",
            "The radiator never worked.",
            "<other_prompt>",
            BETTER,
            "Soon it has to work on inputs like these",
            "never by one rule for each input",
        ],
    );
    // Target inputs take turns, and have no output.
    let shown = |text: &str| ["omg the kettle leaks", "no towels??"].map(|t| text.contains(t));
    assert_ne!(shown(&first), shown(&second));
    assert!(!second.contains("<other_prompt>"));
    says(&second, &["Output that most prompts give: kitchen"]);
    assert!(
        !second.contains("Right output: kitchen"),
        "a vote is no truth"
    );
    assert_eq!(batch.kept.len(), 2);
    let parents = [Desks.seed().id(), Prompt::new(BETTER).id()];
    assert_eq!(batch.kept[0].parents, parents);
}

#[tokio::test]
async fn merges_show_what_each_alone_gets_right() {
    let (batch, asked) = propose(&merge(), ProposalForm::Plain, 1, |_, _| Reply::text(GOOD)).await;
    let text = text_of(&asked[0]);
    says(
        &text,
        &[
            SEED,
            BETTER,
            "Only the first prompt gets these inputs right:\n\nInput: The radiator",
            "Only the second prompt gets these inputs right:\n\nInput: The soup",
        ],
    );
    assert_eq!(batch.kept[0].origin, Origin::Merged);
    assert_eq!(batch.kept[0].parents.len(), 2);
}
