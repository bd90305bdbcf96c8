use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::budget::{BudgetLimits, Meter, Price};
use crate::event_log::EventLog;
use crate::ledger::Ledger;
use crate::llm::{Capabilities, Llm, LlmError};
use crate::scripted::{self, Bench, Moods, cut_off};

/// Says how many words it was asked.
struct Counter;

#[async_trait]
impl Llm for Counter {
    fn identity(&self) -> &'static str {
        "counter"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            label_scores: false,
            prefill: false,
            batch: 1,
            concurrency: 4,
            ..Capabilities::default()
        }
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        let words = call.request.messages[0].content.split_whitespace().count();
        if words == 7 {
            return Err(LlmError::Request("seven".into()));
        }
        Ok(Reply::text(words.to_string()))
    }
}

/// Asks again with one word more, as often as its input says.
struct Again;

impl Task for Again {
    fn name(&self) -> &'static str {
        "again"
    }

    fn seed(&self) -> Prompt {
        Prompt::new("one")
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        AnswerForm::Text { max_tokens: 4 }
    }

    fn calls(&self) -> usize {
        3
    }

    fn next(&self, prompt: &Prompt, input: &Input, replies: &[Reply]) -> Option<Request> {
        let more: usize = input.field("more").parse().ok()?;
        if replies.len() > more {
            return None;
        }
        let mut request = self.request(prompt, input);
        request.messages[0].content += &" word".repeat(replies.len());
        Some(request)
    }

    fn conclude(&self, _: &Input, replies: Vec<Reply>) -> Reply {
        let texts: Vec<String> = replies.into_iter().map(|reply| reply.text).collect();
        Reply::text(texts.join(" "))
    }
}

async fn asked(inputs: &[Input], calls: Option<u64>) -> (Vec<CallOutcome>, u64) {
    let limits = BudgetLimits {
        calls,
        ..BudgetLimits::default()
    };
    let gateway = Gateway::new(
        Arc::new(Ledger::in_memory()),
        EventLog::unlogged(vec![]),
        Meter::new(limits),
        CancellationToken::new(),
        None,
        Vec::new(),
    );
    let model = PricedModel {
        llm: Arc::new(Counter),
        price: Price::default(),
    };
    let seed = Again.seed();
    let cases: Vec<Case<'_>> = inputs.iter().map(|input| (&seed, input)).collect();
    let asked = evaluate(&Again, &gateway, &model, &cases).await.unwrap();
    (asked, gateway.spent().calls)
}

fn input(id: &str, more: &str, text: &str) -> Input {
    Input::new(id, "g")
        .with_field("more", more)
        .with_field("text", text)
}

/// Evaluations end at different turns, one that is refused at its second turn
/// is refused, and a task that never ends is stopped at its own limit.
#[tokio::test]
async fn cases_take_own_turns() {
    let inputs = [
        input("a", "0", "x"),
        input("b", "1", "x"),
        input("c", "2", "x y"),
        input("d", "9", "x y z w"),
    ];
    let (asked, calls) = asked(&inputs, None).await;
    let text = |asked: &CallOutcome| match asked {
        CallOutcome::Reply(reply) => reply.text.clone(),
        CallOutcome::Refused(reason) => format!("refused: {reason}"),
        CallOutcome::Unaffordable => "unaffordable".into(),
    };
    let texts: Vec<String> = asked.iter().map(text).collect();
    // The instruction, two names of fields, the count and the text.
    assert_eq!(texts, ["5", "5 6", "refused: seven", "8 9 10"]);
    assert_eq!(calls, 1 + 2 + 2 + 3);
}

#[tokio::test]
async fn budget_leaves_cases_open() {
    let inputs = [
        input("a", "1", "x"),
        input("b", "1", "x y z w v u"),
        input("c", "0", "x y z w v"),
    ];
    let (asked, calls) = asked(&inputs, Some(4)).await;
    assert_eq!(asked[0], CallOutcome::Reply(Reply::text("5 6")));
    // The third ended at its first turn, and counts no more than the second.
    assert_eq!(
        asked[1..],
        [CallOutcome::Unaffordable, CallOutcome::Unaffordable]
    );
    assert_eq!(calls, 4);
}

fn able(batch: usize, max_tokens: Option<u32>, thinking_tokens: u32) -> Capabilities {
    Capabilities {
        batch,
        concurrency: 1,
        max_tokens,
        thinking_tokens,
        ..Capabilities::default()
    }
}

