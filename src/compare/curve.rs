//! How the leader of a search rose with the calls spent.

use serde::Serialize;
use shiftproof_search::event::{Event, Origin};

/// The leader's score at a number of calls.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct CurvePoint {
    /// Calls spent by then.
    pub calls: u64,
    /// The objective's value as the search estimated it, on its own examples.
    pub score: f64,
}

/// One run's leader from the first race to the last.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LeaderCurve {
    /// In the order of the run; calls never fall.
    pub points: Vec<CurvePoint>,
    /// The seed prompt's score in the last race that it was in.
    pub seed: Option<f64>,
}

/// Points of a mean curve at most.
const POINTS: usize = 80;

impl LeaderCurve {
    /// Of a run's events.
    pub fn of(events: &[Event]) -> Self {
        let mut curve = Self::default();
        let mut seed_prompt = None;
        for event in events {
            match event {
                Event::Proposed(proposed) if proposed.origin == Origin::Seed => {
                    seed_prompt = Some(proposed.candidate);
                }
                Event::Leading { calls, score, .. } if score.is_finite() => {
                    curve.points.push(CurvePoint {
                        calls: *calls,
                        score: *score,
                    });
                }
                Event::Evaluated {
                    candidate, score, ..
                } if seed_prompt == Some(*candidate) && score.is_finite() => {
                    curve.seed = Some(*score);
                }
                _ => {}
            }
        }
        curve
    }

    /// The leader's last score.
    pub fn last(&self) -> Option<f64> {
        self.points.last().map(|point| point.score)
    }

    /// The score that held at this many calls; none before the first race.
    fn at(&self, calls: u64) -> Option<f64> {
        let after = self.points.partition_point(|point| point.calls <= calls);
        Some(self.points[after.checked_sub(1)?].score)
    }

    /// Calls from which on the leader had this score to the end: a race on few examples
    /// may lift a leader for a moment.
    pub fn reaches(&self, score: f64) -> Option<u64> {
        let below = self.points.iter().rposition(|point| point.score < score);
        let from = below.map_or(0, |last| last + 1);
        self.points.get(from).map(|point| point.calls)
    }
}

/// The mean over runs, from where each of them has a leader. A run that has ended
/// keeps its last.
pub(crate) fn mean(curves: &[&LeaderCurve]) -> Vec<CurvePoint> {
    let curves: Vec<&&LeaderCurve> = curves
        .iter()
        .filter(|curve| !curve.points.is_empty())
        .collect();
    let starts = curves.iter().map(|curve| curve.points[0].calls);
    let Some(start) = starts.max() else {
        return Vec::new();
    };
    let mut steps: Vec<u64> = curves
        .iter()
        .flat_map(|curve| curve.points.iter().map(|point| point.calls))
        .filter(|calls| *calls >= start)
        .collect();
    steps.sort_unstable();
    steps.dedup();
    // The first and the last are always among those that stay.
    let last = steps.len() - 1;
    let kept = last.min(POINTS - 1);
    let thinned = (0..=kept).map(|step| steps[(step * last).checked_div(kept).unwrap_or(0)]);
    thinned
        .map(|calls| {
            let scores = curves.iter().filter_map(|curve| curve.at(calls));
            CurvePoint {
                calls,
                score: scores.sum::<f64>() / curves.len() as f64,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(u64, f64)]) -> LeaderCurve {
        let point = |&(calls, score): &(u64, f64)| CurvePoint { calls, score };
        LeaderCurve {
            points: points.iter().map(point).collect(),
            seed: None,
        }
    }

    #[test]
    fn means_begin_where_all_do() {
        let (a, b) = (
            curve(&[(10, 0.4), (30, 0.6), (50, 0.8)]),
            curve(&[(20, 0.2), (40, 0.4)]),
        );
        let mean = mean(&[&a, &b]);
        let told: Vec<(u64, i64)> = mean
            .iter()
            .map(|point| (point.calls, (point.score * 1000.0).round() as i64))
            .collect();
        assert_eq!(told, [(20, 300), (30, 400), (40, 500), (50, 600)]);
        assert!(super::mean(&[]).is_empty() && super::mean(&[&curve(&[])]).is_empty());
        assert_eq!(super::mean(&[&curve(&[(7, 0.5)])]).len(), 1);
    }

    #[test]
    fn long_curves_keep_their_ends() {
        let points: Vec<(u64, f64)> = (0..1000).map(|n| (n, n as f64)).collect();
        let mean = mean(&[&curve(&points)]);
        assert_eq!(mean.len(), POINTS);
        assert_eq!((mean[0].calls, mean[POINTS - 1].calls), (0, 999));
    }

    #[test]
    fn levels_are_held_to_end() {
        let curve = curve(&[(10, 0.4), (30, 0.7), (50, 0.6)]);
        assert_eq!(curve.reaches(0.55), Some(30));
        assert_eq!(curve.reaches(0.4), Some(10));
        // It had it, and lost it.
        assert_eq!(curve.reaches(0.65), None);
        assert_eq!((curve.at(9), curve.at(35)), (None, Some(0.7)));
    }
}
