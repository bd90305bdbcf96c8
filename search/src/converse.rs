//! One evaluation: one call of the model, or several in turn where the task asks
//! again after a reply.

use shiftproof_tasks::{AnswerForm, Input, Prompt, Reply, Request, Task};

use crate::budget::Spend;
use crate::gateway::{Asked, Gateway, Model, Stop};
use crate::llm::Call;

/// A prompt and what it is asked about.
pub(crate) type Case<'a> = (&'a Prompt, &'a Input);

/// Evaluates every case; one result each, in their order. All cases take their
/// first turn before any takes its second, so a batch stays a batch. A later
/// turn that is refused or not affordable decides the whole evaluation, and no
/// case behind one that was not affordable counts; what was paid for stays in the
/// ledger.
pub(crate) async fn evaluate(
    task: &dyn Task,
    gateway: &Gateway,
    model: &Model,
    cases: &[Case<'_>],
) -> Result<Vec<Asked>, Stop> {
    let mut open: Vec<Option<Request>> = cases
        .iter()
        .map(|(prompt, input)| Some(task.request(prompt, input)))
        .collect();
    let mut replies: Vec<Vec<Reply>> = cases.iter().map(|_| Vec::new()).collect();
    let mut over: Vec<Asked> = vec![Asked::Unaffordable; cases.len()];
    for left in (0..task.calls().max(1)).rev() {
        let (places, calls): (Vec<usize>, Vec<Call>) = open
            .iter_mut()
            .enumerate()
            .filter_map(|(at, request)| Some((at, call(request.take()?))))
            .unzip();
        if calls.is_empty() {
            break;
        }
        for (at, asked) in places.into_iter().zip(gateway.ask(model, &calls).await?) {
            let Asked::Reply(reply) = asked else {
                over[at] = asked;
                continue;
            };
            let (prompt, input) = cases[at];
            let so_far = &mut replies[at];
            so_far.push(reply);
            if left > 0 {
                open[at] = task.next(prompt, input, so_far);
            }
            if open[at].is_none() {
                over[at] = Asked::Reply(task.conclude(input, std::mem::take(so_far)));
            }
        }
    }
    // Turns that go wrong end early, so where the budget ends among later turns a
    // choice of the cases that did finish would be a choice of failures. The cases
    // before the first that was cut off are all there, whatever they came to.
    if task.calls() > 1
        && let Some(cut) = over.iter().position(|asked| *asked == Asked::Unaffordable)
    {
        over[cut..].fill(Asked::Unaffordable);
    }
    Ok(over)
}

/// The most that evaluating one case can cost. Later turns are priced like the
/// first, each with the answers before it as part of the prompt: what is asked
/// there is known only when they are here.
pub(crate) fn worst_case(task: &dyn Task, model: &Model, (prompt, input): Case<'_>) -> Spend {
    let first = model.worst_case(&call(task.request(prompt, input)));
    (0..task.calls().max(1) as u64)
        .map(|turn| Spend {
            prompt_tokens: first.prompt_tokens + turn * first.completion_tokens,
            ..first
        })
        .sum()
}

/// The call that asks for this.
pub(crate) fn call(request: Request) -> Call {
    let max_tokens = match &request.answer {
        AnswerForm::Choice { .. } | AnswerForm::Number { .. } => 16,
        AnswerForm::Ranking { candidates } => 24 * candidates.len() as u32,
        // Beyond the first places a list written out adds nothing.
        AnswerForm::Likelihood { candidates, .. } => 24 * candidates.len().min(20) as u32,
        // Nothing is written.
        AnswerForm::Nearest { .. } => 1,
        AnswerForm::Text { max_tokens } => *max_tokens,
    };
    Call::greedy(request, max_tokens)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::budget::{Limits, Meter, Price};
    use crate::ledger::Ledger;
    use crate::llm::{Capabilities, Llm, LlmError};
    use crate::log::Bus;

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

        async fn call(&self, call: &Call) -> Result<Reply, LlmError> {
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

    async fn asked(inputs: &[Input], calls: Option<u64>) -> (Vec<Asked>, u64) {
        let limits = Limits {
            calls,
            ..Limits::default()
        };
        let gateway = Gateway::new(
            Arc::new(Ledger::in_memory()),
            Bus::unlogged(vec![]),
            Meter::new(limits),
            CancellationToken::new(),
            None,
            Vec::new(),
        );
        let model = Model {
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
    async fn every_case_takes_its_own_turns() {
        let inputs = [
            input("a", "0", "x"),
            input("b", "1", "x"),
            input("c", "2", "x y"),
            input("d", "9", "x y z w"),
        ];
        let (asked, calls) = asked(&inputs, None).await;
        let text = |asked: &Asked| match asked {
            Asked::Reply(reply) => reply.text.clone(),
            Asked::Refused(reason) => format!("refused: {reason}"),
            Asked::Unaffordable => "unaffordable".into(),
        };
        let texts: Vec<String> = asked.iter().map(text).collect();
        // The instruction, two names of fields, the count and the text.
        assert_eq!(texts, ["5", "5 6", "refused: seven", "8 9 10"]);
        assert_eq!(calls, 1 + 2 + 2 + 3);
    }

    #[tokio::test]
    async fn a_turn_beyond_the_budget_leaves_the_case_open() {
        let inputs = [
            input("a", "1", "x"),
            input("b", "1", "x y z w v u"),
            input("c", "0", "x y z w v"),
        ];
        let (asked, calls) = asked(&inputs, Some(4)).await;
        assert_eq!(asked[0], Asked::Reply(Reply::text("5 6")));
        // The third ended at its first turn, and counts no more than the second.
        assert_eq!(asked[1..], [Asked::Unaffordable, Asked::Unaffordable]);
        assert_eq!(calls, 4);
    }
}
