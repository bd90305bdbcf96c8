//! What the screens show: a fold of a run's events and its latest sign of life.
//!
//! The same events give the same state, whether they come from a run of this
//! process, from the log of another, or from a recording. Nothing here reads a
//! clock: times come in as arguments. Texts are kept up to a bound, numbers
//! without one, so that a run of a million evaluations fits in memory.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use shiftproof_search::event::{
    AnswerVerdict, AuditedPrompt, Event, GroupOutcome, Phase, ProgressTick, ShownInput,
    UngradedReason,
};
use shiftproof_tasks::PromptId;

use crate::report::{RunSummary, worst};

/// Inputs whose texts are kept; later ones show their number alone.
const INPUTS_KEPT: usize = 20_000;
/// Different answer texts that are kept; later ones are not shown.
const TEXTS_KEPT: usize = 50_000;
/// Entries of the call log.
const CALLS_KEPT: usize = 500;
/// Points of a curve; when there are more, every other one goes.
const POINTS_KEPT: usize = 2_000;

/// See the [module](self).
#[derive(Default)]
pub struct ScreenState {
    /// The run so far, as every report sees it.
    pub summary: RunSummary,
    /// Candidates in the order in which they were proposed.
    pub order: Vec<PromptId>,
    /// Their places in `order`.
    pub places: HashMap<PromptId, usize>,
    /// What each phase was to do, in order.
    pub plans: Vec<(Phase, String)>,
    /// How the leader developed.
    pub curve: Vec<LeaderPoint>,
    /// Whether the log tells of leaders; one of an earlier version does not.
    leaders_told: bool,
    /// Inputs, by the number that answers name them by.
    pub inputs: Vec<Option<Box<ShownInput>>>,
    /// Per candidate, in `order`: its answers by input.
    pub answers: Vec<BTreeMap<u32, KeptAnswer>>,
    texts: TextPool,
    /// Places of the votes over target inputs by the input's name.
    pub votes: HashMap<String, usize>,
    /// The latest sign of life.
    pub tick: Option<ProgressTick>,
    /// Calls that ended lately, newest last.
    pub calls: VecDeque<EndedCall>,
    /// Calls that failed since the screen came up.
    pub failed: u64,
    /// Calls answered per second, of late.
    pub rate: CallRate,
    /// Calls planned for the whole run, limits aside; 0 where unknown.
    pub planned: u64,
    /// Events taken in.
    pub events: u64,
    /// Whether the last event was told again by a resumed run.
    pub replayed: bool,
}

/// The leader at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeaderPoint {
    /// Calls the run had spent.
    pub calls: u64,
    /// The phase.
    pub phase: Phase,
    /// Unweighted mean over groups.
    pub mean: ValueBand,
    /// The worst target group; the worst of all where no target is scored.
    pub worst: ValueBand,
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

    /// The unweighted mean of groups. They are independent samples, so the
    /// half-widths of their intervals add up in squares.
    pub fn mean(groups: &[GroupOutcome]) -> Option<Self> {
        let bands: Vec<Self> = groups.iter().filter_map(Self::of).collect();
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

/// An answer as it is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeptAnswer {
    /// Number of its text.
    pub text: u32,
    /// Its grade, in `0..=1`, or a word.
    pub verdict: CompactVerdict,
    /// The phase that told it last.
    pub phase: Phase,
}

/// A [`AnswerVerdict`] in little space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CompactVerdict {
    /// Graded.
    Graded(f32),
    /// Not of the form asked for.
    Unparseable,
    /// Cut off before it could be read.
    Truncated,
    /// The call can never be answered.
    Failed,
    /// No label to grade it by.
    Unlabelled,
}

impl CompactVerdict {
    /// Whether the answer is no good: below half a grade, unparseable,
    /// cut off, failed.
    pub fn is_failure(self) -> bool {
        match self {
            Self::Graded(value) => value < 0.5,
            Self::Unparseable | Self::Truncated | Self::Failed => true,
            Self::Unlabelled => false,
        }
    }
}

