//! New prompts from those that were tried and their scores: the meta prompt of
//! OPRO (Yang et al. 2023, arXiv 2309.03409, §4.2), in words of our own.

use std::fmt::Write as _;

use async_trait::async_trait;
use shiftproof_tasks::{AnswerForm, Example, Message, Prompt};

use super::form::ProposalForm;
use super::wording::trajectory::{BETTER, TRIED};
use super::written::{
    MeantPrompt, WantedPrompt, WritingManner, answer_form, begun_line, contract, evolved,
    fits_a_line, opening, shown_examples, shown_prompt, write,
};
use super::{ProposalBatch, Proposer, ProposerView, meta};
use crate::event::Origin;
use crate::gateway::RunError;

/// Prompts shown at most (§5.1 of the paper).
const SHOWN: usize = 20;
/// Tokens of all shown prompts at most, of two in any case: twenty of a few
/// hundred words each would be more than a model can weigh, and be paid for with
/// every text.
const SHOWN_TOKENS: usize = 6000;
/// Examples shown (§5.1 of the paper); more where there are more labels, up to
/// [`MOST_EXAMPLES`].
const EXAMPLES: usize = 3;
const MOST_EXAMPLES: usize = 6;
/// Instructions that a model which goes on from an opening is shown.
const LINES: usize = 3;

/// A prompt that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrajectoryEntry {
    /// The prompt; its demonstrations are not shown.
    pub prompt: Prompt,
    /// Its score, in `0..=100`.
    pub score: u32,
}

/// Shows prompts with their scores in ascending order, and some examples, and asks
/// for one that scores higher.
#[derive(Debug, Clone)]
pub struct TrajectoryProposer {
    /// What was tried, in any order.
    pub tried: Vec<TrajectoryEntry>,
    /// Which step of the search this is: other examples are shown in each.
    pub step: usize,
}

#[async_trait]
impl Proposer for TrajectoryProposer {
    fn name(&self) -> &'static str {
        "from scored prompts (OPRO)"
    }

    async fn propose(&self, view: &ProposerView<'_>) -> Result<ProposalBatch, RunError> {
        let mut batch = ProposalBatch::default();
        let tried = self.shown(view.form);
        let examples = self.examples(view);
        if examples.is_empty() {
            return Ok(batch);
        }
        let wanted: Vec<WantedPrompt<'_>> = (0..view.count)
            .map(|index| match view.form {
                ProposalForm::Plain => WantedPrompt {
                    messages: whole(view, &tried, &examples),
                    opening: None,
                    parents: view.parents.first().into_iter().collect(),
                },
                ProposalForm::Opening => {
                    let opening = opening(view, self.step * view.count + index);
                    WantedPrompt {
                        messages: line(view, &tried, &examples, &opening),
                        opening: Some(opening),
                        parents: view.parents.first().into_iter().collect(),
                    }
                }
            })
            .collect();
        let manner = WritingManner {
            step: "trajectory",
            temperature: 1.0,
            meant: MeantPrompt::First,
        };
        let written = write(view, &wanted, manner, &mut batch).await?;
        for (prompt, wanted) in written.into_iter().zip(&wanted) {
            if let Some(prompt) = prompt {
                batch.add_new(view, evolved(prompt, Origin::Evolved, &wanted.parents));
            }
        }
        Ok(batch)
    }
}

impl TrajectoryProposer {
    /// The best that can be shown, the lowest score first.
    fn shown(&self, form: ProposalForm) -> Vec<&TrajectoryEntry> {
        let mut tried: Vec<&TrajectoryEntry> = self.tried.iter().collect();
        let most = match form {
            ProposalForm::Plain => SHOWN,
            ProposalForm::Opening => {
                tried.retain(|entry| fits_a_line(&entry.prompt));
                LINES
            }
        };
        // Stable: of equal scores the first that was tried is the best.
        tried.sort_by_key(|entry| std::cmp::Reverse(entry.score));
        let mut tokens = 0;
        let mut shown: Vec<&TrajectoryEntry> = Vec::new();
        for entry in tried.into_iter().take(most) {
            tokens += shiftproof_tasks::text::tokens(&entry.prompt.instruction);
            if shown.len() >= 2 && tokens > SHOWN_TOKENS {
                break;
            }
            shown.push(entry);
        }
        shown.reverse();
        shown
    }

    /// Some of the training examples, others in each step.
    fn examples(&self, view: &ProposerView<'_>) -> Vec<Example> {
        let labels = match answer_form(view) {
            Some(AnswerForm::Choice { labels }) => labels.len(),
            _ => 0,
        };
        let count = EXAMPLES.max(labels.min(MOST_EXAMPLES));
        let all = view.source.iter().cycle().skip(self.step * count);
        all.take(count.min(view.source.len())).cloned().collect()
    }
}

fn whole(
    view: &ProposerView<'_>,
    tried: &[&TrajectoryEntry],
    examples: &[Example],
) -> Vec<Message> {
    let mut text = format!("{TRIED}\n\n");
    for TrajectoryEntry { prompt, score } in tried {
        text.push_str(&shown_prompt(&format!("Score {score}"), prompt));
    }
    text.push_str(&shown_examples(view, examples));
    let _ = write!(text, "{BETTER} It {}. {}", contract(view), meta::TAGS);
    vec![
        meta::system(view, view.parents.first()),
        Message::user(text),
    ]
}

/// For a model that goes on from an opening: no scores, which it would go on
/// with.
fn line(
    view: &ProposerView<'_>,
    tried: &[&TrajectoryEntry],
    examples: &[Example],
    opening: &str,
) -> Vec<Message> {
    let mut text = shown_examples(view, examples);
    if !tried.is_empty() {
        text.push_str("Instructions for this task, each better than the one before:\n\n");
        for entry in tried {
            let _ = writeln!(text, "- {}", entry.prompt.instruction);
        }
        text.push('\n');
    }
    text.push_str(
        "Write the next one, which is better still, in one or two sentences, including the output \
         format. Write only the instruction and quote none of the inputs.",
    );
    begun_line(text, "The next instruction was:", opening)
}
