//! How an input and a prompt become messages by default.

use crate::places::{self, PromptPart};
use crate::{Input, Prompt};

/// One field: its text. Several: a `name: value` line each, in name order.
pub fn fields(input: &Input) -> String {
    if let (1, Some(only)) = (input.fields.len(), input.fields.values().next()) {
        return only.clone();
    }
    let lines: Vec<_> = input
        .fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    lines.join("\n")
}

/// The instruction, the demonstrations as `INPUT` / `Answer: ANSWER` blocks and
/// the rendered input, a blank line between them.
///
/// What is shared by all inputs of one prompt comes first, so that a model can
/// reuse the work on that prefix; only the input differs.
pub fn message(prompt: &Prompt, rendered: &str) -> String {
    let mut text = String::with_capacity(prompt.instruction.len() + rendered.len() + 2);
    text.push_str(&prompt.instruction);
    for shown in &prompt.demonstrations {
        separate(&mut text);
        text.push_str(&shown.input);
        text.push_str("\nAnswer: ");
        text.push_str(&shown.answer);
    }
    separate(&mut text);
    text.push_str(rendered);
    text
}

/// As [`message`], with the [`places`] of the instruction filled from
/// the input. Where there is one, the input as `rendered` does not follow, and
/// demonstrations stand before the paragraph of the first place.
pub fn filled(prompt: &Prompt, input: &Input, rendered: impl FnOnce() -> String) -> String {
    let parts = places::parts(&prompt.instruction, &|name| input.fields.contains_key(name));
    let Some(first) = parts
        .iter()
        .position(|part| matches!(part, PromptPart::Field(_)))
    else {
        let instruction = places::written(&parts, input).into_owned();
        let prompt = Prompt {
            instruction,
            demonstrations: prompt.demonstrations.clone(),
        };
        return message(&prompt, &rendered());
    };
    let (before, rest) = parts.split_at(first);
    let before = places::written(before, input);
    let rest = places::written(rest, input);
    let (above, paragraph) = match before.rsplit_once("\n\n") {
        Some(cut) if !prompt.demonstrations.is_empty() => cut,
        _ => ("", before.as_ref()),
    };
    let above = Prompt {
        instruction: above.to_owned(),
        demonstrations: prompt.demonstrations.clone(),
    };
    message(&above, &format!("{paragraph}{rest}"))
}

/// A prompt as it stands, without an input: places are not filled, and
/// demonstrations stand where [`filled`] puts them.
pub fn unfilled(prompt: &Prompt, is_field: &dyn Fn(&str) -> bool) -> String {
    let text = prompt.instruction.as_str();
    let first = places::first(text, is_field).filter(|_| !prompt.demonstrations.is_empty());
    let Some(first) = first else {
        return message(prompt, "").trim_end().to_owned();
    };
    let cut = text[..first].rfind("\n\n");
    let (above, below) = cut.map_or(("", text), |cut| (&text[..cut], &text[cut + 2..]));
    let above = Prompt {
        instruction: above.to_owned(),
        demonstrations: prompt.demonstrations.clone(),
    };
    message(&above, below)
}

/// An empty instruction leaves no blank line at the top.
fn separate(text: &mut String) {
    if !text.is_empty() {
        text.push_str("\n\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Demonstration;

    fn input(fields: &[(&str, &str)]) -> Input {
        Input {
            id: "1".into(),
            group: "g".into(),
            fields: fields
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
            cluster: None,
            list: None,
        }
    }

    #[test]
    fn several_fields_are_named() {
        assert_eq!(fields(&input(&[("text", "fine {x}")])), "fine {x}");
        assert_eq!(fields(&input(&[("b", "2"), ("a", "1")])), "a: 1\nb: 2");
        assert_eq!(fields(&input(&[])), "");
    }

    #[test]
    fn inputs_share_all_but_text() {
        let prompt = Prompt::new("Judge.").with_demonstrations(vec![Demonstration {
            input: "Review: good".into(),
            answer: "positive".into(),
        }]);
        assert_eq!(
            message(&prompt, "Review: bad"),
            "Judge.\n\nReview: good\nAnswer: positive\n\nReview: bad"
        );
        assert_eq!(message(&Prompt::new(""), "x"), "x");
    }

    #[test]
    fn unfilled_prompts_keep_order() {
        let shown = vec![Demonstration {
            input: "Review: good".into(),
            answer: "positive".into(),
        }];
        for (instruction, expected) in [
            ("Judge.", "Judge.\n\nReview: good\nAnswer: positive"),
            (
                "Judge.\n\nBe fair.\n\nText: {text}\nMood:",
                "Judge.\n\nBe fair.\n\nReview: good\nAnswer: positive\n\nText: {text}\nMood:",
            ),
            (
                "Judge {text} now.",
                "Review: good\nAnswer: positive\n\nJudge {text} now.",
            ),
        ] {
            let prompt = Prompt::new(instruction);
            let is_field = |name: &str| name == "text";
            assert_eq!(unfilled(&prompt, &is_field), instruction);
            let prompt = prompt.with_demonstrations(shown.clone());
            assert_eq!(unfilled(&prompt, &is_field), expected);
            // What a model reads is the same, but for the values.
            let read = filled(&prompt, &input(&[("text", "{text}")]), String::new);
            assert_eq!(read.trim_end(), expected);
        }
    }

    #[test]
    fn placeholders_replace_appended_input() {
        let input = input(&[("text", "bad {text}")]);
        let rendered = || "Review: bad".to_owned();
        let shown = vec![Demonstration {
            input: "Review: good".into(),
            answer: "positive".into(),
        }];
        let check = |instruction: &str, plain: &str, with: &str| {
            let prompt = Prompt::new(instruction);
            assert_eq!(filled(&prompt, &input, rendered), plain);
            let prompt = prompt.with_demonstrations(shown.clone());
            assert_eq!(filled(&prompt, &input, rendered), with);
        };
        check(
            "Judge.\n\nBe fair.\n\nText: {text}\nMood:",
            "Judge.\n\nBe fair.\n\nText: bad {text}\nMood:",
            "Judge.\n\nBe fair.\n\nReview: good\nAnswer: positive\n\nText: bad {text}\nMood:",
        );
        check(
            "Judge {text} now.",
            "Judge bad {text} now.",
            "Review: good\nAnswer: positive\n\nJudge bad {text} now.",
        );
        check(
            "Judge as {{mood}}.",
            "Judge as {mood}.\n\nReview: bad",
            "Judge as {mood}.\n\nReview: good\nAnswer: positive\n\nReview: bad",
        );
    }
}
