//! Tests as a config and its files have them, before their labels are known.

use std::collections::BTreeMap;
use std::path::Path;

use super::asserts::TextAssertion;
use super::files::{ending, matching};
use super::yaml::{YamlDocument, YamlNode, json_as_yaml, read as read_file};
use super::{ConfigLocation, ImportNotes, rows};
use crate::exit::Failure;

/// What a variable holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TestVariable {
    /// A text.
    One(String),
    /// Texts of which each makes a test of its own.
    Many(Vec<String>),
    /// Something a study cannot show, in words.
    Unsayable(&'static str),
}

/// A test, or what all tests have in common.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RawTest {
    /// Where it stands; `None` for what all have in common.
    pub place: Option<ConfigLocation>,
    /// Its variables.
    pub vars: BTreeMap<String, TestVariable>,
    /// Its metadata.
    pub metadata: BTreeMap<String, String>,
    /// Its assertions.
    pub asserts: Vec<TextAssertion>,
    /// Text before and after the prompt.
    pub affixes: [Option<String>; 2],
    /// Whether lists of a variable stay lists.
    pub keeps_lists: bool,
}

/// How deep files of tests may name one another.
const DEEPEST: usize = 8;

/// Collects tests into a list.
pub(super) struct ConfigReader<'a> {
    /// What all tests have in common.
    pub defaults: RawTest,
    /// The tests so far.
    pub tests: Vec<RawTest>,
    /// What is to be told.
    pub notes: &'a mut ImportNotes,
}

