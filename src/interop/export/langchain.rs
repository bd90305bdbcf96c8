//! A `ChatPromptTemplate` in the form that `langchain_core.load.dumps` writes
//! and `loads` reads (langchain-core 1.x, `lc` format 1).

use serde_json::{Value, json};
use shiftproof_tasks::Role;

use super::ExportedPrompt;

/// The messages, as the search sent them.
pub(super) fn template(exported: &ExportedPrompt<'_>) -> Value {
    let messages: Vec<Value> = exported
        .messages(
            |literal| literal.replace('{', "{{").replace('}', "}}"),
            |name| format!("{{{name}}}"),
        )
        .into_iter()
        .map(|(role, text)| message(exported, role, &text))
        .collect();
    let mut variables: Vec<String> = exported.shape.variables().into_values().collect();
    variables.sort();
    json!({
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "prompts", "chat", "ChatPromptTemplate"],
        "kwargs": {
            "input_variables": variables,
            "metadata": { "shiftproof": exported.metadata() },
            "messages": messages,
        },
        "name": "ChatPromptTemplate",
    })
}

fn message(exported: &ExportedPrompt<'_>, role: Role, text: &str) -> Value {
    let class = match role {
        Role::System => "SystemMessagePromptTemplate",
        Role::User => "HumanMessagePromptTemplate",
        Role::Assistant => "AIMessagePromptTemplate",
    };
    let names = exported.shape.variables().into_values();
    let mut variables: Vec<String> = names
        .filter(|name| text.contains(&format!("{{{name}}}")))
        .collect();
    variables.sort();
    json!({
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "prompts", "chat", class],
        "kwargs": {
            "prompt": {
                "lc": 1,
                "type": "constructor",
                "id": ["langchain", "prompts", "prompt", "PromptTemplate"],
                "kwargs": {
                    "input_variables": variables,
                    "template": text,
                    "template_format": "f-string",
                },
                "name": "PromptTemplate",
            },
        },
    })
}
