//! What a run says about its selected prompt, in one sentence.

use super::Summary;
use super::ground::{Ground, listed};

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
    /// Nothing on the target was measured, for no example of it has a label.
    Unverified,
    /// Not known: no audit, or not finished.
    Open,
}

/// The verdict on a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How good the news is.
    pub tone: Tone,
    /// The news, without a full stop.
    pub sentence: String,
}

impl Summary {
    /// Selected against seed on the worst target group of the sealed audit; on
    /// the source's, and saying so, where no target group is audited.
    pub fn verdict(&self) -> Verdict {
        let ground = self.ground();
        let Some(worst) = &self.worst else {
            return self.without_audit(ground);
        };
        let group = match ground {
            Ground::Target => "the worst target group",
            Ground::SomeTargets => "the worst audited target group",
            Ground::SourceOnly | Ground::NoTarget => "the source's audit",
        };
        let (tone, sentence) = if self.selected == self.seed() {
            (
                Tone::NotBetter,
                "no candidate beat the seed prompt; it stays".to_owned(),
            )
        } else if worst.low > 0.0 {
            (Tone::Better, format!("better on {group}, beyond chance"))
        } else if worst.high < 0.0 {
            (
                Tone::Worse,
                format!("WORSE on {group}, beyond chance: keep the seed prompt"),
            )
        } else if worst.value > 0.0 {
            (
                Tone::WithinChance,
                format!("better on {group}, within chance"),
            )
        } else {
            (
                Tone::NotBetter,
                format!("not better on {group}: keep the seed prompt"),
            )
        };
        match ground {
            Ground::Target => Verdict { tone, sentence },
            Ground::SomeTargets => Verdict {
                tone,
                sentence: format!("{sentence}; unverified on {}", listed(&self.unverified)),
            },
            Ground::NoTarget => Verdict {
                tone,
                sentence: format!("{sentence} (there is no target group)"),
            },
            Ground::SourceOnly => Verdict {
                // Bad news of the source is news all the same.
                tone: if tone == Tone::Worse {
                    tone
                } else {
                    Tone::Unverified
                },
                sentence: format!("unverified: nothing on the target was measured; {sentence}"),
            },
        }
    }

    fn without_audit(&self, ground: Ground) -> Verdict {
        let started = self.started.as_ref();
        let planned = started.is_none_or(|started| {
            started.groups.is_empty() || started.groups.iter().any(|group| group.audit > 0)
        });
        let (tone, sentence) = if self.ending.is_none() {
            (Tone::Open, "the run has not finished")
        } else if planned {
            (Tone::Open, "no audit: no budget was left for it")
        } else if ground == Ground::NoTarget {
            (
                Tone::Unverified,
                "unverified: the study has no audit examples, so nothing measured the selected \
                 prompt",
            )
        } else {
            (
                Tone::Unverified,
                "unverified: the study has no audit examples, so nothing on the target was \
                 measured",
            )
        };
        Verdict {
            tone,
            sentence: sentence.to_owned(),
        }
    }
}
