//! Checks across roles: what must not be in two of them.

use std::collections::{BTreeMap, BTreeSet};

use super::LintSeverity::{Error, Info, Warning};
use super::finding::LintFindings;
use super::{DataLint, key, pair};
use crate::{Data, Input, Task};

/// Below this many examples a share is known to no better than ±18 points.
const SMALL_GROUP: usize = 30;

impl DataLint<'_> {
    pub(super) fn roles(&self, data: &Data, found: &mut LintFindings) {
        let sealed = texts(self.task, data.audit.inputs());
        let users: BTreeSet<_> = data
            .audit
            .inputs()
            .filter_map(|input| input.cluster.as_ref())
            .collect();
        let train = texts(
            self.task,
            data.source.train.iter().map(|example| &example.input),
        );
        let roles: [(&str, Vec<&Input>); 5] = [
            (
                "train",
                data.source
                    .train
                    .iter()
                    .map(|example| &example.input)
                    .collect(),
            ),
            (
                "validation",
                data.source
                    .validation
                    .iter()
                    .map(|example| &example.input)
                    .collect(),
            ),
            ("unlabelled", data.target.inputs.iter().collect()),
            ("labelled", data.labelled_target.inputs().collect()),
            ("audit", data.audit.inputs().collect()),
        ];
        let severity = if self.allow_leakage { Warning } else { Error };
        for (role, inputs) in roles {
            let within = |texts: &BTreeMap<String, &Input>| -> Vec<String> {
                let shared = inputs.iter().filter_map(|input| {
                    let other = texts.get(&key(self.task, input)?)?;
                    Some(pair(input, other))
                });
                shared.collect()
            };
            if role != "audit" {
                found.add(severity, "leak", within(&sealed), |n| {
                    format!("texts of {role} that are also in the sealed audit: {n}")
                });
            }
            if role != "audit" {
                let known = inputs.iter().filter(|input| {
                    input
                        .cluster
                        .as_ref()
                        .is_some_and(|cluster| users.contains(cluster))
                });
                let known: Vec<_> = known.map(|input| input.id.clone()).collect();
                found.add(Info, "cluster-overlap", known, |n| {
                    format!(
                        "examples of {role} from a cluster that is also in the sealed audit: {n}"
                    )
                });
            }
            if role == "validation" {
                found.add(Warning, "train-validation-overlap", within(&train), |n| {
                    format!("texts of validation that proposers see in train: {n}")
                });
            }
            let mut seen: BTreeMap<String, &Input> = BTreeMap::new();
            let again = inputs.iter().filter_map(|input| {
                let earlier = *seen.entry(key(self.task, input)?).or_insert(input);
                (!std::ptr::eq(earlier, *input)).then(|| pair(input, earlier))
            });
            let again: Vec<_> = again.collect();
            found.add(Warning, "duplicate-text", again, |n| {
                format!(
                    "texts of {role} that repeat an earlier one, though intervals take them as independent: {n}"
                )
            });
        }
    }
}

/// Removes from every other role what repeats a text of the sealed audit;
/// returns how many examples went. Roles are not filled up again.
pub fn drop_leaks(task: &dyn Task, data: &mut Data) -> usize {
    let sealed = texts(task, data.audit.inputs());
    let sealed: BTreeSet<String> = sealed.into_keys().collect();
    let keep = |input: &Input| key(task, input).is_none_or(|key| !sealed.contains(&key));
    let size = |data: &Data| {
        data.source.train.len()
            + data.source.validation.len()
            + data.target.inputs.len()
            + data.labelled_target.len()
    };
    let before = size(data);
    data.source.train.retain(|example| keep(&example.input));
    data.source
        .validation
        .retain(|example| keep(&example.input));
    data.target.inputs.retain(&keep);
    data.labelled_target.retain(keep);
    before - size(data)
}

pub(super) fn small_groups(data: &Data, found: &mut LintFindings) {
    let mut told = Vec::new();
    let mut count = |role: &str, inputs: &mut dyn Iterator<Item = &Input>| {
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        for input in inputs {
            *sizes.entry(&input.group).or_default() += 1;
        }
        let small = sizes.into_iter().filter(|(_, n)| *n < SMALL_GROUP);
        let small: Vec<String> = small
            .map(|(group, n)| {
                // Half the width of the 95% interval of a share of one half.
                let points = 98.0 / (n as f64).sqrt();
                format!("{group:?} {n} (±{points:.0} points)")
            })
            .collect();
        if !small.is_empty() {
            told.push(format!("{role} {}", small.join(", ")));
        }
    };
    count(
        "validation",
        &mut data.source.validation.iter().map(|example| &example.input),
    );
    count("audit", &mut data.audit.inputs());
    if !told.is_empty() {
        let told = told.join("; ");
        found.note(
            Warning,
            "small-group",
            format!("few examples, by which scores are known no better than this: {told}"),
        );
    }
}

/// The first input of each text.
fn texts<'a>(
    task: &dyn Task,
    inputs: impl Iterator<Item = &'a Input>,
) -> BTreeMap<String, &'a Input> {
    let mut texts = BTreeMap::new();
    for input in inputs {
        if let Some(key) = key(task, input) {
            texts.entry(key).or_insert(input);
        }
    }
    texts
}
