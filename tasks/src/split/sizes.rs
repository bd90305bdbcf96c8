//! How many examples each role takes of a group, and what is said where they do
//! not suffice.

use std::collections::BTreeMap;

use super::UnlabelledDraw;
use super::shares::{even, proportional, stated};
use crate::diagnostic::DataProblem;

/// A role, in the order in which roles are drawn from a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SplitRole {
    Audit,
    Train,
    Validation,
    Labelled,
    Unlabelled,
}

impl SplitRole {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Labelled => "labelled",
            Self::Unlabelled => "unlabelled",
        }
    }

    /// Fewer than this are of no use to a search.
    const fn least(self) -> usize {
        match self {
            Self::Train => 1,
            Self::Validation => 2,
            Self::Audit | Self::Labelled | Self::Unlabelled => 0,
        }
    }
}

/// Sizes are scaled down in so many steps at most.
const STEPS: usize = 2000;

/// What a role asks of a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoleDemand {
    pub part: SplitRole,
    pub size: usize,
    /// Whether the study states the size; others may be scaled down.
    pub stated: bool,
}

/// What a group has, and what its roles ask for.
pub(super) struct GroupCensus<'a> {
    pub name: &'a str,
    pub is_source: bool,
    /// All classes of the study, sorted.
    pub classes: Vec<&'a str>,
    /// Labelled examples by class.
    pub sizes: Vec<usize>,
    /// Rows without a label.
    pub unlabelled: usize,
    pub wishes: Vec<RoleDemand>,
    /// Stated class shares of audit and labelled target.
    pub shares: Option<Vec<f64>>,
    pub balance: Option<bool>,
    pub draw: UnlabelledDraw,
}

impl GroupCensus<'_> {
    pub fn labelled(&self) -> usize {
        self.sizes.iter().sum()
    }

    /// How many of each class a role takes, with so many left.
    pub fn quotas(&self, part: SplitRole, n: usize, left: &[usize]) -> Vec<usize> {
        let sealed = matches!(part, SplitRole::Audit | SplitRole::Labelled);
        match (self.balance, &self.shares) {
            _ if n == 0 => vec![0; left.len()],
            (_, Some(shares)) if sealed => stated(n, shares),
            // Before other draws bent them.
            (Some(true), _) if part == SplitRole::Unlabelled => proportional(n, &self.sizes),
            (Some(true), _) => even(n, left.len()),
            (None, _) if matches!(part, SplitRole::Train | SplitRole::Validation) => {
                // A class that the group does not have is none to balance.
                let own: Vec<usize> = (0..left.len()).filter(|at| self.sizes[*at] > 0).collect();
                if own.is_empty() {
                    return proportional(n, left);
                }
                let mut quotas = vec![0; left.len()];
                for (at, quota) in own.iter().zip(even(n, own.len())) {
                    quotas[*at] = quota;
                }
                quotas
            }
            _ => proportional(n, left),
        }
    }

    /// What each role takes of each class, one role after the other, and how many
    /// inputs of any kind the blind role lacks.
    fn draw(&self, sizes: &[usize]) -> (Vec<Vec<usize>>, usize) {
        let mut left = self.sizes.clone();
        let mut missing = 0;
        let taken = self.wishes.iter().zip(sizes).map(|(wish, &n)| {
            if wish.part == SplitRole::Unlabelled && self.draw == UnlabelledDraw::Blind {
                let all = left.iter().sum::<usize>() + self.unlabelled;
                missing = n.saturating_sub(all);
                return vec![0; left.len()];
            }
            let quotas = self.quotas(wish.part, n, &left);
            for (left, quota) in left.iter_mut().zip(&quotas) {
                *left = left.saturating_sub(*quota);
            }
            quotas
        });
        let taken = taken.collect();
        (taken, missing)
    }

    /// Of each class, what all roles together take.
    fn needed(&self, taken: &[Vec<usize>]) -> Vec<usize> {
        (0..self.sizes.len())
            .map(|class| {
                taken
                    .iter()
                    .fold(0_usize, |sum, quotas| sum.saturating_add(quotas[class]))
            })
            .collect()
    }

    pub fn fits(&self, sizes: &[usize]) -> bool {
        let (taken, missing) = self.draw(sizes);
        let needed = self.needed(&taken);
        // Without a class there is nothing labelled at all.
        let nothing = self.classes.is_empty()
            && self
                .wishes
                .iter()
                .zip(sizes)
                .any(|(wish, n)| wish.part != SplitRole::Unlabelled && *n > 0);
        missing == 0 && !nothing && needed.iter().zip(&self.sizes).all(|(n, have)| n <= have)
    }

    /// The sizes as wished, those free to shrink scaled down alike to what fits,
    /// then each grown again as far as it goes.
    fn shrunk(&self, free: impl Fn(&RoleDemand) -> bool) -> Option<Vec<usize>> {
        let wished: Vec<usize> = self.wishes.iter().map(|wish| wish.size).collect();
        if self.fits(&wished) {
            return Some(wished);
        }
        let free_sizes = self.wishes.iter().filter(|wish| free(wish));
        let steps = free_sizes.map(|wish| wish.size).max()?.min(STEPS);
        let scaled = |step: usize| -> Vec<usize> {
            let scale = |wish: &RoleDemand| {
                if free(wish) {
                    (wish.size as u128 * step as u128 / steps.max(1) as u128) as usize
                } else {
                    wish.size
                }
            };
            self.wishes.iter().map(scale).collect()
        };
        let mut sizes = (0..steps)
            .rev()
            .map(scaled)
            .find(|sizes| self.fits(sizes))?;
        for (at, wish) in self.wishes.iter().enumerate() {
            while free(wish) && sizes[at] < wish.size {
                sizes[at] += 1;
                if !self.fits(&sizes) {
                    sizes[at] -= 1;
                    break;
                }
            }
        }
        Some(sizes)
    }

    /// Whether every role that is asked for has enough to be of use.
    fn useful(&self, sizes: &[usize]) -> bool {
        let mut pairs = self.wishes.iter().zip(sizes);
        pairs.all(|(wish, size)| wish.stated || *size >= wish.part.least())
    }
}

