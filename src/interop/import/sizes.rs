//! How many examples a study can take of what there is.

use std::path::Path;

use super::groups::GroupRoles;
use crate::exit::Failure;

/// Fewest tests of each label that a group's roles can be filled from.
const FEWEST: usize = 4;

/// How many examples each role takes of each of its groups.
pub(super) struct RoleSizes {
    pub train: usize,
    pub validation: usize,
    pub unlabelled: usize,
    pub audit: usize,
    pub balance: bool,
}

impl RoleSizes {
    /// The most that every group can give: a quarter of the source to train on,
    /// a quarter to the audit, the rest to validation; half of a target to the
    /// audit.
    pub fn of(roles: &GroupRoles, labels: &[String], path: &Path) -> Result<Self, Failure> {
        let source: Vec<Vec<usize>> = roles
            .source
            .iter()
            .map(|group| roles.counts(group, labels))
            .collect();
        let target: Vec<Vec<usize>> = roles
            .target
            .iter()
            .map(|group| roles.counts(group, labels))
            .collect();
        let least = |groups: &[Vec<usize>]| groups.iter().flatten().copied().min().unwrap_or(0);
        let total = |groups: &[Vec<usize>]| -> usize {
            let sums = groups.iter().map(|counts| counts.iter().sum());
            sums.min().unwrap_or(0)
        };
        let (of_source, of_target) = (least(&source), least(&target));
        let sizes = if of_source.min(of_target) >= FEWEST {
            let classes = labels.len();
            let audit = (of_source / 4).min(of_target / 2);
            let train = of_source / 4;
            // What is drawn in proportion may take no class beyond its rest.
            let unlabelled = target
                .iter()
                .flat_map(|counts| {
                    let all: usize = counts.iter().sum();
                    counts
                        .iter()
                        .map(move |size| (size - audit - 1) * all / size)
                })
                .min()
                .unwrap_or(0);
            Self {
                train: train * classes,
                validation: (of_source - audit - train) * classes,
                unlabelled,
                audit: audit * classes,
                balance: true,
            }
        } else {
            let (of_source, of_target) = (total(&source), total(&target));
            let audit = (of_source / 4).min(of_target / 2);
            let train = of_source / 4;
            Self {
                train,
                validation: of_source - audit - train,
                unlabelled: of_target - audit,
                audit,
                balance: false,
            }
        };
        if sizes.train < labels.len() || sizes.audit == 0 || sizes.unlabelled == 0 {
            let told = |names: &[String], groups: &[Vec<usize>]| -> Vec<String> {
                let pairs = names.iter().zip(groups);
                pairs
                    .map(|(name, counts)| format!("{name} {}", counts.iter().sum::<usize>()))
                    .collect()
            };
            let mut groups = told(&roles.source, &source);
            groups.extend(told(&roles.target, &target));
            return Err(Failure::usage(format!(
                "{}: too few labelled tests for a study ({}); it needs at least {} of each group, \
                 a hundred to tell anything",
                path.display(),
                groups.join(", "),
                FEWEST * labels.len()
            )));
        }
        Ok(sizes)
    }
}
