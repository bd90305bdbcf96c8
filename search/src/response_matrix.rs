//! Who was asked what, and what came of it.
//!
//! The matrix holds replies, not scores. Outcomes are derived each time from the
//! reply, the calibration as known so far and the label, so that a label won by
//! vote or a better calibration re-scores what was already paid for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use shiftproof_tasks::{Answer, Example, Input, Label, Outcome, Prompt, PromptId, Reply, Task};

use crate::calibrate::{self, Calibration, CalibrationFit, LabelBias};
use crate::emitted::{EmittedAnswers, EmittedFaults};
use crate::event::GroupInfo;
use crate::gateway::{CallOutcome, Gateway, PricedModel};
pub use crate::indices::{CandidateIndex, InputIndex};
use crate::target_vote::{JudgingBelief, TargetVote, VoteCounting};
use crate::vote::pseudo_label;

/// What evaluations need besides the matrix.
#[derive(Clone, Copy)]
pub(crate) struct EvalContext<'a> {
    pub task: &'a dyn Task,
    pub gateway: &'a Gateway,
    pub model: &'a PricedModel,
    pub calibration: Calibration,
    /// Whether to go on where hardly an answer can be used.
    pub keep_going: bool,
}

/// Confidence of every interval shown.
pub(crate) const CONFIDENCE: f64 = 0.95;

/// A prompt in the race.
pub(crate) struct EnteredCandidate {
    pub prompt: Prompt,
    pub id: PromptId,
    pub parents: Vec<PromptId>,
    /// Which chunk of demonstrations induced it.
    pub chunk: Option<usize>,
    /// Whether it was there before the search: the seed, a person's, the library's.
    pub is_given: bool,
    /// Whether it comes from an earlier run, and nobody proposed it in this one.
    is_carried: bool,
    /// What came of asking it.
    pub asked: BTreeMap<InputIndex, CallOutcome>,
    /// Replies to content-free inputs, for contextual calibration.
    pub neutral: Vec<Reply>,
}

/// What the search takes for the truth about an input.
struct KnownLabel {
    label: Label,
    origin: LabelOrigin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LabelOrigin {
    /// The data's own.
    Given,
    /// Won by vote with more than the threshold.
    Kept,
    /// The likeliest by the vote, and not likely enough to be shown to anybody.
    Likeliest,
}

#[derive(Default)]
pub(crate) struct ResponseMatrix {
    pub groups: Vec<GroupInfo>,
    pub candidates: Vec<EnteredCandidate>,
    inputs: Vec<Input>,
    truths: Vec<Option<KnownLabel>>,
    /// The vote that the labels won by vote come from.
    vote: Option<TargetVote>,
    group_of: Vec<usize>,
    /// Labelled inputs that were not drawn at random.
    chosen: BTreeSet<InputIndex>,
    /// The target's share of every class, by name; empty where nobody stated it.
    pub target_shares: BTreeMap<String, f64>,
    by_id: HashMap<PromptId, CandidateIndex>,
    /// What observers know of the answers.
    pub emitted: EmittedAnswers,
    /// What they know of answers that cannot be used.
    pub faults: EmittedFaults,
}

impl ResponseMatrix {
    pub fn new(groups: Vec<GroupInfo>) -> Self {
        Self {
            groups,
            ..Self::default()
        }
    }

    /// Puts inputs in the matrix; returns their indices.
    pub fn add_inputs<'a>(&mut self, inputs: impl Iterator<Item = &'a Input>) -> Vec<InputIndex> {
        inputs
            .map(|input| {
                let group = self
                    .groups
                    .iter()
                    .position(|group| group.name == input.group)
                    .expect("the split keeps only groups of the study");
                self.inputs.push(input.clone());
                self.truths.push(None);
                self.group_of.push(group);
                self.inputs.len() - 1
            })
            .collect()
    }

    /// Puts labelled examples in the matrix; returns their indices.
    pub fn add_examples(&mut self, examples: &[Example]) -> Vec<InputIndex> {
        let indices = self.add_inputs(examples.iter().map(|example| &example.input));
        for (&index, example) in indices.iter().zip(examples) {
            self.truths[index] = Some(KnownLabel {
                label: example.label.clone(),
                origin: LabelOrigin::Given,
            });
        }
        indices
    }

