//! How runs begin: what is in the race, what is proposed, what a limit leaves.

use shiftproof_tasks::Reply;

use super::tests::{gateway, planted, run, screen};
use super::tests_ending::{RIVALS, limited, rivals};
use super::*;
use crate::budget::BudgetLimits;
use crate::event::Phase;
use crate::llm::ModelCall;
use crate::methods::PlannedStep;
use crate::propose::{EditProposer, ParaphraseProposer};
use crate::scripted::Bench;

#[tokio::test]
async fn proposals_are_summed_up() {
    let sorry = Bench::new(|_: &ModelCall| Ok(Reply::text("I'm sorry, but I cannot do that.")));
    let gateway = gateway(BudgetLimits::default());
    let steps = vec![PlannedStep {
        texts: 5,
        prompts: 9,
        ..PlannedStep::new(Phase::Propose, "texts")
    }];
    let mut run = run(&gateway, steps, planted());
    run.proposer_model = sorry.model.clone();
    let mut context = SearchContext::begin(&run).unwrap();
    context.enter_phase(Phase::Propose, String::new()).unwrap();
    let none = context.nothing_proposed().to_string();
    assert!(none.contains("no prompt was asked for"), "{none}");
    let texts = context.propose(&ParaphraseProposer, &[0], 2, "texts").await;
    assert!(texts.unwrap().is_empty());
    assert_eq!(context.texts_answered(), 2);
    let edits = context
        .propose(&EditProposer, &[0], 2, "edits")
        .await
        .unwrap();
    assert_eq!((edits.len(), context.texts_answered()), (2, 2));
    let again = context
        .propose(&EditProposer, &[0], 2, "edits")
        .await
        .unwrap();
    assert!(again.is_empty(), "the same draws make the same edits");
    let told = gateway.emitted();
    let sums: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            Event::Proposals(own) => Some((own.model, own.asked, own.used, own.again)),
            _ => None,
        })
        .collect();
    assert_eq!(sums, [(true, 2, 0, 2), (false, 2, 2, 0), (false, 2, 0, 0)]);
    let rules: Vec<&str> = told
        .iter()
        .filter_map(|event| match event {
            Event::Discarded { reason, .. } => Some(reason.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(rules.first(), Some(&"the model declined"));
    assert!(rules.contains(&"it is in the race already"), "{rules:?}");
    let mut untaught = SearchContext::begin(&run).unwrap();
    untaught.train.clear();
    let none = untaught.nothing_proposed().to_string();
    assert!(none.contains("groups.train is 0"), "{none}");
    let stop = context.nothing_proposed().to_string();
    let expected = "no proposal of scripted could be used: 2 texts were sent, none of them a \
                    prompt for this task\n  the model declined × 2, e.g. \"I'm sorry, but I \
                    cannot do that.\"";
    assert!(stop.starts_with(expected), "{stop}");
}

#[tokio::test]
async fn given_prompts_enter_first() {
    let gateway = gateway(BudgetLimits::default());
    let mut run = rivals(&gateway, planted());
    run.spec.library = true;
    // What is there already is not entered again.
    run.human.push(run.task.seed());
    let context = SearchContext::begin(&run).unwrap();
    let prompts: Vec<&str> = context
        .candidates()
        .into_iter()
        .map(|at| context.prompt(at).instruction.as_str())
        .collect();
    assert_eq!(prompts[..3], ["Answer yes or no.", RIVALS[0], RIVALS[1]]);
    assert_eq!(prompts.len(), 3 + 5);
    assert_eq!((context.seed_candidate(), context.chunk(1)), (0, None));
    // Those shown to proposers alternate, and none of them is ever scored on.
    let train = context.train();
    assert!(train[..10].iter().any(|own| own.label != train[0].label));
    let scored = context.race_examples();
    assert!(train.iter().all(|own| {
        let mut inputs = scored.iter().map(|&at| context.matrix.input(at));
        inputs.all(|input| *input != own.input)
    }));
}

#[tokio::test]
async fn low_limits_scale_plans() {
    let fitted = |calls, audit, written| {
        let gateway = gateway(limited(calls));
        let mut own = run(&gateway, screen(), planted());
        own.fit_to_budget(audit, written);
        (own.fitted, own.spec.evaluations)
    };
    // 400 evaluations of the races and 20 more, and 80 sealed examples twice.
    assert_eq!(fitted(420, 0, 0), (false, 400));
    assert_eq!(fitted(580, 80, 0), (false, 400));
    assert_eq!(fitted(579, 80, 0), (true, 399));
    // The 20 are no number of the study, and stay.
    assert_eq!(fitted(400, 80, 0), (true, 240 - 20));
    assert_eq!(fitted(100, 80, 0), (true, 0));
    // What is written about inputs comes first.
    assert_eq!(fitted(587, 80, 7), (false, 400));
    assert_eq!(fitted(586, 80, 7), (true, 399));
    let gateway = gateway(BudgetLimits {
        tokens: Some(1),
        ..BudgetLimits::default()
    });
    let mut own = run(&gateway, screen(), planted());
    own.fit_to_budget(80, 0);
    assert!(!own.fitted, "only calls are planned by");
}
