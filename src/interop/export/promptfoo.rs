//! A promptfoo config: the prompt, the provider where it has a counterpart, and
//! the labelled source examples as tests.

use std::borrow::Cow;

use saphyr::{Mapping, Scalar, Yaml, YamlEmitter};
use shiftproof_tasks::{Example, Label};

use super::{ExportedPrompt, PromptUsage};
use crate::exit::{ExitStatus, Failure};
use crate::llm::http::shown_address;
use crate::study::ModelProvider;

/// What a `{` is written as where promptfoo's templates (Nunjucks) would read a
/// tag.
pub(crate) const BRACE: &str = "{{ '{' }}";

pub(super) fn write(exported: &ExportedPrompt<'_>) -> Result<String, Failure> {
    let id = format!("{:#}", exported.id);
    let mut comments = vec![
        format!(
            "Prompt {id} of the run {}, written by shiftproof.",
            exported.run
        ),
        format!("Verdict of its audit: {}.", exported.proof().sentence),
    ];
    comments.extend(
        exported
            .shape
            .relies_on()
            .map(|told| format!("Mind that {told}.")),
    );
    let provider = provider(&exported.shape, &mut comments);
    let tests: Vec<Yaml<'static>> = exported
        .shape
        .examples
        .iter()
        .map(|example| test(&exported.shape, example))
        .collect();
    comments.push(if tests.is_empty() {
        "No tests: the study's source examples could not be read.".into()
    } else {
        "Tests: the labelled source examples of the search. Target labels and the audit stay sealed."
            .into()
    });
    let mut config = vec![
        (
            "description",
            text(format!(
                "{}: prompt {id}, {} by shiftproof",
                exported.run,
                if exported.summary.selected == Some(exported.id) {
                    "selected"
                } else {
                    "written"
                }
            )),
        ),
        (
            "prompts",
            list([map([("label", text(id)), ("raw", text(raw(exported)))])]),
        ),
        ("providers", list([provider])),
    ];
    if !tests.is_empty() {
        config.push(("tests", list(tests)));
    }
    let mut yaml = String::new();
    let mut emitter = YamlEmitter::new(&mut yaml);
    emitter.multiline(true);
    emitter
        .dump(&map(config))
        .map_err(Failure::from_error(ExitStatus::Internal))?;
    let mut out =
        String::from("# yaml-language-server: $schema=https://promptfoo.dev/config-schema.json\n");
    for comment in comments {
        // A name with a line break must not end the comment.
        out.push_str("# ");
        out.push_str(&comment.replace(char::is_control, " "));
        out.push('\n');
    }
    out.push_str(yaml.strip_prefix("---\n").unwrap_or(&yaml));
    if !out.ends_with('\n') {
        out.push('\n');
    }
    Ok(out)
}

/// The one message, or the conversation as JSON, in which promptfoo puts values
/// after reading it.
fn raw(exported: &ExportedPrompt<'_>) -> String {
    let mut messages = exported.messages(escaped, |name| format!("{{{{ {name} }}}}"));
    if messages.len() == 1
        && let Some((_, message)) = messages.pop()
    {
        return message;
    }
    let messages: Vec<serde_json::Value> = messages
        .into_iter()
        .map(|(role, content)| serde_json::json!({ "role": role, "content": content }))
        .collect();
    serde_json::Value::from(messages).to_string()
}

/// The study's model as a promptfoo provider; `echo` where there is none.
fn provider(shape: &PromptUsage, comments: &mut Vec<String>) -> Yaml<'static> {
    let named = shape.model.as_ref().map(|model| (model, model.provider()));
    let Some((model, Ok(ModelProvider::OpenAi(name)))) = named else {
        comments.push(
            "The study's model runs inside shiftproof: put a provider of your own in place of `echo`."
                .into(),
        );
        return text("echo");
    };
    let mut config = vec![("temperature", Yaml::Value(Scalar::Integer(0)))];
    if let Some(url) = &model.base_url {
        match shown_address(url) {
            Some(address) => config.push(("apiBaseUrl", text(address))),
            None => comments.push("The study's base_url is no address and was left out.".into()),
        }
    }
    if let Some(env) = &model.api_key_env {
        config.push(("apiKeyEnvar", text(env.clone())));
    }
    map([
        ("id", text(format!("openai:chat:{name}"))),
        ("config", map(config)),
    ])
}

