use std::collections::BTreeSet;
use std::path::Path;

use shiftproof_search::control::RunControl;
use shiftproof_search::evaluate::PromptEvaluation;
use shiftproof_search::event::GroupRole;
use shiftproof_search::stats::{PairedBootstrap, ShipGate, spent_alpha};
use shiftproof_tasks::{Example, Prompt};

use super::{
    check_writable, fetch_progress, judging, note, open_ledger, prepared, print, resolve, score,
    warnings, write,
};
use crate::cli::{GateArgs, GateProof};
use crate::exit::{ExitStatus, Failure};
use crate::gate::baseline::CommittedBaseline;
use crate::gate::decide::{DecisionEvidence, judge};
use crate::gate::holdout_log::{self, AccessCount, HoldoutAccess};
use crate::gate::power;
use crate::gate::prompts::NamedPrompt;
use crate::gate::{
    GateAudit, GateCriteria, GateDecision, GateFormat, GateMode, GateReport, GroupThreshold,
};
use crate::judge::{self, JudgeReport};
use crate::report::ground::caution;
use crate::report::to_json;
use crate::runs::session::StudySession;
use crate::runs::stored;
use crate::study::task_registry::TaskRegistry;
use crate::wording::printed_commands::{path_argument, resume_line};
use crate::wording::unusable;

/// Who is judged against whom.
struct GateContest {
    incumbent: NamedPrompt,
    judged: Vec<NamedPrompt>,
    baseline: Option<CommittedBaseline>,
    /// The incumbent's grades, where the baseline file's are trusted.
    recorded: Option<Vec<Option<f64>>>,
}

pub(super) async fn run(args: GateArgs, registry: &TaskRegistry) -> Result<ExitStatus, Failure> {
    // Everything that can be wrong is found before a call is paid for.
    let outputs: Vec<(&Path, GateFormat)> = args
        .output
        .iter()
        .map(|path| {
            let form = GateFormat::of(path)?;
            check_writable(path)?;
            Ok((path.as_path(), form))
        })
        .collect::<Result<_, Failure>>()?;
    let mut resolved = resolve(&args.study, Some(&args.budget), registry)?;
    resolved.study.proposer = None;
    let baseline = args
        .baseline
        .as_deref()
        .map(CommittedBaseline::read)
        .transpose()?;
    check(&args, baseline.as_ref(), &resolved.study.name)?;
    let given = given(&args, &resolved.study.name)?;
    let ledger = open_ledger(&args.store)?;
    crate::shared::check_budget(&ledger)?;
    let mut progress = fetch_progress(args.verbosity.quiet);
    let (path, quiet) = (&args.study.study, args.verbosity.quiet);
    let session = prepared(resolved, path, registry, quiet, &mut progress).await?;
    if !quiet {
        warnings(&session.loaded.findings);
    }
    judging(session.built.task.as_ref(), &args.study.study)?;
    check_groups(&args, &session)?;
    for named in &given {
        named.check(&session)?;
    }
    not_itself(&args, &session, baseline.as_ref(), &given)?;
    let examples = session.loaded.data.audit.clone().open();
    if examples.is_empty() {
        return Err(score::without_audit(&session));
    }
    score::check_ground(&session, &args.study.study)?;
    let contest = GateContest::new(&args, &session, baseline, given, &examples)?;
    let is_each = args.proof == GateProof::Each;
    if args.mode == GateMode::Ship && is_each && !contest.judged.is_empty() {
        let told = power::sentence(
            &ShipGate {
                alpha: level(
                    &args,
                    contest.opening(&session).count(&args.store.store)?.question,
                ),
                tolerance: args.tolerance,
                ..ShipGate::default()
            },
            contest.judged.len(),
            &clusters(&session, &examples),
        );
        if let Some(told) = told.filter(|_| !args.verbosity.quiet) {
            note(&told);
        }
    }
    let prompts: Vec<Prompt> = contest.asked().map(|named| named.prompt.clone()).collect();
    let control = RunControl::new();
    let planned = score::planned(&session, &prompts, &examples);
    let observers = vec![score::progress(args.verbosity.quiet, planned)];
    let trouble = args.trouble.into();
    let gateway = score::gateway(&session, ledger, control.clone(), observers, trouble);
    // A judge that is no bar decides nothing, and costs no more than this.
    let mut judged = judge::calibrated(&session, &gateway).await?;
    judged.iter().try_for_each(JudgeReport::check_bar)?;
    let scored = score::score(&session, &gateway, control, &prompts, &examples, trouble);
    let Some(evaluation) = scored.await? else {
        return Ok(ExitStatus::Interrupted);
    };
    check_measured(&evaluation)?;
    let opening = contest.opening(&session);
    let count = opening.count(&args.store.store)?;
    let mut report = contest.decide(&args, &session, &evaluation, &examples, count);
    if !is_each {
        report.notes.push(
            "Groups were proven together (--proof pooled): what all gain speaks for each of them. A \
             group that loses 10 points while the others gain 10 is let pass up to 14% of the time, \
             one that loses 5 points up to 36% of the time."
                .into(),
        );
    }
    report
        .notes
        .extend(caution(&session.loaded.groups).map(|text| text + "."));
    report.notes.extend(score::knowledge(&gateway));
    report.notes.extend(judge::notes(
        judged.as_mut(),
        &session,
        (&prompts, &evaluation),
    ));
    report.spent = gateway.spent();
    report.sent = gateway.sent();
    // Written down before it is seen.
    opening.record(&args.store.store, report.decision.name())?;
    tell(&args, &outputs, &report)?;
    write_baseline(&args, &report, &contest.grades(&evaluation), &examples)?;
    Ok(report.decision.exit())
}

