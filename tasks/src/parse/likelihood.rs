//! Rankings by how likely a model finds each candidate.

use serde::{Deserialize, Serialize};

use crate::{Answer, CandidateScore};

/// What candidates are ordered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateScoring {
    /// Σ ln p: favours short titles.
    Total,
    /// Σ ln p over the number of tokens (`LMRecSys`, Zhang et al. 2021, §3.1).
    #[default]
    Mean,
    /// Σ ln p less the same sum after a content-free context: the pointwise
    /// mutual information of history and title. Takes away what a title gains by
    /// being short or common (the "linguistic bias" of Zhang et al. 2021, §5;
    /// the correction is Holtzman et al. 2021, "Surface Form Competition").
    Corrected,
}

impl CandidateScoring {
    /// What these scores are best read by: corrected where there is a prior.
    pub fn default_for(scores: &[CandidateScore]) -> Self {
        if !scores.is_empty() && scores.iter().all(|score| score.prior.is_some()) {
            Self::Corrected
        } else {
            Self::Mean
        }
    }

    /// One candidate's value; higher ranks first. A prior that is missing counts
    /// as 0.
    pub fn value(self, score: &CandidateScore) -> f64 {
        match self {
            Self::Total => score.logprob,
            Self::Mean => score.logprob / f64::from(score.tokens.max(1)),
            Self::Corrected => score.logprob - score.prior.unwrap_or(0.0),
        }
    }
}

/// All candidates, likeliest first, ties in the order given. `None` if there
/// are none, or the scores are of another number or not numbers.
pub fn rank(
    candidates: &[String],
    scores: &[CandidateScore],
    scoring: CandidateScoring,
) -> Option<Vec<String>> {
    let values: Vec<f64> = scores.iter().map(|score| scoring.value(score)).collect();
    if candidates.is_empty()
        || values.len() != candidates.len()
        || values.iter().any(|value| value.is_nan())
    {
        return None;
    }
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    // Stable, and -0 is 0: ties stay in the order given.
    order.sort_by(|&a, &b| (values[b] + 0.0).total_cmp(&(values[a] + 0.0)));
    Some(
        order
            .into_iter()
            .map(|index| candidates[index].clone())
            .collect(),
    )
}

/// As [`rank`], as an answer.
pub fn answer(
    candidates: &[String],
    scores: &[CandidateScore],
    scoring: CandidateScoring,
) -> Answer {
    rank(candidates, scores, scoring).map_or_else(
        || super::unparseable("the candidates' scores do not fit the candidates"),
        Answer::Ranking,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(logprob: f64, tokens: u32, prior: Option<f64>) -> CandidateScore {
        CandidateScore {
            logprob,
            tokens,
            prior,
        }
    }

    #[test]
    fn scorings_differ_and_keep_ties() {
        let titles = ["Heat", "The Long Goodbye", "Big", "Up"].map(String::from);
        let scores = [
            score(-4.0, 1, Some(-5.0)),
            score(-9.0, 3, Some(-14.0)),
            score(-4.0, 1, Some(-4.0)),
            score(-8.0, 2, Some(-8.0)),
        ];
        let first = |scoring| rank(&titles, &scores, scoring).unwrap();
        assert_eq!(
            first(CandidateScoring::Total),
            ["Heat", "Big", "Up", "The Long Goodbye"]
        );
        assert_eq!(
            first(CandidateScoring::Mean),
            ["The Long Goodbye", "Heat", "Big", "Up"]
        );
        assert_eq!(
            first(CandidateScoring::Corrected),
            ["The Long Goodbye", "Heat", "Big", "Up"]
        );
        assert_eq!(
            CandidateScoring::default_for(&scores),
            CandidateScoring::Corrected
        );
        assert_eq!(
            CandidateScoring::default_for(&[score(-1.0, 1, None)]),
            CandidateScoring::Mean
        );
    }

    #[test]
    fn unfit_scores_rank_nothing() {
        let titles = ["Heat".to_owned()];
        assert_eq!(rank(&titles, &[], CandidateScoring::Mean), None);
        assert_eq!(rank(&[], &[], CandidateScoring::Mean), None);
        assert_eq!(
            rank(&titles, &[score(f64::NAN, 1, None)], CandidateScoring::Mean),
            None
        );
    }
}
