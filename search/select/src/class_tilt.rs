//! What a candidate gains or loses where the target's classes have other shares.

// Formulas in the docs.
#![allow(clippy::doc_markdown)]

use crate::problem::{ExampleClasses, LabelRole, SelectionProblem};

/// Labels' worth of belief that the target's shares are the source's.
const SHARE_PRIOR: f64 = 4.0;
/// Share of an outcome's variance that is the prompt's own: the rest is the
/// example's, which all prompts share and centring takes out.
const OWN_VARIANCE: f64 = 0.7;
/// Fewest candidates from which differences between classes are estimated.
const LEAST_CANDIDATES: usize = 3;

/// One outcome as the tilt reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassOutcome {
    /// The example.
    pub example: u32,
    /// The outcome in `[0, 1]`.
    pub outcome: f64,
    /// How easy the example is, taken off the outcome; 0 where every candidate
    /// has seen the same examples.
    pub ease: f64,
}

/// What is added to a candidate's mean over the source so that it speaks of the
/// target's shares of classes, per candidate; 0 for one without outcomes.
///
/// With weights w_e = 1/n_g over source examples, s_p the weighted mean of
/// candidate p and r_pk that over class k, d_pk = r_pk − s_p centred over
/// candidates is what p is better or worse at class k than others are. Its noise
/// is v_pk = 0.7 · r(1 − r)/n_eff, n_eff = (Σw)²/Σw², with r(1 − r) pooled over
/// candidates; it is shrunk by f_pk = T/(T + v_pk), T = max(0, Var_p d_pk − mean
/// v_pk), which is max(0, 1 − v_k/Var_p d_pk) where all saw the same. The tilt is
/// Σ_k (π_k − π_S,k) f_pk d_pk.
///
/// π are the target's shares as stated, or (n_k + 4 π_S,k)/(n + 4) from n labels
/// drawn at natural shares. `None` where there is nothing to tilt by: no classes,
/// neither labels nor stated shares, or fewer than three candidates with outcomes.
pub fn class_tilt(problem: &SelectionProblem, seen: &[Vec<ClassOutcome>]) -> Option<Vec<f64>> {
    let classes = problem.classes.as_deref()?;
    let weights = source_weights(problem, classes);
    let source = shares(classes, &weights)?;
    let target = target_shares(problem, classes, &source)?;
    let cells: Vec<Vec<ClassCell>> = seen
        .iter()
        .map(|outcomes| class_cells(classes, &weights, outcomes))
        .collect();
    let measured = cells.iter().filter(|own| whole(own).weight > 0.0).count();
    if measured < LEAST_CANDIDATES {
        return None;
    }
    let mut tilt = vec![0.0; seen.len()];
    for (class, (target, source)) in target.iter().zip(&source).enumerate() {
        let shift = target - source;
        for (tilt, gain) in tilt.iter_mut().zip(class_gains(&cells, class)) {
            *tilt += shift * gain;
        }
    }
    Some(tilt)
}

/// Sums over the outcomes of one candidate in one class.
#[derive(Debug, Clone, Copy, Default)]
struct ClassCell {
    weight: f64,
    squares: f64,
    outcomes: f64,
    eased: f64,
}

impl ClassCell {
    fn add(&mut self, weight: f64, outcome: f64, ease: f64) {
        self.weight += weight;
        self.squares += weight * weight;
        self.outcomes += weight * outcome;
        self.eased += weight * (outcome - ease);
    }

    /// (Σw)²/Σw².
    fn effective(&self) -> f64 {
        if self.squares > 0.0 {
            self.weight * self.weight / self.squares
        } else {
            0.0
        }
    }
}

fn whole(cells: &[ClassCell]) -> ClassCell {
    let mut all = ClassCell::default();
    for cell in cells {
        all.weight += cell.weight;
        all.squares += cell.squares;
        all.outcomes += cell.outcomes;
        all.eased += cell.eased;
    }
    all
}

/// Weight of every example: one over the examples of its source group that have
/// a class; 0 elsewhere.
fn source_weights(problem: &SelectionProblem, classes: &ExampleClasses) -> Vec<f64> {
    let mut weights = vec![0.0; classes.of_example.len()];
    let sources = problem
        .groups
        .iter()
        .filter(|g| g.role == LabelRole::Source && g.weight > 0.0);
    for group in sources {
        let classed = || {
            let known = |e: &&u32| classes.class(**e).is_some();
            group.examples.iter().filter(known)
        };
        let count = classed().count() as f64;
        for &example in classed() {
            weights[example as usize] = group.weight / count;
        }
    }
    weights
}

/// Shares of classes under weights; `None` where fewer than two classes have any.
fn shares(classes: &ExampleClasses, weights: &[f64]) -> Option<Vec<f64>> {
    let mut shares = vec![0.0; classes.count()];
    for (class, weight) in classes.of_example.iter().zip(weights) {
        if let Some(class) = class {
            shares[*class as usize] += weight;
        }
    }
    let total: f64 = shares.iter().sum();
    let several = shares.iter().filter(|s| **s > 0.0).count() > 1;
    several.then(|| shares.iter().map(|share| share / total).collect())
}

