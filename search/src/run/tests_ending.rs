//! How runs end: the final, the audit, and what is said where there is none.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use shiftproof_tasks::{Example, Input, Label, Prediction, PromptId, Reply, Usage};

use super::tests::{gateway, planted, run, screen};
use super::*;
use crate::budget::{BudgetLimits, Spend};
use crate::calibrate::Calibration;
use crate::event::{AuditedPrompt, Phase};
use crate::llm::{Capabilities, Llm, LlmError, ModelCall};
use crate::propose::EditProposer;
use crate::scripted::{Bench, server, text};
use crate::simulate::{SOURCE, SimulatedWorld, TARGET};

pub(super) const RIVALS: [&str; 2] = ["Answer yes or no. Mind t3.", "Answer yes or no. Mind s1."];

pub(super) fn limited(calls: u64) -> BudgetLimits {
    BudgetLimits {
        calls: Some(calls),
        ..BudgetLimits::default()
    }
}

/// A method without a step, which hands the study's prompts to the final.
pub(super) fn rivals(gateway: &Gateway, llm: Arc<dyn Llm>) -> Run<'_> {
    Run {
        human: RIVALS.map(Prompt::new).to_vec(),
        ..run(gateway, Vec::new(), llm)
    }
}

/// What kind of event each was, phases by their name.
fn kinds(gateway: &Gateway) -> Vec<String> {
    let kind = |event: &Event| match event {
        Event::Phase { phase, .. } => format!("phase {phase}"),
        Event::Audited { contestant, .. } => format!("audited {contestant:?}").to_lowercase(),
        other => {
            let json = serde_json::to_value(other).unwrap();
            json["type"].as_str().unwrap().to_owned()
        }
    };
    let mut kinds: Vec<String> = gateway.emitted().iter().map(kind).collect();
    kinds.dedup();
    kinds
}

fn selected(gateway: &Gateway) -> (PromptId, String, Vec<PromptId>) {
    let told = gateway.emitted().into_iter().find_map(|event| match event {
        Event::Selected {
            candidate,
            reason,
            ensemble,
        } => Some((candidate, reason, ensemble)),
        _ => None,
    });
    told.unwrap()
}

#[tokio::test]
async fn runs_are_told_in_order() {
    let gateway = gateway(BudgetLimits::default());
    let mut run = rivals(&gateway, planted());
    let likes = |at: usize| (format!("source audit {at}"), Prediction::Likes(1.0));
    let baseline = |name: &str, predictions: BTreeMap<_, _>| BaselinePredictions {
        name: name.into(),
        predictions,
    };
    run.baselines = vec![
        baseline("always-liked", (0..9).map(likes).collect()),
        baseline("of-other-examples", BTreeMap::new()),
    ];
    run.spec.calibration = Calibration::Batch;
    let reads = run.data.reads.clone();
    let audit = run.data.audit.len() as u64;
    let result = run.execute().await.unwrap();
    assert_eq!(result.ending, RunEnding::Completed);
    let mut milestones = kinds(&gateway);
    milestones.retain(|kind| !["leading", "inputs", "answered"].contains(&kind.as_str()));
    assert_eq!(
        milestones,
        [
            "started",
            "proposed",
            "phase final",
            "evaluated",
            "decided",
            "evaluated",
            "decided",
            "evaluated",
            "decided",
            "headroom",
            "selected",
            "phase audit",
            "calibrated",
            "baseline",
            "audited seed",
            "audited selected",
            "audited ensemble",
            "compared",
            "finished",
        ]
    );
    let finished = gateway.emitted().pop().unwrap();
    assert_eq!(
        finished,
        Event::Finished {
            ending: RunEnding::Completed,
            spent: result.spent,
            unanswered: Spend::default(),
            target_labels_read: 0,
            audit_labels_read: audit,
        }
    );
    assert_eq!(reads.count(), audit);
    assert_eq!(selected(&gateway).0, result.selected.id());
}