fn test(shape: &PromptUsage, example: &Example) -> Yaml<'static> {
    let vars = shape.variables().into_iter().map(|(field, name)| {
        let value = value(example.input.field(field));
        (Cow::Owned(name), text(value))
    });
    let mut test = vec![("vars", map(vars))];
    let asserts = asserts(shape, &example.label);
    if !asserts.is_empty() {
        test.push(("assert", list(asserts)));
    }
    test.push((
        "metadata",
        map([
            ("id", text(example.input.id.clone())),
            ("group", text(example.input.group.clone())),
        ]),
    ));
    map(test)
}

/// Right as the search counts it: the label is named and no other is. Where a
/// label is part of another, only the label alone will do.
fn asserts(shape: &PromptUsage, label: &Label) -> Vec<Yaml<'static>> {
    let one = |kind: &'static str, value_text: &str| {
        map([("type", text(kind)), ("value", text(value(value_text)))])
    };
    match label {
        Label::Class(label) => {
            let within = |a: &str, b: &str| b.to_lowercase().contains(&a.to_lowercase());
            let apart = shape
                .labels
                .iter()
                .all(|a| shape.labels.iter().all(|b| a == b || !within(a, b)));
            if !apart {
                return vec![one("equals", label)];
            }
            let mut asserts = vec![one("icontains", label)];
            let others = shape.labels.iter().filter(|other| *other != label);
            asserts.extend(others.map(|other| one("not-icontains", other)));
            asserts
        }
        Label::Text(wanted) => vec![one("equals", wanted)],
        Label::Number(number) => vec![one("equals", &number.to_string())],
        Label::AnyOf(wanted) => {
            let any: Vec<Yaml<'static>> =
                wanted.iter().map(|wanted| one("equals", wanted)).collect();
            // Any one of them is enough.
            let share = Yaml::Value(Scalar::FloatingPoint((1.0 / wanted.len() as f64).into()));
            let set = [
                ("type", text("assert-set")),
                ("threshold", share),
                ("assert", list(any)),
            ];
            vec![map(set)]
        }
        // promptfoo has no measure of a ranking, nor of fields one by one.
        Label::Relevant(_) | Label::Fields(_) => Vec::new(),
    }
}

/// Text in which promptfoo finds no tag. A `{` at the end counts: a tag may
/// follow.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('{', Some('{' | '%' | '#') | None) => out.push_str(BRACE),
            _ => out.push(c),
        }
    }
    out
}

/// A value that promptfoo takes as it is: it renders values too, and loads what
/// looks like a file or package.
fn value(text: &str) -> String {
    let text = escaped(text);
    for scheme in ["file://", "package:"] {
        if text.starts_with(scheme) {
            return format!("{{{{ '{}' }}}}{}", &text[..1], &text[1..]);
        }
    }
    text
}

fn text(text: impl Into<String>) -> Yaml<'static> {
    Yaml::Value(Scalar::String(Cow::Owned(text.into())))
}

fn list(items: impl IntoIterator<Item = Yaml<'static>>) -> Yaml<'static> {
    Yaml::Sequence(items.into_iter().collect())
}

fn map<K: Into<Cow<'static, str>>>(
    entries: impl IntoIterator<Item = (K, Yaml<'static>)>,
) -> Yaml<'static> {
    let entries = entries.into_iter().map(|(key, value)| {
        let key: Cow<'static, str> = key.into();
        (text(key), value)
    });
    Yaml::Mapping(entries.collect::<Mapping>())
}
