//! What a server can do, found by asking.

use shiftproof_search::{LlmError, ModelCall};
use shiftproof_tasks::{AnswerForm, Finish, Message, Request};

use super::abilities::ServerAbilities;
use super::client::HttpSender;
use super::config::{AbilityMode, ConnectError};
use super::logprobs;
use super::reply::ChatCompletion;
use super::request::{AnswerShape, PrefillMode};
use super::retry_policy::quote;

/// Tokens left for the thoughts of a model that reasons. Hard questions take some
/// thousand; what is not used is not paid for.
pub(super) const THINKING_ROOM: u32 = 8192;
/// Tokens of a plain answer to a probe.
const FEW: u32 = 16;
/// What the smallest model can do, and none does unprompted.
const REPEAT: &str = "Repeat this word and nothing else: banana";

/// Whether the model reasons, as far as it showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReasoningSign {
    Unknown,
    No,
    Yes,
}

impl ReasoningSign {
    fn see(&mut self, completion: &ChatCompletion) {
        if *self == Self::No {
            return;
        }
        let cut = completion.finish == Finish::Length && completion.text.trim().is_empty();
        if completion.reasoned || cut {
            *self = Self::Yes;
        } else if *self == Self::Unknown && !completion.text.trim().is_empty() {
            *self = Self::No;
        }
    }
}

pub(super) async fn probe(sender: &HttpSender) -> Result<ServerAbilities, ConnectError> {
    let options = &sender.config().options;
    let mut thinks = match options.thinking_tokens {
        Some(0) => ReasoningSign::No,
        Some(_) => ReasoningSign::Yes,
        None if sender.config().thoughts == AbilityMode::Off => ReasoningSign::No,
        None => ReasoningSign::Unknown,
    };
    let (label_scores, scores) = label_scores(sender, &mut thinks).await?;
    if thinks == ReasoningSign::Unknown && sender.config().prefill == AbilityMode::Off {
        // Else the question about prefill tells.
        thinks = plainly(sender).await?;
    }
    let (continuation, echoes, prefill) = prefill(sender, &mut thinks).await?;
    let (thinking_tokens, thoughts) = thoughts(sender, thinks).await?;
    let mut report = format!(
        "{} at {}: label scores {scores}; prefill {prefill}",
        sender.config().model,
        sender.address()
    );
    for more in thoughts.into_iter().chain(adapted(sender)) {
        report = format!("{report}; {more}");
    }
    Ok(ServerAbilities {
        label_scores,
        continuation,
        echoes,
        thinking_tokens,
        report,
    })
}

fn adapted(sender: &HttpSender) -> Option<String> {
    let adaptations = sender.adaptations();
    (!adaptations.is_empty()).then(|| format!("adapted: {}", adaptations.join(", ")))
}

fn repeat(max_tokens: u32) -> ModelCall {
    let request = Request {
        messages: vec![Message::user(REPEAT)],
        answer: AnswerForm::Text { max_tokens },
    };
    ModelCall::greedy(request, max_tokens)
}

/// Whether a short answer in text comes at once.
async fn plainly(sender: &HttpSender) -> Result<ReasoningSign, ConnectError> {
    let mut thinks = ReasoningSign::Unknown;
    if let Ok(completion) = ask(sender, &repeat(FEW), AnswerShape::Text, PrefillMode::Plain).await?
    {
        thinks.see(&completion);
    }
    Ok(thinks)
}

/// The room to leave for thoughts, and what is worth telling about them. A model
/// that was seen to reason is asked once more with room, to see that it comes to
/// an answer.
async fn thoughts(
    sender: &HttpSender,
    thinks: ReasoningSign,
) -> Result<(u32, Option<String>), ConnectError> {
    let options = &sender.config().options;
    if let Some(room) = options.thinking_tokens {
        let told = (room > 0).then(|| format!("{room} tokens are left for its thoughts"));
        return Ok((room, told));
    }
    if thinks != ReasoningSign::Yes {
        return Ok((0, None));
    }
    let room = THINKING_ROOM;
    let limit = options.max_tokens.unwrap_or(room + FEW);
    let left = match options.max_tokens {
        Some(most) => format!("max_tokens = {most} of the study bounds thoughts and answer"),
        None => format!("{room} tokens are left for its thoughts (thinking_tokens)"),
    };
    let found = match ask(
        sender,
        &repeat(limit),
        AnswerShape::Text,
        PrefillMode::Plain,
    )
    .await?
    {
        Err(refusal) => format!("the model reasons first; with room it refused ({refusal})"),
        Ok(completion) if completion.text.trim().is_empty() => format!(
            "the model reasons first and came to no answer within {limit} tokens: raise \
             thinking_tokens or max_tokens, or set a lower reasoning_effort"
        ),
        Ok(completion) => {
            let took = completion
                .usage
                .map(|usage| format!(" ({} tokens to repeat a word)", usage.completion_tokens))
                .unwrap_or_default();
            format!("the model reasons first{took}")
        }
    };
    Ok((room, Some(format!("{found}; {left}"))))
}

