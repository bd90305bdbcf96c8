//! Programs that answer JSON lines: an agent or a pipeline as the model, a program
//! that scores answers or renders requests.
//!
//! A process lives as long as the client. It gets one JSON object a line on standard
//! input and answers each with one JSON object a line on standard output. `"line"`
//! numbers the question; an answer that repeats it may come out of turn, one without it
//! answers the oldest question that is open. `"left"` counts the questions that were
//! sent along and follow, for programs that answer many at once. Standard error is for
//! its own words: the last of them are shown when it fails. At the end of its input a
//! program is to end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use shiftproof_search::{Capabilities, Llm, LlmError, ModelCall};
use shiftproof_tasks::{AnswerForm, Finish, Reply, Usage};
use tokio::sync::Semaphore;

use self::process::{Process, ProcessFault};
use crate::counts::count;

mod process;
mod secrets;
#[cfg(all(test, unix))]
mod tests;

/// Questions in a row without an answer after which nothing more is asked.
const IN_A_ROW: u32 = 3;
/// Characters of an answer that are shown where it is none.
const SHOWN: usize = 200;

/// What the lines of a program are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandDialect {
    /// A model's: messages in, a text out.
    Messages,
    /// Whatever the one message of a request holds, which is a JSON object; the whole
    /// object that comes back is the reply's text. It costs nothing, and is not
    /// [metered](Llm::is_metered).
    Lines,
}

/// A program and how it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandConfig {
    /// The program and its arguments; never empty.
    pub command: Vec<String>,
    /// The folder it is started in.
    pub folder: PathBuf,
    /// What names it in stores: it should change whenever its answers may.
    pub identity: String,
    /// What its lines are.
    pub dialect: CommandDialect,
    /// How many processes there are at most, each with one batch of questions at a time.
    pub processes: usize,
    /// Questions that are sent along at once.
    pub batch: usize,
    /// How long it may be silent while a question is open.
    pub timeout: Duration,
    /// Tokens that it is asked to keep to, where the user says so.
    pub max_tokens: Option<u32>,
}

/// See the [module](self).
pub struct CommandLlm {
    config: CommandConfig,
    places: Semaphore,
    idle: Mutex<Vec<Process>>,
    next_line: AtomicU64,
    /// It has answered at least once.
    has_answered: AtomicBool,
    /// Questions without an answer since the last that had one.
    in_a_row: AtomicU32,
    secrets: secrets::EnvironmentSecrets,
}

/// Questions that were not all answered.
struct FailedExchange {
    /// The process ended without an answer: where it had been idle, maybe before it
    /// was asked.
    had_ended: bool,
    /// What went wrong, for people.
    told: String,
}

/// What came of one question.
type Answered = Result<Map<String, Value>, LlmError>;

impl CommandLlm {
    /// A client that starts its first process now, so that a program that cannot be
    /// started is told before anything is asked.
    ///
    /// # Errors
    /// Why it cannot be started, with what to do about it.
    pub fn start(config: CommandConfig) -> Result<Self, String> {
        let llm = Self {
            places: Semaphore::new(config.processes.max(1)),
            idle: Mutex::new(Vec::new()),
            next_line: AtomicU64::new(0),
            has_answered: AtomicBool::new(false),
            in_a_row: AtomicU32::new(0),
            secrets: secrets::EnvironmentSecrets::of_environment(),
            config,
        };
        let first = llm.spawn()?;
        llm.put_back(first);
        Ok(llm)
    }

    /// What went wrong where the program ended with a failure before it was asked
    /// anything, as one does that lacks a file or a library; it is given `patience` to.
    pub async fn early_end(&self, patience: Duration) -> Option<String> {
        // Whoever asks meanwhile has the process first, and is told by its answer.
        let _place = self.places.try_acquire().ok()?;
        let mut process = self.idle()?;
        let ended = process.failure_within(patience).await;
        self.put_back(process);
        let (how, words) = ended?;
        let mut told = format!(
            "the program {} {how} before it was asked anything",
            self.shown()
        );
        for line in words {
            told.push_str("\n    ");
            told.push_str(&self.secrets.mask(&line));
        }
        Some(told)
    }

