use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{DataError, DataProblem, DataProblems};
use crate::roles::{Data, LabelReads, LabelledTarget, SealedAudit, Source, UnlabelledTarget};
use crate::{AnswerForm, Example, Input, suggest};

pub(crate) use pool::GroupRows;
use pool::{DrawOrder, GroupPool, class};
pub use shares::ClassShare;
use sizes::{GroupCensus, RoleDemand, SplitRole, settle, shortage};

mod pool;
mod shares;
mod sizes;

/// Which groups play which part, and how many examples each role takes from
/// each of its groups.
///
/// A size that is absent has the default told with it, or what the group can give
/// where that is less. A size that is there is taken as it is, or is an error.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupsSpec {
    /// Groups whose labels the search may use freely. Where the data are one
    /// group, that one if none is named.
    pub source: Vec<String>,
    /// Shifted groups that prompts must hold on; may be empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<String>,
    /// Labelled examples per source group that proposals are induced from
    /// (default 60).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<usize>,
    /// Labelled examples per source group that candidates are scored on (default
    /// 120).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<usize>,
    /// Inputs without labels per target group (default 120).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlabelled: Option<usize>,
    /// Examples per target group whose labels the selector may use (default 0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labelled: Option<usize>,
    /// Sealed examples per target group *and* per source group (default 100). A
    /// target group without labels has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<usize>,
    /// Whether labelled roles take equally many of every class (`true`) or the
    /// group's own shares (`false`). Absent: train and validation are balanced,
    /// audit and labelled target keep the group's shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<bool>,
    /// Shares of the classes in audit and labelled target, in place of the
    /// group's own; for all groups, or under a group's name for that group.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub class_shares: BTreeMap<String, ClassShare>,
}

/// A study's data by role, and what was left aside.
#[derive(Debug, Clone)]
pub struct DataSplit {
    /// The roles; no example is in two of them.
    pub data: Data,
    /// Groups in the data that the study does not name, with their sizes.
    pub unused: BTreeMap<String, usize>,
    /// Roles that a group fills with less than the default, as sentences.
    pub notes: Vec<String>,
}

/// How inputs without labels are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnlabelledDraw {
    /// From everything left of the group, whatever its label is and whether it
    /// has one.
    #[default]
    Blind,
    /// With the class shares of the group: as versions did that knew no data
    /// without labels. Runs begun by them are resumed so.
    ByClass,
}

impl GroupsSpec {
    /// The name of the only group, where no column names one.
    pub const ONLY: &str = "all";

    /// The same with the only group of the data as the source, where none is
    /// named.
    #[must_use]
    pub fn named(&self, examples: &[Example], unlabelled: &[Input]) -> Self {
        let mut spec = self.clone();
        let sizes = GroupRows::new(examples, unlabelled).sizes();
        if let (true, true, 1, Some(only)) = (
            spec.source.is_empty(),
            spec.target.is_empty(),
            sizes.len(),
            sizes.keys().next(),
        ) {
            spec.source.push((*only).to_owned());
        }
        spec
    }

    /// Deals the examples out to the roles, and inputs without labels to the
    /// role that needs none.
    ///
    /// Examples are drawn in the order of a hash of their id, so the split does
    /// not depend on the order of the files. The audit's hash is fixed: every
    /// seed is judged on the same sealed examples. All other roles are drawn
    /// from the rest by `seed`.
    ///
    /// Fails if a named group does not exist or cannot fill its roles, with the
    /// largest sizes that fit; a size that the study states is never scaled down.
    pub fn split(
        &self,
        examples: &[Example],
        unlabelled: &[Input],
        seed: u64,
        draw: UnlabelledDraw,
    ) -> Result<DataSplit, DataError> {
        self.split_beside(examples, unlabelled, seed, draw, &BTreeSet::new())
    }

