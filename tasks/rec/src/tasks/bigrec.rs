//! `BIGRec`: the model writes a title, the nearest real items in an embedding
//! space are what it means (Bao et al. 2023, "A Bi-Step Grounding Paradigm for
//! Large Language Models in Recommendation Systems", §3).

use std::sync::Arc;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::{DataError, DataProblem};
use shiftproof_tasks::parse::title_matcher::TitleMatcher;
use shiftproof_tasks::parse::{lists, nearest, thoughts, unparseable};
use shiftproof_tasks::{
    Answer, AnswerForm, Demonstration, Example, Finish, Fitting, Input, Label, Message, Metric,
    Outcome, Prompt, Reply, Request, Task, field,
};

use super::ranking::{self, RankingTask};
use super::{TaskDeclaration, TaskSpec};
use crate::{ItemCatalogue, RecommenderKind, recommender};

/// Options of `kind = "bigrec"`. Reads listwise examples and needs a catalogue.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BigRecSpec {
    /// The seed instruction.
    pub prompt: String,
    /// What distances are weighed by: the scores of this recommender after the user's
    /// history, scaled to 0..1 over the candidates.
    pub inject: RecommenderKind,
    /// How much: distances, scaled to 0..1, are multiplied by (1 + w)^−γ (§3.3
    /// of the paper).
    pub gamma: WeightStrength,
    /// Most items of the history shown, the latest ones.
    pub window: usize,
    /// What users do with items: watched, bought, …
    pub action: String,
    /// Whether what is known of the user is shown.
    pub user: bool,
    /// How the answer begins, for the title to follow.
    pub lead: String,
    /// `ndcg@K`, `hr@K`, `recall@K` or `mrr`.
    pub metric: Metric,
}

/// The strength γ of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expected a number of 0 or more, or \"auto\"")]
pub enum WeightStrength {
    /// As given; 0 is the plain order.
    Fixed(f64),
    /// For each prompt the one of [`GRID`] that ranks labelled source examples
    /// outside the audit best.
    Auto(AutoKeyword),
}

/// The word that asks for a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AutoKeyword {
    /// `"auto"`.
    Auto,
}

/// The strengths tried, the plain order first: it wins ties.
const GRID: [f64; 8] = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0];

/// Fewer examples than this choose by luck.
const LEAST: usize = 16;

impl Default for BigRecSpec {
    fn default() -> Self {
        Self {
            prompt: "Name one item that the user will want next. Answer with its title alone, in \
                     quotation marks."
                .to_owned(),
            inject: RecommenderKind::Popularity,
            gamma: WeightStrength::Fixed(0.0),
            window: 10,
            action: "watched".to_owned(),
            user: false,
            lead: String::new(),
            metric: Metric::Ndcg(10),
        }
    }
}

/// Tokens of a title at most.
const TITLE: u32 = 32;

impl TaskSpec for BigRecSpec {
    const KIND: &'static str = "bigrec";

    fn recommenders(&self) -> Vec<RecommenderKind> {
        vec![self.inject]
    }

    fn declare(
        self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        let catalogue = ranking::required("bigrec grounds titles in a catalogue", catalogue)?;
        recommender::offered("inject", self.inject, catalogue)?;
        if let WeightStrength::Fixed(gamma) = self.gamma
            && (!gamma.is_finite() || gamma < 0.0)
        {
            return Err(
                DataProblem::new("task.gamma", format!("{gamma} is no strength"))
                    .help("use 0 for the plain order, a number above it, or \"auto\"")
                    .into(),
            );
        }
        let task = BigRec {
            inject: self.inject,
            gamma: self.gamma,
            ranker: RankingTask {
                window: self.window,
                chose: self.action,
                user: self.user,
                lead: self.lead,
                catalogue: Some(catalogue.clone()),
                ..RankingTask::new(study, self.prompt, self.metric)
            }
            .check()?,
            catalogue: catalogue.clone(),
        };
        Ok(TaskDeclaration::new(task, &[field::HISTORY]))
    }
}

struct BigRec {
    ranker: RankingTask,
    inject: RecommenderKind,
    gamma: WeightStrength,
    catalogue: Arc<ItemCatalogue>,
}

