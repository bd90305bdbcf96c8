//! How an input and a prompt become messages by default.

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
        }
    }

    #[test]
    fn one_field_stands_alone_several_are_named() {
        assert_eq!(fields(&input(&[("text", "fine {x}")])), "fine {x}");
        assert_eq!(fields(&input(&[("b", "2"), ("a", "1")])), "a: 1\nb: 2");
        assert_eq!(fields(&input(&[])), "");
    }

    #[test]
    fn inputs_share_everything_but_their_own_text() {
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
}