    /// As [`split`](Self::split); `taken`: ids of rows that are labelled apart from the
    /// data and so are no inputs without labels. All other roles are as without them.
    ///
    /// # Errors
    /// As [`split`](Self::split).
    pub fn split_beside(
        &self,
        examples: &[Example],
        unlabelled: &[Input],
        seed: u64,
        draw: UnlabelledDraw,
        taken: &BTreeSet<String>,
    ) -> Result<DataSplit, DataError> {
        let rows = GroupRows::new(examples, unlabelled);
        let groups = rows.sizes();
        self.check(&groups)?;
        let named: BTreeSet<_> = self.groups().map(|(name, _)| name.as_str()).collect();
        let classes: BTreeSet<_> = named
            .iter()
            .flat_map(|name| rows.examples(name))
            .map(|example| class(example))
            .collect();
        let classes: Vec<&str> = classes.into_iter().collect();
        let class_shares = shares::of_targets(&self.class_shares, &self.target, &classes);
        let (pools, mut notes) = self.pools(&rows, &classes, draw)?;

        let mut source = Source::default();
        let (mut inputs, mut labelled, mut audit) = (Vec::new(), Vec::new(), Vec::new());
        for (mut pool, parts) in pools {
            if !pool.census.is_source && pool.census.labelled() == 0 && self.audit != Some(0) {
                notes.push(format!(
                    "the target group {:?} has no labelled rows: none of it can be audited, so \
                     nothing will verify a prompt there; label some of its rows (100 say a lot)",
                    pool.census.name
                ));
            }
            for (part, size) in parts {
                match part {
                    SplitRole::Audit => audit.extend(pool.take(part, size, DrawOrder::Audit)),
                    SplitRole::Train => {
                        source
                            .train
                            .extend(pool.take(part, size, DrawOrder::Seed(seed)));
                    }
                    SplitRole::Validation => {
                        let drawn = pool.take(part, size, DrawOrder::Seed(seed));
                        source.validation.extend(drawn);
                    }
                    SplitRole::Labelled => {
                        labelled.extend(pool.take(part, size, DrawOrder::Seed(seed)));
                    }
                    SplitRole::Unlabelled => {
                        inputs.extend(pool.inputs(size, seed, draw, taken));
                    }
                }
            }
        }
        let reads = LabelReads::default();
        Ok(DataSplit {
            data: Data {
                source,
                target: UnlabelledTarget {
                    inputs,
                    class_shares,
                },
                labelled_target: LabelledTarget::new(labelled, reads.clone()),
                audit: SealedAudit::new(audit, reads.clone()),
                reads,
            },
            unused: groups
                .into_iter()
                .filter(|(name, _)| !named.contains(name))
                .map(|(name, size)| (name.to_owned(), size))
                .collect(),
            notes,
        })
    }

    /// Checks the stated class shares against the task's answer form.
    ///
    /// # Errors
    /// Where they name no label or no group, do not sum to 1, or contradict
    /// [`balance`](Self::balance).
    pub fn check_class_shares(&self, form: &AnswerForm) -> Result<(), DataError> {
        let groups: Vec<&str> = self.groups().map(|(name, _)| name.as_str()).collect();
        shares::check(&self.class_shares, self.balance, form, &groups)
    }

    /// The largest sizes of the roles that all groups can fill, none above the
    /// default: train, validation, unlabelled and audit, in this order.
    /// Groups without labels do not limit the audit.
    pub fn largest(&self, examples: &[Example], unlabelled: &[Input]) -> [usize; 4] {
        let classes: BTreeSet<&str> = examples.iter().map(class).collect();
        let classes: Vec<&str> = classes.into_iter().collect();
        let rows = GroupRows::new(examples, unlabelled);
        let pools = self.census(&rows, &classes, UnlabelledDraw::Blind);
        let parts = [
            SplitRole::Train,
            SplitRole::Validation,
            SplitRole::Unlabelled,
            SplitRole::Audit,
        ];
        let most = sizes::most(&pools.iter().map(|pool| &pool.census).collect::<Vec<_>>());
        parts.map(|part| most.get(&part).copied().unwrap_or(0))
    }

    /// All groups named, with whether they are sources.
    fn groups(&self) -> impl Iterator<Item = (&String, bool)> {
        let sources = self.source.iter().map(|name| (name, true));
        sources.chain(self.target.iter().map(|name| (name, false)))
    }

