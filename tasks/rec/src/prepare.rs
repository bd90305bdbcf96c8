//! From events to examples.

use std::collections::BTreeMap;
use std::sync::Arc;

use shiftproof_tasks::diagnostic::{DataError, DataProblem, DataProblems};
use shiftproof_tasks::lint::LintFinding;
use shiftproof_tasks::{BaselinePredictions, Example, Input, Label, field};

use super::baselines::{BaselineQuery, TrainingFacts};
use super::candidates::{CandidateList, CandidateSampler};
use super::leave_one_out::{self, TargetEvent, TargetEvents, history, only_shown};
use super::list_builder::Lists;
use super::{
    ExampleForm, FileLayout, GroupShift, Interaction, Interactions, ItemCatalogue, PointwiseTarget,
    RecSpec, RecommendationFiles, SequencePart, TieOrder, baselines, core_events, moments, shift,
    target_findings, text,
};

/// Examples, and what was learnt from the training part.
#[derive(Debug, Clone)]
pub struct PreparedExamples {
    /// The examples, by user and time.
    pub examples: Vec<Example>,
    /// The items; none where the files hold ready rows.
    pub catalogue: Option<Arc<ItemCatalogue>>,
    /// What recommenders are trained on and asked; none where the files hold ready rows.
    pub sequences: Option<SequencePart>,
    /// What methods without a language model predict for the examples.
    pub baselines: Vec<BaselinePredictions>,
    /// What is worth a look: doubtful encodings, items without titles, targets
    /// that were left out.
    pub findings: Vec<LintFinding>,
}

impl RecSpec {
    /// Reads these files, relative to `root`, and prepares their examples.
    ///
    /// # Errors
    /// [`DataError`], as `file:line` or by the study's key.
    pub fn load(
        &self,
        root: &std::path::Path,
        files: &[String],
    ) -> Result<PreparedExamples, DataError> {
        self.check()?;
        self.prepare(RecommendationFiles::read(root, files, self)?)
    }

    /// Turns events into examples and learns the baselines.
    ///
    /// # Errors
    /// [`DataError`], by the study's key.
    pub fn prepare(&self, source: RecommendationFiles) -> Result<PreparedExamples, DataError> {
        self.check()?;
        match source {
            RecommendationFiles::Rows(examples) => Ok(PreparedExamples {
                baselines: baselines::rows(self, &examples),
                examples,
                catalogue: None,
                sequences: None,
                findings: Vec::new(),
            }),
            RecommendationFiles::Events {
                interactions,
                lists,
                findings,
            } => events(self, interactions, &lists, findings),
        }
    }

    /// The rating above which an item is liked.
    pub fn liked_above(&self) -> f32 {
        self.like_above
            .unwrap_or(if self.format == FileLayout::Mind {
                0.0
            } else {
                3.0
            })
    }

    /// Whether this event means that the user likes the item.
    pub(super) fn likes(&self, event: &Interaction) -> bool {
        event
            .rating
            .is_none_or(|rating| rating > self.liked_above())
    }

    pub(super) fn check(&self) -> Result<(), DataError> {
        let mut problems = DataProblems::default();
        let key = |name: &str| format!("data.interactions.{name}");
        if let Some(name) = &self.encoding
            && self.encoding().is_none()
        {
            problems.push(
                DataProblem::new(key("encoding"), format!("no encoding is called {name:?}"))
                    .help("use utf-8, gbk, big5, shift_jis, euc-kr, windows-1252, …"),
            );
        }
        if self.history == 0 {
            problems.push(
                DataProblem::new(key("history"), "0 shows nothing of a user")
                    .help("set it to 1 or more"),
            );
        }
        if self.core == 0 {
            problems.push(
                DataProblem::new(key("core"), "0 events are had by all")
                    .help("set it to 1 or more"),
            );
        }
        if self.candidates.count < 2 {
            problems.push(
                DataProblem::new(key("candidates.count"), "fewer than two are no choice")
                    .help("set it to 2 or more, or sampling = \"catalogue\""),
            );
        }
        if self.like_above.is_some_and(|rating| !rating.is_finite()) {
            problems.push(DataProblem::new(key("like_above"), "no number").help("write a rating"));
        }
        if self.users == Some(0) || self.per_user == Some(0) {
            problems.push(
                DataProblem::new(key("users"), "0 leaves no example")
                    .help("leave users and per_user out to take all"),
            );
        }
        if self.label == PointwiseTarget::Rating && self.examples == ExampleForm::Listwise {
            problems.push(
                DataProblem::new(key("label"), "a list has no rating")
                    .help("set examples = \"pointwise\""),
            );
        }
        if self.shift == GroupShift::File && self.format != FileLayout::Tallrec {
            problems.push(
                DataProblem::new(key("shift"), "events of several files are joined")
                    .help("only TALLRec's rows belong to a file each"),
            );
        }
        let table = !self.columns.is_empty()
            || !self.user_attributes.is_empty()
            || !self.item_attributes.is_empty();
        if table && self.format != FileLayout::Table {
            problems.push(
                DataProblem::new(key("columns"), "this format names its own columns")
                    .help("leave columns and attributes out, or set format = \"table\""),
            );
        }
        problems.or(())
    }
}

