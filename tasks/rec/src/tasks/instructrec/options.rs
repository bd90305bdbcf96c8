use serde::Deserialize;
use shiftproof_tasks::Metric;
use shiftproof_tasks::diagnostic::{DataError, DataProblem};

use super::wordings::{InstructRecForm, InstructionTemplate, IntentionKind, PreferenceKind};
use crate::TemplateGrouping;
use crate::tasks::generated;

/// Options of `kind = "instructrec"`. Reads listwise examples and needs a catalogue.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstructRecSpec {
    /// What is asked.
    pub form: InstructRecForm,
    /// Ways to tell what the user likes, each in a template of its own.
    #[serde(default = "all_preferences")]
    pub preference: Vec<PreferenceKind>,
    /// Ways to tell what the user looks for.
    #[serde(default = "all_intentions")]
    pub intention: Vec<IntentionKind>,
    /// Whether every cell has a second wording, for prompts chosen on the first.
    #[serde(default)]
    pub held_out: bool,
    /// How templates form groups.
    #[serde(default)]
    pub groups: TemplateGrouping,
    /// The seed instruction, the same in all templates; the form's own where absent.
    #[serde(default)]
    pub prompt: String,
    /// With `pointwise` and `pairwise`: candidates an example has at most. Each is a call.
    #[serde(default = "most_candidates")]
    pub candidates: usize,
    /// Most titles of the history shown, the latest ones.
    #[serde(default = "generated::window")]
    pub window: usize,
    /// What an item is called. Absent: what the data call it.
    #[serde(default)]
    pub item: Option<String>,
    /// What users do with items: watched, bought, …
    #[serde(default = "generated::action")]
    pub action: String,
    /// `ndcg@K`, `hr@K`, `recall@K`, `precision@K`, `map@K` or `mrr`; `ndcg@10` where absent.
    #[serde(default = "metric")]
    pub metric: Metric,
}

fn all_preferences() -> Vec<PreferenceKind> {
    vec![
        PreferenceKind::None,
        PreferenceKind::Implicit,
        PreferenceKind::Explicit,
    ]
}

fn all_intentions() -> Vec<IntentionKind> {
    vec![
        IntentionKind::None,
        IntentionKind::Vague,
        IntentionKind::Specific,
    ]
}

const fn most_candidates() -> usize {
    20
}

const fn metric() -> Metric {
    Metric::Ndcg(10)
}

impl InstructRecSpec {
    /// The cells asked for: all combinations but the one that tells nothing of anything.
    pub(super) fn templates(&self) -> Vec<InstructionTemplate> {
        let wordings: &[bool] = if self.held_out {
            &[false, true]
        } else {
            &[false]
        };
        let mut templates: Vec<InstructionTemplate> = Vec::new();
        for &preference in &self.preference {
            for &intention in &self.intention {
                for &held_out in wordings {
                    let cell = InstructionTemplate {
                        preference,
                        intention,
                        held_out,
                    };
                    let tells =
                        preference != PreferenceKind::None || intention != IntentionKind::None;
                    if tells && !templates.contains(&cell) {
                        templates.push(cell);
                    }
                }
            }
        }
        templates
    }

    pub(super) fn check(&self) -> Result<(), DataError> {
        let problem = |key: &str, what: &str, mend: &str| {
            Err(DataProblem::new(format!("task.{key}"), what)
                .help(mend)
                .into())
        };
        if self.templates().is_empty() {
            return problem(
                "preference",
                "with this intention no template tells anything of the user",
                "name implicit or explicit, or an intention of vague or specific",
            );
        }
        if self.window == 0 {
            return problem("window", "shows nothing of any history", "use 1 or more");
        }
        if !(2..=100).contains(&self.candidates) {
            return problem(
                "candidates",
                "each candidate is a call of every evaluation",
                "use 2 to 100",
            );
        }
        Ok(())
    }
}