impl BigRec {
    /// Weights of these titles, in their order.
    fn weights(&self, input: &Input, titles: &[String]) -> Vec<f64> {
        let items: Vec<u32> = titles
            .iter()
            .filter_map(|title| self.catalogue.find(title))
            .collect();
        // A title of no item, as candidates from a file may hold, shifts all others: no
        // weight is right then.
        if items.len() != titles.len() {
            return vec![0.0; titles.len()];
        }
        let history: Vec<&str> = field::entries(input.field(field::HISTORY)).collect();
        let weights = self.catalogue.scores(self.inject, &history, &items);
        scaled(&weights)
    }
}

/// Distances weighed by what else is known: minmax(d) · (1 + w)^−γ.
fn inject(distances: &[f32], weights: &[f64], gamma: f64) -> Vec<f64> {
    let distances: Vec<f64> = distances.iter().map(|&d| f64::from(d)).collect();
    scaled(&distances)
        .into_iter()
        .zip(weights)
        .map(|(distance, weight)| distance * (1.0 + weight).powf(-gamma))
        .collect()
}

/// Scaled to 0..1; all 0 where all are equal. NaN stays NaN.
fn scaled(values: &[f64]) -> Vec<f64> {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = if most > least { most - least } else { 1.0 };
    values.iter().map(|value| (value - least) / range).collect()
}

/// The title that a reply writes: its first quoted text, else its first line.
fn title(text: &str) -> String {
    let text = thoughts::answer(text).unwrap_or_default();
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let line = line.unwrap_or_default();
    let parts: Vec<&str> = line.split(['"', '“', '”']).map(str::trim).collect();
    let quoted = match parts.as_slice() {
        // A begun answer ends in the opening quote; what is said closes it.
        [before, _] if !before.is_empty() => before,
        [_, after] => after,
        [_, between, ..] => between,
        _ => "",
    };
    if quoted.is_empty() {
        lists::bare(line).to_owned()
    } else {
        quoted.to_owned()
    }
}

impl Task for BigRec {
    fn name(&self) -> &str {
        self.ranker.name()
    }

    fn seed(&self) -> Prompt {
        self.ranker.seed()
    }

    fn answer_form(&self, input: &Input) -> AnswerForm {
        AnswerForm::Nearest {
            candidates: self.ranker.candidates(input),
        }
    }

    fn metric(&self) -> Metric {
        self.ranker.metric()
    }

    fn fitting(&self) -> Option<&dyn Fitting> {
        matches!(self.gamma, WeightStrength::Auto(_)).then_some(self)
    }

    fn embeds(&self) -> bool {
        true
    }

    fn render(&self, input: &Input) -> String {
        // The candidates are what the title is grounded in, not a choice shown.
        self.ranker.render(&ranking::open(input))
    }

    fn calls(&self) -> usize {
        2
    }

    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        Request {
            answer: AnswerForm::Text { max_tokens: TITLE },
            ..self.ranker.request(prompt, &ranking::open(input))
        }
    }

    fn next(&self, _: &Prompt, input: &Input, replies: &[Reply]) -> Option<Request> {
        let said = replies.first()?;
        let title = title(&said.text);
        (said.finish != Finish::Filtered && !title.is_empty()).then(|| Request {
            messages: vec![Message::user(title)],
            answer: self.answer_form(input),
        })
    }

    /// What was written, with the distances of the candidates. A title that is
    /// written as it stands, or up to a slip, is at distance 0: the states of
    /// small models move far with a single letter.
    fn conclude(&self, input: &Input, replies: Vec<Reply>) -> Reply {
        let mut replies = replies.into_iter();
        let said = replies.next().unwrap_or_else(|| Reply::text(""));
        let mut distances = replies.next().and_then(|compared| compared.distances);
        if let Some(distances) = &mut distances {
            let titles = TitleMatcher::new(self.ranker.candidates(input));
            let meant = titles.find(&title(&said.text));
            let place = titles
                .titles()
                .iter()
                .position(|title| Some(title.as_str()) == meant);
            if let Some(distance) = place.and_then(|place| distances.get_mut(place)) {
                *distance = 0.0;
            }
        }
        Reply { distances, ..said }
    }

    fn demonstration(&self, example: &Example) -> Demonstration {
        let shown = self.ranker.demonstration(example);
        Demonstration {
            answer: format!("\"{}\"", shown.answer),
            ..shown
        }
    }

    fn parse(&self, input: &Input, reply: &Reply) -> Answer {
        let candidates = self.ranker.candidates(input);
        let Some(distances) = &reply.distances else {
            // A method without a model lists titles; a model that wrote nothing
            // has no title to be grounded.
            return self.ranker.parse(input, reply);
        };
        if distances.len() != candidates.len() {
            return unparseable("the distances do not fit the candidates");
        }
        match self.gamma {
            WeightStrength::Fixed(gamma) => {
                let weights = self.weights(input, &candidates);
                nearest::answer(&candidates, &inject(distances, &weights, gamma))
            }
            // Weighed already by what was learnt, or nothing was.
            WeightStrength::Auto(_) => nearest::answer(&candidates, distances),
        }
    }

    fn grade(&self, answer: &Answer, label: &Label) -> Outcome {
        self.ranker.grade(answer, label)
    }
}