/// Fails where scores are missing, or all of them rest on nothing.
fn check_measured(evaluation: &PromptEvaluation) -> Result<(), Failure> {
    if !evaluation.complete {
        return Err(Failure::new(
            ExitStatus::Budget,
            "the budget ran out before every prompt was scored on every audit example: no \
             decision, and none of the scores is shown\n  answers so far are stored; the same \
             command with a larger budget goes on",
        ));
    }
    let survey = score::surveyed(evaluation);
    for told in unusable::sentences(&survey) {
        note(&told);
    }
    if survey.unusable() == survey.answers {
        return Err(Failure::new(
            ExitStatus::Unusable,
            "not one answer can be used: no decision",
        ));
    }
    Ok(())
}

impl GateContest {
    fn new(
        args: &GateArgs,
        session: &StudySession,
        baseline: Option<CommittedBaseline>,
        mut judged: Vec<NamedPrompt>,
        examples: &[Example],
    ) -> Result<Self, Failure> {
        let seed = NamedPrompt::of_study(session.built.task.seed(), &args.study.study);
        let incumbent = match (&baseline, &args.baseline) {
            (Some(baseline), Some(path)) => of_baseline(baseline, path),
            _ => seed.clone(),
        };
        if judged.is_empty() && (baseline.is_some() || args.mode == GateMode::Guard) {
            judged.push(seed);
        }
        let mut seen = BTreeSet::new();
        judged.retain(|named| seen.insert(named.id()));
        let recorded = match &baseline {
            Some(baseline) if args.trust_baseline => {
                let fingerprint = session.loaded.data.audit.fingerprint();
                Some(trusted(
                    baseline,
                    &fingerprint,
                    examples,
                    args.baseline.as_deref(),
                )?)
            }
            _ => None,
        };
        Ok(Self {
            incumbent,
            judged,
            baseline,
            recorded,
        })
    }

    /// The prompts that a model is asked about.
    fn asked(&self) -> impl Iterator<Item = &NamedPrompt> {
        let incumbent = self.recorded.is_none().then_some(&self.incumbent);
        incumbent.into_iter().chain(&self.judged)
    }

