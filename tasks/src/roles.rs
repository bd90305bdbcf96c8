//! Roles as types: what a label may be used for is decided by the type that
//! holds it, not by a convention.
//!
//! | type | labels | who may read them |
//! | --- | --- | --- |
//! | [`Source`] | yes | everyone: proposers, evaluator, selector |
//! | [`UnlabelledTarget`] | none exist | inputs only |
//! | [`LabelledTarget`] | yes, few | the selector, counted |
//! | [`SealedAudit`] | yes | the audit at the end, once, counted |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Example, Input};

/// Labelled examples the search may use freely, cut into a part that proposals
/// are induced from and a part that candidates are scored on.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// Seen by proposers (demonstrations, failures).
    pub train: Vec<Example>,
    /// Scores candidates; never shown to a proposer.
    pub validation: Vec<Example>,
}

/// Inputs of the shifted groups; they carry no label to leak.
#[derive(Debug, Clone, Default)]
pub struct UnlabelledTarget {
    /// The inputs, of every target group.
    pub inputs: Vec<Input>,
    /// Share of every class among the target's inputs, by the class's name, 0 to 1 and
    /// summing to 1: where it is known without labels. Empty where it is not.
    pub class_shares: BTreeMap<String, f64>,
}

/// A small audited sample of target examples that the *selector* may use.
#[derive(Clone)]
pub struct LabelledTarget {
    examples: Vec<Example>,
    /// Ids of those that were not drawn at random.
    chosen: BTreeSet<String>,
    reads: LabelReads,
}

/// Examples with true labels, read once to report the truth: of every target
/// group, and of every source group so that the gap between the two is measured
/// on data that no choice was made on. Each example carries its group.
#[derive(Clone)]
pub struct SealedAudit {
    examples: Vec<Example>,
    reads: LabelReads,
}

/// How many labels of [`LabelledTarget`] and [`SealedAudit`] have been read so
/// far, repeated reads counted again; clones share the count.
#[derive(Debug, Clone, Default)]
pub struct LabelReads(Arc<AtomicU64>);

impl LabelReads {
    /// Labels read so far.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn add(&self, labels: usize) {
        self.0.fetch_add(labels as u64, Ordering::SeqCst);
    }
}

impl LabelledTarget {
    /// Seals the examples behind the counter.
    pub fn new(examples: Vec<Example>, reads: LabelReads) -> Self {
        Self {
            examples,
            chosen: BTreeSet::new(),
            reads,
        }
    }

    /// Adds an example; `chosen`: it was picked for what is unclear about it, and says
    /// nothing about how frequent its class is.
    pub fn add(&mut self, example: Example, chosen: bool) {
        if chosen {
            self.chosen.insert(example.input.id.clone());
        }
        self.examples.push(example);
    }

    /// Whether the example of this id was picked, not drawn at random.
    pub fn is_chosen(&self, id: &str) -> bool {
        self.chosen.contains(id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Whether the study has none.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// The inputs without their labels, for lints and cost estimates.
    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.examples.iter().map(|example| &example.input)
    }

    /// The same to be written to.
    fn inputs_mut(&mut self) -> impl Iterator<Item = &mut Input> {
        self.examples.iter_mut().map(|example| &mut example.input)
    }

    /// Keeps only the examples whose input passes.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Input) -> bool) {
        self.examples.retain(|example| keep(&example.input));
    }

    /// The examples with their labels; counted as reads of every one of them.
    pub fn read(&self) -> &[Example] {
        self.reads.add(self.examples.len());
        &self.examples
    }
}

impl SealedAudit {
    /// Seals the examples behind the counter.
    pub fn new(examples: Vec<Example>, reads: LabelReads) -> Self {
        Self { examples, reads }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Whether the study has none.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// The inputs without their labels, for lints and cost estimates.
    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.examples.iter().map(|example| &example.input)
    }

    /// The same to be written to: what was found out about an input is a field of it. The
    /// audit's [name](Self::fingerprint) is of the inputs as they were read.
    pub fn inputs_mut(&mut self) -> impl Iterator<Item = &mut Input> {
        self.examples.iter_mut().map(|example| &mut example.input)
    }

