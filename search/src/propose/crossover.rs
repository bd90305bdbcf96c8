//! Recombination without a model: sentences of two good prompts in one.

use async_trait::async_trait;
use rand::RngExt;
use rand::seq::IndexedRandom;
use shiftproof_tasks::Prompt;

use super::kept::RequiredPieces;
use super::pieces::{BlockKind, PromptBlock, blocks, is_format, join, sentences};
use super::screen::ProposalScreen;
use super::{Proposal, ProposalBatch, Proposer, ProposerView};
use crate::event::Origin;
use crate::gateway::RunError;
use crate::seeds;

/// Of prompts of one paragraph: the first sentences of one parent followed by the
/// last ones of another. Of longer ones: one parent with a sentence or list item
/// of the other put in, so that its paragraphs stay.
#[derive(Debug, Clone, Copy)]
pub struct CrossoverProposer;

#[async_trait]
impl Proposer for CrossoverProposer {
    fn name(&self) -> &'static str {
        "crossover"
    }

    fn asks_model(&self) -> bool {
        false
    }

    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError> {
        let mut proposals = ProposalBatch::default();
        let parents = view.parents;
        let screen = ProposalScreen::new(view);
        let mut rng = seeds::stream(view.seed, "crossover");
        if parents.len() < 2 {
            return Ok(proposals);
        }
        proposals.asked = view.count as u64;
        for _ in 0..view.count * 4 {
            if proposals.kept.len() == view.count {
                break;
            }
            let mother = rng.random_range(0..parents.len());
            let father = (mother + rng.random_range(1..parents.len())) % parents.len();
            let (mother, father) = (&parents[mother], &parents[father]);
            let text = cross(&mother.instruction, &father.instruction, &mut rng);
            let made = RequiredPieces::of(view, &screen, &mother.instruction)
                .check(&text)
                .and_then(|()| screen.edited(&text));
            match made {
                Ok(prompt) => proposals.add_new(
                    view,
                    Proposal {
                        prompt: Prompt {
                            demonstrations: mother.demonstrations.clone(),
                            ..prompt
                        },
                        origin: Origin::Crossover,
                        parents: vec![mother.id(), father.id()],
                        chunk: None,
                    },
                ),
                Err(rule) => proposals.discards.add(&rule, &text),
            }
        }
        Ok(proposals)
    }
}

fn cross(mother: &str, father: &str, rng: &mut impl RngExt) -> String {
    if mother.contains('\n') || father.contains('\n') {
        return put_in(mother, father, rng);
    }
    let trimmed = |text| -> Vec<&str> { sentences(text).into_iter().map(str::trim).collect() };
    let (head, tail) = (trimmed(mother), trimmed(father));
    let cut = rng.random_range(1..=head.len());
    let from = rng.random_range(0..tail.len());
    let text: Vec<&str> = head[..cut].iter().chain(&tail[from..]).copied().collect();
    text.join(" ")
}

/// The mother with one sentence or item of the father, where one of its kind is.
fn put_in(mother: &str, father: &str, rng: &mut impl RngExt) -> String {
    let mut into = blocks(mother);
    let given: Vec<(BlockKind, String)> = blocks(father)
        .iter()
        .filter(|block| block.kind != BlockKind::Fixed)
        .flat_map(pieces)
        .filter(|(_, piece)| !is_format(piece) && !mother.contains(piece.as_str()))
        .collect();
    let Some((kind, piece)) = given.choose(rng) else {
        return mother.to_owned();
    };
    let places: Vec<usize> = (0..into.len())
        .filter(|&at| into[at].kind == *kind && !is_format(&into[at].body))
        .collect();
    // A father's item becomes a sentence where the mother has no list.
    let Some(&at) = places.choose(rng) else {
        let prose = into
            .iter_mut()
            .find(|block| block.kind == BlockKind::Prose && !is_format(&block.body));
        if let Some(block) = prose {
            block.body = format!("{} {piece}", block.body.trim_end());
        }
        return join(&into);
    };
    if *kind == BlockKind::Item && !into[at].mark.contains(|c: char| c.is_ascii_digit()) {
        let mut item = into[at].clone();
        item.body.clone_from(piece);
        "\n".clone_into(&mut into[at].gap);
        into.insert(at + 1, item);
    } else {
        into[at].body = format!("{} {piece}", into[at].body.trim_end());
    }
    join(&into)
}

/// A list item as it is; the sentences of a paragraph.
fn pieces(block: &PromptBlock) -> Vec<(BlockKind, String)> {
    match block.kind {
        BlockKind::Item => vec![(BlockKind::Item, block.body.clone())],
        _ => sentences(&block.body)
            .into_iter()
            .map(|sentence| (BlockKind::Prose, sentence.trim().to_owned()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use shiftproof_tasks::Reply;

    use super::*;
    use crate::scripted::{Bench, ProposerBench};

    #[test]
    fn only_short_prompts_are_cut() {
        let mut rng = seeds::stream(3, "cross");
        let long =
            "Read the note.\n\nRules:\n- Weigh the price.\n- Mind the tone.\n\nOutput: one word.";
        let other = "Judge the mood. Look at the end of the note.\n\n- Ignore names.";
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..60 {
            let text = cross(long, other, &mut rng);
            for piece in [
                "Read the note.",
                "\n\nRules:\n- Weigh the price.",
                "- Mind the tone.",
                "\n\nOutput: one word.",
            ] {
                assert!(text.contains(piece), "{text}");
            }
            seen.insert(text);
        }
        assert!(
            seen.iter().any(|text| text.contains("\n- Ignore names.")),
            "{seen:#?}"
        );
        assert!(
            seen.iter()
                .any(|text| text.contains("Read the note. Judge the mood.")),
            "{seen:#?}"
        );
        let short = cross("One. Two.", "Three. Four.", &mut rng);
        assert!(
            short.starts_with("One.") && short.ends_with("Four."),
            "{short}"
        );
    }

    async fn proposed(parents: &[&str], count: usize) -> ProposalBatch {
        let mut bench = ProposerBench::new(Bench::limited(0, |_| Ok(Reply::text(""))), count);
        bench.parents = parents.iter().map(Prompt::new).collect();
        CrossoverProposer.propose(&bench.view()).await.unwrap()
    }

    #[tokio::test]
    async fn children_have_two_parents() {
        let parents = [
            "Weigh the price. Is the note positive or negative?",
            "Mind the tone. Go by the end. Is it positive or negative?",
            "Ignore the spelling. Say positive or negative.",
        ];
        let batch = proposed(&parents, 6).await;
        assert!((3..=6).contains(&batch.kept.len()) && batch.asked == 6);
        for proposal in &batch.kept {
            let text = &proposal.prompt.instruction;
            assert!(!parents.contains(&text.as_str()), "{text}");
            assert!(text.contains("positive or negative"), "{text}");
            let [mother, father] = proposal.parents[..] else {
                panic!("{:?}", proposal.parents);
            };
            assert_ne!(mother, father);
            assert_eq!(proposal.origin, Origin::Crossover);
        }
    }

    #[tokio::test]
    async fn one_parent_has_no_children() {
        let batch = proposed(&["Is it positive or negative?"], 6).await;
        assert_eq!((batch.kept.len(), batch.asked), (0, 0));
        // Nor have two that say the same.
        let same = "Is it positive or negative?";
        let batch = proposed(&[same, same], 6).await;
        assert!(batch.kept.len() <= 1 && batch.discards.count() > 0);
    }
}