    /// This opening of the audit.
    fn opening(&self, session: &StudySession) -> HoldoutAccess {
        HoldoutAccess::now(
            "gate",
            &session.resolved.study.name,
            &session.loaded.data.audit.fingerprint(),
            session.task_model.model.llm.identity(),
            self.asked().map(NamedPrompt::id),
            session.loaded.data.reads.count(),
        )
    }

    /// Grades of the incumbent, then of the judged.
    fn grades<'a>(&'a self, evaluation: &'a PromptEvaluation) -> Vec<&'a [Option<f64>]> {
        let asked = evaluation.grades.iter().map(Vec::as_slice);
        self.recorded.as_deref().into_iter().chain(asked).collect()
    }

    fn decide(
        &self,
        args: &GateArgs,
        session: &StudySession,
        evaluation: &PromptEvaluation,
        examples: &[Example],
        count: AccessCount,
    ) -> GateReport {
        let data = &session.loaded.data;
        let groups = &session.loaded.groups;
        let model = session.task_model.model.llm.identity();
        let metric = session.built.task.metric().name();
        let fingerprint = data.audit.fingerprint();
        let mut notes = Vec::new();
        if let Some(baseline) = &self.baseline {
            notes = baseline.changes(model, &fingerprint, &metric);
            if !notes.is_empty() && self.recorded.is_none() {
                notes.push(
                    "Every prompt was scored anew under today's model and audit; \
                     --trust-baseline compares with the recorded grades instead."
                        .into(),
                );
            }
        }
        notes.extend(holdout_log::warning(count));
        notes.extend(score::calibrated(session, evaluation));
        let survey = score::surveyed(evaluation);
        notes.extend(unusable::sentences(&survey));
        let trusted = self.baseline.as_ref().filter(|_| self.recorded.is_some());
        let (sample, dropped) = evaluation.paired(&self.grades(evaluation), groups.len());
        let scores = trusted
            .map(CommittedBaseline::scores)
            .into_iter()
            .chain(evaluation.scores.clone());
        let contenders = std::iter::once(&self.incumbent)
            .chain(&self.judged)
            .zip(scores)
            .map(|(named, scores)| named.contend(scores))
            .collect();
        let target = |example: &&Example| {
            let of = groups
                .iter()
                .find(|group| group.name == example.input.group);
            of.is_some_and(|group| group.role == GroupRole::Target)
        };
        judge(DecisionEvidence {
            study: &session.resolved.study.name,
            mode: args.mode,
            model,
            metric: &metric,
            demand: demand(args, count.question),
            audit: GateAudit {
                fingerprint,
                examples: examples.len(),
                labels_read: data.reads.count(),
                target_labels_read: examples.iter().filter(target).count() as u64,
                openings: count.openings,
                questions: count.questions,
            },
            groups,
            contenders,
            incumbent_model: trusted.map(|baseline| baseline.model.clone()),
            sample: &sample,
            dropped,
            notes,
            unusable: survey,
        })
    }
}

/// Independent audit examples per group: clusters where examples have some.
fn clusters<'a>(session: &'a StudySession, examples: &[Example]) -> Vec<(&'a str, usize)> {
    let groups = session.loaded.groups.iter();
    let own = groups.map(|group| {
        let mut named = BTreeSet::new();
        let mut alone = 0;
        for example in examples.iter().filter(|e| e.input.group == group.name) {
            match &example.input.cluster {
                Some(cluster) => {
                    named.insert(cluster.as_str());
                }
                None => alone += 1,
            }
        }
        (group.name.as_str(), named.len() + alone)
    });
    own.collect()
}

/// The prompts named on the command line.
fn given(args: &GateArgs, study: &str) -> Result<Vec<NamedPrompt>, Failure> {
    let mut given: Vec<NamedPrompt> = args
        .candidate
        .iter()
        .map(|text| NamedPrompt::given(text))
        .collect::<Result<_, _>>()?;
    if let Some(run) = &args.run {
        given.push(pick(&args.store.store, run, study)?);
    }
    Ok(given)
}