impl From<AnswerVerdict> for CompactVerdict {
    fn from(verdict: AnswerVerdict) -> Self {
        match verdict {
            AnswerVerdict::Graded(value) => Self::Graded(value as f32),
            AnswerVerdict::Ungraded(UngradedReason::Unparseable) => Self::Unparseable,
            AnswerVerdict::Ungraded(UngradedReason::Truncated) => Self::Truncated,
            AnswerVerdict::Ungraded(UngradedReason::Failed) => Self::Failed,
            AnswerVerdict::Ungraded(UngradedReason::Unlabelled) => Self::Unlabelled,
        }
    }
}

/// Different texts, each kept once.
#[derive(Default)]
struct TextPool {
    texts: Vec<Box<str>>,
    places: HashMap<Box<str>, u32>,
}

impl TextPool {
    const NOT_KEPT: u32 = u32::MAX;

    fn place(&mut self, text: &str) -> u32 {
        if let Some(&place) = self.places.get(text) {
            return place;
        }
        if self.texts.len() >= TEXTS_KEPT {
            return Self::NOT_KEPT;
        }
        let place = self.texts.len() as u32;
        self.texts.push(text.into());
        self.places.insert(text.into(), place);
        place
    }
}

/// A call, or batch of calls, that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedCall {
    /// Since the screen came up.
    pub at: Duration,
    /// The phase.
    pub phase: Phase,
    /// Calls in it.
    pub calls: u64,
    /// How long it took.
    pub latency: Duration,
    /// Tokens it used.
    pub tokens: u64,
    /// Calls without a reply.
    pub failed: u64,
    /// What was said of one of them.
    pub error: Option<String>,
}

/// Calls answered per second over the last minute.
#[derive(Debug, Clone, Default)]
pub struct CallRate {
    marks: VecDeque<(Duration, u64)>,
}

impl CallRate {
    /// Long enough to hold several batches of a slow model.
    const WINDOW: Duration = Duration::from_mins(1);

    fn mark(&mut self, now: Duration, answered: u64) {
        // A mark per fifth of a second is enough.
        let fresh = self.marks.len() > 1
            && self
                .marks
                .back()
                .is_some_and(|(at, _)| now.saturating_sub(*at) < Duration::from_millis(200));
        if fresh {
            return;
        }
        self.marks.push_back((now, answered));
        while self.marks.len() > 2
            && self
                .marks
                .front()
                .is_some_and(|(at, _)| now.saturating_sub(*at) > Self::WINDOW)
        {
            self.marks.pop_front();
        }
    }

    /// Calls per second; `None` before there is anything to divide.
    pub fn per_second(&self) -> Option<f64> {
        let (first, last) = (self.marks.front()?, self.marks.back()?);
        let seconds = last.0.saturating_sub(first.0).as_secs_f64();
        (seconds > 0.0).then(|| last.1.saturating_sub(first.1) as f64 / seconds)
    }
}

impl ScreenState {
    /// The state before the first event of a run that plans `planned` calls at
    /// most.
    pub fn new(planned: u64) -> Self {
        Self {
            planned,
            ..Self::default()
        }
    }

