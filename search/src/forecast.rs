//! What a batch calibration will learn from, told before the run.

use shiftproof_tasks::Data;

use crate::calibrate::CalibrationSet;
use crate::fit::{FINAL_SHARE, screen_share};
use crate::spec::{SearchMethod, SearchSpec};

/// How many replies a batch calibration can be expected to learn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalibrationForecast {
    /// In a run, of a prompt that reaches the final; about.
    pub search: usize,
    /// Where fixed prompts are scored; exactly.
    pub fixed: usize,
}

impl CalibrationForecast {
    /// What this study's own numbers promise.
    pub fn of(spec: &SearchSpec, data: &Data) -> Self {
        let induced = if spec.method == SearchMethod::Gpo {
            2
        } else {
            1
        };
        let entrants = 1 + induced * spec.proposals + spec.rounds * spec.edits;
        let examples = data.source.validation.len() + data.labelled_target.len();
        let of = |share: f64, prompts: usize| {
            (spec.evaluations as f64 * share / prompts.max(1) as f64) as usize
        };
        let search = of(screen_share(spec.method), entrants) + of(FINAL_SHARE, spec.finalists);
        Self {
            search: search.min(examples),
            fixed: CalibrationSet::of(data).inputs().len(),
        }
    }
}
