//! Families of voters that answer alike, and which of them a shift has made worse.

use super::ItemVotes;

/// From which likeness, of what is above the usual one, two voters are of a family.
const FAMILY: f64 = 0.35;
/// What the belief that a family has shifted costs, in log odds: as if one in twelve
/// had. Twice that for a steady one.
const SHIFT_COST: f64 = 2.5;
/// Precision of the belief that the common factor is 1: a standard deviation of 0.2.
const FACTOR_PRIOR: f64 = 25.0;
/// Sweeps of the fit of a set of shifted families; it settles in about ten.
const SWEEPS: usize = 12;
/// Families of which sets are tried; beyond them a family counts as unshifted.
const MOST_FAMILIES: usize = 12;
/// Families in a set at most, where there are many.
const MOST_SHIFTED: u32 = 3;

/// Whether two voters (or a candidate and a voter) this alike are of a family, where
/// voters are `usual`ly as much alike.
pub(super) fn is_family(alike: f64, usual: f64) -> bool {
    // All prompts of one model share its mistakes; what counts is what goes beyond.
    alike - usual > FAMILY * (1.0 - usual)
}

/// The median likeness of two voters, of an even number the lower; 0 for one voter.
pub(super) fn usual(alike: &[Vec<f64>]) -> f64 {
    let mut pairs: Vec<f64> = (0..alike.len())
        .flat_map(|a| alike[a][..a].iter().copied())
        .collect();
    pairs.sort_by(f64::total_cmp);
    let middle = pairs.len().saturating_sub(1) / 2;
    pairs.get(middle).copied().unwrap_or(0.0)
}

/// Numbers of families from 0: voters much more alike than is usual, and those alike
/// with one of them.
pub(super) fn families(alike: &[Vec<f64>]) -> Vec<usize> {
    let usual = usual(alike);
    let voters = alike.len();
    let mut family: Vec<usize> = (0..voters).collect();
    for a in 0..voters {
        for b in 0..a {
            if is_family(alike[a][b], usual) {
                let (from, to) = (family[a].max(family[b]), family[a].min(family[b]));
                for own in family.iter_mut().filter(|own| **own == from) {
                    *own = to;
                }
            }
        }
    }
    let mut names = family.clone();
    names.sort_unstable();
    names.dedup();
    let number = |name: &usize| names.binary_search(name).unwrap_or(0);
    family.iter().map(number).collect()
}

/// An estimate and its variance.
type Estimate = (f64, f64);

/// What is known of families: `u = (C·a − 1) / (C − 1)` stands for an accuracy `a`
/// among `C` answers, 0 for chance and 1 for always right.
///
/// Two voters who err apart agree beyond chance by the product of their `u` (in units
/// of the largest possible agreement): the moments behind Dawid and Skene's model, as
/// used by Parisi et al. 2014.
pub(super) struct FamilyAgreement {
    /// `u` on the labelled examples.
    told: Vec<Estimate>,
    /// Agreement beyond chance of any two on the items; `None` without a common one.
    pairs: Vec<Vec<Option<Estimate>>>,
    /// Whether nothing was fitted to the labelled examples in it.
    steady: Vec<bool>,
    /// Points of accuracy per point of `u`.
    scale: f64,
}

impl FamilyAgreement {
    pub(super) fn of(
        families: &[usize],
        told: &[f64],
        (checked, steady): (&[Vec<Option<bool>>], &[bool]),
        items: &[ItemVotes],
    ) -> Self {
        let count = families.iter().max().map_or(0, |most| most + 1);
        let members: Vec<Vec<usize>> = (0..count)
            .map(|family| {
                let voters = 0..families.len();
                voters.filter(|&voter| families[voter] == family).collect()
            })
            .collect();
        let alternatives = items.iter().map(|item| item.alternatives.max(2) as f64);
        let classes = alternatives.sum::<f64>() / items.len().max(1) as f64;
        let classes = classes.max(2.0);
        let scale = (classes - 1.0) / classes;
        let told = members
            .iter()
            .map(|own| {
                let mean = own.iter().map(|&v| told[v]).sum::<f64>() / own.len() as f64;
                // Members err alike: more of them are no more evidence than the one
                // that was asked most.
                let asked = own.iter().map(|&v| checked[v].iter().flatten().count());
                let variance = mean * (1.0 - mean) / (asked.max().unwrap_or(0) as f64 + 2.0);
                ((mean - 1.0 / classes) / scale, variance / (scale * scale))
            })
            .collect();
        let pairs = (0..count)
            .map(|a| {
                let other = |b: usize| (a != b).then(|| agreement(&members[a], &members[b], items));
                (0..count).map(|b| other(b).flatten()).collect()
            })
            .collect();
        let steady = members.iter().map(|own| own.iter().any(|&v| steady[v]));
        Self {
            told,
            pairs,
            steady: steady.collect(),
            scale,
        }
    }
}

