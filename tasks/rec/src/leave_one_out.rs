//! Which events become examples, and which events the training part is.

use std::collections::BTreeSet;

use shiftproof_tasks::diagnostic::{DataError, DataProblem};

use super::list_builder::Lists;
use super::seeded::NumberStream;
use super::{
    EventSplit, ExampleForm, HeldOutPart, Interaction, Interactions, NegativeSampling, RecSpec,
    RepeatPolicy, TieOrder,
};

/// One event to be predicted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TargetEvent {
    pub user: u32,
    pub item: u32,
    pub rating: Option<f32>,
    pub time: Option<i64>,
    /// Where the user's events begin, in [`Interactions::events`].
    pub start: usize,
    /// The event itself, in [`Interactions::events`].
    pub at: usize,
    /// Events of the user's before it that a history may show.
    pub before: usize,
}

/// An event that was only shown: an impression without a click.
pub(super) fn only_shown(event: &Interaction) -> bool {
    event.rating == Some(0.0)
}

/// Events of one user's before `aim` that a history may show, oldest first.
/// What was shown at one moment is predicted together, so none of it is history
/// to the rest.
pub(super) fn history<'d>(
    spec: &RecSpec,
    data: &'d Interactions,
    aim: &TargetEvent,
) -> Vec<&'d Interaction> {
    let logged = spec.candidates.sampling == NegativeSampling::Logged;
    data.events[aim.start..aim.at]
        .iter()
        .filter(|event| !only_shown(event))
        .filter(|event| !logged || event.time.is_none() || event.time < aim.time)
        .collect()
}

/// Orders events as the study wants ties broken.
pub(super) fn order(data: &mut Interactions, ties: TieOrder) {
    if ties == TieOrder::File {
        return;
    }
    let items = &data.items;
    let key = |event: &Interaction| {
        let id = items[event.item as usize].id.as_str();
        (id.parse::<u64>().unwrap_or(u64::MAX), id)
    };
    data.events
        .sort_by(|a, b| (a.user, a.time, key(a)).cmp(&(b.user, b.time, key(b))));
}

/// Targets, and what else there is to know of the events.
pub(super) struct TargetEvents {
    pub aims: Vec<TargetEvent>,
    /// For every event whether it is in the training part.
    pub training: Vec<bool>,
    /// Targets whose user had met the item before, where that spoils an example.
    pub repeats: usize,
    /// Targets that share their moment with another event of their user's, so that the
    /// order of ties decides which of the two is to be predicted.
    pub tied: usize,
}

/// Whether a target that was met before spoils its example: drawn candidates are met by
/// nobody, so that it gives itself away; of the catalogue nothing is recommended that was
/// met, so that it is out of reach.
fn spoilt_by_repeats(spec: &RecSpec) -> bool {
    spec.examples == ExampleForm::Listwise
        && matches!(
            spec.candidates.sampling,
            NegativeSampling::Uniform | NegativeSampling::Popularity | NegativeSampling::Catalogue
        )
}

/// Counts one user's targets that were met before, where that spoils examples, and leaves
/// them out where the study does not keep them.
fn take_repeats(spec: &RecSpec, data: &Interactions, own: &mut Vec<TargetEvent>) -> usize {
    if !spoilt_by_repeats(spec) {
        return 0;
    }
    // A model sees titles, so a namesake gives a target away as well.
    let title = |item: u32| data.items[item as usize].title.as_str();
    let is_repeat = |aim: &TargetEvent| {
        let mut met = history(spec, data, aim).into_iter();
        met.any(|event| title(event.item) == title(aim.item))
    };
    let all = own.len();
    match spec.repeats {
        RepeatPolicy::Drop => {
            own.retain(|aim| !is_repeat(aim));
            all - own.len()
        }
        RepeatPolicy::Keep => own.iter().filter(|aim| is_repeat(aim)).count(),
    }
}

/// Whether this target's place among its user's events hangs on the order of ties.
fn is_tied(data: &Interactions, aim: &TargetEvent) -> bool {
    let event = &data.events[aim.at];
    let same = |other: Option<&Interaction>| {
        other.is_some_and(|other| {
            other.user == event.user
                && other.time == event.time
                && other.item != event.item
                && !only_shown(other)
        })
    };
    event.time.is_some()
        && (same(aim.at.checked_sub(1).and_then(|at| data.events.get(at)))
            || same(data.events.get(aim.at + 1)))
}

