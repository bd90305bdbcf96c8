//! What a batch calibration will learn from, told before the run.

use shiftproof_tasks::Data;

use crate::calibrate::CalibrationSet;
use crate::methods::{DataCounts, SearchMethod};
use crate::spec::SearchSpec;

/// How many replies a batch calibration can be expected to learn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalibrationForecast {
    /// In a run, of a prompt that reaches the final; about.
    pub search: usize,
    /// Where fixed prompts are scored; exactly.
    pub fixed: usize,
}

impl CalibrationForecast {
    /// What the study's own numbers promise where `method` searches.
    pub fn of(method: &dyn SearchMethod, spec: &SearchSpec, data: &Data) -> Self {
        let planned = method.plan(spec, &DataCounts::of(data));
        let examples = data.source.validation.len() + data.labelled_target.len();
        let of = |share: f64, prompts: usize| {
            (spec.evaluations as f64 * share / prompts.max(1) as f64) as usize
        };
        let first = planned.first_scoring().map_or(0.0, |(step, _)| step.share);
        let search = of(first, 1 + planned.prompts()) + of(planned.final_share, spec.finalists);
        Self {
            search: search.min(examples),
            fixed: CalibrationSet::of(data).inputs().len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::{Ape, Edits};
    use crate::simulate::SimulatedWorld;

    fn forecast(spec: &SearchSpec, examples: usize) -> CalibrationForecast {
        CalibrationForecast::of(&Ape, spec, &SimulatedWorld::new(1, 0.0).data(examples).0)
    }

    #[test]
    fn forecast_counts_both_races() {
        let spec = SearchSpec {
            proposals: 10,
            edits: 0,
            paraphrases: 0,
            evaluations: 1000,
            finalists: 5,
            ..SearchSpec::default()
        };
        // Of 550 evaluations for eleven prompts, and of 250 for five.
        let told = forecast(&spec, 400);
        assert_eq!((told.search, told.fixed), (50 + 50, 32 + 32));
        // No prompt is asked about more than there is.
        assert_eq!(
            forecast(&spec, 30),
            CalibrationForecast {
                search: 30,
                fixed: 60
            }
        );
        let poor = SearchSpec {
            evaluations: 10,
            ..spec.clone()
        };
        assert_eq!(forecast(&poor, 400).search, 0);
        let data = SimulatedWorld::new(1, 0.0).data(400).0;
        assert_eq!(CalibrationForecast::of(&Edits, &spec, &data), told);
    }
}