    /// The state after these events.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut state = Self::default();
        for event in events {
            state.apply(event, false);
        }
        state
    }

    /// Takes one more event in; `replayed` when a resumed run tells it again.
    pub fn apply(&mut self, event: &Event, replayed: bool) {
        self.summary.apply(event);
        self.events += 1;
        self.replayed = replayed;
        match event {
            Event::Phase { phase, plan } => self.plans.push((*phase, plan.clone())),
            Event::Proposed(proposed) => {
                self.places.insert(proposed.candidate, self.order.len());
                self.order.push(proposed.candidate);
                self.answers.push(BTreeMap::new());
            }
            Event::Inputs { inputs } => {
                for input in inputs {
                    let kept = self.inputs.len() < INPUTS_KEPT;
                    self.inputs.push(kept.then(|| Box::new(input.clone())));
                }
            }
            Event::Answered {
                candidate,
                phase,
                texts,
                answers,
            } => {
                let Some(&place) = self.places.get(candidate) else {
                    return;
                };
                let texts: Vec<u32> = texts.iter().map(|text| self.texts.place(text)).collect();
                for answer in answers {
                    let text = texts.get(answer.text as usize);
                    self.answers[place].insert(
                        answer.input,
                        KeptAnswer {
                            text: text.copied().unwrap_or(TextPool::NOT_KEPT),
                            verdict: answer.verdict.into(),
                            phase: *phase,
                        },
                    );
                }
            }
            Event::Leading {
                phase,
                calls,
                groups,
                ..
            } => {
                self.leaders_told = true;
                self.point(*calls, *phase, groups);
            }
            // A log that tells of no leaders shows the best of each race.
            Event::Evaluated { phase, groups, .. } if !self.leaders_told => {
                let first = self.curve.last().is_none_or(|point| point.phase != *phase);
                if first {
                    self.point(self.events, *phase, groups);
                }
            }
            Event::Voted(voted) => {
                let places = voted.votes.iter().enumerate();
                self.votes = places
                    .map(|(place, vote)| (vote.input.clone(), place))
                    .collect();
            }
            Event::Audited {
                contestant: AuditedPrompt::Selected,
                groups,
            } => {
                // It has asked the seed and the selected prompt by now.
                let asked: usize = groups.iter().map(|group| 2 * group.n).sum();
                let before = self.curve.last().map_or(0, |point| point.calls);
                self.point(before + asked as u64, Phase::Audit, groups);
            }
            _ => {}
        }
    }

    /// Takes a sign of life in, `now` after the screen came up.
    pub fn tick(&mut self, tick: &ProgressTick, now: Duration) {
        self.rate
            .mark(now, tick.sent.saturating_sub(tick.in_flight));
        if let Some(ended) = &tick.ended {
            self.failed += ended.failed;
            self.calls.push_back(EndedCall {
                at: now,
                phase: tick.phase,
                calls: ended.calls,
                latency: ended.latency,
                tokens: ended.tokens,
                failed: ended.failed,
                error: ended.error.clone(),
            });
            while self.calls.len() > CALLS_KEPT {
                self.calls.pop_front();
            }
        }
        self.tick = Some(tick.clone());
    }

    fn point(&mut self, calls: u64, phase: Phase, groups: &[GroupOutcome]) {
        let (Some(mean), Some(worst)) = (
            ValueBand::mean(groups),
            worst(groups).and_then(ValueBand::of),
        ) else {
            return;
        };
        self.curve.push(LeaderPoint {
            calls,
            phase,
            mean,
            worst,
        });
        if self.curve.len() > POINTS_KEPT {
            let mut index = 0;
            self.curve.retain(|_| {
                index += 1;
                index % 2 == 0
            });
        }
    }

    /// Calls the run has spent, as far as is known.
    pub fn spent_calls(&self) -> u64 {
        match (&self.summary.spent, &self.tick) {
            (Some(spent), _) => spent.calls,
            (None, Some(tick)) => tick.spent.calls + tick.done,
            (None, None) => self.curve.last().map_or(0, |point| point.calls),
        }
    }

    /// Calls the run will come to at most; `None` where unknown.
    pub fn most_calls(&self) -> Option<u64> {
        let started = self.summary.started.as_ref();
        let limit = started.and_then(|started| started.limits.calls);
        let planned = (self.planned > 0).then_some(self.planned);
        [planned, limit].into_iter().flatten().min()
    }

    /// Whether the run came to its end.
    pub fn is_over(&self) -> bool {
        self.summary.ending.is_some()
    }

    /// The text of an answer.
    pub fn text(&self, kept: KeptAnswer) -> &str {
        self.texts
            .texts
            .get(kept.text as usize)
            .map_or("(text not kept)", AsRef::as_ref)
    }

    /// The input that answers name by this number.
    pub fn input(&self, number: u32) -> Option<&ShownInput> {
        self.inputs.get(number as usize)?.as_deref()
    }

    /// The candidate that leads, as a place in `order`.
    pub fn leader(&self) -> Option<usize> {
        let leader = self.summary.leader()?;
        self.places.get(&leader.prompt.id()).copied()
    }

    /// Names of the groups: as the study has them, else as they were scored.
    pub fn groups(&self) -> Vec<String> {
        match &self.summary.started {
            Some(started) => started
                .groups
                .iter()
                .map(|group| group.name.clone())
                .collect(),
            None => Vec::new(),
        }
    }
}