/// One user's targets: the events at `chosen`, places among the user's own `events`, which
/// begin at `start`. `before`: of each event, how many of them a history may show before it.
fn of_user(
    spec: &RecSpec,
    data: &Interactions,
    (start, events): (usize, &[Interaction]),
    chosen: &[usize],
    before: &[usize],
) -> Vec<TargetEvent> {
    let logged = spec.candidates.sampling == NegativeSampling::Logged;
    let mut moments = BTreeSet::new();
    let mut own: Vec<TargetEvent> = chosen
        .iter()
        // What was shown at one moment is one list.
        .filter(|at| {
            !logged || spec.examples == ExampleForm::Pointwise || moments.insert(events[**at].time)
        })
        .map(|&at| TargetEvent {
            user: events[at].user,
            item: events[at].item,
            rating: events[at].rating,
            time: events[at].time,
            start,
            at: start + at,
            before: before[at],
        })
        .collect();
    for aim in &mut own {
        if logged {
            aim.before = history(spec, data, aim).len();
        }
    }
    own
}

/// Finds the targets. With candidates from a file, users without a line in it are
/// none. `batch`: for every event whether it is one of a day's log; then the targets are
/// of these alone.
pub(super) fn find(
    spec: &RecSpec,
    data: &Interactions,
    lists: &Lists,
    batch: Option<&[bool]>,
) -> Result<TargetEvents, DataError> {
    let mut repeats = 0;
    let split = match batch {
        None => TimeCut::new(spec, data)?,
        Some(_) => TimeCut::default(),
    };
    let logged = spec.candidates.sampling == NegativeSampling::Logged;
    let mut training = vec![true; data.events.len()];
    let mut aims = Vec::new();
    let mut start = 0;
    for events in data.by_user() {
        let eligible: Vec<usize> = (0..events.len())
            .filter(|&at| spec.examples == ExampleForm::Pointwise || !only_shown(&events[at]))
            .filter(|&at| batch.is_none_or(|batch| batch[start + at]))
            .collect();
        let mut before = 0;
        let mut shown_before = Vec::with_capacity(events.len());
        for event in events {
            shown_before.push(before);
            before += usize::from(!only_shown(event));
        }
        let (held_out, chosen) = match batch {
            None => split.choose(spec, events, &eligible, &shown_before),
            Some(_) => of_batch(spec, eligible),
        };
        for at in held_out {
            training[start + at] = false;
        }
        let mut own = of_user(spec, data, (start, events), &chosen, &shown_before);
        own.retain(|aim| aim.before >= spec.min_history);
        repeats += take_repeats(spec, data, &mut own);
        let skip = own
            .len()
            .saturating_sub(spec.per_user.unwrap_or(usize::MAX));
        aims.extend(own.into_iter().skip(skip));
        start += events.len();
    }
    if spec.candidates.sampling == NegativeSampling::File && spec.examples == ExampleForm::Listwise
    {
        aims.retain(|aim| lists.contains_key(&data.users[aim.user as usize].id));
    }
    if let Some(users) = spec.users {
        draw_users(spec, data, users, &mut aims);
    }
    if aims.is_empty() && repeats > 0 {
        return Err(DataProblem::new(
            "data.interactions",
            format!("all {repeats} targets are items that their users had met before"),
        )
        .help("repeats = \"keep\" keeps them and shows them among others met before")
        .into());
    }
    if aims.is_empty() {
        let part = if batch.is_some() {
            "the batch"
        } else {
            "this part"
        };
        return Err(DataProblem::new(
            "data.interactions",
            format!(
                "no event of {part} has {} or more events of its user's before it",
                spec.min_history
            ),
        )
        .help("lower min_history, take another split or part, or list its users in candidates.file")
        .into());
    }
    let tied = match (spec.split, logged) {
        // What is shown at one moment is one list, whatever the order.
        (_, true) => 0,
        _ => aims.iter().filter(|aim| is_tied(data, aim)).count(),
    };
    Ok(TargetEvents {
        aims,
        training,
        repeats,
        tied,
    })
}

