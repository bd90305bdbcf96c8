//! Prompts that are chats: lists of messages with a role and a text each.

use super::ConfigLocation;
use super::yaml::{YamlDocument, YamlNode, json_as_yaml};

/// A prompt as one call sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImportedMessage {
    /// The system message.
    pub system: Option<String>,
    /// The user message.
    pub user: String,
}

/// Reads a text that may be a chat in JSON or YAML; any other text is a user
/// message.
///
/// # Errors
/// What a study cannot say of a chat.
pub(super) fn read(text: &str, place: &ConfigLocation) -> Result<ImportedMessage, String> {
    let plain = || ImportedMessage {
        system: None,
        user: text.to_owned(),
    };
    let is_json = text.starts_with(['[', '{']) && text.contains("\"role\"");
    if !is_json && !text.starts_with("- role:") && !text.starts_with("- content:") {
        return Ok(plain());
    }
    let source = if is_json {
        json_as_yaml(text)
    } else {
        text.to_owned()
    };
    let Ok(document) = YamlDocument::parse_at(&source, place) else {
        return Err("a chat that is built by a template; write its messages out".into());
    };
    let root = document.root();
    let list = root
        .items()
        .or_else(|| root.get("messages").and_then(YamlNode::items));
    let Some(items) = list else {
        return Ok(plain());
    };
    let mut system: Vec<String> = Vec::new();
    let mut user: Option<String> = None;
    for item in items {
        let role = item.get("role").and_then(YamlNode::text);
        let text = item.get("content").and_then(content).ok_or_else(|| {
            format!(
                "a message that is no text ({})",
                role.as_deref().unwrap_or("without a role")
            )
        })?;
        match role.as_deref() {
            Some("system" | "developer") if user.is_none() => system.push(text),
            Some("user") if user.is_none() => user = Some(text),
            other => {
                return Err(format!(
                    "a chat of several turns (a further message of the role {:?}); \
                     put its text into one system and one user message",
                    other.unwrap_or("none")
                ));
            }
        }
    }
    Ok(ImportedMessage {
        user: user.ok_or("a chat without a user message")?,
        system: (!system.is_empty()).then(|| system.join("\n\n")),
    })
}

/// A message's text, which may be written as a list of parts.
fn content(node: YamlNode<'_, '_>) -> Option<String> {
    if let Some(text) = node.text() {
        return Some(text);
    }
    let texts: Option<Vec<String>> = node
        .items()?
        .into_iter()
        .map(|part| part.get("text")?.text())
        .collect();
    Some(texts?.join("\n"))
}
