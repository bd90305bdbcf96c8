//! Instruction induction from demonstrations: APE (Zhou et al. 2023), APE-ut
//! and the meta-prompt step of GPO (Li et al. 2023, §4.1).

use std::fmt::Write as _;

use async_trait::async_trait;
use shiftproof_tasks::{AnswerForm, Demonstration, Example, Message, Prompt, Request};

use super::form::{ProposalForm, room};
use super::library::openings;
use super::screen::ProposalScreen;
use super::{Proposal, ProposalBatch, Proposer, ProposerView, ask, meta, read};
use crate::event::Origin;
use crate::gateway::RunError;
use crate::llm::{ModelCall, SamplingOptions};
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
pub struct InductionProposer {
    /// Labelled shots in all, `N` in Li et al. 2023.
    pub shots: usize,
    /// Disjoint consecutive chunks, `K` in Li et al. 2023.
    pub chunks: usize,
    /// What is taken from the target groups.
    pub target: TargetUse,
}

/// Tokens of one line that goes on from an opening.
pub(super) const LINE_TOKENS: u32 = 60;

#[async_trait]
impl Proposer for InductionProposer {
    fn name(&self) -> &'static str {
        match self.target {
            TargetUse::Nothing => "induce (APE)",
            TargetUse::Inputs => "induce with target inputs (APE-ut)",
            TargetUse::Voted => "induce from source and voted target (GPO)",
        }
    }

    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError> {
        let shots = self.shots(view);
        let mut proposals = ProposalBatch::default();
        if shots.is_empty() {
            return Ok(proposals);
        }
        let chunk_len = shots.len().div_ceil(self.chunks.max(1));
        let chunks: Vec<&[Example]> = shots.chunks(chunk_len).collect();
        match view.form {
            ProposalForm::Plain => self.whole(view, &chunks, &mut proposals).await?,
            ProposalForm::Opening => self.lines(view, &chunks, &mut proposals).await?,
        }
        Ok(proposals)
    }
}

impl InductionProposer {
    /// Whole prompts in tags. Chunks take turns; every second time the prompt to
    /// start from is shown, and written anew.
    async fn whole(
        &self,
        view: &ProposerView<'_>,
        chunks: &[&[Example]],
        proposals: &mut ProposalBatch,
    ) -> Result<(), RunError> {
        let room = room(view);
        let current = |index: usize| {
            view.parents
                .first()
                .filter(|_| (index / chunks.len()) % 2 == 1)
        };
        let calls: Vec<ModelCall> = (0..view.count)
            .map(|index| {
                let chunk = index % chunks.len();
                // The first ask is greedy as in the paper; everything beyond
                // needs variety.
                let greedy = index < chunks.len();
                ModelCall {
                    request: Request {
                        messages: meta::induce(
                            view,
                            chunks[chunk],
                            &self.beside(view, chunks[chunk], chunk),
                            current(index),
                        ),
                        answer: AnswerForm::Text { max_tokens: room },
                    },
                    sampling: SamplingOptions {
                        temperature: if greedy { 0.0 } else { 0.8 },
                        top_p: if greedy { 1.0 } else { 0.9 },
                        max_tokens: room,
                        seed: seeds::number(view.seed, &format!("induce {index}")),
                    },
                    sample: index as u32,
                }
            })
            .collect();
        let texts = ask::ask(view, &calls, &mut proposals.discards).await?;
        proposals.asked += texts.answered;
        proposals.again += texts.again;
        let screen = ProposalScreen::new(view);
        let labels = screen.labels().to_vec();
        for (index, text) in texts.read.into_iter().enumerate() {
            let Some(text) = text else { continue };
            let prompts = read::read(&text, &labels);
            if prompts.is_empty() {
                proposals.discards.add("no prompt is in the reply", &text);
            }
            // One reply may hold several prompts.
            proposals.asked += (prompts.len() as u64).saturating_sub(1);
            for prompt in prompts {
                match screen.whole(&prompt, current(index)) {
                    Ok(prompt) if proposals.kept.len() < view.count => {
                        proposals.add(Proposal {
                            prompt,
                            origin: self.origin(),
                            parents: current(index).map(Prompt::id).into_iter().collect(),
                            chunk: Some(index % chunks.len()),
                        });
                    }
                    Ok(_) => proposals
                        .discards
                        .add("more were sent than asked for", &prompt),
                    Err(rule) => proposals.discards.add(&rule, &prompt),
                }
            }
        }
        self.fall_back(view, chunks, proposals).await
    }

    /// A model of which not one whole prompt is of use mostly writes down, with other
    /// nouns, the one that it was shown. It is asked to go on from openings then, like
    /// those that do not even answer: as second asks, for which the plan has room.
    async fn fall_back(
        &self,
        view: &ProposerView<'_>,
        chunks: &[&[Example]],
        proposals: &mut ProposalBatch,
    ) -> Result<(), RunError> {
        let count = view.count.saturating_sub(proposals.again as usize);
        if !proposals.kept.is_empty() || !view.model.llm.capabilities().prefill || count == 0 {
            return Ok(());
        }
        let first = proposals.asked;
        let view = ProposerView { count, ..*view };
        self.lines(&view, chunks, proposals).await?;
        proposals.again += proposals.asked - first;
        proposals.asked = first;
        Ok(())
    }

