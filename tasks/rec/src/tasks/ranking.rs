//! What tasks that rank items share: candidates, how they are shown and how the
//! answer is read.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::{DataError, DataProblem};
use shiftproof_tasks::metric::{borda, list_similarity};
use shiftproof_tasks::parse::{likelihood, lists, parse};
use shiftproof_tasks::{
    Answer, AnswerForm, Demonstration, Example, GradedAnswer, Input, Label, Message, Metric,
    Outcome, Prompt, Reply, Request, Task, field, read_and_grade, render,
};

use crate::ItemCatalogue;
use crate::history::{HistoryFormat, numbered, place};

/// How the ranking is obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RankingMode {
    /// By the likelihood of each title as the model's next words; a model that
    /// cannot tell writes a list.
    Likelihood,
    /// By the list that the model writes.
    List,
}

/// A task that ranks items for a user.
pub(super) struct RankingTask {
    pub name: String,
    pub prompt: String,
    pub metric: Metric,
    pub by: RankingMode,
    pub scoring: likelihood::CandidateScoring,
    pub telling: HistoryFormat,
    pub window: usize,
    /// What users do with items: watched, bought, …
    pub chose: String,
    /// Whether what is known of the user is shown.
    pub user: bool,
    /// Whether the candidates are listed in the question.
    pub shown: bool,
    /// Rankings of candidates in different orders that are merged.
    pub shuffles: usize,
    /// How the answer begins, for the model to go on from.
    pub lead: String,
    pub catalogue: Option<Arc<ItemCatalogue>>,
}

/// Titles of a worked example's history, so that several fit into one request.
const DEMONSTRATED: usize = 5;

/// Titles a model that writes a list of the whole catalogue is asked for.
const LISTED: u32 = 20;

/// `metric` if it suits rankings, with what it has to know of the catalogue.
pub(super) fn metric(
    metric: Metric,
    catalogue: Option<&Arc<ItemCatalogue>>,
) -> Result<Metric, DataError> {
    match (metric, catalogue) {
        (Metric::Coverage { places, .. }, Some(catalogue)) => {
            return Ok(Metric::Coverage {
                places,
                of: catalogue.titles().count() as u32,
            });
        }
        (Metric::Gini { places, .. }, Some(catalogue)) => {
            return Ok(Metric::Gini {
                places,
                of: catalogue.titles().count() as u32,
            });
        }
        (
            Metric::Diversity(_) | Metric::Popularity(_) | Metric::Tail(_) | Metric::InCatalogue,
            Some(_),
        ) => return Ok(metric),
        (
            Metric::Coverage { .. }
            | Metric::Diversity(_)
            | Metric::Gini { .. }
            | Metric::Popularity(_)
            | Metric::Tail(_)
            | Metric::InCatalogue,
            None,
        ) => {
            return Err(DataProblem::new(
                "task.metric",
                format!("{metric} needs a catalogue, and the data are no interactions"),
            )
            .help("use ndcg@K, hr@K, recall@K or mrr")
            .into());
        }
        _ => {}
    }
    match metric {
        Metric::Accuracy
        | Metric::Mrr
        | Metric::Ndcg(_)
        | Metric::HitRate(_)
        | Metric::Recall(_)
        | Metric::Precision(_)
        | Metric::Map(_) => Ok(metric),
        other => Err(
            DataProblem::new("task.metric", format!("{other} does not suit rankings"))
                .help(
                    "use ndcg@K, hr@K, recall@K, precision@K, map@K, mrr, coverage@K, diversity@K, \
                     gini@K, popularity@K, tail@K or in-catalogue",
                )
                .into(),
        ),
    }
}

/// The catalogue of a kind that cannot do without; `why` says what for.
pub(super) fn required<'c>(
    why: &str,
    catalogue: Option<&'c Arc<ItemCatalogue>>,
) -> Result<&'c Arc<ItemCatalogue>, DataError> {
    catalogue.ok_or_else(|| {
        DataProblem::new(
            "task.kind",
            format!("{why}, and the data are no interactions"),
        )
        .help("name interactions in [data]")
        .into()
    })
}

