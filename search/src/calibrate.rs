//! Label-bias calibration of scored labels.
//!
//! A language model prefers some labels whatever the input says. Calibration
//! estimates that preference as a probability per label, `p̂(y)`, and scores
//! `log p(y|x) − log p̂(y)` instead of `log p(y|x)`.
//!
//! - *Contextual* (Zhao et al. 2021, "Calibrate Before Use"): `p̂` is the mean
//!   over content-free inputs.
//! - *Batch* (Zhou et al. 2024, "Batch Calibration", §3): `p̂` is the mean over
//!   real inputs without their labels.
//!
//! Either way `p` is first normalised over the label set.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shiftproof_tasks::{Data, Example, Input, PromptId, Reply};

/// How scored labels are calibrated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calibration {
    /// As the model says.
    #[default]
    None,
    /// Against content-free inputs: three more calls a candidate.
    Contextual,
    /// Against the candidate's own replies on inputs whose labels stay unread.
    Batch,
}

/// Inputs that say nothing (Zhao et al. 2021, §5).
pub(crate) const CONTENT_FREE: [&str; 3] = ["N/A", "[MASK]", ""];

/// Fewer replies than this say too little about a preference: a batch
/// calibration then leaves the scores as they are.
pub const LEAST_BATCH: usize = 16;

/// Inputs per group that a batch calibration settles on.
const SETTLING: usize = 32;

/// How one prompt's scored labels were calibrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalibrationFit {
    /// The prompt.
    pub candidate: PromptId,
    /// Replies with label scores that it was learnt from.
    pub replies: usize,
    /// Whether they were enough.
    pub applied: bool,
}

/// What no audit scores, evenly from every group that has it; asked only where
/// something is learnt from it.
#[derive(Debug, Clone, Default)]
pub struct CalibrationSet {
    /// For a batch calibration: inputs of source and target.
    inputs: Vec<Input>,
    /// For a task that [learns](shiftproof_tasks::Fitting) how replies are read:
    /// source examples.
    examples: Vec<Example>,
}

impl CalibrationSet {
    /// The inputs of a batch calibration.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The examples of a task that learns.
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }

    /// Leaves out what nothing is going to be learnt from.
    pub(crate) fn keep(&mut self, inputs: bool, examples: bool) {
        if !inputs {
            self.inputs.clear();
        }
        if !examples {
            self.examples.clear();
        }
    }

    /// All inputs, to be written to.
    pub(crate) fn inputs_mut(&mut self) -> impl Iterator<Item = &mut Input> {
        let examples = self.examples.iter_mut();
        self.inputs
            .iter_mut()
            .chain(examples.map(|example| &mut example.input))
    }

    /// From a study's data. No target label is read.
    pub fn of(data: &Data) -> Self {
        let few = |taken: &mut BTreeMap<String, usize>, input: &Input| {
            let count = taken.entry(input.group.clone()).or_default();
            *count += 1;
            *count <= SETTLING
        };
        let validation = &data.source.validation;
        let mut taken = BTreeMap::new();
        let inputs = validation.iter().map(|example| &example.input);
        let inputs = inputs.chain(&data.target.inputs);
        let inputs = inputs.filter(|input| few(&mut taken, input)).cloned();
        let inputs = inputs.collect();
        let mut taken = BTreeMap::new();
        let examples = validation.iter();
        let examples = examples.filter(|example| few(&mut taken, &example.input));
        Self {
            inputs,
            examples: examples.cloned().collect(),
        }
    }
}

/// Content-free stand-ins for an input with the fields of `like`.
pub fn content_free(like: &Input) -> Vec<Input> {
    CONTENT_FREE
        .iter()
        .map(|text| Input {
            id: format!("content-free {text:?}"),
            group: String::new(),
            fields: like
                .fields
                .keys()
                .map(|name| (name.clone(), (*text).to_owned()))
                .collect::<BTreeMap<_, _>>(),
            cluster: None,
            list: None,
        })
        .collect()
}

