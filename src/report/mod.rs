//! What a run came to: one fold of its events, and the forms it is shown in.

mod text;

pub(crate) use text::{grouped, score};

use std::collections::BTreeMap;

use serde::Serialize;
use shiftproof_search::budget::Spend;
use shiftproof_search::event::{
    Contestant, Difference, Ending, Event, GroupRole, GroupScore, Origin, Phase, Started, Voted,
};
use shiftproof_tasks::{Prompt, PromptId};

/// The state of a run after some of its events. Holds no clock time: the same
/// events give the same summary, byte for byte.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// How the run began.
    pub started: Option<Started>,
    /// The phase under way.
    pub phase: Option<Phase>,
    /// All candidates by id.
    pub candidates: BTreeMap<PromptId, Standing>,
    /// Texts thrown away: rule and count.
    pub discarded: BTreeMap<String, u64>,
    /// The vote over target inputs.
    pub voted: Option<Voted>,
    /// The chosen prompt.
    pub selected: Option<PromptId>,
    /// Why it was chosen.
    pub reason: Option<String>,
    /// The prompts of the ensemble.
    pub ensemble: Vec<PromptId>,
    /// Audited scores of each contestant.
    pub audited: Vec<Audited>,
    /// Selected − seed per group.
    pub compared: Vec<Difference>,
    /// Selected − seed for the worst target group.
    pub worst: Option<Difference>,
    /// How the run ended.
    pub ending: Option<Ending>,
    /// Everything spent.
    pub spent: Option<Spend>,
    /// Labels of target examples read before the audit.
    pub target_labels_read: u64,
    /// Labels read by the audit.
    pub audit_labels_read: u64,
}

/// A candidate as it stands.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// The prompt.
    pub prompt: Prompt,
    /// How it came about.
    pub origin: Origin,
    /// What it was made from.
    pub parents: Vec<PromptId>,
    /// The objective's latest value.
    pub score: Option<f64>,
    /// Its latest scores per group.
    pub groups: Vec<GroupScore>,
    /// Whether it is in the race.
    pub kept: bool,
    /// Why it stayed or left.
    pub reason: Option<String>,
}

/// One contestant's audited scores.
#[derive(Debug, Clone, Serialize)]
pub struct Audited {
    /// Who.
    pub contestant: Contestant,
    /// Per group, in the study's order.
    pub groups: Vec<GroupScore>,
}

impl Summary {
    /// The summary of a run's events.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut summary = Self::default();
        for event in events {
            summary.apply(event);
        }
        summary
    }

    /// Takes one more event in.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Started(started) => self.started = Some(started.clone()),
            Event::Phase { phase, .. } => self.phase = Some(*phase),
            Event::Proposed(proposed) => {
                self.candidates.insert(
                    proposed.candidate,
                    Standing {
                        prompt: proposed.prompt.clone(),
                        origin: proposed.origin,
                        parents: proposed.parents.clone(),
                        score: None,
                        groups: Vec::new(),
                        kept: true,
                        reason: None,
                    },
                );
            }
            Event::Discarded { reason, count, .. } => {
                *self.discarded.entry(reason.clone()).or_default() += count;
            }
            Event::Evaluated {
                candidate,
                score,
                groups,
                ..
            } => {
                if let Some(standing) = self.candidates.get_mut(candidate) {
                    standing.score = Some(*score);
                    standing.groups.clone_from(groups);
                }
            }
            // What was answered, and who led on the way, is for screens.
            Event::Inputs { .. } | Event::Answered { .. } | Event::Leading { .. } => {}
            Event::Voted(voted) => self.voted = Some(voted.clone()),
            Event::Decided {
                candidate,
                kept,
                reason,
            } => {
                if let Some(standing) = self.candidates.get_mut(candidate) {
                    standing.kept = *kept;
                    standing.reason = Some(reason.clone());
                }
            }
            Event::Selected {
                candidate,
                reason,
                ensemble,
            } => {
                self.selected = Some(*candidate);
                self.reason = Some(reason.clone());
                self.ensemble.clone_from(ensemble);
            }
            Event::Audited { contestant, groups } => {
                self.audited.push(Audited {
                    contestant: *contestant,
                    groups: groups.clone(),
                });
            }
            Event::Compared { groups, worst } => {
                self.compared.clone_from(groups);
                self.worst = Some(worst.clone());
            }
            Event::Finished {
                ending,
                spent,
                target_labels_read,
                audit_labels_read,
            } => {
                self.ending = Some(*ending);
                self.spent = Some(*spent);
                self.target_labels_read = *target_labels_read;
                self.audit_labels_read = *audit_labels_read;
            }
        }
    }

    /// The selected prompt.
    pub fn selected_prompt(&self) -> Option<&Prompt> {
        Some(&self.candidates.get(&self.selected?)?.prompt)
    }

    /// The audited scores of one contestant.
    pub fn audited(&self, contestant: Contestant) -> Option<&[GroupScore]> {
        let audited = self
            .audited
            .iter()
            .find(|audited| audited.contestant == contestant)?;
        Some(&audited.groups)
    }

    /// The id of the seed prompt.
    pub fn seed(&self) -> Option<PromptId> {
        let seed = self
            .candidates
            .iter()
            .find(|(_, c)| c.origin == Origin::Seed)?;
        Some(*seed.0)
    }

    /// The candidate that leads: the selected one, else the best score.
    pub fn leader(&self) -> Option<&Standing> {
        match self.selected {
            Some(selected) => self.candidates.get(&selected),
            None => self
                .candidates
                .values()
                .filter(|standing| standing.kept && standing.score.is_some())
                .max_by(|a, b| {
                    a.score
                        .partial_cmp(&b.score)
                        .unwrap_or(std::cmp::Ordering::Equal)
                }),
        }
    }
}

/// The worst target group, or the worst of all groups where there is no target.
pub fn worst(groups: &[GroupScore]) -> Option<&GroupScore> {
    let any_target = groups.iter().any(|group| group.role == GroupRole::Target);
    groups
        .iter()
        .filter(|group| group.value.is_some())
        .filter(|group| !any_target || group.role == GroupRole::Target)
        .min_by(|a, b| {
            a.value
                .partial_cmp(&b.value)
                .unwrap_or(std::cmp::Ordering::Equal)
        })
}
