//! How fast calls are answered, how long what is left takes, and since when nothing has
//! come back. Reads no clock: times come in as arguments, counted from one beginning.

use std::collections::VecDeque;
use std::time::Duration;

use shiftproof_search::event::{Phase, ProgressTick};

/// Long enough to hold several batches of a slow model.
const WINDOW: Duration = Duration::from_mins(1);
/// A rate of fewer answers, or of a shorter time, foretells nothing.
const LEAST_ANSWERS: u64 = 8;
const LEAST_TIME: Duration = Duration::from_secs(3);
/// Calls that are under way for longer without an answer are told of.
const SILENCE: Duration = Duration::from_secs(4);

/// See the [module](self).
#[derive(Debug, Clone, Default)]
pub struct CallPace {
    /// Answers so far, at times within the window.
    marks: VecDeque<(Duration, u64)>,
    /// Answers of a model so far.
    answered: u64,
    /// Whether the calls of late asked for prompts.
    proposing: bool,
    /// When an answer came last, or calls began to be waited for.
    last: Option<Duration>,
    /// The time of the latest sign of life.
    now: Duration,
    in_flight: u64,
    paused: bool,
}

/// How long the rest takes at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RemainingTime {
    /// Too little was answered to say, or answers of another kind.
    Measuring,
    /// About so long.
    AtMost(Duration),
    /// Nothing is left, or nothing moves.
    Unknown,
}

/// Phases in which a model is asked for prompts, which takes other times than its task.
fn asks_for_prompts(phase: Phase) -> bool {
    matches!(phase, Phase::Propose | Phase::Repropose)
}

impl CallPace {
    /// Takes a sign of life in, `now` after the beginning.
    pub fn mark(&mut self, tick: &ProgressTick, now: Duration) {
        // Not what a tick tells of its own: whoever follows another process sees a few.
        let answered = tick.sent.saturating_sub(tick.in_flight);
        let proposing = asks_for_prompts(tick.phase);
        if proposing != self.proposing {
            self.marks.clear();
            self.proposing = proposing;
        }
        if self.marks.is_empty() {
            self.marks.push_back((now, answered));
        }
        // Nobody is waited for while nothing is under way.
        if answered != self.answered || tick.in_flight == 0 || tick.paused {
            self.last = Some(now);
        }
        self.answered = answered;
        self.last.get_or_insert(now);
        (self.now, self.in_flight, self.paused) = (now, tick.in_flight, tick.paused);
        // A mark per fifth of a second is enough, and the latest is always known.
        let fresh =
            |mark: &(Duration, u64)| now.saturating_sub(mark.0) < Duration::from_millis(200);
        if self.marks.len() > 1 && self.marks.back().is_some_and(fresh) {
            self.marks.pop_back();
        }
        self.marks.push_back((now, self.answered));
        while self.marks.len() > 2
            && self
                .marks
                .get(1)
                .is_some_and(|(at, _)| now.saturating_sub(*at) > WINDOW)
        {
            self.marks.pop_front();
        }
    }

    /// Calls answered per second over the last minute; `None` before there is anything
    /// to divide.
    pub fn per_second(&self) -> Option<f64> {
        let (first, last) = (self.marks.front()?, self.marks.back()?);
        let seconds = last.0.saturating_sub(first.0).as_secs_f64();
        let answered = last.1.saturating_sub(first.1);
        (seconds >= 1.0 && answered > 0).then(|| answered as f64 / seconds)
    }

    /// Since when calls that are under way have had no answer, where that is long.
    pub fn silence(&self) -> Option<Duration> {
        let silent = self.now.saturating_sub(self.last?);
        (self.in_flight > 0 && !self.paused && silent >= SILENCE).then_some(silent)
    }

