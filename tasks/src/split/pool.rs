//! What is left of a group, and how examples are drawn from it.

use std::collections::BTreeSet;

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

/// A place in a pseudo-random order that depends on the id alone.
fn place(input: &Input, order: DrawOrder) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    match order {
        DrawOrder::Audit => hasher.update(b"audit"),
        DrawOrder::Seed(seed) => hasher.update(b"seed").update(&seed.to_be_bytes()),
    };
    hasher.update(input.id.as_bytes());
    *hasher.finalize().as_bytes()
}

/// The stratum of an example; all that is no class is one stratum.
pub(super) fn class(example: &Example) -> &str {
    example.label.class().unwrap_or_default()
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
        examples: &'a [Example],
        unlabelled: &'a [Input],
        classes: &[&'a str],
        draw: UnlabelledDraw,
    ) -> Self {
        let mut strata = vec![Vec::new(); classes.len()];
        for example in examples.iter().filter(|e| e.input.group == group) {
            if let Ok(at) = classes.binary_search(&class(example)) {
                strata[at].push(example);
            }
        }
        let unlabelled: Vec<&Input> = unlabelled.iter().filter(|i| i.group == group).collect();
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
            stratum.sort_by_cached_key(|example| place(&example.input, order));
            drawn.extend(stratum.drain(..quota.min(stratum.len())));
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
        left.sort_by_cached_key(|input| place(input, order));
        left.retain(|input| !taken.contains(&input.id));
        left.into_iter().take(n).cloned().collect()
    }
}
