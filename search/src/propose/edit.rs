//! Edits without a model, after `GrIPS` (Prasad et al. 2023): delete and add
//! phrases, swap sentences of an instruction. Its paraphrase operation needs a
//! model and is [`ParaphraseProposer`](super::ParaphraseProposer).

use async_trait::async_trait;
use rand::RngExt;
use rand::seq::IndexedRandom;
use shiftproof_tasks::Prompt;

use super::kept::RequiredPieces;
use super::library::clauses;
use super::pieces::{BlockKind, PromptBlock, blocks, is_format, join, phrases, sentences};
use super::screen::ProposalScreen;
use super::{Proposal, ProposalBatch, Proposer, ProposerView};
use crate::event::Origin;
use crate::gateway::RunError;
use crate::seeds;

/// Edits each parent in turn, one or two operations a proposal. Every paragraph,
/// list, label, placeholder and sentence about the output stays.
#[derive(Debug, Clone, Copy)]
pub struct EditProposer;

/// Draws per wanted proposal before giving up: short instructions have few
/// distinct edits.
const TRIES: usize = 8;

#[async_trait]
impl Proposer for EditProposer {
    fn name(&self) -> &'static str {
        "edit (GrIPS)"
    }

    fn asks_model(&self) -> bool {
        false
    }

    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError> {
        let mut proposals = ProposalBatch::default();
        let Some(first) = view.source.first() else {
            return Ok(proposals);
        };
        proposals.asked = view.count as u64;
        let clauses = clauses(&view.task.answer_form(&first.input));
        let screen = ProposalScreen::new(view);
        let mut rng = seeds::stream(view.seed, "edit");
        for attempt in 0..view.count * TRIES {
            if proposals.kept.len() == view.count || view.parents.is_empty() {
                break;
            }
            let parent = &view.parents[attempt % view.parents.len()];
            let mut text = parent.instruction.clone();
            for _ in 0..rng.random_range(1..=2) {
                text = edit(&text, &clauses, &mut rng);
            }
            let made = RequiredPieces::of(view, &screen, &parent.instruction)
                .check(&text)
                .and_then(|()| screen.edited(&text));
            match made {
                Ok(prompt) => proposals.add_new(
                    view,
                    Proposal {
                        prompt: Prompt {
                            demonstrations: parent.demonstrations.clone(),
                            ..prompt
                        },
                        origin: Origin::Edit,
                        parents: vec![parent.id()],
                        chunk: None,
                    },
                ),
                Err(rule) => proposals.discards.add(&rule, &text),
            }
        }
        Ok(proposals)
    }
}

fn edit(text: &str, clauses: &[String], rng: &mut impl RngExt) -> String {
    let mut blocks = blocks(text);
    let changed = match rng.random_range(0..5) {
        // Of a sentence of one phrase, the sentence.
        0 => delete_phrase(&mut blocks, rng) || delete_sentence(&mut blocks, rng),
        1 => swap(&mut blocks, rng),
        2 => delete_word(&mut blocks, rng) || delete_sentence(&mut blocks, rng),
        3 => delete_sentence(&mut blocks, rng),
        _ => false,
    };
    if !changed && let Some(clause) = clauses.choose(rng) {
        add(&mut blocks, clause, rng);
    }
    join(&blocks)
}

/// A block of sentences drawn at random among those with enough of them.
fn drawn<'b>(
    blocks: &'b mut [PromptBlock],
    least: usize,
    rng: &mut impl RngExt,
) -> Option<&'b mut PromptBlock> {
    let fit: Vec<usize> = (0..blocks.len())
        .filter(|&at| {
            blocks[at].kind != BlockKind::Fixed && sentences(&blocks[at].body).len() >= least
        })
        .collect();
    fit.choose(rng).map(|&at| &mut blocks[at])
}