/// Refuses a prompt that would be held against itself: it would open the audit and show
/// nothing.
fn not_itself(
    args: &GateArgs,
    session: &StudySession,
    baseline: Option<&CommittedBaseline>,
    given: &[NamedPrompt],
) -> Result<(), Failure> {
    // A guard, and who trusts recorded grades, ask what has changed around a prompt.
    if args.mode == GateMode::Guard || args.trust_baseline {
        return Ok(());
    }
    let (incumbent, whose) = match (baseline, &args.baseline) {
        (Some(baseline), Some(path)) => (
            of_baseline(baseline, path).id(),
            format!("the prompt of the baseline {}", path.display()),
        ),
        _ => (
            session.built.task.seed().id(),
            format!(
                "the prompt in use, which {} has",
                args.study.study.display()
            ),
        ),
    };
    let Some(at) = given.iter().position(|named| named.id() == incumbent) else {
        return Ok(());
    };
    let is_given = at < args.candidate.len();
    if !is_given && (args.json || !args.output.is_empty()) {
        // Whoever reads these after every search finds them.
        return Ok(());
    }
    let told = format!(
        "the prompt {incumbent:#} ({}) is the same as {whose}: there is nothing to compare, and the \
         audit was not opened\n  `shiftproof gate {} --mode guard` holds the prompt in use against \
         bars or a baseline",
        given[at].origin,
        path_argument(&args.study.study)
    );
    // A search that kept its seed has found no winner; that is nobody's mistake.
    let exit = if is_given {
        ExitStatus::Usage
    } else {
        ExitStatus::NoWinner
    };
    Err(Failure::new(exit, told))
}

/// Combinations that cannot be meant.
fn check(
    args: &GateArgs,
    baseline: Option<&CommittedBaseline>,
    study: &str,
) -> Result<(), Failure> {
    if let (Some(baseline), Some(path)) = (baseline, &args.baseline)
        && baseline.study != study
    {
        return Err(Failure::usage(format!(
            "{}: the baseline of the study {:?}, not of {study:?}",
            path.display(),
            baseline.study
        )));
    }
    let given = args.candidate.len() + usize::from(args.run.is_some());
    let bars = args.min_worst.is_some() || !args.min_group.is_empty();
    match args.mode {
        GateMode::Ship if given == 0 && baseline.is_none() && args.write_baseline.is_none() => {
            Err(Failure::usage(
                "there is nothing to judge: give --candidate TEXT|@FILE, --run RUN, --baseline \
                 FILE, or --write-baseline FILE to measure the study's prompt",
            ))
        }
        GateMode::Guard if given > 1 => Err(Failure::usage(
            "--mode guard judges one prompt: the study's, or one --candidate or --run",
        )),
        GateMode::Guard if baseline.is_none() && !bars => Err(Failure::usage(
            "--mode guard has nothing to hold the prompt against: give --baseline FILE, \
             --min-worst SCORE or --min-group NAME=SCORE",
        )),
        _ => Ok(()),
    }
}

fn check_groups(args: &GateArgs, session: &StudySession) -> Result<(), Failure> {
    let names: Vec<&str> = session
        .loaded
        .groups
        .iter()
        .map(|g| g.name.as_str())
        .collect();
    match args
        .min_group
        .iter()
        .find(|(name, _)| !names.contains(&name.as_str()))
    {
        Some((name, _)) => Err(Failure::usage(format!(
            "--min-group names {name:?}, which is no group of the study; there is {}",
            names.join(", ")
        ))),
        None => Ok(()),
    }
}

/// Proof is asked at the level that the question may spend; a guard's alarm is no
/// choice among prompts, and spends nothing.
fn level(args: &GateArgs, question: usize) -> f64 {
    match args.mode {
        GateMode::Ship => spent_alpha(args.alpha, question),
        GateMode::Guard => args.alpha,
    }
}

