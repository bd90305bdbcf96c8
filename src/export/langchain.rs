//! A `ChatPromptTemplate` in the form that `langchain_core.load.dumps` writes
//! and `loads` reads (langchain-core 1.x, `lc` format 1).

use serde_json::{Value, json};

use super::Exported;

/// One human message, as the search sent it.
pub(super) fn template(exported: &Exported<'_>) -> Value {
    let text = exported.message(
        |literal| literal.replace('{', "{{").replace('}', "}}"),
        |name| format!("{{{name}}}"),
    );
    let mut variables: Vec<String> = exported.shape.variables().into_values().collect();
    variables.sort();
    json!({
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "prompts", "chat", "ChatPromptTemplate"],
        "kwargs": {
            "input_variables": variables,
            "metadata": { "shiftproof": exported.metadata() },
            "messages": [{
                "lc": 1,
                "type": "constructor",
                "id": ["langchain", "prompts", "chat", "HumanMessagePromptTemplate"],
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
            }],
        },
        "name": "ChatPromptTemplate",
    })
}
