//! One prompt for five families of recommendation, each asked for in several
//! templates, some of them held out (Geng et al. 2022, "Recommendation as
//! Language Processing (RLP): A Unified Pretrain, Personalized Prompt & Predict
//! Paradigm (P5)", `RecSys`, §3.1). The paper trains a model on some templates
//! and tests it on others; here the model stays and the instruction has to hold
//! on wordings it was not chosen on. The wordings are this project's own.

use std::sync::Arc;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::{DataError, DataProblem};
use shiftproof_tasks::parse::likelihood::CandidateScoring;
use shiftproof_tasks::parse::unparseable;
use shiftproof_tasks::{
    Answer, AnswerForm, Demonstration, Example, FieldTemplate, Input, Label, Message, Metric,
    Outcome, Prompt, Reply, Request, Task, field, render,
};

use super::generated::{self, GeneratedTask};
use super::pointwise::{self, quoted};
use super::ranking::{self, RankingMode, RankingTask};
use super::{TaskDeclaration, TaskSpec};
use crate::history::numbered;
use crate::{ExampleNeeds, ItemCatalogue, PromptTemplates, TemplateGrouping};

mod wordings;

/// Options of `kind = "p5"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct P5Spec {
    /// Which of the five.
    pub family: P5Family,
    /// The seed instruction, the same in all templates; the family's own where
    /// absent.
    #[serde(default)]
    pub prompt: String,
    /// How templates form groups.
    #[serde(default)]
    pub groups: TemplateGrouping,
    /// With `explanation` and `review`: what of an input is shown, `{field}` for
    /// a value; templates wrap it.
    #[serde(default)]
    pub input: Option<String>,
    /// With `sequential` and `direct`: how the ranking is obtained.
    #[serde(default = "answer")]
    pub answer: RankingMode,
    /// With likelihood: what titles are ordered by.
    #[serde(default)]
    pub scoring: CandidateScoring,
    /// With `sequential` and `direct`: how the answer begins, for the model to
    /// go on from.
    #[serde(default)]
    pub lead: String,
    /// With `rating`: the scale's ends.
    #[serde(default = "generated::scale")]
    pub scale: [f64; 2],
    /// Most items of the history shown, the latest ones.
    #[serde(default = "generated::window")]
    pub window: usize,
    /// What an item is called: movie, book, … Absent: what the data call it.
    #[serde(default)]
    pub item: Option<String>,
    /// What users do with items: watched, bought, …
    #[serde(default = "generated::action")]
    pub action: String,
    /// The family's own where absent: `rmse`, `ndcg@10` or `rouge-l`.
    #[serde(default)]
    pub metric: Option<Metric>,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum P5Family {
    /// How the user will rate the item, a number. Pointwise examples.
    Rating,
    /// Which item comes next. Listwise examples.
    Sequential,
    /// Why the user likes the item. A text label.
    Explanation,
    /// A review in a few words. A text label.
    Review,
    /// Which of the candidates suit the user. Listwise examples.
    Direct,
}

fn answer() -> RankingMode {
    RankingMode::List
}

impl P5Spec {
    fn seed(&self, item: &str) -> String {
        if !self.prompt.trim().is_empty() {
            return self.prompt.clone();
        }
        let [low, high] = self.scale;
        match (self.family, self.answer) {
            (P5Family::Rating, _) => format!(
                "Predict the rating that the user gives. Answer with one number between {low} \
                 and {high} and nothing else."
            ),
            (P5Family::Sequential | P5Family::Direct, RankingMode::Likelihood) => {
                format!("Name the {item} that the user will want.")
            }
            (P5Family::Sequential | P5Family::Direct, RankingMode::List) => format!(
                "Recommend {item}s that the user will want. Answer with a numbered list of ten \
                 titles, the best first, and nothing else."
            ),
            (P5Family::Explanation, _) => {
                "Give the user's reason for liking this in one sentence.".to_owned()
            }
            (P5Family::Review, _) => "Condense the review to ten words or fewer.".to_owned(),
        }
    }