/// Keeps the aims of this many users.
fn draw_users(spec: &RecSpec, data: &Interactions, users: usize, aims: &mut Vec<TargetEvent>) {
    let mut drawn: Vec<u32> = aims.iter().map(|aim| aim.user).collect();
    drawn.dedup();
    drawn.sort_by_cached_key(|user| {
        NumberStream::new(spec.seed, "users", &data.users[*user as usize].id).next()
    });
    drawn.truncate(users);
    let drawn: BTreeSet<u32> = drawn.into_iter().collect();
    aims.retain(|aim| drawn.contains(&aim.user));
}

/// Of one user's events in a day's log those that are targets: where the study holds out the
/// last ones of each user, the last ones of the day; else all.
fn of_batch(spec: &RecSpec, eligible: Vec<usize>) -> (Vec<usize>, Vec<usize>) {
    let last = match spec.split {
        EventSplit::LeaveOneOut => 1,
        EventSplit::Ratio => (eligible.len() / 10).max(1),
        EventSplit::Time | EventSplit::Rolling => eligible.len(),
    };
    let from = eligible.len().saturating_sub(last);
    let chosen = eligible[from..].to_vec();
    (eligible, chosen)
}

/// Where time is cut.
#[derive(Default)]
struct TimeCut {
    validation: i64,
    test: i64,
}

impl TimeCut {
    fn new(spec: &RecSpec, data: &Interactions) -> Result<Self, DataError> {
        if spec.split != EventSplit::Time {
            return Ok(Self {
                validation: 0,
                test: 0,
            });
        }
        let mut times: Vec<i64> = data.events.iter().filter_map(|event| event.time).collect();
        times.sort_unstable();
        let at = |tenths: usize| times.get(times.len() * tenths / 10).copied();
        match (at(8), at(9)) {
            (Some(validation), Some(test)) => Ok(Self { validation, test }),
            _ => Err(
                DataProblem::new("data.interactions.split", "the events have no time")
                    .help("set split = \"leave-one-out\", or name the column of the time")
                    .into(),
            ),
        }
    }

    /// Of one user's events: those that are not in the training part, and those
    /// that are targets.
    fn choose(
        &self,
        spec: &RecSpec,
        events: &[Interaction],
        eligible: &[usize],
        before: &[usize],
    ) -> (Vec<usize>, Vec<usize>) {
        match spec.split {
            EventSplit::LeaveOneOut => {
                let from_end = |n: usize| eligible.len().checked_sub(n).map(|at| eligible[at]);
                let chosen: Vec<usize> = match spec.part {
                    HeldOutPart::Test => from_end(1).into_iter().collect(),
                    HeldOutPart::Validation => from_end(2).into_iter().collect(),
                    HeldOutPart::Both => from_end(2).into_iter().chain(from_end(1)).collect(),
                };
                // What follows a target would tell the training part its future.
                let first = chosen.first().copied().unwrap_or(events.len());
                ((first..events.len()).collect(), chosen)
            }
            EventSplit::Time => {
                let begin = match spec.part {
                    HeldOutPart::Test => self.test,
                    HeldOutPart::Validation | HeldOutPart::Both => self.validation,
                };
                let held_out = |at: &usize| events[*at].time.is_some_and(|time| time >= begin);
                let wanted = |at: &usize| {
                    spec.part != HeldOutPart::Validation
                        || events[*at].time.is_some_and(|time| time < self.test)
                };
                (
                    (0..events.len()).filter(held_out).collect(),
                    eligible
                        .iter()
                        .copied()
                        .filter(held_out)
                        .filter(wanted)
                        .collect(),
                )
            }
            EventSplit::Ratio => {
                let tenth = (eligible.len() / 10).max(1);
                let from = |tenths: usize| eligible.len().saturating_sub(tenths * tenth);
                let chosen = match spec.part {
                    HeldOutPart::Test => &eligible[from(1)..],
                    HeldOutPart::Validation => &eligible[from(2)..from(1)],
                    HeldOutPart::Both => &eligible[from(2)..],
                };
                // What follows a target would tell the training part its future.
                let first = chosen.first().copied().unwrap_or(events.len());
                ((first..events.len()).collect(), chosen.to_vec())
            }
            EventSplit::Rolling => {
                let held_out: Vec<usize> = (0..events.len())
                    .filter(|&at| before[at] >= spec.min_history)
                    .collect();
                let chosen = eligible
                    .iter()
                    .copied()
                    .filter(|&at| before[at] >= spec.min_history);
                (held_out, chosen.collect())
            }
        }
    }
}
