//! What a run says about its selected prompt, in one sentence.

use super::RunSummary;
use super::ground::{AuditGround, listed};

/// How the selected prompt stands against the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictTone {
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
pub struct RunVerdict {
    /// How good the news is.
    pub tone: VerdictTone,
    /// The news, without a full stop.
    pub sentence: String,
}

impl RunSummary {
    /// Selected against seed on the worst target group of the sealed audit; on
    /// the source's, and saying so, where no target group is audited.
    pub fn verdict(&self) -> RunVerdict {
        let ground = self.ground();
        let Some(worst) = &self.worst else {
            return self.without_audit(ground);
        };
        let group = match ground {
            AuditGround::Target => "the worst target group",
            AuditGround::SomeTargets => "the worst audited target group",
            AuditGround::SourceOnly | AuditGround::NoTarget => "the source's audit",
        };
        let (tone, sentence) = if self.selected == self.seed() {
            (
                VerdictTone::NotBetter,
                "no candidate beat the seed prompt; it stays".to_owned(),
            )
        } else if worst.low > 0.0 {
            (
                VerdictTone::Better,
                format!("better on {group}, beyond chance"),
            )
        } else if worst.high < 0.0 {
            (
                VerdictTone::Worse,
                format!("WORSE on {group}, beyond chance: keep the seed prompt"),
            )
        } else if worst.value > 0.0 {
            (
                VerdictTone::WithinChance,
                format!("no difference shown on {group} (ahead, within chance)"),
            )
        } else {
            (
                VerdictTone::NotBetter,
                format!("not better on {group}: keep the seed prompt"),
            )
        };
        match ground {
            AuditGround::Target => RunVerdict { tone, sentence },
            AuditGround::SomeTargets => RunVerdict {
                tone,
                sentence: format!("{sentence}; unverified on {}", listed(&self.unverified)),
            },
            AuditGround::NoTarget => RunVerdict {
                tone,
                sentence: format!("{sentence} (there is no target group)"),
            },
            AuditGround::SourceOnly => RunVerdict {
                // Bad news of the source is news all the same.
                tone: if tone == VerdictTone::Worse {
                    tone
                } else {
                    VerdictTone::Unverified
                },
                sentence: format!("unverified: nothing on the target was measured; {sentence}"),
            },
        }
    }

    fn without_audit(&self, ground: AuditGround) -> RunVerdict {
        let started = self.started.as_ref();
        let planned = started.is_none_or(|started| {
            started.groups.is_empty() || started.groups.iter().any(|group| group.audit > 0)
        });
        let (tone, sentence) = if self.ending.is_none() {
            (VerdictTone::Open, "the run has not finished")
        } else if planned {
            (VerdictTone::Open, "no audit: no budget was left for it")
        } else if ground == AuditGround::NoTarget {
            (
                VerdictTone::Unverified,
                "unverified: the study has no audit examples, so nothing measured the selected \
                 prompt",
            )
        } else {
            (
                VerdictTone::Unverified,
                "unverified: the study has no audit examples, so nothing on the target was \
                 measured",
            )
        };
        RunVerdict {
            tone,
            sentence: sentence.to_owned(),
        }
    }
}
