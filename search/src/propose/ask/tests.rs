use shiftproof_tasks::Reply;

use super::*;
use crate::budget::BudgetLimits;
use crate::llm::{Capabilities, LlmError};
use crate::scripted::{Bench, ProposerBench, cut_off, server, text_call};

const SORRY: &str = "I'm sorry, but I can't write prompts about that.";
const GOOD: &str = "<prompt>Judge the note.</prompt>";

type Manner = fn() -> Result<Reply, LlmError>;

fn good() -> Result<Reply, LlmError> {
    Ok(Reply::text(GOOD))
}

fn cut() -> Result<Reply, LlmError> {
    Ok(cut_off("<prompt>Judge the note by what"))
}

fn sorry() -> Result<Reply, LlmError> {
    Ok(Reply::text(SORRY))
}

fn filtered() -> Result<Reply, LlmError> {
    Ok(Reply {
        finish: Finish::Filtered,
        ..Reply::text("")
    })
}

fn refused() -> Result<Reply, LlmError> {
    Err(LlmError::Request("flagged as unsafe".into()))
}

/// A model that answers a call in the first manner, and a second ask in the other.
fn bench(first: Manner, second: Manner, limits: BudgetLimits) -> ProposerBench {
    let manner = move |call: &ModelCall| {
        if call.sample < AGAIN {
            first()
        } else {
            second()
        }
    };
    ProposerBench::new(Bench::with(server(), limits, manner), 1)
}

async fn asked(bench: &ProposerBench, calls: &[ModelCall]) -> (ProposedTexts, Vec<(String, u64)>) {
    let mut discards = DiscardCounts::default();
    let texts = ask(&bench.view(), calls, &mut discards).await.unwrap();
    let rules = discards
        .0
        .into_iter()
        .map(|(rule, (count, _))| (rule, count));
    (texts, rules.collect())
}

#[tokio::test]
async fn useless_answers_are_asked_again() {
    let check = async |first: Manner, second: Manner, read: Option<&str>, again, rule: &str| {
        let bench = bench(first, second, BudgetLimits::default());
        let (texts, discards) = asked(&bench, &[text_call("write", 100)]).await;
        assert_eq!(texts.read, [read.map(str::to_owned)], "{rule}");
        assert_eq!((texts.answered, texts.again), (1, again), "{rule}");
        let expected: &[(String, u64)] = &[(rule.to_owned(), 1)];
        let expected = if rule.is_empty() { &[] } else { expected };
        assert_eq!(discards, expected);
        assert_eq!(bench.bench.asked().len() as u64, 1 + again);
    };
    let long = "it was cut off at 200 tokens (proposer.max_tokens)";
    let refusal = "the service refused the request";
    check(good, sorry, Some(GOOD), 0, "").await;
    check(cut, good, Some(GOOD), 1, "").await;
    check(sorry, good, Some(GOOD), 1, "").await;
    check(filtered, good, Some(GOOD), 1, "").await;
    check(refused, good, Some(GOOD), 1, "").await;
    check(cut, cut, None, 1, long).await;
    check(sorry, sorry, None, 1, "the model declined").await;
    check(cut, filtered, None, 1, "the model declined").await;
    check(sorry, refused, None, 1, refusal).await;
    check(
        refused,
        cut,
        None,
        1,
        "it was cut off at 100 tokens (proposer.max_tokens)",
    )
    .await;
}

#[tokio::test]
async fn budget_ends_second_asks() {
    let limits = |calls| BudgetLimits {
        calls: Some(calls),
        ..BudgetLimits::default()
    };
    // The first fault is told where there is no money to see a second answer.
    let once = bench(sorry, good, limits(1));
    let (texts, discards) = asked(&once, &[text_call("write", 100)]).await;
    assert_eq!((texts.answered, texts.again), (1, 0));
    assert_eq!(discards, [("the model declined".to_owned(), 1)]);
    let never = bench(sorry, good, limits(0));
    let (texts, discards) = asked(&never, &[text_call("write", 100)]).await;
    assert_eq!((texts.answered, texts.read.len()), (0, 1));
    assert!(discards.is_empty(), "what was not asked is no discard");
}

/// The second ask of a greedy call under these capabilities.
async fn second_call(first: Reply, max_tokens: Option<u32>) -> ModelCall {
    let capabilities = Capabilities {
        max_tokens,
        ..server()
    };
    let manner = move |call: &ModelCall| {
        if call.sample < AGAIN {
            Ok(first.clone())
        } else {
            good()
        }
    };
    let bench = Bench::with(capabilities, BudgetLimits::default(), manner);
    let bench = ProposerBench::new(bench, 1);
    asked(&bench, &[text_call("write", 100)]).await;
    bench.bench.asked().swap_remove(1)
}

#[tokio::test]
async fn second_asks_change_one_thing() {
    let first = text_call("write", 100);
    // More room for what was cut off, by the same draw.
    let call = second_call(cut_off("Judge the note by what it"), None).await;
    assert_eq!(
        (call.sampling.max_tokens, call.sampling.temperature),
        (200, 0.0)
    );
    let form = shiftproof_tasks::AnswerForm::Text { max_tokens: 200 };
    assert_eq!(call.request.answer, form);
    assert_ne!(
        (call.sample, call.sampling.seed),
        (first.sample, first.sampling.seed)
    );
    // Room that the user has set stays.
    let call = second_call(cut_off("Judge the note by what it"), Some(100)).await;
    assert_eq!(call.sampling.max_tokens, 100);
    // The likeliest answer is known to be a refusal, or to go round in circles.
    let call = second_call(Reply::text(SORRY), None).await;
    assert_eq!(
        (call.sampling.max_tokens, call.sampling.temperature),
        (100, 0.8)
    );
    let round = "and the tone of the note as a whole, ".repeat(20);
    let call = second_call(cut_off(&round), None).await;
    assert_eq!(
        (call.sampling.max_tokens, call.sampling.temperature),
        (200, 0.8)
    );
}

#[tokio::test]
async fn lines_are_asked_once() {
    let bench = bench(cut, good, BudgetLimits::default());
    let mut discards = DiscardCounts::default();
    let calls = [text_call("one", 9), text_call("two", 9)];
    let texts = once(&bench.view(), &calls, &mut discards).await.unwrap();
    assert_eq!((texts.answered, texts.again, texts.read.len()), (2, 0, 2));
    assert!(
        texts.read.iter().all(Option::is_some),
        "a line may be cut off"
    );
    assert_eq!(discards.count(), 0);
    let bench = self::bench(refused, good, BudgetLimits::default());
    let texts = once(&bench.view(), &calls, &mut discards).await.unwrap();
    assert_eq!((texts.answered, &texts.read[..]), (2, &[None, None][..]));
    assert_eq!(discards.count(), 2);
}
