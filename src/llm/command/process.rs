//! One process that answers lines, and what is known of how it ended.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// A line longer than this is no answer but a stream that lost its ends.
const LONGEST: u64 = 16 << 20;
/// Lines of standard error that are kept to be shown.
const TAIL: usize = 12;
/// Bytes of each of them.
const TAIL_LINE: usize = 300;
/// How long a process that has closed its output may take to end, so that it can be
/// told how it did.
const ENDING: Duration = Duration::from_secs(2);

/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(10);

/// Why a line has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProcessFault {
    /// It ended, or closed its output.
    Ended(String),
    /// It said nothing for the time it had.
    Silent,
    /// It wrote something else.
    Garbage(String),
}

/// A running program. Dropped, it is killed.
pub(super) struct Process {
    child: Child,
    to: Sender<String>,
    from: UnboundedReceiver<Vec<u8>>,
    errors: Arc<Mutex<VecDeque<String>>>,
}

impl Process {
    /// Starts it; `command` says what, and where.
    pub(super) fn start(mut command: Command) -> std::io::Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A Ctrl-C is for this program, which lets what is on its way come back.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let lost = || std::io::Error::other("its input and output cannot be reached");
        let mut stdin = child.stdin.take().ok_or_else(lost)?;
        let stdout = child.stdout.take().ok_or_else(lost)?;
        let stderr = child.stderr.take().ok_or_else(lost)?;
        let (to, lines) = channel::<String>();
        // Each ends with its pipe: the writer when the process or this value is gone.
        thread::spawn(move || {
            for line in lines {
                let sent = stdin.write_all(line.as_bytes());
                if sent.and_then(|()| stdin.flush()).is_err() {
                    return;
                }
            }
        });
        let (heard, from) = unbounded_channel();
        thread::spawn(move || read_lines(stdout, &heard));
        let errors = Arc::new(Mutex::new(VecDeque::new()));
        let kept = errors.clone();
        thread::spawn(move || keep_tail(stderr, &kept));
        Ok(Self {
            child,
            to,
            from,
            errors,
        })
    }

    /// Hands it lines, each with its end.
    pub(super) fn write(&self, lines: String) {
        // A process that is gone is noticed where its answer is waited for.
        let _gone = self.to.send(lines);
    }

    /// Its next line.
    pub(super) async fn read(&mut self, patience: Duration) -> Result<String, ProcessFault> {
        match timeout(patience, self.from.recv()).await {
            Err(_) => Err(ProcessFault::Silent),
            Ok(None) => Err(ProcessFault::Ended(self.ending().await)),
            Ok(Some(bytes)) => String::from_utf8(bytes)
                .map_err(|error| ProcessFault::Garbage(format!("text that is no UTF-8: {error}"))),
        }
    }

    /// How it ended, waited for a moment.
    async fn ending(&mut self) -> String {
        let ended = timeout(ENDING, async {
            loop {
                match self.child.try_wait() {
                    Ok(None) => tokio::time::sleep(LOOK).await,
                    Ok(Some(status)) => return described(status),
                    Err(error) => return format!("cannot be waited for: {error}"),
                }
            }
        });
        let closed = "closed its standard output";
        ended.await.unwrap_or_else(|_| closed.to_owned())
    }

    /// How it ended and its last words, if it ends with a failure within this time.
    pub(super) async fn failure_within(
        &mut self,
        patience: Duration,
    ) -> Option<(String, Vec<String>)> {
        let ended = timeout(patience, async {
            loop {
                match self.child.try_wait() {
                    Ok(None) => tokio::time::sleep(LOOK).await,
                    Ok(Some(status)) => return Some(status),
                    Err(_) => return None,
                }
            }
        });
        let status = ended.await.ok()??;
        if status.success() {
            return None;
        }
        Some((described(status), self.tail().await))
    }

    /// The last lines that it wrote to standard error, each behind four spaces.
    pub(super) async fn tail(&self) -> Vec<String> {
        // What it wrote last may be on its way through the pipe.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let kept = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        // It is dead: this takes no time, and leaves nobody behind.
        let _status = self.child.wait();
    }
}

fn described(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("ended with exit code {code}"),
        None => format!("was ended: {status}"),
    }
}

/// Lines of at most [`LONGEST`] bytes; a longer one is cut, and is garbage then.
fn read_lines(stdout: impl Read, heard: &UnboundedSender<Vec<u8>>) {
    let mut stdout = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        match stdout.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            // Nobody listens any more.
            Ok(_) if heard.send(line).is_err() => return,
            Ok(_) => {}
        }
    }
}

fn keep_tail(stderr: impl Read, kept: &Mutex<VecDeque<String>>) {
    let mut stderr = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        match stderr.by_ref().take(64 << 10).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&line);
        let line: String = line.trim_end().chars().take(TAIL_LINE).collect();
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == TAIL {
            kept.pop_front();
        }
        kept.push_back(line);
    }
}
