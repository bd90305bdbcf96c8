//! The primitives on a planted world, one at a time.

mod demonstrations;
mod training;

use std::sync::Arc;

use async_trait::async_trait;
use shiftproof_tasks::{Finish, LabelledTarget, Reply, Request};

use super::*;
use crate::budget::{BudgetLimits, Meter, Price};
use crate::control::RunControl;
use crate::event::{Origin, Phase};
use crate::event_log::EventLog;
use crate::ledger::Ledger;
use crate::llm::{Capabilities, Llm, LlmError, ModelCall};
use crate::methods::{DataCounts, MethodPlan, PlannedStep};
use crate::propose::EditProposer;
use crate::simulate::{SOURCE, SimulatedTask, SimulatedWorld, TARGET};
use crate::unusable::AnswerFault;

/// The planted model; of the inputs that end in 3, 5 and 7 it is cut off, evades
/// the question and refuses.
struct Uneven(SimulatedWorld);

#[async_trait]
impl Llm for Uneven {
    fn identity(&self) -> &'static str {
        "uneven"
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn estimate_tokens(&self, request: &Request) -> u64 {
        self.0.estimate_tokens(request)
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let text = &call.request.messages[0].content;
        match text.chars().last() {
            Some('3') => Ok(Reply {
                finish: Finish::Length,
                ..Reply::text("")
            }),
            Some('5') => Ok(Reply::text("Well, it depends.")),
            Some('7') => Err(LlmError::Request("the context is too small".into())),
            _ => self.0.call(call).await,
        }
    }
}

/// A method that is only its plan.
struct Planned(Vec<PlannedStep>);

#[async_trait]
impl SearchMethod for Planned {
    fn name(&self) -> &'static str {
        "planned"
    }

    fn plan(&self, _: &SearchSpec, _: &DataCounts) -> MethodPlan {
        MethodPlan {
            steps: self.0.clone(),
            final_share: 0.25,
        }
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        Ok(context.candidates())
    }
}

/// Of 400 evaluations 200 in the first race, 20 on top of them, ten prompts.
pub(super) fn screen() -> Vec<PlannedStep> {
    vec![PlannedStep {
        prompts: 10,
        extra: 20,
        share: 0.5,
        ..PlannedStep::new(Phase::Screen, "the first race")
    }]
}

pub(super) fn gateway(limits: BudgetLimits) -> Gateway {
    Gateway::new(
        Arc::new(Ledger::in_memory()),
        EventLog::unlogged(vec![]),
        Meter::new(limits),
        RunControl::new(),
        None,
        Vec::new(),
    )
}

pub(super) fn run(gateway: &Gateway, steps: Vec<PlannedStep>, llm: Arc<dyn Llm>) -> Run<'_> {
    let (data, groups) = SimulatedWorld::new(3, 0.1).data(40);
    let model = PricedModel {
        llm,
        price: Price::default(),
    };
    Run {
        study: "planted".into(),
        task: Arc::new(SimulatedTask),
        data,
        groups,
        baselines: vec![],
        method: Arc::new(Planned(steps)),
        spec: SearchSpec {
            library: false,
            evaluations: 400,
            ..SearchSpec::default()
        },
        human: vec![],
        seed: 1,
        task_model: model.clone(),
        proposer_model: model,
        gateway,
        earlier: None,
        judge: None,
        fitted: false,
        keep_going: true,
    }
}

pub(super) fn planted() -> Arc<dyn Llm> {
    Arc::new(SimulatedWorld::new(3, 0.1))
}

#[tokio::test]
async fn evaluations_keep_to_plan() {
    let gateway = gateway(BudgetLimits::default());
    let run = run(&gateway, screen(), planted());
    let mut context = SearchContext::begin(&run).unwrap();
    context.enter_phase(Phase::Screen, String::new()).unwrap();
    assert_eq!(context.evaluations_left(), 220);
    let examples = context.race_examples();
    assert!(context.evaluate(&[0], &examples[..15]).await.unwrap());
    assert_eq!(context.evaluations_left(), 205);
    // What was asked before is asked once, and costs nothing more.
    assert!(context.evaluate(&[0], &examples[..15]).await.unwrap());
    assert_eq!(
        (context.evaluations_left(), gateway.spent().calls),
        (205, 15)
    );
    // A phase that plans nothing gets nothing, and asks nothing.
    context.enter_phase(Phase::Refine, String::new()).unwrap();
    assert!(!context.evaluate(&[0], &examples).await.unwrap());
    assert_eq!(gateway.spent().calls, 15);
    assert!(context.is_affordable(), "the plan is short, not the budget");
}

