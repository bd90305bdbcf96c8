//! Fixed prompts scored: on development examples, or on the sealed audit.

mod answers;
mod examples;
mod fair;
mod output;
mod places;
mod text;
mod trec;
mod variants;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use shiftproof_search::bench::OutcomeMatrix;
use shiftproof_search::budget::{BudgetLimits, Spend};
use shiftproof_search::control::RunControl;
use shiftproof_search::evaluate::{PromptEvaluation, baseline};
use shiftproof_search::event::GroupOutcome;
use shiftproof_search::fairness::{self, FairnessReport};
use shiftproof_search::ledger::Ledger;
use shiftproof_search::unusable::AnswerSurvey;
use shiftproof_tasks::{Example, Prompt};

use self::answers::{
    AnswerRow, PartScore, SampleSpread, answered, part_scores, rows, sample_spreads,
};
use self::examples::ScoredSplit;
use self::places::{BaselinePlaces, PlaceScores};
use self::variants::TaskVariant;
use super::signals::{SignalStream, pass_on};
use super::{fetch_progress, note, open_ledger, prepared, print, resolve, score, warnings};
use crate::cli::{EvalArgs, StudyArgs};
use crate::exit::{ExitStatus, Failure};
use crate::gate::holdout_log::{self, HoldoutAccess};
use crate::gate::prompts::NamedPrompt;
use crate::judge::{self, JudgeReport};
use crate::report::ground::{AuditGround, caution};
use crate::report::{BaselineScores, machine, spread, to_json, worst};
use crate::runs::session::StudySession;
use crate::study::task_registry::TaskRegistry;
use crate::wording::shown::line;
use crate::wording::unusable;
use crate::wording::word_diff::flat;

/// One prompt's scores by one model.
#[derive(Debug, Serialize)]
struct PromptScores {
    prompt: Prompt,
    /// The model's name for people.
    model: String,
    /// Keys of `[task]` that it was scored with in place of the study's, as given.
    #[serde(rename = "with", skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    #[serde(skip)]
    is_seed: bool,
    /// Of several samples the first one's.
    groups: Vec<GroupOutcome>,
    /// Its answers that cannot be used, of all samples.
    #[serde(skip_serializing_if = "no_fault")]
    unusable: AnswerSurvey,
    /// The best group's score less the worst's.
    spread: Option<f64>,
    /// What each field of the answers scores.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<PartScore>,
    /// How far samples differ, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    repeated: Vec<SampleSpread>,
    /// How good the first places of its lists are.
    #[serde(skip_serializing_if = "Option::is_none")]
    places: Option<PlaceScores>,
    /// The answer to every example, sample by sample.
    answers: Vec<AnswerRow>,
}

fn no_fault(survey: &AnswerSurvey) -> bool {
    survey.faults.is_empty()
}

#[derive(Debug, Serialize)]
struct EvalTable {
    study: String,
    metric: String,
    /// The first model's name for people.
    model: String,
    /// Which examples were scored.
    split: ScoredSplit,
    /// Every prompt by the first model, then by the next.
    prompts: Vec<PromptScores>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    baselines: Vec<BaselineScores>,
    /// How good the first places of their lists are, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    baseline_places: BaselinePlaces,
    /// How lists change with an attribute, by prompt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fairness: Vec<FairnessReport>,
    /// The judge beside a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    judge: Option<JudgeReport>,
    /// What a reader has to know beside the scores.
    notes: Vec<String>,
    /// An answer found in the store counts like one paid for now.
    spent: Spend,
    /// Calls that were sent to a model now.
    sent: u64,
    /// Requests that found out what the models can do.
    #[serde(skip)]
    probes: u64,
    /// Whether the budget sufficed.
    #[serde(skip)]
    complete: bool,
    /// Whether no target group is audited.
    #[serde(skip)]
    unverified: bool,
}

impl EvalTable {
    fn has_several_models(&self) -> bool {
        self.prompts.iter().any(|row| row.model != self.model)
    }

    /// Whose scores they are: "seed 1a2b3c4d", with the model where there are several and
    /// with what the task was changed to.
    fn heading(&self, index: usize) -> String {
        let row = &self.prompts[index];
        let name = if row.is_seed { "seed" } else { "prompt" };
        let mut heading = format!("{name} {:#}", row.prompt.id());
        if self.has_several_models() {
            let _ = write!(heading, " · {}", line(&row.model));
        }
        if let Some(variant) = &row.variant {
            let _ = write!(heading, " · {}", line(variant));
        }
        heading
    }

    /// What the limits have to pay for so far.
    fn charged(&self) -> Spend {
        Spend {
            calls: self.spent.calls + self.probes,
            ..self.spent
        }
    }

