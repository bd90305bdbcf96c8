//! What a server can do, found by asking.

use shiftproof_search::{Call, LlmError};
use shiftproof_tasks::{AnswerForm, Finish, Message, Request};

use super::config::{ConnectError, Mode};
use super::fault::quote;
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
    /// Continuations come back with what they continue, as llama.cpp sends them.
    pub(super) echoes: bool,
    pub(super) report: String,
}

pub(super) async fn probe(sender: &Sender) -> Result<Abilities, ConnectError> {
    let (label_scores, scores) = label_scores(sender).await?;
    let (continuation, echoes, prefill) = prefill(sender).await?;
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
        echoes,
        report,
    })
}

/// Whether scores come back, and for the right label. Presence alone proves
/// little: some servers send numbers that have nothing to do with the prompt.
/// Repeating a word is easy for the smallest model, and no model says "banana"
/// unprompted.
async fn label_scores(sender: &Sender) -> Result<(bool, String), ConnectError> {
    let mode = sender.config().label_scores;
    if mode == Mode::Off {
        return Ok((false, "off".to_owned()));
    }
    let labels = ["banana".to_owned(), "lemon".to_owned()];
    let call = Call::greedy(
        Request {
            messages: vec![Message::user("Repeat this word and nothing else: banana")],
            answer: AnswerForm::Choice {
                labels: labels.to_vec(),
            },
        },
        8,
    );
    let shape = Shape::Scored {
        tokens: labels::tokens_needed(&labels),
    };
    let found = match ask(sender, &call, shape, Continuation::Plain).await? {
        Err(refusal) => Scores::Missing(format!("refused ({refusal})")),
        Ok(completion) => judge(&labels, &completion),
    };
    let name = &sender.config().model;
    match (mode, found) {
        (_, Scores::Right(found)) => Ok((true, found)),
        (Mode::On, Scores::Wrong(found)) => Ok((
            true,
            format!("{found}, used all the same because label_scores is on"),
        )),
        (Mode::On, Scores::Missing(found)) => Err(ConnectError::Unsupported(format!(
            "{} gives no label scores for {name}: {found}; set label_scores to auto or off",
            sender.address(),
        ))),
        (_, Scores::Wrong(found) | Scores::Missing(found)) => {
            Ok((false, format!("{found}, so labels are read from text")))
        }
    }
}

/// Label scores as found, in words.
enum Scores {
    Right(String),
    Wrong(String),
    Missing(String),
}

fn judge(labels: &[String], completion: &Completion) -> Scores {
    let Some(scores) = labels::score(labels, &completion.positions) else {
        if !completion.positions.is_empty() {
            let text = quote(&completion.text);
            return Scores::Wrong(format!(
                "undecided (asked to repeat \"banana\", it said {text})"
            ));
        }
        let thinking = completion.reasoned
            && completion.text.is_empty()
            && completion.finish == Finish::Length;
        return Scores::Missing(if thinking {
            "missing: the model reasons first, so give its answers a high max_tokens".to_owned()
        } else {
            "missing from its answers".to_owned()
        });
    };
    let shown = |verdict| {
        let (banana, lemon) = (scores[0].exp(), scores[1].exp());
        format!("{verdict} (asked to repeat \"banana\": banana {banana:.3}, lemon {lemon:.3})")
    };
    if scores[0] > scores[1] {
        Scores::Right(shown("work"))
    } else {
        Scores::Wrong(shown("wrong"))
    }
}

/// Whether a conversation that ends in an assistant message is continued: as it
/// stands (llama.cpp), by the two fields of vLLM, or not at all (`OpenAI`); and
/// whether the answer repeats that message first.
async fn prefill(sender: &Sender) -> Result<(Option<Continuation>, bool, String), ConnectError> {
    let mode = sender.config().prefill;
    if mode == Mode::Off {
        return Ok((None, false, "off".to_owned()));
    }
    // A fresh answer begins otherwise, and would not begin with "five" either.
    let begun = "Here it goes: one, two, three, four,";
    let call = Call::greedy(
        Request {
            messages: vec![
                Message::user("Count from one to nine in words."),
                Message::assistant(begun),
            ],
            answer: AnswerForm::Text { max_tokens: 6 },
        },
        6,
    );
    let mut said = String::new();
    for (continuation, how) in [
        (Continuation::Plain, ""),
        (Continuation::Flagged, " by continue_final_message"),
    ] {
        match ask(sender, &call, Shape::Text, continuation).await? {
            Ok(completion) => {
                let (echo, rest) = match completion.text.strip_prefix(begun) {
                    Some(rest) => (true, rest),
                    None => (false, completion.text.as_str()),
                };
                if rest.trim_start().to_lowercase().starts_with("five") {
                    let echoed = if echo {
                        ", repeated in the answer and cut off there"
                    } else {
                        ""
                    };
                    return Ok((Some(continuation), echo, format!("works{how}{echoed}")));
                }
                if said.is_empty() {
                    said = format!(
                        "not continued (\"{begun}\" gave {})",
                        quote(&completion.text)
                    );
                }
            }
            Err(refusal) if said.is_empty() => said = format!("refused ({refusal})"),
            Err(_) => {}
        }
    }
    Ok(match mode {
        Mode::On => (
            Some(Continuation::Plain),
            false,
            format!("{said}, used all the same because prefill is on"),
        ),
        _ => (None, false, said),
    })
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
