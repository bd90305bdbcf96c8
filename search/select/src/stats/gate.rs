//! Whether a prompt may replace the incumbent.

use serde::{Deserialize, Serialize};

use super::bootstrap::{BootstrapDifference, paired_bootstrap};
use super::holm::holm;
use super::pooled::chance_of_loss;
use super::sample::{ClusteredSample, PairedBootstrap};
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
    /// How it is shown that no group loses more than the tolerance.
    pub proof: GroupProof,
}

/// How it is shown that no group loses more than the tolerance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupProof {
    /// By each group's own examples: a group that loses is let pass with a chance of α
    /// at most.
    #[default]
    Each,
    /// By all groups' examples together, as [`chance_of_loss`]: many small groups can
    /// show what each alone cannot, at the price that one which loses among others that
    /// gain is let pass more often than α.
    Pooled,
}

impl Default for ShipGate {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            tolerance: 0.02,
            bootstrap: PairedBootstrap::default(),
            proof: GroupProof::Each,
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
    /// p-value of the claim the gate needs (better than the incumbent; not worse
    /// than −δ in the group), Holm-adjusted over finalists: a finalist ships only
    /// where all its claims hold, so nothing is adjusted over groups.
    pub p: f64,
    /// p-value of the claim that accuses: worse than the incumbent, Holm-adjusted
    /// over all of them.
    pub p_worse: f64,
}

/// What is known of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupState {
    /// Shown not to lose more than the tolerance: as one of the claims of a
    /// finalist that ships, or by itself (Holm over groups × finalists).
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
    /// Whether it keeps the finalist from shipping.
    pub blocks: bool,
    /// Clusters with which the present estimate would likely (four times in
    /// five) let it ship at the level that Holm may ask of it, for a group that
    /// blocks and is not shown to lose; absent when the estimate itself lies at or
    /// below −δ.
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
/// Ships the finalist of highest ΔS for which ΔS > 0 and `Δm_g` > −δ in every
/// group, all by the paired bootstrap. As *all* of these must hold, the test is an
/// intersection-union test (Berger 1982): the largest of their p-values is one for
/// the whole, and Holm is over finalists alone. What is said of a single group of a
/// finalist that does not ship is adjusted over groups × finalists as well. A group
/// without examples is one that nothing was shown of, so nothing ships. Harm is a
/// claim like any other: "regressed" is said of a group or a robust score only
/// where Δ < 0 holds with Holm over all of them, so that a prompt no worse than the
/// incumbent is accused at most α of the time.
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
    let claims: Vec<FinalistClaims<'_>> = finalists
        .iter()
        .map(|&prompt| FinalistClaims {
            prompt,
            robust: &replicates.robust[prompt],
            groups: seen
                .iter()
                .map(|&g| &replicates.groups[prompt][g])
                .collect(),
        })
        .collect();
    let checked = check_all(&claims, &seen, sample, incumbent, &demand);
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

/// The differences of one finalist.
struct FinalistClaims<'a> {
    prompt: usize,
    robust: &'a BootstrapDifference,
    /// Per group with examples.
    groups: Vec<&'a BootstrapDifference>,
}

impl FinalistClaims<'_> {
    /// Per group: what speaks for a loss of more than the tolerance, as the demanded
    /// proof has it.
    fn losses(&self, demand: &ShipGate) -> Vec<f64> {
        match demand.proof {
            GroupProof::Each => {
                let own = self.groups.iter();
                own.map(|group| group.p_value(-demand.tolerance)).collect()
            }
            GroupProof::Pooled => {
                let own = self.groups.iter();
                let own: Vec<(f64, f64)> =
                    own.map(|g| (g.estimate, g.variance().max(1e-12))).collect();
                chance_of_loss(&own, demand.tolerance)
            }
        }
    }
}

/// p-values of all claims as they are read.
struct AdjustedClaims {
    /// Per finalist: all that shipping needs.
    ship: Vec<f64>,
    /// Per finalist: better, Holm over finalists.
    better: Vec<f64>,
    /// Per group, per finalist: no loss beyond δ, Holm over finalists.
    clears: Vec<Vec<f64>>,
    /// The same, Holm over groups × finalists; finalist-major.
    holds: Vec<f64>,
    /// Worse: robust scores of all finalists, then their groups, Holm over all.
    worse: Vec<f64>,
}

