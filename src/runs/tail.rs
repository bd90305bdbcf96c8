//! Runs as another process sees them: through the files in their folders. The
//! store is not opened.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use shiftproof_search::event_log::{self, LogError, LogLine};

use crate::runs::stored::LOG;

/// Reads a log that may still be growing.
pub struct LogFollower {
    path: PathBuf,
    offset: u64,
    line: u64,
    /// A line had a checksum, so all after it must.
    checked: bool,
}

/// What is new in a log.
#[derive(Debug, Default)]
pub struct LogNews {
    /// Whether the log began anew: what was read before is void.
    pub restarted: bool,
    /// Its new lines.
    pub lines: Vec<LogLine>,
}

impl LogFollower {
    /// Bytes read at once, so that a screen can draw in between.
    const BITE: u64 = 1 << 20;

    /// Follows the log in a run's folder from its beginning. There may be none
    /// yet.
    pub fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(LOG),
            offset: 0,
            line: 0,
            checked: false,
        }
    }

    /// The lines that were completed since, up to a bite of them. A line whose
    /// end is not written yet is left for the next time.
    pub fn poll(&mut self) -> Result<LogNews, LogError> {
        let io = |path: &Path, source| LogError::Io {
            path: path.to_owned(),
            source,
        };
        let mut news = LogNews::default();
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                news.restarted = self.line > 0;
                (self.offset, self.line, self.checked) = (0, 0, false);
                return Ok(news);
            }
            Err(error) => return Err(io(&self.path, error)),
        };
        let length = file.metadata().map_err(|e| io(&self.path, e))?.len();
        if length < self.offset {
            news.restarted = true;
            (self.offset, self.line, self.checked) = (0, 0, false);
        }
        if length == self.offset {
            return Ok(news);
        }
        file.seek(SeekFrom::Start(self.offset))
            .map_err(|e| io(&self.path, e))?;
        let mut reader = BufReader::new(file);
        let (mut text, until) = (Vec::new(), self.offset + Self::BITE);
        while self.offset < until {
            text.clear();
            reader
                .read_until(b'\n', &mut text)
                .map_err(|e| io(&self.path, e))?;
            if text.last() != Some(&b'\n') {
                break;
            }
            let bare = &text[..text.len() - 1];
            if !event_log::is_intact(bare, &mut self.checked) {
                return Err(LogError::Damaged {
                    path: self.path.clone(),
                    line: self.line + 1,
                    reason: "its checksum does not match".to_owned(),
                });
            }
            let line = serde_json::from_slice(&text).map_err(|error| LogError::Malformed {
                path: self.path.clone(),
                line: self.line + 1,
                reason: error.to_string(),
            })?;
            news.lines.push(line);
            self.offset += text.len() as u64;
            self.line += 1;
        }
        Ok(news)
    }
}

/// A recording, played at its own pace or faster.
pub struct LogPlayer {
    lines: Vec<LogLine>,
    /// When each line is due, from the start. Silences are shortened.
    due: Vec<Duration>,
    next: usize,
    at: Duration,
    /// Recorded seconds per second.
    pub speed: f64,
    /// Whether it stands still.
    pub paused: bool,
}

impl LogPlayer {
    /// A longer silence of the recording is played as one of this length: a run
    /// may have waited for days to be resumed.
    const SILENCE: Duration = Duration::from_secs(10);

    /// Plays these lines from the first.
    pub fn new(lines: Vec<LogLine>, speed: f64) -> Self {
        let mut due = Vec::with_capacity(lines.len());
        let (mut at, mut before) = (Duration::ZERO, None);
        for line in &lines {
            let gap = line.at_ms.saturating_sub(before.unwrap_or(line.at_ms));
            at += Duration::from_millis(gap).min(Self::SILENCE);
            before = Some(line.at_ms);
            due.push(at);
        }
        Self {
            lines,
            due,
            next: 0,
            at: Duration::ZERO,
            speed,
            paused: false,
        }
    }

    /// Lines played so far, of how many.
    pub fn place(&self) -> (usize, usize) {
        (self.next, self.lines.len())
    }

    /// Lets time pass; returns the lines that fell due, at most `most`.
    pub fn advance(&mut self, passed: Duration, most: usize) -> &[LogLine] {
        let first = self.next;
        if !self.paused {
            self.at = self.at.saturating_add(passed.mul_f64(self.speed));
            let due = self.due[first..].iter().take(most);
            self.next += due.take_while(|due| **due <= self.at).count();
            // What was too much for this time is due the next.
            if self.next == first + most {
                self.at = self.due[self.next - 1];
            }
        }
        &self.lines[first..self.next]
    }

    /// How long until the next line falls due; `None` at the end.
    pub fn until_next(&self) -> Option<Duration> {
        let due = self.due.get(self.next)?;
        let wait = due.saturating_sub(self.at).div_f64(self.speed);
        // Rounded down to nothing it would never come.
        Some(wait.max(Duration::from_nanos(1)))
    }

    /// Moves to just after `place` lines; returns all of them, as the fold has
    /// to begin anew.
    pub fn seek(&mut self, place: usize) -> &[LogLine] {
        self.next = place.min(self.lines.len());
        self.at = match self.next {
            0 => Duration::ZERO,
            next => self.due[next - 1],
        };
        &self.lines[..self.next]
    }

