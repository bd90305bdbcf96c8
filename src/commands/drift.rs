use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use shiftproof_search::calibrate::CalibrationSet;
use shiftproof_search::control::RunControl;
use shiftproof_search::evaluate::{GivenAnswer, PromptEvaluator};
use shiftproof_search::gateway::Gateway;
use shiftproof_search::stats::{ClusteredSample, PairedBootstrap, paired_bootstrap};
use shiftproof_tasks::{Example, Input, Prompt};

use self::day_batch::{DayBatch, unit};
use super::signals::{SignalStream, pass_on};
use super::{
    check_writable, fetch_progress, judging, note, open_ledger, prepared, print, resolve, score,
    warnings, write,
};
use crate::cli::DriftArgs;
use crate::drift::{
    DayCost, DayRecord, DriftForm, DriftLog, DriftReport, GroupWatch, NextSteps, RacedChampion,
    ReferenceRecord, decide, watch,
};
use crate::exit::{ExitStatus, Failure};
use crate::gate::baseline::CommittedBaseline;
use crate::gate::holdout_log::HoldoutAccess;
use crate::report::{RunSummary, machine, to_json};
use crate::runs::session::StudySession;
use crate::runs::stored;
use crate::study::task_registry::TaskRegistry;
use crate::wording::unusable;

mod day_batch;

/// Chance of a false alarm where none is stated.
const ALPHA: f64 = 0.05;
/// Tolerated fall where none is stated.
const TOLERANCE: f64 = 0.02;

pub(super) async fn run(args: DriftArgs, registry: &TaskRegistry) -> Result<ExitStatus, Failure> {
    args.output
        .iter()
        .try_for_each(|path| DriftForm::of(path).and_then(|_| check_writable(path)))?;
    let mut resolved = resolve(&args.study, Some(&args.budget), registry)?;
    resolved.study.proposer = None;
    let baseline = args
        .baseline
        .as_deref()
        .map(CommittedBaseline::read)
        .transpose()?;
    let ledger = open_ledger(&args.store)?;
    crate::shared::check_budget(&ledger)?;
    let mut progress = fetch_progress(args.verbosity.quiet);
    let path = &args.study.study;
    let quiet = args.verbosity.quiet;
    let session = prepared(resolved, path, registry, quiet, &mut progress).await?;
    if !quiet {
        warnings(&session.loaded.findings);
    }
    judging(session.built.task.as_ref(), path)?;
    let mut notes = Vec::new();
    let batch = DayBatch::read(&args, &session, &mut notes)?;
    let prompt = baseline.map_or_else(|| session.built.task.seed(), |baseline| baseline.prompt);
    let control = RunControl::new();
    let planned = (batch.labelled.len() + batch.unlabelled.len()) as u64;
    let observers = vec![score::progress(args.verbosity.quiet, planned)];
    let trouble = args.trouble.into();
    let gateway = score::gateway(&session, ledger, control.clone(), observers, trouble);
    let call = DriftCall {
        args: &args,
        session: &session,
        gateway: &gateway,
        prompt,
    };
    tokio::spawn(pass_on(SignalStream::new(), control.clone(), None));
    let report = tokio::select! {
        report = call.report(&batch, notes) => report?,
        () = control.aborted() => {
            note("aborted; everything paid for before is stored");
            return Ok(ExitStatus::Interrupted);
        }
    };
    for path in &args.output {
        write(path, &report.render(path)?)?;
    }
    print(&if args.json {
        to_json(&report)?
    } else {
        report.text()
    })?;
    Ok(report.exit())
}

/// One call of the command.
struct DriftCall<'a> {
    args: &'a DriftArgs,
    session: &'a StudySession,
    gateway: &'a Gateway,
    prompt: Prompt,
}