/// The final uses what no race used; the audit what nobody used.
#[tokio::test]
async fn examples_are_used_apart() {
    let bench = Bench::new(|call: &ModelCall| {
        let yes = text(call).len().is_multiple_of(2);
        Ok(Reply::text(if yes { "yes" } else { "no" }))
    });
    let gateway = gateway(BudgetLimits::default());
    let mut run = rivals(&gateway, bench.model.llm.clone());
    run.spec.ensemble = 0;
    let context = SearchContext::begin(&run).unwrap();
    let races: Vec<String> = context
        .race_examples()
        .iter()
        .map(|&at| context.matrix.input(at).id.clone())
        .collect();
    drop(context);
    run.execute().await.unwrap();
    for call in bench.asked() {
        let text = text(&call);
        let in_race = races.iter().any(|id| text.ends_with(id.as_str()));
        assert!(!in_race, "{text} is for races, and there was none");
        assert!(
            text.contains("validation") || text.contains("audit"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn empty_audit_just_ends() {
    let gateway = gateway(BudgetLimits::default());
    let mut run = rivals(&gateway, planted());
    run.data.audit = SealedAudit::new(Vec::new(), run.data.reads.clone());
    let result = run.execute().await.unwrap();
    assert_eq!(result.ending, RunEnding::Completed);
    let kinds = kinds(&gateway);
    assert_eq!(kinds[kinds.len() - 2..], ["selected", "finished"]);
}

/// The planted world behind a bench, using all that a call may use.
fn spendthrift() -> Bench {
    let world = SimulatedWorld::new(3, 0.1);
    Bench::new(move |call: &ModelCall| {
        let reply = world.call(call).now_or_never().unwrap()?;
        let usage = Usage {
            prompt_tokens: world.estimate_tokens(&call.request),
            completion_tokens: u64::from(call.sampling.max_tokens),
            ..Usage::default()
        };
        Ok(Reply { usage, ..reply })
    })
}

/// Per contestant of the audit, its answers that count.
fn audited(gateway: &Gateway) -> Vec<(AuditedPrompt, usize)> {
    let told = gateway.emitted().into_iter();
    told.filter_map(|event| match event {
        Event::Audited { contestant, groups } => {
            Some((contestant, groups.iter().map(|group| group.n).sum()))
        }
        _ => None,
    })
    .collect()
}

#[tokio::test]
async fn ensemble_needs_room() {
    // 80 sealed examples, of seed and winner each; a further voter is asked about 80.
    for (calls, voters, ending) in [
        (2000, 3, RunEnding::Completed),
        (2 * 80 + 60, 2, RunEnding::BudgetExhausted),
    ] {
        let bench = spendthrift();
        let gateway = gateway(limited(calls));
        let run = rivals(&gateway, bench.model.llm.clone());
        assert_eq!(run.execute().await.unwrap().ending, ending);
        assert!(gateway.spent().calls <= calls);
        // Of an ensemble that cannot be whole not one call is made.
        let asked = bench.asked();
        let sealed = asked.iter().filter(|call| text(call).contains("audit"));
        assert_eq!(sealed.count(), voters * 80);
        assert_eq!(audited(&gateway).len(), voters);
    }
}

/// A voter without an answer has no vote, neither for a label nor for none.
#[tokio::test]
async fn missing_answers_are_missing_votes() {
    let world = SimulatedWorld::new(3, 0.1);
    let seed_refuses = |text: &str| !RIVALS.iter().any(|rival| text.contains(rival));
    let bench = Bench::new(move |call: &ModelCall| {
        let text = text(call);
        let Some((_, number)) = text.rsplit_once("sealed ") else {
            return world.call(call).now_or_never().unwrap();
        };
        let refused = Err(LlmError::Request("the filter declined".into()));
        let evaded = Ok(Reply::text("Well, it depends."));
        match (number.parse::<u32>().unwrap() % 4, text.contains(RIVALS[0])) {
            (1, _) => refused,
            _ if seed_refuses(text) => refused,
            (2, _) | (3, true) => evaded,
            _ => Ok(Reply::text("yes")),
        }
    });
    let gateway = gateway(BudgetLimits::default());
    let mut run = rivals(&gateway, bench.model.llm.clone());
    run.spec.ensemble = 3;
    let sealed = (0..40).map(|number| {
        let text = format!("sealed {number}");
        Input::new(text.clone(), TARGET)
            .with_field("text", text)
            .with_label(Label::Class("yes".into()))
    });
    run.data.audit = SealedAudit::new(sealed.collect(), run.data.reads.clone());
    run.execute().await.unwrap();
    assert_eq!(selected(&gateway).2.len(), 3);
    let ensemble = gateway.emitted().into_iter().find_map(|event| match event {
        Event::Audited {
            contestant: AuditedPrompt::Ensemble,
            groups,
        } => Some(groups),
        _ => None,
    });
    let [group] = &ensemble.unwrap()[..] else {
        panic!("one group is sealed");
    };
    // Of four inputs two are answered rightly by those that answer; of one nobody has an
    // answer, and of one a voter that might have known it has none.
    assert_eq!((group.n, group.failed, group.unparseable), (20, 20, 0));
    assert_eq!(group.value, Some(1.0));
}

/// Batch calibration learns a label's bias from the replies it has seen; those of the
/// audit are not among them. Here the model leans to one label in the audit alone:
/// whoever learnt there would be right always.
#[tokio::test]
async fn calibration_learns_nothing_from_audit() {
    let bench = Bench::with(
        Capabilities {
            label_scores: true,
            ..server()
        },
        BudgetLimits::default(),
        |call: &ModelCall| {
            let text = text(call);
            let sunny = text.contains("sunny");
            let yes: f64 = match (text.contains("sealed"), sunny) {
                (true, true) => 0.98,
                (true, false) => 0.6,
                (false, true) => 0.8,
                (false, false) => 0.2,
            };
            Ok(Reply {
                label_logprobs: Some(vec![yes.ln(), (1.0 - yes).ln()]),
                ..Reply::text(if yes > 0.5 { "yes" } else { "no" })
            })
        },
    );
    let examples = |name: &str, group: &str| -> Vec<Example> {
        (0..40)
            .map(|number| {
                let (sky, label) = [("sunny", "yes"), ("rainy", "no")][number % 2];
                let text = format!("{name} {sky} {number}");
                Input::new(text.clone(), group)
                    .with_field("text", text)
                    .with_label(Label::Class(label.into()))
            })
            .collect()
    };
    let gateway = gateway(BudgetLimits::default());
    let mut run = rivals(&gateway, bench.model.llm.clone());
    run.spec.calibration = Calibration::Batch;
    run.spec.ensemble = 0;
    run.data.source.validation = examples("open", SOURCE);
    run.data.audit = SealedAudit::new(examples("sealed", SOURCE), run.data.reads.clone());
    run.execute().await.unwrap();
    let mut applied = 0;
    for event in gateway.emitted() {
        match event {
            Event::Calibrated { prompts, .. } => {
                applied += prompts.iter().filter(|fit| fit.applied).count();
            }
            Event::Audited { groups, .. } => assert_eq!(groups[0].value, Some(0.5), "{groups:?}"),
            _ => {}
        }
    }
    assert!(applied > 0, "nothing was calibrated");
}

/// A search that uses all it may leaves the audit's money alone.
#[tokio::test]
async fn audit_money_is_held_back() {
    let bench = spendthrift();
    let whole = gateway(BudgetLimits::default());
    let run = rivals(&whole, bench.model.llm.clone());
    let seed = run.task.seed();
    let price = |input| turns::worst_case(run.task.as_ref(), &run.task_model, (&seed, input));
    let sealed: Spend = run.data.audit.inputs().map(price).sum();
    let gateway = gateway(BudgetLimits {
        tokens: Some(2 * sealed.tokens() + 20 * sealed.tokens() / 80),
        ..BudgetLimits::default()
    });
    let mut run = rivals(&gateway, bench.model.llm.clone());
    run.spec.ensemble = 0;
    // Prompts as long as the seed: what is reserved for one is enough for the other.
    run.human = vec![Prompt::new("Answer no or yes.")];
    let ending = run.execute().await.unwrap().ending;
    assert_eq!(ending, RunEnding::BudgetExhausted);
    let expected = [(AuditedPrompt::Seed, 80), (AuditedPrompt::Selected, 80)];
    assert_eq!(audited(&gateway), expected);
}

#[tokio::test]
async fn unmeasured_prompts_leave_seed() {
    let gateway = gateway(limited(3));
    let mut run = rivals(&gateway, planted());
    run.data.audit = SealedAudit::new(Vec::new(), run.data.reads.clone());
    let mut context = SearchContext::begin(&run).unwrap();
    let (best, ensemble) = context.select(vec![2, 1]).await.unwrap();
    // What was found first is no better than what is in use, as far as anybody knows.
    assert_eq!((best, ensemble), (0, vec![0, 2, 1]));
    assert!(!context.is_affordable());
    let (candidate, reason, _) = selected(&gateway);
    assert_eq!(candidate, context.prompt(0).id());
    assert_eq!(
        reason,
        format!(
            "the seed prompt stays: the budget left nothing to compare {:.8} with it by",
            context.prompt(2).id().to_string()
        )
    );
}

#[tokio::test]
async fn races_decide_without_final() {
    let gateway = gateway(limited(61));
    let run = Run {
        human: RIVALS.map(Prompt::new).to_vec(),
        ..run(&gateway, screen(), planted())
    };
    let mut context = SearchContext::begin(&run).unwrap();
    context.enter_phase(Phase::Screen, String::new()).unwrap();
    let examples = context.race_examples();
    assert!(context.evaluate(&[0, 1, 2], &examples).await.unwrap());
    let (best, _) = context.select(vec![2, 1]).await.unwrap();
    assert_eq!(best, 2);
    assert!(!context.is_affordable());
    assert_eq!(
        selected(&gateway).1,
        "the best so far: the budget left no final"
    );
}

#[tokio::test]
async fn seed_wins_ties_in_words() {
    // Also where the plan was scaled down to a limit.
    for fitted in [false, true] {
        let gateway = gateway(BudgetLimits::default());
        let mut run = run(&gateway, Vec::new(), planted());
        run.fitted = fitted;
        let mut context = SearchContext::begin(&run).unwrap();
        // Alone it is measured all the same, and is no ensemble.
        let (best, ensemble) = context.select(vec![0]).await.unwrap();
        assert_eq!((best, ensemble), (0, vec![]));
        assert!(gateway.spent().calls >= 20);
        assert_eq!(selected(&gateway).1, "no candidate beats the seed prompt");
    }
}

#[tokio::test]
async fn unranked_runs_say_why() {
    let check = async |calls: Option<u64>, evaluations: usize, expected: &str| {
        let limits = BudgetLimits {
            calls,
            ..BudgetLimits::default()
        };
        let gateway = gateway(limits);
        let mut run = rivals(&gateway, planted());
        run.spec.evaluations = evaluations;
        let mut context = SearchContext::begin(&run).unwrap();
        // The seed is in every race, whoever else is.
        for finalists in [vec![], vec![0]] {
            let stop = context.select(finalists.clone()).await;
            assert_eq!(
                stop.err().map(|stop| stop.to_string()).as_deref(),
                Some(expected),
                "{finalists:?}"
            );
        }
    };
    check(
        Some(0),
        400,
        "the budget is exhausted before the seed prompt is evaluated: not one evaluation fits; \
         raise --max-calls",
    )
    .await;
    check(
        None,
        0,
        "not one evaluation is planned: raise search.evaluations",
    )
    .await;
    let gateway = gateway(limited(0));
    let run = run(&gateway, screen(), planted());
    let mut context = SearchContext::begin(&run).unwrap();
    context.enter_phase(Phase::Screen, String::new()).unwrap();
    let edits = context
        .propose(&EditProposer, &[0], 3, "edits")
        .await
        .unwrap();
    let stop = context.race(edits, 2).await.unwrap_err();
    assert!(matches!(stop, RunError::Budget(_)), "{stop:?}");
}