    /// The task that reads and grades answers, and the fields it needs.
    fn reader(
        &self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<(AnswerReader, Vec<String>), DataError> {
        let seed = self.seed(pointwise::common_word(self.item.as_deref(), catalogue));
        let names = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect();
        let (form, template) = match self.family {
            P5Family::Sequential | P5Family::Direct => {
                let direct = self.family == P5Family::Direct;
                if !direct {
                    ranking::needs_catalogue("family", catalogue)?;
                }
                let ranker = RankingTask {
                    by: self.answer,
                    scoring: self.scoring,
                    window: self.window,
                    chose: self.action.clone(),
                    shown: direct,
                    lead: self.lead.clone(),
                    catalogue: catalogue.cloned(),
                    ..RankingTask::new(study, seed, self.metric.unwrap_or(Metric::Ndcg(10)))
                };
                let fields = [field::HISTORY, field::CANDIDATES];
                let fields = names(&fields[..if direct { 2 } else { 1 }]);
                return Ok((AnswerReader::Ranks(ranker.check()?), fields));
            }
            P5Family::Rating => (
                generated::rating(self.scale)?,
                FieldTemplate::new(generated::RATED)?,
            ),
            P5Family::Explanation | P5Family::Review => (
                generated::sentence(),
                generated::shown(self.input.as_deref())?,
            ),
        };
        let fields = names(&template.fields().into_iter().collect::<Vec<_>>());
        let task = GeneratedTask {
            name: study.to_owned(),
            seed,
            template,
            metric: generated::metric(&form, self.metric)?,
            form,
            rated: 0,
        };
        Ok((AnswerReader::Writes(task), fields))
    }
}

impl TaskSpec for P5Spec {
    const KIND: &'static str = "p5";