impl ConfigReader<'_> {
    /// Takes `defaultTest`: a mapping, or the name of a file that holds one.
    pub fn read_defaults(&mut self, node: YamlNode<'_, '_>) -> Result<(), Failure> {
        if node.entries().is_some() {
            self.defaults = self.mapping(node);
            self.defaults.place = None;
            return Ok(());
        }
        let Some(name) = node.text().filter(|name| name.starts_with("file://")) else {
            self.notes
                .add(node.place(), "defaultTest was left out: it is no mapping");
            return Ok(());
        };
        let path = node.folder().join(&name["file://".len()..]);
        let text = read_file(&path)?;
        let document = YamlDocument::parse(&text, &path)?;
        if document.root().entries().is_none() {
            return Err(document.root().fault("a file of defaultTest is a mapping"));
        }
        self.read_defaults(document.root())
    }

    /// Takes an entry of `tests`: a test, or the name of files that hold some.
    pub fn collect(&mut self, item: YamlNode<'_, '_>, depth: usize) -> Result<(), Failure> {
        let path = item.get("path").and_then(YamlNode::text);
        if let Some(config) = item.get("config").filter(|_| path.is_some()) {
            let what = "`config` of a file of tests has no counterpart in a study";
            self.notes.add(config.place(), what);
        }
        let Some(name) = path.or_else(|| item.text()) else {
            if item.entries().is_some() {
                let test = self.mapping(item);
                self.tests.push(test);
            } else {
                let what = "this test was left out: it is no mapping";
                self.notes.add(item.place(), what);
            }
            return Ok(());
        };
        if depth > DEEPEST {
            return Err(item.fault("files of tests name one another without an end"));
        }
        let paths = match matching(&item.folder(), &name) {
            Ok(paths) => paths,
            Err(why) => {
                let what = format!("the tests of {name} were left out: {why}");
                self.notes.add(item.place(), what);
                return Ok(());
            }
        };
        for path in paths {
            match ending(&path.to_string_lossy()).as_str() {
                "csv" | "tsv" => {
                    for row in rows::read(&path, self.notes)? {
                        let test = self.row(row);
                        self.tests.push(test);
                    }
                }
                "yaml" | "yml" => self.document(&read_file(&path)?, &path, depth)?,
                "json" => self.document(&json_as_yaml(&read_file(&path)?), &path, depth)?,
                "jsonl" => self.lines(&read_file(&path)?, &path, depth)?,
                other => {
                    let mend = match other {
                        "xlsx" | "xls" => "; save the sheet as .csv",
                        _ => "",
                    };
                    let what = format!(
                        "the tests of {name} were left out: \
                         only .csv, .tsv, .yaml, .json and .jsonl are read{mend}"
                    );
                    self.notes.add(item.place(), what);
                }
            }
        }
        Ok(())
    }

    /// A file that holds a list of tests, or one.
    fn document(&mut self, text: &str, path: &Path, depth: usize) -> Result<(), Failure> {
        let document = YamlDocument::parse(text, path)?;
        let root = document.root();
        for item in root.items().unwrap_or_else(|| vec![root]) {
            self.collect(item, depth + 1)?;
        }
        Ok(())
    }

    /// A file that holds a test a line.
    fn lines(&mut self, text: &str, path: &Path, depth: usize) -> Result<(), Failure> {
        for (line, text) in (1..).zip(text.lines()) {
            if text.trim().is_empty() {
                continue;
            }
            let text = json_as_yaml(text);
            let file = path.to_owned();
            let document = YamlDocument::parse_at(&text, &ConfigLocation { file, line })?;
            self.collect(document.root(), depth + 1)?;
        }
        Ok(())
    }

    /// A test written as a mapping.
    fn mapping(&mut self, item: YamlNode<'_, '_>) -> RawTest {
        let mut test = RawTest {
            place: Some(item.place()),
            asserts: Vec::new(),
            ..self.defaults.clone()
        };
        for (key, value) in item.entries().into_iter().flatten() {
            match key.as_str() {
                "vars" => self.vars(value, &mut test),
                "metadata" => {
                    let entries = value.entries().into_iter().flatten();
                    let texts = entries.filter_map(|(name, value)| Some((name, value.text()?)));
                    test.metadata.extend(texts);
                }
                "assert" => {
                    let items = value.items().into_iter().flatten();
                    test.asserts.extend(items.map(TextAssertion::of));
                }
                "options" => self.options(value, &mut test),
                "description" => {}
                other => self.notes.add(
                    value.place(),
                    format!("`{other}` of a test has no counterpart in a study"),
                ),
            }
        }
        test.asserts.extend(self.defaults.asserts.iter().cloned());
        test
    }

    /// Variables: a mapping, or files that hold one each.
    fn vars(&mut self, node: YamlNode<'_, '_>, test: &mut RawTest) {
        if let Some(entries) = node.entries() {
            let vars = entries
                .into_iter()
                .map(|(name, value)| (name, TestVariable::of(value)));
            test.vars.extend(vars);
            return;
        }
        for item in node.items().unwrap_or_else(|| vec![node]) {
            let named = item.text().map(|name| matching(&item.folder(), &name));
            let Some(Ok(paths)) = named else {
                let what = "these variables were left out: neither a mapping nor files";
                self.notes.add(item.place(), what);
                continue;
            };
            for path in paths {
                let read = read_file(&path).and_then(|text| {
                    let text = match ending(&path.to_string_lossy()).as_str() {
                        "json" => json_as_yaml(&text),
                        _ => text,
                    };
                    let document = YamlDocument::parse(&text, &path)?;
                    let entries = document.root().entries().into_iter().flatten();
                    Ok(entries
                        .map(|(name, value)| (name, TestVariable::of(value)))
                        .collect::<Vec<_>>())
                });
                match read {
                    Ok(vars) => test.vars.extend(vars),
                    Err(failure) => self.notes.add(item.place(), failure.message),
                }
            }
        }
    }

    fn options(&mut self, node: YamlNode<'_, '_>, test: &mut RawTest) {
        for (key, value) in node.entries().into_iter().flatten() {
            match key.as_str() {
                "prefix" => test.affixes[0] = value.text(),
                "suffix" => test.affixes[1] = value.text(),
                "disableVarExpansion" => {
                    test.keeps_lists = value.text().as_deref() == Some("true");
                }
                other => self.notes.add(
                    value.place(),
                    format!("the option `{other}` of a test has no counterpart in a study"),
                ),
            }
        }
    }

    /// A row of a table: columns that begin with two underscores have a meaning
    /// of their own, the others are variables.
    fn row(&mut self, row: rows::ImportedRow) -> RawTest {
        let mut test = RawTest {
            asserts: Vec::new(),
            ..self.defaults.clone()
        };
        for (column, value) in row.values {
            if column.starts_with("__expected") {
                if !value.trim().is_empty() {
                    let assertion = TextAssertion::from_cell(row.place.clone(), &value);
                    test.asserts.push(assertion);
                }
            } else if let Some(key) = column.strip_prefix("__metadata:") {
                let key = key.trim_end_matches("[]");
                test.metadata.insert(key.to_owned(), value);
            } else if column == "__prefix" {
                test.affixes[0] = Some(value);
            } else if column == "__suffix" {
                test.affixes[1] = Some(value);
            } else if ["__providerOutput", "__threshold"].contains(&column.as_str())
                || column.starts_with("__config:")
            {
                if !value.trim().is_empty() {
                    let what = format!("the column {column:?} has no counterpart in a study");
                    self.notes.add(row.place.clone(), what);
                }
            } else if !["__description", "__metric"].contains(&column.as_str()) {
                if column.starts_with("_expected") {
                    let what = format!(
                        "the column {column:?} was taken for a variable; \
                         only \"_{column}\" would hold assertions"
                    );
                    self.notes.add(row.place.clone(), what);
                }
                test.vars.insert(column, TestVariable::One(value));
            }
        }
        test.asserts.extend(self.defaults.asserts.iter().cloned());
        test.place = Some(row.place);
        test
    }
}

impl TestVariable {
    fn of(value: YamlNode<'_, '_>) -> Self {
        if let Some(text) = value.text() {
            return Self::One(text);
        }
        if value.is_null() {
            return Self::One(String::new());
        }
        let Some(items) = value.items() else {
            return Self::Unsayable("a mapping");
        };
        let texts: Option<Vec<String>> = items.iter().map(|item| item.text()).collect();
        match texts.filter(|_| items.first().is_some_and(|item| item.is_string())) {
            Some(texts) => Self::Many(texts),
            None => Self::Unsayable("a list of other things than texts"),
        }
    }
}
