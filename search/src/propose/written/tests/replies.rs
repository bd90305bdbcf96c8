//! Replies as real models send them, and models that only go on from an opening.

use super::*;

/// All proposers, asked for two prompts from two parents.
fn every() -> Vec<Box<dyn Proposer>> {
    let trial = DifferentialTrial {
        current: prompt("red"),
        donors: [prompt("red"), prompt("blue")],
        best: prompt("blue"),
    };
    vec![
        Box::new(tried(&[("red", 40), ("blue", 60)])),
        Box::new(GeneticProposer {
            pairs: vec![[prompt("red"), prompt("blue")]; 8],
        }),
        Box::new(DifferentialProposer {
            trials: vec![trial; 8],
        }),
        Box::new(OffspringProposer {
            offspring: offspring(8),
        }),
    ]
}

#[tokio::test]
async fn replies_of_real_models_are_read() {
    let good = prompt("green").instruction;
    let (lead_in, fenced) = (
        format!("Sure! Here is the new prompt:\n\n<prompt>\n{good}\n</prompt>\n\nIt is shorter."),
        format!("```text\n{good}\n```"),
    );
    let thought = format!("<think>Crossing <prompt>a b c d</prompt> it.</think>\n{good}");
    let cut_short = Reply {
        finish: Finish::Length,
        ..Reply::text("<prompt>Read the green note to")
    };
    let looping = Reply {
        finish: Finish::Length,
        ..Reply::text("Once more from the start of it all. ".repeat(80))
    };
    let german = "<prompt>Lies die Notiz sorgfältig bis zum Ende und entscheide dann, ob sie eher \
                  gut oder schlecht gemeint ist; antworte mit good oder bad.</prompt>";
    let copied = "<prompt>Notes such as it broke when my neighbour Mrs Ashdown looked at it are \
                  bad, others good.</prompt>";
    for (reply, rule) in [
        (Reply::text(&lead_in), None),
        (Reply::text(&fenced), None),
        (Reply::text(&thought), None),
        (cut_short, Some("cut off")),
        (looping, Some("cut off")),
        (Reply::text("I apologize, but I won't."), Some("declined")),
        (Reply::text(german), Some("another language")),
        (Reply::text(copied), Some("copies text of an example")),
        (
            Reply::text(format!(
                "<prompt>{}</prompt>",
                "Say good or bad. ".repeat(2500)
            )),
            Some("longer than 500 tokens"),
        ),
        (
            Reply::text("<prompt>Judge {txt} as good or bad for me.</prompt>"),
            Some("placeholder"),
        ),
        (Reply::text("<prompt>good</prompt>"), Some("too short")),
    ] {
        for proposer in every() {
            let parents = [prompt("red"), prompt("blue")];
            let script = {
                let reply = reply.clone();
                move |_| reply.clone()
            };
            let told = told(
                proposer.as_ref(),
                ProposalForm::Plain,
                (&parents, 2),
                script,
            )
            .await;
            let name = proposer.name();
            match rule {
                None => assert_eq!(told.texts(), [good.as_str()], "{name}: {reply:?}"),
                Some(rule) => {
                    assert_eq!(told.texts(), [""; 0], "{name}: {reply:?}");
                    assert_eq!(told.discarded(rule), 2, "{name}: {:?}", told.batch.discards);
                }
            }
        }
    }
}

#[tokio::test]
async fn weak_models_go_on_from_openings() {
    for proposer in every() {
        let parents = [prompt("red"), prompt("blue")];
        let told = told(
            proposer.as_ref(),
            ProposalForm::Opening,
            (&parents, 2),
            |nth| match nth {
                0 => Reply::text(" note is good or bad. Look at its end.\n\nInput: The"),
                _ => Reply::text(" weather will be like tomorrow"),
            },
        )
        .await;
        let name = proposer.name();
        let last = told.asked[0].request.messages.last().unwrap();
        assert_eq!(last.role, Role::Assistant, "{name}");
        assert!(last.content.ends_with("Decide whether the"), "{name}");
        let whole = told.whole(0);
        for piece in ["core", "<prompt>", "1. ", "diagnos"] {
            assert!(!whole.contains(piece), "{name} says {piece:?}:\n{whole}");
        }
        assert_eq!(
            told.texts(),
            ["Decide whether the note is good or bad. Look at its end."],
            "{name}"
        );
        assert_eq!(told.discarded("it names no label"), 1, "{name}");
        assert!(told.asked.iter().all(|call| call.sampling.max_tokens == 60));
    }
}

#[tokio::test]
async fn long_prompts_overwhelm_weak_models() {
    let long = Prompt::new("Say good or bad, and mind the tone of it. ".repeat(9));
    let parents = [long.clone(), prompt("blue")];
    let proposer = GeneticProposer {
        pairs: vec![[long.clone(), prompt("blue")]],
    };
    let told = told(&proposer, ProposalForm::Opening, (&parents, 1), |_| {
        sent("x")
    })
    .await;
    assert!(told.asked.is_empty() && told.texts().is_empty());
    assert_eq!(
        (
            told.batch.asked,
            told.discarded("too long for this proposer")
        ),
        (1, 1)
    );
    // Scored prompts can be done without: examples are left.
    let proposer = TrajectoryProposer {
        tried: vec![TrajectoryEntry {
            prompt: long,
            score: 50,
        }],
        step: 0,
    };
    let told = super::told(&proposer, ProposalForm::Opening, (&parents, 1), |_| {
        Reply::text(" note is good or bad.")
    })
    .await;
    assert_eq!(told.texts(), ["Decide whether the note is good or bad."]);
    assert!(!told.whole(0).contains("mind the tone"));
}

#[tokio::test]
async fn placeholders_of_parents_stay() {
    let placed = Prompt::new("Note: {text}\n\nSay good or bad.");
    let proposer = GeneticProposer {
        pairs: vec![[placed.clone(), prompt("blue")]],
    };
    let parents = [placed, prompt("blue")];
    let told = told(&proposer, ProposalForm::Plain, (&parents, 1), |_| {
        Reply::text("<prompt>Look at {text} first. Then say good or bad.</prompt>")
    })
    .await;
    assert!(
        told.whole(0).contains("keeps {text} exactly"),
        "{}",
        told.whole(0)
    );
    assert_eq!(
        told.texts(),
        ["Look at {text} first. Then say good or bad."]
    );
}
