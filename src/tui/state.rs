//! What the screens show: a fold of a run's events and its latest sign of life.
//!
//! The same events give the same state, whether they come from a run of this
//! process, from the log of another, or from a recording. Nothing here reads a
//! clock: times come in as arguments. Texts are kept up to a bound, numbers
//! without one, so that a run of a million evaluations fits in memory.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use shiftproof_search::event::{
    AnswerVerdict, Event, GroupOutcome, Phase, ProgressTick, ShownInput, UngradedReason,
};
use shiftproof_tasks::PromptId;

pub use super::scores::{LeaderPoint, RaceScores, ValueBand};
use crate::report::RunSummary;
use crate::runs::pace::CallPace;
use crate::wording::phase_plans;

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
    /// How the leader developed in the races.
    pub curve: Vec<LeaderPoint>,
    /// Who leads the race under way, or led the last, and how.
    pub leading: Option<(PromptId, Vec<GroupOutcome>)>,
    /// How the seed prompt came out of each phase's last race.
    pub seeds: Vec<(Phase, RaceScores)>,
    /// The latest time told, since the screen came up.
    pub now: Duration,
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
    /// How fast calls are answered.
    pub pace: CallPace,
    /// Calls planned for the whole run, limits aside; 0 where unknown.
    pub planned: u64,
    /// Events taken in.
    pub events: u64,
    /// Whether the last event was told again by a resumed run.
    pub replayed: bool,
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
            Event::Phase { phase, plan } => {
                self.plans
                    .push((*phase, phase_plans::told(plan).into_owned()));
            }
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
                candidate,
                phase,
                calls,
                groups,
                ..
            } => {
                self.leaders_told = true;
                self.leading = Some((*candidate, groups.clone()));
                self.point(*calls, *phase, groups);
            }
            Event::Evaluated {
                candidate,
                phase,
                groups,
                ..
            } => self.evaluated(*candidate, *phase, groups),
            Event::Voted(voted) => {
                let places = voted.votes.iter().enumerate();
                self.votes = places
                    .map(|(place, vote)| (vote.input.clone(), place))
                    .collect();
            }
            _ => {}
        }
    }

    /// Takes a sign of life in, `now` after the screen came up.
    pub fn tick(&mut self, tick: &ProgressTick, now: Duration) {
        self.now = now;
        self.pace.mark(tick, now);
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

    fn evaluated(&mut self, candidate: PromptId, phase: Phase, groups: &[GroupOutcome]) {
        // A log that tells of no leaders shows the best of each race.
        let first = self.curve.last().is_none_or(|point| point.phase != phase);
        if !self.leaders_told && first {
            self.point(self.events, phase, groups);
        }
        if self.summary.seed() == Some(candidate) {
            self.seeds.push((phase, RaceScores::of(groups)));
        }
    }

    fn point(&mut self, calls: u64, phase: Phase, groups: &[GroupOutcome]) {
        let scores = RaceScores::of(groups);
        if scores == RaceScores::default() {
            return;
        }
        self.curve.push(LeaderPoint {
            calls,
            phase,
            scores,
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
