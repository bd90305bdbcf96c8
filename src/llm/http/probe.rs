//! What a server can do, found by asking.

use shiftproof_search::{Call, LlmError};
use shiftproof_tasks::{AnswerForm, Finish, Message, Request};

use super::config::{ConnectError, Mode};
use super::labels;
use super::reply::Completion;
use super::request::{Continuation, Shape};
use super::send::Sender;

/// What was found.
#[derive(Debug)]
pub(super) struct Abilities {
    pub(super) label_scores: bool,
    /// How an assistant message is continued; `None` if it is not.
    pub(super) continuation: Option<Continuation>,
    pub(super) report: String,
}

pub(super) async fn probe(sender: &Sender) -> Result<Abilities, ConnectError> {
    let (label_scores, scores) = label_scores(sender).await?;
    let (continuation, prefill) = prefill(sender).await?;
    let mut report = format!(
        "{} at {}: label scores {scores}; prefill {prefill}",
        sender.config().model,
        sender.address()
    );
    let adaptations = sender.adaptations();
    if !adaptations.is_empty() {
        report = format!("{report}; adapted: {}", adaptations.join(", "));
    }
    Ok(Abilities {
        label_scores,
        continuation,
        report,
    })
}

/// Whether scores come back, and for the right label. Presence alone proves
/// little: some servers send numbers that have nothing to do with the prompt.
async fn label_scores(sender: &Sender) -> Result<(bool, String), ConnectError> {
    let mode = sender.config().label_scores;
    if mode == Mode::Off {
        return Ok((false, "off".to_owned()));
    }
    let labels = ["yes".to_owned(), "no".to_owned()];
    let call = Call::greedy(
        Request {
            messages: vec![Message::user(
                "Is fire hot? Answer with one word, yes or no.",
            )],
            answer: AnswerForm::Choice {
                labels: labels.to_vec(),
            },
        },
        8,
    );
    let shape = Shape::Scored {
        tokens: labels::tokens_needed(&labels),
    };
    let (works, found) = match ask(sender, &call, shape, Continuation::Plain).await? {
        Err(refusal) => (false, format!("refused ({refusal})")),
        Ok(completion) => judge(&labels, &completion),
    };
    let name = &sender.config().model;
    match (mode, works) {
        (Mode::On, false) if found.starts_with("wrong") => Ok((
            true,
            format!("{found}, used all the same as label_scores is on"),
        )),
        (Mode::On, false) => Err(ConnectError::Unsupported(format!(
            "{} gives no label scores for {name}: {found}; set label_scores to auto or off",
            sender.address(),
        ))),
        (_, true) => Ok((true, found)),
        (_, false) => Ok((false, format!("{found}, so labels are read from text"))),
    }
}

fn judge(labels: &[String], completion: &Completion) -> (bool, String) {
    let Some(scores) = labels::score(labels, &completion.positions) else {
        let text = super::fault::quote(&completion.text);
        let found = if !completion.positions.is_empty() {
            format!("decide nothing: to \"is fire hot\" it said {text}")
        } else if completion.finish == Finish::Length
            && completion.text.is_empty()
            && completion.reasoned
        {
            "missing: the model reasons first, so give its answers a high max_tokens".to_owned()
        } else {
            "missing from its answers".to_owned()
        };
        return (false, found);
    };
    let (yes, no) = (scores[0].exp(), scores[1].exp());
    if yes > no {
        (
            true,
            format!("work (fire is hot: yes {yes:.3}, no {no:.3})"),
        )
    } else {
        (
            false,
            format!("wrong (fire is hot: yes {yes:.3}, no {no:.3})"),
        )
    }
}

/// Whether a conversation that ends in an assistant message is continued: as it
/// stands (llama.cpp), by the two fields of vLLM, or not at all (OpenAI).
async fn prefill(sender: &Sender) -> Result<(Option<Continuation>, String), ConnectError> {
    match sender.config().prefill {
        Mode::Off => return Ok((None, "off".to_owned())),
        Mode::On => return Ok((Some(Continuation::Plain), "on, not checked".to_owned())),
        Mode::Auto => {}
    }
    let call = Call::greedy(
        Request {
            messages: vec![
                Message::user(
                    "Repeat exactly, and write nothing else: red, green, blue, seven, lamp",
                ),
                Message::assistant("red, green, blue,"),
            ],
            answer: AnswerForm::Text { max_tokens: 6 },
        },
        6,
    );
    let mut said = String::new();
    for (continuation, found) in [
        (Continuation::Plain, "works"),
        (Continuation::Flagged, "works (continue_final_message)"),
    ] {
        match ask(sender, &call, Shape::Text, continuation).await? {
            // A fresh answer starts over with "red".
            Ok(completion)
                if completion
                    .text
                    .trim_start()
                    .to_lowercase()
                    .starts_with("seven") =>
            {
                return Ok((Some(continuation), found.to_owned()));
            }
            Ok(completion) if said.is_empty() => {
                said = format!(
                    "not continued (\"red, green, blue,\" gave {})",
                    super::fault::quote(&completion.text)
                );
            }
            Err(refusal) if said.is_empty() => said = format!("refused ({refusal})"),
            _ => {}
        }
    }
    Ok((None, said))
}

/// Asks; an answer that refuses this one request is a finding, not a failure.
async fn ask(
    sender: &Sender,
    call: &Call,
    shape: Shape,
    continuation: Continuation,
) -> Result<Result<Completion, String>, ConnectError> {
    match sender
        .complete_if_listening(call, shape, continuation)
        .await
    {
        Ok((completion, _)) => Ok(Ok(completion)),
        Err(LlmError::Request(refusal)) => Ok(Err(refusal)),
        Err(LlmError::Rejected(why)) => Err(ConnectError::Rejected(why)),
        Err(LlmError::Unavailable(why)) => Err(ConnectError::Unreachable(why)),
    }
}