impl AdjustedClaims {
    fn of(claims: &[FinalistClaims<'_>], groups: usize, demand: &ShipGate) -> Self {
        let better: Vec<f64> = claims.iter().map(|c| c.robust.p_value(0.0)).collect();
        let losses: Vec<Vec<f64>> = claims.iter().map(|c| c.losses(demand)).collect();
        let clears: Vec<Vec<f64>> = (0..groups)
            .map(|g| losses.iter().map(|own| own[g]).collect())
            .collect();
        let ship: Vec<f64> = (0..claims.len())
            .map(|at| clears.iter().map(|own| own[at]).fold(better[at], f64::max))
            .collect();
        let holds: Vec<f64> = (0..claims.len())
            .flat_map(|at| clears.iter().map(move |own| own[at]))
            .collect();
        let robust = claims.iter().map(|c| c.robust);
        let cells = claims.iter().flat_map(|c| c.groups.iter().copied());
        let worse: Vec<f64> = robust.chain(cells).map(|d| d.p_below(0.0)).collect();
        Self {
            ship: holm(&ship),
            better: holm(&better),
            clears: clears.iter().map(|own| holm(own)).collect(),
            holds: holm(&holds),
            worse: holm(&worse),
        }
    }
}

fn check_all(
    claims: &[FinalistClaims<'_>],
    seen: &[usize],
    sample: &ClusteredSample,
    incumbent: usize,
    demand: &ShipGate,
) -> Vec<GateFinalist> {
    let p = AdjustedClaims::of(claims, seen.len(), demand);
    let finalists = claims.len();
    let check = |(at, claim): (usize, &FinalistClaims<'_>)| {
        let ships = claim.prompt != incumbent
            && p.ship[at] <= demand.alpha
            && seen.len() == sample.groups();
        let robust = bounded(claim.robust, (p.better[at], p.worse[at]), demand.alpha);
        let groups: Vec<GroupCheck> = seen
            .iter()
            .enumerate()
            .map(|(k, &group)| {
                let cell = at * seen.len() + k;
                let own = (p.clears[k][at], p.worse[finalists + cell]);
                let shown = ships || p.holds[cell] <= demand.alpha;
                let difference = claim.groups[k];
                let bounds = bounded(difference, own, demand.alpha);
                group_check(
                    (group, sample.clusters(group)),
                    (difference, bounds),
                    shown,
                    finalists,
                    demand,
                )
            })
            .collect();
        let open = (robust.p > demand.alpha)
            .then(|| growth(claim.robust, claim.robust.estimate, finalists, demand.alpha));
        let blocking = groups.iter().filter(|g| g.blocks);
        let needed = open
            .into_iter()
            .chain(blocking.map(|g| g.needed.map(|n| n as f64 / g.clusters as f64)))
            .try_fold(0.0, |most: f64, times| Some(most.max(times?)));
        GateFinalist {
            prompt: claim.prompt,
            harmed: robust.p_worse <= demand.alpha
                || groups.iter().any(|g| g.state == GroupState::Regressed),
            needed: needed.filter(|&times| times > 0.0 && !ships),
            robust,
            groups,
            ships,
        }
    };
    claims.iter().enumerate().map(check).collect()
}

fn group_check(
    (group, clusters): (usize, usize),
    (difference, bounds): (&BootstrapDifference, BoundedDifference),
    shown: bool,
    finalists: usize,
    demand: &ShipGate,
) -> GroupCheck {
    let state = if shown {
        GroupState::Holds
    } else if bounds.p_worse <= demand.alpha {
        GroupState::Regressed
    } else {
        GroupState::Unproven
    };
    let blocks = bounds.p > demand.alpha;
    let room = difference.estimate + demand.tolerance;
    let needed = (blocks && state != GroupState::Regressed)
        .then(|| growth(difference, room, finalists, demand.alpha))
        .flatten()
        .map(|times| (times * clusters as f64).ceil() as usize);
    GroupCheck {
        group,
        difference: bounds,
        state,
        clusters,
        blocks,
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