/// The sizes of a group's roles; none where they cannot be filled.
pub(super) fn settle(census: &GroupCensus<'_>) -> Option<Vec<(SplitRole, usize)>> {
    let sizes = census.shrunk(|wish| !wish.stated)?;
    let parts = census.wishes.iter().map(|wish| wish.part);
    census
        .useful(&sizes)
        .then(|| parts.zip(sizes.iter().copied()).collect())
}

/// What is told of roles that got less than the default.
pub(super) fn notes(census: &GroupCensus<'_>, parts: &[(SplitRole, usize)]) -> Option<String> {
    let less: Vec<String> = census
        .wishes
        .iter()
        .zip(parts)
        .filter(|(wish, (_, size))| *size < wish.size)
        .map(|(wish, (part, size))| format!("{} {size} instead of {}", part.name(), wish.size))
        .collect();
    let role = if census.is_source { "source" } else { "target" };
    (!less.is_empty()).then(|| {
        format!(
            "the {role} group {:?} ({}) gives less than the default sizes: {}",
            census.name,
            census.holds(),
            less.join(", ")
        )
    })
}

impl GroupCensus<'_> {
    fn holds(&self) -> String {
        match (self.labelled(), self.unlabelled) {
            (labelled, 0) => format!("{labelled} rows"),
            (0, unlabelled) => format!("{unlabelled} rows, none labelled"),
            (labelled, unlabelled) => {
                format!("{labelled} labelled rows, {unlabelled} without a label")
            }
        }
    }
}

/// What is lacking, how much each role asks of it, and whether it is of one class.
type Lack = (String, Vec<(SplitRole, usize)>, bool);