/// The input without its candidates: what is asked about the whole catalogue.
pub(super) fn open(input: &Input) -> Input {
    let mut input = input.clone();
    input.fields.remove(field::CANDIDATES);
    input
}

/// Whether the input has no candidates of its own: the whole catalogue is ranked.
fn is_open(input: &Input) -> bool {
    field::entries(input.field(field::CANDIDATES))
        .next()
        .is_none()
}

/// Fails without a catalogue, which `task.OPTION = "sequential"` ranks.
pub(super) fn needs_catalogue(
    option: &str,
    catalogue: Option<&Arc<ItemCatalogue>>,
) -> Result<(), DataError> {
    if catalogue.is_some() {
        return Ok(());
    }
    Err(DataProblem::new(
        format!("task.{option}"),
        "sequential grounds titles in the catalogue, and the data are no interactions",
    )
    .help(format!(
        "use {option} = \"direct\", or data with a catalogue"
    ))
    .into())
}

impl RankingTask {
    /// A written list after a history told in order; what differs is set by name.
    pub fn new(study: &str, prompt: String, metric: Metric) -> Self {
        Self {
            name: study.to_owned(),
            prompt,
            metric,
            by: RankingMode::List,
            scoring: likelihood::CandidateScoring::default(),
            telling: HistoryFormat::Sequential,
            window: 10,
            chose: "watched".to_owned(),
            user: false,
            shown: false,
            shuffles: 1,
            lead: String::new(),
            catalogue: None,
        }
    }

    /// Fails on options that do not go together.
    pub fn check(mut self) -> Result<Self, DataError> {
        self.metric = metric(self.metric, self.catalogue.as_ref())?;
        if self.telling == HistoryFormat::Fake && self.catalogue.is_none() {
            return Err(DataProblem::new(
                "task.history",
                "a fake history is drawn from the catalogue, and the data are no interactions",
            )
            .help("use another history, or set data.examples = \"listwise\"")
            .into());
        }
        if self.shuffles == 0 {
            return Err(DataProblem::new("task.shuffles", "0 asks for no ranking")
                .help("use 1 to ask once, more to merge rankings of shuffled candidates")
                .into());
        }
        if self.shuffles > 1 && !self.shows_candidates() {
            return Err(DataProblem::new(
                "task.shuffles",
                "the question does not list the candidates, so their order changes nothing",
            )
            .help("use shuffles = 1, or show_candidates = true")
            .into());
        }
        if self.window == 0 {
            return Err(
                DataProblem::new("task.window", "shows nothing of any history")
                    .help("use 1 or more")
                    .into(),
            );
        }
        Ok(self)
    }

    /// The input's candidates, or else all titles the user has not had.
    pub fn candidates(&self, input: &Input) -> Vec<String> {
        let own: Vec<String> = field::entries(input.field(field::CANDIDATES))
            .map(str::to_owned)
            .collect();
        match &self.catalogue {
            Some(catalogue) if own.is_empty() => {
                let had: Vec<&str> = field::entries(input.field(field::HISTORY)).collect();
                catalogue.new_to(&had).map(str::to_owned).collect()
            }
            _ => own,
        }
    }

    fn history(&self, input: &Input, window: usize) -> String {
        let catalogue = self.catalogue.as_deref();
        let window = self.window.min(window);
        self.telling
            .describe(input, field::HISTORY, window, &self.chose, catalogue)
    }

    /// The blocks of text that stand for an input; `history` as told.
    fn blocks(&self, input: &Input, history: &str, candidates: bool) -> String {
        let mut blocks = Vec::new();
        let user = input.field(field::USER);
        if self.user && !user.is_empty() {
            blocks.push(format!("User: {user}"));
        }
        if !history.is_empty() {
            blocks.push(format!("The user {history}"));
        }
        let own: Vec<&str> = field::entries(input.field(field::CANDIDATES)).collect();
        if candidates && !own.is_empty() {
            blocks.push(format!("Candidates:\n{}", numbered(&own)));
        }
        blocks.join("\n\n")
    }

