//! Labelled tests of a config.

use std::collections::{BTreeMap, BTreeSet};

use super::asserts;
use super::expand::{ExpandedTest, expand};
use super::nunjucks::parse;
use super::raw::{ConfigReader, RawTest};
use super::yaml::YamlNode;
use super::{ConfigLocation, ImportNotes};
use crate::exit::Failure;

/// A test with its label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ImportedCase {
    /// Where it stands.
    pub place: ConfigLocation,
    /// Its variables.
    pub vars: BTreeMap<String, String>,
    /// Variables that a study cannot show, and why.
    pub unsaid: BTreeMap<String, String>,
    /// The answer it wants.
    pub label: String,
    /// Its metadata.
    pub metadata: BTreeMap<String, String>,
    /// Its group.
    pub group: String,
}

/// All tests that have a label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ImportedCases {
    /// The tests, in the order of the config.
    pub tests: Vec<ImportedCase>,
    /// The labels, in the order they first occur.
    pub labels: Vec<String>,
    /// What all of them put before and after the prompt.
    pub affixes: [String; 2],
}

/// Metadata keys that are taken for the group where none is named.
const GROUP_KEYS: [&str; 5] = ["group", "domain", "slice", "segment", "category"];
/// The group of tests that name none.
const NO_GROUP: &str = "tests";
/// Reads `tests` and `defaultTest`.
pub(super) fn read(
    root: &YamlNode<'_, '_>,
    group: Option<&str>,
    notes: &mut ImportNotes,
) -> Result<ImportedCases, Failure> {
    let node = root
        .get("tests")
        .ok_or_else(|| root.fault("the config has no `tests`; a study needs labelled examples"))?;
    let mut reader = ConfigReader {
        defaults: RawTest::default(),
        tests: Vec::new(),
        notes,
    };
    if let Some(common) = root.get("defaultTest") {
        reader.read_defaults(common)?;
    }
    for item in node.items().unwrap_or_else(|| vec![node]) {
        reader.collect(item, 0)?;
    }
    let mut labelled = Vec::new();
    for raw in reader.tests {
        let place = raw.place.clone().unwrap_or_else(|| node.place());
        match expand(raw, &place, &root.folder()) {
            Ok(tests) => labelled.extend(tests.into_iter().filter_map(|test| case(test, notes))),
            Err(why) => notes.add(place, format!("this test was left out: {why}")),
        }
    }
    let affixes = affixes(&labelled, notes);
    let mut cases: Vec<ImportedCase> = labelled.into_iter().map(|(case, _)| case).collect();
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
    Ok(ImportedCases {
        tests: cases,
        labels,
        affixes,
    })
}

/// Finds a test's label and renders its variables.
fn case(mut test: ExpandedTest, notes: &mut ImportNotes) -> Option<(ImportedCase, [String; 2])> {
    let vars = test.vars;
    let rendered = |text: &str| parse(text).ok()?.render(&vars).ok();
    let Some(label) = asserts::label(test.asserts, rendered, notes) else {
        notes.add(test.place, "this test was left out: it has no label");
        return None;
    };
    let mut values = BTreeMap::new();
    for (name, text) in &vars {
        if let Some(text) = rendered(text) {
            values.insert(name.clone(), text);
        } else {
            let what = "a template that a study cannot say";
            test.unsaid.insert(name.clone(), what.into());
        }
    }
    let case = ImportedCase {
        place: test.place,
        vars: values,
        unsaid: test.unsaid,
        label,
        metadata: test.metadata,
        group: String::new(),
    };
    Some((case, test.affixes))
}

/// What all tests put before and after the prompt; nothing where they differ,
/// for a study has one prompt for all.
fn affixes(cases: &[(ImportedCase, [String; 2])], notes: &mut ImportNotes) -> [String; 2] {
    let mut agreed = |at: usize, name: &str| {
        let (_, first) = cases.first()?;
        let Some((case, own)) = cases.iter().find(|(_, own)| own[at] != first[at]) else {
            return Some(first[at].clone());
        };
        notes.add(
            case.place.clone(),
            format!(
                "the {name} of this test, {:?}, is not that of the first one, {:?}; \
                 a study has one prompt for all tests, so every {name} was left out",
                own[at], first[at]
            ),
        );
        None
    };
    [
        agreed(0, "prefix").unwrap_or_default(),
        agreed(1, "suffix").unwrap_or_default(),
    ]
}

/// The labels in the order they first occur; those that differ in case alone
/// become one.
fn labels(cases: &mut [ImportedCase], notes: &mut ImportNotes) -> Vec<String> {
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
    cases: &mut [ImportedCase],
    asked: Option<&str>,
    node: YamlNode<'_, '_>,
    notes: &mut ImportNotes,
) -> Result<(), Failure> {
    let found = |case: &ImportedCase, key: &str| {
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
