//! Pareto fronts of candidates.

use std::collections::BTreeSet;

/// Candidates that are best on some instance, with on how many they are (Agrawal et
/// al. 2025, §3.3 and algorithm 2). `values[c][i]`: what candidate `c` is worth on
/// instance `i`, `None` where it was not asked.
///
/// A candidate is left out whose every best instance another one that stays is best on
/// too, those with the lowest sum first. In the order of candidates; instances that
/// nobody has anything on count for nobody.
pub(super) fn instance_front(values: &[Vec<Option<f64>>]) -> Vec<(usize, usize)> {
    let instances = values.iter().map(Vec::len).max().unwrap_or(0);
    let mut best: Vec<BTreeSet<usize>> = (0..instances)
        .map(|instance| {
            let of = |candidate: usize| values[candidate].get(instance).copied().flatten();
            let top = (0..values.len()).filter_map(of).fold(0.0, f64::max);
            (0..values.len())
                .filter(|&candidate| top > 0.0 && of(candidate) == Some(top))
                .collect()
        })
        .collect();
    let sum = |candidate: usize| values[candidate].iter().flatten().sum::<f64>();
    let mut order: Vec<usize> = (0..values.len()).collect();
    // Among equals the later one goes first: what came early has stood longer.
    order.sort_by(|&a, &b| sum(a).total_cmp(&sum(b)).then(b.cmp(&a)));
    for candidate in order {
        if best
            .iter()
            .all(|front| !front.contains(&candidate) || front.len() > 1)
        {
            for front in &mut best {
                front.remove(&candidate);
            }
        }
    }
    (0..values.len())
        .filter_map(|candidate| {
            let on = best.iter().filter(|front| front.contains(&candidate));
            Some((candidate, on.count())).filter(|(_, count)| *count > 0)
        })
        .collect()
}

/// Candidates that no other is at least as good as in every group and better in one;
/// of equals the first. `points[c][g]`: higher is better.
pub(super) fn group_front(points: &[Vec<f64>]) -> Vec<usize> {
    let dominates = |a: usize, b: usize| {
        let pairs = || points[a].iter().zip(&points[b]);
        pairs().all(|(a, b)| a >= b) && (pairs().any(|(a, b)| a > b) || a < b)
    };
    (0..points.len())
        .filter(|&own| (0..points.len()).all(|other| other == own || !dominates(other, own)))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[&[f64]]) -> Vec<(usize, usize)> {
        let values: Vec<Vec<Option<f64>>> = values
            .iter()
            .map(|row| row.iter().map(|value| Some(*value)).collect())
            .collect();
        instance_front(&values)
    }

    #[test]
    fn instance_front_keeps_specialists() {
        // The third is best nowhere alone; the fourth is never best.
        let front = of(&[
            &[1.0, 1.0, 0.0, 0.0],
            &[0.0, 0.0, 1.0, 1.0],
            &[1.0, 0.0, 0.0, 1.0],
            &[0.0, 0.0, 0.0, 0.0],
        ]);
        assert_eq!(front, [(0, 2), (1, 2)]);
        // Of two that are alike the first stays.
        assert_eq!(of(&[&[1.0, 0.0], &[1.0, 0.0]]), [(0, 1)]);
        assert_eq!(of(&[&[0.0], &[0.0]]), []);
        assert_eq!(instance_front(&[vec![None, Some(0.5)], vec![]]), [(0, 1)]);
    }

    #[test]
    fn group_front_drops_the_dominated() {
        let points = [
            vec![0.8, 0.5],
            vec![0.7, 0.6],
            vec![0.7, 0.5],
            vec![0.8, 0.5],
        ];
        assert_eq!(group_front(&points), [0, 1]);
        assert_eq!(group_front(&[vec![], vec![]]), [0]);
    }

    proptest! {
        #[test]
        fn fronts_cover_what_can_be_reached(
            rows in prop::collection::vec(prop::collection::vec(0_u8..3, 4), 1..7)
        ) {
            let values: Vec<Vec<Option<f64>>> = rows
                .iter()
                .map(|row| row.iter().map(|v| Some(f64::from(*v))).collect())
                .collect();
            let front = instance_front(&values);
            for instance in 0..4 {
                let top = rows.iter().map(|row| row[instance]).max().unwrap();
                let covered = front.iter().any(|(c, _)| rows[*c][instance] == top);
                prop_assert!(top == 0 || covered);
            }
            let points: Vec<Vec<f64>> = rows
                .iter()
                .map(|row| row.iter().map(|v| f64::from(*v)).collect())
                .collect();
            let groups = group_front(&points);
            prop_assert!(!groups.is_empty());
            for (own, point) in points.iter().enumerate() {
                let matched = groups.iter().any(|&other| {
                    points[other].iter().zip(point).all(|(a, b)| a >= b)
                });
                prop_assert!(matched, "{own} is beaten by nothing on the front");
            }
        }
    }
}
