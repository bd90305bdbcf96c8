//! The state of a `dspy.Predict`, as its `save` writes and its `load` reads it
//! (`DSPy` 3.x).
//!
//! `DSPy` frames inputs and answers itself, so scores measured here hold for
//! its wording only in part.

use serde_json::{Map, Value, json};
use shiftproof_tasks::Demonstration;

use super::{ExportedPrompt, PromptUsage};

/// The output field's name.
const ANSWER: &str = "answer";

pub(super) fn state(exported: &ExportedPrompt<'_>) -> Value {
    let prompt = &exported.standing.prompt;
    let shape = &exported.shape;
    let output = output(shape);
    // Demonstrations hold rendered inputs: only a template of one field can be
    // read back. Others stay part of the instruction.
    let demos: Option<Vec<Value>> = prompt
        .demonstrations
        .iter()
        .map(|shown| demo(shape, &output, shown))
        .collect();
    let (instructions, demos) = match demos {
        Some(demos) => (prompt.instruction.clone(), demos),
        None => (exported.fixed(), Vec::new()),
    };
    let mut fields: Vec<Value> = shape
        .variables()
        .values()
        .map(|name| field(name, &format!("${{{name}}}")))
        .collect();
    let described = if shape.labels.is_empty() {
        format!("${{{output}}}")
    } else {
        format!("one of: {}", shape.labels.join(", "))
    };
    fields.push(field(&output, &described));
    json!({
        "traces": [],
        "train": [],
        "demos": demos,
        "signature": { "instructions": instructions, "fields": fields },
        "lm": null,
        // Read by `load`, which compares the versions it finds.
        "metadata": { "dependency_versions": {}, "shiftproof": exported.metadata() },
    })
}

/// The signature that the state is loaded into.
pub(crate) fn signature(shape: &PromptUsage) -> String {
    let inputs: Vec<String> = shape.variables().into_values().collect();
    format!("{} -> {}", inputs.join(", "), output(shape))
}

/// A name for the answer that no input has.
fn output(shape: &PromptUsage) -> String {
    let mut name = ANSWER.to_owned();
    while shape.variables().values().any(|taken| *taken == name) {
        name.push('_');
    }
    name
}

/// A field with its prefix as `DSPy` infers it from a name.
fn field(name: &str, description: &str) -> Value {
    let words: Vec<String> = name
        .split('_')
        .filter(|word| !word.is_empty())
        .map(|word| {
            let mut chars = word.chars();
            let first = chars.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(chars).collect()
        })
        .collect();
    json!({ "prefix": format!("{}:", words.join(" ")), "description": description })
}

fn demo(shape: &PromptUsage, output: &str, shown: &Demonstration) -> Option<Value> {
    let variables = shape.variables();
    let (Some(name), 1) = (variables.values().next(), variables.len()) else {
        return None;
    };
    // A mark that no text holds tells what stands before and after the field.
    let framed = shape
        .template
        .translate(str::to_owned, |_| "\u{0}".to_owned());
    let (before, after) = framed.split_once('\u{0}')?;
    let value = shown.input.strip_prefix(before)?.strip_suffix(after)?;
    let mut demo = Map::new();
    demo.insert(name.clone(), value.into());
    demo.insert(output.to_owned(), shown.answer.clone().into());
    Some(demo.into())
}
