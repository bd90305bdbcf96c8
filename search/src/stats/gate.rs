//! Whether a prompt may replace the incumbent.

use serde::{Deserialize, Serialize};

use super::bootstrap::{Bootstrap, Difference, Sample, paired_bootstrap};
use super::holm::holm;
use super::special::normal_quantile;

/// What the gate demands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// Chance α of shipping a prompt that is no better, or that harms a group
    /// by more than the tolerance.
    pub alpha: f64,
    /// Loss δ a group may bear, in units of the score.
    pub tolerance: f64,
    /// Resampling.
    pub bootstrap: Bootstrap,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            tolerance: 0.02,
            bootstrap: Bootstrap::default(),
        }
    }
}

/// A difference to the incumbent with its one-sided bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounded {
    /// Finalist less incumbent.
    pub estimate: f64,
    /// Lower limit at 1 − α, for this difference alone.
    pub lower: f64,
    /// Upper limit at 1 − α, for this difference alone.
    pub upper: f64,
    /// Holm-adjusted p-value of the claim the gate needs (better than the
    /// incumbent; not worse than −δ in the group).
    pub p: f64,
}

/// What is known of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupState {
    /// Shown not to lose more than the tolerance.
    Holds,
    /// Shown to lose.
    Regressed,
    /// Too few examples to tell.
    Unproven,
}

/// One group of one finalist.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GroupCheck {
    /// The group's number.
    pub group: usize,
    /// Difference of the group's means.
    pub difference: Bounded,
    /// The judgement.
    pub state: GroupState,
    /// Clusters seen.
    pub clusters: usize,
    /// Clusters with which the present estimate would likely (four times in
    /// five) hold, for a group unproven; absent when the estimate itself lies
    /// at or below −δ.
    pub needed: Option<usize>,
}

/// One finalist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finalist {
    /// Its number in the sample.
    pub prompt: usize,
    /// Difference ΔS of the robust score.
    pub robust: Bounded,
    /// Every group with examples.
    pub groups: Vec<GroupCheck>,
    /// Whether all demands are met.
    pub ships: bool,
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "decision")]
pub enum Decision {
    /// This prompt may replace the incumbent.
    Ship {
        /// Its number in the sample.
        prompt: usize,
    },
    /// Every finalist is shown to be worse somewhere.
    Regressed,
    /// The incumbent stays: the data show no winner.
    NoSignificantWinner,
}

/// Decision and evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The decision.
    pub decision: Decision,
    /// Finalists in the order given.
    pub finalists: Vec<Finalist>,
}

/// Decides among `finalists` (numbers of prompts in `sample`) against
/// `incumbent`, on data not used to pick them.
///
/// Ships the finalist of highest ΔS for which ΔS > 0 (Holm over finalists) and
/// `Δm_g` > −δ in every group (Holm over groups × finalists), all by the paired
/// bootstrap. `None` when the sample cannot be resampled or a number is out of
/// range.
pub fn gate(
    sample: &Sample,
    incumbent: usize,
    finalists: &[usize],
    demand: Gate,
    objective: impl Fn(&[f64]) -> f64,
) -> Option<Verdict> {
    if finalists.iter().any(|&f| f >= sample.prompts()) {
        return None;
    }
    let replicates = paired_bootstrap(sample, incumbent, demand.bootstrap, objective)?;
    let seen: Vec<usize> = (0..sample.groups())
        .filter(|&g| sample.clusters(g) > 0)
        .collect();
    let better: Vec<f64> = finalists
        .iter()
        .map(|&f| replicates.robust[f].p_value(0.0))
        .collect();
    let better = holm(&better);
    let each = finalists
        .iter()
        .flat_map(|&f| seen.iter().map(move |&g| (f, g)));
    let holding: Vec<f64> = each
        .map(|(f, g)| replicates.groups[f][g].p_value(-demand.tolerance))
        .collect();
    let holding = holm(&holding);
    let checked: Vec<Finalist> = finalists
        .iter()
        .enumerate()
        .map(|(at, &prompt)| {
            let groups: Vec<GroupCheck> = seen
                .iter()
                .enumerate()
                .map(|(k, &group)| {
                    let difference = &replicates.groups[prompt][group];
                    let p = holding[at * seen.len() + k];
                    check(difference, group, sample.clusters(group), p, &demand)
                })
                .collect();
            let robust = bounded(&replicates.robust[prompt], better[at], demand.alpha);
            let ships = prompt != incumbent
                && robust.p <= demand.alpha
                && groups.iter().all(|g| g.state == GroupState::Holds);
            Finalist {
                prompt,
                robust,
                groups,
                ships,
            }
        })
        .collect();
    let winner = checked
        .iter()
        .filter(|f| f.ships)
        .max_by(|a, b| a.robust.estimate.total_cmp(&b.robust.estimate));
    let harmed = |f: &Finalist| {
        f.robust.upper < 0.0 || f.groups.iter().any(|g| g.state == GroupState::Regressed)
    };
    let decision = match winner {
        Some(f) => Decision::Ship { prompt: f.prompt },
        None if !checked.is_empty() && checked.iter().all(harmed) => Decision::Regressed,
        None => Decision::NoSignificantWinner,
    };
    Some(Verdict {
        decision,
        finalists: checked,
    })
}

fn bounded(difference: &Difference, p: f64, alpha: f64) -> Bounded {
    Bounded {
        estimate: difference.estimate,
        lower: difference.lower(1.0 - alpha),
        upper: difference.upper(1.0 - alpha),
        p,
    }
}

fn check(
    difference: &Difference,
    group: usize,
    clusters: usize,
    p: f64,
    demand: &Gate,
) -> GroupCheck {
    let difference_bounds = bounded(difference, p, demand.alpha);
    let state = if p <= demand.alpha {
        GroupState::Holds
    } else if difference_bounds.upper < 0.0 {
        GroupState::Regressed
    } else {
        GroupState::Unproven
    };
    let room = difference.estimate + demand.tolerance;
    let needed = (state == GroupState::Unproven && room > 0.0).then(|| {
        // Power 0.8 for a one-sided test at α.
        let reach = normal_quantile(1.0 - demand.alpha) + normal_quantile(0.8);
        let one = difference.variance() * clusters as f64;
        (one * (reach / room).powi(2))
            .ceil()
            .max(clusters as f64 + 1.0) as usize
    });
    GroupCheck {
        group,
        difference: difference_bounds,
        state,
        clusters,
        needed,
    }
}