    /// What names this audit: 128 bits of BLAKE3, in hex, over its examples with
    /// their labels, in any order. Equal audits have equal names; no label can
    /// be read off one, so this is not counted as a read.
    pub fn fingerprint(&self) -> String {
        let mut lines: Vec<String> = self
            .examples
            .iter()
            .map(|example| {
                serde_json::to_string(example).expect("strings and finite numbers serialise")
            })
            .collect();
        lines.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        for line in &lines {
            hasher.update(&(line.len() as u64).to_be_bytes());
            hasher.update(line.as_bytes());
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }

    /// The audit, still sealed, taken out of where it is kept; an empty one stays. Opening
    /// it then needs no second copy of its examples.
    #[must_use]
    pub fn take(&mut self) -> Self {
        Self::new(std::mem::take(&mut self.examples), self.reads.clone())
    }

    /// Opens the seal: the audit is consumed, every label counted as read.
    pub fn open(self) -> Vec<Example> {
        self.reads.add(self.examples.len());
        self.examples
    }
}

/// Shows how many there are: a debug print must not be a way past the seal.
impl fmt::Debug for LabelledTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LabelledTarget({})", self.examples.len())
    }
}

/// Shows how many there are: a debug print must not be a way past the seal.
impl fmt::Debug for SealedAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedAudit({})", self.examples.len())
    }
}

/// Everything a study's data files hold, by role.
#[derive(Debug, Clone)]
pub struct Data {
    /// Labelled source groups.
    pub source: Source,
    /// Unlabelled target groups.
    pub target: UnlabelledTarget,
    /// Audited target sample for the selector; may be empty.
    pub labelled_target: LabelledTarget,
    /// Sealed audit of target and source groups; may be empty.
    pub audit: SealedAudit,
    /// The counter shared by the two sealed roles.
    pub reads: LabelReads,
}

impl Data {
    /// All inputs: training, validation, target, labelled target, audit.
    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        let source = self.source.train.iter().chain(&self.source.validation);
        source
            .map(|example| &example.input)
            .chain(&self.target.inputs)
            .chain(self.labelled_target.inputs())
            .chain(self.audit.inputs())
    }

    /// The same to be written to, in the same order. No label is read.
    pub fn inputs_mut(&mut self) -> impl Iterator<Item = &mut Input> {
        let Source { train, validation } = &mut self.source;
        let source = train.iter_mut().chain(validation);
        source
            .map(|example| &mut example.input)
            .chain(&mut self.target.inputs)
            .chain(self.labelled_target.inputs_mut())
            .chain(self.audit.inputs_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Label;

    #[test]
    fn labels_are_read_openly() {
        let reads = LabelReads::default();
        let example = Input::new("1", "films").with_label(Label::Class("secret".into()));
        let labelled = LabelledTarget::new(vec![example.clone()], reads.clone());
        let audit = SealedAudit::new(vec![example; 2], reads.clone());
        assert_eq!(
            format!("{labelled:?} {audit:?}"),
            "LabelledTarget(1) SealedAudit(2)"
        );
        assert_eq!((labelled.inputs().count(), audit.inputs().count()), (1, 2));
        assert_eq!(audit.fingerprint().len(), 32);
        assert_eq!(reads.count(), 0);
        labelled.read();
        labelled.read();
        assert_eq!(reads.count(), 2);
        let mut audit = audit;
        let taken = audit.take();
        assert_eq!((audit.len(), taken.len(), reads.count()), (0, 2, 2));
        assert_eq!(taken.open().len(), 2);
        assert_eq!(reads.count(), 4);
    }

    #[test]
    fn audit_name_ignores_order() {
        let example =
            |id: &str, label: &str| Input::new(id, "films").with_label(Label::Class(label.into()));
        let name = |examples: &[Example]| {
            SealedAudit::new(examples.to_vec(), LabelReads::default()).fingerprint()
        };
        let (a, b) = (example("1", "good"), example("2", "bad"));
        assert_eq!(name(&[a.clone(), b.clone()]), name(&[b.clone(), a.clone()]));
        assert_ne!(name(&[a.clone(), b]), name(&[a, example("2", "good")]));
    }
}
