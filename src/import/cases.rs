//! Labelled tests of a config.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use shiftproof_tasks::Table;

use super::nunjucks::parse;
use super::yaml::{Document, Node, read as read_file};
use super::{Notes, Place};
use crate::exit::Failure;

/// A test with its label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    /// Where it stands.
    pub place: Place,
    /// Its variables.
    pub vars: BTreeMap<String, String>,
    /// The answer it wants.
    pub label: String,
    /// Its metadata.
    pub metadata: BTreeMap<String, String>,
    /// Its group.
    pub group: String,
}

/// All tests that have a label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cases {
    /// The tests, in the order of the config.
    pub cases: Vec<Case>,
    /// The labels, in the order they first occur.
    pub labels: Vec<String>,
}

/// What all tests have in common.
#[derive(Debug, Clone, Default)]
struct Defaults {
    vars: BTreeMap<String, String>,
    metadata: BTreeMap<String, String>,
    asserts: Vec<Assertion>,
}

/// An assertion whose value is a text.
#[derive(Debug, Clone)]
struct Assertion {
    place: Place,
    kind: String,
    value: Option<String>,
}

/// Metadata keys that are taken for the group where none is named.
const GROUP_KEYS: [&str; 5] = ["group", "domain", "slice", "segment", "category"];
/// The group of tests that name none.
const NO_GROUP: &str = "tests";
/// Assertions that tell the label.
const TELLING: [&str; 4] = ["equals", "icontains", "contains", "starts-with"];
/// Assertions that another label would break: a closed set implies them.
const IMPLIED: [&str; 4] = [
    "not-equals",
    "not-icontains",
    "not-contains",
    "not-starts-with",
];

/// Reads `tests` and `defaultTest`.
pub(super) fn read(
    root: &Node<'_, '_>,
    group: Option<&str>,
    notes: &mut Notes,
) -> Result<Cases, Failure> {
    let node = root
        .get("tests")
        .ok_or_else(|| root.fault("the config has no `tests`; a study needs labelled examples"))?;
    let mut defaults = Defaults::default();
    if let Some(common) = root.get("defaultTest") {
        match common.entries() {
            Some(_) => {
                let case = raw(common, &Defaults::default(), notes);
                defaults = Defaults {
                    vars: case.vars.unwrap_or_default(),
                    metadata: case.metadata,
                    asserts: case.asserts,
                };
            }
            None => notes.add(common.place(), "defaultTest was left out: it is no mapping"),
        }
    }
    let mut raws = Vec::new();
    for item in node.items().unwrap_or_else(|| vec![node]) {
        collect(item, &defaults, &mut raws, notes)?;
    }
    let mut cases: Vec<Case> = raws
        .into_iter()
        .filter_map(|raw| labelled(raw, notes))
        .collect();
    if cases.is_empty() {
        return Err(node.fault(
            "no test has a label: an assertion equals, contains, icontains or starts-with with a text",
        ));
    }
    let labels = labels(&mut cases, notes);
    if labels.len() < 2 {
        return Err(node.fault(&format!(
            "all tests want the same answer, {:?}; a classification needs two labels",
            labels.first().map_or("", String::as_str)
        )));
    }
    if labels.len() > 20 && labels.len() * 3 > cases.len() {
        return Err(node.fault(&format!(
            "{} tests want {} different answers: only classification is brought over, \
             with a few labels that many tests share",
            cases.len(),
            labels.len()
        )));
    }
    assign_groups(&mut cases, group, node, notes)?;
    Ok(Cases { cases, labels })
}

/// A test before its label is known.
struct Raw {
    place: Place,
    /// `None` where a variable is no text.
    vars: Option<BTreeMap<String, String>>,
    metadata: BTreeMap<String, String>,
    asserts: Vec<Assertion>,
}

