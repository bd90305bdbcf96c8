//! A planted world: a model whose every quality is known, to prove that the
//! search does what it claims.
//!
//! Instructions consist of sentences, here called phrases; each phrase has a planted effect on the
//! chance of a right answer in the source and in the target domain. As a
//! proposer the model puts in phrases that the demonstrations suggest: source
//! demonstrations suggest phrases that help on the source (and often hurt on the
//! target), rightly labelled target demonstrations suggest phrases that help on
//! the target, and wrongly labelled ones suggest phrases that mislead there.
//! Shown other prompts it takes up their phrases: those of the better-scored, of both
//! that it is to cross, of the one that it is to say anew. Demonstrations in a prompt
//! help a little.
//! Everything is a deterministic function of the seed and the request.

#[path = "simulate/rewriting.rs"]
mod rewriting;

use std::fmt::Write as _;

use async_trait::async_trait;
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_distr::{Beta, Distribution, Normal};
use shiftproof_tasks::{
    AnswerForm, Data, Demonstration, Example, Finish, Input, Label, LabelReads, LabelledTarget,
    Prompt, Reply, SealedAudit, Source, Task, UnlabelledTarget, Usage,
};

use crate::event::{GroupInfo, GroupRole};
use crate::llm::{Capabilities, Llm, LlmError, ModelCall};
use crate::seeds;

/// The source domain's group.
pub const SOURCE: &str = "source";
/// The target domain's group.
pub const TARGET: &str = "target";
const LABELS: [&str; 2] = ["yes", "no"];
const PHRASES: usize = 12;
/// What each demonstration adds to the chance of a right answer by default, up to
/// [`MOST_SHOWN`] of them.
const SHOWN: f64 = 0.015;
const MOST_SHOWN: usize = 4;

/// Where a phrase comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum PhraseKind {
    /// Suggested by source demonstrations.
    Source,
    /// Suggested by target demonstrations with right labels.
    Target,
    /// Suggested by target demonstrations with wrong labels.
    Misleading,
}

/// A phrase with its planted effects on accuracy, in points of one.
#[derive(Debug, Clone)]
struct PlantedPhrase {
    text: String,
    kind: PhraseKind,
    source: f64,
    target: f64,
}

/// The world. See the [module](self).
#[derive(Debug, Clone)]
pub struct SimulatedWorld {
    seed: u64,
    /// Share of target inputs on which every prompt guesses.
    noise: f64,
    /// What each demonstration of a prompt adds to the chance of a right answer.
    shown: f64,
    phrases: Vec<PlantedPhrase>,
}

impl SimulatedWorld {
    /// A world in which `noise` (in `0..=1`) of the target inputs are such that
    /// every prompt only guesses.
    ///
    /// Effects are drawn from normal distributions, in points on (source,
    /// target): source phrases (4 ± 1, −2 ± 1.5), target phrases (2 ± 0.5, 7 ± 1),
    /// misleading ones (−1 ± 0.5, −6 ± 1).
    pub fn new(seed: u64, noise: f64) -> Self {
        let mut rng = seeds::stream(seed, "phrases");
        let mut draw = |mean: f64, deviation: f64| {
            Normal::new(mean, deviation)
                .expect("a positive deviation")
                .sample(&mut rng)
        };
        let mut phrases = Vec::new();
        for index in 0..PHRASES {
            for (kind, name, source, target) in [
                (PhraseKind::Source, "s", (0.04, 0.01), (-0.02, 0.015)),
                (PhraseKind::Target, "t", (0.02, 0.005), (0.07, 0.01)),
                (PhraseKind::Misleading, "m", (-0.01, 0.005), (-0.06, 0.01)),
            ] {
                phrases.push(PlantedPhrase {
                    text: format!("Mind {name}{index}."),
                    kind,
                    source: draw(source.0, source.1),
                    target: draw(target.0, target.1),
                });
            }
        }
        Self {
            seed,
            noise,
            shown: SHOWN,
            phrases,
        }
    }

    /// The world in which each demonstration of a prompt, up to four, is worth
    /// `each` (0.015 by default) in every domain.
    #[must_use]
    pub const fn with_demonstrations_worth(mut self, each: f64) -> Self {
        self.shown = each;
        self
    }

    /// The chance of a right answer in a domain, noise apart.
    pub fn accuracy(&self, prompt: &Prompt, group: &str) -> f64 {
        let base = if group == SOURCE { 0.60 } else { 0.62 };
        let effect: f64 = self
            .phrases
            .iter()
            .filter(|phrase| prompt.instruction.contains(&phrase.text))
            .map(|phrase| {
                if group == SOURCE {
                    phrase.source
                } else {
                    phrase.target
                }
            })
            .sum();
        let shown = prompt.demonstrations.len().min(MOST_SHOWN);
        (base + effect + self.shown * shown as f64).clamp(0.05, 0.97)
    }

    /// The accuracy to expect on the target, guessing on noise included.
    pub fn target_accuracy(&self, prompt: &Prompt) -> f64 {
        self.accuracy(prompt, TARGET) * (1.0 - self.noise) + 0.5 * self.noise
    }