    /// The place after the line that begins the next phase (or the previous
    /// ones, for a negative number).
    pub fn phase(&self, by: i32) -> usize {
        use shiftproof_search::event::Event;
        let begins = |line: &LogLine| matches!(line.event, Event::Phase { .. });
        if by > 0 {
            let after = self.lines.iter().skip(self.next);
            after
                .enumerate()
                .find(|(_, line)| begins(line))
                .map_or(self.lines.len(), |(index, _)| self.next + index + 1)
        } else {
            let before = self.lines[..self.next.saturating_sub(1)].iter();
            before
                .enumerate()
                .rfind(|(_, line)| begins(line))
                .map_or(0, |(index, _)| index + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use shiftproof_search::event::{Event, Phase};

    use super::*;

    fn line(seq: u64, at_ms: u64) -> LogLine {
        LogLine {
            seq,
            at_ms,
            event: Event::Phase {
                phase: Phase::Screen,
                plan: seq.to_string(),
            },
        }
    }

    fn written(line: &LogLine) -> Vec<u8> {
        let mut text = serde_json::to_vec(line).unwrap();
        text.push(b'\n');
        text
    }

    /// Whatever a wait is rounded to, it brings the next line nearer.
    #[test]
    fn every_pace_comes_to_its_end() {
        for speed in [0.001, 0.3, 1.0, 7.0, 60.0, 1e6] {
            let lines: Vec<LogLine> = (0..40).map(|n| line(n, 1000 + 17 * n)).collect();
            let mut player = LogPlayer::new(lines, speed);
            let (mut wait, mut told, mut steps) = (Duration::ZERO, 0, 0);
            loop {
                told += player.advance(wait, 40).len();
                let Some(next) = player.until_next() else {
                    break;
                };
                wait = next;
                steps += 1;
                assert!(steps < 200, "{told} lines at speed {speed}");
            }
            assert_eq!(told, 40, "{speed}");
        }
    }

    #[test]
    fn torn_line_waits() {
        let folder = tempfile::tempdir().unwrap();
        let mut follower = LogFollower::new(folder.path());
        assert!(follower.poll().unwrap().lines.is_empty());
        let mut log = File::create(folder.path().join(LOG)).unwrap();
        let (first, second) = (written(&line(0, 1)), written(&line(1, 2)));
        log.write_all(&first).unwrap();
        log.write_all(&second[..7]).unwrap();
        assert_eq!(follower.poll().unwrap().lines, [line(0, 1)]);
        assert!(follower.poll().unwrap().lines.is_empty());
        // The run was killed there, and resumed: the torn line is written anew.
        log.set_len(first.len() as u64).unwrap();
        log.seek(SeekFrom::End(0)).unwrap();
        log.write_all(&second).unwrap();
        let news = follower.poll().unwrap();
        assert!(!news.restarted);
        assert_eq!(news.lines, [line(1, 2)]);
        // The run was removed, and another of its name began.
        log.set_len(0).unwrap();
        log.seek(SeekFrom::Start(0)).unwrap();
        log.write_all(&first).unwrap();
        let news = follower.poll().unwrap();
        assert!(news.restarted);
        assert_eq!(news.lines, [line(0, 1)]);
    }

    #[test]
    fn malformed_events_name_their_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut text = written(&line(0, 1));
        text.extend(b"{}\n");
        fs::write(folder.path().join(LOG), text).unwrap();
        let error = LogFollower::new(folder.path()).poll().unwrap_err();
        assert!(error.to_string().contains("events.jsonl:2"), "{error}");
    }

    #[test]
    fn replay_shortens_silences() {
        let lines = vec![line(0, 5_000), line(1, 6_000), line(2, 90_000_000)];
        let mut player = LogPlayer::new(lines, 2.0);
        let second = Duration::from_secs(1);
        assert_eq!(player.advance(Duration::ZERO, 9).len(), 1);
        assert_eq!(player.advance(second / 4, 9).len(), 0);
        assert_eq!(player.until_next(), Some(second / 4));
        assert_eq!(player.advance(second / 4, 9).len(), 1);
        assert_eq!(player.until_next(), Some(5 * second));
        player.paused = true;
        assert_eq!(player.advance(100 * second, 9).len(), 0);
        player.paused = false;
        assert_eq!(player.advance(5 * second, 9).len(), 1);
        assert_eq!(player.until_next(), None);
    }

    #[test]
    fn replay_seeks_events_and_phases() {
        let mut player = LogPlayer::new((0..5).map(|n| line(n, n * 1000)).collect(), 1.0);
        assert_eq!(player.seek(3).len(), 3);
        assert_eq!(player.place(), (3, 5));
        assert_eq!((player.phase(1), player.phase(-1)), (4, 2));
        assert_eq!(player.seek(99).len(), 5);
        assert_eq!(player.phase(1), 5);
        assert_eq!(player.seek(0).len(), 0);
        assert_eq!(player.phase(-1), 0);
        assert_eq!(player.advance(Duration::from_mins(1), 2).len(), 2);
        assert_eq!(player.advance(Duration::ZERO, 2).len(), 0);
    }
}