    fn declare(
        self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        let texts = matches!(self.family, P5Family::Explanation | P5Family::Review);
        if self.input.is_some() && !texts {
            return Err(DataProblem::new(
                "task.input",
                "this family's templates show the input themselves",
            )
            .help("remove it; it is for explanation and review")
            .into());
        }
        if self.window == 0 {
            return Err(
                DataProblem::new("task.window", "shows nothing of any history")
                    .help("use 1 or more")
                    .into(),
            );
        }
        let word = pointwise::common_word(self.item.as_deref(), catalogue).to_owned();
        let (reader, fields) = self.reader(study, catalogue)?;
        let wordings = wordings::of(self.family)
            .into_iter()
            .map(|(name, text)| Ok((name, FieldTemplate::new(text)?)))
            .collect::<Result<Vec<_>, DataProblem>>()?;
        let names = wordings.iter().map(|(name, _)| (*name).to_owned());
        let templates = PromptTemplates {
            names: names.collect(),
            grouping: self.groups,
            needs: ExampleNeeds::default(),
        };
        let [low, high] = self.scale;
        let task = P5Task {
            reader,
            wordings,
            window: self.window,
            words: [
                ("thing", word),
                ("action", self.action),
                ("low", low.to_string()),
                ("high", high.to_string()),
            ],
        };
        Ok(TaskDeclaration {
            task: Arc::new(task),
            fields,
            templates: Some(templates),
        })
    }
}

/// What an answer is, apart from how it is asked for.
enum AnswerReader {
    Ranks(RankingTask),
    Writes(GeneratedTask),
}

struct P5Task {
    reader: AnswerReader,
    /// Templates by name.
    wordings: Vec<(&'static str, FieldTemplate)>,
    window: usize,
    /// What the wordings call things, by the name of the place.
    words: [(&'static str, String); 4],
}

impl P5Task {
    fn reader(&self) -> &dyn Task {
        match &self.reader {
            AnswerReader::Ranks(task) => task,
            AnswerReader::Writes(task) => task,
        }
    }

    /// The template that was dealt to this input, or why there is none.
    fn wording(&self, input: &Input) -> Result<&FieldTemplate, String> {
        let id = &input.id;
        let Some(dealt) = input.fields.get(field::TEMPLATE) else {
            return Err(format!(
                "the example {id:?} has no field {:?}: the task's phrasings were not dealt to \
                 the examples",
                field::TEMPLATE
            ));
        };
        let found = self.wordings.iter().find(|(name, _)| name == dealt);
        found.map(|(_, template)| template).ok_or_else(|| {
            let names: Vec<&str> = self.wordings.iter().map(|(name, _)| *name).collect();
            format!(
                "the example {id:?} has the template {dealt:?}; there is {}",
                names.join(", ")
            )
        })
    }

    /// The input with the latest of each list only.
    fn cut(&self, input: &Input) -> Input {
        let mut cut = input.clone();
        for name in [field::HISTORY, field::LIKED, field::DISLIKED] {
            if let Some(text) = cut.fields.get_mut(name) {
                let titles: Vec<&str> = field::entries(text).collect();
                *text = titles[titles.len().saturating_sub(self.window)..].join("\n");
            }
        }
        cut
    }

    /// What fills a template's places.
    fn parts(&self, input: &Input) -> Input {
        let input = &self.cut(input);
        let mut parts = Input::new(&input.id, "");
        for name in [field::HISTORY, field::LIKED, field::DISLIKED] {
            let titles: Vec<&str> = field::entries(input.field(name)).collect();
            put(&mut parts, name, &titles);
        }
        let candidates: Vec<&str> = field::entries(input.field(field::CANDIDATES)).collect();
        put(&mut parts, field::CANDIDATES, &candidates);
        let mut set = |name: &str, text: String| parts.fields.insert(name.to_owned(), text);
        // Nothing is known of most users; then no template speaks of it.
        let (who, profile) = match input.field(field::USER) {
            "" => ("user".to_owned(), String::new()),
            known => (format!("user ({known})"), format!("User: {known}\n")),
        };
        set("user", who);
        set("profile", profile);
        set("item", input.field(field::ITEM).to_owned());
        for (name, word) in &self.words {
            set(name, word.clone());
        }
        match &self.reader {
            AnswerReader::Writes(task) => set("input", task.render(input)),
            AnswerReader::Ranks(task) => {
                let listed = task.shows_candidates() && !candidates.is_empty();
                let list = format!("Candidates:\n{}\n\n", numbered(&candidates));
                set("choices", if listed { list } else { String::new() })
            }
        };
        parts
    }
}

/// A list in the three ways that templates show one.
fn put(parts: &mut Input, name: &str, titles: &[&str]) {
    let or_none = |text: String| {
        if text.is_empty() {
            "none".to_owned()
        } else {
            text
        }
    };
    for (way, text) in [
        ("quotes", quoted(titles.iter().copied())),
        ("lines", or_none(titles.join("\n"))),
        ("numbers", or_none(numbered(titles))),
    ] {
        parts.fields.insert(format!("{name} as {way}"), text);
    }
}

impl Task for P5Task {
    fn name(&self) -> &str {
        self.reader().name()
    }

    fn seed(&self) -> Prompt {
        self.reader().seed()
    }

    fn answer_form(&self, input: &Input) -> AnswerForm {
        self.reader().answer_form(input)
    }

    fn metric(&self) -> Metric {
        self.reader().metric()
    }

    /// Empty without a template: [`score`](Task::score) says why.
    fn render(&self, input: &Input) -> String {
        self.wording(input)
            .map(|wording| wording.render(&self.parts(input)))
            .unwrap_or_default()
    }

    fn content(&self, input: &Input) -> String {
        self.reader().render(&self.cut(input))
    }

    fn request(&self, prompt: &Prompt, input: &Input) -> Request {
        let text = self.render(input);
        match &self.reader {
            AnswerReader::Ranks(ranker) => {
                let nobody = Input::new(&input.id, "")
                    .with_field(field::TEMPLATE, input.field(field::TEMPLATE));
                ranker.ask(prompt, input, &text, &self.render(&nobody))
            }
            AnswerReader::Writes(task) => Request {
                messages: vec![Message::user(render::message(prompt, &text))],
                answer: task.answer_form(input),
            },
        }
    }

    /// Without a wording, so that proposals are not fitted to one.
    fn demonstration(&self, example: &Example) -> Demonstration {
        let input = self.cut(&example.input);
        self.reader()
            .demonstration(&input.with_label(example.label.clone()))
    }

    fn parse(&self, input: &Input, reply: &Reply) -> Answer {
        match self.wording(input) {
            Ok(_) => self.reader().parse(input, reply),
            Err(reason) => unparseable(&reason),
        }
    }

    fn grade(&self, answer: &Answer, label: &Label) -> Outcome {
        self.reader().grade(answer, label)
    }

    fn score(&self, example: &Example, reply: &Reply) -> Outcome {
        match self.wording(&example.input) {
            Ok(_) => self.reader().score(example, reply),
            Err(reason) => Outcome::Failed { reason },
        }
    }
}