    fn messages(&self, prompt: &Prompt, text: &str) -> Vec<Message> {
        let mut messages = vec![Message::user(render::message(prompt, text))];
        if !self.lead.is_empty() {
            messages.push(Message::assistant(&self.lead));
        }
        messages
    }

    /// The ranking in a reply to candidates in this input's order.
    fn read(&self, input: &Input, reply: &Reply) -> Answer {
        let candidates = self.candidates(input);
        if let Some(scores) = &reply.candidate_scores {
            return likelihood::answer(&candidates, scores, self.scoring);
        }
        grounded(candidates, reply)
    }

    /// The request for an input that is shown as `text`; `nobody` is the same
    /// question about a user of whom nothing is known.
    pub fn ask(&self, prompt: &Prompt, input: &Input, text: &str, nobody: &str) -> Request {
        let candidates = self.candidates(input);
        let answer = match self.by {
            RankingMode::Likelihood => AnswerForm::Likelihood {
                candidates,
                prior: match self.scoring {
                    likelihood::CandidateScoring::Corrected => {
                        self.messages(prompt, if nobody.is_empty() { "N/A" } else { nobody })
                    }
                    likelihood::CandidateScoring::Total | likelihood::CandidateScoring::Mean => {
                        Vec::new()
                    }
                },
            },
            RankingMode::List if is_open(input) => AnswerForm::Text {
                max_tokens: 24 * LISTED,
            },
            RankingMode::List => AnswerForm::Ranking { candidates },
        };
        Request {
            messages: self.messages(prompt, text),
            answer,
        }
    }

    pub fn shows_candidates(&self) -> bool {
        // What is written can only be chosen from what is seen.
        self.shown || self.by == RankingMode::List
    }
}

impl Task for RankingTask {
    fn name(&self) -> &str {
        &self.name
    }

    fn seed(&self) -> Prompt {
        Prompt::new(&self.prompt)
    }

    fn answer_form(&self, input: &Input) -> AnswerForm {
        let candidates = self.candidates(input);
        match self.by {
            RankingMode::Likelihood => AnswerForm::likelihood(candidates),
            RankingMode::List => AnswerForm::Ranking { candidates },
        }
    }

    fn metric(&self) -> Metric {
        self.metric
    }

