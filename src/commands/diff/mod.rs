mod text;

use std::io::IsTerminal;
use std::path::Path;

use serde::Serialize;
use shiftproof_search::control::RunControl;
use shiftproof_search::event::{AuditedPrompt, GroupOutcome, ScoreDifference};
use shiftproof_search::stats::{PairedBootstrap, paired_bootstrap};
use shiftproof_tasks::{Prompt, PromptId};

use super::{fetch_progress, note, open_ledger, prepared, print, print_colored, resolve, score};
use crate::cli::{ColorChoice, DiffArgs, StudyArgs};
use crate::exit::{ExitStatus, Failure};
use crate::gate::holdout_log::{self, HoldoutAccess};
use crate::gate::prompts::NamedPrompt;
use crate::report::{RunSummary, to_json};
use crate::runs::session::UnusablePolicy;
use crate::runs::stored;
use crate::study::task_registry::TaskRegistry;
use crate::study::{DifferingKey, Study, differing};
use crate::wording::unusable;
use crate::wording::word_diff::{DiffPiece, flat, pieces};

/// What a run's last scores are on.
const AUDIT: &str = "the sealed audit";

/// Confidence of the intervals shown, as everywhere in reports.
const CONFIDENCE: f64 = 0.95;

/// One prompt with what is known of it.
#[derive(Debug, Serialize)]
struct DiffSide {
    id: PromptId,
    prompt: Prompt,
    origin: String,
    /// On which examples the scores are.
    scored_on: Option<String>,
    groups: Vec<GroupOutcome>,
    /// The study of the run it is from.
    #[serde(skip)]
    study: Option<Study>,
}

#[derive(Debug, Serialize)]
struct ShownDiff {
    a: DiffSide,
    b: DiffSide,
    pieces: Vec<DiffPiece>,
    /// b − a per group, where both have grades on the same examples.
    differences: Vec<ScoreDifference>,
    /// Keys in which the studies of two runs differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    studies: Vec<DifferingKey>,
}

pub(super) async fn run(args: DiffArgs, registry: &TaskRegistry) -> Result<ExitStatus, Failure> {
    let store = &args.store.store;
    let summary = args
        .run
        .as_deref()
        .map(|run| Ok::<_, Failure>(stored::read(&stored::folder(store, run)?)?.summary))
        .transpose()?;
    let find = |argument: &str| match (&summary, &args.run) {
        (Some(summary), Some(run)) => in_run(argument, summary, run),
        _ => alone(argument, store),
    };
    let (a, b) = (find(&args.a)?, find(&args.b)?);
    let studies = match (&a.study, &b.study) {
        (Some(a), Some(b)) => differing(a, b),
        _ => Vec::new(),
    };
    let mut shown = ShownDiff {
        studies,
        pieces: pieces(&flat(&a.prompt), &flat(&b.prompt)),
        differences: summary
            .as_ref()
            .map_or_else(Vec::new, |s| compared(s, &a, &b)),
        a,
        b,
    };
    let mut complete = true;
    if let Some(study) = &args.study {
        complete = Box::pin(evaluate(&args, study, registry, &mut shown)).await?;
    }
    if args.json {
        print(&to_json(&shown)?)?;
    } else {
        print_colored(&text::text(&shown, coloured(args.color)))?;
    }
    if !complete {
        note("the budget ran out before both prompts were scored on every example");
        return Ok(ExitStatus::Budget);
    }
    Ok(ExitStatus::Done)
}

fn coloured(when: ColorChoice) -> bool {
    match when {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                && std::io::stdout().is_terminal()
        }
    }
}

/// A prompt named without a run: text, file, or a run's selected prompt.
fn alone(argument: &str, store: &Path) -> Result<DiffSide, Failure> {
    if !looks_like_a_run(argument) {
        return Ok(DiffSide::of(NamedPrompt::given(argument)?));
    }
    let folder = stored::folder(store, argument)?;
    let mut side = in_run("selected", &stored::read(&folder)?.summary, argument)?;
    side.study = stored::study(&folder)?.map(|resolved| resolved.study);
    Ok(side)
}

/// Whether `argument` is `STUDY-sSEED-NUMBER`, as runs are called.
fn looks_like_a_run(argument: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    argument
        .rsplit_once('-')
        .and_then(|(front, number)| Some((front.rsplit_once("-s")?, number)))
        .is_some_and(|((study, seed), number)| {
            !study.contains(char::is_whitespace) && digits(seed) && digits(number)
        })
}

/// A candidate of a run: by role, by the first digits of its id, or by its text.
fn in_run(argument: &str, summary: &RunSummary, run: &str) -> Result<DiffSide, Failure> {
    let role = match argument {
        "seed" => Some(summary.seed()),
        "selected" => Some(summary.selected),
        _ => None,
    };
    let id = match role {
        Some(Some(id)) => id,
        Some(None) => {
            return Err(Failure::usage(format!(
                "the run {run} has no {argument} prompt yet"
            )));
        }
        None => {
            let hex = argument.len() >= 4 && argument.bytes().all(|byte| byte.is_ascii_hexdigit());
            let digits = argument.to_ascii_lowercase();
            let mut found = summary
                .candidates
                .keys()
                .filter(|id| hex && id.to_string().starts_with(&digits));
            match (found.next(), found.next()) {
                (Some(id), None) => *id,
                (Some(_), Some(_)) => {
                    return Err(Failure::usage(format!(
                        "{argument} begins the ids of several candidates of {run}; give more digits"
                    )));
                }
                (None, _) if hex && !argument.starts_with('@') => {
                    return Err(Failure::usage(format!(
                        "no candidate of {run} has an id that begins with {argument}; `shiftproof \
                         runs show {run} --json` lists them"
                    )));
                }
                (None, _) => {
                    let given = NamedPrompt::given(argument)?;
                    if !summary.candidates.contains_key(&given.id()) {
                        return Ok(DiffSide::of(given));
                    }
                    given.id()
                }
            }
        }
    };
    let standing = summary
        .candidates
        .get(&id)
        .ok_or_else(|| Failure::data(format!("the log of {run} does not hold {id:#}")))?;
    let audited = [
        (summary.selected, AuditedPrompt::Selected),
        (summary.seed(), AuditedPrompt::Seed),
    ]
    .into_iter()
    .filter(|(who, _)| *who == Some(id))
    .find_map(|(_, contestant)| summary.audited(contestant));
    let (groups, on) = match audited {
        Some(groups) => (groups.to_vec(), AUDIT),
        None => (standing.groups.clone(), "the search's own examples"),
    };
    Ok(DiffSide {
        id,
        prompt: standing.prompt.clone(),
        origin: format!("{}, {run}", standing.origin),
        scored_on: (!groups.is_empty()).then(|| format!("{on} of {run}")),
        groups,
        study: None,
    })
}

