//! YAML (and with it JSON) whose every node knows its line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use shiftproof_tasks::files;

use super::ConfigLocation;
use crate::exit::{ExitStatus, Failure};

/// The text of a file that a config is or names: without a byte-order mark, its
/// lines ended by `\n` alone.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let bytes = files::read(path).map_err(Failure::from_io(ExitStatus::Usage, "read", path))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].split(|byte| *byte == b'\n').count();
        Failure::usage(format!(
            "{}:{line}: not UTF-8 (byte {at}); save the file as UTF-8",
            path.display()
        ))
        .caused_by(error)
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// JSON as YAML reads it the same. YAML knows neither tabs between values nor
/// characters written as two escapes.
pub(super) fn json_as_yaml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\t']) {
        out.push_str(&rest[..at]);
        let escape = &rest[at..];
        if let Some(after) = escape.strip_prefix('\t') {
            out.push(' ');
            rest = after;
        } else if let Some(c) = surrogates(escape) {
            out.push(c);
            rest = &escape[12..];
        } else {
            let length = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
            out.push_str(&escape[..length]);
            rest = &escape[length..];
        }
    }
    out.push_str(rest);
    out
}

/// The character that two escapes at the text's start stand for.
fn surrogates(text: &str) -> Option<char> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let units = [unit(0)?, unit(6)?];
    let mut decoded = char::decode_utf16(units);
    match (decoded.next()?, decoded.next()) {
        (Ok(c), None) => Some(c),
        _ => None,
    }
}

/// A parsed file.
pub(super) struct YamlDocument<'t> {
    root: MarkedYaml<'t>,
    file: PathBuf,
    /// Lines of the file before the parsed text.
    before: usize,
}

/// A node of it.
#[derive(Clone, Copy)]
pub(super) struct YamlNode<'d, 't> {
    inner: &'d MarkedYaml<'t>,
    file: &'d Path,
    before: usize,
}

impl<'t> YamlDocument<'t> {
    /// The first document of the text.
    pub fn parse(text: &'t str, path: &Path) -> Result<Self, Failure> {
        Self::parse_at(
            text,
            &ConfigLocation {
                file: path.to_owned(),
                line: 1,
            },
        )
    }

    /// The same for a text that begins within a file.
    pub fn parse_at(text: &'t str, place: &ConfigLocation) -> Result<Self, Failure> {
        let before = place.line.saturating_sub(1);
        let documents = MarkedYaml::load_from_str(text).map_err(|error| {
            let place = ConfigLocation {
                file: place.file.clone(),
                line: before + error.marker().line(),
            };
            Failure::usage(format!("{place}: not YAML: {}", error.info())).caused_by(error)
        })?;
        let root = documents
            .into_iter()
            .next()
            .ok_or_else(|| Failure::usage(format!("{} is empty", place.file.display())))?;
        Ok(Self {
            root,
            file: place.file.clone(),
            before,
        })
    }

    pub fn root(&self) -> YamlNode<'_, 't> {
        YamlNode {
            inner: &self.root,
            file: &self.file,
            before: self.before,
        }
    }
}

impl<'d, 't> YamlNode<'d, 't> {
    fn of(self, inner: &'d MarkedYaml<'t>) -> Self {
        Self { inner, ..self }
    }

    /// Where it begins.
    pub fn place(self) -> ConfigLocation {
        ConfigLocation {
            file: self.file.to_owned(),
            line: self.before + self.inner.span.start.line(),
        }
    }

    /// The folder that its relative paths start from.
    pub fn folder(self) -> PathBuf {
        self.file.parent().map_or_else(PathBuf::new, Path::to_owned)
    }

    /// An error at its place.
    pub fn fault(self, what: &str) -> Failure {
        Failure::usage(format!("{}: {what}", self.place()))
    }

    /// The value under a key of a mapping.
    pub fn get(self, key: &str) -> Option<Self> {
        self.entries()?
            .into_iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// Keys and values of a mapping; `None` for any other node. A merge key
    /// `<<` brings in the entries of the mapping, or of the list of mappings,
    /// that it names: own entries win over these, earlier over later ones.
    pub fn entries(self) -> Option<Vec<(String, Self)>> {
        let YamlData::Mapping(entries) = &self.inner.data else {
            return None;
        };
        let mut all = Vec::with_capacity(entries.len());
        let mut merged = Vec::new();
        for (key, value) in entries {
            let value = self.of(value);
            match self.of(key).text() {
                Some(key) if key == "<<" => match value.mergeable() {
                    Some(entries) => merged.extend(entries),
                    None => all.push((key, value)),
                },
                Some(key) => all.push((key, value)),
                None => {}
            }
        }
        let mut known: BTreeSet<String> = all.iter().map(|(key, _)| key.clone()).collect();
        merged.retain(|(key, _): &(String, Self)| known.insert(key.clone()));
        all.extend(merged);
        Some(all)
    }

    /// What a merge key with this value brings in; `None` where it cannot.
    fn mergeable(self) -> Option<Vec<(String, Self)>> {
        match self.items() {
            Some(items) => {
                let parts: Option<Vec<_>> = items.into_iter().map(Self::entries).collect();
                Some(parts?.into_iter().flatten().collect())
            }
            None => self.entries(),
        }
    }

    /// Items of a sequence; `None` for any other node.
    pub fn items(self) -> Option<Vec<Self>> {
        let YamlData::Sequence(items) = &self.inner.data else {
            return None;
        };
        Some(items.iter().map(|item| self.of(item)).collect())
    }

    /// A string, number or boolean as text; `None` for any other node.
    pub fn text(self) -> Option<String> {
        match &self.inner.data {
            YamlData::Value(Scalar::String(text)) => Some(text.to_string()),
            YamlData::Value(Scalar::Integer(number)) => Some(number.to_string()),
            YamlData::Value(Scalar::FloatingPoint(number)) => Some(number.to_string()),
            YamlData::Value(Scalar::Boolean(truth)) => Some(truth.to_string()),
            _ => None,
        }
    }

    /// Whether it is a string.
    pub fn is_string(self) -> bool {
        matches!(&self.inner.data, YamlData::Value(Scalar::String(_)))
    }

    /// Whether it is null.
    pub fn is_null(self) -> bool {
        matches!(&self.inner.data, YamlData::Value(Scalar::Null))
    }

    /// The same value in TOML, which has no null.
    pub fn toml(self) -> Option<toml::Value> {
        Some(match &self.inner.data {
            YamlData::Value(Scalar::String(text)) => text.to_string().into(),
            YamlData::Value(Scalar::Integer(number)) => (*number).into(),
            YamlData::Value(Scalar::FloatingPoint(number)) => number.into_inner().into(),
            YamlData::Value(Scalar::Boolean(truth)) => (*truth).into(),
            YamlData::Sequence(_) => {
                let items: Option<Vec<_>> = self.items()?.into_iter().map(Self::toml).collect();
                toml::Value::Array(items?)
            }
            YamlData::Mapping(_) => {
                let mut table = toml::Table::new();
                for (key, value) in self.entries()? {
                    table.insert(key, value.toml()?);
                }
                table.into()
            }
            _ => return None,
        })
    }
}