    fn spawn(&self) -> Result<Process, String> {
        let (program, arguments) = match self.config.command.split_first() {
            Some((program, arguments)) if !program.is_empty() => (program, arguments),
            _ => return Err("the command names no program".to_owned()),
        };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.config.folder);
        Process::start(command).map_err(|error| {
            format!(
                "the program {} cannot be started in {}: {error}\n  is it installed and executable, \
                 is it spelt as on the command line, and are paths in it relative to the study's \
                 folder?",
                self.shown(),
                self.config.folder.display()
            )
        })
    }

    /// The command for people.
    fn shown(&self) -> String {
        format!("`{}`", self.config.command.join(" "))
    }

    fn put_back(&self, process: Process) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(process);
    }

    /// A process that has nothing to do, if there is one.
    fn idle(&self) -> Option<Process> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop()
    }

    /// Asks together; where the program fails, what is left one after the other, so that
    /// it is known which question it fails at.
    async fn ask(&self, questions: Vec<Map<String, Value>>) -> Vec<Answered> {
        // Never closed.
        let Ok(_place) = self.places.acquire().await else {
            return Vec::new();
        };
        let mut answers: Vec<Option<Answered>> = vec![None; questions.len()];
        let all: Vec<usize> = (0..questions.len()).collect();
        if let Some(told) = self.ask_some(&questions, &all, &mut answers).await {
            let mut stop = (!self.has_answered.load(Ordering::Relaxed))
                .then(|| format!("{told}\n  it has not answered one line yet"));
            for at in all {
                if answers[at].is_some() {
                    continue;
                }
                if stop.is_none()
                    && let Some(told) = self.ask_some(&questions, &[at], &mut answers).await
                {
                    let row = self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
                    if row >= IN_A_ROW {
                        stop = Some(format!("{told}\n  it failed at {row} lines in a row"));
                    } else {
                        answers[at] = Some(Err(LlmError::Request(told)));
                    }
                }
                if let Some(told) = &stop {
                    // It is the program that is to be mended: nothing is stored.
                    answers[at] = Some(Err(LlmError::Rejected(told.clone())));
                }
            }
        }
        answers.into_iter().flatten().collect()
    }

    /// Asks these questions of one process and fills in what comes back; what went
    /// wrong, if anything did. A process that failed is gone; one that had ended before
    /// it was asked anything gives its place to another.
    async fn ask_some(
        &self,
        questions: &[Map<String, Value>],
        places: &[usize],
        answers: &mut [Option<Answered>],
    ) -> Option<String> {
        while let Some(process) = self.idle() {
            match self.exchange(process, questions, places, answers).await {
                Ok(()) => return None,
                Err(fault) if fault.had_ended => {}
                Err(fault) => return Some(fault.told),
            }
        }
        let fresh = match self.spawn() {
            Ok(fresh) => fresh,
            Err(told) => return Some(told),
        };
        let came = self.exchange(fresh, questions, places, answers).await;
        came.err().map(|fault| fault.told)
    }

    /// As [`ask_some`](Self::ask_some), of this process.
    async fn exchange(
        &self,
        mut process: Process,
        questions: &[Map<String, Value>],
        places: &[usize],
        answers: &mut [Option<Answered>],
    ) -> Result<(), FailedExchange> {
        let first = self
            .next_line
            .fetch_add(places.len() as u64, Ordering::Relaxed);
        let mut lines = String::new();
        // Oldest first; what is answered is taken out.
        let mut open: BTreeMap<u64, usize> = BTreeMap::new();
        for (index, &at) in places.iter().enumerate() {
            let number = first + index as u64;
            let mut question = questions[at].clone();
            question.insert("line".to_owned(), number.into());
            question.insert("left".to_owned(), (places.len() - 1 - index).into());
            lines.push_str(&Value::Object(question).to_string());
            lines.push('\n');
            open.insert(number, at);
        }
        process.write(lines);
        while !open.is_empty() {
            let heard = match process.read(self.config.timeout).await {
                Ok(line) => self.understood(&line, &mut open),
                Err(fault) => Err(fault),
            };
            match heard {
                Ok((at, answer)) => {
                    self.has_answered.store(true, Ordering::Relaxed);
                    self.in_a_row.store(0, Ordering::Relaxed);
                    answers[at] = Some(said(answer));
                }
                Err(fault) => {
                    let ended = matches!(fault, ProcessFault::Ended(_));
                    return Err(FailedExchange {
                        had_ended: ended && open.len() == places.len(),
                        told: self.told(&fault, &process).await,
                    });
                }
            }
        }
        self.put_back(process);
        Ok(())
    }

    /// The question that a line answers, taken out of those that are open, and the
    /// answer.
    fn understood(
        &self,
        line: &str,
        open: &mut BTreeMap<u64, usize>,
    ) -> Result<(usize, Map<String, Value>), ProcessFault> {
        let garbage = |why: &str| {
            let shown: String = line.trim_end().chars().take(SHOWN).collect();
            Err(ProcessFault::Garbage(format!("{why}: {shown:?}")))
        };
        let masked = self.secrets.mask(line);
        let Ok(Value::Object(mut answer)) = serde_json::from_str(&masked) else {
            return garbage("a line that is no JSON object");
        };
        let number = match answer.remove("line") {
            None => open.keys().next().copied(),
            Some(number) => number.as_u64(),
        };
        answer.remove("left");
        match number.and_then(|number| open.remove(&number)) {
            Some(at) => Ok((at, answer)),
            None => garbage("an answer to a line that is not open"),
        }
    }

    /// What went wrong, for people.
    async fn told(&self, fault: &ProcessFault, process: &Process) -> String {
        let program = self.shown();
        let mut told = match fault {
            ProcessFault::Ended(how) => {
                format!("the program {program} {how} before it answered a line")
            }
            ProcessFault::Silent => format!(
                "the program {program} did not answer a line within {} s (timeout_s), and was \
                 ended; does it write each answer at once, as print(…, flush=True) does?",
                self.config.timeout.as_secs()
            ),
            ProcessFault::Garbage(what) => format!(
                "the program {program} wrote {what}; it must write one JSON object a line to \
                 standard output, and everything else to standard error"
            ),
        };
        let tail = process.tail().await;
        // The last line says most, and messages are cut at their ends.
        if let ProcessFault::Ended(_) = fault
            && let Some(last) = tail.iter().rev().find(|line| !line.trim().is_empty())
        {
            told.push_str(": ");
            told.push_str(self.secrets.mask(last).trim());
        }
        if tail.is_empty() {
            told.push_str("\n  it wrote nothing to standard error");
        } else {
            told.push_str("\n  the last it wrote to standard error:");
            for line in tail {
                told.push_str("\n    ");
                told.push_str(&self.secrets.mask(&line));
            }
        }
        told
    }

    /// The line that asks for `call`.
    fn question(&self, call: &ModelCall) -> Result<Map<String, Value>, LlmError> {
        match self.config.dialect {
            CommandDialect::Messages => messages(call),
            CommandDialect::Lines => {
                let text = call.request.messages.first();
                let text = text.map_or("", |message| message.content.as_str());
                serde_json::from_str(text).map_err(|error| {
                    LlmError::Request(format!("the line is no JSON object: {error}"))
                })
            }
        }
    }

    fn reply(&self, call: &ModelCall, answer: Map<String, Value>) -> Result<Reply, LlmError> {
        match self.config.dialect {
            CommandDialect::Messages => self.text_reply(call, &answer),
            CommandDialect::Lines => Ok(Reply::text(Value::Object(answer).to_string())),
        }
    }

    /// The reply of a model.
    fn text_reply(&self, call: &ModelCall, answer: &Map<String, Value>) -> Result<Reply, LlmError> {
        let Some(text) = answer.get("text").and_then(Value::as_str) else {
            return Err(LlmError::Request(format!(
                "the program {} answered {}, which has neither \"text\" nor \"error\"",
                self.shown(),
                Value::Object(answer.clone())
            )));
        };
        let finish = match answer.get("finish").and_then(Value::as_str) {
            None | Some("stop") => Finish::Stop,
            Some("length") => Finish::Length,
            Some("filtered") => Finish::Filtered,
            Some(other) => {
                return Err(LlmError::Request(format!(
                    "the program {} says that it finished by {other:?}, but \"finish\" is stop, \
                     length or filtered",
                    self.shown()
                )));
            }
        };
        let told = answer.get("usage");
        let tokens = |key: &str| told.and_then(|usage| usage.get(key)).and_then(count);
        let usage = match (tokens("prompt_tokens"), tokens("completion_tokens")) {
            (Some(prompt_tokens), Some(completion_tokens)) => Usage {
                prompt_tokens,
                completion_tokens,
                ..Usage::default()
            },
            _ => Usage {
                prompt_tokens: self.estimate_tokens(&call.request),
                completion_tokens: text.len() as u64 / 3 + 1,
                estimated: true,
                ..Usage::default()
            },
        };
        Ok(Reply {
            finish,
            usage,
            ..Reply::text(text)
        })
    }
}

