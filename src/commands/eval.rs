use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use shiftproof_search::bench::OutcomeMatrix;
use shiftproof_search::budget::Spend;
use shiftproof_search::control::RunControl;
use shiftproof_search::evaluate::{PromptEvaluation, baseline};
use shiftproof_search::event::GroupOutcome;
use shiftproof_search::fairness::{self, AttributePair, FairnessReport};
use shiftproof_search::gateway::Gateway;
use shiftproof_search::unusable::AnswerSurvey;
use shiftproof_tasks::{Example, Prompt, field};

use super::{fetch_progress, note, open_ledger, print, resolve, score, warnings};
use crate::cli::EvalArgs;
use crate::exit::{ExitStatus, Failure};
use crate::gate::holdout_log::{self, HoldoutAccess};
use crate::gate::prompts::NamedPrompt;
use crate::judge::{self, JudgeReport};
use crate::report::ground::{AuditGround, caution};
use crate::report::to_json;
use crate::report::{
    BaselineScores, grouped, machine, score_as, spread, spread_as, worst, write_baselines,
};
use crate::session::StudySession;
use crate::shown::{line, visible};
use crate::table::{TextColumn, TextTable as Grid};
use crate::task_registry::TaskRegistry;
use crate::unusable;
use crate::word_diff::flat;

/// One prompt's scores.
#[derive(Debug, Serialize)]
struct PromptScores {
    prompt: Prompt,
    groups: Vec<GroupOutcome>,
    /// Its answers that cannot be used.
    #[serde(skip_serializing_if = "no_fault")]
    unusable: AnswerSurvey,
    /// The best group's score less the worst's.
    spread: Option<f64>,
}

fn no_fault(survey: &AnswerSurvey) -> bool {
    survey.faults.is_empty()
}

#[derive(Debug, Serialize)]
struct EvalTable {
    study: String,
    metric: String,
    /// The model's name for people.
    model: String,
    prompts: Vec<PromptScores>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    baselines: Vec<BaselineScores>,
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
}

pub(super) async fn run(args: EvalArgs, registry: &TaskRegistry) -> Result<ExitStatus, Failure> {
    let mut resolved = resolve(&args.study, Some(&args.budget), registry)?;
    if let Some(metric) = &args.metric {
        let task = &mut resolved.study.task;
        task.insert("metric".to_owned(), metric.name().into());
    }
    let ledger = open_ledger(&args.store.store)?;
    let mut progress = fetch_progress(args.verbosity.quiet);
    let session =
        StudySession::prepare(resolved, &args.study.study, registry, &mut progress).await?;
    warnings(&session.loaded.findings);
    let study = &session.resolved.study;
    let mut prompts = vec![session.built.task.seed()];
    prompts.extend(study.prompts.iter().map(Prompt::new));
    for given in &args.prompt {
        let named = NamedPrompt::given(given)?;
        named.check(&session)?;
        prompts.push(named.prompt);
    }
    let data = &session.loaded.data;
    let fingerprint = data.audit.fingerprint();
    let examples = data.audit.clone().open();
    if examples.is_empty() {
        return Err(score::without_audit(&session));
    }
    let mut planned = score::planned(&session, &prompts, examples.len());
    if let Some(attribute) = &args.fair {
        planned += fairness::calls(session.built.task.as_ref(), attribute, &prompts, &examples);
    }
    let control = RunControl::new();
    let observers = vec![score::progress(args.verbosity.quiet, planned)];
    let trouble = args.trouble.into();
    let gateway = score::gateway(&session, ledger, control.clone(), observers, trouble);
    // Before the prompts are scored: a judge that is no bar costs no more than this.
    let mut judged = judge::calibrated(&session, &gateway).await?;
    if let Some(refusal) = judged.as_ref().and_then(JudgeReport::refused_as_bar)
        && args.min_worst.is_some()
    {
        return Err(refusal);
    }
    let scored = score::score(&session, &gateway, control, &prompts, &examples, trouble);
    let Some(evaluation) = scored.await? else {
        return Ok(ExitStatus::Interrupted);
    };
    if let Some(judged) = &mut judged {
        judged.correct(&session, &evaluation);
    }
    let task = session.built.task.as_ref();
    let fairness = match &args.fair {
        Some(attribute) => fair(&session, &gateway, attribute, &prompts, &examples).await?,
        None => Vec::new(),
    };
    let opening = HoldoutAccess::now(
        "eval",
        &study.name,
        &fingerprint,
        session.task_model.model.llm.identity(),
        prompts.iter().map(Prompt::id),
        data.reads.count(),
    );
    if let Some(warning) = holdout_log::warning(opening.count(&args.store.store)?) {
        note(&warning);
    }
    // Written down before it is seen.
    opening.record(&args.store.store, "shown")?;
    let notes = caution(&session.loaded.groups)
        .map(|text| text + ".")
        .into_iter()
        .chain(score::calibrated(&session, &evaluation))
        .chain(score::readings(&prompts, &evaluation))
        .chain(judge::uncalibrated(study.judge.as_ref()))
        .chain(judged.iter().flat_map(JudgeReport::sentences))
        .collect();
    if let Some(folder) = &args.record {
        record(&session, &prompts, &evaluation, folder)?;
    }
    let survey = score::surveyed(&evaluation);
    let of_prompt = prompts.into_iter().zip(evaluation.scores);
    let rows = of_prompt
        .zip(evaluation.surveys)
        .map(|((prompt, groups), unusable)| PromptScores {
            prompt,
            spread: spread(&groups),
            groups,
            unusable,
        });
    let baselines = session.loaded.baselines.iter().map(|known| BaselineScores {
        name: known.name.clone(),
        groups: baseline(task, &session.loaded.groups, known, &examples),
    });
    let table = EvalTable {
        study: study.name.clone(),
        metric: session.built.task.metric().name(),
        model: machine(session.task_model.model.llm.identity()),
        prompts: rows.collect(),
        baselines: baselines.filter(|row| !row.groups.is_empty()).collect(),
        fairness,
        judge: judged,
        notes,
        spent: gateway.spent(),
        sent: gateway.sent(),
    };
    if args.json {
        print(&to_json(&table)?)?;
    } else {
        print(&text(&table))?;
    }
    for told in unusable::sentences(&survey) {
        note(&told);
    }
    let unverified = AuditGround::of(&session.loaded.groups) == AuditGround::SourceOnly;
    let complete = evaluation.complete;
    Ok(ending(&args, &table, &survey, (complete, unverified)))
}