impl DriftCall<'_> {
    async fn report(
        &self,
        batch: &DayBatch,
        mut notes: Vec<String>,
    ) -> Result<DriftReport, Failure> {
        let session = self.session;
        let study = &session.resolved.study;
        let model = session.task_model.model.llm.identity();
        let mut log = DriftLog::read(&self.state())?;
        let reference = self.reference(&mut log).await?;
        let before = self.gateway.spent();
        let answers = self
            .answers(&self.prompt, &batch.labelled, &batch.unlabelled)
            .await?;
        let spent = self.gateway.spent().without(before);
        let name = self.name();
        let mut day = DayRecord {
            batch: name.clone(),
            prompt: self.prompt.id(),
            groups: batch.count(&answers),
            cost: Some(DayCost::new(answers.len(), spent)),
            alarms: Vec::new(),
            labelled: false,
        };
        let mut days = log.stream();
        match days.iter_mut().find(|known| known.batch == name) {
            Some(known) => {
                known.groups.clone_from(&day.groups);
                known.cost = day.cost;
            }
            None => days.push(day.clone()),
        }
        let groups = watch(&session.loaded.groups, &reference, &days);
        day.alarms = groups.iter().flat_map(GroupWatch::marks).collect();
        // Written down before it is seen.
        log.add(day)?;
        let race = match self.args.re_race {
            Some(most) => self.race(batch, most).await?,
            None => Vec::new(),
        };
        // Rows without an answer count nowhere: that is not to be seen from the counts.
        let told = RunSummary::of(&self.gateway.emitted());
        notes.extend(unusable::sentences(&told.unusable));
        notes.extend(score::knowledge(self.gateway));
        let [study_file, batch_file] =
            [&self.args.study.study, &self.args.batch].map(|path| path.display().to_string());
        let flag = stored::store_flag(&self.args.store.store);
        let files = NextSteps {
            study: &study_file,
            batch: (!batch.is_complete).then_some(&batch_file),
            flag: &flag,
        };
        let (decision, reason, next) = decide(&groups, &race, files);
        Ok(DriftReport {
            study: study.name.clone(),
            prompt: self.prompt.id(),
            model: machine(model),
            metric: session.built.task.metric().name(),
            batch: name,
            alpha: reference.alpha,
            tolerance: reference.tolerance,
            decision,
            reason,
            next,
            groups,
            race,
            days: log.days(),
            notes,
            spent: self.gateway.spent(),
            sent: self.gateway.sent(),
        })
    }

    /// Where the days are remembered.
    fn state(&self) -> PathBuf {
        self.args.state.clone().unwrap_or_else(|| {
            let name = format!("{}.jsonl", self.session.resolved.study.name);
            self.args.store.store.join("drift").join(name)
        })
    }

    fn name(&self) -> String {
        self.args.day.clone().unwrap_or_else(|| {
            let stem = self.args.batch.file_stem().unwrap_or_default();
            stem.to_string_lossy().into_owned()
        })
    }

    /// What the stream under way is held against; begins one for another prompt or
    /// model.
    async fn reference(&self, log: &mut DriftLog) -> Result<ReferenceRecord, Failure> {
        let session = self.session;
        let model = session.task_model.model.llm.identity();
        let known = log.reference(self.prompt.id(), model);
        if let Some(known) = known.filter(|_| !self.args.restart) {
            let stated = [
                ("--alpha", self.args.alpha, known.alpha),
                ("--tolerance", self.args.tolerance, known.tolerance),
            ];
            for (flag, stated, began) in stated {
                if stated.is_some_and(|stated| (stated - began).abs() > 1e-12) {
                    return Err(Failure::usage(format!(
                        "the stream began with {flag} {began}, which holds for all its days; \
                         --restart begins another"
                    )));
                }
            }
            return Ok(known.clone());
        }
        let audit = session.loaded.data.audit.clone();
        let fingerprint = audit.fingerprint();
        let examples = audit.open();
        // Of a target without labels there are answers all the same.
        let audited: BTreeSet<&str> = examples.iter().map(|e| &*e.input.group).collect();
        let inputs: Vec<Input> = session
            .loaded
            .data
            .target
            .inputs
            .iter()
            .filter(|input| !audited.contains(input.group.as_str()))
            .cloned()
            .collect();
        let answers = self.answers(&self.prompt, &examples, &inputs).await?;
        let reference = ReferenceRecord {
            prompt: self.prompt.id(),
            model: model.to_owned(),
            alpha: self.args.alpha.unwrap_or(ALPHA),
            tolerance: self.args.tolerance.unwrap_or(TOLERANCE),
            groups: DayBatch {
                labelled: examples,
                unlabelled: inputs,
                chosen: BTreeSet::new(),
                is_complete: false,
            }
            .count(&answers),
        };
        let opening = HoldoutAccess::now(
            "drift",
            &session.resolved.study.name,
            &fingerprint,
            model,
            [self.prompt.id()],
            session.loaded.data.reads.count(),
        );
        opening.record(&self.args.store.store, "reference")?;
        log.begin(reference.clone())?;
        Ok(reference)
    }

    async fn answers(
        &self,
        prompt: &Prompt,
        labelled: &[Example],
        unlabelled: &[Input],
    ) -> Result<Vec<GivenAnswer>, Failure> {
        let session = self.session;
        let evaluator = PromptEvaluator {
            task: session.built.task.as_ref(),
            gateway: self.gateway,
            model: &session.task_model.model,
            calibration: session.resolved.study.search.calibration,
            groups: &session.loaded.groups,
            settle_on: CalibrationSet::of(&session.loaded.data),
            keep_going: self.args.trouble.keep_going,
        };
        let answers = evaluator.answers(prompt, labelled, unlabelled).await;
        score::concluded(self.gateway, answers).await?.ok_or_else(|| {
            Failure::new(
                ExitStatus::Budget,
                "the budget ran out before the prompt had answered every row: nothing is said of \
                 this day\n  answers so far are stored; the same command with a larger budget goes \
                 on",
            )
        })
    }

    /// The prompts that stored runs of the study selected, on the labelled rows, the
    /// latest runs first, for `most` evaluations.
    async fn race(&self, batch: &DayBatch, most: usize) -> Result<Vec<RacedChampion>, Failure> {
        let store = &self.args.store.store;
        let fair: Vec<Example> = batch
            .labelled
            .iter()
            .filter(|example| !batch.chosen.contains(&example.input.id))
            .cloned()
            .collect();
        if fair.is_empty() {
            return Ok(Vec::new());
        }
        let own = self.answers(&self.prompt, &fair, &[]).await?;
        let mut raced = Vec::new();
        let mut seen = BTreeSet::from([self.prompt.id()]);
        for folder in stored::finished_of(store, &self.session.resolved.study.name) {
            if (raced.len() + 1) * fair.len() > most {
                break;
            }
            let Some(champion) = stored::brief(&folder)?.selected_prompt().cloned() else {
                continue;
            };
            if !seen.insert(champion.id()) {
                continue;
            }
            let answers = self.answers(&champion, &fair, &[]).await?;
            let run = folder.file_name().unwrap_or_default();
            let run = run.to_string_lossy().into_owned();
            raced.extend(compared(run, &champion, &fair, &own, &answers));
        }
        raced.sort_by(|a, b| b.ahead[0].total_cmp(&a.ahead[0]));
        Ok(raced)
    }
}