#[tokio::test]
async fn short_budget_is_told() {
    let gateway = gateway(BudgetLimits {
        calls: Some(5),
        ..BudgetLimits::default()
    });
    let run = run(&gateway, screen(), planted());
    let mut context = SearchContext::begin(&run).unwrap();
    context.enter_phase(Phase::Screen, String::new()).unwrap();
    let examples = context.race_examples();
    assert!(!context.evaluate(&[0], &examples[..9]).await.unwrap());
    assert!(!context.is_affordable());
}

#[tokio::test]
async fn proposals_keep_to_plan() {
    let gateway = gateway(BudgetLimits::default());
    let run = run(&gateway, screen(), planted());
    let mut context = SearchContext::begin(&run).unwrap();
    context.enter_phase(Phase::Screen, String::new()).unwrap();
    let edits = context
        .propose(&EditProposer, &[0], 99, "edits")
        .await
        .unwrap();
    assert!((1..=10).contains(&edits.len()), "{edits:?}");
    assert_eq!(context.candidates().len(), 1 + edits.len());
    // No texts are planned, so no model is asked, whatever is wanted.
    let paraphrase = crate::propose::ParaphraseProposer;
    let none = context.propose(&paraphrase, &[0], 3, "texts").await;
    assert!(none.unwrap().is_empty());
    assert_eq!(gateway.spent().calls, 0);
}

#[tokio::test]
async fn race_keeps_seed_and_best() {
    let gateway = gateway(BudgetLimits::default());
    let run = run(&gateway, screen(), planted());
    let mut context = SearchContext::begin(&run).unwrap();
    context.enter_phase(Phase::Screen, String::new()).unwrap();
    let edits = context
        .propose(&EditProposer, &[0], 10, "edits")
        .await
        .unwrap();
    let best = context.race(edits, 2).await.unwrap();
    assert!(best.contains(&context.seed_candidate()), "{best:?}");
    assert!((2..=3).contains(&best.len()), "{best:?}");
    assert!(gateway.spent().calls <= 200);
    // What a race has used another cannot use again.
    assert_eq!(context.evaluations_left(), 20);
}

#[tokio::test]
async fn unplanned_race_is_refused() {
    let gateway = gateway(BudgetLimits::default());
    let run = run(&gateway, screen(), planted());
    let mut context = SearchContext::begin(&run).unwrap();
    context.enter_phase(Phase::Refine, String::new()).unwrap();
    let stop = context.race(vec![0], 1).await.unwrap_err();
    assert_eq!(
        stop.to_string(),
        "the method planned departs from its plan: it races in the phase refine, and plans none \
         there"
    );
    assert_eq!(gateway.spent().calls, 0);
}

#[tokio::test]
async fn greedy_plan_is_refused() {
    let gateway = gateway(BudgetLimits::default());
    let mut steps = screen();
    steps[0].times = 2;
    let greedy = run(&gateway, steps, planted());
    let stop = SearchContext::begin(&greedy).err().unwrap().to_string();
    assert!(
        stop.contains("gives away 1.25 of the evaluations"),
        "{stop}"
    );
    let twice = run(&gateway, [screen(), screen()].concat(), planted());
    let stop = SearchContext::begin(&twice).err().unwrap().to_string();
    assert!(stop.contains("has the phase screen twice"), "{stop}");
}

#[tokio::test]
async fn answers_are_parted_by_group() {
    let gateway = gateway(BudgetLimits::default());
    let run = run(
        &gateway,
        screen(),
        Arc::new(Uneven(SimulatedWorld::new(3, 0.1))),
    );
    let mut context = SearchContext::begin(&run).unwrap();
    context.enter_phase(Phase::Screen, String::new()).unwrap();
    let examples = context.race_examples();
    assert!(
        context.answers_by_group(0, &examples).is_empty(),
        "nothing was asked"
    );
    assert!(context.evaluate(&[0], &examples).await.unwrap());
    let groups = context.answers_by_group(0, &examples);
    let [source] = groups.as_slice() else {
        panic!("{groups:?}");
    };
    assert_eq!(
        (source.group.as_str(), source.pseudo_labelled),
        (SOURCE, false)
    );
    let parted = source.failures.len() + source.successes.len() + source.unanswered.len();
    assert_eq!(parted, examples.len());
    let ends = |text: &str, digit: char| text.ends_with(digit);
    for failure in &source.failures {
        assert!(failure.value < 0.5);
        let text = SimulatedTask.render(&failure.input);
        assert_eq!(failure.readable, !ends(&text, '5'), "{text}");
        if failure.readable {
            assert_ne!(failure.answer, failure.label.to_answer());
        } else {
            assert_eq!(failure.answer, "Well, it depends.");
        }
    }
    for success in &source.successes {
        assert_eq!(success.answer, success.label.to_answer());
    }
    for unanswered in &source.unanswered {
        let text = SimulatedTask.render(context.matrix.input(unanswered.index));
        let fault = if ends(&text, '3') {
            AnswerFault::Truncated
        } else {
            AnswerFault::Failed
        };
        assert_eq!(unanswered.fault, fault, "{text}");
    }
    assert!(source.failures.iter().any(|failure| !failure.readable));
    assert!(!source.unanswered.is_empty() && !source.successes.is_empty());
    // The same tale as the outcomes tell, in which what failed has no value.
    let values = context.outcomes(0, &examples);
    let known = values.iter().flatten().count();
    assert_eq!(known, examples.len() - source.unanswered.len());
    let wrong = values
        .iter()
        .flatten()
        .filter(|value| **value < 0.5)
        .count();
    assert_eq!(wrong, source.failures.len());
    let share = wrong as f64 / known as f64;
    assert!((source.failure_share().unwrap() - share).abs() < 1e-12);
}