/// Whether scores come back, and for the right label. Presence alone proves
/// little: some servers send numbers that have nothing to do with the prompt.
/// Repeating a word is easy for the smallest model, and no model says "banana"
/// unprompted.
async fn label_scores(
    sender: &HttpSender,
    thinks: &mut ReasoningSign,
) -> Result<(bool, String), ConnectError> {
    let mode = sender.config().label_scores;
    let name = &sender.config().model;
    if !sender.protocol().scores() && mode != AbilityMode::Off {
        if mode == AbilityMode::On {
            return Err(ConnectError::Unsupported(format!(
                "{} has no label scores; set label_scores to auto or off",
                sender.config().api.name()
            )));
        }
        return Ok((
            false,
            "are not to be had, so labels are read from text".to_owned(),
        ));
    }
    if mode == AbilityMode::Off {
        return Ok((false, "off".to_owned()));
    }
    if mode == AbilityMode::Auto && *thinks == ReasoningSign::Yes {
        return Ok((
            false,
            "not asked for, since the model reasons first; labels are read from text".to_owned(),
        ));
    }
    let labels = ["banana".to_owned(), "lemon".to_owned()];
    let mut call = repeat(8);
    call.request.answer = AnswerForm::Choice {
        labels: labels.to_vec(),
    };
    let shape = AnswerShape::Scored {
        tokens: logprobs::tokens_needed(&labels),
    };
    let found = match ask(sender, &call, shape, PrefillMode::Plain).await? {
        Err(refusal) => LabelScoreProbe::Missing(format!("refused ({refusal})")),
        Ok(completion) => {
            thinks.see(&completion);
            judge(&labels, &completion)
        }
    };
    match (mode, found) {
        (_, LabelScoreProbe::Right(found)) => Ok((true, found)),
        (AbilityMode::On, LabelScoreProbe::Wrong(found)) => Ok((
            true,
            format!("{found}, used all the same because label_scores is on"),
        )),
        (AbilityMode::On, LabelScoreProbe::Missing(found)) => {
            Err(ConnectError::Unsupported(format!(
                "{} gives no label scores for {name}: {found}; set label_scores to auto or off",
                sender.address(),
            )))
        }
        (_, LabelScoreProbe::Wrong(found) | LabelScoreProbe::Missing(found)) => {
            Ok((false, format!("{found}, so labels are read from text")))
        }
    }
}

/// Label scores as found, in words.
enum LabelScoreProbe {
    Right(String),
    Wrong(String),
    Missing(String),
}

fn judge(labels: &[String], completion: &ChatCompletion) -> LabelScoreProbe {
    let Some(scored) = logprobs::score(labels, &completion.positions) else {
        if !completion.positions.is_empty() {
            let text = quote(&completion.text);
            return LabelScoreProbe::Wrong(format!(
                "undecided (asked to repeat \"banana\", it said {text})"
            ));
        }
        let thinking = completion.reasoned
            || completion.text.is_empty() && completion.finish == Finish::Length;
        return LabelScoreProbe::Missing(if thinking {
            "missing, for the model reasons first".to_owned()
        } else {
            "missing from its answers".to_owned()
        });
    };
    let scores = &scored.logprobs;
    let shown = |verdict| {
        let (banana, lemon) = (scores[0].exp(), scores[1].exp());
        format!("{verdict} (asked to repeat \"banana\": banana {banana:.3}, lemon {lemon:.3})")
    };
    if scores[0] > scores[1] {
        LabelScoreProbe::Right(shown("work"))
    } else {
        LabelScoreProbe::Wrong(shown("wrong"))
    }
}

/// Whether a conversation that ends in an assistant message is continued: as it
/// stands (llama.cpp), by the two fields of vLLM, or not at all (`OpenAI`); and
/// whether the answer repeats that message first.
async fn prefill(
    sender: &HttpSender,
    thinks: &mut ReasoningSign,
) -> Result<(Option<PrefillMode>, bool, String), ConnectError> {
    let mode = sender.config().prefill;
    if mode == AbilityMode::Off {
        return Ok((None, false, "off".to_owned()));
    }
    if mode == AbilityMode::Auto && *thinks == ReasoningSign::Yes {
        let why = "not used, since the model reasons first".to_owned();
        return Ok((None, false, why));
    }
    // A fresh answer begins otherwise, and would not begin with "five" either.
    let begun = "Here it goes: one, two, three, four,";
    let call = ModelCall::greedy(
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
    for continuation in sender.protocol().continuations().iter().copied() {
        let how = match continuation {
            PrefillMode::Plain => "",
            PrefillMode::Flagged => " by continue_final_message",
        };
        match ask(sender, &call, AnswerShape::Text, continuation).await? {
            Ok(completion) => {
                thinks.see(&completion);
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
    if *thinks == ReasoningSign::Unknown {
        // Nothing but refusals so far.
        *thinks = plainly(sender).await?;
    }
    Ok(match mode {
        AbilityMode::On => (
            Some(PrefillMode::Plain),
            false,
            format!("{said}, used all the same because prefill is on"),
        ),
        _ => (None, false, said),
    })
}

/// Asks; an answer that refuses this one request is a finding, not a failure.
async fn ask(
    sender: &HttpSender,
    call: &ModelCall,
    shape: AnswerShape,
    continuation: PrefillMode,
) -> Result<Result<ChatCompletion, String>, ConnectError> {
    match sender
        .complete_if_listening(call, shape, continuation)
        .await
    {
        Ok((completion, _)) => Ok(Ok(completion)),
        Err(LlmError::Request(refusal)) => Ok(Err(refusal)),
        Err(LlmError::Rejected(why)) => Err(ConnectError::Rejected(why)),
        Err(LlmError::Unavailable(why) | LlmError::Unaffordable(why)) => {
            Err(ConnectError::Unreachable(why))
        }
    }
}
