//! What a server says of an error, whatever its form.

use std::time::Duration;

use serde_json::Value;

/// Longest stretch of a server's own words in a message, in characters.
pub(super) const QUOTE: usize = 300;

/// The parts of an error body, whatever its form.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ServerComplaint {
    pub(super) text: String,
    /// `code`, `type` and `status`, in lower case, separated by blanks.
    pub(super) codes: String,
    pub(super) parameter: Option<String>,
    pub(super) number: Option<u16>,
    /// The wait that Google's `RetryInfo` names.
    pub(super) wait: Option<Duration>,
}

impl ServerComplaint {
    pub(super) fn read(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Array(list)) => {
                let first = list.first().unwrap_or(&Value::Null);
                Self::of(first.get("error").unwrap_or(first))
            }
            Ok(value) => Self::of(value.get("error").unwrap_or(&value)),
            Err(_) if body.trim_ascii_start().starts_with(b"<") => Self {
                text: "an HTML page".to_owned(),
                ..Self::default()
            },
            Err(_) => Self {
                text: String::from_utf8_lossy(body).into_owned(),
                ..Self::default()
            },
        }
    }

    pub(super) fn of(error: &Value) -> Self {
        let field = |name: &str| error.get(name).filter(|value| !value.is_null());
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let said = ["message", "detail", "msg", "error"]
            .iter()
            .find_map(|name| field(name));
        let inner = error.pointer("/innererror/code").and_then(Value::as_str);
        let codes = ["code", "type", "status"]
            .iter()
            .filter_map(|name| field(name)?.as_str())
            .chain(inner);
        let number = ["code", "status"].iter().find_map(|name| {
            let value = field(name)?;
            value.as_u64().or_else(|| value.as_str()?.parse().ok())
        });
        Self {
            text: text(said.unwrap_or(error)),
            codes: codes.collect::<Vec<_>>().join(" ").to_lowercase(),
            parameter: field("param").and_then(Value::as_str).map(str::to_owned),
            number: number.and_then(|number| u16::try_from(number).ok()),
            wait: field("details").and_then(retry_info),
        }
    }

    pub(super) fn says(&self, words: &[&str]) -> bool {
        let text = self.text.to_lowercase();
        words
            .iter()
            .any(|word| text.contains(word) || self.codes.contains(word))
    }
}

/// The wait in the details of an error of Google's: `{"retryDelay": "34s"}`.
fn retry_info(details: &Value) -> Option<Duration> {
    let delays = details
        .as_array()?
        .iter()
        .filter_map(|detail| detail.get("retryDelay")?.as_str()?.strip_suffix('s'));
    let mut seconds = delays.filter_map(|delay| delay.parse().ok());
    Duration::try_from_secs_f64(seconds.next()?).ok()
}

/// A server's words on one line, control characters removed, cut to [`QUOTE`].
pub(super) fn quote(text: &str) -> String {
    let mut line = String::new();
    for word in text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if let Some((cut, _)) = line.char_indices().nth(QUOTE) {
            line.truncate(cut);
            line.push('…');
            break;
        }
    }
    if line.is_empty() {
        "nothing more".to_owned()
    } else {
        line
    }
}
