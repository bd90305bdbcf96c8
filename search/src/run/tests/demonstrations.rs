//! What a prompt may show, and what it costs in length.

use shiftproof_tasks::{Demonstration, Input};

use super::*;
use crate::propose::DemonstrationProposer;

#[tokio::test]
async fn pool_holds_nothing_scored() {
    let gateway = gateway(BudgetLimits::default());
    let mut run = run(&gateway, screen(), planted());
    let twin = |input: &Input| {
        let mut example = run.data.source.train[0].clone();
        example.input.fields.clone_from(&input.fields);
        example.input.id = format!("twin of {}", input.id);
        example
    };
    let mut twins = vec![
        twin(&run.data.source.validation[3].input),
        twin(&run.data.target.inputs[5]),
        twin(run.data.audit.inputs().next().unwrap()),
    ];
    let audited: Vec<_> = run.data.audit.inputs().cloned().collect();
    let texts: Vec<String> = twins
        .iter()
        .map(|twin| twin.input.field("text").into())
        .collect();
    run.data.source.train.append(&mut twins);
    let mut context = SearchContext::begin(&run).unwrap();
    context.keep_out(audited.iter());
    let pool = context.demonstration_pool();
    assert_eq!(context.train().len(), 43);
    assert_eq!(pool.len(), 40);
    for &index in &pool {
        let shown = context.demonstration(index);
        assert!(!texts.contains(&shown.input), "{shown:?}");
        assert!(shown.input.starts_with("source train"), "{shown:?}");
    }
    // Asked twice, they are the same; and no race has them.
    assert_eq!(context.demonstration_pool(), pool);
    let raced = context.race_examples();
    assert!(pool.iter().all(|index| !raced.contains(index)));
    context.enter_phase(Phase::Screen, String::new()).unwrap();
    assert!(context.evaluate(&[0], &pool[..5]).await.unwrap());
    assert_eq!(context.outcomes(0, &pool[..5]).iter().flatten().count(), 5);
    assert!(context.group_scores(0, &raced).is_empty());
}

#[tokio::test]
async fn demonstrations_count_as_length() {
    let gateway = gateway(BudgetLimits::default());
    let mut run = run(&gateway, screen(), planted());
    run.spec.max_prompt_tokens = Some(20);
    let mut context = SearchContext::begin(&run).unwrap();
    context.enter_phase(Phase::Screen, String::new()).unwrap();
    let bare = context.prompt(0).clone();
    let shown = |words: usize| {
        let one = Demonstration {
            input: "word ".repeat(words),
            answer: "yes".into(),
        };
        (bare.clone(), bare.clone().with_demonstrations(vec![one]))
    };
    let pairs = vec![shown(3), shown(30)];
    let proposer = DemonstrationProposer { pairs };
    let entered = context.propose(&proposer, &[0], 2, "shown").await.unwrap();
    assert_eq!(entered.len(), 1);
    assert_eq!(context.prompt(entered[0]).demonstrations.len(), 1);
    assert_eq!(context.find(&shown(3).1), Some(entered[0]));
    let told = gateway.emitted().into_iter().any(|event| {
        matches!(event, Event::Discarded { reason, count: 1, .. }
            if reason.starts_with("with its demonstrations it is longer than 20 tokens"))
    });
    assert!(told);
}
