//! What a judge is worth, and scores as the person would have given them.

use serde::{Deserialize, Serialize};

use super::words::AuditedPrompt;
use crate::stats::{Agreement, Interval, ppi};

/// Confidence of the intervals.
const CONFIDENCE: f64 = 0.95;

/// A judge beside the person who graded its calibration table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JudgeStanding {
    /// Answers that the person graded; 0 where the judge was compared with nobody.
    pub graded: usize,
    /// Of those, answers that the judge gave no grade. What is neither graded by both nor
    /// counted here the budget left out.
    pub ungraded: usize,
    /// How far the two agree; `None` where no answer has both grades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
    /// The kappa that a bar for its scores asks for, in `0..=1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_agreement: Option<f64>,
}

impl JudgeStanding {
    /// Whether its scores may be held against a bar.
    pub fn is_bar(&self) -> bool {
        let kappa = self.agreement.and_then(|agreement| agreement.kappa);
        self.min_agreement
            .is_none_or(|least| kappa.is_some_and(|kappa| kappa >= least))
    }
}

/// One contestant's audited scores as the person would have given them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorrectedScores {
    /// Who.
    pub contestant: AuditedPrompt,
    /// The groups with a score.
    pub groups: Vec<CorrectedScore>,
}

/// A group's score as the person would have given it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorrectedScore {
    /// The group.
    pub group: String,
    /// What the judge gave, in `0..=1`.
    pub judged: f64,
    /// The estimate of PPI++.
    pub estimate: f64,
    /// Its 95% interval; may reach beyond 0 and 1.
    pub interval: Interval,
    /// How much weight the judge's grades have in it: 0 is the person's mean alone.
    pub weight: f64,
}

impl CorrectedScore {
    /// The score of a group whose answers the judge gave these grades; `pairs`: the
    /// person's grade and the judge's of other answers. `None` without a grade, or with
    /// fewer than two pairs.
    pub fn of(group: &str, judged: &[f64], pairs: &[(f64, f64)]) -> Option<Self> {
        let estimate = ppi(pairs, judged, CONFIDENCE).filter(|_| !judged.is_empty())?;
        Some(Self {
            group: group.to_owned(),
            judged: judged.iter().sum::<f64>() / judged.len() as f64,
            estimate: estimate.estimate,
            interval: estimate.interval,
            weight: estimate.weight,
        })
    }
}