    fn survey(&self) -> AnswerSurvey {
        let mut whole = AnswerSurvey::default();
        for row in &self.prompts {
            whole.add(&row.unusable);
        }
        whole
    }

    /// Takes in what another model or another variant of the task came to.
    fn add(&mut self, other: Self) {
        self.prompts.extend(other.prompts);
        // Another variant of the task may ask another recommender.
        for row in other.baselines {
            if self.baselines.iter().all(|known| known.name != row.name) {
                self.baselines.push(row);
            }
        }
        for (name, places) in other.baseline_places {
            self.baseline_places.entry(name).or_insert(places);
        }
        self.fairness.extend(other.fairness);
        for note in other.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        self.spent += other.spent;
        self.sent += other.sent;
        self.probes += other.probes;
        self.complete &= other.complete;
    }
}

pub(super) async fn run(args: EvalArgs, registry: &TaskRegistry) -> Result<ExitStatus, Failure> {
    check(&args)?;
    let ledger = open_ledger(&args.store)?;
    crate::shared::check_budget(&ledger)?;
    let control = RunControl::new();
    let mut whole: Option<EvalTable> = None;
    let variants = TaskVariant::all(&args.with)?;
    let studies = args.study.by_model();
    let cells = studies
        .iter()
        .flat_map(|study| variants.iter().map(move |variant| (study, variant)));
    for (study, variant) in cells {
        let spent = whole.as_ref().map(EvalTable::charged).unwrap_or_default();
        let asked = ModelEvaluation {
            args: &args,
            study: study.clone(),
            variant,
            ledger: ledger.clone(),
            control: control.clone(),
            spent,
        };
        // A model of many prompts takes a large place on the stack.
        let Some(table) = Box::pin(asked.run(registry, whole.is_none())).await? else {
            return Ok(ExitStatus::Interrupted);
        };
        match &mut whole {
            Some(whole) => whole.add(table),
            None => whole = Some(table),
        }
    }
    // There is one model at least.
    let Some(table) = whole else {
        return Ok(ExitStatus::Done);
    };
    for path in &args.output {
        output::write(path, &table)?;
    }
    if args.json {
        print(&to_json(&table)?)?;
    } else {
        print(&text::text(&table, args.failures))?;
    }
    let survey = table.survey();
    for told in unusable::sentences(&survey) {
        note(&told);
    }
    Ok(ending(&args, &table, &survey))
}

/// What contradicts itself, or cannot be written.
fn check(args: &EvalArgs) -> Result<(), Failure> {
    if args.min_worst.is_some() && !args.audit {
        return Err(Failure::usage(
            "--min-worst holds prompts against the sealed audit, and `eval` scores development \
             examples unless told\n  add --audit (each opening is written down), or let `shiftproof \
             gate` decide",
        ));
    }
    if args.record.is_some() && (args.study.model.len() > 1 || !args.with.is_empty()) {
        return Err(Failure::usage(
            "--record writes the grades of one model and one task: give one --model and no --with, \
             or record each in a folder of its own",
        ));
    }
    output::check(&args.output)
}

/// All prompts by one model, in one variant of the task.
struct ModelEvaluation<'a> {
    args: &'a EvalArgs,
    study: StudyArgs,
    variant: &'a TaskVariant,
    ledger: Arc<Ledger>,
    control: RunControl,
    /// What models before it took of the limits.
    spent: Spend,
}

