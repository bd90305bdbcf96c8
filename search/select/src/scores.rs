//! Outcomes seen so far.

/// A sparse table prompt × example of outcomes in `[0, 1]`.
///
/// Each row keeps its cells and its totals per group, so that group means cost
/// nothing to read.
#[derive(Debug, Clone)]
pub struct OutcomeTable {
    group_of: Vec<u32>,
    cluster_of: Vec<u64>,
    groups: usize,
    rows: Vec<CandidateOutcomes>,
}

#[derive(Debug, Clone, Default)]
struct CandidateOutcomes {
    /// One value per example, NaN where unseen; empty until the first outcome.
    cells: Vec<f32>,
    seen: Vec<u32>,
    totals: Vec<(f64, f64)>,
}

impl OutcomeTable {
    /// An empty table. `group_of[e]` is the group of example e and must be
    /// below `groups`; every example is its own cluster.
    pub fn new(candidates: usize, group_of: Vec<u32>, groups: usize) -> Self {
        let cluster_of = (0..group_of.len() as u64).collect();
        Self::clustered(candidates, group_of, cluster_of, groups)
    }

    /// As [`OutcomeTable::new`], with the cluster (user) of every example.
    pub fn clustered(
        candidates: usize,
        group_of: Vec<u32>,
        cluster_of: Vec<u64>,
        groups: usize,
    ) -> Self {
        debug_assert!(group_of.iter().all(|&g| (g as usize) < groups));
        debug_assert_eq!(group_of.len(), cluster_of.len());
        Self {
            group_of,
            cluster_of,
            groups,
            rows: vec![CandidateOutcomes::default(); candidates],
        }
    }

    /// Adds candidates without outcomes; returns the number of the first.
    pub fn grow(&mut self, candidates: usize) -> usize {
        let first = self.rows.len();
        self.rows
            .resize(first + candidates, CandidateOutcomes::default());
        first
    }

    /// Enters an outcome, clamped to `[0, 1]`. A repeated or NaN outcome, or a
    /// number out of range, changes nothing and returns false.
    pub fn push(&mut self, candidate: usize, example: u32, outcome: f64) -> bool {
        let at = example as usize;
        let (Some(row), Some(&group)) = (self.rows.get_mut(candidate), self.group_of.get(at))
        else {
            return false;
        };
        if row.cells.is_empty() {
            row.cells = vec![f32::NAN; self.group_of.len()];
            row.totals = vec![(0.0, 0.0); self.groups];
        }
        if outcome.is_nan() || !row.cells[at].is_nan() {
            return false;
        }
        let outcome = outcome.clamp(0.0, 1.0);
        row.cells[at] = outcome as f32;
        row.seen.push(example);
        let (count, sum) = &mut row.totals[group as usize];
        *count += 1.0;
        *sum += outcome;
        true
    }

    /// Forgets a candidate's outcomes, for others to be entered: its replies are read
    /// in another way than they were.
    pub fn clear(&mut self, candidate: usize) {
        if let Some(row) = self.rows.get_mut(candidate) {
            row.cells.fill(f32::NAN);
            row.seen.clear();
            row.totals.fill((0.0, 0.0));
        }
    }

    /// The outcome of a candidate on an example, if seen.
    pub fn get(&self, candidate: usize, example: u32) -> Option<f64> {
        let cell = *self.rows.get(candidate)?.cells.get(example as usize)?;
        (!cell.is_nan()).then_some(f64::from(cell))
    }

    /// Examples a candidate was seen on, in the order they came.
    pub fn seen(&self, candidate: usize) -> &[u32] {
        &self.rows[candidate].seen
    }

    /// Number of outcomes of a candidate in a group.
    pub fn count(&self, candidate: usize, group: usize) -> f64 {
        self.rows[candidate].totals.get(group).map_or(0.0, |t| t.0)
    }

    /// Plain mean of a candidate in a group; NaN when unseen.
    pub fn mean(&self, candidate: usize, group: usize) -> f64 {
        self.rows[candidate]
            .totals
            .get(group)
            .map_or(f64::NAN, |t| t.1 / t.0)
    }

    /// Mean of a candidate's group means by weight, over groups it was seen in;
    /// NaN when there is none.
    pub fn balanced_mean(&self, candidate: usize, weight: impl Fn(usize) -> f64) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for (g, &(count, s)) in self.rows[candidate].totals.iter().enumerate() {
            if count > 0.0 {
                sum += weight(g) * s / count;
                total += weight(g);
            }
        }
        sum / total
    }

    /// Number of candidates.
    pub fn candidates(&self) -> usize {
        self.rows.len()
    }

    /// Number of examples.
    pub fn examples(&self) -> usize {
        self.group_of.len()
    }

    /// Number of groups.
    pub const fn groups(&self) -> usize {
        self.groups
    }

    /// Group of an example.
    pub fn group_of(&self, example: u32) -> usize {
        self.group_of[example as usize] as usize
    }

    /// Cluster of an example.
    pub fn cluster_of(&self, example: u32) -> u64 {
        self.cluster_of[example as usize]
    }

    /// All outcomes seen.
    pub fn len(&self) -> usize {
        self.rows.iter().map(|r| r.seen.len()).sum()
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