/// The target's shares, stated or counted; `None` without either.
fn target_shares(
    problem: &SelectionProblem,
    classes: &ExampleClasses,
    source: &[f64],
) -> Option<Vec<f64>> {
    if let Some(stated) = &classes.target_shares {
        let total: f64 = stated.iter().sum();
        let fits = stated.len() == source.len() && total > 0.0 && stated.iter().all(|s| *s >= 0.0);
        return fits.then(|| stated.iter().map(|share| share / total).collect());
    }
    // Each target group counts alike, however many labels it has.
    let mut counted = vec![0.0; source.len()];
    let (mut weight, mut squares) = (0.0, 0.0);
    let labelled = |g: &&crate::problem::ExampleGroup| g.role == LabelRole::LabelledTarget;
    for group in problem.groups.iter().filter(labelled) {
        let known = group.examples.iter().filter_map(|e| classes.class(*e));
        let known: Vec<u32> = known.collect();
        let each = 1.0 / known.len().max(1) as f64;
        for class in known {
            counted[class as usize] += each;
            weight += each;
            squares += each * each;
        }
    }
    if weight <= 0.0 {
        return None;
    }
    let labels = weight * weight / squares;
    Some(
        counted
            .iter()
            .zip(source)
            .map(|(count, source)| {
                (labels * count / weight + SHARE_PRIOR * source) / (labels + SHARE_PRIOR)
            })
            .collect(),
    )
}

fn class_cells(
    classes: &ExampleClasses,
    weights: &[f64],
    outcomes: &[ClassOutcome],
) -> Vec<ClassCell> {
    let mut cells = vec![ClassCell::default(); classes.count()];
    for seen in outcomes {
        let weight = weights.get(seen.example as usize).copied().unwrap_or(0.0);
        if let Some(class) = classes.class(seen.example).filter(|_| weight > 0.0) {
            cells[class as usize].add(weight, seen.outcome, seen.ease);
        }
    }
    cells
}

