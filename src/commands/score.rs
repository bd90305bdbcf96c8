//! Fixed prompts, for every command that scores some.

use std::path::Path;
use std::sync::Arc;

use shiftproof_search::augment;
use shiftproof_search::budget::{Meter, Spend};
use shiftproof_search::calibrate::CalibrationSet;
use shiftproof_search::control::RunControl;
use shiftproof_search::evaluate::{PromptEvaluation, PromptEvaluator, calls};
use shiftproof_search::event::RunObserver;
use shiftproof_search::event_log::EventLog;
use shiftproof_search::gateway::{Gateway, RunError};
use shiftproof_search::ledger::Ledger;
use shiftproof_search::unusable::AnswerSurvey;
use shiftproof_tasks::{Example, Prompt, PromptId};

use super::note;
use super::signals::{SignalStream, pass_on};
use crate::exit::{ExitStatus, Failure};
use crate::report::ground::{AuditGround, listed, unverified};
use crate::report::grouped;
use crate::runs::progress::{ProgressVerbosity, ProgressWriter};
use crate::runs::session::{StudySession, UnusablePolicy};
use crate::wording::calibration_notes::{self, CalibrationSource};
use crate::wording::printed_commands::path_argument;
use crate::wording::{knowledge, unusable};

/// Calls that scoring these prompts asks at most.
pub(super) fn planned(session: &StudySession, prompts: &[Prompt], examples: &[Example]) -> u64 {
    let calibration = session.graded_by_person.len() as u64;
    let inputs = examples.iter().map(|example| &example.input);
    let written = augment::count(&session.auxiliary_models.priced(), inputs);
    calibration
        + written as u64
        + calls(
            session.built.task.as_ref(),
            &session.task_model.model,
            session.resolved.study.search.calibration,
            &CalibrationSet::of(&session.loaded.data),
            prompts,
            examples.len(),
        )
}

/// What a reader has to know of the knowledge that was written about the inputs.
pub(super) fn knowledge(gateway: &Gateway) -> Vec<String> {
    knowledge::told(&gateway.emitted())
}

/// Lines that tell how the scoring goes.
pub(super) fn progress(quiet: bool, planned: u64) -> Box<dyn RunObserver> {
    let verbosity = if quiet {
        ProgressVerbosity::Quiet
    } else {
        ProgressVerbosity::Normal
    };
    Box::new(ProgressWriter::of_evaluation(verbosity, planned))
}

/// Says what can be scored where a study has no audit example to score on.
pub(super) fn without_audit(session: &StudySession) -> Failure {
    let labelled: Vec<String> = session
        .loaded
        .labelled
        .iter()
        .map(|(group, rows)| format!("{group} ({rows})"))
        .collect();
    let fit: usize = session.loaded.labelled.values().copied().min().unwrap_or(0);
    Failure::usage(format!(
        "the study has no audit examples to score on: groups.audit is 0\n  set it above 0 to score \
         the groups that have labelled rows: {}; with fewer than 100 a group, lower groups.train \
         and groups.validation for it (at most {fit} in all)",
        labelled.join(", ")
    ))
}

/// A decision about target groups needs examples of one.
pub(super) fn check_ground(session: &StudySession, study: &Path) -> Result<(), Failure> {
    let groups = &session.loaded.groups;
    if AuditGround::of(groups) != AuditGround::SourceOnly {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{}: nothing to decide on: no target group ({}) has labelled examples in the audit\n  label \
         about 100 rows of each; until then `shiftproof eval {}` scores prompts on the source's \
         audit, and a study without groups.target lets the gate decide on the source alone",
        study.display(),
        listed(&unverified(groups)),
        path_argument(study)
    )))
}

/// The way to the model, under the study's limits.
pub(super) fn gateway(
    session: &StudySession,
    ledger: Arc<Ledger>,
    control: RunControl,
    observers: Vec<Box<dyn RunObserver>>,
    trouble: UnusablePolicy,
) -> Gateway {
    Gateway::new(
        ledger,
        EventLog::unlogged(observers),
        Meter::new(session.limits()),
        control,
        None,
        Vec::new(),
    )
    .retrying_refused(trouble.retry_failed)
    .with_auxiliary_models(session.auxiliary_models.priced())
}

