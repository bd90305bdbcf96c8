//! Which tests are the source and which the target.

use std::collections::BTreeMap;

use super::cases::ImportedCase;
use super::{ConfigLocation, ImportNotes, ImportOptions};
use crate::exit::Failure;

/// The tests with their final groups, and the groups' parts.
pub(super) struct GroupRoles {
    pub cases: Vec<ImportedCase>,
    pub source: Vec<String>,
    pub target: Vec<String>,
    /// Whether the target is a part of the only group.
    pub held_out: bool,
}

impl GroupRoles {
    /// Deals the tests out: the largest group is the source where none is named.
    pub fn of(
        mut cases: Vec<ImportedCase>,
        options: ImportOptions<'_>,
        top: &ConfigLocation,
        notes: &mut ImportNotes,
    ) -> Result<Self, Failure> {
        let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
        for case in &cases {
            *sizes.entry(case.group.clone()).or_default() += 1;
        }
        for name in options.source {
            if !sizes.contains_key(name) {
                let known: Vec<&str> = sizes.keys().map(String::as_str).collect();
                return Err(Failure::usage(format!(
                    "--source {name}: the tests' groups are {}",
                    known.join(", ")
                )));
            }
        }
        // Of equally large groups the first by name.
        let largest = sizes
            .iter()
            .rev()
            .max_by_key(|(_, size)| **size)
            .map(|(name, _)| name.clone());
        let source: Vec<String> = if options.source.is_empty() {
            largest.into_iter().collect()
        } else {
            options.source.to_vec()
        };
        let target: Vec<String> = sizes
            .into_keys()
            .filter(|name| !source.contains(name))
            .collect();
        if !target.is_empty() || source.is_empty() {
            return Ok(Self {
                cases,
                source,
                target,
                held_out: false,
            });
        }
        let held_out = format!("{}-heldout", source[0]);
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for case in &mut cases {
            let nth = seen.entry(case.label.clone()).or_default();
            *nth += 1;
            if nth.is_multiple_of(3) {
                case.group.clone_from(&held_out);
            }
        }
        notes.add(
            top.clone(),
            format!(
                "there is no group to shift to: every third test of each label is now the target \
                 {held_out:?}, which shows no shift; add tests of other groups (metadata: group) \
                 or name the key that tells them (--group)"
            ),
        );
        Ok(Self {
            cases,
            source,
            target: vec![held_out],
            held_out: true,
        })
    }

    /// Tests per label in a group.
    pub fn counts(&self, group: &str, labels: &[String]) -> Vec<usize> {
        labels
            .iter()
            .map(|label| {
                let of = |case: &&ImportedCase| case.group == group && case.label == *label;
                self.cases.iter().filter(of).count()
            })
            .collect()
    }
}