    /// Data of this world: `n` labelled source examples for training, as many
    /// for validation, as many unlabelled target inputs, and an audit of both.
    pub fn data(&self, n: usize) -> (Data, Vec<GroupInfo>) {
        let examples = |group: &str, role: &str| -> Vec<Example> {
            (0..n)
                .map(|index| {
                    let text = format!("{group} {role} {index}");
                    let label = self.truth(&text).to_owned();
                    let input = Input::new(text.clone(), group).with_field("text", text);
                    Example {
                        input,
                        label: Label::Class(label),
                    }
                })
                .collect()
        };
        let reads = LabelReads::default();
        let mut audit = examples(SOURCE, "audit");
        audit.extend(examples(TARGET, "audit"));
        let data = Data {
            source: Source {
                train: examples(SOURCE, "train"),
                validation: examples(SOURCE, "validation"),
            },
            target: UnlabelledTarget {
                inputs: examples(TARGET, "unlabelled")
                    .into_iter()
                    .map(|e| e.input)
                    .collect(),
                ..UnlabelledTarget::default()
            },
            labelled_target: LabelledTarget::new(Vec::new(), reads.clone()),
            audit: SealedAudit::new(audit, reads.clone()),
            reads,
        };
        let info = |name: &str, role, source: bool| GroupInfo {
            name: name.to_owned(),
            role,
            train: if source { n } else { 0 },
            validation: if source { n } else { 0 },
            labelled: 0,
            unlabelled: if source { 0 } else { n },
            audit: n,
        };
        let groups = vec![
            info(SOURCE, GroupRole::Source, true),
            info(TARGET, GroupRole::Target, false),
        ];
        (data, groups)
    }

    fn truth(&self, text: &str) -> &'static str {
        LABELS[(seeds::number(self.seed, &format!("truth {text}")) % 2) as usize]
    }

    fn guesses(&self, text: &str) -> bool {
        text.starts_with(TARGET)
            && unit(seeds::number(self.seed, &format!("noise {text}"))) < self.noise
    }

    /// `asked`: instruction and demonstrations, as they stand before the input.
    fn answer(&self, asked: &str, text: &str) -> &'static str {
        let group = if text.starts_with(SOURCE) {
            SOURCE
        } else {
            TARGET
        };
        let chance = if self.guesses(text) {
            0.5
        } else {
            self.accuracy(&prompt_of(asked), group)
        };
        let right = unit(seeds::number(self.seed, &format!("answer {asked} {text}"))) < chance;
        let truth = self.truth(text);
        if right {
            truth
        } else {
            LABELS[usize::from(truth == LABELS[0])]
        }
    }

    /// An instruction of phrases that the demonstrations suggest, and of those of
    /// the prompts that it is shown to make a new one of.
    fn propose(&self, text: &str, seed: u64) -> String {
        let mut rng = seeds::stream(self.seed ^ seed, text);
        let taken = self.taken_up(text, &mut rng);
        // How readily this proposal takes up suggestions.
        let readiness = Beta::new(2.0, 4.0)
            .expect("positive shapes")
            .sample(&mut rng);
        let mut chosen: Vec<&str> = taken;
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let Some(input) = line.strip_prefix("Input: ") else {
                continue;
            };
            let label = lines.peek().and_then(|next| next.strip_prefix("Output: "));
            let (kind, chance) = match (input.starts_with(SOURCE), label) {
                (true, Some(_)) => (PhraseKind::Source, readiness),
                (false, Some(label)) if label == self.truth(input) => {
                    (PhraseKind::Target, readiness)
                }
                (false, Some(_)) => (PhraseKind::Misleading, readiness),
                // An input alone says what it is about, not what is right.
                (_, None) => (PhraseKind::Target, readiness * 0.1),
            };
            if rng.random_bool(chance) {
                let suggested: Vec<&PlantedPhrase> = self
                    .phrases
                    .iter()
                    .filter(|phrase| phrase.kind == kind)
                    .collect();
                if let Some(phrase) = suggested.choose(&mut rng)
                    && !chosen.contains(&phrase.text.as_str())
                {
                    chosen.push(&phrase.text);
                }
            }
        }
        let mut instruction = String::from("Answer yes or no.");
        for phrase in chosen {
            let _ = write!(instruction, " {phrase}");
        }
        instruction
    }
}

/// The task of a planted world.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedTask;

impl Task for SimulatedTask {
    fn name(&self) -> &'static str {
        "planted"
    }

    fn seed(&self) -> Prompt {
        Prompt::new("Answer yes or no.")
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        AnswerForm::choice(LABELS)
    }
}

/// Instruction and demonstrations of what stands before an input.
fn prompt_of(asked: &str) -> Prompt {
    let mut blocks = asked.split("\n\n");
    let instruction = Prompt::new(blocks.next().unwrap_or_default());
    let shown = blocks.filter_map(|block| block.split_once("\nAnswer: "));
    instruction.with_demonstrations(
        shown
            .map(|(input, answer)| Demonstration {
                input: input.to_owned(),
                answer: answer.to_owned(),
            })
            .collect(),
    )
}

#[async_trait]
impl Llm for SimulatedWorld {
    fn identity(&self) -> &'static str {
        "planted"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            label_scores: false,
            prefill: false,
            batch: 1,
            concurrency: 8,
            ..Capabilities::default()
        }
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let messages = &call.request.messages;
        let text = &messages[messages.len() - 1].content;
        let reply = if call.request.answer.labels().is_some() {
            let (instruction, input) = text
                .rsplit_once("\n\n")
                .ok_or_else(|| LlmError::Request("no input after the instruction".into()))?;
            self.answer(instruction, input).to_owned()
        } else {
            self.propose(text, call.sampling.seed)
        };
        Ok(Reply {
            text: reply,
            label_logprobs: None,
            candidate_scores: None,
            distances: None,
            grade: None,
            grade_reason: None,
            finish: Finish::Stop,
            usage: Usage {
                prompt_tokens: text.len() as u64 / 4,
                completion_tokens: 8,
                ..Usage::default()
            },
        })
    }
}

/// A number as a share of its range.
fn unit(number: u64) -> f64 {
    number as f64 / u64::MAX as f64
}