    fn census<'a>(
        &'a self,
        rows: &GroupRows<'a>,
        classes: &[&'a str],
        draw: UnlabelledDraw,
    ) -> Vec<GroupPool<'a>> {
        let pool = |(name, is_source): (&'a String, bool)| {
            GroupPool::new(self, name, is_source, rows, classes, draw)
        };
        self.groups().map(pool).collect()
    }

    /// Every group with the sizes of its roles.
    #[allow(clippy::type_complexity)] // Named nowhere else.
    fn pools<'a>(
        &'a self,
        rows: &GroupRows<'a>,
        classes: &[&'a str],
        draw: UnlabelledDraw,
    ) -> Result<(Vec<(GroupPool<'a>, Vec<(SplitRole, usize)>)>, Vec<String>), DataError> {
        let pools = self.census(rows, classes, draw);
        let mut problems = DataProblems::default();
        let mut notes = Vec::new();
        let mut sized = Vec::new();
        let mut short = Vec::new();
        for pool in &pools {
            match settle(&pool.census) {
                Some(parts) => {
                    notes.extend(sizes::notes(&pool.census, &parts));
                    sized.push(parts);
                }
                None => short.push(&pool.census),
            }
        }
        if !short.is_empty() {
            let all: Vec<&GroupCensus<'_>> = pools.iter().map(|pool| &pool.census).collect();
            let fit = sizes::largest_that_fit(&all);
            for (at, census) in short.iter().enumerate() {
                let last = at + 1 == short.len();
                for problem in shortage(census, last.then_some(fit.as_str())) {
                    problems.push(problem);
                }
            }
        }
        let pools = pools.into_iter().zip(sized).collect();
        problems.or((pools, notes))
    }

    /// What a group's roles ask for.
    fn wishes(&self, is_source: bool, labelled: usize) -> Vec<RoleDemand> {
        let wish = |part, given: Option<usize>, default| RoleDemand {
            part,
            size: given.unwrap_or(default),
            stated: given.is_some(),
        };
        let audit = if is_source || labelled > 0 {
            wish(SplitRole::Audit, self.audit, 100)
        } else {
            wish(SplitRole::Audit, Some(0), 0)
        };
        if is_source {
            vec![
                audit,
                wish(SplitRole::Train, self.train, 60),
                wish(SplitRole::Validation, self.validation, 120),
            ]
        } else {
            vec![
                audit,
                wish(SplitRole::Labelled, self.labelled, 0),
                wish(SplitRole::Unlabelled, self.unlabelled, 120),
            ]
        }
    }

    fn check(&self, sizes: &BTreeMap<&str, usize>) -> Result<(), DataError> {
        let mut problems = DataProblems::default();
        let mut seen = BTreeSet::new();
        if self.source.is_empty() {
            problems.push(DataProblem::new("groups.source", "names no group").help(groups(sizes)));
        }
        for (key, names) in [
            ("groups.source", &self.source),
            ("groups.target", &self.target),
        ] {
            for name in names {
                if !sizes.contains_key(name.as_str()) {
                    let close = suggest::closest(name, sizes.keys().copied())
                        .map_or(String::new(), |close| format!("did you mean {close:?}? "));
                    problems.push(
                        DataProblem::new(key, format!("there is no group {name:?}"))
                            .help(close + &groups(sizes)),
                    );
                }
                if !seen.insert(name) {
                    problems.push(
                        DataProblem::new(key, format!("the group {name:?} is named twice"))
                            .help("a group is either source or target, once"),
                    );
                }
            }
        }
        problems.or(())
    }
}

fn groups(sizes: &BTreeMap<&str, usize>) -> String {
    let mut text = "groups:".to_owned();
    for (name, size) in sizes.iter().take(20) {
        let _ = write!(text, " {name:?} ({size})");
    }
    if sizes.len() > 20 {
        let _ = write!(text, " and {} more", sizes.len() - 20);
    }
    text
}

#[cfg(test)]
mod tests;
