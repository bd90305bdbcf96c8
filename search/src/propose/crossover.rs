//! Recombination without a model: sentences of two good prompts in one.

use async_trait::async_trait;
use rand::RngExt;
use shiftproof_tasks::Prompt;

use super::screen::Screen;
use super::{Proposal, Proposals, Proposer, View};
use crate::event::Origin;
use crate::gateway::Stop;
use crate::seeds;

/// The first sentences of one parent followed by the last ones of another.
#[derive(Debug, Clone, Copy)]
pub struct Crossover;

#[async_trait]
impl Proposer for Crossover {
    fn name(&self) -> &'static str {
        "crossover"
    }

    async fn propose(&self, view: &View<'_>) -> Result<Proposals, Stop> {
        let mut proposals = Proposals::default();
        let parents = view.parents;
        let screen = Screen::new(view);
        let mut rng = seeds::stream(view.seed, "crossover");
        if parents.len() < 2 {
            return Ok(proposals);
        }
        for _ in 0..view.count * 4 {
            if proposals.kept.len() == view.count {
                break;
            }
            let mother = rng.random_range(0..parents.len());
            let father = (mother + rng.random_range(1..parents.len())) % parents.len();
            let (mother, father) = (&parents[mother], &parents[father]);
            let (head, tail) = (
                sentences(&mother.instruction),
                sentences(&father.instruction),
            );
            let cut = rng.random_range(1..=head.len());
            let from = rng.random_range(0..tail.len());
            let text: Vec<&str> = head[..cut].iter().chain(&tail[from..]).copied().collect();
            let Ok(prompt) = screen.accept(&text.join(" ")) else {
                continue;
            };
            let prompt = Prompt {
                demonstrations: mother.demonstrations.clone(),
                ..prompt
            };
            if parents.contains(&prompt) || proposals.kept.iter().any(|p| p.prompt == prompt) {
                continue;
            }
            proposals.kept.push(Proposal {
                prompt,
                origin: Origin::Crossover,
                parents: vec![mother.id(), father.id()],
                chunk: None,
            });
        }
        Ok(proposals)
    }
}

/// The sentences of a text, at least one.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let sentences: Vec<&str> = text
        .split_inclusive(['.', '?', '!'])
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .collect();
    if sentences.is_empty() {
        vec![text]
    } else {
        sentences
    }
}