/// f_pk d_pk of one class for every candidate.
fn class_gains(cells: &[Vec<ClassCell>], class: usize) -> Vec<f64> {
    let own = |p: usize| cells[p][class];
    let seen: Vec<usize> = (0..cells.len()).filter(|&p| own(p).weight > 0.0).collect();
    let count = seen.len() as f64;
    let mut gains = vec![0.0; cells.len()];
    if seen.len() < LEAST_CANDIDATES {
        return gains;
    }
    // r(1 − r) without the bias of few outcomes.
    let (coin, freedom) = seen.iter().fold((0.0, 0.0), |(coin, freedom), &p| {
        let (n, r) = (own(p).effective(), own(p).outcomes / own(p).weight);
        (coin + n * r * (1.0 - r), freedom + (n - 1.0).max(0.0))
    });
    if freedom <= 0.0 {
        return gains;
    }
    let variance = OWN_VARIANCE * coin / freedom;
    for &p in &seen {
        let all = whole(&cells[p]);
        gains[p] = own(p).eased / own(p).weight - all.eased / all.weight;
    }
    let centre = seen.iter().map(|&p| gains[p]).sum::<f64>() / count;
    let noise = |p: usize| variance / own(p).effective();
    let spread = seen
        .iter()
        .map(|&p| (gains[p] - centre).powi(2))
        .sum::<f64>()
        / (count - 1.0);
    let truth = (spread - seen.iter().map(|&p| noise(p)).sum::<f64>() / count).max(0.0);
    for &p in &seen {
        let kept = if truth > 0.0 {
            truth / (truth + noise(p))
        } else {
            0.0
        };
        gains[p] = kept * (gains[p] - centre);
    }
    gains
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::ExampleGroup;

    /// One source group with these classes, a target group of these labels.
    fn world(candidates: usize, source: &[u32], labels: &[u32]) -> SelectionProblem {
        let examples = |from: usize, n: usize| (from as u32..(from + n) as u32).collect();
        let group = |name: &str, role, examples| ExampleGroup {
            name: name.into(),
            role,
            weight: 1.0,
            examples,
        };
        let of_example = source.iter().chain(labels).map(|c| Some(*c)).collect();
        SelectionProblem {
            candidates,
            groups: vec![
                group("source", LabelRole::Source, examples(0, source.len())),
                group(
                    "target",
                    LabelRole::LabelledTarget,
                    examples(source.len(), labels.len()),
                ),
            ],
            classes: Some(std::sync::Arc::new(ExampleClasses {
                of_example,
                target_shares: None,
            })),
            ..SelectionProblem::default()
        }
    }

    fn row(outcomes: &[f64]) -> Vec<ClassOutcome> {
        (0..)
            .zip(outcomes)
            .map(|(example, &outcome)| ClassOutcome {
                example,
                outcome,
                ease: 0.0,
            })
            .collect()
    }

    /// Ten examples of class 0, ten of class 1; three prompts with 10, 8, 6 right
    /// of the first and 4, 8, 10 of the second.
    fn trading() -> (SelectionProblem, Vec<Vec<ClassOutcome>>) {
        let source: Vec<u32> = (0..20).map(|e| e / 10).collect();
        let labels = [1, 1, 1, 1, 1, 1, 1, 1, 0, 1];
        let rows = [(10, 4), (8, 8), (6, 10)].map(|(first, second)| {
            let right = |e: usize| {
                let of = if e < 10 { first } else { second };
                f64::from(u8::from(e % 10 < of))
            };
            row(&(0..20).map(right).collect::<Vec<_>>())
        });
        (world(3, &source, &labels), rows.to_vec())
    }

    #[test]
    fn tilt_by_hand() {
        let (problem, rows) = trading();
        let tilt = class_tilt(&problem, &rows).unwrap();
        // π: source ½, ½; labels 1 and 9 of 10: (1 + 2)/14 = 3/14 and 11/14.
        let shift = 11.0 / 14.0 - 0.5;
        // s = .7, .8, .8; class 1: r = .4, .8, 1, d = −.3, 0, .2, mean −.1/3.
        let d = [-0.3 + 0.1 / 3.0, 0.1 / 3.0, 0.2 + 0.1 / 3.0];
        let variance = d.iter().map(|d| d * d).sum::<f64>() / 2.0;
        // Noise: .7 · (10·.24 + 10·.16 + 0)/27/10 in class 1, the same way with
        // 0, .16, .24 in class 0.
        let noise = 0.7 * 4.0 / 27.0 / 10.0;
        let kept = 1.0 - noise / variance;
        // d of class 0 is the mirror image, so both classes add the same.
        for (tilt, d) in tilt.iter().zip(d) {
            assert!((tilt - 2.0 * shift * kept * d).abs() < 1e-12, "{tilt} {d}");
        }
    }

    #[test]
    fn stated_shares_are_taken_as_they_are() {
        let (mut problem, rows) = trading();
        let mut classes = problem.classes.as_deref().cloned().unwrap();
        classes.target_shares = Some(vec![0.0, 2.0]);
        problem.classes = Some(std::sync::Arc::new(classes.clone()));
        let stated = class_tilt(&problem, &rows).unwrap();
        let (counted, labels) = trading();
        let counted = class_tilt(&counted, &labels).unwrap();
        let ratio = 0.5 / (11.0 / 14.0 - 0.5);
        for (stated, counted) in stated.iter().zip(counted) {
            assert!((stated - ratio * counted).abs() < 1e-12);
        }
        classes.target_shares = Some(vec![1.0]);
        problem.classes = Some(std::sync::Arc::new(classes));
        assert_eq!(class_tilt(&problem, &rows), None, "a share for each class");
    }

    /// Equal shares, no labels, no classes and too few candidates: nothing.
    #[test]
    fn nothing_to_tilt_by() {
        let (problem, rows) = trading();
        let none = SelectionProblem {
            classes: None,
            ..problem.clone()
        };
        assert_eq!(class_tilt(&none, &rows), None);
        assert_eq!(class_tilt(&problem, &rows[..2]), None);
        let (unlabelled, ()) = (world(3, &[0, 1, 0, 1], &[]), ());
        assert_eq!(class_tilt(&unlabelled, &rows), None);
        let (alone, ()) = (world(3, &[0, 0, 0, 0], &[0, 0]), ());
        assert_eq!(class_tilt(&alone, &rows), None);
        let source: Vec<u32> = (0..20).map(|e| e / 10).collect();
        let even = class_tilt(&world(3, &source, &[0, 1]), &rows).unwrap();
        assert!(even.iter().all(|tilt| tilt.abs() < 1e-12), "{even:?}");
    }

    /// Differences that chance explains are not believed, and what is easy for all
    /// is no merit.
    #[test]
    fn noise_is_not_tilted() {
        let source: Vec<u32> = (0..20).map(|e| e / 10).collect();
        let problem = world(3, &source, &[1; 20]);
        let rows: Vec<_> = [5, 6, 5]
            .map(|right| {
                row(&(0..20)
                    .map(|e| f64::from(u8::from((e + right) % 10 < right)))
                    .collect::<Vec<_>>())
            })
            .into();
        assert_eq!(class_tilt(&problem, &rows).unwrap(), [0.0; 3]);
        let (problem, mut rows) = trading();
        let before = class_tilt(&problem, &rows).unwrap();
        for seen in rows.iter_mut().flatten() {
            seen.ease = if seen.example < 10 { 0.4 } else { 0.1 };
        }
        let after = class_tilt(&problem, &rows).unwrap();
        for (before, after) in before.iter().zip(after) {
            assert!((before - after).abs() < 1e-12);
        }
    }
}