/// The exit code, told why where it is not that of success. `complete`: everything
/// was asked; `unverified`: no target group is audited.
fn ending(
    args: &EvalArgs,
    table: &EvalTable,
    survey: &AnswerSurvey,
    (complete, unverified): (bool, bool),
) -> ExitStatus {
    if !complete {
        note("the budget ran out before every prompt was scored on every example");
        return ExitStatus::Budget;
    }
    // A score of nothing but evasions, or of nothing at all, is none.
    if survey.unusable() == survey.answers {
        note("not one answer can be used: no prompt was measured");
        return ExitStatus::Unusable;
    }
    if let Some(bar) = args.min_worst.filter(|_| unverified) {
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

/// How far the lists of each prompt move when an attribute of the user is named.
async fn fair(
    session: &StudySession,
    gateway: &Gateway,
    attribute: &str,
    prompts: &[Prompt],
    examples: &[Example],
) -> Result<Vec<FairnessReport>, Failure> {
    let question = AttributePair {
        task: session.built.task.as_ref(),
        gateway,
        model: &session.task_model.model,
        attribute,
    };
    let answers = question
        .ask(prompts, examples)
        .await
        .map_err(score::stopped)?;
    answers.ok_or_else(|| {
        Failure::usage(format!(
            "--fair {attribute}: the task must rank items and its examples say \
             `{attribute}: …` in the field {:?}, with two values or more",
            field::USER
        ))
    })
}

/// One line a prompt and measure: each value's similarity to the neutral list,
/// then range and deviation.
fn write_fairness(table: &EvalTable, out: &mut String) {
    let Some(first) = table.fairness.first() else {
        return;
    };
    let _ = write!(
        out,
        "\nlists with {} named against lists without, first {} places",
        first.attribute, first.places
    );
    for (index, (row, prompt)) in table.fairness.iter().zip(&table.prompts).enumerate() {
        let name = if index == 0 { "seed" } else { "prompt" };
        let _ = writeln!(
            out,
            "\n{name} {:#}, {} examples",
            prompt.prompt.id(),
            row.examples
        );
        for measure in &row.measures {
            let _ = write!(out, "  {:8}", measure.name);
            for (value, similarity) in row.values.iter().zip(&measure.similarities) {
                let _ = write!(out, "  {} {similarity:.3}", line(value));
            }
            let _ = writeln!(
                out,
                "  SNSR {:.3}  SNSV {:.3}",
                measure.range, measure.deviation
            );
        }
    }
}

fn text(table: &EvalTable) -> String {
    let mut out = format!("{} · {} · {}\n", table.study, table.metric, table.model);
    for (index, row) in table.prompts.iter().enumerate() {
        let name = if index == 0 { "seed" } else { "prompt" };
        let _ = writeln!(
            out,
            "{name} {:#}: {}",
            row.prompt.id(),
            visible(&flat(&row.prompt))
        );
        let worst = worst(&row.groups).map(|group| group.group.clone());
        let mut groups = Grid::new([
            TextColumn::left().at_least(12),
            TextColumn::right().at_least(15).after(1),
            TextColumn::left(),
            TextColumn::left(),
        ])
        .indented(2);
        for group in &row.groups {
            let mut remark = group.role.to_string();
            if Some(&group.group) == worst.as_ref() {
                remark.push_str(", worst");
            }
            remark.push_str(&unusable::counts(group));
            groups.row([
                group.group.clone(),
                score_as(&table.metric, group),
                format!("n {:>4}", group.n),
                remark,
            ]);
        }
        out.push_str(&groups.text());
        for line in unusable::examples(&row.unusable) {
            let _ = writeln!(out, "    {line}");
        }
        if let Some(spread) = spread_as(&table.metric, &row.groups) {
            let _ = writeln!(out, "  spread over groups {spread}");
        }
    }
    let _ = write_baselines(&table.metric, &table.baselines, &mut out);
    write_fairness(table, &mut out);
    for note in &table.notes {
        let _ = writeln!(out, "Note: {}", visible(note));
    }
    let _ = writeln!(
        out,
        "Spent {} calls, {} tokens: {}. Brackets: 95% intervals.",
        grouped(table.spent.calls),
        grouped(table.spent.tokens()),
        score::origin(table.spent, table.sent)
    );
    out
}
