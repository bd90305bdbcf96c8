//! The search as a library: a recommender with a task, an observer and a model of one's
//! own.
//!
//! ```text
//! cargo run --example library_recommender
//! ```
//!
//! A listener's history and six candidates go to the model, which ranks them. The prompt
//! is tuned on what is played by day and has to hold at night, when tastes follow the last
//! track rather than the charts. `Radio` stands for a client of yours: it ranks by the
//! charts unless the prompt points it to what was played last, and writes prompts too.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex};

use shiftproof::search::event::{Event, Phase, RunObserver};
use shiftproof::tasks::{AnswerForm, Example, Input, Label, Metric, Prompt, Reply, Task};
use shiftproof::{
    Capabilities, GroupsSpec, Llm, LlmError, ModelCall, ModelChoice, ObjectiveName, Optimization,
    OptimizationError, RunResult, async_trait,
};

/// Tracks by genre, the most played first.
const GENRES: [(&str, [&str; 4]); 3] = [
    (
        "jazz",
        ["Blue Corner", "Late Brass", "Soft Ride", "Walking Bass"],
    ),
    (
        "folk",
        ["River Song", "Old Mill", "Barefoot", "Harvest Reel"],
    ),
    ("techno", ["Grid", "Night Loop", "Carrier", "Static Field"]),
];

/// Ranks six candidates for a listener.
struct NextTrack;

impl Task for NextTrack {
    fn name(&self) -> &'static str {
        "next-track"
    }

    fn seed(&self) -> Prompt {
        Prompt::new("Rank the candidates by how likely the listener plays them next.")
    }

    fn answer_form(&self, input: &Input) -> AnswerForm {
        let candidates = input.field("candidates").split(" | ");
        AnswerForm::Ranking {
            candidates: candidates.map(str::to_owned).collect(),
        }
    }

    fn metric(&self) -> Metric {
        Metric::Ndcg(3)
    }

    fn render(&self, input: &Input) -> String {
        format!(
            "Listener {}, latest last: {}\nCandidates:\n{}",
            input.field("listener"),
            input.field("history"),
            input.field("candidates").replace(" | ", "\n")
        )
    }
}

/// Ranks, and writes prompts.
struct Radio;

#[async_trait]
impl Llm for Radio {
    fn identity(&self) -> &'static str {
        "radio-1"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: 1,
            concurrency: 8,
            ..Capabilities::default()
        }
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let asked = call.request.messages.last();
        let asked = asked.map_or("", |message| message.content.as_str());
        let Some(candidates) = call.request.answer.candidates() else {
            // It is asked for a prompt. The number of the sample stands for temperature.
            let hint = [
                "the charts",
                "the mood of the evening",
                "the genre of the latest track",
            ];
            let hint = hint[call.sample as usize % hint.len()];
            return Ok(Reply::text(format!(
                "<prompt>\nRank all candidates for this listener, best first, one per line. Go by \
                 {hint}.\n</prompt>"
            )));
        };
        let last = asked
            .split("latest last: ")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        let last = last
            .and_then(|history| history.rsplit("; ").next())
            .unwrap_or("");
        let by_genre = asked.contains("the genre of the latest track");
        let mut ranked: Vec<&String> = candidates.iter().collect();
        ranked.sort_by_key(|track| {
            let near = by_genre && genre(track) == genre(last);
            (!near, place_in_charts(track))
        });
        let lines: Vec<&str> = ranked.into_iter().map(String::as_str).collect();
        Ok(Reply::text(lines.join("\n")))
    }
}

fn genre(track: &str) -> &'static str {
    let found = GENRES.iter().find(|(_, tracks)| tracks.contains(&track));
    found.map_or("", |(genre, _)| genre)
}

fn place_in_charts(track: &str) -> usize {
    let places = GENRES
        .iter()
        .filter_map(|(_, tracks)| tracks.iter().position(|t| *t == track));
    places.min().unwrap_or(usize::MAX)
}

/// Listeners of a time of day: by day they stay with the charts, at night with a genre.
fn listeners(time: &str, count: usize) -> Vec<Example> {
    let listener = |n: usize| {
        let (_, tracks) = GENRES[n % GENRES.len()];
        let (_, others) = GENRES[(n + 1 + n / 7 % 2) % GENRES.len()];
        let by_charts = if time == "day" {
            !n.is_multiple_of(3)
        } else {
            n.is_multiple_of(8)
        };
        let next = if by_charts {
            others[0]
        } else {
            tracks[1 + n / 3 % 3]
        };
        let mut candidates = vec![next, others[0], others[1], others[2], tracks[2], tracks[3]];
        candidates.sort_unstable();
        candidates.dedup();
        Input::new(format!("{time}-{n}"), time)
            .with_field("history", format!("{}; {}", others[3], tracks[0]))
            .with_field("candidates", candidates.join(" | "))
            .with_field("listener", format!("{n} by {time}"))
            .with_label(Label::Relevant(vec![next.to_owned()]))
    };
    (0..count).map(listener).collect()
}

/// Counts what each phase looked at.
#[derive(Clone, Default)]
pub struct PhaseCounter(Arc<Mutex<BTreeMap<Phase, usize>>>);

impl RunObserver for PhaseCounter {
    fn event(&mut self, event: &Event, _replayed: bool) {
        if let Event::Answered { phase, answers, .. } = event {
            let mut counts = self
                .0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            *counts.entry(*phase).or_default() += answers.len();
        }
    }
}

impl PhaseCounter {
    /// Answers by phase.
    pub fn counts(&self) -> BTreeMap<Phase, usize> {
        let counts = self.0.lock();
        counts
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }
}

/// Runs the search under the eyes of `observer`.
///
/// # Errors
/// Where it does not come to its end.
pub fn run(observer: PhaseCounter) -> Result<RunResult, OptimizationError> {
    Optimization::builder()
        .name("next-track")
        .task(NextTrack)
        .examples(listeners("day", 240))
        .examples(listeners("night", 200))
        .groups(GroupsSpec {
            source: vec!["day".to_owned()],
            target: vec!["night".to_owned()],
            train: Some(40),
            validation: Some(80),
            labelled: Some(40), // labels of the target that the search may use
            audit: Some(100),
            ..GroupsSpec::default()
        })
        .model(ModelChoice::llm(Radio))
        .objective(ObjectiveName::Robust)
        .observer(observer)
        .in_memory()
        .run_blocking()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let observer = PhaseCounter::default();
    let result = run(observer.clone())?;
    let mut out = io::stdout();
    for (phase, answers) in observer.counts() {
        writeln!(out, "{phase}: {answers} answers")?;
    }
    writeln!(
        out,
        "\n{}\n\n{}",
        result.verdict.sentence, result.selected.instruction
    )?;
    if !result.is_better() {
        writeln!(out, "the prompt in use stays")?;
    }
    Ok(())
}
