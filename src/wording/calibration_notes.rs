//! What calibrated scores rest on, in sentences: a prompt can have other scores
//! in a run's report than where it is scored by itself, and the reader is to
//! know why.

use shiftproof_search::calibrate::{Calibration, CalibrationFit, LEAST_BATCH};
use shiftproof_search::forecast::CalibrationForecast;
use shiftproof_search::methods::SearchMethod;
use shiftproof_search::spec::SearchSpec;
use shiftproof_tasks::{Data, PromptId};

/// Where a calibration was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CalibrationSource {
    /// From the replies of a run's search.
    Search,
    /// From inputs outside the audit.
    Outside,
}

/// What a reader has to know of the calibration of these prompts; `name` calls
/// one.
pub(crate) fn note(
    calibration: Calibration,
    prompts: &[CalibrationFit],
    learnt: CalibrationSource,
    name: impl Fn(PromptId) -> String,
) -> Option<String> {
    if calibration == Calibration::None || prompts.is_empty() {
        return None;
    }
    let key = key(calibration);
    if prompts.iter().all(|prompt| prompt.replies == 0) {
        return Some(format!(
            "{key} did nothing: it acts on scored labels, and no reply carries label scores."
        ));
    }
    if calibration != Calibration::Batch {
        return None;
    }
    let list = |prompts: &mut dyn Iterator<Item = &CalibrationFit>| {
        let each = prompts.map(|p| format!("{} ({})", name(p.candidate), replies(p.replies)));
        each.collect::<Vec<_>>().join(", ")
    };
    let without = list(&mut prompts.iter().filter(|prompt| !prompt.applied));
    if !without.is_empty() {
        let need = format!("{key} did nothing for {without}: it needs {LEAST_BATCH} a prompt.");
        return Some(match learnt {
            CalibrationSource::Search => format!(
                "{need} `eval` and `gate`, which learn it from inputs outside the audit, can show \
                 other scores for the same prompt."
            ),
            CalibrationSource::Outside => format!(
                "{need} More inputs outside the audit (groups.validation, groups.unlabelled) give \
                 it more. `optimize`, which learns it from the replies of its search, can show \
                 other scores for the same prompt."
            ),
        });
    }
    Some(match learnt {
        CalibrationSource::Search => format!(
            "{key} was learnt from each prompt's replies in the search: {}. `eval` and `gate` learn \
             it from inputs outside the audit and can show other scores for the same prompt.",
            list(&mut prompts.iter())
        ),
        CalibrationSource::Outside => format!(
            "{key} was learnt outside the audit, from {} a prompt. `optimize` learns it from the \
             replies of its search and can show other scores for the same prompt.",
            replies(prompts.iter().map(|p| p.replies).min().unwrap_or(0))
        ),
    })
}

/// What can be said before anything is asked.
pub(crate) fn foresee(
    method: &dyn SearchMethod,
    spec: &SearchSpec,
    data: &Data,
    label_scores: bool,
) -> Vec<String> {
    let key = key(spec.calibration);
    if spec.calibration == Calibration::None {
        return Vec::new();
    }
    if !label_scores {
        return vec![format!(
            "{key} will do nothing: it acts on scored labels, and this model gives none."
        )];
    }
    if spec.calibration != Calibration::Batch {
        return Vec::new();
    }
    let forecast = CalibrationForecast::of(method, spec, data);
    let mut notes = Vec::new();
    if forecast.search < LEAST_BATCH {
        notes.push(format!(
            "{key} needs {LEAST_BATCH} replies of a prompt, and a finalist of this search will have \
             about {}: its scores may stay as they are, and `eval` and `gate` show others. More \
             search.evaluations or groups.validation mend it.",
            forecast.search
        ));
    }
    if forecast.fixed < LEAST_BATCH {
        notes.push(format!(
            "{key} needs {LEAST_BATCH} replies of a prompt, and `eval` and `gate` have {} inputs \
             outside the audit to ask about: they will show scores as they are. More \
             groups.validation or groups.unlabelled mend it.",
            forecast.fixed
        ));
    }
    notes
}

const fn key(calibration: Calibration) -> &'static str {
    match calibration {
        Calibration::None => "search.calibration = \"none\"",
        Calibration::Contextual => "search.calibration = \"contextual\"",
        Calibration::Batch => "search.calibration = \"batch\"",
    }
}

fn replies(count: usize) -> String {
    format!("{count} repl{}", if count == 1 { "y" } else { "ies" })
}

#[cfg(test)]
mod tests {
    use shiftproof_tasks::Prompt;

    use super::*;

    fn told(counts: &[usize], learnt: CalibrationSource) -> String {
        let prompts: Vec<CalibrationFit> = counts
            .iter()
            .map(|&replies| CalibrationFit {
                candidate: Prompt::new(replies.to_string()).id(),
                replies,
                applied: replies >= LEAST_BATCH,
            })
            .collect();
        note(Calibration::Batch, &prompts, learnt, |_| "a prompt".into()).unwrap()
    }

    #[test]
    fn calibration_basis_is_stated() {
        let few = told(&[9, 40], CalibrationSource::Search);
        assert!(
            few.contains("did nothing for a prompt (9 replies): it needs 16"),
            "{few}"
        );
        assert!(few.contains("`eval` and `gate`"), "{few}");
        assert!(!few.contains("40"), "{few}");
        let none = told(&[0, 0], CalibrationSource::Outside);
        assert!(none.contains("no reply carries label scores"), "{none}");
        let enough = told(&[40, 64], CalibrationSource::Outside);
        assert!(
            enough.contains("from 40 replies a prompt. `optimize`"),
            "{enough}"
        );
        assert_eq!(
            note(Calibration::None, &[], CalibrationSource::Search, |_| {
                String::new()
            }),
            None
        );
    }
}