    /// Gives unlabelled inputs the labels that a vote won; returns the inputs.
    pub fn set_vote(&mut self, vote: TargetVote) -> Vec<InputIndex> {
        let mut inputs = Vec::new();
        for (input, label, kept) in vote.labels() {
            self.truths[input] = Some(KnownLabel {
                label: label.clone(),
                origin: if kept {
                    LabelOrigin::Kept
                } else {
                    LabelOrigin::Likeliest
                },
            });
            inputs.push(input);
        }
        self.vote = Some(vote);
        inputs
    }

    /// The vote that was held, if one was.
    pub fn vote(&self) -> Option<&TargetVote> {
        self.vote.as_ref()
    }

    /// The vote, taken out to be heard anew.
    pub fn take_vote(&mut self) -> Option<TargetVote> {
        self.vote.take()
    }

    /// Puts back the vote that was taken out.
    pub fn put_vote(&mut self, vote: TargetVote) {
        self.vote = Some(vote);
    }

    pub fn input(&self, index: InputIndex) -> &Input {
        &self.inputs[index]
    }

    pub fn label(&self, index: InputIndex) -> Option<&Label> {
        self.truths[index].as_ref().map(|truth| &truth.label)
    }

    /// The label that the data or a person gave; not one that was won by vote.
    pub fn given_label(&self, index: InputIndex) -> Option<&Label> {
        let truth = self.truths[index].as_ref()?;
        (truth.origin == LabelOrigin::Given).then_some(&truth.label)
    }

    pub fn group_of(&self, index: InputIndex) -> usize {
        self.group_of[index]
    }

    /// Whether the input's label was won by vote.
    pub fn is_voted(&self, index: InputIndex) -> bool {
        let truth = self.truths[index].as_ref();
        truth.is_some_and(|truth| truth.origin != LabelOrigin::Given)
    }

    /// Whether the label is the data's own, or was won with enough votes to stand
    /// for it.
    pub fn is_trusted(&self, index: InputIndex) -> bool {
        let truth = self.truths[index].as_ref();
        truth.is_some_and(|truth| truth.origin != LabelOrigin::Likeliest)
    }

    /// A number per input that is shared within a cluster; an input without a
    /// cluster stands for itself.
    pub fn clusters(&self, inputs: &[InputIndex]) -> Vec<u64> {
        let mut numbers: HashMap<&str, u64> = HashMap::new();
        inputs
            .iter()
            .map(|&input| match self.inputs[input].cluster.as_deref() {
                // Shared numbers lie above those of inputs on their own.
                Some(cluster) => {
                    let next = (self.inputs.len() + numbers.len()) as u64;
                    *numbers.entry(cluster).or_insert(next)
                }
                None => input as u64,
            })
            .collect()
    }

    /// Enters a prompt in the race; `None` if it is there already.
    pub fn enter(
        &mut self,
        prompt: Prompt,
        parents: Vec<PromptId>,
        chunk: Option<usize>,
    ) -> Option<CandidateIndex> {
        let id = prompt.id();
        if self.by_id.contains_key(&id) {
            return None;
        }
        self.by_id.insert(id, self.candidates.len());
        self.candidates.push(EnteredCandidate {
            prompt,
            id,
            is_given: parents.is_empty() && chunk.is_none(),
            is_carried: false,
            parents,
            chunk,
            asked: BTreeMap::new(),
            neutral: Vec::new(),
        });
        Some(self.candidates.len() - 1)
    }

    /// Enters a prompt of an earlier run; `None` if it is there already.
    pub fn carry(&mut self, prompt: Prompt) -> Option<CandidateIndex> {
        let index = self.enter(prompt, Vec::new(), None)?;
        let candidate = &mut self.candidates[index];
        (candidate.is_given, candidate.is_carried) = (false, true);
        Some(index)
    }

    /// A prompt of an earlier run that is proposed in this one, for the first time: it
    /// is what its proposer made, as if it were new.
    pub fn claim(
        &mut self,
        id: PromptId,
        parents: &[PromptId],
        chunk: Option<usize>,
    ) -> Option<CandidateIndex> {
        let index = *self.by_id.get(&id)?;
        let candidate = &mut self.candidates[index];
        if !std::mem::take(&mut candidate.is_carried) {
            return None;
        }
        candidate.parents = parents.to_vec();
        candidate.chunk = chunk;
        Some(index)
    }

