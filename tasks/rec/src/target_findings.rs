//! What there is to know of targets before a run.

use shiftproof_tasks::lint::{LintFinding, LintSeverity};

use super::{NegativeSampling, RecSpec, RepeatPolicy, TieOrder};

/// Targets that their users had met before: what became of them.
pub(super) fn met_before(spec: &RecSpec, repeats: usize, kept: usize) -> Option<LintFinding> {
    let catalogue = spec.candidates.sampling == NegativeSampling::Catalogue;
    let message = match (spec.repeats, catalogue) {
        _ if repeats == 0 => return None,
        (RepeatPolicy::Drop, false) => format!(
            "{repeats} of {} targets are items that their user had met before, among candidates \
             that the user had not: they were left out, for the history gives them away; \
             data.interactions.repeats = \"keep\" keeps them and shows them among others met before",
            repeats + kept
        ),
        (RepeatPolicy::Drop, true) => format!(
            "{repeats} of {} targets are items that their user had met before, and nothing that \
             was met is recommended: they were left out, for no list could hold them; \
             data.interactions.repeats = \"keep\" counts them as missed",
            repeats + kept
        ),
        (RepeatPolicy::Keep, true) => format!(
            "{repeats} of {kept} targets are items that their user had met before, and what the \
             history shows is not recommended: those count as missed, whatever the model says"
        ),
        (RepeatPolicy::Keep, false) => return None,
    };
    Some(LintFinding {
        severity: LintSeverity::Warning,
        code: "repeats",
        message,
        places: Vec::new(),
    })
}

/// Targets that are one of several events of one moment.
pub(super) fn ties(spec: &RecSpec, tied: usize, all: usize) -> Option<LintFinding> {
    let (by, other) = match spec.ties {
        TieOrder::File => (
            "their order in the files",
            "\"item\" takes the order of item ids",
        ),
        TieOrder::Item => (
            "the order of item ids",
            "\"file\" takes the order in the files",
        ),
    };
    (tied > 0).then(|| LintFinding {
        severity: LintSeverity::Info,
        code: "ties",
        message: format!(
            "{tied} of {all} targets share their time with another event of their user's: {by} \
             decides which is to be predicted and which is history; data.interactions.ties = {other}"
        ),
        places: Vec::new(),
    })
}