#[test]
fn rooms_follow_form_and_model() {
    let items = |count: usize| (0..count).map(|at| at.to_string()).collect::<Vec<_>>();
    let forms = [
        AnswerForm::choice(["yes", "no"]),
        AnswerForm::Number { min: 1.0, max: 5.0 },
        AnswerForm::Ranking {
            candidates: items(10),
        },
        AnswerForm::likelihood(items(50)),
        AnswerForm::Text { max_tokens: 100 },
        AnswerForm::Nearest {
            candidates: items(9),
        },
    ];
    let check = |capabilities: Capabilities, expected: [u32; 6], most: [u32; 6]| {
        let rooms = |of: fn(&AnswerForm, &Capabilities) -> u32| -> Vec<u32> {
            forms.iter().map(|form| of(form, &capabilities)).collect()
        };
        assert_eq!(rooms(room), expected, "{capabilities:?}");
        assert_eq!(rooms(most_room), most, "{capabilities:?}");
    };
    // A server may reason before it answers, and gets four times the room once more.
    check(
        able(1, None, 0),
        [512, 512, 496, 736, 100, 1],
        [2048, 2048, 1984, 2944, 400, 4],
    );
    check(
        able(1, None, 1000),
        [1512, 1512, 1496, 1736, 1100, 1],
        [6048, 6048, 5984, 6944, 4400, 4],
    );
    // What the user has set holds, and is not exceeded.
    check(
        able(1, Some(33), 1000),
        [33, 33, 33, 33, 33, 1],
        [33, 33, 33, 33, 33, 1],
    );
    // A model of this process is given the bare answer; a rambled list is no use.
    check(
        able(8, None, 0),
        [16, 16, 240, 480, 100, 1],
        [64, 64, 240, 480, 100, 1],
    );
}

#[test]
fn later_turns_cost_more() {
    let bench = Bench::new(|_: &ModelCall| Ok(Reply::text("1")));
    let worst = |task: &dyn Task| {
        let seed = task.seed();
        worst_case(task, &bench.model, (&seed, &input("a", "0", "x")))
    };
    let (three, one) = (worst(&Again), worst(&Once));
    assert_eq!((three.calls, one.calls), (3, 1));
    assert_eq!(three.completion_tokens, 3 * one.completion_tokens);
    // Each turn shows the answers before it.
    let answers = (1 + 2) * one.completion_tokens;
    assert_eq!(three.prompt_tokens, 3 * one.prompt_tokens + answers);
}

/// As `Again`, asked once.
struct Once;

impl Task for Once {
    fn name(&self) -> &'static str {
        "once"
    }

    fn seed(&self) -> Prompt {
        Again.seed()
    }

    fn answer_form(&self, input: &Input) -> AnswerForm {
        Again.answer_form(input)
    }
}

/// Of what was cut off the second answer counts, with four times the room; where that
/// is refused the first stands, and a readable one is not asked again.
#[tokio::test]
async fn cut_answers_get_more_room() {
    let manner = |call: &ModelCall| {
        let room = call.sampling.max_tokens;
        let text = scripted::text(call);
        Ok(match text.rsplit(' ').next() {
            Some("1") if room == 512 => cut_off("Let me weigh both sides: on the one"),
            Some("2") => cut_off("Let me weigh both sides: on the one"),
            Some("3") if room == 512 => cut_off("Let me weigh"),
            Some("3") => return Err(LlmError::Request("at most 1000 tokens".into())),
            Some("4") => cut_off("positive"),
            _ => Reply::text("positive"),
        })
    };
    let bench = Bench::new(manner);
    let seed = Moods.seed();
    let inputs: Vec<Input> = (0..5).map(|at| scripted::input("source", at)).collect();
    let cases: Vec<Case<'_>> = inputs.iter().map(|input| (&seed, input)).collect();
    let answers = evaluate(&Moods, &bench.gateway, &bench.model, &cases)
        .await
        .unwrap();
    let finished: Vec<Finish> = answers
        .iter()
        .map(|asked| match asked {
            CallOutcome::Reply(reply) => reply.finish,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        finished,
        [
            Finish::Stop,
            Finish::Stop,
            Finish::Length,
            Finish::Length,
            Finish::Length,
        ]
    );
    let mut rooms: Vec<u32> = bench
        .asked()
        .iter()
        .map(|call| call.sampling.max_tokens)
        .collect();
    rooms.sort_unstable();
    assert_eq!(rooms, [512, 512, 512, 512, 512, 2048, 2048, 2048]);
}

#[tokio::test]
async fn second_asks_need_money() {
    let bench = Bench::limited(2, |_: &ModelCall| Ok(cut_off("Hm, let me")));
    let seed = Moods.seed();
    let inputs: Vec<Input> = (0..2).map(|at| scripted::input("source", at)).collect();
    let cases: Vec<Case<'_>> = inputs.iter().map(|input| (&seed, input)).collect();
    let answers = evaluate(&Moods, &bench.gateway, &bench.model, &cases)
        .await
        .unwrap();
    // A first answer that could not be asked again says nothing of the prompt.
    assert_eq!(
        answers,
        [CallOutcome::Unaffordable, CallOutcome::Unaffordable]
    );
    assert_eq!(bench.asked().len(), 2);
}