/// The run's own paired differences, where these two are what it compared.
fn compared(summary: &RunSummary, a: &DiffSide, b: &DiffSide) -> Vec<ScoreDifference> {
    let pair = (summary.seed(), summary.selected);
    if pair == (Some(a.id), Some(b.id)) {
        return summary.compared.clone();
    }
    if pair == (Some(b.id), Some(a.id)) {
        let turned = summary.compared.iter().map(|row| ScoreDifference {
            value: -row.value,
            low: -row.high,
            high: -row.low,
            ..row.clone()
        });
        return turned.collect();
    }
    Vec::new()
}

/// Scores both prompts on the study's sealed audit, which counts as opening it.
async fn evaluate(
    args: &DiffArgs,
    path: &Path,
    kinds: &TaskRegistry,
    shown: &mut ShownDiff,
) -> Result<bool, Failure> {
    let study = StudyArgs {
        study: path.to_owned(),
        seed: 1,
        model: None,
        base_url: None,
        prices: std::env::var_os("SHIFTPROOF_PRICES").map(Into::into),
        method: None,
    };
    let mut resolved = resolve(&study, Some(&args.budget), kinds)?;
    resolved.study.proposer = None;
    let ledger = open_ledger(&args.store)?;
    let mut progress = fetch_progress(true);
    let session = prepared(resolved, path, kinds, false, &mut progress).await?;
    let data = &session.loaded.data;
    let fingerprint = data.audit.fingerprint();
    let examples = data.audit.clone().open();
    if examples.is_empty() {
        return Err(Failure::usage(
            "the study has no audit examples to score on: set groups.audit",
        ));
    }
    let control = RunControl::new();
    let gateway = score::gateway(
        &session,
        ledger,
        control.clone(),
        Vec::new(),
        UnusablePolicy::default(),
    );
    let prompts = [shown.a.prompt.clone(), shown.b.prompt.clone()];
    let Some(evaluation) = score::score(
        &session,
        &gateway,
        control,
        &prompts,
        &examples,
        UnusablePolicy::default(),
    )
    .await?
    else {
        return Err(Failure::new(ExitStatus::Interrupted, "interrupted"));
    };
    let opening = HoldoutAccess::now(
        "diff",
        &session.resolved.study.name,
        &fingerprint,
        session.task_model.model.llm.identity(),
        [shown.a.id, shown.b.id],
        data.reads.count(),
    );
    if let Some(warning) = holdout_log::warning(opening.count(&args.store.store)?) {
        note(&warning);
    }
    opening.record(&args.store.store, "shown")?;
    if let Some(told) = score::calibrated(&session, &evaluation) {
        note(&told);
    }
    let unused = unusable::sentences(&score::surveyed(&evaluation));
    for told in unused.iter().chain(&score::knowledge(&gateway)) {
        note(told);
    }
    let groups = &session.loaded.groups;
    let on = format!("the sealed audit of {}", path.display());
    for (side, scores) in [&mut shown.a, &mut shown.b]
        .into_iter()
        .zip(&evaluation.scores)
    {
        side.groups.clone_from(scores);
        side.scored_on = Some(on.clone());
    }
    let grades: Vec<&[Option<f64>]> = evaluation.grades.iter().map(Vec::as_slice).collect();
    let (sample, _) = evaluation.paired(&grades, groups.len());
    let mean = |means: &[f64]| means.iter().sum::<f64>() / means.len() as f64;
    shown.differences = paired_bootstrap(&sample, 0, PairedBootstrap::default(), mean).map_or_else(
        Vec::new,
        |replicates| {
            (0..groups.len())
                .filter(|&group| sample.examples(group) > 0)
                .map(|group| {
                    let difference = &replicates.groups[1][group];
                    let ends = difference.interval(CONFIDENCE);
                    ScoreDifference {
                        group: groups[group].name.clone(),
                        value: difference.estimate,
                        low: ends.low,
                        high: ends.high,
                        n: sample.examples(group),
                    }
                })
                .collect()
        },
    );
    Ok(evaluation.complete)
}

impl DiffSide {
    fn of(named: NamedPrompt) -> Self {
        Self {
            id: named.id(),
            prompt: named.prompt,
            origin: named.origin,
            scored_on: None,
            groups: Vec::new(),
            study: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::looks_like_a_run;

    #[test]
    fn runs_are_told_from_texts() {
        assert!(looks_like_a_run("reviews-s1-12"));
        assert!(!looks_like_a_run("Answer yes-s1-no"));
        assert!(!looks_like_a_run("Is this review well-structured?"));
    }
}