/// Changes one sentence that does not speak of the output; `change` gets it
/// without the space around it.
fn change_sentence(
    blocks: &mut [PromptBlock],
    rng: &mut impl RngExt,
    change: impl FnOnce(&str, &mut dyn FnMut(usize) -> usize) -> Option<String>,
) -> bool {
    let Some(block) = drawn(blocks, 1, rng) else {
        return false;
    };
    let mut parts: Vec<String> = sentences(&block.body)
        .into_iter()
        .map(str::to_owned)
        .collect();
    let free: Vec<usize> = (0..parts.len())
        .filter(|&at| !is_format(&parts[at]))
        .collect();
    let Some(&at) = free.choose(rng) else {
        return false;
    };
    let sentence = parts[at].trim_end();
    let gap = parts[at][sentence.len()..].to_owned();
    let Some(changed) = change(sentence, &mut |below| rng.random_range(0..below)) else {
        return false;
    };
    let stop = sentence.chars().next_back().filter(|c| ".?!".contains(*c));
    let mut changed = like(sentence, changed.trim_end_matches([',', ';', ' ']));
    // What was dropped may have taken the stop with it.
    if let Some(stop) = stop
        && !changed.ends_with(['.', '?', '!'])
    {
        changed.push(stop);
    }
    parts[at] = changed + &gap;
    block.body = parts.concat();
    true
}

fn delete_phrase(blocks: &mut [PromptBlock], rng: &mut impl RngExt) -> bool {
    change_sentence(blocks, rng, |sentence, draw| {
        let mut phrases = phrases(sentence);
        if phrases.len() < 2 {
            return None;
        }
        phrases.remove(draw(phrases.len()));
        Some(phrases.concat())
    })
}

/// The smallest deletion, for instructions of a single phrase too.
fn delete_word(blocks: &mut [PromptBlock], rng: &mut impl RngExt) -> bool {
    change_sentence(blocks, rng, |sentence, draw| {
        let mut words: Vec<&str> = sentence.split(' ').collect();
        if words.len() < 4 {
            return None;
        }
        words.remove(draw(words.len()));
        Some(words.join(" "))
    })
}

fn delete_sentence(blocks: &mut [PromptBlock], rng: &mut impl RngExt) -> bool {
    let Some(block) = drawn(blocks, 2, rng) else {
        return false;
    };
    let mut parts = sentences(&block.body);
    let free: Vec<usize> = (0..parts.len())
        .filter(|&at| !is_format(parts[at]))
        .collect();
    let Some(&at) = free.choose(rng) else {
        return false;
    };
    parts.remove(at);
    parts.concat().trim_end().clone_into(&mut block.body);
    true
}

/// Sentences of a paragraph, or items of one list, change places: phrases that
/// did would lose their grammar.
fn swap(blocks: &mut [PromptBlock], rng: &mut impl RngExt) -> bool {
    let lists: Vec<(usize, usize)> = neighbours(blocks);
    if !lists.is_empty() && rng.random_bool(0.5) {
        let &(a, b) = lists.choose(rng).unwrap_or(&(0, 0));
        let (left, right) = blocks.split_at_mut(b);
        std::mem::swap(&mut left[a].body, &mut right[0].body);
        return true;
    }
    let Some(block) = drawn(blocks, 2, rng) else {
        return false;
    };
    let mut parts: Vec<&str> = sentences(&block.body)
        .into_iter()
        .map(str::trim_end)
        .collect();
    let (a, b) = (
        rng.random_range(0..parts.len()),
        rng.random_range(0..parts.len()),
    );
    parts.swap(a, b);
    block.body = parts.join(" ");
    true
}

/// Pairs of items that follow one another.
fn neighbours(blocks: &[PromptBlock]) -> Vec<(usize, usize)> {
    (1..blocks.len())
        .filter(|&at| blocks[at - 1].kind == BlockKind::Item && blocks[at].kind == BlockKind::Item)
        .map(|at| (at - 1, at))
        .collect()
}

/// Adds a sentence: before or after a paragraph's own, or as an item of a list.
fn add(blocks: &mut Vec<PromptBlock>, clause: &str, rng: &mut impl RngExt) {
    if blocks.iter().any(|block| block.body.contains(clause)) {
        return;
    }
    let bulleted = |block: &PromptBlock| {
        block.kind == BlockKind::Item && !block.mark.contains(|c: char| c.is_ascii_digit())
    };
    let last_item = blocks.iter().rposition(bulleted);
    if let Some(at) = last_item
        && rng.random_bool(0.5)
    {
        let mut item = blocks[at].clone();
        clause.clone_into(&mut item.body);
        "\n".clone_into(&mut blocks[at].gap);
        blocks.insert(at + 1, item);
        return;
    }
    let prose: Vec<usize> = (0..blocks.len())
        .filter(|&at| blocks[at].kind == BlockKind::Prose)
        .collect();
    let Some(&at) = prose.choose(rng) else {
        return;
    };
    let body = &mut blocks[at].body;
    *body = if rng.random_bool(0.5) || body.trim_end().ends_with([':', '}']) {
        format!("{clause} {body}")
    } else {
        let stop = if body.trim_end().ends_with(['.', '?', '!']) {
            ""
        } else {
            "."
        };
        format!("{}{stop} {clause}", body.trim_end())
    };
}

