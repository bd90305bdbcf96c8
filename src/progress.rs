//! Progress lines for a terminal or a log.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use shiftproof_search::event::{Event, Observer, Phase, Tick};

use crate::report::{Summary, worst};

/// How much is said while a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing but errors.
    Quiet,
    /// Phases, what they came to, and one moving line.
    Normal,
    /// Every decision with its reason.
    Verbose,
}

/// Writes progress to standard error.
pub struct Progress {
    verbosity: Verbosity,
    live: bool,
    summary: Summary,
    /// Calls planned for the whole run, at most.
    planned: u64,
    /// Calls done by the run before the current block.
    began: Instant,
    drawn: Option<Instant>,
    line: usize,
}

/// A log gets a progress line no more often than this; a terminal is redrawn
/// ten times a second at most.
const LOG_EVERY: Duration = Duration::from_secs(10);
const DRAW_EVERY: Duration = Duration::from_millis(100);

impl Progress {
    /// Progress of a run that will make `planned` calls at most.
    pub fn new(verbosity: Verbosity, planned: u64) -> Self {
        Self {
            verbosity,
            live: std::io::stderr().is_terminal(),
            summary: Summary::default(),
            planned,
            began: Instant::now(),
            drawn: None,
            line: 0,
        }
    }

    /// A line that stays.
    fn say(&mut self, text: &str) {
        self.clear();
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    fn clear(&mut self) {
        if self.live && self.line > 0 {
            let _ = write!(std::io::stderr(), "\r{:width$}\r", "", width = self.line);
            self.line = 0;
        }
    }

    fn best(&self) -> String {
        let Some(leader) = self.summary.leader() else {
            return String::new();
        };
        let values: Vec<f64> = leader
            .groups
            .iter()
            .filter_map(|group| group.value)
            .collect();
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        let worst = worst(&leader.groups).map_or_else(String::new, |group| {
            format!(
                ", worst {} {:.1}",
                group.group,
                group.value.unwrap_or(0.0) * 100.0
            )
        });
        format!("best mean {:.1}{worst}", mean * 100.0)
    }
}

impl Observer for Progress {
    fn event(&mut self, event: &Event, replayed: bool) {
        self.summary.apply(event);
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        if let Some(line) = milestone(event, replayed) {
            self.say(&line);
        }
        match event {
            Event::Discarded {
                reason,
                count,
                example,
            } if self.verbosity == Verbosity::Verbose => {
                self.say(&format!(
                    "          threw away {count}: {reason}, such as {example:?}"
                ));
            }
            Event::Proposed(proposed) if self.verbosity == Verbosity::Verbose => {
                let text = &proposed.prompt.instruction;
                self.say(&format!(
                    "          {:#} {}: {text}",
                    proposed.candidate, proposed.origin
                ));
            }
            Event::Decided {
                candidate,
                kept,
                reason,
            } if self.verbosity == Verbosity::Verbose => {
                let verb = if *kept { "keep" } else { "drop" };
                self.say(&format!("          {verb} {candidate:#}: {reason}"));
            }
            _ => {}
        }
    }

    fn tick(&mut self, tick: &Tick) {
        let every = if self.live { DRAW_EVERY } else { LOG_EVERY };
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= every);
        if self.verbosity == Verbosity::Quiet || !due {
            return;
        }
        self.drawn = Some(Instant::now());
        let rate = tick.sent as f64 / self.began.elapsed().as_secs_f64().max(1e-3);
        let settled = tick.spent.calls + tick.done;
        let left = self.planned.saturating_sub(settled) as f64 / rate.max(1e-9);
        let cost = if tick.spent.picodollars > 0 {
            format!(", ${:.4}", tick.spent.usd())
        } else {
            String::new()
        };
        let eta = if tick.phase == Phase::Audit {
            (tick.total - tick.done) as f64 / rate
        } else {
            left
        };
        let status = tick
            .status
            .as_ref()
            .map_or_else(String::new, |status| format!(" [{status}]"));
        let text = format!(
            "{:9} {}/{} calls, {settled} of ≤ {} in all, {rate:.1}/s{cost}, ETA ≤ {}; {}{status}",
            tick.phase,
            tick.done,
            tick.total,
            self.planned,
            clock(eta),
            self.best()
        );
        if self.live {
            self.clear();
            self.line = text.chars().count();
            let mut err = std::io::stderr();
            let _ = write!(err, "{text}");
            let _ = err.flush();
        } else {
            self.say(&text);
        }
    }
}

/// The line that an event of general interest leaves on the screen.
pub(crate) fn milestone(event: &Event, replayed: bool) -> Option<String> {
    let mark = if replayed { " (from the store)" } else { "" };
    Some(match event {
        Event::Phase { phase, plan } => format!("{phase:9} {plan}{mark}"),
        Event::Voted(voted) => {
            let right = voted.source_accuracy.map_or_else(String::new, |share| {
                format!(
                    "; on labelled source examples such votes are {:.0}% right",
                    share * 100.0
                )
            });
            format!(
                "          {} of {} inputs kept{right}",
                voted.kept, voted.inputs
            )
        }
        Event::Selected {
            candidate, reason, ..
        } => {
            format!("          selected {candidate:#}: {reason}")
        }
        _ => return None,
    })
}

/// Seconds as a short clock.
pub fn clock(seconds: f64) -> String {
    let seconds = if seconds.is_finite() {
        seconds.round() as u64
    } else {
        0
    };
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m}:{s:02} min"),
        (h, m, _) => format!("{h}:{m:02} h"),
    }
}
