//! What unit tests need around the code under test: a model that is scripted call by
//! call, a task of two moods, a gateway over a store in memory.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use shiftproof_tasks::{
    AnswerForm, Example, Finish, Input, Label, Message, Prompt, Reply, Request, Task,
};

use crate::budget::{BudgetLimits, Meter, Price};
use crate::calibrate::Calibration;
use crate::control::RunControl;
use crate::event::{Event, GroupInfo, GroupRole};
use crate::event_log::EventLog;
use crate::gateway::{Gateway, PricedModel};
use crate::ledger::Ledger;
use crate::llm::{Capabilities, Llm, LlmError, ModelCall};
use crate::propose::{ProposalForm, ProposerView};
use crate::response_matrix::{EvalContext, ResponseMatrix};

type Script = dyn Fn(&ModelCall) -> Result<Reply, LlmError> + Send + Sync;

/// A model that answers by a function of the call, and keeps what it was asked.
pub(crate) struct ScriptedLlm {
    capabilities: Capabilities,
    script: Box<Script>,
    asked: Mutex<Vec<ModelCall>>,
}

#[async_trait]
impl Llm for ScriptedLlm {
    fn identity(&self) -> &'static str {
        "scripted"
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn call(&self, call: &ModelCall) -> Result<Reply, LlmError> {
        self.asked.lock().unwrap().push(call.clone());
        (self.script)(call)
    }
}

/// A server: one call at a time, four at once.
pub(crate) fn server() -> Capabilities {
    Capabilities {
        batch: 1,
        concurrency: 4,
        ..Capabilities::default()
    }
}

/// A scripted model behind a gateway.
pub(crate) struct Bench {
    llm: Arc<ScriptedLlm>,
    pub model: PricedModel,
    pub gateway: Gateway,
}

impl Bench {
    pub fn new(
        script: impl Fn(&ModelCall) -> Result<Reply, LlmError> + Send + Sync + 'static,
    ) -> Self {
        Self::with(server(), BudgetLimits::default(), script)
    }

    pub fn limited(
        calls: u64,
        script: impl Fn(&ModelCall) -> Result<Reply, LlmError> + Send + Sync + 'static,
    ) -> Self {
        let limits = BudgetLimits {
            calls: Some(calls),
            ..BudgetLimits::default()
        };
        Self::with(server(), limits, script)
    }

    pub fn with(
        capabilities: Capabilities,
        limits: BudgetLimits,
        script: impl Fn(&ModelCall) -> Result<Reply, LlmError> + Send + Sync + 'static,
    ) -> Self {
        let llm = Arc::new(ScriptedLlm {
            capabilities,
            script: Box::new(script),
            asked: Mutex::new(Vec::new()),
        });
        Self {
            model: PricedModel {
                llm: llm.clone(),
                price: Price::per_million(1.0, 2.0),
            },
            llm,
            gateway: gateway(limits),
        }
    }

    pub fn context<'a>(&'a self, task: &'a dyn Task) -> EvalContext<'a> {
        EvalContext {
            task,
            gateway: &self.gateway,
            model: &self.model,
            calibration: Calibration::None,
            keep_going: false,
        }
    }

    /// The calls so far, in the order of their arrival.
    pub fn asked(&self) -> Vec<ModelCall> {
        self.llm.asked.lock().unwrap().clone()
    }

    pub fn emitted(&self) -> Vec<Event> {
        self.gateway.emitted()
    }
}

/// A gateway over a store of its own in memory.
pub(crate) fn gateway(limits: BudgetLimits) -> Gateway {
    Gateway::new(
        Arc::new(Ledger::in_memory()),
        EventLog::unlogged(vec![]),
        Meter::new(limits),
        RunControl::new(),
        None,
        Vec::new(),
    )
}

/// The text of a call's last message.
pub(crate) fn text(call: &ModelCall) -> &str {
    let messages = &call.request.messages;
    &messages[messages.len() - 1].content
}

/// A call that asks for a text.
pub(crate) fn text_call(text: &str, max_tokens: u32) -> ModelCall {
    let request = Request {
        messages: vec![Message::user(text)],
        answer: AnswerForm::Text { max_tokens },
    };
    ModelCall::greedy(request, max_tokens)
}

/// A reply that was cut off.
pub(crate) fn cut_off(text: &str) -> Reply {
    Reply {
        finish: Finish::Length,
        ..Reply::text(text)
    }
}

/// Positive or negative; fills fields.
pub(crate) struct Moods;

impl Task for Moods {
    fn name(&self) -> &'static str {
        "moods"
    }

    fn seed(&self) -> Prompt {
        Prompt::new("Is this note positive or negative?")
    }

    fn answer_form(&self, _: &Input) -> AnswerForm {
        AnswerForm::choice(["positive", "negative"])
    }

    fn fills_fields(&self) -> bool {
        true
    }
}

/// The groups `source` and `target`.
pub(crate) fn groups() -> Vec<GroupInfo> {
    [("source", GroupRole::Source), ("target", GroupRole::Target)]
        .map(|(name, role)| GroupInfo {
            name: name.into(),
            role,
            train: 0,
            validation: 0,
            labelled: 0,
            unlabelled: 0,
            audit: 0,
        })
        .to_vec()
}

pub(crate) fn input(group: &str, number: usize) -> Input {
    Input::new(format!("{group}-{number}"), group)
        .with_field("text", format!("{group} note number {number}"))
}

/// Examples whose labels alternate, positive first.
pub(crate) fn examples(group: &str, count: usize) -> Vec<Example> {
    (0..count)
        .map(|number| Example {
            input: input(group, number),
            label: Label::Class(mood(number).into()),
        })
        .collect()
}

pub(crate) fn mood(number: usize) -> &'static str {
    ["positive", "negative"][number % 2]
}

/// A matrix of both groups with these prompts, counted from 0.
pub(crate) fn matrix(prompts: &[&str]) -> ResponseMatrix {
    let mut matrix = ResponseMatrix::new(groups());
    for prompt in prompts {
        matrix
            .enter(Prompt::new(*prompt), Vec::new(), None)
            .unwrap();
    }
    matrix
}

/// What a proposer is shown, over a bench.
pub(crate) struct ProposerBench {
    pub bench: Bench,
    pub task: Box<dyn Task>,
    pub source: Vec<Example>,
    pub target: Vec<Input>,
    pub pseudo_labelled: Vec<Example>,
    pub seed_prompt: Prompt,
    pub parents: Vec<Prompt>,
    pub form: ProposalForm,
    pub limit: usize,
    pub count: usize,
}

impl ProposerBench {
    /// Twelve source examples, four target inputs, and the seed as the only parent.
    pub fn new(bench: Bench, count: usize) -> Self {
        let seed = Moods.seed();
        Self {
            bench,
            task: Box::new(Moods),
            source: examples("source", 12),
            target: (0..4).map(|number| input("target", number)).collect(),
            pseudo_labelled: Vec::new(),
            parents: vec![seed.clone()],
            seed_prompt: seed,
            form: ProposalForm::Plain,
            limit: 2000,
            count,
        }
    }

    pub fn view(&self) -> ProposerView<'_> {
        ProposerView {
            task: self.task.as_ref(),
            gateway: &self.bench.gateway,
            model: &self.bench.model,
            source: &self.source,
            target: &self.target,
            pseudo_labelled: &self.pseudo_labelled,
            seed_prompt: &self.seed_prompt,
            parents: &self.parents,
            form: self.form,
            limit: self.limit,
            count: self.count,
            seed: 1,
        }
    }
}
