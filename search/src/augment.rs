//! Asking a model to write about inputs, once, before any prompt is evaluated on them
//! ([`Augmentation`]). Questions take the same way to a model as everything else: stored,
//! counted under the limits, and not asked again by whoever comes later.

mod read;

use std::collections::HashMap;

use shiftproof_tasks::augment::fill;
use shiftproof_tasks::{Augmentation, Input, KnowledgeQuestion};

use self::read::{KnowledgeGap, read};
use crate::event::{Event, WrittenKnowledge};
use crate::gateway::{AuxiliaryModels, CallOutcome, Gateway, PricedModel, RunError};
use crate::llm::{Capabilities, ModelCall};

/// Questions after which it is known whether the answers can be used.
const ENOUGH: usize = 20;
/// How much more room an answer gets that was cut off.
const MORE: u32 = 4;

/// Different questions about some inputs, in the order of their first.
struct QuestionList {
    questions: Vec<KnowledgeQuestion>,
    /// Per input: its questions, by their place.
    of_input: Vec<Vec<usize>>,
}

impl QuestionList {
    fn of<'i>(
        augmentation: &dyn Augmentation,
        inputs: impl IntoIterator<Item = &'i Input>,
    ) -> Self {
        let mut places: HashMap<(String, u32), usize> = HashMap::new();
        let mut list = Self {
            questions: Vec::new(),
            of_input: Vec::new(),
        };
        for input in inputs {
            let mut own = Vec::new();
            for question in augmentation.questions(input) {
                let key = (question.text.clone(), question.max_tokens);
                let place = *places.entry(key).or_insert_with(|| {
                    list.questions.push(question);
                    list.questions.len() - 1
                });
                own.push(place);
            }
            list.of_input.push(own);
        }
        list
    }
}

/// The calls that write about these inputs, each once, as they are first sent to a model
/// that can do this.
pub fn calls<'i>(
    augmentation: &dyn Augmentation,
    capabilities: &Capabilities,
    inputs: impl IntoIterator<Item = &'i Input>,
) -> Vec<ModelCall> {
    let list = QuestionList::of(augmentation, inputs);
    let call = |question: &KnowledgeQuestion| call(question, capabilities);
    list.questions.iter().map(call).collect()
}

/// How many calls [`calls`] are; 0 where nobody is asked.
pub fn count<'i>(
    auxiliary_models: &AuxiliaryModels,
    inputs: impl IntoIterator<Item = &'i Input>,
) -> usize {
    auxiliary_models.knowledge.as_ref().map_or(0, |source| {
        let capabilities = source.model.llm.capabilities();
        calls(source.augmentation.as_ref(), &capabilities, inputs).len()
    })
}

fn call(question: &KnowledgeQuestion, capabilities: &Capabilities) -> ModelCall {
    let own = question
        .max_tokens
        .saturating_add(capabilities.thinking_tokens);
    ModelCall::greedy(question.request(), capabilities.max_tokens.unwrap_or(own))
}

/// Has knowledge written into all of these inputs, where the gateway has somebody who
/// writes. Returns whether the limits sufficed; where they did not, no input is changed.
/// `keep_going`: whether to go on where hardly an answer can be used.
pub(crate) async fn augment(
    gateway: &Gateway,
    inputs: Vec<&mut Input>,
    keep_going: bool,
) -> Result<bool, RunError> {
    let Some(source) = &gateway.auxiliary_models().knowledge else {
        return Ok(true);
    };
    let augmentation = source.augmentation.as_ref();
    let list = QuestionList::of(augmentation, inputs.iter().map(|input| &**input));
    let mut answers = Vec::with_capacity(list.questions.len());
    let (first, rest) = list.questions.split_at(ENOUGH.min(list.questions.len()));
    for part in [first, rest] {
        let Some(read) = ask(gateway, &source.model, part).await? else {
            return Ok(false);
        };
        answers.extend(read);
        if !keep_going {
            check(&source.model, &answers)?;
        }
    }
    let answers: Vec<_> = answers.into_iter().map(|(read, _)| read).collect();
    let mut knowledge = counts(augmentation, &list, &answers);
    for (input, own) in inputs.into_iter().zip(&list.of_input) {
        let written: Vec<_> = own
            .iter()
            .map(|&at| (&list.questions[at], answers[at].as_deref().ok()))
            .collect();
        fill(augmentation, input, &written);
        for own in &mut knowledge {
            own.inputs += 1;
            own.empty += usize::from(input.field(&own.field).is_empty());
        }
    }
    let event = Event::Augmented { knowledge };
    // Every sample of an evaluation has it written anew, out of the store.
    if !gateway.emitted().contains(&event) {
        gateway.emit(&event)?;
    }
    Ok(true)
}

