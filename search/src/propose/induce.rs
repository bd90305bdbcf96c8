//! Instruction induction from demonstrations: APE (Zhou et al. 2023), APE-ut
//! and the meta-prompt step of GPO (Li et al. 2023, §4.1).

use std::fmt::Write as _;

use async_trait::async_trait;
use shiftproof_tasks::{AnswerForm, Demonstration, Example, Message, Request};

use super::library::openings;
use super::screen::Screen;
use super::{Proposal, Proposals, Proposer, View};
use crate::event::Origin;
use crate::gateway::{Asked, Stop};
use crate::llm::{Call, Sampling};
use crate::seeds;

/// What induction takes from the target groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetUse {
    /// Nothing: APE, and the first step of GPO.
    Nothing,
    /// Unlabelled inputs shown beside the demonstrations: APE-ut.
    Inputs,
    /// Voted examples, mixed 1:1 with source examples: GPO's second step.
    Voted,
}

/// Cuts labelled shots into chunks and asks the model, for each, which
/// instruction and output format the demonstrations follow.
#[derive(Debug, Clone, Copy)]
pub struct Induce {
    /// Labelled shots in all, `N` in Li et al. 2023.
    pub shots: usize,
    /// Disjoint consecutive chunks, `K` in Li et al. 2023.
    pub chunks: usize,
    /// What is taken from the target groups.
    pub target: TargetUse,
}

const MOST_TOKENS: u32 = 60;

#[async_trait]
impl Proposer for Induce {
    fn name(&self) -> &'static str {
        match self.target {
            TargetUse::Nothing => "induce (APE)",
            TargetUse::Inputs => "induce with target inputs (APE-ut)",
            TargetUse::Voted => "induce from source and voted target (GPO)",
        }
    }

    async fn propose(&self, view: &View<'_>) -> Result<Proposals, Stop> {
        let shots = self.shots(view);
        let mut proposals = Proposals::default();
        let Some(first) = shots.first() else {
            return Ok(proposals);
        };
        let form = view.task.answer_form(&first.input);
        let chunk_len = shots.len().div_ceil(self.chunks.max(1));
        let chunks: Vec<&[Example]> = shots.chunks(chunk_len).collect();
        let openings: Vec<Option<String>> = if view.model.llm.capabilities().prefill {
            openings(&form).into_iter().map(Some).collect()
        } else {
            vec![None]
        };

        let mut asked: Vec<(usize, Option<&str>, Call)> = Vec::with_capacity(view.count);
        for index in 0..view.count {
            // Chunks take turns; within a chunk the openings do.
            let (chunk, turn) = (index % chunks.len(), index / chunks.len());
            let opening = openings[(turn * chunks.len() + chunk) % openings.len()].as_deref();
            let round = index / (chunks.len() * openings.len());
            // The first ask of a plain meta prompt is greedy as in the paper;
            // everything beyond needs variety.
            let greedy = opening.is_none() && round == 0;
            asked.push((
                chunk,
                opening,
                Call {
                    request: self.request(view, chunks[chunk], chunk, opening),
                    sampling: Sampling {
                        temperature: if greedy { 0.0 } else { 0.8 },
                        top_p: if greedy { 1.0 } else { 0.9 },
                        max_tokens: MOST_TOKENS,
                        seed: seeds::number(view.seed, &format!("induce {index}")),
                    },
                    sample: index as u32,
                },
            ));
        }
        // Neighbours of one chunk share their prefix in an embedded model.
        asked.sort_by_key(|(chunk, ..)| *chunk);
        let calls: Vec<Call> = asked.iter().map(|(.., call)| call.clone()).collect();
        let screen = Screen::new(view);
        for ((chunk, opening, _), answer) in asked
            .iter()
            .zip(view.gateway.ask(view.model, &calls).await?)
        {
            let Asked::Reply(reply) = answer else {
                continue;
            };
            let text = match opening {
                // A continuation ends where the model starts a new line.
                Some(opening) => {
                    let line = reply.text.lines().next().unwrap_or_default();
                    join(opening, complete_sentences(line))
                }
                None => reply.text.clone(),
            };
            let accepted = match opening {
                Some(_) => screen.accept_on_topic(&text),
                None => screen.accept(&text),
            };
            match accepted {
                Ok(prompt) => proposals.add(Proposal {
                    prompt,
                    origin: match self.target {
                        TargetUse::Voted => Origin::InducedFromMix,
                        TargetUse::Nothing | TargetUse::Inputs => Origin::Induced,
                    },
                    parents: Vec::new(),
                    chunk: Some(*chunk),
                }),
                Err(rule) => proposals.discards.add(rule, &text),
            }
        }
        Ok(proposals)
    }
}

impl Induce {
    /// The `N` shots. For the mix, voted items are upsampled to `N` and
    /// interleaved with `N` source shots, so that every chunk is half and half;
    /// without any voted item the source stands alone.
    fn shots(&self, view: &View<'_>) -> Vec<Example> {
        let source = view.source.iter().take(self.shots);
        if self.target != TargetUse::Voted || view.voted.is_empty() {
            return source.cloned().collect();
        }
        source
            .zip(view.voted.iter().cycle())
            .flat_map(|(source, voted)| [source.clone(), voted.clone()])
            .collect()
    }

    fn request(
        &self,
        view: &View<'_>,
        chunk: &[Example],
        index: usize,
        opening: Option<&str>,
    ) -> Request {
        let form = chunk
            .first()
            .map(|example| view.task.answer_form(&example.input));
        let is_ranking = form
            .as_ref()
            .is_some_and(|form| form.candidates().is_some());
        let mut text = String::from(if is_ranking {
            "A recommender was given one instruction and followed it for every user below. Each \
             output is what the user really chose next.\n\n"
        } else {
            "An assistant was given one instruction and followed it on every input below.\n\n"
        });
        for example in chunk {
            let Demonstration { input, answer } = view.task.demonstration(example);
            let _ = write!(text, "Input: {input}\nOutput: {answer}\n\n");
        }
        if self.target == TargetUse::Inputs && !view.target.is_empty() {
            text.push_str("The same instruction must also work on inputs like these:\n\n");
            for offset in 0..chunk.len().min(view.target.len()) {
                let input = &view.target[(index * chunk.len() + offset) % view.target.len()];
                let _ = write!(text, "Input: {}\n\n", view.task.render(input));
            }
        }
        text.push_str(if is_ranking {
            "Write that instruction in one or two sentences, so that it finds the right item for \
             other users and other items too. Write only the instruction and name none of the \
             items above."
        } else {
            "Write that instruction, including the output format, in one or two sentences. \
             Write only the instruction and quote none of the inputs."
        });
        let mut messages = vec![Message::user(text)];
        if let Some(opening) = opening {
            messages.push(Message::assistant(format!(
                "The instruction was: {opening}"
            )));
        }
        Request {
            messages,
            answer: AnswerForm::Text {
                max_tokens: MOST_TOKENS,
            },
        }
    }
}

/// An opening and its continuation as one text.
fn join(opening: &str, continuation: &str) -> String {
    let space = continuation.starts_with(|c: char| c.is_alphanumeric());
    format!("{opening}{}{continuation}", if space { " " } else { "" })
}

/// The text up to its last complete sentence, or all of it if none is complete.
fn complete_sentences(text: &str) -> &str {
    match text.rfind(['.', '?', '!']) {
        Some(end) => &text[..=end],
        None => text,
    }
}