fn events(
    spec: &RecSpec,
    data: Interactions,
    lists: &Lists,
    mut findings: Vec<LintFinding>,
) -> Result<PreparedExamples, DataError> {
    let mut data = core_events::core(data, spec.core);
    if data.events.is_empty() {
        return Err(DataProblem::new(
            "data.interactions.core",
            format!("no user and no item is left with {} events", spec.core),
        )
        .help("lower it")
        .into());
    }
    if spec.ties != TieOrder::File {
        leave_one_out::order(&mut data, spec.ties);
    }
    let TargetEvents {
        aims,
        training,
        repeats,
        tied,
    } = leave_one_out::find(spec, &data, lists, None)?;
    findings.extend(target_findings::met_before(spec, repeats, aims.len()));
    findings.extend(target_findings::ties(spec, tied, aims.len()));
    let known = TrainingFacts::learn(spec, &data, &training);
    let catalogue = known.catalogue.clone();
    let groups = shift::groups(spec, &data, &catalogue, &known.activity, &aims);
    let BuiltExamples {
        examples,
        asked,
        mut problems,
    } = build(spec, &data, lists, &catalogue, (&aims, groups));
    if spec.examples == ExampleForm::Pointwise && spec.label == PointwiseTarget::Like {
        let first = examples.first().map(|example| &example.label);
        if examples.iter().all(|example| Some(&example.label) == first) {
            problems.push(
                DataProblem::new(
                    "data.interactions.examples",
                    "every example has the same label",
                )
                .help("pointwise examples need ratings or unclicked impressions; see like_above"),
            );
        }
    }
    let mut sequences = SequencePart {
        training: SequencePart::learn(&data, &training),
        window: spec.history,
        seed: spec.seed,
        queries: Vec::new(),
    };
    let baselines = match spec.examples {
        ExampleForm::Listwise => {
            let queries = asked.into_iter().map(|one| one.ranking(spec, &data));
            sequences.queries = queries.collect();
            baselines::lists(spec, &known, &sequences.queries)
        }
        ExampleForm::Pointwise => baselines::points(spec, &data, &known, &asked),
    };
    problems.or(PreparedExamples {
        examples,
        catalogue: Some(catalogue),
        sequences: Some(sequences),
        baselines,
        findings,
    })
}

/// Examples, with what methods without a language model are asked of each.
pub(super) struct BuiltExamples {
    pub examples: Vec<Example>,
    pub asked: Vec<BaselineQuery>,
    pub problems: DataProblems,
}

/// Makes the examples of these targets, each with its group.
pub(super) fn build(
    spec: &RecSpec,
    data: &Interactions,
    lists: &Lists,
    catalogue: &ItemCatalogue,
    (aims, groups): (&[TargetEvent], Vec<String>),
) -> BuiltExamples {
    let sampler = CandidateSampler::new(spec, data, catalogue, lists);
    let mut problems = DataProblems::default();
    let mut examples = Vec::with_capacity(aims.len());
    let mut asked = Vec::with_capacity(aims.len());
    let mut ids: BTreeMap<String, usize> = BTreeMap::new();
    for (aim, group) in aims.iter().zip(groups) {
        let id = unique(&mut ids, id(data, aim));
        let before = history(spec, data, aim);
        let input = Input {
            cluster: Some(data.users[aim.user as usize].id.clone()),
            list: impression(data, aim),
            ..Input::new(&id, group)
        };
        let input = with_history(spec, data, &before, aim, input);
        let input = with_moments(spec, &before, aim, input);
        match spec.examples {
            ExampleForm::Pointwise => match label(spec, aim) {
                Ok(label) => {
                    asked.push(BaselineQuery::new(id, aim, Vec::new()));
                    let input = with_item(catalogue, aim.item, &before, input);
                    examples.push(input.with_label(label));
                }
                Err(problem) => problems.push(problem),
            },
            ExampleForm::Listwise => match sampler.list(aim, &id) {
                Ok(list) => {
                    examples.push(with_list(data, &list, input));
                    asked.push(BaselineQuery::new(id, aim, list.items));
                }
                Err(problem) => problems.push(problem),
            },
        }
    }
    BuiltExamples {
        examples,
        asked,
        problems,
    }
}

/// `user:item:time`, or the place among the user's events without a time.
fn id(data: &Interactions, aim: &TargetEvent) -> String {
    let user = &data.users[aim.user as usize].id;
    let item = &data.items[aim.item as usize].id;
    match aim.time {
        Some(time) => format!("{user}:{item}:{time}"),
        None => format!("{user}:{item}:#{}", aim.at - aim.start),
    }
}

/// The same event twice in the files would be one id twice.
fn unique(ids: &mut BTreeMap<String, usize>, id: String) -> String {
    let seen = ids.entry(id.clone()).or_default();
    *seen += 1;
    if *seen == 1 {
        id
    } else {
        format!("{id}:{seen}")
    }
}

