//! What methods that reflect work with.

use super::*;

#[tokio::test]
async fn training_examples_are_in_no_race() {
    let gateway = gateway(BudgetLimits::default());
    let mut steps = screen();
    steps.push(PlannedStep {
        extra: 3 * (40 + 10),
        ..PlannedStep::new(Phase::Vote, "votes")
    });
    let mut run = run(&gateway, steps, planted());
    run.spec.threshold = 0.5;
    let mut context = SearchContext::begin(&run).unwrap();
    let shown = context.training_examples("a");
    assert_eq!(shown.len(), context.train().len());
    assert_ne!(shown, context.training_examples("b"));
    assert_eq!(shown, context.training_examples("a"));
    let raced = context.race_examples();
    assert!(shown.iter().all(|example| !raced.contains(example)));
    // They cost like others, and what is said of them can be shown.
    context.enter_phase(Phase::Screen, String::new()).unwrap();
    assert!(context.evaluate(&[0], &shown[..20]).await.unwrap());
    assert_eq!(context.evaluations_left(), 200);
    let told = context.answers_by_group(0, &shown);
    let told = told
        .iter()
        .map(|own| own.failures.len() + own.successes.len());
    assert_eq!(told.sum::<usize>(), 20);
    // After a vote those voted examples join that proposers are shown.
    let edits = context
        .propose(&EditProposer, &[0], 2, "edits")
        .await
        .unwrap();
    let voters = [vec![0], edits].concat();
    context.evaluate(&voters, &raced[..6]).await.unwrap();
    context.enter_phase(Phase::Vote, String::new()).unwrap();
    context.vote(&voters, VoteCounting::Weighted).await.unwrap();
    let all = context.training_examples("a");
    let voted = all.len() - shown.len();
    assert_eq!(voted, context.pseudo_labelled_train().len());
    assert!(voted > 0);
    let raced = context.race_examples();
    assert!(all.iter().all(|example| !raced.contains(example)));
    let told = context.answers_by_group(0, &all);
    assert!(told.iter().any(|own| own.pseudo_labelled));
}

#[tokio::test]
async fn races_leave_what_they_may_not_use() {
    let gateway = gateway(BudgetLimits::default());
    let run = run(&gateway, screen(), planted());
    let mut context = SearchContext::begin(&run).unwrap();
    context.enter_phase(Phase::Screen, String::new()).unwrap();
    let edits = context
        .propose(&EditProposer, &[0], 4, "edits")
        .await
        .unwrap();
    let best = context.race_within(edits.clone(), 3, 50).await.unwrap();
    assert!(!best.is_empty() && gateway.spent().calls <= 50);
    assert_eq!(context.evaluations_left(), 170);
    context.race(edits, 3).await.unwrap();
    assert_eq!(context.evaluations_left(), 0);
}

#[tokio::test]
async fn standings_are_shrunk() {
    let gateway = gateway(BudgetLimits::default());
    let run = run(&gateway, screen(), planted());
    let mut context = SearchContext::begin(&run).unwrap();
    context.enter_phase(Phase::Screen, String::new()).unwrap();
    let edits = context
        .propose(&EditProposer, &[0], 3, "edits")
        .await
        .unwrap();
    let all = [vec![0], edits].concat();
    let examples = context.race_examples();
    context.evaluate(&all, &examples[..12]).await.unwrap();
    let standings = context.group_standings(&all, &examples);
    assert_eq!(standings.len(), all.len());
    let spread = |value: &dyn Fn(&GroupStanding) -> f64| {
        let values = || standings.iter().map(|groups| value(&groups[0]));
        values().fold(0.0, f64::max) - values().fold(1.0, f64::min)
    };
    assert!(standings.iter().all(|groups| groups[0].group == SOURCE));
    let (raw, shrunk) = (
        spread(&|own| own.estimate.raw),
        spread(&|own| own.estimate.mean),
    );
    assert!(shrunk <= raw, "{shrunk} of {raw}");
    assert!(standings[0][0].estimate.count > 11.0);
    // A candidate that was asked nothing stands where all do.
    context
        .propose(&EditProposer, &[0], 1, "one")
        .await
        .unwrap();
    let newest = context.candidates().len() - 1;
    let alone = context.group_standings(&[0, newest], &examples);
    assert!(alone[1][0].estimate.raw.is_nan() && alone[1][0].estimate.mean.is_finite());
}