    /// Says which labelled inputs were picked, not drawn at random.
    pub fn set_chosen(&mut self, inputs: BTreeSet<InputIndex>) {
        self.chosen = inputs;
    }

    /// Whether an input was picked for what is unclear about it: it says nothing about
    /// how frequent its class is.
    pub fn is_chosen(&self, input: InputIndex) -> bool {
        self.chosen.contains(&input)
    }

    /// Every candidate with every input it was asked about, in order.
    pub fn all_asked(&self) -> impl Iterator<Item = (CandidateIndex, InputIndex)> + '_ {
        let candidates = self.candidates.iter().enumerate();
        candidates.flat_map(|(at, own)| own.asked.keys().map(move |&input| (at, input)))
    }

    /// Whether any candidate was asked about any of these.
    pub fn was_asked(&self, inputs: &[InputIndex]) -> bool {
        self.all_asked().any(|(_, input)| inputs.contains(&input))
    }

    /// How this candidate's replies are read, by what is known now.
    pub fn adjustment(
        &self,
        context: EvalContext<'_>,
        candidate: CandidateIndex,
    ) -> ReplyAdjustment {
        ReplyAdjustment {
            bias: self.bias(context.calibration, candidate),
            fit: context.task.fitting().and_then(|fitting| {
                let graded = self.graded(candidate);
                let graded: Vec<(&Example, &Reply)> = graded.iter().map(|(e, r)| (e, *r)).collect();
                fitting.fit(&graded)
            }),
        }
    }

    /// The candidate's replies to examples whose label is known, not voted.
    fn graded(&self, candidate: CandidateIndex) -> Vec<(Example, &Reply)> {
        let asked = self.candidates[candidate].asked.iter();
        asked
            .filter_map(|(&input, asked)| match (asked, &self.truths[input]) {
                (CallOutcome::Reply(reply), Some(truth)) if truth.origin == LabelOrigin::Given => {
                    let example = Example {
                        input: self.inputs[input].clone(),
                        label: truth.label.clone(),
                    };
                    Some((example, reply))
                }
                _ => None,
            })
            .collect()
    }

    /// The label bias to subtract from this candidate's scores.
    fn bias(&self, calibration: Calibration, candidate: CandidateIndex) -> Option<LabelBias> {
        let candidate = &self.candidates[candidate];
        match calibration {
            Calibration::None => None,
            Calibration::Contextual => calibrate::bias(calibration, candidate.neutral.iter()),
            Calibration::Batch => calibrate::bias(
                calibration,
                candidate.asked.values().filter_map(|asked| match asked {
                    CallOutcome::Reply(reply) => Some(reply),
                    _ => None,
                }),
            ),
        }
    }

    /// What this candidate's calibration rests on.
    pub fn calibration_fit(
        &self,
        calibration: Calibration,
        candidate: CandidateIndex,
    ) -> CalibrationFit {
        let own = &self.candidates[candidate];
        let replies = match calibration {
            Calibration::None => 0,
            Calibration::Contextual => calibrate::usable(own.neutral.iter()),
            Calibration::Batch => {
                calibrate::usable(own.asked.values().filter_map(|asked| match asked {
                    CallOutcome::Reply(reply) => Some(reply),
                    _ => None,
                }))
            }
        };
        CalibrationFit {
            candidate: own.id,
            replies,
            applied: self.bias(calibration, candidate).is_some(),
        }
    }

    /// A view of one candidate with its adjustment worked out once, from all that is
    /// known now.
    pub fn answers<'a>(
        &'a self,
        context: EvalContext<'a>,
        candidate: CandidateIndex,
    ) -> CandidateAnswers<'a> {
        self.answers_as(context, candidate, self.adjustment(context, candidate))
    }

    /// A view of one candidate under a adjustment fixed elsewhere.
    pub fn answers_as<'a>(
        &'a self,
        context: EvalContext<'a>,
        candidate: CandidateIndex,
        adjustment: ReplyAdjustment,
    ) -> CandidateAnswers<'a> {
        CandidateAnswers {
            matrix: self,
            task: context.task,
            candidate,
            adjustment,
            excluded: OnceLock::new(),
        }
    }
}

