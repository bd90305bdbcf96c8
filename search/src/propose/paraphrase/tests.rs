use shiftproof_tasks::{Demonstration, Reply};

use super::*;
use crate::llm::LlmError;
use crate::scripted::{Bench, ProposerBench, text};

const LONG: &str = "You read notes that customers left at a shop.\n\nGo by what the note says of \
                    the goods, and leave aside what it says of the weather or the parking.\n\n- \
                    positive: the writer would come again.\n- negative: the writer would \
                    not.\n\nAnswer positive or negative.";

async fn proposed(
    form: ProposalForm,
    parents: &[Prompt],
    count: usize,
    manner: impl Fn(&ModelCall) -> Result<Reply, LlmError> + Send + Sync + 'static,
) -> (ProposalBatch, Vec<ModelCall>) {
    let mut bench = ProposerBench::new(Bench::new(manner), count);
    bench.form = form;
    bench.parents = parents.to_vec();
    let batch = ParaphraseProposer.propose(&bench.view()).await.unwrap();
    (batch, bench.bench.asked())
}

fn rules(batch: &ProposalBatch) -> Vec<(&str, u64)> {
    let told = batch.discards.0.iter();
    told.map(|(rule, (count, _))| (rule.as_str(), *count))
        .collect()
}

/// The parent again, its first word another, in tags and with a remark.
fn says_anew(call: &ModelCall) -> Result<Reply, LlmError> {
    let said = text(call);
    let parent = said.split("<current_prompt>\n").nth(1).unwrap();
    let parent = parent.split("\n</current_prompt>").next().unwrap();
    let (_, rest) = parent.split_once(' ').unwrap();
    Ok(Reply::text(format!(
        "Of course.\n<prompt>\nPlease{} {rest}\n</prompt>\nI kept the meaning.",
        call.sample
    )))
}

#[tokio::test]
async fn parents_take_turns() {
    let shown = vec![Demonstration {
        input: "a fine shop".into(),
        answer: "positive".into(),
    }];
    let parents = [
        Prompt::new(LONG).with_demonstrations(shown.clone()),
        Prompt::new("Is it positive or negative?"),
    ];
    let (batch, calls) = proposed(ProposalForm::Plain, &parents, 3, says_anew).await;
    assert_eq!((calls.len(), batch.asked, batch.kept.len()), (3, 3, 3));
    for (at, proposal) in batch.kept.iter().enumerate() {
        let parent = &parents[at % 2];
        assert_eq!(proposal.parents, [parent.id()]);
        // What the parent shows goes with it.
        assert_eq!(proposal.prompt.demonstrations, parent.demonstrations);
        assert_eq!(
            (proposal.origin, proposal.chunk),
            (Origin::Paraphrase, None)
        );
    }
    assert_eq!(batch.kept[0].prompt.demonstrations, shown);
    assert!(rules(&batch).is_empty());
}

#[tokio::test]
async fn incomplete_paraphrases_are_discarded() {
    let check = async |reply: &'static str, rule: &str| {
        let manner = move |_: &ModelCall| Ok(Reply::text(reply));
        let (batch, _) = proposed(ProposalForm::Plain, &[Prompt::new(LONG)], 1, manner).await;
        assert_eq!((batch.kept.len(), rules(&batch)), (0, vec![(rule, 1)]));
    };
    let part = "it leaves out a part of the prompt";
    check("<prompt>Is the note positive or negative?</prompt>", part).await;
    // As many words in one paragraph.
    let flat = "<prompt>You read notes that customers left at a shop and you go by what the note \
                says of the goods and leave aside what it says of weather or parking, then answer \
                positive or negative.</prompt>";
    check(flat, part).await;
    // As many paragraphs of hardly a word.
    let thin = "<prompt>\nNotes of a shop.\n\nThe goods.\n\nPositive or negative.\n</prompt>";
    check(thin, part).await;
    check("<thinking>In other words, hm", "no prompt is in the reply").await;
}

#[tokio::test]
async fn long_prompts_need_capable_models() {
    let goes_on = |call: &ModelCall| {
        assert!(text(call).ends_with("in other words:"));
        Ok(Reply::text("Say positive or negative of each note."))
    };
    let parents = [
        Prompt::new(LONG),
        Prompt::new("Is it positive or negative?"),
    ];
    let (batch, calls) = proposed(ProposalForm::Opening, &parents, 2, goes_on).await;
    assert_eq!((calls.len(), batch.asked), (1, 2));
    assert_eq!(batch.kept[0].parents, [parents[1].id()]);
    let rule = "it is too long for this proposer to say in other words";
    assert_eq!(rules(&batch), [(rule, 1)]);
}

#[tokio::test]
async fn no_parents_no_paraphrases() {
    let (batch, calls) = proposed(ProposalForm::Plain, &[], 3, says_anew).await;
    assert_eq!((calls.len(), batch.asked, batch.kept.len()), (0, 0, 0));
}