impl Fitting for BigRec {
    /// The γ of [`GRID`] with the best mean reciprocal rank: unlike a metric of
    /// the first places it moves with every place.
    fn fit(&self, graded: &[(&Example, &Reply)]) -> Option<Vec<f64>> {
        let mut sums = [0.0; GRID.len()];
        let mut examples = 0;
        for (example, reply) in graded {
            let (Some(distances), Label::Relevant(relevant)) = (&reply.distances, &example.label)
            else {
                continue;
            };
            let candidates = self.ranker.candidates(&example.input);
            let places: Vec<usize> = (0..candidates.len())
                .filter(|&place| relevant.contains(&candidates[place]))
                .collect();
            if distances.len() != candidates.len() || places.is_empty() {
                continue;
            }
            examples += 1;
            let weights = self.weights(&example.input, &candidates);
            for (sum, gamma) in sums.iter_mut().zip(GRID) {
                let values = inject(distances, &weights, gamma);
                let rank = |place: usize| {
                    let before = |(other, value): (usize, &f64)| {
                        *value < values[place] || (*value == values[place] && other < place)
                    };
                    values
                        .iter()
                        .enumerate()
                        .filter(|&pair| before(pair))
                        .count()
                        + 1
                };
                let first = places.iter().map(|&place| rank(place)).min().unwrap_or(1);
                *sum += 1.0 / first as f64;
            }
        }
        let best = (0..GRID.len()).reduce(
            |best, next| {
                if sums[next] > sums[best] { next } else { best }
            },
        )?;
        (examples >= LEAST).then(|| vec![GRID[best]])
    }

    fn describe(&self, fit: Option<&[f64]>) -> String {
        match fit {
            Some([gamma]) => format!("task.gamma = {gamma}, learnt from labelled source examples"),
            _ => format!(
                "task.gamma = 0, for fewer than {LEAST} labelled source examples \
                 (groups.validation) tell of another"
            ),
        }
    }

    fn apply(&self, input: &Input, mut reply: Reply, fit: &[f64]) -> Reply {
        if let (Some(distances), [gamma]) = (&mut reply.distances, fit) {
            let candidates = self.ranker.candidates(input);
            if distances.len() == candidates.len() {
                let weights = self.weights(input, &candidates);
                let weighed = inject(distances, &weights, *gamma);
                *distances = weighed.into_iter().map(|value| value as f32).collect();
            }
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gamma_zero_changes_no_weight() {
        let distances = [3.0, 2.0, 5.0, 4.0];
        let weights = [1.0, 0.0, 1.0, 0.0];
        let plain = inject(&distances, &weights, 0.0);
        assert_eq!(plain, [1.0 / 3.0, 0.0, 1.0, 2.0 / 3.0]);
        // 1 · 2^−1 < 2/3: the popular one passes.
        let pulled = inject(&distances, &weights, 1.0);
        assert_eq!(pulled, [1.0 / 6.0, 0.0, 0.5, 2.0 / 3.0]);
        assert_eq!(scaled(&[2.0, 2.0]), [0.0, 0.0]);
        assert!(scaled(&[f64::NAN, 1.0])[0].is_nan());
    }

    #[test]
    fn titles_are_cut_from_text() {
        for (said, expected) in [
            ("\"Heat (1995)\"", "Heat (1995)"),
            ("Heat (1995)\nIt is a thriller.", "Heat (1995)"),
            (" I would name \"Heat\" because \"it\" fits.", "Heat"),
            ("Heat (1995)\" is next", "Heat (1995)"),
            ("1. **Heat (1995)**", "Heat (1995)"),
            ("<think>Big?</think>\n“Heat”", "Heat"),
            ("\n \n", ""),
        ] {
            assert_eq!(title(said), expected, "{said}");
        }
    }
}
