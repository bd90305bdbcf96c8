//! Whether a prompt may replace the incumbent.

use serde::{Deserialize, Serialize};

use super::bootstrap::{BootstrapDifference, ClusteredSample, PairedBootstrap, paired_bootstrap};
use super::holm::holm;
use super::special::normal_quantile;

/// What the gate demands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShipGate {
    /// Chance α of shipping a prompt that is no better, or that harms a group
    /// by more than the tolerance.
    pub alpha: f64,
    /// Loss δ a group may bear, in units of the score.
    pub tolerance: f64,
    /// Resampling.
    pub bootstrap: PairedBootstrap,
}

impl Default for ShipGate {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            tolerance: 0.02,
            bootstrap: PairedBootstrap::default(),
        }
    }
}

/// A difference to the incumbent with its one-sided bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BoundedDifference {
    /// Finalist less incumbent.
    pub estimate: f64,
    /// Lower limit at 1 − α, for this difference alone.
    pub lower: f64,
    /// Upper limit at 1 − α, for this difference alone.
    pub upper: f64,
    /// Holm-adjusted p-value of the claim the gate needs (better than the
    /// incumbent; not worse than −δ in the group).
    pub p: f64,
    /// Holm-adjusted p-value of the claim that blocks: worse than the incumbent.
    pub p_worse: f64,
}

/// What is known of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupState {
    /// Shown not to lose more than the tolerance.
    Holds,
    /// Shown to lose, and not shown to lose no more than the tolerance.
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
    pub difference: BoundedDifference,
    /// The judgement.
    pub state: GroupState,
    /// Clusters seen.
    pub clusters: usize,
    /// Clusters with which the present estimate would likely (four times in
    /// five) hold at the level that Holm may ask of it, for a group unproven;
    /// absent when the estimate itself lies at or below −δ.
    pub needed: Option<usize>,
}

