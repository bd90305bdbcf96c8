//! What is left of a group, and how examples are drawn from it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::sizes::{GroupCensus, SplitRole};
use super::{GroupsSpec, UnlabelledDraw, shares};
use crate::{Example, Input};

/// Whose draw it is.
#[derive(Clone, Copy)]
pub(super) enum DrawOrder {
    /// The same for every seed of the study.
    Audit,
    Seed(u64),
}

/// A place in a pseudo-random order that depends on the id alone: the first bytes of a
/// digest, enough for no two to be equal.
fn place(input: &Input, order: DrawOrder) -> [u64; 2] {
    // In one piece: a hasher that is fed takes several times as long for a short id.
    let mut text = Vec::with_capacity(16 + input.id.len());
    match order {
        DrawOrder::Audit => text.extend_from_slice(b"audit"),
        DrawOrder::Seed(seed) => {
            text.extend_from_slice(b"seed");
            text.extend_from_slice(&seed.to_be_bytes());
        }
    }
    text.extend_from_slice(input.id.as_bytes());
    let digest = blake3::hash(&text);
    let number = |from: usize| {
        let bytes = std::array::from_fn(|at| digest.as_bytes()[from + at]);
        u64::from_be_bytes(bytes)
    };
    [number(0), number(8)]
}

/// The `n` first in this order, in it, and the others in any; all where there are fewer.
fn first_by_place<T: Copy>(
    from: Vec<T>,
    n: usize,
    order: DrawOrder,
    input: impl Fn(&T) -> &Input,
) -> (Vec<T>, Vec<T>) {
    if n == 0 {
        return (Vec::new(), from);
    }
    let placed = from.into_iter().map(|one| (place(input(&one), order), one));
    let mut placed: Vec<([u64; 2], T)> = placed.collect();
    let n = n.min(placed.len());
    if n < placed.len() {
        // The order of all is not needed.
        placed.select_nth_unstable_by_key(n, |(place, _)| *place);
    }
    let rest = placed.split_off(n).into_iter().map(|(_, one)| one);
    let rest = rest.collect();
    placed.sort_unstable_by_key(|(place, _)| *place);
    (placed.into_iter().map(|(_, one)| one).collect(), rest)
}

/// The stratum of an example; all that is no class is one stratum.
pub(super) fn class(example: &Example) -> &str {
    example.label.class().unwrap_or_default()
}

/// The rows of every group, in their order.
pub(crate) struct GroupRows<'a>(HashMap<&'a str, (Vec<&'a Example>, Vec<&'a Input>)>);

impl<'a> GroupRows<'a> {
    pub fn new(examples: &'a [Example], unlabelled: &'a [Input]) -> Self {
        let mut groups: HashMap<&str, (Vec<&Example>, Vec<&Input>)> = HashMap::new();
        for example in examples {
            let rows = groups.entry(&example.input.group).or_default();
            rows.0.push(example);
        }
        for input in unlabelled {
            groups.entry(&input.group).or_default().1.push(input);
        }
        Self(groups)
    }

    /// Its labelled examples.
    pub fn examples(&self, group: &str) -> &[&'a Example] {
        self.0.get(group).map_or(&[], |rows| &rows.0)
    }

    /// Its inputs without a label.
    pub fn unlabelled(&self, group: &str) -> &[&'a Input] {
        self.0.get(group).map_or(&[], |rows| &rows.1)
    }

    /// How many rows each group has.
    pub fn sizes(&self) -> BTreeMap<&'a str, usize> {
        let sizes = self.0.iter();
        sizes
            .map(|(name, rows)| (*name, rows.0.len() + rows.1.len()))
            .collect()
    }
}

/// What is left of one group, by class.
pub(super) struct GroupPool<'a> {
    pub census: GroupCensus<'a>,
    strata: Vec<Vec<&'a Example>>,
    unlabelled: Vec<&'a Input>,
}

impl<'a> GroupPool<'a> {
    pub fn new(
        spec: &'a GroupsSpec,
        group: &'a str,
        is_source: bool,
        rows: &GroupRows<'a>,
        classes: &[&'a str],
        draw: UnlabelledDraw,
    ) -> Self {
        let mut strata = vec![Vec::new(); classes.len()];
        for &example in rows.examples(group) {
            if let Ok(at) = classes.binary_search(&class(example)) {
                strata[at].push(example);
            }
        }
        let unlabelled = rows.unlabelled(group).to_vec();
        let sizes: Vec<usize> = strata.iter().map(Vec::len).collect();
        let census = GroupCensus {
            name: group,
            is_source,
            classes: classes.to_vec(),
            wishes: spec.wishes(is_source, sizes.iter().sum()),
            shares: shares::of_group(&spec.class_shares, group, classes),
            sizes,
            unlabelled: unlabelled.len(),
            balance: spec.balance,
            draw,
        };
        Self {
            census,
            strata,
            unlabelled,
        }
    }

    /// Draws `n` for a labelled role.
    pub fn take(&mut self, part: SplitRole, n: usize, order: DrawOrder) -> Vec<Example> {
        let left: Vec<usize> = self.strata.iter().map(Vec::len).collect();
        let quotas = self.census.quotas(part, n, &left);
        let mut drawn = Vec::new();
        for (stratum, quota) in self.strata.iter_mut().zip(quotas) {
            let left = std::mem::take(stratum);
            let (first, rest) = first_by_place(left, quota, order, |example| &example.input);
            drawn.extend(first);
            *stratum = rest;
        }
        // Not one class after the other.
        drawn.sort_by_cached_key(|example| place(&example.input, order));
        drawn.into_iter().cloned().collect()
    }

    /// Draws `n` inputs without their labels, none of those `taken`.
    pub fn inputs(
        &mut self,
        n: usize,
        seed: u64,
        draw: UnlabelledDraw,
        taken: &BTreeSet<String>,
    ) -> Vec<Input> {
        let order = DrawOrder::Seed(seed);
        if draw == UnlabelledDraw::ByClass {
            let drawn = self.take(SplitRole::Unlabelled, n, order);
            return drawn.into_iter().map(|example| example.input).collect();
        }
        let labelled = self.strata.iter().flatten().map(|example| &example.input);
        let mut left: Vec<&Input> = labelled.chain(self.unlabelled.iter().copied()).collect();
        left.retain(|input| !taken.contains(&input.id));
        let (first, _) = first_by_place(left, n, order, |input| input);
        first.into_iter().cloned().collect()
    }
}
