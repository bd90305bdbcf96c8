//! The unit that times are in, told by their size: what is sorted by time must be in one.

use shiftproof_tasks::diagnostic::{DataProblem, SourceLocation};

/// Units of time since 1970, by the size of today's numbers in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ClockUnit {
    Seconds,
    Milliseconds,
    Microseconds,
}

impl ClockUnit {
    /// The unit in which this is a time between 1973 and 5138; `None` for numbers that
    /// are a count, a year or a day.
    pub fn of(time: i64) -> Option<Self> {
        match time {
            100_000_000..100_000_000_000 => Some(Self::Seconds),
            100_000_000_000..100_000_000_000_000 => Some(Self::Milliseconds),
            100_000_000_000_000..100_000_000_000_000_000 => Some(Self::Microseconds),
            _ => None,
        }
    }

    /// How many make a second.
    pub const fn per_second(self) -> i64 {
        match self {
            Self::Seconds => 1,
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1_000_000,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
        }
    }
}

/// How often each unit was met, and where first.
#[derive(Debug, Default)]
pub(crate) struct ClockUnits {
    met: [Option<(SourceLocation, i64, u64)>; 3],
}

impl ClockUnits {
    /// Takes note of a time.
    pub fn note(&mut self, place: &SourceLocation, time: i64) {
        if let Some(unit) = ClockUnit::of(time) {
            let (.., times) =
                self.met[unit as usize].get_or_insert_with(|| (place.clone(), time, 0));
            *times += 1;
        }
    }

    /// The problem that times are in several units, at the first of the rarest one.
    pub fn problem(&self) -> Option<DataProblem> {
        const UNITS: [ClockUnit; 3] = [
            ClockUnit::Seconds,
            ClockUnit::Milliseconds,
            ClockUnit::Microseconds,
        ];
        let mut met: Vec<_> = UNITS
            .into_iter()
            .filter_map(|unit| Some((unit, self.met[unit as usize].as_ref()?)))
            .collect();
        met.sort_by_key(|(_, (.., times))| *times);
        let [
            (rare, (place, time, times)),
            ..,
            (common, (other, other_time, other_times)),
        ] = met.as_slice()
        else {
            return None;
        };
        Some(
            DataProblem::new(
                place,
                format!(
                    "the time {time} is in {}, and {other_time} at {other} in {} ({times} and \
                     {other_times} events): sorted by time they would be mixed up",
                    rare.name(),
                    common.name()
                ),
            )
            .help("write all times in one unit"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_told_by_size() {
        // 2001-09-09, 1998-01-01 and 2286-11-20, and what is no time since 1970.
        for seconds in [1_000_000_000, 883_612_800, 9_999_999_999] {
            assert_eq!(ClockUnit::of(seconds), Some(ClockUnit::Seconds));
            assert_eq!(
                ClockUnit::of(seconds * 1_000),
                Some(ClockUnit::Milliseconds)
            );
            assert_eq!(
                ClockUnit::of(seconds * 1_000_000),
                Some(ClockUnit::Microseconds)
            );
        }
        for other in [-1, 0, 7, 2024, 20_240_131] {
            assert_eq!(ClockUnit::of(other), None);
        }
    }
}