/// `log p̂` per label, by how many labels there are: of three letters the last is
/// liked otherwise than the third of seven.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LabelBias(BTreeMap<usize, Vec<f64>>);

impl LabelBias {
    /// The reply with its scored labels less their bias; as it is where nothing is
    /// known of so many labels.
    pub fn taken_off(&self, reply: Reply) -> Reply {
        let labels = reply.label_logprobs.as_ref().map_or(0, Vec::len);
        match self.0.get(&labels) {
            Some(bias) => reply.debiased(bias),
            None => reply,
        }
    }
}

/// The bias of the replies that scored labels; `None` where there is nothing to
/// calibrate with.
pub fn bias<'a>(
    calibration: Calibration,
    replies: impl Iterator<Item = &'a Reply>,
) -> Option<LabelBias> {
    bias_of(calibration, replies.filter_map(scores))
}

/// The bias of label scores, one list a reply.
pub(crate) fn bias_of<'a>(
    calibration: Calibration,
    scores: impl Iterator<Item = &'a [f64]>,
) -> Option<LabelBias> {
    let least = match calibration {
        Calibration::None => return None,
        Calibration::Contextual => 1,
        Calibration::Batch => LEAST_BATCH,
    };
    let mut sums: BTreeMap<usize, (Vec<f64>, usize)> = BTreeMap::new();
    for normalised in scores.filter_map(softmax) {
        let (sum, count) = sums.entry(normalised.len()).or_default();
        sum.resize(normalised.len(), 0.0);
        for (sum, p) in sum.iter_mut().zip(normalised) {
            *sum += p;
        }
        *count += 1;
    }
    sums.retain(|_, (_, count)| *count >= least);
    let known = sums.into_iter().map(|(labels, (sum, count))| {
        // A label that never had any mass keeps a finite bias.
        let mean = sum.iter().map(|sum| (sum / count as f64).max(1e-6).ln());
        (labels, mean.collect())
    });
    let known = LabelBias(known.collect());
    (!known.0.is_empty()).then_some(known)
}

/// Replies that [`bias`] can learn from.
pub fn usable<'a>(replies: impl Iterator<Item = &'a Reply>) -> usize {
    usable_of(replies.filter_map(scores))
}

/// Label scores that [`bias_of`] can learn from.
pub(crate) fn usable_of<'a>(scores: impl Iterator<Item = &'a [f64]>) -> usize {
    scores.filter_map(softmax).count()
}

fn scores(reply: &Reply) -> Option<&[f64]> {
    reply.label_logprobs.as_deref()
}

