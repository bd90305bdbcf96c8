//! Progress lines for a terminal or a log.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use shiftproof_search::event::{Event, GroupRole, Phase, ProgressTick, RunObserver};

use crate::report::proposals::sentence;
use crate::report::{DiscardedTexts, RunSummary, grouped, worst};
use crate::runs::pace::{CallPace, RemainingTime};
use crate::wording::shown::{line, visible};
use crate::wording::table::width;
use crate::wording::word_diff::one_line;
use crate::wording::{headroom, knowledge, phase_plans, unusable, vote_notes};

/// How much is said while a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProgressVerbosity {
    /// Nothing but errors.
    Quiet,
    /// Phases, what they came to, and one moving line.
    Normal,
    /// Every decision with its reason.
    Verbose,
}

/// Writes progress to standard error.
pub struct ProgressWriter {
    verbosity: ProgressVerbosity,
    live: bool,
    summary: RunSummary,
    /// Thrown away by the request for prompts under way.
    thrown: Vec<DiscardedTexts>,
    /// Calls planned in all, at most.
    planned: u64,
    /// Whether fixed prompts are scored, without the phases of a run.
    evaluation: bool,
    /// What the moving line begins with, where the run is one of several: then it tells
    /// no phases unless it is verbose.
    part: Option<String>,
    pace: CallPace,
    /// Whether the silence under way has been told.
    silence_told: bool,
    began: Instant,
    drawn: Option<Instant>,
    line: usize,
}

/// A log gets a progress line no more often than this; a terminal is redrawn
/// ten times a second at most.
const LOG_EVERY: Duration = Duration::from_secs(10);
const DRAW_EVERY: Duration = Duration::from_millis(100);

impl ProgressWriter {
    /// Progress of a run that will make `planned` calls at most.
    pub fn new(verbosity: ProgressVerbosity, planned: u64) -> Self {
        Self {
            verbosity,
            live: std::io::stderr().is_terminal(),
            summary: RunSummary::default(),
            thrown: Vec::new(),
            planned,
            evaluation: false,
            part: None,
            pace: CallPace::default(),
            silence_told: false,
            began: Instant::now(),
            drawn: None,
            line: 0,
        }
    }

    /// Progress of a command that scores fixed prompts.
    pub fn of_evaluation(verbosity: ProgressVerbosity, planned: u64) -> Self {
        Self {
            evaluation: true,
            ..Self::new(verbosity, planned)
        }
    }

    /// Progress of one run of several, which `part` names.
    pub fn of_part(verbosity: ProgressVerbosity, planned: u64, part: String) -> Self {
        Self {
            part: Some(part),
            ..Self::new(verbosity, planned)
        }
    }

    /// The moving line.
    fn moving(&self, tick: &ProgressTick) -> String {
        let phase = if self.evaluation {
            "evaluate".to_owned()
        } else {
            tick.phase.to_string()
        };
        let settled = tick.spent.calls + tick.done;
        let planned = self.planned.max(settled);
        let part = self.part.iter().map(|part| format!("{part}: "));
        let mut text = part.collect::<String>();
        let _ = write!(
            text,
            "{phase:9} {}/{} calls, {settled} of ≤ {planned} in all",
            tick.done, tick.total
        );
        if tick.in_flight > 0 {
            let _ = write!(text, ", {} under way", tick.in_flight);
        }
        if let Some(rate) = self.pace.per_second() {
            let _ = write!(text, ", {rate:.1}/s");
        }
        let left = if tick.phase == Phase::Audit {
            tick.total.saturating_sub(tick.done)
        } else {
            planned - settled
        };
        match self.pace.remaining(left) {
            RemainingTime::Measuring => text.push_str(", ETA measuring…"),
            RemainingTime::AtMost(time) => {
                let _ = write!(text, ", ETA ≤ {}", clock(time.as_secs_f64()));
            }
            RemainingTime::Unknown => {}
        }
        if let Some(silent) = self.pace.silence() {
            let _ = write!(text, ", nothing back for {} s", silent.as_secs());
        }
        if tick.spent.tokens() > 0 {
            let _ = write!(text, ", {} tokens", grouped(tick.spent.tokens()));
        }
        if let Some(money) = crate::report::money(&tick.spent) {
            let _ = write!(text, ", {money}");
        }
        if let Some(best) = self.best() {
            let _ = write!(text, "; {best}");
        }
        if let Some(status) = &tick.status {
            let _ = write!(text, " [{status}]");
        }
        text
    }

    /// A line that stays.
    fn say(&mut self, text: &str) {
        self.clear();
        let _ = writeln!(std::io::stderr(), "{}", visible(text));
    }

    fn clear(&mut self) {
        if self.live && self.line > 0 {
            let _ = write!(std::io::stderr(), "\r{:width$}\r", "", width = self.line);
            self.line = 0;
        }
    }

    /// The prompt that leads: its source groups, and the worst target group beside, never
    /// mixed with them.
    fn best(&self) -> Option<String> {
        let leader = self.summary.leader()?;
        let of_source = leader.groups.iter().filter(|g| g.role == GroupRole::Source);
        let values: Vec<f64> = of_source.filter_map(|group| group.value).collect();
        let mut told = Vec::new();
        if !values.is_empty() {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            told.push(format!("source {:.1}", mean * 100.0));
        }
        let worst = worst(&leader.groups).filter(|group| group.role == GroupRole::Target);
        if let Some((group, value)) = worst.and_then(|group| Some((group, group.value?))) {
            let by = if group.voted { " by voted labels" } else { "" };
            told.push(format!(
                "worst target {} {:.1}{by}",
                group.group,
                value * 100.0
            ));
        }
        (!told.is_empty()).then(|| format!("leader: {}", told.join(", ")))
    }
}

