use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::problem::{DataError, Problem, Problems};
use crate::roles::{Data, LabelReads, LabelledTarget, SealedAudit, Source, UnlabelledTarget};
use crate::{Example, Label, suggest};

/// Which groups play which part, and how many examples each role takes from
/// each of its groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupsSpec {
    /// Groups whose labels the search may use freely.
    pub source: Vec<String>,
    /// Shifted groups that prompts must hold on.
    pub target: Vec<String>,
    /// Labelled examples per source group that proposals are induced from.
    pub train: usize,
    /// Labelled examples per source group that candidates are scored on.
    pub validation: usize,
    /// Inputs without labels per target group.
    pub unlabelled: usize,
    /// Examples per target group whose labels the selector may use.
    pub labelled: usize,
    /// Sealed examples per target group *and* per source group.
    pub audit: usize,
    /// Whether labelled roles take equally many of every class. Otherwise, and
    /// for the unlabelled role always, classes keep their share of the group.
    pub balance: bool,
}

impl Default for GroupsSpec {
    fn default() -> Self {
        Self {
            source: Vec::new(),
            target: Vec::new(),
            train: 60,
            validation: 120,
            unlabelled: 120,
            labelled: 0,
            audit: 100,
            balance: true,
        }
    }
}

/// A study's data by role, and what was left aside.
#[derive(Debug, Clone)]
pub struct Split {
    /// The roles; no example is in two of them.
    pub data: Data,
    /// Groups in the data that the study does not name, with their sizes.
    pub unused: BTreeMap<String, usize>,
}

impl GroupsSpec {
    /// Deals the examples out to the roles.
    ///
    /// Examples are drawn in the order of a hash of their id, so the split does
    /// not depend on the order of the files. The audit's hash is fixed: every
    /// seed is judged on the same sealed examples. All other roles are drawn
    /// from the rest by `seed`.
    ///
    /// Fails if a named group does not exist or cannot fill its roles; nothing
    /// is scaled down silently.
    pub fn split(&self, examples: &[Example], seed: u64) -> Result<Split, DataError> {
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        for example in examples {
            *sizes.entry(&example.input.group).or_default() += 1;
        }
        self.check(&sizes)?;
        let named: BTreeSet<_> = self
            .source
            .iter()
            .chain(&self.target)
            .map(String::as_str)
            .collect();
        let classes: BTreeSet<_> = examples
            .iter()
            .filter(|example| named.contains(example.input.group.as_str()))
            .map(class)
            .collect();

        let mut problems = Problems::default();
        let seed = Order::Seed(seed);
        let mut source = Source::default();
        let (mut inputs, mut labelled, mut audit) = (Vec::new(), Vec::new(), Vec::new());
        for name in &self.source {
            let mut pool = Pool::new(name, examples, &classes, self.balance);
            audit.extend(pool.draw("audit", self.audit, Order::Audit));
            source.train.extend(pool.draw("train", self.train, seed));
            source
                .validation
                .extend(pool.draw("validation", self.validation, seed));
            pool.report(&mut problems);
        }
        for name in &self.target {
            let mut pool = Pool::new(name, examples, &classes, self.balance);
            audit.extend(pool.draw("audit", self.audit, Order::Audit));
            labelled.extend(pool.draw("labelled", self.labelled, seed));
            let drawn = pool.draw_natural("unlabelled", self.unlabelled, seed);
            inputs.extend(drawn.into_iter().map(|example| example.input));
            pool.report(&mut problems);
        }
        let reads = LabelReads::default();
        problems.or(Split {
            data: Data {
                source,
                target: UnlabelledTarget { inputs },
                labelled_target: LabelledTarget::new(labelled, reads.clone()),
                audit: SealedAudit::new(audit, reads.clone()),
                reads,
            },
            unused: sizes
                .into_iter()
                .filter(|(name, _)| !named.contains(name))
                .map(|(name, size)| (name.to_owned(), size))
                .collect(),
        })
    }

