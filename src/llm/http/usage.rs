//! Tokens of a call: before it is sent, and where its server reports none.

use shiftproof_search::ModelCall;
use shiftproof_tasks::{AnswerForm, Request, Usage};

use super::reply::ChatCompletion;

/// What a call used: as reported, or as it looks.
pub(super) fn used(call: &ModelCall, completion: &ChatCompletion) -> Usage {
    completion
        .usage
        .unwrap_or_else(|| guess(&call.request, &completion.text))
}

/// An overestimate of a request's tokens, which depends on nothing else, so that
/// a resumed run reserves alike. Words count half a token per letter; digits,
/// blanks, punctuation and bytes beyond ASCII, each of which is a token to some
/// tokenizer, one. A chat template adds at most eight per message and a system
/// message of its own (Qwen's takes 20).
pub(super) fn estimate(request: &Request) -> u64 {
    let mut halves = 0;
    for message in &request.messages {
        let letters = message
            .content
            .bytes()
            .filter(u8::is_ascii_alphabetic)
            .count();
        halves += 2 * message.content.len() - letters;
    }
    if let AnswerForm::Json { schema, .. } = &request.answer {
        // Servers show it to the model.
        halves += 2 * schema.to_string().len();
    }
    halves.div_ceil(2) as u64 + 8 * request.messages.len() as u64 + 64
}

/// The usage of a reply whose server reports none: four bytes to a token, four
/// tokens of frame per message.
pub(super) fn guess(request: &Request, text: &str) -> Usage {
    let prompt = request
        .messages
        .iter()
        .map(|message| message.content.len().div_ceil(4) as u64 + 4)
        .sum();
    Usage {
        prompt_tokens: prompt,
        completion_tokens: text.len().div_ceil(4) as u64,
        estimated: true,
        ..Usage::default()
    }
}

#[cfg(test)]
mod tests {
    use shiftproof_tasks::Message;

    use super::*;

    #[test]
    fn estimates_cover_bills() {
        let estimate = |text: &str| {
            estimate(&Request {
                messages: vec![Message::user(text)],
                answer: AnswerForm::Text { max_tokens: 1 },
            })
        };
        // Billed by llama.cpp for Qwen2.5, which makes every digit a token.
        assert!(estimate("Is fire hot? Answer with one word, yes or no.") >= 42);
        assert!(estimate(&"a ".repeat(1000)) >= 1030);
        assert!(estimate(&"7".repeat(1000)) >= 1030);
        assert_eq!(estimate("word"), 72 + 2);
        assert_eq!(estimate("1 好"), 72 + 5);
    }
}