impl RunObserver for ProgressWriter {
    fn event(&mut self, event: &Event, replayed: bool) {
        self.summary.apply(event);
        let brief = self.part.is_some() && self.verbosity < ProgressVerbosity::Verbose;
        if self.verbosity == ProgressVerbosity::Quiet || brief {
            return;
        }
        // Fixed prompts: whoever scores them tells it with examples at the end.
        let told_later = self.evaluation && matches!(event, Event::Unusable { .. });
        self.thrown.extend(DiscardedTexts::of(event));
        if let Event::Proposals(counts) = event {
            let told = sentence(counts, &std::mem::take(&mut self.thrown));
            self.say(&format!("          {told}"));
        } else if let Some(line) = milestone(event, replayed).filter(|_| !told_later) {
            self.say(&line);
        }
        match event {
            Event::Discarded {
                reason,
                count,
                example,
            } if self.verbosity == ProgressVerbosity::Verbose => {
                self.say(&format!(
                    "          threw away {count}: {reason}, such as {example:?}"
                ));
            }
            Event::Proposed(proposed) if self.verbosity == ProgressVerbosity::Verbose => {
                let text = one_line(&proposed.prompt);
                self.say(&format!(
                    "          {:#} {}: {text}",
                    proposed.candidate, proposed.origin
                ));
            }
            Event::Decided {
                candidate,
                kept,
                reason,
            } if self.verbosity == ProgressVerbosity::Verbose => {
                let verb = if *kept { "keep" } else { "drop" };
                self.say(&format!("          {verb} {candidate:#}: {reason}"));
            }
            _ => {}
        }
    }

    fn tick(&mut self, tick: &ProgressTick) {
        self.pace.mark(tick, self.began.elapsed());
        let every = if self.live { DRAW_EVERY } else { LOG_EVERY };
        let is_silent = self.pace.silence().is_some();
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= every)
            || is_silent && !self.silence_told;
        self.silence_told = is_silent;
        if self.verbosity == ProgressVerbosity::Quiet || !due {
            return;
        }
        self.drawn = Some(Instant::now());
        let text = line(&self.moving(tick));
        if self.live {
            self.clear();
            self.line = width(&text);
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
        Event::Phase { phase, plan } => format!("{phase:9} {}{mark}", phase_plans::told(plan)),
        Event::Continued(carried) => format!(
            "          {} prompts and {} answers of run {} carried over{mark}",
            carried.candidates, carried.answers, carried.run
        ),
        Event::Voted(voted) => {
            let right = match (vote_notes::accuracy(voted), voted.source_accuracy) {
                (Some(right), _) => format!("; such votes on labelled source examples: {right}"),
                (None, Some(share)) => format!(
                    "; on labelled source examples such votes are {:.0}% right",
                    share * 100.0
                ),
                (None, None) => String::new(),
            };
            let voices = vote_notes::voices(voted)
                .map_or_else(String::new, |voices| format!("\n          {voices}"));
            format!(
                "          {} of {} inputs kept{right}{voices}",
                voted.kept, voted.inputs
            )
        }
        Event::Headroom(found) => {
            let told = headroom::told(found, &|id| format!("{id:#}"));
            if told.is_empty() {
                return None;
            }
            format!("          {}", told.join("\n          "))
        }
        Event::Augmented { knowledge } => {
            format!(
                "          {}",
                knowledge::sentences(knowledge).join("\n          ")
            )
        }
        Event::Selected {
            candidate, reason, ..
        } => {
            format!("          selected {candidate:#}: {reason}")
        }
        Event::Unusable { survey, .. } => format!("          {}", unusable::brief(survey)),
        // With what was thrown away where it is known (`ProgressWriter`).
        Event::Proposals(counts) => format!("          {}", sentence(counts, &[])),
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

#[cfg(test)]
mod tests {
    use shiftproof_search::budget::Spend;

    use super::*;

    fn tick(done: u64) -> ProgressTick {
        ProgressTick {
            phase: Phase::Screen,
            done,
            total: 32,
            sent: done + 8,
            spent: Spend {
                calls: 44,
                ..Spend::default()
            },
            ended: None,
            in_flight: 8,
            slots: 8,
            traffic: None,
            paused: false,
            status: None,
        }
    }

    #[test]
    fn evaluation_shows_its_progress() {
        let mut progress = ProgressWriter::of_evaluation(ProgressVerbosity::Quiet, 108);
        let seconds = Duration::from_secs;
        progress.pace.mark(&tick(0), seconds(0));
        let first = progress.moving(&tick(0));
        assert_eq!(
            first,
            "evaluate  0/32 calls, 44 of ≤ 108 in all, 8 under way, ETA measuring…"
        );
        progress.pace.mark(&tick(16), seconds(8));
        let later = progress.moving(&tick(16));
        assert_eq!(
            later,
            "evaluate  16/32 calls, 60 of ≤ 108 in all, 8 under way, 2.0/s, ETA ≤ 24 s"
        );
        progress.pace.mark(&tick(16), seconds(14));
        let silent = progress.moving(&tick(16));
        assert_eq!(
            silent,
            "evaluate  16/32 calls, 60 of ≤ 108 in all, 8 under way, 1.1/s, nothing back for 6 s"
        );
    }
}
