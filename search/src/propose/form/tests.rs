use shiftproof_tasks::{Prompt, Reply};

use super::*;
use crate::budget::BudgetLimits;
use crate::llm::{Capabilities, LlmError};
use crate::scripted::{Bench, ProposerBench, server};

fn continues() -> Capabilities {
    Capabilities {
        prefill: true,
        ..server()
    }
}

async fn probed(
    capabilities: Capabilities,
    calls: u64,
    reply: Result<&'static str, LlmError>,
) -> (ProposalForm, Vec<ModelCall>) {
    let limits = BudgetLimits {
        calls: Some(calls),
        ..BudgetLimits::default()
    };
    let manner = move |_: &ModelCall| reply.clone().map(Reply::text);
    let bench = Bench::with(capabilities, limits, manner);
    let form = probe(&bench.gateway, &bench.model).await.unwrap();
    (form, bench.asked())
}

#[tokio::test]
async fn probe_tells_followers_apart() {
    let check = async |reply: &'static str, expected: ProposalForm| {
        let (form, asked) = probed(continues(), 9, Ok(reply)).await;
        assert_eq!((form, asked.len()), (expected, 1), "{reply}");
    };
    let plain = ProposalForm::Plain;
    check(
        "<prompt>Read the message and name the team.</prompt>",
        plain,
    )
    .await;
    check(
        "<think>I copy it.</think>\nSure:\n<PROMPT>\nRead the message and name it.\n</PROMPT>",
        plain,
    )
    .await;
    let opening = ProposalForm::Opening;
    check("The team that handles the message is great.", opening).await;
    check("<prompt>and</prompt>", opening).await;
    check("<prompt>Read the message and", opening).await;
    check("<think><prompt>Read the message now</prompt>", opening).await;
}

#[tokio::test]
async fn probe_is_asked_where_needed() {
    // A server that cannot go on from a begun answer leaves nothing to choose.
    let (form, asked) = probed(server(), 9, Ok("no")).await;
    assert_eq!((form, asked.len()), (ProposalForm::Plain, 0));
    let refused = Err(LlmError::Request("no".into()));
    assert_eq!(
        probed(continues(), 9, refused).await.0,
        ProposalForm::Opening
    );
    let (form, asked) = probed(continues(), 0, Ok("no")).await;
    assert_eq!((form, asked.len()), (ProposalForm::Opening, 0));
    let room = |max_tokens, thinking_tokens| Capabilities {
        max_tokens,
        thinking_tokens,
        ..continues()
    };
    for (capabilities, expected) in [
        (room(None, 0), 64),
        (room(None, 500), 564),
        (room(Some(9), 500), 9),
    ] {
        let (_, asked) = probed(capabilities, 9, Ok("no")).await;
        assert_eq!(asked[0].sampling.max_tokens, expected);
    }
}

#[test]
fn rooms_follow_longest_prompt() {
    let check = |capabilities: Capabilities, words: usize, limit: usize, expected: u32| {
        let bench = Bench::with(capabilities, BudgetLimits::default(), |_| {
            Ok(Reply::text(""))
        });
        let mut bench = ProposerBench::new(bench, 1);
        bench.parents = vec![Prompt::new("word ".repeat(words))];
        bench.limit = limit;
        assert_eq!(
            room(&bench.view()),
            expected,
            "{words} words, limit {limit}"
        );
    };
    check(server(), 5, 2000, 1024);
    // Of 750 tokens, three times as many.
    check(server(), 600, 2000, 2250);
    // Beyond the limit on prompts more room makes no sense.
    check(server(), 2000, 2000, 2500);
    check(server(), 2000, 100, 1024);
    let thinks = Capabilities {
        thinking_tokens: 700,
        ..server()
    };
    check(thinks, 600, 2000, 2950);
    let set = Capabilities {
        max_tokens: Some(300),
        ..thinks
    };
    check(set, 600, 2000, 300);
    assert_eq!([0, 100, 400].map(expected_tokens), [256, 256, 600]);
}