/// A champion against the prompt in use, on rows that both answered: the mean over
/// groups, paired and by cluster.
fn compared(
    run: String,
    champion: &Prompt,
    rows: &[Example],
    own: &[GivenAnswer],
    answers: &[GivenAnswer],
) -> Option<RacedChampion> {
    let names: BTreeSet<&str> = rows.iter().map(|row| row.input.group.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let mut sample = ClusteredSample::new(2, names.len());
    let mut clusters: BTreeMap<String, u64> = BTreeMap::new();
    let mut n = 0;
    for (at, row) in rows.iter().enumerate() {
        let (Some(a), Some(b)) = (own[at].grade, answers[at].grade) else {
            continue;
        };
        let name = unit(&row.input);
        let next = clusters.len() as u64;
        let cluster = *clusters.entry(name).or_insert(next);
        let group = names.iter().position(|name| *name == row.input.group)?;
        n += usize::from(sample.push(group, cluster, &[a, b]));
    }
    let mean = |means: &[f64]| means.iter().sum::<f64>() / means.len() as f64;
    let replicates = paired_bootstrap(&sample, 0, PairedBootstrap::default(), mean)?;
    let ahead = &replicates.robust[1];
    let interval = ahead.interval(0.95);
    let graded: Vec<f64> = answers.iter().filter_map(|answer| answer.grade).collect();
    Some(RacedChampion {
        run,
        prompt: champion.id(),
        score: mean(&graded),
        ahead: [ahead.estimate, interval.low, interval.high],
        n,
    })
}
