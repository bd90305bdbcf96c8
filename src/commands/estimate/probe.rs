//! A few paid answers that tell whether there is anything to gain.

use std::fmt::Write as _;

use serde::Serialize;
use shiftproof_search::budget::Spend;
use shiftproof_search::calibrate::{Calibration, CalibrationSet};
use shiftproof_search::control::RunControl;
use shiftproof_search::evaluate::{PromptEvaluation, PromptEvaluator};
use shiftproof_search::headroom::{HeadroomEstimate, TriedPrompt};
use shiftproof_search::propose::generic_prompts;
use shiftproof_search::run::probe_examples;
use shiftproof_tasks::{Example, Prompt, PromptId, evaluation_calls};

use super::{money, most_probes, prices, times};
use crate::cli::EstimateArgs;
use crate::commands::{fetch_progress, note, open_ledger, prepared, resolve, score};
use crate::exit::Failure;
use crate::report::grouped;
use crate::runs::session::StudySession;
use crate::study::task_registry::TaskRegistry;
use crate::wording::headroom;
use crate::wording::shown::visible;
use crate::wording::unusable;
use crate::wording::word_diff::flat;

/// What a probe found and took.
#[derive(Debug, Serialize)]
pub(super) struct ProbeResult {
    /// The prompts asked, the seed first.
    prompts: Vec<Prompt>,
    /// Source examples that each was asked about.
    examples: usize,
    #[serde(flatten)]
    headroom: HeadroomEstimate,
    /// What a reader has to know of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// Whether the limits sufficed.
    pub complete: bool,
    /// An answer found in the store counts like one paid for now.
    spent: Spend,
    /// Calls that were sent to a model now.
    sent: u64,
}

impl ProbeResult {
    /// The findings in words.
    pub(super) fn text(&self) -> String {
        let name = |id: PromptId| {
            let prompt = self.prompts.iter().find(|prompt| prompt.id() == id);
            let text = prompt.map_or_else(String::new, |prompt| visible(&flat(prompt)));
            format!("\"{text}\"")
        };
        let mut out = String::new();
        for line in headroom::sentences(&self.headroom, &name) {
            let _ = writeln!(out, "{line}");
        }
        for told in &self.notes {
            let _ = writeln!(out, "Note: {told}");
        }
        let _ = writeln!(
            out,
            "Spent {} calls, {} tokens: {}; a run of this study takes them from the store.",
            grouped(self.spent.calls),
            grouped(self.spent.tokens()),
            score::origin(self.spent, self.sent)
        );
        out
    }
}

/// Asks; `None` after a second signal. `planned`: the study as it was estimated.
pub(super) async fn run(
    args: &EstimateArgs,
    planned: &StudySession,
    most: usize,
    registry: &TaskRegistry,
) -> Result<Option<ProbeResult>, Failure> {
    let data = &planned.loaded.data;
    let groups = &planned.loaded.groups;
    let examples = probe_examples(groups, data, planned.resolved.seed, most);
    let prompts = prompts(planned, &examples);
    let cost = times(
        prices(planned).evaluation,
        prompts.len() * examples.len() * evaluation_calls(planned.built.task.as_ref()),
    );
    let known = (cost.unpriced == 0).then(|| cost.usd());
    note(&format!(
        "probe: {} prompts on {} source examples, at most {} calls, about {} tokens, {}, and up to \
         {} questions on what the server can do; stored answers count, and are not sent",
        prompts.len(),
        examples.len(),
        grouped(
            (prompts.len() * examples.len() * evaluation_calls(planned.built.task.as_ref())) as u64
        ),
        grouped(cost.tokens()),
        money(known),
        most_probes(&planned.resolved.study.model),
    ));
    let ledger = open_ledger(&args.store)?;
    let resolved = resolve(&args.study, Some(&args.budget), registry)?;
    let mut progress = fetch_progress(true);
    let path = &args.study.study;
    let session = prepared(resolved, path, registry, false, &mut progress).await?;
    let control = RunControl::new();
    let trouble = args.trouble.into();
    let gateway = score::gateway(&session, ledger, control.clone(), Vec::new(), trouble);
    let evaluator = PromptEvaluator {
        task: session.built.task.as_ref(),
        gateway: &gateway,
        model: &session.task_model.model,
        // What a calibration is learnt from would take more calls than the probe.
        calibration: Calibration::None,
        groups: &session.loaded.groups,
        settle_on: CalibrationSet::default(),
        keep_going: trouble.keep_going,
    };
    let Some(scored) = score::score_by(&evaluator, control, &prompts, &examples).await? else {
        return Ok(None);
    };
    let mut notes = unusable::sentences(&score::surveyed(&scored));
    notes.extend(score::knowledge(&gateway));
    let calibration = session.resolved.study.search.calibration;
    if calibration != Calibration::None && session.task_model.model.llm.capabilities().label_scores
    {
        notes.push(
            "Labels are scored without the calibration that a run learns: with it prompts may \
             differ less."
                .to_owned(),
        );
    }
    if !scored.complete {
        notes.push("The limits ended it before every prompt was asked everything.".to_owned());
    }
    Ok(Some(ProbeResult {
        headroom: estimate(&prompts, &scored, planned),
        examples: examples.len(),
        prompts,
        notes,
        complete: scored.complete,
        spent: gateway.spent(),
        sent: gateway.sent(),
    }))
}

/// The seed, the study's other prompts, and the generic ones.
fn prompts(session: &StudySession, examples: &[Example]) -> Vec<Prompt> {
    let task = session.built.task.as_ref();
    let mut prompts = vec![task.seed()];
    prompts.extend(session.resolved.study.prompts.iter().map(Prompt::new));
    let form = examples.first().map(|own| task.answer_form(&own.input));
    prompts.extend(form.iter().flat_map(generic_prompts));
    let mut seen = Vec::new();
    prompts.retain(|prompt| {
        let new = !seen.contains(&prompt.id());
        seen.push(prompt.id());
        new
    });
    prompts
}

fn estimate(
    prompts: &[Prompt],
    scored: &PromptEvaluation,
    session: &StudySession,
) -> HeadroomEstimate {
    let given = 1 + session.resolved.study.prompts.len();
    let tried: Vec<TriedPrompt> = prompts
        .iter()
        .zip(&scored.grades)
        .enumerate()
        .map(|(at, (prompt, grades))| TriedPrompt {
            candidate: prompt.id(),
            generic: at >= given,
            grades: grades.clone(),
        })
        .collect();
    HeadroomEstimate::of(&tried, &scored.clusters)
}