/// What an answer says of its own state.
fn said(answer: Map<String, Value>) -> Answered {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    if let Some(why) = answer.get("unavailable") {
        return Err(LlmError::Unavailable(text(why)));
    }
    match answer.get("error") {
        None | Some(Value::Null) => Ok(answer),
        Some(why) => Err(LlmError::Request(text(why))),
    }
}

/// The line that asks a model.
fn messages(call: &ModelCall) -> Result<Map<String, Value>, LlmError> {
    let mut line = Map::new();
    match &call.request.answer {
        AnswerForm::Nearest { .. } | AnswerForm::Likelihood { .. } => {
            let why = "a program as the model answers in text: it compares no embeddings and tells \
                       no likelihoods, which this task asks for";
            return Err(LlmError::Rejected(why.to_owned()));
        }
        AnswerForm::Choice { labels } | AnswerForm::MultipleChoice { labels, .. } => {
            line.insert("labels".to_owned(), json!(labels));
        }
        AnswerForm::Json { schema, .. } => {
            line.insert("schema".to_owned(), schema.clone());
        }
        _ => {}
    }
    let messages = call.request.messages.iter();
    let messages: Vec<Value> = messages
        .map(|message| json!({"role": message.role, "content": message.content}))
        .collect();
    line.insert("messages".to_owned(), messages.into());
    line.insert("max_tokens".to_owned(), call.sampling.max_tokens.into());
    line.insert("temperature".to_owned(), json!(call.sampling.temperature));
    line.insert("sample".to_owned(), call.sample.into());
    Ok(line)
}