/// Probabilities over the label set; `None` unless one is finite and none NaN.
fn softmax(scores: &[f64]) -> Option<Vec<f64>> {
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() || scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let exps: Vec<f64> = scores.iter().map(|score| (score - top).exp()).collect();
    let sum: f64 = exps.iter().sum();
    Some(exps.into_iter().map(|exp| exp / sum).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scored(scores: &[f64]) -> Reply {
        Reply {
            label_logprobs: Some(scores.to_vec()),
            ..Reply::text("")
        }
    }

    #[test]
    fn constant_preference_is_removed() {
        // The model adds 2 nats to the first label whatever the input says.
        let replies: Vec<Reply> = [-1.0, 1.0, -0.5, 0.5]
            .iter()
            .cycle()
            .take(32)
            .map(|truth| scored(&[truth + 2.0, -truth]))
            .collect();
        let bias = bias(Calibration::Batch, replies.iter()).unwrap();
        let right = replies
            .iter()
            .zip([-1.0, 1.0, -0.5, 0.5].iter().cycle())
            .all(|(reply, truth)| {
                let scores = bias.taken_off(reply.clone()).label_logprobs.unwrap();
                (scores[0] > scores[1]) == (*truth > 0.0)
            });
        assert!(right);
    }

    /// Options: three in the source, five in the target, of which too few are known.
    #[test]
    fn each_number_of_labels_has_its_bias() {
        let mut replies = vec![scored(&[0.0, -1.0, -2.0]); LEAST_BATCH];
        replies.extend(vec![scored(&[-2.0, -1.0, 0.0, -3.0]); LEAST_BATCH]);
        replies.extend(vec![
            scored(&[0.0, -1.0, -1.0, -1.0, -1.0]);
            LEAST_BATCH - 1
        ]);
        let bias = bias(Calibration::Batch, replies.iter()).unwrap();
        let even = |scores: &[f64]| {
            let scores = bias.taken_off(scored(scores)).label_logprobs.unwrap();
            scores.iter().all(|score| (score - scores[0]).abs() < 1e-9)
        };
        assert!(even(&[0.0, -1.0, -2.0]));
        assert!(even(&[-2.0, -1.0, 0.0, -3.0]));
        let five = scored(&[0.0, -1.0, -1.0, -1.0, -1.0]);
        assert_eq!(bias.taken_off(five.clone()), five);
        assert_eq!(bias.taken_off(Reply::text("A")), Reply::text("A"));
    }

    #[test]
    fn broken_replies_calibrate_nothing() {
        let few = vec![scored(&[-1.0, -2.0]); LEAST_BATCH - 1];
        assert_eq!(bias(Calibration::Batch, few.iter()), None);
        let broken = vec![scored(&[f64::NAN, -2.0]); LEAST_BATCH];
        assert_eq!(bias(Calibration::Batch, broken.iter()), None);
        assert_eq!(bias(Calibration::None, few.iter()), None);
    }

    #[test]
    fn settling_is_even_and_unlabelled() {
        let (mut data, _) = crate::simulate::SimulatedWorld::new(1, 0.0).data(100);
        let reads = data.reads.count();
        let set = CalibrationSet::of(&data);
        let count = |group: &str| {
            let inputs = set.inputs().iter();
            inputs.filter(|input| input.group == group).count()
        };
        assert_eq!((count("source"), count("target")), (SETTLING, SETTLING));
        assert!(set.examples().iter().all(|own| own.input.group == "source"));
        assert_eq!(
            (set.examples().len(), data.reads.count()),
            (SETTLING, reads)
        );
        // What is audited is never learnt from.
        assert!(set.inputs().iter().all(|input| !input.id.contains("audit")));
        data.source.validation.truncate(3);
        assert_eq!(CalibrationSet::of(&data).examples().len(), 3);
    }

    #[test]
    fn content_free_keeps_fields() {
        let like = Input::new("7", "target")
            .with_field("title", "Heat")
            .with_field("text", "A film.");
        let inputs = content_free(&like);
        assert_eq!(inputs.len(), CONTENT_FREE.len());
        let mut ids = std::collections::BTreeSet::new();
        for (input, text) in inputs.iter().zip(CONTENT_FREE) {
            let fields: Vec<(&str, &str)> = input
                .fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(fields, [("text", text), ("title", text)]);
            assert!(ids.insert(&input.id));
        }
    }

    #[test]
    fn contextual_bias_needs_one_reply() {
        let replies = [scored(&[-0.1, -3.0]), Reply::text("yes")];
        let bias = |replies: &[Reply]| super::bias(Calibration::Contextual, replies.iter());
        let leaning = bias(&replies).unwrap().0[&2].clone();
        assert!(leaning[0] > leaning[1]);
        assert_eq!((usable(replies.iter()), bias(&replies[1..])), (1, None));
        // A label that was never thought of keeps a finite one.
        let sure = bias(&[scored(&[0.0, f64::NEG_INFINITY])]).unwrap();
        assert!((sure.0[&2][1] - 1e-6_f64.ln()).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn bias_is_finite_never_positive(
            rows in proptest::collection::vec(
                proptest::collection::vec(-800.0_f64..0.0, 3), LEAST_BATCH..40),
        ) {
            let replies: Vec<Reply> = rows.iter().map(|row| scored(row)).collect();
            let bias = bias(Calibration::Batch, replies.iter()).unwrap();
            prop_assert!(bias.0[&3].iter().all(|b| b.is_finite() && *b <= 1e-9));
        }
    }
}