/// What a group lacks, class by class; `fit`: the sizes that would do.
pub(super) fn shortage(census: &GroupCensus<'_>, fit: Option<&str>) -> Vec<DataProblem> {
    let sizes: Vec<usize> = census.wishes.iter().map(|wish| wish.size).collect();
    let (taken, missing) = census.draw(&sizes);
    let asked = |of: &dyn Fn(usize) -> usize| -> Vec<(SplitRole, usize)> {
        let parts = census.wishes.iter().enumerate();
        parts
            .map(|(at, wish)| (wish.part, of(at)))
            .filter(|(_, n)| *n > 0)
            .collect()
    };
    let aside = match (census.is_source, census.unlabelled) {
        (true, rows @ 1..) => format!(" ({rows} rows without a label are left aside)"),
        _ => String::new(),
    };
    let mut lacks = Vec::new();
    let need = sizes.iter().fold(0_usize, |sum, n| sum.saturating_add(*n));
    if census.labelled() == 0 && taken.iter().flatten().any(|quota| *quota > 0) {
        let what = format!("no labelled examples{aside}, {need} are needed");
        lacks.push((what, asked(&|at| sizes[at]), false));
    } else {
        let needed = census.needed(&taken);
        for (class, (need, have)) in needed.iter().zip(&census.sizes).enumerate() {
            if need > have {
                let of_class = match census.classes[class] {
                    "" => String::new(),
                    name => format!(" of {name:?}"),
                };
                let what = format!("{have} examples{of_class}{aside}, {need} are needed");
                lacks.push((what, asked(&|at| taken[at][class]), true));
            }
        }
    }
    if lacks.is_empty() && missing > 0 {
        let have = census.labelled() + census.unlabelled;
        let what = format!("{have} examples, {need} are needed");
        lacks.push((what, asked(&|at| sizes[at]), false));
    }
    if lacks.is_empty() {
        let what = format!(
            "too few labelled examples, {}{aside}: train needs one, validation two",
            census.labelled()
        );
        lacks.push((what, asked(&|at| sizes[at]), false));
    }
    let last = lacks.len() - 1;
    let problem = |(at, (what, asked, by_class)): (usize, Lack)| {
        let roles: Vec<String> = asked
            .iter()
            .map(|(part, n)| format!("{n} {}", part.name()))
            .collect();
        let keys: Vec<String> = asked
            .iter()
            .map(|(part, _)| format!("groups.{}", part.name()))
            .collect();
        let what = format!(
            "the group {:?} has {what} ({})",
            census.name,
            roles.join(" + ")
        );
        let mut mend = format!("lower {}", keys.join(" or "));
        if by_class && census.balance != Some(false) && census.sizes.len() > 1 {
            mend.push_str(", or set groups.balance = false");
        }
        if let Some(fit) = fit.filter(|_| at == last) {
            mend.push_str("; ");
            mend.push_str(fit);
        }
        DataProblem::new("groups", what).help(mend)
    };
    lacks.into_iter().enumerate().map(problem).collect()
}

/// The largest sizes that all groups can give at once, none above what is asked.
pub(super) fn most(all: &[&GroupCensus<'_>]) -> BTreeMap<SplitRole, usize> {
    let mut most: BTreeMap<SplitRole, usize> = BTreeMap::new();
    for census in all {
        let sizes = census.shrunk(|_| true);
        for (at, wish) in census.wishes.iter().enumerate() {
            // A target without labels has no audit whatever the study says.
            if wish.part == SplitRole::Audit && wish.stated && wish.size == 0 && !census.is_source {
                continue;
            }
            let size = sizes.as_ref().map_or(0, |sizes| sizes[at]);
            let entry = most.entry(wish.part).or_insert(size);
            *entry = (*entry).min(size);
        }
    }
    // Rounding to whole examples of a class may stand in the way of a few.
    let fits = |most: &BTreeMap<SplitRole, usize>| {
        all.iter().all(|census| {
            let size =
                |wish: &RoleDemand| wish.size.min(most.get(&wish.part).copied().unwrap_or(0));
            census.fits(&census.wishes.iter().map(size).collect::<Vec<_>>())
        })
    };
    while !fits(&most) && most.values().any(|size| *size > 0) {
        for size in most.values_mut() {
            *size = size.saturating_sub(1);
        }
    }
    // What one kind of group cannot give may leave room in the other.
    for wish in all.iter().flat_map(|census| &census.wishes) {
        for _ in 0..STEPS {
            let size = most.get(&wish.part).copied().unwrap_or(0);
            if size >= wish.size {
                break;
            }
            most.insert(wish.part, size + 1);
            if !fits(&most) {
                most.insert(wish.part, size);
                break;
            }
        }
    }
    most
}

/// The same in a sentence.
pub(super) fn largest_that_fit(all: &[&GroupCensus<'_>]) -> String {
    let most = most(all);
    let least = |part: SplitRole| most.get(&part).is_some_and(|size| *size < part.least());
    if least(SplitRole::Train) || least(SplitRole::Validation) {
        return "no sizes fit, for a source group has too few labelled examples".to_owned();
    }
    let sizes: Vec<String> = most
        .iter()
        .filter(|(part, size)| **size > 0 || **part != SplitRole::Labelled)
        .map(|(part, size)| format!("{} = {size}", part.name()))
        .collect();
    format!("the largest that fit together: {}", sizes.join(", "))
}
