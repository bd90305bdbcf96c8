//! The provider of a config as a study's model.

use super::ImportNotes;
use super::files::ending;
use super::yaml::{YamlDocument, YamlNode, json_as_yaml, read as read_file};
use crate::exit::Failure;

/// Beginnings of provider ids, those of the same services in a study, and whether
/// all that follows is the model's name. Where not, another colon parts the name
/// from a kind of service that is no chat.
const SERVICES: [(&str, &str, bool); 12] = [
    ("openai:chat:", "openai:", true),
    ("openai:responses:", "openai:", true),
    ("openai:ft:", "openai:ft:", true),
    ("openai:", "openai:", false),
    ("anthropic:messages:", "anthropic:", true),
    ("anthropic:", "anthropic:", false),
    ("google:", "gemini:", false),
    ("azure:chat:", "azure:", true),
    ("azureopenai:chat:", "azure:", true),
    ("ollama:chat:", "ollama:", true),
    ("ollama:completion:", "ollama:", true),
    // A tag follows a colon here.
    ("ollama:", "ollama:", true),
];

/// Keys of `[model]` in the order they are written.
type Keys = Vec<(&'static str, toml::Value)>;

/// The `model` of the study: a line of TOML.
pub(super) fn model(root: &YamlNode<'_, '_>, notes: &mut ImportNotes) -> Result<String, Failure> {
    let mut found = None;
    if let Some(node) = root.get("providers").or_else(|| root.get("targets")) {
        for item in node.items().unwrap_or_else(|| vec![node]) {
            take(item, &mut found, notes, true)?;
        }
    }
    Ok(found.unwrap_or_else(|| "model = \"embedded\"".to_owned()))
}

/// Takes the first provider that a study can name; the others are noted.
fn take(
    item: YamlNode<'_, '_>,
    found: &mut Option<String>,
    notes: &mut ImportNotes,
    may_be_file: bool,
) -> Result<(), Failure> {
    let (id, options) = named(item);
    if let Some(file) = id.as_deref().and_then(|id| id.strip_prefix("file://"))
        && may_be_file
        && ["yaml", "yml", "json"].contains(&ending(file).as_str())
    {
        let path = item.folder().join(file);
        let text = read_file(&path)?;
        let text = match ending(file).as_str() {
            "json" => json_as_yaml(&text),
            _ => text,
        };
        let document = YamlDocument::parse(&text, &path)?;
        let root = document.root();
        for item in root.items().unwrap_or_else(|| vec![root]) {
            take(item, found, notes, false)?;
        }
        return Ok(());
    }
    let name = id.as_deref().and_then(name);
    match (name, &found) {
        (Some(name), None) => {
            if id
                .as_deref()
                .is_some_and(|id| id.starts_with("openai:responses:"))
            {
                let what = "the model is asked through chat completions, not responses";
                notes.add(item.place(), what);
            }
            let mut table = vec![("name", toml::Value::from(name))];
            if let Some(options) = options {
                for (key, value) in options.entries().into_iter().flatten() {
                    match key.as_str() {
                        "config" => settings(value, &mut table, notes),
                        "id" | "label" => {}
                        _ => notes.add(
                            value.place(),
                            format!("`{key}` of a provider has no counterpart in a study"),
                        ),
                    }
                }
            }
            *found = Some(format!("model = {}", inline(table)));
        }
        // An export of a study whose model runs here.
        (None, _) if id.as_deref() == Some("echo") => {}
        (Some(_), Some(_)) => notes.add(
            item.place(),
            format!(
                "the provider {} was left out: a study has one task model, the first",
                id.as_deref().unwrap_or_default()
            ),
        ),
        (None, _) => notes.add(
            item.place(),
            format!(
                "the provider {} was left out: a study names openai:, anthropic:, gemini:, \
                 azure: and ollama: models, other servers as openai: with their base_url",
                id.as_deref().unwrap_or("without an id")
            ),
        ),
    }
    Ok(())
}

/// A provider's id and what is set for it: `ID`, `{ id: ID, … }` or `{ ID: { … } }`.
fn named<'d, 't>(item: YamlNode<'d, 't>) -> (Option<String>, Option<YamlNode<'d, 't>>) {
    if let Some(id) = item.text() {
        return (Some(id), None);
    }
    if let Some(id) = item.get("id").and_then(YamlNode::text) {
        return (Some(id), Some(item));
    }
    match item.entries().as_deref() {
        Some([(id, options)]) => (Some(id.clone()), Some(*options)),
        _ => (None, None),
    }
}

/// A model's name in a study; `None` for services that it cannot name.
fn name(id: &str) -> Option<String> {
    let (prefix, ours, is_name) = SERVICES
        .iter()
        .find(|(theirs, ..)| id.starts_with(theirs))?;
    let model = &id[prefix.len()..];
    let usable = !model.is_empty() && (*is_name || !model.contains(':'));
    (usable && !model.starts_with("embeddings:")).then(|| format!("{ours}{model}"))
}

/// Settings of a provider as keys of `[model]`. What has no counterpart is noted,
/// and so is what would bring a secret into the study or needs the environment.
fn settings(config: YamlNode<'_, '_>, keys: &mut Keys, notes: &mut ImportNotes) {
    for (key, value) in config.entries().into_iter().flatten() {
        if let Err(why) = setting(&key, value, keys) {
            let what = format!("`{key}` of the provider was left out: {why}");
            notes.add(value.place(), what);
        }
    }
}

/// Writes one setting, or tells why not.
fn setting(key: &str, value: YamlNode<'_, '_>, keys: &mut Keys) -> Result<(), String> {
    if key == "apiKey" {
        return Err("a key stays out of files; name its variable as api_key_env".into());
    }
    let converted = value.toml();
    if converted.as_ref().is_some_and(is_template) {
        return Err("it is read from the environment or a template; write its value".into());
    }
    let converted = converted.ok_or("it holds nothing that a study can say")?;
    let wrong = |what: &str| Err(format!("it is no {what}"));
    let (ours, converted) = match (key, converted) {
        ("apiBaseUrl", toml::Value::String(text)) => ("base_url", text.into()),
        ("apiHost", toml::Value::String(host)) => {
            let host = match host.split_once("://") {
                Some(_) => host,
                None => format!("https://{host}"),
            };
            ("base_url", host.into())
        }
        ("apiKeyEnvar", toml::Value::String(text)) => ("api_key_env", text.into()),
        ("apiVersion", toml::Value::String(text)) => ("api_version", text.into()),
        ("temperature" | "top_p", value) => {
            let number = value
                .as_float()
                .or_else(|| value.as_integer().map(|n| n as f64));
            let Some(number) = number else {
                return wrong("number");
            };
            let ours = if key == "top_p" {
                "top_p"
            } else {
                "temperature"
            };
            (ours, number.into())
        }
        (
            "max_tokens" | "max_completion_tokens" | "max_output_tokens" | "maxOutputTokens",
            value,
        ) => {
            if !value.is_integer() {
                return wrong("whole number");
            }
            ("max_tokens", value)
        }
        ("seed", value) => {
            if !value.is_integer() {
                return wrong("whole number");
            }
            ("seed", value)
        }
        ("stop" | "stop_sequences", value) => match value {
            toml::Value::String(text) => ("stop", vec![text].into()),
            toml::Value::Array(items) if items.iter().all(toml::Value::is_str) => {
                ("stop", items.into())
            }
            _ => return wrong("list of texts"),
        },
        ("reasoning_effort", toml::Value::String(effort)) => ("reasoning_effort", effort.into()),
        ("reasoning", toml::Value::Table(reasoning)) if reasoning.contains_key("effort") => {
            ("reasoning_effort", reasoning["effort"].clone())
        }
        ("headers", toml::Value::Table(headers)) => {
            if let Some(name) = headers.keys().find(|name| is_secret(name)) {
                return Err(format!(
                    "{name} may hold a secret, which stays out of files"
                ));
            }
            ("headers", headers.into())
        }
        ("passthrough", toml::Value::Table(body)) => ("body", body.into()),
        _ => return Err("a study's model has no such key".into()),
    };
    keys.retain(|(known, _)| *known != ours);
    keys.push((ours, converted));
    Ok(())
}

/// A table on one line, its keys in this order.
fn inline<'k>(table: impl IntoIterator<Item = (&'k str, toml::Value)>) -> String {
    let entries = table.into_iter().map(|(key, value)| {
        let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let key = match key {
            "" => quoted(key),
            key if key.chars().all(is_bare) => key.to_owned(),
            key => quoted(key),
        };
        format!("{key} = {}", one_line(value))
    });
    format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
}

/// A value on one line.
fn one_line(value: toml::Value) -> String {
    match value {
        toml::Value::String(text) => quoted(&text),
        toml::Value::Array(items) => {
            let items: Vec<String> = items.into_iter().map(one_line).collect();
            format!("[{}]", items.join(", "))
        }
        toml::Value::Table(table) => inline(
            table
                .iter()
                .map(|(key, value)| (key.as_str(), value.clone())),
        ),
        other => other.to_string(),
    }
}

/// A text on one line; the escapes are those of JSON, which leaves one character
/// alone that TOML does not.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

/// Whether any text in it is to be filled in.
fn is_template(value: &toml::Value) -> bool {
    match value {
        toml::Value::String(text) => text.contains("{{") || text.contains("${"),
        toml::Value::Array(items) => items.iter().any(is_template),
        toml::Value::Table(table) => table.values().any(is_template),
        _ => false,
    }
}

/// Whether a header of this name usually carries a key.
fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["authorization", "key", "token", "secret", "cookie"]
        .iter()
        .any(|word| name.contains(word))
}
