//! What an audit rests on: which target groups it verifies, and what is said of
//! the others.

use shiftproof_search::event::{AuditedPrompt, GroupInfo, GroupOutcome, GroupRole};

use super::{RunSummary, worst};

/// What the sealed examples are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuditGround {
    /// Of every target group.
    Target,
    /// Of some target groups.
    SomeTargets,
    /// Of source groups alone, though there are target groups.
    SourceOnly,
    /// There is no target group.
    NoTarget,
}

impl AuditGround {
    /// Of a study's groups.
    pub fn of(groups: &[GroupInfo]) -> Self {
        let targets = || {
            groups
                .iter()
                .filter(|group| group.role == GroupRole::Target)
        };
        let audited = targets().filter(|group| group.audit > 0).count();
        match (targets().count(), audited) {
            // A log without groups is read as it always was.
            (0, _) if groups.is_empty() => Self::Target,
            (0, _) => Self::NoTarget,
            (_, 0) => Self::SourceOnly,
            (all, some) if all == some => Self::Target,
            _ => Self::SomeTargets,
        }
    }
}

/// Target groups without a sealed example.
pub(crate) fn unverified(groups: &[GroupInfo]) -> Vec<String> {
    groups
        .iter()
        .filter(|group| group.role == GroupRole::Target && group.audit == 0)
        .map(|group| group.name.clone())
        .collect()
}

/// What a reader has to know of groups that no sealed example speaks for, and
/// what to do about it.
pub(crate) fn caution(groups: &[GroupInfo]) -> Option<String> {
    let missing = unverified(groups);
    match AuditGround::of(groups) {
        AuditGround::Target => None,
        AuditGround::NoTarget => Some(
            "there is no target group: nothing is said about data that differ from the source's"
                .to_owned(),
        ),
        AuditGround::SourceOnly | AuditGround::SomeTargets => Some(format!(
            "unverified on {}: the audit has no labelled example of it, so nothing measured how a \
             prompt does there. Label about 100 rows a group, drawn at random, keep groups.audit \
             above 0, and run again: stored answers cost nothing",
            listed(&missing)
        )),
    }
}

/// Names in a sentence.
pub(crate) fn listed(names: &[String]) -> String {
    match names {
        [] => "no group".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

impl RunSummary {
    /// What the run's audit rests on.
    pub(crate) fn ground(&self) -> AuditGround {
        let groups = self
            .started
            .as_ref()
            .map(|started| started.groups.as_slice());
        AuditGround::of(groups.unwrap_or_default())
    }

    /// A contestant's worst audited target group, or the worst group of a study
    /// without targets; none where there are targets and none is audited.
    pub(crate) fn worst_of(&self, contestant: AuditedPrompt) -> Option<&GroupOutcome> {
        if self.ground() == AuditGround::SourceOnly {
            return None;
        }
        worst(self.audited(contestant)?)
    }

    /// What the line of the worst group is called.
    pub(crate) fn worst_name(&self) -> &'static str {
        match self.ground() {
            AuditGround::Target | AuditGround::SomeTargets => "worst target",
            AuditGround::SourceOnly | AuditGround::NoTarget => "worst source",
        }
    }
}