/// Scores prompts under the rules of a run's audit.
pub(super) fn evaluator<'a>(
    session: &'a StudySession,
    gateway: &'a Gateway,
    trouble: UnusablePolicy,
) -> PromptEvaluator<'a> {
    PromptEvaluator {
        task: session.built.task.as_ref(),
        gateway,
        model: &session.task_model.model,
        calibration: session.resolved.study.search.calibration,
        groups: &session.loaded.groups,
        settle_on: CalibrationSet::of(&session.loaded.data),
        keep_going: trouble.keep_going,
    }
}

/// Scores prompts on examples by a session's [`evaluator`]; `None` after a second
/// signal.
pub(super) async fn score(
    session: &StudySession,
    gateway: &Gateway,
    control: RunControl,
    prompts: &[Prompt],
    examples: &[Example],
    trouble: UnusablePolicy,
) -> Result<Option<PromptEvaluation>, Failure> {
    let evaluator = evaluator(session, gateway, trouble);
    score_by(&evaluator, control, prompts, examples).await
}

/// The same by an evaluator's own rules.
pub(super) async fn score_by(
    evaluator: &PromptEvaluator<'_>,
    control: RunControl,
    prompts: &[Prompt],
    examples: &[Example],
) -> Result<Option<PromptEvaluation>, Failure> {
    tokio::spawn(pass_on(SignalStream::new(), control.clone(), None));
    watched(evaluator, &control, prompts, examples).await
}

/// The same where signals are listened for already.
pub(super) async fn watched(
    evaluator: &PromptEvaluator<'_>,
    control: &RunControl,
    prompts: &[Prompt],
    examples: &[Example],
) -> Result<Option<PromptEvaluation>, Failure> {
    let scored = tokio::select! {
        scored = evaluator.score(prompts, examples) => scored,
        () = control.aborted() => {
            note("aborted; everything paid for before is stored");
            return Ok(None);
        }
    };
    concluded(evaluator.gateway, scored).await.map(Some)
}

/// What came of asking, with what the gateway has to say of it. Refusals of a service
/// that refuses everything are forgotten: once it is mended it is asked again.
pub(super) async fn concluded<T>(
    gateway: &Gateway,
    came: Result<T, RunError>,
) -> Result<T, Failure> {
    if let Err(RunError::Unusable(hopeless)) = &came
        && hopeless.is_refused()
    {
        gateway.forget_refusals().await.map_err(stopped)?;
    }
    for remark in gateway.remarks() {
        note(&format!("Note: {remark}."));
    }
    came.map_err(stopped)
}

/// A stop with the way to go on.
pub(super) fn stopped(stop: RunError) -> Failure {
    let told = unusable::stopped(&stop);
    let on = match stop {
        RunError::Unusable(_) => {
            "answers so far are stored; --keep-going (eval, gate, drift) scores all the same"
        }
        _ => "answers so far are stored; the same command goes on",
    };
    Failure::new(ExitStatus::of(&stop), format!("{told}\n  {on}")).caused_by(stop)
}

/// What came of all prompts' answers.
pub(super) fn surveyed(evaluation: &PromptEvaluation) -> AnswerSurvey {
    let mut whole = AnswerSurvey::default();
    for survey in &evaluation.surveys {
        whole.add(survey);
    }
    whole
}

/// What a reader has to know of the scores' calibration.
pub(super) fn calibrated(session: &StudySession, evaluation: &PromptEvaluation) -> Option<String> {
    calibration_notes::note(
        session.resolved.study.search.calibration,
        &evaluation.calibration_fits,
        CalibrationSource::Outside,
        |id: PromptId| format!("{id:#}"),
    )
}

/// What the task learnt about reading each prompt's replies.
pub(super) fn readings(prompts: &[Prompt], evaluation: &PromptEvaluation) -> Vec<String> {
    let told = evaluation.readings.iter().zip(prompts);
    told.filter_map(|(told, prompt)| Some(format!("{:#}: {}.", prompt.id(), told.as_ref()?)))
        .collect()
}

/// Where the answers came from.
pub(crate) fn origin(spent: Spend, sent: u64) -> String {
    format!(
        "{} sent to a model, {} answered from the store",
        grouped(sent),
        grouped(spent.calls.saturating_sub(sent))
    )
}