#[tokio::test]
async fn true_target_labels_stay_hidden() {
    let gateway = gateway(BudgetLimits::default());
    let mut run = run(&gateway, screen(), planted());
    let labelled: Vec<_> = run.data.audit.clone().open();
    let labelled = labelled
        .into_iter()
        .filter(|example| example.input.group == TARGET)
        .take(6)
        .collect();
    run.data.labelled_target = LabelledTarget::new(labelled, run.data.reads.clone());
    let mut context = SearchContext::begin(&run).unwrap();
    context.enter_phase(Phase::Screen, String::new()).unwrap();
    let examples = context.race_examples();
    context.evaluate(&[0], &examples).await.unwrap();
    let scored = context.group_scores(0, &examples);
    assert!(
        scored
            .iter()
            .any(|group| group.group == TARGET && group.n == 6)
    );
    let told = context.answers_by_group(0, &examples);
    assert!(told.iter().all(|group| group.group != TARGET), "{told:?}");
}

#[tokio::test]
async fn votes_join_the_examples() {
    let gateway = gateway(BudgetLimits::default());
    let mut steps = screen();
    steps.push(PlannedStep {
        extra: 3 * (40 + 10),
        ..PlannedStep::new(Phase::Vote, "votes")
    });
    let mut run = run(&gateway, steps, planted());
    run.spec.threshold = 0.5;
    let mut context = SearchContext::begin(&run).unwrap();
    context.enter_phase(Phase::Screen, String::new()).unwrap();
    let edits = context
        .propose(&EditProposer, &[0], 2, "edits")
        .await
        .unwrap();
    let before = context.race_examples();
    let voters = [vec![0], edits].concat();
    context.evaluate(&voters, &before[..6]).await.unwrap();
    context.enter_phase(Phase::Vote, String::new()).unwrap();
    context.vote(&voters, VoteCounting::Weighted).await.unwrap();
    let after = context.race_examples();
    let voted: Vec<_> = after
        .iter()
        .filter(|example| !before.contains(example))
        .collect();
    assert!(!voted.is_empty() && !context.pseudo_labelled_train().is_empty());
    // No input is both shown to proposers and scored on.
    for &&index in &voted {
        let input = context.matrix.input(index);
        let shown = context.pseudo_labelled_train();
        assert!(shown.iter().all(|example| example.input != *input));
    }
    let told = context.answers_by_group(0, &after);
    let target = told.iter().find(|group| group.group == TARGET).unwrap();
    assert!(target.pseudo_labelled, "a voted label is told as one");
}

#[tokio::test]
async fn minibatches_are_balanced_and_steady() {
    let gateway = gateway(BudgetLimits::default());
    let run = run(&gateway, screen(), planted());
    let context = SearchContext::begin(&run).unwrap();
    let (one, two) = (
        context.shuffled_examples("1"),
        context.shuffled_examples("2"),
    );
    assert_ne!(one, two);
    assert_eq!(one, context.shuffled_examples("1"));
    let sorted = |mut examples: Vec<InputIndex>| {
        examples.sort_unstable();
        examples
    };
    assert_eq!(sorted(one), sorted(context.race_examples()));
    assert_eq!(context.stream("a"), context.stream("a"));
    assert_ne!(context.stream("a"), context.stream("b"));
}

#[tokio::test]
async fn library_races_unasked() {
    let gateway = gateway(BudgetLimits::default());
    let mut run = run(&gateway, vec![], planted());
    run.method = Arc::new(crate::methods::Library);
    run.execute().await.unwrap();
    let events = gateway.emitted();
    let origins: Vec<Origin> = events
        .iter()
        .filter_map(|event| match event {
            Event::Proposed(proposed) => Some(proposed.origin),
            _ => None,
        })
        .collect();
    assert_eq!(origins[0], Origin::Seed);
    assert!(origins.len() > 3 && origins[1..].iter().all(|o| *o == Origin::Library));
    // Nothing is asked of a proposer.
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, Event::Proposals(_)))
    );
}
