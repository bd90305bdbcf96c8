//! Errors of numbers.

use super::GradedOutcome;
use crate::{Answer, Label, Outcome};

/// The absolute error of every answer that counts; `None` where there is none or
/// an answer or label is no number. An unparseable answer errs as far as any answer
/// to that example could, to the farther end of the scale, or by the spread of the
/// labels where there is no scale; at least by 1, so that evading never pays.
pub(super) fn errors(observations: &[GradedOutcome<'_>]) -> Option<Vec<f64>> {
    let mut errors = Vec::with_capacity(observations.len());
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut evaded = Vec::new();
    for observation in observations {
        let Label::Number(truth) = observation.label else {
            return None;
        };
        low = low.min(*truth);
        high = high.max(*truth);
        match observation.outcome {
            Outcome::Truncated { .. } | Outcome::Failed { .. } => {}
            Outcome::Unparseable { .. } => evaded.push((*truth, observation.range)),
            Outcome::Scored(scored) => match &scored.answer {
                Answer::Number(said) => errors.push((said - truth).abs()),
                _ => return None,
            },
        }
    }
    errors.extend(evaded.into_iter().map(|(truth, range)| {
        let farthest = range.map_or(high - low, |(min, max)| (max - truth).max(truth - min));
        farthest.max(1.0)
    }));
    (!errors.is_empty()).then_some(errors)
}

pub(super) fn mae(errors: &[f64]) -> f64 {
    errors.iter().sum::<f64>() / errors.len() as f64
}

pub(super) fn rmse(errors: &[f64]) -> f64 {
    (errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64).sqrt()
}

/// An error as a score in `0..=1`, higher is better.
pub(super) fn score(error: f64) -> f64 {
    1.0 / (1.0 + error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GradedAnswer, Metric};

    #[test]
    fn errors_become_scores_and_back() {
        let said = |number| {
            Outcome::Scored(GradedAnswer {
                value: 0.0,
                answer: Answer::Number(number),
            })
        };
        let evaded = Outcome::Unparseable { text: "?".into() };
        let failed = Outcome::Failed { reason: "x".into() };
        let labels = [5.0, 1.0, 3.0, 4.0].map(Label::Number);
        let outcomes = [said(4.0), said(4.0), evaded, failed];
        let observations: Vec<GradedOutcome<'_>> = outcomes
            .iter()
            .zip(&labels)
            .map(|(outcome, label)| GradedOutcome::new(outcome, label))
            .collect();
        // 1, 3 and, for the evasion, the spread 4.
        let mae = Metric::Mae.reduce(&observations).value.unwrap();
        assert!((Metric::Mae.error(mae).unwrap() - 8.0 / 3.0).abs() < 1e-12);
        let rmse = Metric::Rmse.reduce(&observations).value.unwrap();
        assert!((Metric::Rmse.error(rmse).unwrap() - (26.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(Metric::Auc.error(0.5), None);
        assert_eq!(Metric::Mae.reduce(&observations[3..]).value, None);
    }

    /// On a scale of 1 to 5 with truths of 2 and 3 an evasion costs 3 and 2: what 5 would
    /// cost, the worst answer there is, and not the spread of the truths, 1.
    #[test]
    fn evasion_costs_as_much_as_the_worst_answer() {
        let said = |number| {
            Outcome::Scored(GradedAnswer {
                value: 0.0,
                answer: Answer::Number(number),
            })
        };
        let labels = [2.0, 3.0].map(Label::Number);
        let error = |outcomes: [Outcome; 2], metric: Metric| {
            let observations: Vec<GradedOutcome<'_>> = outcomes
                .iter()
                .zip(&labels)
                .map(|(outcome, label)| GradedOutcome {
                    range: Some((1.0, 5.0)),
                    ..GradedOutcome::new(outcome, label)
                })
                .collect();
            metric
                .error(metric.reduce(&observations).value.unwrap())
                .unwrap()
        };
        let evaded = || Outcome::Unparseable { text: "?".into() };
        let mae = error([evaded(), evaded()], Metric::Mae);
        assert!((mae - 2.5).abs() < 1e-12, "{mae}");
        let rmse = error([evaded(), evaded()], Metric::Rmse);
        assert!((rmse - 6.5_f64.sqrt()).abs() < 1e-12, "{rmse}");
        for answers in [[1.0, 1.0], [5.0, 5.0], [1.0, 5.0], [4.0, 2.0]] {
            for metric in [Metric::Mae, Metric::Rmse] {
                let answered = error(answers.map(said), metric);
                let evades = error([evaded(), evaded()], metric);
                assert!(answered <= evades + 1e-12, "{answers:?} {metric}");
            }
        }
    }
}