fn label(spec: &RecSpec, aim: &TargetEvent) -> Result<Label, DataProblem> {
    match (spec.label, aim.rating) {
        (PointwiseTarget::Like, Some(rating)) if rating <= spec.liked_above() => {
            Ok(Label::Class("no".into()))
        }
        (PointwiseTarget::Like, _) => Ok(Label::Class("yes".into())),
        (PointwiseTarget::Rating, Some(rating)) => Ok(Label::Number(f64::from(rating))),
        (PointwiseTarget::Rating, None) => Err(DataProblem::new(
            "data.interactions.label",
            "an event without a rating",
        )
        .help("label = \"rating\" needs one on every target")),
    }
}

fn with_history(
    spec: &RecSpec,
    data: &Interactions,
    before: &[&Interaction],
    aim: &TargetEvent,
    mut input: Input,
) -> Input {
    let shown = &before[before.len().saturating_sub(spec.history)..];
    let title = |event: &&Interaction| data.items[event.item as usize].title.as_str();
    let join = |events: &[&Interaction]| -> String {
        let titles: Vec<&str> = events.iter().map(title).collect();
        titles.join("\n")
    };
    let (liked, disliked): (Vec<_>, Vec<_>) = shown.iter().partition(|event| spec.likes(event));
    let sentences: Vec<String> = shown
        .iter()
        .map(|event| text::sentence(&data.items[event.item as usize]))
        .collect();
    if let Some(profile) = text::profile(&data.users[aim.user as usize]) {
        input = input.with_field(field::USER, profile);
    }
    input
        .with_field(field::HISTORY, join(shown))
        .with_field(field::HISTORY_TEXT, sentences.join("\n"))
        .with_field(field::LIKED, join(&liked))
        .with_field(field::DISLIKED, join(&disliked))
}

/// `user:time` where the target was shown together with others: an impression.
fn impression(data: &Interactions, aim: &TargetEvent) -> Option<String> {
    let time = aim.time?;
    let shown = |event: &Interaction| {
        event.time == Some(time) && event.item != aim.item && only_shown(event)
    };
    let own = data.of(aim.user);
    let is_one = aim.rating == Some(0.0) || own.iter().any(shown);
    is_one.then(|| format!("{}:{time}", data.users[aim.user as usize].id))
}

/// Ratings and times of what is shown of the history, where all of it has them, the
/// target's time, and what an item is called.
fn with_moments(
    spec: &RecSpec,
    before: &[&Interaction],
    aim: &TargetEvent,
    mut input: Input,
) -> Input {
    let shown = &before[before.len().saturating_sub(spec.history)..];
    let ratings: Option<Vec<String>> = shown
        .iter()
        .map(|event| event.rating.map(|rating| rating.to_string()))
        .collect();
    let ago: Option<Vec<String>> = shown
        .iter()
        .map(|event| moments::ago(event.time?, aim.time?))
        .collect();
    let lines = |lines: Option<Vec<String>>| lines.filter(|all| !all.is_empty());
    for (name, text) in [
        (
            field::HISTORY_RATINGS,
            lines(ratings).map(|all| all.join("\n")),
        ),
        (field::HISTORY_AGO, lines(ago).map(|all| all.join("\n"))),
        (field::TIME, aim.time.and_then(moments::moment)),
        (field::KIND, spec.item_word().map(str::to_owned)),
    ] {
        if let Some(text) = text {
            input = input.with_field(name, text);
        }
    }
    input
}

fn with_item(
    catalogue: &ItemCatalogue,
    item: u32,
    before: &[&Interaction],
    mut input: Input,
) -> Input {
    let known = &catalogue.items()[item as usize];
    let clicks: Vec<String> = catalogue
        .genres(item)
        .iter()
        .map(|genre| {
            let of = |event: &&&Interaction| catalogue.genres(event.item).contains(genre);
            format!("{genre}: {}", before.iter().filter(of).count())
        })
        .collect();
    if !clicks.is_empty() {
        input = input.with_field(field::CATEGORY_CLICKS, clicks.join("\n"));
    }
    input
        .with_field(field::ITEM, &known.title)
        .with_field(field::ITEM_TEXT, text::sentence(known))
        .with_field(field::POPULARITY, text::popularity(catalogue, item))
}

fn with_list(data: &Interactions, list: &CandidateList, mut input: Input) -> Example {
    let item = |item: &u32| &data.items[*item as usize];
    if !list.items.is_empty() {
        let titles: Vec<&str> = list.items.iter().map(|i| item(i).title.as_str()).collect();
        let sentences: Vec<String> = list.items.iter().map(|i| text::sentence(item(i))).collect();
        input = input
            .with_field(field::CANDIDATES, titles.join("\n"))
            .with_field(field::CANDIDATES_TEXT, sentences.join("\n"));
    }
    let relevant = list
        .relevant
        .iter()
        .map(|i| item(i).title.clone())
        .collect();
    input.with_label(Label::Relevant(relevant))
}