/// `(C·agreement − 1) / (C − 1)` between the members of two families, with the
/// variance that as many items as they have in common leave to it.
fn agreement(one: &[usize], other: &[usize], items: &[ItemVotes]) -> Option<Estimate> {
    let (mut n, mut sum, mut squares, mut pairs) = (0.0, 0.0, 0.0, 0.0_f64);
    for &a in one {
        for &b in other {
            pairs += 1.0;
            for item in items {
                let (Some(x), Some(y)) = (item.votes[a], item.votes[b]) else {
                    continue;
                };
                let classes = item.alternatives.max(2) as f64;
                let agreed = f64::from(u8::from(x == y));
                let value = (classes * agreed - 1.0) / (classes - 1.0);
                n += 1.0;
                sum += value;
                squares += value * value;
            }
        }
    }
    (n > 0.0).then(|| {
        let mean = sum / n;
        // Members answer alike, so that further pairs tell hardly more of an item. A
        // handful of equal outcomes is no proof of no variance.
        let variance = (squares / n - mean * mean).max(0.05) / (n / pairs);
        (mean, variance)
    })
}

/// How accurate each family is on the items, in points of accuracy above what was
/// told; 0 or below for a family that has shifted.
///
/// Each set of fewer than half the families (and at most [`MOST_SHIFTED`]) is tried as
/// the shifted one: those have any `u` up to what was told, the others what was told
/// within its error; all of them times one common factor, for items may be harder than
/// the examples, and all err alike to some degree. The set most probable a posteriori
/// counts. So a family that leaves the others moves its own accuracy and none of
/// theirs; with two families nobody can say who has shifted, and none has.
pub(super) fn shifted(known: &FamilyAgreement) -> Vec<f64> {
    let families = known.told.len();
    if families < 3 {
        return vec![0.0; families];
    }
    let most = (families.saturating_sub(1) as u32 / 2).min(MOST_SHIFTED);
    let mut best = (f64::INFINITY, Vec::new());
    for set in 0_u32..1 << families.min(MOST_FAMILIES) {
        if set.count_ones() > most {
            continue;
        }
        let free: Vec<bool> = (0..families)
            .map(|family| family < MOST_FAMILIES && set >> family & 1 == 1)
            .collect();
        let us = fit(known, &free);
        let cost = misfit(known, &us, &free);
        if cost < best.0 {
            best = (cost, us);
        }
    }
    let told = known.told.iter();
    told.zip(best.1)
        .map(|((told, _), u)| (u - told).min(0.0) * known.scale)
        .collect()
}

/// What true agreement is to the product of two `u`, over the families that have not
/// shifted: 1 where items are as hard as the examples and voters err apart.
fn common_factor(known: &FamilyAgreement, us: &[f64], free: &[bool]) -> f64 {
    let (mut sum, mut weight) = (FACTOR_PRIOR, FACTOR_PRIOR);
    for a in (0..us.len()).filter(|&a| !free[a]) {
        for b in (0..a).filter(|&b| !free[b]) {
            if let Some((agreed, open)) = known.pairs[a][b] {
                let expected = us[a] * us[b];
                sum += expected * agreed / open;
                weight += expected * expected / open;
            }
        }
    }
    (sum / weight).max(0.1)
}

/// The likeliest `u` by coordinate descent, each in closed form given the others.
fn fit(known: &FamilyAgreement, free: &[bool]) -> Vec<f64> {
    let mut us: Vec<f64> = known.told.iter().map(|told| told.0.max(0.0)).collect();
    for _ in 0..SWEEPS {
        let factor = common_factor(known, &us, free);
        for family in 0..us.len() {
            let (told, variance) = known.told[family];
            let (mut sum, mut precision) = if free[family] {
                (0.0, 1e-6)
            } else {
                (told / variance, 1.0 / variance)
            };
            for (other, pair) in known.pairs[family].iter().enumerate() {
                let Some((agreed, open)) = pair else { continue };
                let reach = factor * us[other];
                sum += reach * agreed / open;
                precision += reach * reach / open;
            }
            let most = if free[family] { told.max(0.0) } else { 1.0 };
            us[family] = (sum / precision).clamp(0.0, most);
        }
    }
    us
}

/// Minus the log posterior, up to a constant.
fn misfit(known: &FamilyAgreement, us: &[f64], free: &[bool]) -> f64 {
    let factor = common_factor(known, us, free);
    let mut misfit = (factor - 1.0).powi(2) * FACTOR_PRIOR / 2.0;
    for (family, &u) in us.iter().enumerate() {
        let (told, variance) = known.told[family];
        misfit += if free[family] {
            SHIFT_COST * if known.steady[family] { 2.0 } else { 1.0 }
        } else {
            (u - told).powi(2) / (2.0 * variance)
        };
        for (other, pair) in known.pairs[family][..family].iter().enumerate() {
            if let Some((agreed, open)) = pair {
                misfit += (agreed - factor * u * us[other]).powi(2) / (2.0 * open);
            }
        }
    }
    misfit
}

#[cfg(test)]
#[path = "families_tests.rs"]
mod tests;