#[async_trait]
impl Llm for CommandLlm {
    fn identity(&self) -> &str {
        &self.config.identity
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: self.config.batch.max(1),
            concurrency: self.config.processes.max(1),
            max_tokens: self.config.max_tokens,
            ..Capabilities::default()
        }
    }

    fn is_metered(&self) -> bool {
        self.config.dialect == CommandDialect::Messages
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let answers = self.call_batch(std::slice::from_ref(call)).await;
        let none = || {
            Err(LlmError::Unavailable(
                "the program was not asked".to_owned(),
            ))
        };
        answers.into_iter().next().unwrap_or_else(none)
    }

    async fn call_batch(&self, calls: &[ModelCall]) -> Vec<Result<Reply, LlmError>> {
        let questions: Vec<Result<_, LlmError>> =
            calls.iter().map(|call| self.question(call)).collect();
        let asked = questions.iter().flatten().cloned().collect();
        let mut answers = self.ask(asked).await.into_iter();
        let reply = |(question, call): (Result<_, LlmError>, &ModelCall)| {
            let _asked: Map<String, Value> = question?;
            let lost = || {
                Err(LlmError::Unavailable(
                    "the program was not asked".to_owned(),
                ))
            };
            self.reply(call, answers.next().unwrap_or_else(lost)?)
        };
        questions.into_iter().zip(calls).map(reply).collect()
    }
}