/// Single spaces, and a capital at the start where the sentence had one: what an
/// edit may have disturbed.
fn like(before: &str, text: &str) -> String {
    let text = text.split(' ').filter(|word| !word.is_empty());
    let text = text.collect::<Vec<_>>().join(" ");
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if before.starts_with(char::is_uppercase) => {
            first.to_uppercase().chain(chars).collect()
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shiftproof_tasks::Reply;

    use super::*;
    use crate::scripted::{Bench, ProposerBench};

    const PROMPT: &str = "You are the desk of a shop. Read one note and decide about its mood.\n\n\
                          Rules:\n- Weigh use and price. Praise of one part does not count.\n- \
                          Ignore spelling, length and language of the note.\n\nOutput: exactly one \
                          word, positive or negative.";

    #[test]
    fn edits_stay_inside_structure() {
        let mut rng = seeds::stream(1, "structure");
        let clauses = ["Judge only what the text says.".to_owned()];
        let mut different = std::collections::BTreeSet::new();
        for _ in 0..300 {
            let text = edit(PROMPT, &clauses, &mut rng);
            let kinds = |text: &str| -> Vec<BlockKind> {
                let mut kinds: Vec<BlockKind> =
                    blocks(text).iter().map(|block| block.kind).collect();
                kinds.dedup();
                kinds
            };
            assert_eq!(kinds(&text), kinds(PROMPT), "{text}");
            assert!(text.contains("\n\nRules:\n- "), "{text}");
            assert!(
                text.contains("Output: exactly one word, positive or negative."),
                "{text}"
            );
            different.insert(text);
        }
        assert!(different.len() > 20, "{different:#?}");
    }

    proptest! {
        #[test]
        fn edits_never_panic(text in "\\PC{0,80}", seed: u64) {
            let mut rng = seeds::stream(seed, "test");
            let _ = edit(&text, &["Answer with one word.".to_owned()], &mut rng);
        }
    }

    async fn proposed(parent: &str, count: usize, seed: u64) -> ProposalBatch {
        let mut bench = ProposerBench::new(Bench::limited(0, |_| Ok(Reply::text(""))), count);
        bench.parents = vec![Prompt::new(parent)];
        let view = ProposerView {
            seed,
            ..bench.view()
        };
        assert!(!EditProposer.asks_model());
        EditProposer.propose(&view).await.unwrap()
    }

    #[tokio::test]
    async fn proposals_keep_labels() {
        let batch = proposed(PROMPT, 12, 1).await;
        assert_eq!((batch.kept.len(), batch.asked), (12, 12));
        for proposal in &batch.kept {
            let text = &proposal.prompt.instruction;
            assert!(text.contains("positive or negative."), "{text}");
            assert_ne!(text, PROMPT);
            assert_eq!(proposal.parents, [Prompt::new(PROMPT).id()]);
            assert_eq!(proposal.origin, Origin::Edit);
        }
        // Another draw edits otherwise, the same one alike.
        let texts = |batch: &ProposalBatch| -> Vec<String> {
            let kept = batch.kept.iter();
            kept.map(|own| own.prompt.instruction.clone()).collect()
        };
        assert_eq!(texts(&batch), texts(&proposed(PROMPT, 12, 1).await));
        assert_ne!(texts(&batch), texts(&proposed(PROMPT, 12, 2).await));
    }

    #[tokio::test]
    async fn short_prompts_run_out() {
        let batch = proposed("Positive or negative?", 400, 1).await;
        assert!((3..400).contains(&batch.kept.len()), "{}", batch.kept.len());
        assert!(batch.discards.0.contains_key("it was proposed before"));
    }
}