    fn check(&self, sizes: &BTreeMap<&str, usize>) -> Result<(), DataError> {
        let mut problems = Problems::default();
        let mut seen = BTreeSet::new();
        for (key, names) in [
            ("groups.source", &self.source),
            ("groups.target", &self.target),
        ] {
            if names.is_empty() {
                problems.push(Problem::new(key, "names no group").mend(groups(sizes)));
            }
            for name in names {
                if !sizes.contains_key(name.as_str()) {
                    let close = suggest::closest(name, sizes.keys().copied())
                        .map_or(String::new(), |close| format!("did you mean {close:?}? "));
                    problems.push(
                        Problem::new(key, format!("there is no group {name:?}"))
                            .mend(close + &groups(sizes)),
                    );
                }
                if !seen.insert(name) {
                    problems.push(
                        Problem::new(key, format!("the group {name:?} is named twice"))
                            .mend("a group is either source or target, once"),
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

/// Whose draw it is.
#[derive(Clone, Copy)]
enum Order {
    /// The same for every seed of the study.
    Audit,
    Seed(u64),
}

/// A place in a pseudo-random order that depends on the id alone.
fn place(example: &Example, order: Order) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    match order {
        Order::Audit => hasher.update(b"audit"),
        Order::Seed(seed) => hasher.update(b"seed").update(&seed.to_be_bytes()),
    };
    hasher.update(example.input.id.as_bytes());
    *hasher.finalize().as_bytes()
}

/// The stratum of an example; all that is no class is one stratum.
fn class(example: &Example) -> &str {
    match &example.label {
        Label::Class(label) => label,
        _ => "",
    }
}

/// What is left of one group, by class.
struct Pool<'a> {
    group: &'a str,
    balance: bool,
    /// The group's own class sizes, before any draw.
    sizes: Vec<usize>,
    strata: BTreeMap<&'a str, Vec<&'a Example>>,
    /// Per class what every role asked for, to explain a shortage.
    asked: BTreeMap<&'a str, Vec<(&'static str, usize)>>,
}

impl<'a> Pool<'a> {
    fn new(
        group: &'a str,
        examples: &'a [Example],
        classes: &BTreeSet<&'a str>,
        balance: bool,
    ) -> Self {
        let mut strata: BTreeMap<_, Vec<_>> =
            classes.iter().map(|class| (*class, Vec::new())).collect();
        for example in examples
            .iter()
            .filter(|example| example.input.group == group)
        {
            strata.entry(class(example)).or_default().push(example);
        }
        Self {
            group,
            balance,
            sizes: strata.values().map(Vec::len).collect(),
            strata,
            asked: BTreeMap::new(),
        }
    }

    /// Draws `n` for a labelled role.
    fn draw(&mut self, role: &'static str, n: usize, order: Order) -> Vec<Example> {
        if self.balance {
            let classes = self.strata.len();
            let quotas = (0..classes).map(|index| n / classes + usize::from(index < n % classes));
            let quotas = quotas.collect();
            return self.take(role, quotas, order);
        }
        let left: Vec<_> = self.strata.values().map(Vec::len).collect();
        self.take(role, shares(n, &left), order)
    }

    /// Draws `n` with the class shares of the whole group, which balanced draws
    /// before this one have bent in what is left.
    fn draw_natural(&mut self, role: &'static str, n: usize, order: Order) -> Vec<Example> {
        if self.balance {
            self.take(role, shares(n, &self.sizes), order)
        } else {
            self.draw(role, n, order)
        }
    }

    fn take(&mut self, role: &'static str, quotas: Vec<usize>, order: Order) -> Vec<Example> {
        let mut drawn = Vec::new();
        for ((class, stratum), quota) in self.strata.iter_mut().zip(quotas) {
            self.asked.entry(class).or_default().push((role, quota));
            stratum.sort_by_cached_key(|example| place(example, order));
            drawn.extend(stratum.drain(..quota.min(stratum.len())));
        }
        // Not one class after the other.
        drawn.sort_by_cached_key(|example| place(example, order));
        drawn.into_iter().cloned().collect()
    }

    /// Reports every class that could not fill its roles.
    fn report(self, problems: &mut Problems) {
        for ((class, asked), have) in self.asked.iter().zip(&self.sizes) {
            let need = asked
                .iter()
                .fold(0_usize, |sum, (_, n)| sum.saturating_add(*n));
            if need <= *have {
                continue;
            }
            let roles: Vec<_> = asked
                .iter()
                .filter(|(_, n)| *n > 0)
                .map(|(role, n)| format!("{n} {role}"))
                .collect();
            let of_class = if class.is_empty() {
                String::new()
            } else {
                format!(" of {class:?}")
            };
            let what = format!(
                "the group {:?} has {have} examples{of_class}, {need} are needed ({})",
                self.group,
                roles.join(" + ")
            );
            let keys: Vec<_> = asked
                .iter()
                .filter(|(_, n)| *n > 0)
                .map(|(role, _)| format!("groups.{role}"))
                .collect();
            let mut mend = format!("lower {}", keys.join(" or "));
            if self.balance && self.sizes.len() > 1 {
                mend.push_str(", or set groups.balance = false");
            }
            problems.push(Problem::new("groups", what).mend(mend));
        }
    }
}

/// `n` split in proportion to `sizes` by largest remainders, earlier ones first
/// among equals. No share exceeds its size while `n` does not exceed their sum.
fn shares(n: usize, sizes: &[usize]) -> Vec<usize> {
    let total: usize = sizes.iter().sum();
    if total == 0 {
        // An empty group is a shortage of its first class.
        let mut shares = vec![0; sizes.len()];
        if let Some(first) = shares.first_mut() {
            *first = n;
        }
        return shares;
    }
    // Wide enough for any two counts.
    let scaled = |index: usize| n as u128 * sizes[index] as u128;
    let total = total as u128;
    let mut shares: Vec<_> = (0..sizes.len())
        .map(|index| (scaled(index) / total) as usize)
        .collect();
    let mut by_remainder: Vec<_> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|&index| std::cmp::Reverse(scaled(index) % total));
    let missing = n - shares.iter().sum::<usize>();
    for index in by_remainder.into_iter().take(missing) {
        shares[index] += 1;
    }
    shares
}

#[cfg(test)]
mod tests;