/// One finalist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateFinalist {
    /// Its number in the sample.
    pub prompt: usize,
    /// Difference ΔS of the robust score.
    pub robust: BoundedDifference,
    /// Every group with examples.
    pub groups: Vec<GroupCheck>,
    /// Whether all demands are met.
    pub ships: bool,
    /// Whether the robust score or some group is shown to be worse.
    pub harmed: bool,
    /// How many times the present sample would likely (four times in five for
    /// each open demand) let it ship, were the truth as estimated; absent when
    /// it ships, or when an estimate itself fails its demand.
    pub needed: Option<f64>,
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "decision")]
pub enum ShipDecision {
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
pub struct GateEvidence {
    /// The decision.
    pub decision: ShipDecision,
    /// Finalists in the order given.
    pub finalists: Vec<GateFinalist>,
}

/// Decides among `finalists` (numbers of prompts in `sample`) against
/// `incumbent`, on data not used to pick them.
///
/// Ships the finalist of highest ΔS for which ΔS > 0 (Holm over finalists) and
/// `Δm_g` > −δ in every group (Holm over groups × finalists), all by the paired
/// bootstrap. A group without examples is one that nothing was shown of, so
/// nothing ships. Harm is a claim like any other: "regressed" is said of a group
/// or a robust score only where Δ < 0 holds with Holm over all of them, so that
/// a prompt no worse than the incumbent is accused at most α of the time.
/// `None` when the sample cannot be resampled or a number is out of range.
pub fn gate(
    sample: &ClusteredSample,
    incumbent: usize,
    finalists: &[usize],
    demand: ShipGate,
    objective: impl Fn(&[f64]) -> f64,
) -> Option<GateEvidence> {
    if finalists.iter().any(|&f| f >= sample.prompts()) {
        return None;
    }
    let replicates = paired_bootstrap(sample, incumbent, demand.bootstrap, objective)?;
    let seen: Vec<usize> = (0..sample.groups())
        .filter(|&g| sample.clusters(g) > 0)
        .collect();
    let robust = |f: usize| &replicates.robust[f];
    let cells: Vec<&BootstrapDifference> = finalists
        .iter()
        .flat_map(|&f| seen.iter().map(move |&g| (f, g)))
        .map(|(f, g)| &replicates.groups[f][g])
        .collect();
    let better: Vec<f64> = finalists.iter().map(|&f| robust(f).p_value(0.0)).collect();
    let better = holm(&better);
    let holding: Vec<f64> = cells.iter().map(|d| d.p_value(-demand.tolerance)).collect();
    let holding = holm(&holding);
    let claims = finalists.iter().map(|&f| robust(f)).chain(cells.clone());
    let worse = holm(&claims.map(|d| d.p_below(0.0)).collect::<Vec<_>>());
    let checked: Vec<GateFinalist> = finalists
        .iter()
        .enumerate()
        .map(|(at, &prompt)| {
            let groups: Vec<GroupCheck> = seen
                .iter()
                .enumerate()
                .map(|(k, &group)| {
                    let cell = at * seen.len() + k;
                    let p = (holding[cell], worse[finalists.len() + cell]);
                    let clusters = sample.clusters(group);
                    check(cells[cell], group, clusters, p, cells.len(), &demand)
                })
                .collect();
            let difference = robust(prompt);
            let score = bounded(difference, (better[at], worse[at]), demand.alpha);
            let wins = score.p <= demand.alpha;
            let ships = prompt != incumbent
                && wins
                && seen.len() == sample.groups()
                && groups.iter().all(|g| g.state == GroupState::Holds);
            let open = (!wins).then(|| {
                growth(
                    difference,
                    difference.estimate,
                    finalists.len(),
                    demand.alpha,
                )
            });
            let needed = open
                .into_iter()
                .chain(
                    groups
                        .iter()
                        .filter(|g| g.state != GroupState::Holds)
                        .map(|g| g.needed.map(|n| n as f64 / g.clusters as f64)),
                )
                .try_fold(0.0, |most: f64, times| Some(most.max(times?)));
            GateFinalist {
                prompt,
                harmed: score.p_worse <= demand.alpha
                    || groups.iter().any(|g| g.state == GroupState::Regressed),
                needed: needed.filter(|&times| times > 0.0 && !ships),
                robust: score,
                groups,
                ships,
            }
        })
        .collect();
    let winner = checked
        .iter()
        .filter(|f| f.ships)
        .max_by(|a, b| a.robust.estimate.total_cmp(&b.robust.estimate));
    let decision = match winner {
        Some(f) => ShipDecision::Ship { prompt: f.prompt },
        None if !checked.is_empty() && checked.iter().all(|f| f.harmed) => ShipDecision::Regressed,
        None => ShipDecision::NoSignificantWinner,
    };
    Some(GateEvidence {
        decision,
        finalists: checked,
    })
}

fn bounded(
    difference: &BootstrapDifference,
    (p, p_worse): (f64, f64),
    alpha: f64,
) -> BoundedDifference {
    BoundedDifference {
        estimate: difference.estimate,
        lower: difference.lower(1.0 - alpha),
        upper: difference.upper(1.0 - alpha),
        p,
        p_worse,
    }
}

fn check(
    difference: &BootstrapDifference,
    group: usize,
    clusters: usize,
    p: (f64, f64),
    tests: usize,
    demand: &ShipGate,
) -> GroupCheck {
    let bounds = bounded(difference, p, demand.alpha);
    let state = if bounds.p <= demand.alpha {
        GroupState::Holds
    } else if bounds.p_worse <= demand.alpha {
        GroupState::Regressed
    } else {
        GroupState::Unproven
    };
    let room = difference.estimate + demand.tolerance;
    let needed = (state == GroupState::Unproven)
        .then(|| growth(difference, room, tests, demand.alpha))
        .flatten()
        .map(|times| (times * clusters as f64).ceil() as usize);
    GroupCheck {
        group,
        difference: bounds,
        state,
        clusters,
        needed: needed.map(|n| n.max(clusters + 1)),
    }
}

/// How many times the sample gives power 0.8 to a one-sided test at α / `tests`
/// (the least favourable step of Holm) of a difference that clears its bound by
/// `room`; `None` when it does not.
fn growth(difference: &BootstrapDifference, room: f64, tests: usize, alpha: f64) -> Option<f64> {
    let level = 1.0 - alpha / tests.max(1) as f64;
    let reach = normal_quantile(level) + normal_quantile(0.8);
    (room > 0.0).then(|| difference.variance() * (reach / room).powi(2))
}