    /// One line each, from openings.
    async fn lines(
        &self,
        view: &ProposerView<'_>,
        chunks: &[&[Example]],
        proposals: &mut ProposalBatch,
    ) -> Result<(), RunError> {
        let Some(first) = chunks.first().and_then(|chunk| chunk.first()) else {
            return Ok(());
        };
        let openings = openings(&view.task.answer_form(&first.input));
        let mut asked: Vec<(usize, &str, ModelCall)> = Vec::with_capacity(view.count);
        for index in 0..view.count {
            // Chunks take turns; within a chunk the openings do.
            let (chunk, turn) = (index % chunks.len(), index / chunks.len());
            let opening = openings[(turn * chunks.len() + chunk) % openings.len()].as_str();
            asked.push((
                chunk,
                opening,
                ModelCall {
                    request: self.request(view, chunks[chunk], chunk, opening),
                    sampling: SamplingOptions {
                        temperature: 0.8,
                        top_p: 0.9,
                        max_tokens: LINE_TOKENS,
                        seed: seeds::number(view.seed, &format!("induce {index}")),
                    },
                    sample: index as u32,
                },
            ));
        }
        // Neighbours of one chunk share their prefix in an embedded model.
        asked.sort_by_key(|(chunk, ..)| *chunk);
        let calls: Vec<ModelCall> = asked.iter().map(|(.., call)| call.clone()).collect();
        let screen = ProposalScreen::new(view);
        let found = ask::once(view, &calls, &mut proposals.discards).await?;
        proposals.asked += found.answered;
        for ((chunk, opening, _), reply) in asked.iter().zip(found.read) {
            let Some(reply) = reply else { continue };
            let text = continued(opening, &reply);
            match screen.line(&text) {
                Ok(prompt) => proposals.add(Proposal {
                    prompt,
                    origin: self.origin(),
                    parents: Vec::new(),
                    chunk: Some(*chunk),
                }),
                Err(rule) => proposals.discards.add(&rule, &text),
            }
        }
        Ok(())
    }

    fn origin(&self) -> Origin {
        match self.target {
            TargetUse::Voted => Origin::InducedFromMix,
            TargetUse::Nothing | TargetUse::Inputs => Origin::Induced,
        }
    }

    /// Target inputs to show beside a chunk: as many as it has shots.
    fn beside(&self, view: &ProposerView<'_>, chunk: &[Example], index: usize) -> Vec<String> {
        if self.target != TargetUse::Inputs || view.target.is_empty() {
            return Vec::new();
        }
        (0..chunk.len().min(view.target.len()))
            .map(|offset| {
                let at = (index * chunk.len() + offset) % view.target.len();
                view.task.render(&view.target[at])
            })
            .collect()
    }

    /// The `N` shots. For the mix, voted items are upsampled to `N` and
    /// interleaved with `N` source shots, so that every chunk is half and half;
    /// without any voted item the source stands alone.
    fn shots(&self, view: &ProposerView<'_>) -> Vec<Example> {
        let source = view.source.iter().take(self.shots);
        if self.target != TargetUse::Voted || view.pseudo_labelled.is_empty() {
            return source.cloned().collect();
        }
        source
            .zip(view.pseudo_labelled.iter().cycle())
            .flat_map(|(source, voted)| [source.clone(), voted.clone()])
            .collect()
    }

    fn request(
        &self,
        view: &ProposerView<'_>,
        chunk: &[Example],
        index: usize,
        opening: &str,
    ) -> Request {
        let shown = chunk.iter().map(|example| view.task.demonstration(example));
        let form = chunk
            .first()
            .map(|example| view.task.answer_form(&example.input));
        begun(
            form.as_ref(),
            &shown.collect::<Vec<_>>(),
            &self.beside(view, chunk, index),
            opening,
        )
    }
}

/// A request that a model can only go on with: demonstrations, and the beginning of
/// the instruction that they follow.
pub(super) fn begun(
    form: Option<&AnswerForm>,
    demonstrations: &[Demonstration],
    beside: &[String],
    opening: &str,
) -> Request {
    let is_ranking = form.is_some_and(|form| form.candidates().is_some());
    let mut text = String::from(if is_ranking {
        "A recommender was given one instruction and followed it for every user below. Each \
         output is what the user really chose next.\n\n"
    } else {
        "An assistant was given one instruction and followed it on every input below.\n\n"
    });
    for Demonstration { input, answer } in demonstrations {
        let _ = write!(text, "Input: {input}\nOutput: {answer}\n\n");
    }
    if !beside.is_empty() {
        text.push_str("The same instruction must also work on inputs like these:\n\n");
        for input in beside {
            let _ = write!(text, "Input: {input}\n\n");
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
    Request {
        messages: vec![
            Message::user(text),
            Message::assistant(format!("The instruction was: {opening}")),
        ],
        answer: AnswerForm::Text {
            max_tokens: LINE_TOKENS,
        },
    }
}

/// What a reply makes of an opening: it ends where the model starts a new line, or
/// with its last complete sentence.
pub(super) fn continued(opening: &str, reply: &str) -> String {
    let line = reply.lines().next().unwrap_or_default();
    join(opening, complete_sentences(line))
}

/// An opening and its continuation as one text.
pub(super) fn join(opening: &str, continuation: &str) -> String {
    let space = continuation.starts_with(|c: char| c.is_alphanumeric());
    format!("{opening}{}{continuation}", if space { " " } else { "" })
}

/// The text up to its last complete sentence, or all of it if none is complete.
pub(super) fn complete_sentences(text: &str) -> &str {
    match text.rfind(['.', '?', '!']) {
        Some(end) => &text[..=end],
        None => text,
    }
}

#[cfg(test)]
mod tests;