fn demand(args: &GateArgs, question: usize) -> GateCriteria {
    GateCriteria {
        proof: args.proof.into(),
        objective: args.objective.clone(),
        alpha: args.alpha,
        level: level(args, question),
        tolerance: args.tolerance,
        replicates: PairedBootstrap::default().replicates,
        min_worst: args.min_worst,
        min_groups: args
            .min_group
            .iter()
            .map(|(group, score)| GroupThreshold {
                group: group.clone(),
                score: *score,
            })
            .collect(),
    }
}

/// The prompt that a stored run selected. Its log is a plain file, so this needs
/// no hold of the store.
fn pick(store: &Path, run: &str, study: &str) -> Result<NamedPrompt, Failure> {
    let summary = stored::read(&stored::folder(store, run)?)?.summary;
    let of = summary
        .started
        .as_ref()
        .map_or("", |started| started.study.as_str());
    if of != study {
        return Err(Failure::usage(format!(
            "{run} is a run of the study {of:?}, not of {study:?}"
        )));
    }
    let prompt = summary.selected_prompt().cloned().ok_or_else(|| {
        Failure::usage(format!(
            "the run {run} has selected no prompt yet; finish it with `{}`",
            resume_line(store, run, "")
        ))
    })?;
    Ok(NamedPrompt {
        prompt,
        origin: format!("selected by {run}"),
        place: None,
    })
}

fn of_baseline(baseline: &CommittedBaseline, path: &Path) -> NamedPrompt {
    let file = path.display().to_string();
    NamedPrompt {
        prompt: baseline.prompt.clone(),
        place: Some(crate::gate::PromptLocation {
            line: 1,
            file: file.clone(),
        }),
        origin: file,
    }
}

/// The baseline's own grades on today's audit, which must be the one it was
/// measured on.
fn trusted(
    baseline: &CommittedBaseline,
    fingerprint: &str,
    examples: &[Example],
    path: Option<&Path>,
) -> Result<Vec<Option<f64>>, Failure> {
    let place = path.map_or_else(String::new, |path| path.display().to_string());
    if baseline.audit != fingerprint {
        return Err(Failure::usage(format!(
            "{place}: measured on another audit, so its grades cannot be paired with today's; \
             leave --trust-baseline out to score its prompt anew, or write it anew with \
             --write-baseline"
        )));
    }
    baseline.grades(examples).ok_or_else(|| {
        Failure::usage(format!(
            "{place}: its grades do not fit the audit it names; write it anew with \
             --write-baseline"
        ))
    })
}

/// Writes the files that were asked for and prints the report.
fn tell(
    args: &GateArgs,
    outputs: &[(&Path, GateFormat)],
    report: &GateReport,
) -> Result<(), Failure> {
    for (path, form) in outputs {
        write(path, &report.render(*form)?)?;
    }
    let shown = if args.json {
        to_json(report)?
    } else {
        report.text()
    };
    print(&shown)
}

/// Writes the prompt that stands after the decision.
fn write_baseline(
    args: &GateArgs,
    report: &GateReport,
    grades: &[&[Option<f64>]],
    examples: &[Example],
) -> Result<(), Failure> {
    let Some(path) = &args.write_baseline else {
        return Ok(());
    };
    let stands = match report.decision {
        GateDecision::Ship => report.winner().map(|winner| &winner.contender),
        GateDecision::Holds => report.leading().map(|leading| &leading.contender),
        GateDecision::Measured | GateDecision::NoSignificantWinner => Some(&report.incumbent),
        GateDecision::Regressed | GateDecision::BelowBar => None,
    };
    let recorded = report.trusted().is_some();
    let all = std::iter::once(&report.incumbent).chain(
        report
            .candidates
            .iter()
            .map(|candidate| &candidate.contender),
    );
    let place = all
        .enumerate()
        .skip(usize::from(recorded))
        .find(|(_, contender)| stands.is_some_and(|stands| stands.id == contender.id));
    let Some((at, contender)) = place else {
        note(&format!("{} was not written", path.display()));
        return Ok(());
    };
    write(
        path,
        &CommittedBaseline::of(report, contender, grades[at], examples).text()?,
    )
}