/// How one candidate's replies are read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ReplyAdjustment {
    /// The label bias to subtract.
    pub bias: Option<LabelBias>,
    /// What the task has [learnt](shiftproof_tasks::Fitting).
    pub fit: Option<Vec<f64>>,
}

/// One candidate's answers under its adjustment.
pub(crate) struct CandidateAnswers<'a> {
    pub matrix: &'a ResponseMatrix,
    pub task: &'a dyn Task,
    candidate: CandidateIndex,
    adjustment: ReplyAdjustment,
    /// Voters whose votes say nothing about this candidate; found out when needed.
    excluded: OnceLock<Vec<bool>>,
}

impl<'a> CandidateAnswers<'a> {
    /// Whose answers these are.
    pub fn candidate(&self) -> CandidateIndex {
        self.candidate
    }

    /// What came of asking it.
    pub fn asked(&self, input: InputIndex) -> Option<&'a CallOutcome> {
        self.matrix.candidates[self.candidate].asked.get(&input)
    }

    /// The reply as it is read.
    fn read(&self, input: &Input, reply: &Reply) -> Reply {
        let mut reply = reply.clone();
        if let Some(bias) = &self.adjustment.bias {
            reply = bias.taken_off(reply);
        }
        match (self.task.fitting(), &self.adjustment.fit) {
            (Some(fitting), Some(fit)) => fitting.apply(input, reply, fit),
            _ => reply,
        }
    }

    /// What it answered, labels unknown; `None` where there is no answer.
    pub fn answer(&self, input: InputIndex) -> Option<Answer> {
        match self.asked(input)? {
            CallOutcome::Reply(reply) => {
                let input = &self.matrix.inputs[input];
                Some(self.task.parse(input, &self.read(input, reply)))
            }
            CallOutcome::Refused(_) | CallOutcome::Unaffordable => None,
        }
    }

    /// How its answer compares with the label; `None` where it was not asked or
    /// the label is unknown. A voted label is the one that other voters make: of a
    /// [weighted](VoteCounting::Weighted) vote the answer's worth is the expected one
    /// over the labels that may be right.
    pub fn outcome(&self, input: InputIndex) -> Option<Outcome> {
        let truth = self.matrix.truths[input].as_ref()?;
        let reply = match self.asked(input)? {
            CallOutcome::Reply(reply) => self.read(&self.matrix.inputs[input], reply),
            CallOutcome::Refused(reason) => {
                return Some(Outcome::Failed {
                    reason: reason.clone(),
                });
            }
            CallOutcome::Unaffordable => return None,
        };
        let graded = |label: &Label| {
            let example = Example {
                input: self.matrix.inputs[input].clone(),
                label: label.clone(),
            };
            self.task.score(&example, &reply)
        };
        match (&self.matrix.vote, truth.origin) {
            (_, LabelOrigin::Given) | (None, _) => Some(graded(&truth.label)),
            (Some(vote), _) => match vote.counting() {
                VoteCounting::Heads => vote.label_without(input, self.excluded(vote)).map(graded),
                VoteCounting::Weighted => {
                    let belief = vote.belief(input, self.excluded(vote))?;
                    Some(self.expected(input, &belief, graded(belief.label()?), graded))
                }
            },
        }
    }

    /// An answer's outcome with its expected worth.
    fn expected(
        &self,
        input: InputIndex,
        belief: &JudgingBelief<'_>,
        outcome: Outcome,
        graded: impl Fn(&Label) -> Outcome,
    ) -> Outcome {
        let Outcome::Scored(mut scored) = outcome else {
            return outcome;
        };
        let form = self.task.answer_form(&self.matrix.inputs[input]);
        let own = scored.answer.vote();
        let own = own
            .as_deref()
            .and_then(|own| Some((own, pseudo_label(&form, own)?)));
        scored.value = belief.expect(own, |label| graded(label).value().unwrap_or(0.0));
        Outcome::Scored(scored)
    }

    fn excluded(&self, vote: &TargetVote) -> &[bool] {
        self.excluded
            .get_or_init(|| vote.excluded(self.candidate, |input| self.answer(input)?.vote()))
    }
}

#[cfg(test)]
mod tests;
