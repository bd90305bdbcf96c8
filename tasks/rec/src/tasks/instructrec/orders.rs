//! One order out of several answers.

use shiftproof_tasks::parse::parse;
use shiftproof_tasks::{Answer, AnswerForm, Reply};

use crate::tasks::pointwise;

/// Two candidates that are compared. The challenger stands first every other time, so that
/// who prefers a place prefers no candidate.
pub(super) struct CandidatePair {
    pub options: Vec<String>,
    challenger: &'static str,
}

impl CandidatePair {
    pub fn new(candidates: &[String], best: usize, challenger: usize) -> Option<Self> {
        let (best, new) = (
            candidates.get(best)?.clone(),
            candidates.get(challenger)?.clone(),
        );
        Some(if challenger.is_multiple_of(2) {
            Self {
                options: vec![new, best],
                challenger: "A",
            }
        } else {
            Self {
                options: vec![best, new],
                challenger: "B",
            }
        })
    }

    pub fn form(&self) -> AnswerForm {
        AnswerForm::MultipleChoice {
            labels: ["A", "B"].map(str::to_owned).to_vec(),
            options: self.options.clone(),
        }
    }

    /// `None` where a reply names neither.
    fn challenger_wins(&self, reply: &Reply) -> Option<bool> {
        match parse(&self.form(), reply) {
            Answer::Class { label, .. } => Some(label == self.challenger),
            _ => None,
        }
    }
}

/// After these comparisons: the best so far, then those that it beat, the last beaten
/// first. `None` after an answer that names neither.
pub(super) fn order(candidates: &[String], replies: &[Reply]) -> Option<Vec<usize>> {
    let mut order = vec![0_usize];
    for (reply, challenger) in replies.iter().zip(1..) {
        let best = *order.first()?;
        let wins = CandidatePair::new(candidates, best, challenger)?.challenger_wins(reply)?;
        order.insert(usize::from(!wins), challenger);
    }
    Some(order)
}

/// Candidates by the margins of yes, equals in the order given; what was not answered
/// suits nobody. `None` where nothing was.
pub(super) fn by_margin(candidates: &[String], replies: &[Reply]) -> Option<Vec<usize>> {
    let margin = |reply: Option<&Reply>| match reply
        .map(|reply| pointwise::parse_pair(pointwise::LABELS, reply))
    {
        Some(Answer::Class { label, margin }) => {
            Some(margin.unwrap_or(if label == "yes" { 1.0 } else { -1.0 }))
        }
        _ => None,
    };
    let margins: Vec<Option<f64>> = (0..candidates.len())
        .map(|at| margin(replies.get(at)))
        .collect();
    margins.iter().any(Option::is_some).then(|| {
        let mut order: Vec<usize> = (0..candidates.len()).collect();
        let value = |at: usize| margins[at].unwrap_or(f64::NEG_INFINITY);
        order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
        order
    })
}
