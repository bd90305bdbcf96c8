//! The whole comparison, and what is said of it in every form.

use serde::Serialize;

use super::rows::MethodRow;
use super::study::StudyComparison;

/// Methods over random seeds and studies.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MethodComparison {
    /// The version of this form; it goes up when a field changes its meaning.
    pub format: u32,
    /// The random seeds.
    pub seeds: Vec<u64>,
    /// Whether generic prompts entered every search.
    pub library: bool,
    /// Study by study.
    pub studies: Vec<StudyComparison>,
}

/// What a reader has to know of every table, in sentences.
pub(super) const HOW_TO_READ: &str = "Points of a hundred on the sealed audit: means over random \
     seeds ± standard deviation. Differences are paired on the same examples; brackets are 95% \
     intervals over random seeds and examples.";

/// Said beneath every comparison.
pub(super) const AUDIT_USED: &str = "Every run opened the audit. Whoever picks a method or a prompt \
     by this table picks by the audit: confirm it on fresh examples (`shiftproof gate`).";

/// What a column counts.
pub(super) const BELOW_SEED: &str = "Below seed: runs whose selected prompt scores less than the \
     seed prompt on the mean of the groups (in brackets: on at least one of them).";

impl MethodComparison {
    /// Whether there is any score to read.
    pub(super) fn has_scores(&self) -> bool {
        self.studies.iter().any(StudyComparison::has_scores)
    }
}

impl StudyComparison {
    /// Whether any cell finished.
    pub(super) fn has_scores(&self) -> bool {
        self.rows.iter().any(|row| row.finished > 0)
    }

    /// What the mean over the judged groups is called.
    pub(super) fn mean_name(&self) -> &'static str {
        if self.worst_name == "worst target" {
            "mean target"
        } else {
            "mean source"
        }
    }

    /// Who the best other method is, in a sentence; none with fewer than two methods.
    pub(super) fn best_others(&self) -> Option<String> {
        let other = |row: &MethodRow| Some(row.over_other.as_ref()?.method.clone());
        let mut told: Vec<(String, Vec<&str>)> = Vec::new();
        for row in &self.rows {
            let Some(best) = other(row) else { continue };
            match told.iter_mut().find(|(name, _)| *name == best) {
                Some((_, rows)) => rows.push(&row.method),
                None => told.push((best, vec![&row.method])),
            }
        }
        told.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.len()));
        let pieces: Vec<String> = told
            .iter()
            .map(|(best, rows)| format!("{best} for {}", rows.join(", ")))
            .collect();
        (!pieces.is_empty()).then(|| {
            format!(
                "The best other method by the {} group: {}.",
                self.worst_name,
                pieces.join("; ")
            )
        })
    }

    /// What the level is, in a sentence.
    pub(super) fn level_told(&self) -> Option<String> {
        let level = self.level?;
        Some(format!(
            "The level is {:.1}: the seed prompt's score and half of the best method's gain, as \
             the searches estimate them on their own examples, not on the audit.",
            level * 100.0
        ))
    }
}
