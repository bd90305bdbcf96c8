//! YAML (and with it JSON) whose every node knows its line.

use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use super::Place;
use crate::exit::Failure;

/// The text of a file that a config is or names.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].split(|byte| *byte == b'\n').count();
        Failure::usage(format!("{}:{line}: not UTF-8 (byte {at})", path.display()))
    })
}

/// A parsed file.
pub(super) struct Document<'t> {
    root: MarkedYaml<'t>,
    file: PathBuf,
}

/// A node of it.
#[derive(Clone, Copy)]
pub(super) struct Node<'d, 't> {
    node: &'d MarkedYaml<'t>,
    file: &'d Path,
}

impl<'t> Document<'t> {
    /// The first document of the text.
    pub fn parse(text: &'t str, path: &Path) -> Result<Self, Failure> {
        let documents = MarkedYaml::load_from_str(text).map_err(|error| {
            let place = Place {
                file: path.to_owned(),
                line: error.marker().line(),
            };
            Failure::usage(format!("{place}: not YAML: {}", error.info()))
        })?;
        let root = documents
            .into_iter()
            .next()
            .ok_or_else(|| Failure::usage(format!("{} is empty", path.display())))?;
        Ok(Self {
            root,
            file: path.to_owned(),
        })
    }

    pub fn root(&self) -> Node<'_, 't> {
        Node {
            node: &self.root,
            file: &self.file,
        }
    }
}

impl<'d, 't> Node<'d, 't> {
    fn of(self, node: &'d MarkedYaml<'t>) -> Self {
        Self { node, ..self }
    }

    /// Where it begins.
    pub fn place(self) -> Place {
        Place {
            file: self.file.to_owned(),
            line: self.node.span.start.line(),
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

    /// Keys and values of a mapping; `None` for any other node.
    pub fn entries(self) -> Option<Vec<(String, Self)>> {
        let YamlData::Mapping(entries) = &self.node.data else {
            return None;
        };
        let entries = entries.iter();
        Some(
            entries
                .filter_map(|(key, value)| Some((self.of(key).text()?, self.of(value))))
                .collect(),
        )
    }

    /// Items of a sequence; `None` for any other node.
    pub fn items(self) -> Option<Vec<Self>> {
        let YamlData::Sequence(items) = &self.node.data else {
            return None;
        };
        Some(items.iter().map(|item| self.of(item)).collect())
    }

    /// A string, number or boolean as text; `None` for any other node.
    pub fn text(self) -> Option<String> {
        match &self.node.data {
            YamlData::Value(Scalar::String(text)) => Some(text.to_string()),
            YamlData::Value(Scalar::Integer(number)) => Some(number.to_string()),
            YamlData::Value(Scalar::FloatingPoint(number)) => Some(number.to_string()),
            YamlData::Value(Scalar::Boolean(truth)) => Some(truth.to_string()),
            _ => None,
        }
    }
}
