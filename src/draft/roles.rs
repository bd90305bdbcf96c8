//! Which groups are sources, which are targets, and how much of each there is.

use std::collections::BTreeMap;

use shiftproof_tasks::{GroupsSpec, LoadedTable};

use crate::exit::Failure;

/// Fewer labelled rows than this make no source.
const LEAST_SOURCE: usize = 12;
/// Fewer rows than this make no target.
const LEAST_TARGET: usize = 8;

/// Rows of a group.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct GroupCount {
    pub labelled: usize,
    pub unlabelled: usize,
}

impl GroupCount {
    const fn rows(self) -> usize {
        self.labelled + self.unlabelled
    }

    /// Whether less than half of it is labelled.
    const fn is_bare(self) -> bool {
        self.labelled < self.unlabelled
    }
}

/// The groups with their parts, and the sizes of the roles.
#[derive(Debug)]
pub(super) struct DraftRoles {
    pub spec: GroupsSpec,
    /// Each group's rows.
    pub counts: BTreeMap<String, GroupCount>,
    reason: String,
    /// Groups too small to use.
    left_out: Vec<String>,
}

impl DraftRoles {
    pub fn of(loaded: &LoadedTable, given: &[String]) -> Result<Self, Failure> {
        let mut counts: BTreeMap<String, GroupCount> = BTreeMap::new();
        for example in &loaded.examples {
            counts
                .entry(example.input.group.clone())
                .or_default()
                .labelled += 1;
        }
        for input in &loaded.unlabelled {
            counts.entry(input.group.clone()).or_default().unlabelled += 1;
        }
        let (source, reason) = sources(&counts, given)?;
        let (target, left_out): (Vec<String>, Vec<String>) = counts
            .keys()
            .filter(|name| !source.contains(name))
            .cloned()
            .partition(|name| counts[name].rows() >= LEAST_TARGET);
        let mut spec = GroupsSpec {
            source,
            target,
            ..GroupsSpec::default()
        };
        size(&mut spec, loaded);
        Ok(Self {
            spec,
            counts,
            reason,
            left_out,
        })
    }

    pub fn notes(&self, loaded: &LoadedTable) -> Vec<String> {
        let shown = |name: &String| {
            let GroupCount {
                labelled,
                unlabelled,
            } = self.counts[name];
            match (labelled, unlabelled) {
                (labelled, 0) => format!("{name} ({labelled})"),
                (0, unlabelled) => format!("{name} ({unlabelled} without a label)"),
                (labelled, unlabelled) => {
                    format!("{name} ({labelled} labelled, {unlabelled} not)")
                }
            }
        };
        let listed = |names: &[String]| names.iter().map(shown).collect::<Vec<_>>().join(", ");
        let mut told = vec![format!(
            "source: {} ({})",
            listed(&self.spec.source),
            self.reason
        )];
        if self.spec.target.is_empty() {
            told.push(
                "target: none (there is no other group): nothing will be said about shift".into(),
            );
        } else {
            told.push(format!("target: {}", listed(&self.spec.target)));
        }
        if !self.left_out.is_empty() {
            told.push(format!(
                "left out: {} (fewer than {LEAST_TARGET} rows)",
                listed(&self.left_out)
            ));
        }
        let bare = |name: &&String| self.counts[*name].labelled == 0;
        let unverified: Vec<&str> = self
            .spec
            .target
            .iter()
            .filter(bare)
            .map(String::as_str)
            .collect();
        if !unverified.is_empty() {
            told.push(format!(
                "unverified: {} (no labels, so no audit; label about 100 rows of each)",
                unverified.join(", ")
            ));
        }
        let aside: usize = self
            .spec
            .source
            .iter()
            .map(|name| self.counts[name].unlabelled)
            .sum();
        if aside > 0 {
            told.push(format!(
                "left aside: {aside} rows of source groups without a label"
            ));
        }
        if self.spec.balance == Some(false) {
            told.push(
                "balance: false (a label is too rare in a source group for equal shares)".into(),
            );
        }
        if loaded.dropped > 0 {
            told.push(format!("dropped: {} rows", loaded.dropped));
        }
        told
    }
}

fn sources(
    counts: &BTreeMap<String, GroupCount>,
    given: &[String],
) -> Result<(Vec<String>, String), Failure> {
    let listed = || {
        let shown = counts.iter().map(|(name, count)| {
            format!("{name} ({} labelled of {})", count.labelled, count.rows())
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    if let Some(name) = given.iter().find(|name| !counts.contains_key(*name)) {
        return Err(Failure::usage(format!(
            "--source {name}: there is no such group; there is {}",
            listed()
        )));
    }
    if !given.is_empty() {
        return Ok((given.to_vec(), "as given".to_owned()));
    }
    let fit = |count: &GroupCount| count.labelled >= LEAST_SOURCE;
    let largest = counts
        .iter()
        .rev()
        .filter(|(_, count)| fit(count))
        .max_by_key(|(_, count)| count.labelled);
    let Some((largest, _)) = largest else {
        return Err(Failure::usage(format!(
            "no group has {LEAST_SOURCE} labelled rows, the least a search can use: {}\n  label \
             100 rows or more of one group, or name another column with --label or --group",
            listed()
        )));
    };
    if counts.len() == 1 {
        return Ok((vec![largest.clone()], "the only group".to_owned()));
    }
    if counts.values().any(|count| count.is_bare()) {
        let labelled: Vec<String> = counts
            .iter()
            .filter(|(_, count)| fit(count) && !count.is_bare())
            .map(|(name, _)| name.clone())
            .collect();
        if !labelled.is_empty() {
            let reason = "their rows are labelled, those of the others are not";
            return Ok((labelled, reason.to_owned()));
        }
    }
    Ok((
        vec![largest.clone()],
        "the group with the most labelled rows".to_owned(),
    ))
}

/// Sets the sizes to the largest that every group can give.
fn size(spec: &mut GroupsSpec, loaded: &LoadedTable) {
    let largest = |spec: &GroupsSpec| spec.largest(&loaded.examples, &loaded.unlabelled);
    let as_is = GroupsSpec {
        balance: Some(false),
        ..spec.clone()
    };
    let (balanced, natural) = (largest(spec), largest(&as_is));
    let sizes = if 2 * balanced[1] < natural[1] {
        spec.balance = Some(false);
        natural
    } else {
        balanced
    };
    let [train, validation, unlabelled, audit] = sizes;
    spec.train = Some(train);
    spec.validation = Some(validation);
    if !spec.target.is_empty() {
        spec.unlabelled = Some(unlabelled);
    }
    // One target with few labels is no reason to audit the others on as few.
    let sources = GroupsSpec {
        target: Vec::new(),
        ..spec.clone()
    };
    if 2 * audit >= largest(&sources)[3] {
        spec.audit = Some(audit);
    }
}
