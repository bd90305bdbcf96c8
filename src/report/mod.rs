//! What a run came to: one fold of its events, and the forms it is shown in.

mod baselines;
pub(crate) mod compare;
mod facts;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod ground;
pub(crate) mod html;
pub(crate) mod list;
mod markdown;
mod output;
pub(crate) mod proposals;
mod study;
mod summary;
mod text;
mod verdict;

pub(crate) use baselines::write as write_baselines;
pub(crate) use facts::machine;
pub(crate) use markdown::{capital, code, inline};
pub use output::ReportFormat;
pub(crate) use output::{NamedRun, render, to_json};
pub use proposals::{DiscardedTexts, ProposalRequest};
pub(crate) use study::ReportedStudy;
pub use summary::{
    AuditedScores, BaselineScores, CandidateStanding, PhaseSummary, RankedEntrant, RunSummary,
};
pub(crate) use text::{
    difference, estimated, grouped, money, score, score_as, spread_as, unanswered,
};
pub use verdict::{RunVerdict, VerdictTone};

use shiftproof_search::event::{GroupOutcome, GroupRole};

use crate::failures::{GroupFailures, PromptFailures};

/// The worst target group, or the worst of all groups where there is no target. Scores by
/// voted labels count where no target group has one by true labels: the two do not
/// compare.
pub fn worst(groups: &[GroupOutcome]) -> Option<&GroupOutcome> {
    let any_target = groups.iter().any(|group| group.role == GroupRole::Target);
    let of_target = |group: &GroupOutcome| !any_target || group.role == GroupRole::Target;
    let known = |group: &GroupOutcome| of_target(group) && group.value.is_some();
    let any_true = groups.iter().any(|group| known(group) && !group.voted);
    groups
        .iter()
        .filter(|group| known(group) && !(any_true && group.voted))
        .min_by(|a, b| {
            a.value
                .partial_cmp(&b.value)
                .unwrap_or(std::cmp::Ordering::Equal)
        })
}

/// What has to be known of the failing examples in a report.
pub(crate) fn failing_note(failures: &[PromptFailures]) -> String {
    let mut told = "The weakest group first; texts are shortened. `shiftproof eval --failures` \
                    shows more of them, of examples that are no secret."
        .to_owned();
    let groups = failures.iter().flat_map(|own| &own.groups);
    if groups.into_iter().any(GroupFailures::shows_audit) {
        told.push_str(
            " Examples of the sealed audit are shown because this run has opened it: a prompt that \
             is mended with them can no longer be measured on this audit.",
        );
    }
    told
}

/// The best and the worst group's scores.
fn ends(groups: &[GroupOutcome]) -> Option<[f64; 2]> {
    let values = || groups.iter().filter_map(|group| group.value);
    if values().count() < 2 {
        return None;
    }
    Some([
        values().fold(f64::NEG_INFINITY, f64::max),
        values().fold(f64::INFINITY, f64::min),
    ])
}

/// The best group's score less the worst's, whatever their roles; none where
/// fewer than two groups have a score.
pub fn spread(groups: &[GroupOutcome]) -> Option<f64> {
    ends(groups).map(|[best, worst]| best - worst)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::{check_page, outline};