/// What was read of an answer, and the answer as it came.
type ReadAnswer = (Result<String, KnowledgeGap>, String);

/// An answer a question, in their order; `None` where the limits do not suffice for all. One
/// that was cut off is asked for once more, with more room, unless the user has set it.
async fn ask(
    gateway: &Gateway,
    model: &PricedModel,
    questions: &[KnowledgeQuestion],
) -> Result<Option<Vec<ReadAnswer>>, RunError> {
    let capabilities = model.llm.capabilities();
    let calls: Vec<ModelCall> = questions.iter().map(|q| call(q, &capabilities)).collect();
    let mut answers = Vec::with_capacity(calls.len());
    let (mut places, mut again) = (Vec::new(), Vec::new());
    let asked = gateway.ask_undrawn(model, &calls).await?;
    for (at, (outcome, mut call)) in asked.into_iter().zip(calls).enumerate() {
        let Some(answer) = understood(&questions[at], outcome) else {
            return Ok(None);
        };
        if answer.0 == Err(KnowledgeGap::Truncated) && capabilities.max_tokens.is_none() {
            call.sampling.max_tokens = call.sampling.max_tokens.saturating_mul(MORE);
            call.request.answer = shiftproof_tasks::AnswerForm::Text {
                max_tokens: call.sampling.max_tokens,
            };
            places.push(at);
            again.push(call);
        }
        answers.push(answer);
    }
    let asked = gateway.ask_undrawn(model, &again).await?;
    for (at, outcome) in places.into_iter().zip(asked) {
        // Where even this is refused, as by a model that cannot write that much, the first
        // stands.
        match understood(&questions[at], outcome) {
            None => return Ok(None),
            Some((Err(KnowledgeGap::Refused), _)) => {}
            Some(answer) => answers[at] = answer,
        }
    }
    Ok(Some(answers))
}

/// `None` where the limits left no room for it.
fn understood(question: &KnowledgeQuestion, outcome: CallOutcome) -> Option<ReadAnswer> {
    match outcome {
        CallOutcome::Unaffordable => None,
        CallOutcome::Refused(reason) => Some((Err(KnowledgeGap::Refused), reason)),
        CallOutcome::Reply(reply) => Some((read(question, &reply), reply.text)),
    }
}

/// Fails where nine in ten answers, of as many as tell, can not be used. That a model does
/// not know something is an answer.
fn check(model: &PricedModel, answers: &[ReadAnswer]) -> Result<(), RunError> {
    let is_fault = |(read, _): &&ReadAnswer| {
        read.as_ref()
            .is_err_and(|gap| *gap != KnowledgeGap::Unknown)
    };
    let faults = answers.iter().filter(is_fault).count();
    if faults == 0 || faults * 10 < answers.len() * 9 {
        return Ok(());
    }
    let example = answers.iter().find(is_fault);
    let shown = example.map_or_else(String::new, |(read, text)| {
        let gap = read.as_ref().err().map_or("", |gap| gap.name());
        let start: String = text.trim().chars().take(200).collect();
        format!(", such as ({gap}) {start:?}")
    });
    Err(RunError::Knowledge {
        model: model.llm.identity().to_owned(),
        told: format!("{faults} of {} answers{shown}", answers.len()),
    })
}

/// Where an answer is counted.
const fn place<'k>(
    own: &'k mut WrittenKnowledge,
    answer: &Result<String, KnowledgeGap>,
) -> &'k mut usize {
    match answer {
        Ok(_) => &mut own.written,
        Err(KnowledgeGap::Unknown) => &mut own.unknown,
        Err(KnowledgeGap::Refused) => &mut own.refused,
        Err(KnowledgeGap::Truncated) => &mut own.truncated,
        Err(KnowledgeGap::Unreadable) => &mut own.unreadable,
    }
}

fn counts(
    augmentation: &dyn Augmentation,
    list: &QuestionList,
    answers: &[Result<String, KnowledgeGap>],
) -> Vec<WrittenKnowledge> {
    let of = |field: &shiftproof_tasks::KnowledgeField| {
        let mut own = WrittenKnowledge {
            field: field.name.clone(),
            ..WrittenKnowledge::default()
        };
        for (question, answer) in list.questions.iter().zip(answers) {
            if question.field == field.name {
                own.asked += 1;
                *place(&mut own, answer) += 1;
            }
        }
        own
    };
    augmentation.fields().iter().map(of).collect()
}

#[cfg(test)]
mod tests;
