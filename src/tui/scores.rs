//! How prompts do in races: on the source and on the target apart, true labels and voted
//! ones apart.

use shiftproof_search::event::{GroupOutcome, GroupRole, Phase};

use crate::report::worst;

/// The leader at one moment of a race.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeaderPoint {
    /// Calls the run had spent.
    pub calls: u64,
    /// The phase.
    pub phase: Phase,
    /// How it does.
    pub scores: RaceScores,
}

/// How a prompt does in a race: on the source and on the target apart.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RaceScores {
    /// Unweighted mean over source groups.
    pub source: Option<ValueBand>,
    /// The worst target group by true labels.
    pub target: Option<ValueBand>,
    /// The worst target group by voted labels, which do not compare with true ones.
    pub voted: Option<ValueBand>,
}

impl RaceScores {
    /// Of these groups.
    pub fn of(groups: &[GroupOutcome]) -> Self {
        let of = |keep: fn(&GroupOutcome) -> bool| {
            let kept = groups.iter().filter(|group| keep(group));
            kept.cloned().collect::<Vec<GroupOutcome>>()
        };
        let lowest = |groups: &[GroupOutcome]| worst(groups).and_then(ValueBand::of);
        Self {
            source: ValueBand::mean(&of(|group| group.role == GroupRole::Source)),
            target: lowest(&of(|group| group.role == GroupRole::Target && !group.voted)),
            voted: lowest(&of(|group| group.role == GroupRole::Target && group.voted)),
        }
    }
}

/// A value with its 95% interval, in `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueBand {
    /// The value.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl ValueBand {
    /// One group's score; `None` where it has no value.
    pub fn of(group: &GroupOutcome) -> Option<Self> {
        Some(Self {
            value: group.value?,
            low: group.low?,
            high: group.high?,
        })
    }

    /// The unweighted mean of groups with true labels. They are independent samples, so the
    /// half-widths of their intervals add up in squares.
    pub fn mean(groups: &[GroupOutcome]) -> Option<Self> {
        let known = groups.iter().filter(|group| !group.voted);
        let bands: Vec<Self> = known.filter_map(Self::of).collect();
        let count = bands.len() as f64;
        if bands.is_empty() {
            return None;
        }
        let value = bands.iter().map(|band| band.value).sum::<f64>() / count;
        let below = bands.iter().map(|band| (band.value - band.low).powi(2));
        let above = bands.iter().map(|band| (band.high - band.value).powi(2));
        Some(Self {
            value,
            low: (value - below.sum::<f64>().sqrt() / count).max(0.0),
            high: (value + above.sum::<f64>().sqrt() / count).min(1.0),
        })
    }
}