    /// How long `left` calls take at most at this pace.
    pub fn remaining(&self, left: u64) -> RemainingTime {
        let (Some(first), Some(last)) = (self.marks.front(), self.marks.back()) else {
            return RemainingTime::Measuring;
        };
        if left == 0 || self.paused || self.silence().is_some() {
            return RemainingTime::Unknown;
        }
        let measured = last.0.saturating_sub(first.0) >= LEAST_TIME
            && last.1.saturating_sub(first.1) >= LEAST_ANSWERS
            && !self.proposing;
        match self.per_second().filter(|_| measured) {
            Some(rate) => RemainingTime::AtMost(Duration::from_secs_f64(left as f64 / rate)),
            None => RemainingTime::Measuring,
        }
    }
}

#[cfg(test)]
mod tests {
    use shiftproof_search::budget::Spend;

    use super::*;

    fn tick(phase: Phase, answered: u64, in_flight: u64) -> ProgressTick {
        ProgressTick {
            phase,
            done: 0,
            total: 100,
            sent: answered + in_flight,
            spent: Spend::default(),
            ended: None,
            in_flight,
            slots: 8,
            traffic: None,
            paused: false,
            status: None,
        }
    }

    /// A pace after so many answers each second.
    fn steady(phase: Phase, seconds: u64, each: u64) -> CallPace {
        let mut pace = CallPace::default();
        for second in 0..=seconds {
            pace.mark(&tick(phase, second * each, 8), Duration::from_secs(second));
        }
        pace
    }

    #[test]
    fn time_left_is_measured_first() {
        assert_eq!(CallPace::default().remaining(9), RemainingTime::Measuring);
        assert_eq!(
            steady(Phase::Screen, 2, 9).remaining(9),
            RemainingTime::Measuring
        );
        assert_eq!(
            steady(Phase::Screen, 4, 1).remaining(9),
            RemainingTime::Measuring
        );
        let pace = steady(Phase::Screen, 10, 4);
        assert_eq!(pace.per_second(), Some(4.0));
        let left = RemainingTime::AtMost(Duration::from_secs(25));
        assert_eq!(pace.remaining(100), left);
        assert_eq!(pace.remaining(0), RemainingTime::Unknown);
    }

    #[test]
    fn proposals_foretell_nothing_of_evaluations() {
        let mut pace = steady(Phase::Propose, 30, 1);
        assert_eq!(pace.remaining(500), RemainingTime::Measuring);
        pace.mark(&tick(Phase::Screen, 34, 8), Duration::from_secs(31));
        assert_eq!(pace.remaining(500), RemainingTime::Measuring);
        for second in 32..40 {
            let answered = 34 + 50 * (second - 31);
            let tick = tick(Phase::Screen, answered, 8);
            pace.mark(&tick, Duration::from_secs(second));
        }
        let RemainingTime::AtMost(left) = pace.remaining(500) else {
            panic!("{:?}", pace.remaining(500));
        };
        assert!((9..=12).contains(&left.as_secs()), "{left:?}");
    }

    #[test]
    fn silence_is_told_and_ends_the_estimate() {
        let mut pace = steady(Phase::Screen, 10, 4);
        assert_eq!(pace.silence(), None);
        pace.mark(&tick(Phase::Screen, 40, 8), Duration::from_secs(13));
        assert_eq!(pace.silence(), None);
        pace.mark(&tick(Phase::Screen, 40, 8), Duration::from_secs(14));
        assert_eq!(pace.silence(), Some(Duration::from_secs(4)));
        assert_eq!(pace.remaining(100), RemainingTime::Unknown);
        // Nobody is waited for between two waves.
        pace.mark(&tick(Phase::Screen, 48, 0), Duration::from_secs(40));
        pace.mark(&tick(Phase::Screen, 48, 8), Duration::from_secs(41));
        assert_eq!(pace.silence(), None);
    }

    #[test]
    fn rate_is_that_of_the_last_minute() {
        let mut pace = steady(Phase::Screen, 100, 10);
        for second in 101..=170 {
            let tick = tick(Phase::Screen, 1000 + second - 100, 8);
            pace.mark(&tick, Duration::from_secs(second));
        }
        let rate = pace.per_second().unwrap();
        assert!((rate - 1.0).abs() < 0.2, "{rate}");
    }
}
