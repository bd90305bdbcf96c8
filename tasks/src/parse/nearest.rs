//! Rankings by distance in an embedding space.

use crate::Answer;

/// All candidates, nearest first, ties in the order given. `None` if there are
/// none, or the distances are of another number or not numbers.
pub fn rank<D: Copy + Into<f64>>(candidates: &[String], distances: &[D]) -> Option<Vec<String>> {
    let values: Vec<f64> = distances.iter().map(|&distance| distance.into()).collect();
    if candidates.is_empty()
        || values.len() != candidates.len()
        || values.iter().any(|value| value.is_nan())
    {
        return None;
    }
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    // Stable, and -0 is 0: ties stay in the order given.
    order.sort_by(|&a, &b| (values[a] + 0.0).total_cmp(&(values[b] + 0.0)));
    Some(
        order
            .into_iter()
            .map(|index| candidates[index].clone())
            .collect(),
    )
}

/// As [`rank`], as an answer.
pub fn answer<D: Copy + Into<f64>>(candidates: &[String], distances: &[D]) -> Answer {
    rank(candidates, distances).map_or_else(
        || super::unparseable("the distances do not fit the candidates"),
        Answer::Ranking,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_comes_first() {
        let titles = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(
            rank(&titles, &[2.0_f32, 0.5, 2.0]).unwrap(),
            ["b", "a", "c"]
        );
        assert_eq!(rank(&titles, &[0.0, 1.0]), None);
        assert_eq!(rank(&titles, &[0.0, f64::NAN, 1.0]), None);
        assert_eq!(rank::<f64>(&[], &[]), None);
        assert_eq!(answer(&titles, &[1.0_f64]).vote(), None);
    }
}