impl ModelEvaluation<'_> {
    /// `None` after a second signal. `first`: of several models the first.
    async fn run(self, registry: &TaskRegistry, first: bool) -> Result<Option<EvalTable>, Failure> {
        let mut session = self.prepare(registry).await?;
        if first && !self.args.verbosity.quiet {
            warnings(&session.loaded.findings);
        }
        let args = self.args;
        let prompts = prompts(&session, args)?;
        let split = ScoredSplit::of(args);
        let audit = session.loaded.data.audit.fingerprint();
        let examples = split.examples(&mut session, args)?;
        places::check(&args.places, &examples)?;
        let session = session;
        let task = session.built.task.as_ref();
        let mut planned = score::planned(&session, &prompts, &examples) * u64::from(args.repeat);
        if let Some(attribute) = &args.fair {
            planned += fairness::calls(task, attribute, &prompts, &examples);
        }
        let observers = vec![score::progress(args.verbosity.quiet, planned)];
        let trouble = args.trouble.into();
        let (ledger, control) = (self.ledger, self.control);
        let gateway = score::gateway(&session, ledger, control.clone(), observers, trouble);
        if first {
            tokio::spawn(pass_on(SignalStream::new(), control.clone(), None));
        }
        // Before the prompts are scored: a judge that is no bar costs no more than this.
        let mut judged = judge::calibrated(&session, &gateway).await?;
        if args.min_worst.is_some() {
            judged.iter().try_for_each(JudgeReport::check_bar)?;
        }
        let mut samples = Vec::new();
        for sample in 0..args.repeat {
            gateway.draw_sample(sample);
            let evaluator = score::evaluator(&session, &gateway, trouble);
            let scored = score::watched(&evaluator, &control, &prompts, &examples).await?;
            let Some(evaluation) = scored else {
                return Ok(None);
            };
            let complete = evaluation.complete;
            samples.push(evaluation);
            if !complete {
                break;
            }
        }
        gateway.draw_sample(0);
        let fairness = match &args.fair {
            Some(attribute) => {
                let places = args.fair_places as usize;
                fair::ask(&session, &gateway, (attribute, places), &prompts, &examples).await?
            }
            None => Vec::new(),
        };
        if split == ScoredSplit::Audit {
            written_down(&session, &audit, &prompts, &args.store.store)?;
        }
        let evaluation = &samples[0];
        let of_judge = judge::notes(judged.as_mut(), &session, (&prompts, evaluation));
        if let Some(folder) = &args.record {
            record(&session, &prompts, evaluation, folder)?;
        }
        let baselines = session.loaded.baselines.iter().map(|known| BaselineScores {
            name: known.name.clone(),
            groups: baseline(task, &session.loaded.groups, known, &examples),
        });
        let groups = &session.loaded.groups;
        let mut table = EvalTable {
            study: session.resolved.study.name.clone(),
            metric: task.metric().name(),
            model: machine(session.task_model.model.llm.identity()),
            split,
            baselines: baselines.filter(|row| !row.groups.is_empty()).collect(),
            baseline_places: BaselinePlaces::new(),
            fairness,
            notes: notes(&session, args, (split, &examples), evaluation)
                .into_iter()
                .chain(self.variant.told_of(score::readings(&prompts, evaluation)))
                .chain(score::knowledge(&gateway))
                .chain(of_judge)
                .collect(),
            judge: judged,
            spent: gateway.spent(),
            sent: gateway.sent(),
            probes: session.probes(),
            complete: samples.iter().all(|sample| sample.complete),
            unverified: AuditGround::of(groups) == AuditGround::SourceOnly,
            prompts: scores(&session, prompts, &examples, samples),
        };
        for row in &mut table.prompts {
            row.variant.clone_from(&self.variant.told);
        }
        places::add(&mut table, &args.places, &session, &examples);
        Ok(Some(table))
    }

    async fn prepare(&self, registry: &TaskRegistry) -> Result<StudySession, Failure> {
        let args = self.args;
        let mut resolved = resolve(&self.study, Some(&args.budget), registry)?;
        resolved.study.budget = left(resolved.study.budget, self.spent);
        resolved.study.task.extend(self.variant.keys.clone());
        if let Some(metric) = &args.metric {
            let task = &mut resolved.study.task;
            task.insert("metric".to_owned(), metric.name().into());
        }
        let mut progress = fetch_progress(args.verbosity.quiet);
        let (path, quiet) = (&self.study.study, args.verbosity.quiet);
        prepared(resolved, path, registry, quiet, &mut progress).await
    }
}

/// What limits leave after this was spent.
fn left(limits: BudgetLimits, spent: Spend) -> BudgetLimits {
    BudgetLimits {
        calls: limits.calls.map(|calls| calls.saturating_sub(spent.calls)),
        tokens: limits
            .tokens
            .map(|tokens| tokens.saturating_sub(spent.tokens())),
        usd: limits.usd.map(|usd| (usd - spent.usd()).max(0.0)),
    }
}

/// The seed, the study's other prompts, and those given.
fn prompts(session: &StudySession, args: &EvalArgs) -> Result<Vec<Prompt>, Failure> {
    let mut prompts = vec![session.built.task.seed()];
    prompts.extend(session.resolved.study.prompts.iter().map(Prompt::new));
    for given in &args.prompt {
        let named = NamedPrompt::given(given)?;
        named.check(session)?;
        prompts.push(named.prompt);
    }
    Ok(prompts)
}

/// Writes the opening of the audit down, before what it says is seen.
fn written_down(
    session: &StudySession,
    audit: &str,
    prompts: &[Prompt],
    store: &Path,
) -> Result<(), Failure> {
    let opening = HoldoutAccess::now(
        "eval",
        &session.resolved.study.name,
        audit,
        session.task_model.model.llm.identity(),
        prompts.iter().map(Prompt::id),
        session.loaded.data.reads.count(),
    );
    if let Some(warning) = holdout_log::warning(opening.count(store)?) {
        note(&warning);
    }
    opening.record(store, "shown")
}