/// The tests that an entry of `tests` stands for: itself, or a file's.
fn collect(
    item: Node<'_, '_>,
    defaults: &Defaults,
    raws: &mut Vec<Raw>,
    notes: &mut Notes,
) -> Result<(), Failure> {
    if item.entries().is_some() {
        raws.push(raw(item, defaults, notes));
        return Ok(());
    }
    let Some(name) = item.text() else {
        notes.add(item.place(), "this test was left out: it is no mapping");
        return Ok(());
    };
    let name = name.strip_prefix("file://").unwrap_or(&name);
    let folder = item.folder();
    match Path::new(name)
        .extension()
        .and_then(|ending| ending.to_str())
    {
        Some("csv") => {
            let table = Table::read(&folder, &[name.to_owned()])?;
            for row in &table.rows {
                let place = Place {
                    file: folder.join(name),
                    line: usize::try_from(row.line).unwrap_or(usize::MAX),
                };
                raws.push(from_row(place, &row.values, defaults));
            }
        }
        Some("yaml" | "yml" | "json") => {
            let path: PathBuf = folder.join(name);
            let text = read_file(&path)?;
            let document = Document::parse(&text, &path)?;
            let root = document.root();
            let items = root
                .items()
                .ok_or_else(|| root.fault("a file of tests is a list"))?;
            for item in items {
                if item.entries().is_some() {
                    raws.push(raw(item, defaults, notes));
                }
            }
        }
        _ => notes.add(
            item.place(),
            format!("the tests of {name} were left out: only .csv, .yaml and .json are read"),
        ),
    }
    Ok(())
}

fn raw(item: Node<'_, '_>, defaults: &Defaults, notes: &mut Notes) -> Raw {
    let mut vars = Some(defaults.vars.clone());
    let mut metadata = defaults.metadata.clone();
    let mut asserts = Vec::new();
    for (key, value) in item.entries().into_iter().flatten() {
        match key.as_str() {
            "vars" => {
                for (name, value) in value.entries().into_iter().flatten() {
                    match value.text() {
                        Some(text) => {
                            if let Some(vars) = &mut vars {
                                vars.insert(name, text);
                            }
                        }
                        None => vars = None,
                    }
                }
            }
            "metadata" => {
                let entries = value.entries().into_iter().flatten();
                metadata.extend(entries.filter_map(|(name, value)| Some((name, value.text()?))));
            }
            "assert" => asserts.extend(value.items().into_iter().flatten().map(assertion)),
            "description" => {}
            other => notes.add(
                value.place(),
                format!("`{other}` of a test has no counterpart in a study"),
            ),
        }
    }
    asserts.extend(defaults.asserts.iter().cloned());
    Raw {
        place: item.place(),
        vars,
        metadata,
        asserts,
    }
}

fn assertion(item: Node<'_, '_>) -> Assertion {
    Assertion {
        place: item.place(),
        kind: item
            .get("type")
            .and_then(Node::text)
            .unwrap_or_else(|| "without a type".into()),
        value: item.get("value").and_then(Node::text),
    }
}

/// A row of a table: `__expected…` columns are assertions, `__metadata:KEY` ones
/// metadata, the others variables.
fn from_row(place: Place, values: &BTreeMap<String, String>, defaults: &Defaults) -> Raw {
    let mut vars = defaults.vars.clone();
    let mut metadata = defaults.metadata.clone();
    let mut asserts = Vec::new();
    for (column, value) in values {
        if column.starts_with("__expected") {
            if !value.is_empty() {
                // `KIND: VALUE`, or a value that has to be equal.
                let told = value
                    .split_once(':')
                    .filter(|(kind, _)| !kind.is_empty() && !kind.contains(' '));
                let (kind, value) = told.map_or(("equals", value.as_str()), |(kind, value)| {
                    (kind, value.trim())
                });
                asserts.push(Assertion {
                    place: place.clone(),
                    kind: kind.to_owned(),
                    value: Some(value.to_owned()),
                });
            }
        } else if let Some(key) = column.strip_prefix("__metadata:") {
            metadata.insert(key.to_owned(), value.clone());
        } else if !column.starts_with("__") {
            vars.insert(column.clone(), value.clone());
        }
    }
    asserts.extend(defaults.asserts.iter().cloned());
    Raw {
        place,
        vars: Some(vars),
        metadata,
        asserts,
    }
}