    fn render(&self, input: &Input) -> String {
        let history = self.history(input, self.window);
        self.blocks(input, &history, self.shows_candidates())
    }

    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        let nobody = self.blocks(input, "", false);
        self.ask(prompt, input, &self.render(input), &nobody)
    }

    fn calls(&self) -> usize {
        self.shuffles
    }

    fn next(&self, prompt: &Prompt, input: &Input, replies: &[Reply]) -> Option<Request> {
        // There is no order to shuffle where the whole catalogue is ranked.
        (replies.len() < self.shuffles && !is_open(input))
            .then(|| self.request(prompt, &shuffled(input, replies.len())))
    }

    /// Rankings of shuffled candidates as one by Borda's count ("bootstrapping",
    /// Hou et al. 2024, §3.2): what a model prefers for its place in the question
    /// cancels out.
    fn conclude(&self, input: &Input, mut replies: Vec<Reply>) -> Reply {
        if replies.len() == 1 {
            return replies.remove(0);
        }
        let rankings: Vec<Vec<String>> = replies
            .iter()
            .enumerate()
            .filter_map(
                |(shuffle, reply)| match self.read(&shuffled(input, shuffle), reply) {
                    Answer::Ranking(titles) => Some(titles),
                    _ => None,
                },
            )
            .collect();
        match replies.into_iter().next() {
            Some(first) if rankings.is_empty() => first,
            _ => Reply::text(borda(rankings.iter().map(Vec::as_slice)).join("\n")),
        }
    }

    /// The latest of the history and the item chosen: with all candidates shown
    /// few examples would fit into a request.
    fn demonstration(&self, example: &Example) -> Demonstration {
        let history = self.history(&example.input, DEMONSTRATED);
        Demonstration {
            input: self.blocks(&example.input, &history, false),
            answer: example.label.to_answer(),
        }
    }

    fn parse(&self, input: &Input, reply: &Reply) -> Answer {
        self.read(input, reply)
    }

    fn grade(&self, answer: &Answer, label: &Label) -> Outcome {
        match (self.metric, answer, &self.catalogue) {
            (Metric::Diversity(k), Answer::Ranking(titles), Some(catalogue)) => {
                let genres = |title: &str| {
                    let item = catalogue.find(title);
                    item.map(|item| catalogue.genres(item).clone())
                        .unwrap_or_default()
                };
                Outcome::Scored(GradedAnswer {
                    // One item alone differs from nothing.
                    value: list_similarity::diversity(titles, k as usize, genres).unwrap_or(0.0),
                    answer: answer.clone(),
                })
            }
            (Metric::Popularity(k), Answer::Ranking(titles), Some(catalogue)) => {
                described(answer, titles, k, |title| {
                    catalogue
                        .find(title)
                        .map_or(0.0, |item| catalogue.percentile(item))
                })
            }
            (Metric::Tail(k), Answer::Ranking(titles), Some(catalogue)) => {
                described(answer, titles, k, |title| {
                    let item = catalogue.find(title);
                    f64::from(item.is_none_or(|item| catalogue.is_tail(item)))
                })
            }
            _ => self.metric.grade(answer, label),
        }
    }

    fn score(&self, example: &Example, reply: &Reply) -> Outcome {
        let (Metric::InCatalogue, Some(catalogue)) = (self.metric, &self.catalogue) else {
            return read_and_grade(self, example, reply);
        };
        match read_and_grade(self, example, reply) {
            Outcome::Scored(scored) if reply.candidate_scores.is_none() => {
                let written = lists::items(&reply.text);
                let known = written.iter().filter(|text| catalogue.knows(text)).count();
                Outcome::Scored(GradedAnswer {
                    value: known as f64 / written.len().max(1) as f64,
                    ..scored
                })
            }
            // What is scored is scored out of the catalogue.
            Outcome::Scored(scored) => Outcome::Scored(GradedAnswer {
                value: 1.0,
                ..scored
            }),
            other => other,
        }
    }
}

/// The mean of what the first places are, over those that are taken.
fn described(answer: &Answer, titles: &[String], k: u32, of: impl Fn(&str) -> f64) -> Outcome {
    let shown = &titles[..titles.len().min(k as usize)];
    let sum: f64 = shown.iter().map(|title| of(title)).sum();
    Outcome::Scored(GradedAnswer {
        value: sum / shown.len().max(1) as f64,
        answer: answer.clone(),
    })
}

/// The input with its candidates in the order of ranking number `shuffle`;
/// number 0 keeps the order given.
fn shuffled(input: &Input, shuffle: usize) -> Cow<'_, Input> {
    if shuffle == 0 {
        return Cow::Borrowed(input);
    }
    let salt = format!("{}\0{shuffle}", input.id);
    let mut candidates: Vec<&str> = field::entries(input.field(field::CANDIDATES)).collect();
    candidates.sort_by_cached_key(|title| place(&salt, title));
    let order = candidates.join("\n");
    Cow::Owned(input.clone().with_field(field::CANDIDATES, order))
}

/// The ranking that a reply writes out: items grounded in the candidates; from
/// prose, in the order in which it names them.
pub(super) fn grounded(candidates: Vec<String>, reply: &Reply) -> Answer {
    let written = Reply {
        candidate_scores: None,
        distances: None,
        ..reply.clone()
    };
    parse(&AnswerForm::Ranking { candidates }, &written)
}