/// What a reader has to know beside the scores.
fn notes(
    session: &StudySession,
    args: &EvalArgs,
    (split, examples): (ScoredSplit, &[Example]),
    evaluation: &PromptEvaluation,
) -> Vec<String> {
    let mut notes = match split {
        ScoredSplit::Audit => caution(&session.loaded.groups)
            .map(|text| text + ".")
            .into_iter()
            .collect(),
        ScoredSplit::Development => split.notes(session, args, examples),
    };
    if args.repeat > 1
        && session
            .resolved
            .study
            .model
            .temperature
            .is_none_or(|t| t == 0.0)
    {
        notes.push(
            "Samples are drawn at temperature 0: what differs is the server's own chance. Set \
             model.temperature to what production uses to see its spread."
                .to_owned(),
        );
    }
    notes.extend(score::calibrated(session, evaluation));
    notes
}

/// Each prompt's scores; `samples`: the evaluations of all of them, one at least.
fn scores(
    session: &StudySession,
    prompts: Vec<Prompt>,
    examples: &[Example],
    mut samples: Vec<PromptEvaluation>,
) -> Vec<PromptScores> {
    let task = session.built.task.as_ref();
    let model = machine(session.task_model.model.llm.identity());
    let answered = answered(task, examples);
    let scores = |(at, prompt): (usize, Prompt)| {
        let mut unusable = AnswerSurvey::default();
        let (mut answers, mut outcomes) = (Vec::new(), Vec::new());
        for (number, sample) in (1..).zip(&mut samples) {
            unusable.add(&sample.surveys[at]);
            let given = std::mem::take(&mut sample.answers[at]);
            answers.extend(rows(task, (examples, &answered), given, number));
            outcomes.push(sample.scores[at].clone());
        }
        let groups = samples[0].scores[at].clone();
        PromptScores {
            model: model.clone(),
            is_seed: at == 0,
            spread: spread(&groups),
            parts: part_scores(&answers),
            repeated: sample_spreads(&outcomes, &answers),
            variant: None,
            places: None,
            prompt,
            groups,
            unusable,
            answers,
        }
    };
    prompts.into_iter().enumerate().map(scores).collect()
}

/// The exit code, told why where it is not that of success.
fn ending(args: &EvalArgs, table: &EvalTable, survey: &AnswerSurvey) -> ExitStatus {
    if !table.complete {
        note("the budget ran out before every prompt was scored on every example");
        return ExitStatus::Budget;
    }
    // A score of nothing but evasions, or of nothing at all, is none.
    if survey.unusable() == survey.answers {
        note("not one answer can be used: no prompt was measured");
        return ExitStatus::Unusable;
    }
    if let Some(bar) = args.min_worst.filter(|_| table.unverified) {
        note(&format!(
            "no target group is audited, so that --min-worst {bar} is reached is not shown"
        ));
        return ExitStatus::Below;
    }
    match args.min_worst.and_then(|bar| below(table, bar)) {
        Some(told) => {
            note(&told);
            ExitStatus::Below
        }
        None => ExitStatus::Done,
    }
}

/// Which prompt's worst target group is below the bar, if any is.
fn below(table: &EvalTable, bar: f64) -> Option<String> {
    let row = |row: &PromptScores| {
        let worst = worst(&row.groups);
        let value = worst.and_then(|group| group.value);
        value.is_none_or(|value| value < bar).then(|| {
            let group = worst.map_or("no group", |group| group.group.as_str());
            let value = value.map_or("no score".to_owned(), |v| format!("{:.1}", v * 100.0));
            format!(
                "prompt {:#}: {group}, its worst target group, has {value}, below --min-worst {}",
                row.prompt.id(),
                bar * 100.0
            )
        })
    };
    table.prompts.iter().find_map(row)
}

/// Writes the grades down for [`bench`](super::bench).
fn record(
    session: &StudySession,
    prompts: &[Prompt],
    evaluation: &PromptEvaluation,
    folder: &Path,
) -> Result<(), Failure> {
    let grade = |grade: &Option<f64>| grade.map_or(f32::NAN, |grade| grade as f32);
    let groups = &session.loaded.groups;
    let matrix = OutcomeMatrix::recorded(
        &session.resolved.study.name,
        prompts.iter().map(flat).collect(),
        groups.iter().map(|group| group.name.clone()).collect(),
        evaluation.groups.iter().map(|&g| g as u32).collect(),
        evaluation.grades.iter().flatten().map(grade).collect(),
    );
    matrix
        .write(folder)
        .map_err(Failure::from_error(ExitStatus::Data))
}