/// Finds the label among a test's assertions and renders its values.
fn labelled(raw: Raw, notes: &mut Notes) -> Option<Case> {
    let Some(vars) = raw.vars else {
        notes.add(
            raw.place,
            "this test was left out: a variable is a list or mapping",
        );
        return None;
    };
    let rendered = |text: &str| parse(text).ok()?.render(&vars).ok();
    let mut label: Option<String> = None;
    for assertion in raw.asserts {
        let kind = assertion.kind.as_str();
        let value = assertion.value.as_deref().and_then(rendered);
        match value.filter(|value| !value.trim().is_empty()) {
            Some(value) if TELLING.contains(&kind) => match &label {
                None => label = Some(value.trim().to_owned()),
                Some(first) if *first == value.trim() => {}
                Some(_) => notes.add(
                    assertion.place,
                    "a test wants two texts: the first is its label, the other was dropped",
                ),
            },
            Some(_) if IMPLIED.contains(&kind) => {}
            _ => notes.add(
                assertion.place,
                format!("the assertion {kind} was dropped: it tells no label"),
            ),
        }
    }
    let Some(label) = label else {
        notes.add(raw.place, "this test was left out: it has no label");
        return None;
    };
    let mut values = BTreeMap::new();
    for (name, text) in &vars {
        if text.starts_with("file://") {
            notes.add(
                raw.place,
                "this test was left out: a variable is read from a file",
            );
            return None;
        }
        let Some(text) = rendered(text) else {
            notes.add(
                raw.place,
                "this test was left out: a variable is a template that a study cannot say",
            );
            return None;
        };
        values.insert(name.clone(), text);
    }
    Some(Case {
        place: raw.place,
        vars: values,
        label,
        metadata: raw.metadata,
        group: String::new(),
    })
}

/// The labels in the order they first occur; those that differ in case alone
/// become one.
fn labels(cases: &mut [Case], notes: &mut Notes) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for case in cases {
        let same = labels
            .iter()
            .find(|label| label.to_lowercase() == case.label.to_lowercase());
        match same {
            Some(label) if *label != case.label => {
                notes.add(
                    case.place.clone(),
                    format!("the label {:?} is taken for {label:?}", case.label),
                );
                case.label.clone_from(label);
            }
            Some(_) => {}
            None => labels.push(case.label.clone()),
        }
    }
    labels
}

/// Reads each test's group from metadata or variables.
fn assign_groups(
    cases: &mut [Case],
    asked: Option<&str>,
    node: Node<'_, '_>,
    notes: &mut Notes,
) -> Result<(), Failure> {
    let found = |case: &Case, key: &str| {
        let value = case.metadata.get(key).or_else(|| case.vars.get(key))?;
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let key = match asked {
        Some(key) => {
            if !cases.iter().any(|case| found(case, key).is_some()) {
                let known: BTreeSet<&str> = cases
                    .iter()
                    .flat_map(|case| case.metadata.keys().chain(case.vars.keys()))
                    .map(String::as_str)
                    .collect();
                let known: Vec<&str> = known.into_iter().collect();
                return Err(node.fault(&format!(
                    "no test has the metadata or variable {key:?}; there is {}",
                    known.join(", ")
                )));
            }
            Some(key)
        }
        None => GROUP_KEYS
            .into_iter()
            .find(|key| cases.iter().any(|case| case.metadata.contains_key(*key))),
    };
    for case in cases {
        case.group = match key {
            Some(key) => found(case, key).unwrap_or_else(|| {
                notes.add(
                    case.place.clone(),
                    format!("a test without {key:?} is in the group {NO_GROUP:?}"),
                );
                NO_GROUP.into()
            }),
            None => NO_GROUP.into(),
        };
    }
    Ok(())
}
