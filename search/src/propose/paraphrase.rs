//! Resampling around the best prompts by a model: the iterative step of APE
//! (Zhou et al. 2023, §3.3).

use async_trait::async_trait;
use shiftproof_tasks::{AnswerForm, Message, Request};

use super::screen::Screen;
use super::{Proposal, Proposals, Proposer, View};
use crate::event::Origin;
use crate::gateway::{Asked, Stop};
use crate::llm::{Call, Sampling};
use crate::seeds;

/// Asks the model for variations that keep an instruction's meaning.
#[derive(Debug, Clone, Copy)]
pub struct Paraphrase;

const MOST_TOKENS: u32 = 60;

#[async_trait]
impl Proposer for Paraphrase {
    fn name(&self) -> &'static str {
        "paraphrase (APE)"
    }

    async fn propose(&self, view: &View<'_>) -> Result<Proposals, Stop> {
        let mut proposals = Proposals::default();
        if view.parents.is_empty() {
            return Ok(proposals);
        }
        let prefill = view.model.llm.capabilities().prefill;
        let calls: Vec<Call> = (0..view.count)
            .map(|index| {
                let parent = &view.parents[index % view.parents.len()];
                let mut messages = vec![Message::user(format!(
                    "Say this instruction in other words. Keep its meaning and its output \
                     format. Write only the instruction.\n\n{}",
                    parent.instruction
                ))];
                if prefill {
                    messages.push(Message::assistant("The same instruction in other words:"));
                }
                Call {
                    request: Request {
                        messages,
                        answer: AnswerForm::Text {
                            max_tokens: MOST_TOKENS,
                        },
                    },
                    sampling: Sampling {
                        temperature: 0.9,
                        top_p: 0.9,
                        max_tokens: MOST_TOKENS,
                        seed: seeds::number(view.seed, &format!("paraphrase {index}")),
                    },
                    sample: index as u32,
                }
            })
            .collect();
        let screen = Screen::new(view);
        for (index, answer) in view
            .gateway
            .ask(view.model, &calls)
            .await?
            .into_iter()
            .enumerate()
        {
            let Asked::Reply(reply) = answer else {
                continue;
            };
            let parent = &view.parents[index % view.parents.len()];
            match screen.accept(&reply.text) {
                Ok(mut prompt) => {
                    prompt.demonstrations.clone_from(&parent.demonstrations);
                    proposals.add(Proposal {
                        prompt,
                        origin: Origin::Paraphrase,
                        parents: vec![parent.id()],
                        chunk: None,
                    });
                }
                Err(rule) => proposals.discards.add(rule, &reply.text),
            }
        }
        Ok(proposals)
    }
}
