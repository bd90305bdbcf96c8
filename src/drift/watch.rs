//! What the days so far say of each group.

use std::collections::BTreeSet;

use serde::Serialize;
use shiftproof_search::event::{GroupInfo, GroupRole};
use shiftproof_search::stats::{
    OutcomeCount, likely_change, ln_change, ln_decline, ln_shares, mean_sequence,
};

use super::state::{DayRecord, GroupCount, ReferenceRecord};

/// Kinds of alarm that share the stated chance of a false one.
const KINDS: f64 = 2.0;

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AlarmKind {
    /// The score fell.
    Fall,
    /// The shares of answers moved.
    Shares,
}

impl AlarmKind {
    /// How a day remembers it.
    pub fn mark(self, group: &str) -> String {
        let word = match self {
            Self::Fall => "fall",
            Self::Shares => "shares",
        };
        format!("{word}:{group}")
    }
}

/// Evidence that something has changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct ChangeEvidence {
    /// The capital of a wager against "no change" now, from 1; what it passes with chance
    /// 1/x at most if nothing changes, however often it is looked at.
    pub capital: f64,
    /// Where it is an alarm.
    pub bar: f64,
    /// Whether it has passed the bar on any day.
    pub alarm: bool,
    /// The batch from which on there most likely is a change; of an alarm alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// One group as the days so far show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct GroupWatch {
    /// The group.
    pub group: String,
    /// Whether it is a target.
    pub is_target: bool,
    /// Rows so far.
    pub rows: usize,
    /// Labels so far that were not picked.
    pub labels: usize,
    /// The score it had when the prompt was committed, with its number of labels.
    pub reference: Option<(f64, usize)>,
    /// The score of the last batch, with its number of labels.
    pub last: Option<(f64, usize)>,
    /// The score of all batches, with an interval that holds at all times at once.
    pub score: Option<[f64; 3]>,
    /// Evidence that the score fell.
    pub fall: ChangeEvidence,
    /// Evidence that the answers' shares moved.
    pub shares: ChangeEvidence,
    /// The class whose share moved most: its name, the share it had and the one it has
    /// since; of an alarm alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<(String, f64, f64)>,
}

impl GroupWatch {
    /// Its alarms as a day remembers them.
    pub fn marks(&self) -> impl Iterator<Item = String> {
        let kinds = [
            (AlarmKind::Fall, self.fall.alarm),
            (AlarmKind::Shares, self.shares.alarm),
        ];
        let own = kinds.into_iter().filter(|(_, alarm)| *alarm);
        own.map(|(kind, _)| kind.mark(&self.group))
    }

    /// Whether there is an alarm of any kind.
    pub fn alarms(&self) -> bool {
        self.fall.alarm || self.shares.alarm
    }
}

/// Watches every group of the study. α is shared evenly among the groups and the two
/// kinds of alarm.
pub(crate) fn watch(
    groups: &[GroupInfo],
    reference: &ReferenceRecord,
    days: &[DayRecord],
) -> Vec<GroupWatch> {
    let bar = KINDS * groups.len().max(1) as f64 / reference.alpha;
    groups
        .iter()
        .map(|group| of_group(group, reference, days, bar))
        .collect()
}

fn of_group(
    group: &GroupInfo,
    reference: &ReferenceRecord,
    days: &[DayRecord],
    bar: f64,
) -> GroupWatch {
    let nothing = GroupCount::default();
    let of = reference.groups.get(&group.name).unwrap_or(&nothing);
    let own: Vec<&GroupCount> = days
        .iter()
        .map(|day| day.groups.get(&group.name).unwrap_or(&nothing))
        .collect();
    let names: Vec<&str> = days.iter().map(|day| day.batch.as_str()).collect();
    let all = total(&own);
    let told = |kind: AlarmKind| {
        let mark = kind.mark(&group.name);
        days.iter().any(|day| day.alarms.contains(&mark))
    };
    let fall = change(&names, bar, told(AlarmKind::Fall), |from| {
        ln_decline(of.outcomes(), total(&own[from..]), reference.tolerance)
    });
    let classes: BTreeSet<&str> = own
        .iter()
        .copied()
        .chain([of])
        .flat_map(|count| count.classes.keys().map(String::as_str))
        .collect();
    let counts = |part: &[&GroupCount]| -> Vec<f64> {
        let sum = |class: &&str| part.iter().filter_map(|g| g.classes.get(*class)).sum();
        classes.iter().map(sum).collect()
    };
    let base = counts(&[of]);
    let shares = change(&names, bar, told(AlarmKind::Shares), |from| {
        ln_shares(&base, &counts(&own[from..]))
    });
    let from = shares
        .since
        .as_ref()
        .and_then(|since| names.iter().position(|name| name == since));
    let moved = from.and_then(|from| {
        let now = counts(&own[from..]);
        let share = |counts: &[f64], at: usize| counts[at] / counts.iter().sum::<f64>();
        let pairs = classes.iter().enumerate();
        pairs
            .map(|(at, class)| ((*class).to_owned(), share(&base, at), share(&now, at)))
            .max_by(|a, b| (a.2 - a.1).abs().total_cmp(&(b.2 - b.1).abs()))
    });
    let shown = |count: &GroupCount| Some((count.score()?, count.labels.round() as usize));
    GroupWatch {
        group: group.name.clone(),
        is_target: group.role == GroupRole::Target,
        rows: own.iter().map(|count| count.rows).sum(),
        labels: all.n.round() as usize,
        reference: shown(of),
        last: own.last().copied().and_then(shown),
        score: (all.n > 0.0).then(|| {
            let interval = mean_sequence(all, reference.alpha);
            [all.mean(), interval.low, interval.high]
        }),
        fall,
        shares,
        moved,
    }
}

/// Evidence by all that is known now; an alarm that was `told` stays one until another
/// prompt is in use. Earlier days are not looked at anew: labels that came later were not
/// there to be judged by.
fn change(days: &[&str], bar: f64, told: bool, capital: impl Fn(usize) -> f64) -> ChangeEvidence {
    let now = ln_change(days.len(), &capital);
    let alarm = told || now >= bar.ln();
    let since = likely_change(days.len(), &capital);
    ChangeEvidence {
        capital: now.exp(),
        bar,
        alarm,
        since: since.filter(|_| alarm).map(|from| days[from].to_owned()),
    }
}

fn total(counts: &[&GroupCount]) -> OutcomeCount {
    counts
        .iter()
        .fold(OutcomeCount::default(), |sum, count| OutcomeCount {
            total: sum.total + count.right,
            n: sum.n + count.labels,
        })
}
