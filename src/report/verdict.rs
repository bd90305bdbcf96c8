//! What a run says about its selected prompt, in one sentence.

use super::Summary;

/// How the selected prompt stands against the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Better on the worst target group, beyond chance.
    Better,
    /// Better, within chance.
    WithinChance,
    /// Not better, or the seed itself.
    NotBetter,
    /// Worse beyond chance.
    Worse,
    /// Not known: no audit, or not finished.
    Open,
}

/// The verdict on a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How good the news is.
    pub tone: Tone,
    /// The news, without a full stop.
    pub sentence: &'static str,
}

impl Summary {
    /// Selected against seed on the worst target group of the sealed audit.
    pub fn verdict(&self) -> Verdict {
        let (tone, sentence) = match &self.worst {
            None if self.ending.is_none() => (Tone::Open, "the run has not finished"),
            None => (
                Tone::Open,
                "no audit: the study has no audit examples, or no budget was left",
            ),
            Some(_) if self.selected == self.seed() => (
                Tone::NotBetter,
                "no candidate beat the seed prompt; it stays",
            ),
            Some(worst) if worst.low > 0.0 => (
                Tone::Better,
                "better on the worst target group, beyond chance",
            ),
            Some(worst) if worst.high < 0.0 => (
                Tone::Worse,
                "WORSE on the worst target group, beyond chance: keep the seed prompt",
            ),
            Some(worst) if worst.value > 0.0 => (
                Tone::WithinChance,
                "better on the worst target group, within chance",
            ),
            Some(_) => (
                Tone::NotBetter,
                "not better on the worst target group: keep the seed prompt",
            ),
        };
        Verdict { tone, sentence }
    }
}
