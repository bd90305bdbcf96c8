//! One test of several: each text of a list, each file of a pattern.

use std::collections::BTreeMap;
use std::path::Path;

use super::ConfigLocation;
use super::asserts::TextAssertion;
use super::files::{ending, matching};
use super::raw::{RawTest, TestVariable};
use super::yaml::read as read_file;

/// A test whose every variable has one value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ExpandedTest {
    /// Where it stands.
    pub place: ConfigLocation,
    /// Its variables.
    pub vars: BTreeMap<String, String>,
    /// Variables that a study cannot show, and why.
    pub unsaid: BTreeMap<String, String>,
    /// Its metadata.
    pub metadata: BTreeMap<String, String>,
    /// Its assertions.
    pub asserts: Vec<TextAssertion>,
    /// Text before and after the prompt.
    pub affixes: [String; 2],
}

/// The most tests that one may stand for.
const MOST: usize = 100_000;
/// Endings of files whose text is a value as it stands; the others are run or
/// taken apart.
const TEXT: [&str; 6] = ["", "txt", "md", "html", "htm", "xml"];

/// Every combination of the values of its variables; files are looked up below
/// `base`, the config's folder.
///
/// # Errors
/// In words, why there are none.
pub(super) fn expand(
    raw: RawTest,
    place: &ConfigLocation,
    base: &Path,
) -> Result<Vec<ExpandedTest>, String> {
    let mut unsaid: BTreeMap<String, String> = BTreeMap::new();
    let mut tests = vec![BTreeMap::new()];
    for (name, var) in raw.vars {
        let values = match var {
            TestVariable::One(text) => texts(&text, base),
            TestVariable::Many(_) if raw.keeps_lists => {
                Err("a list that is not to be taken apart".into())
            }
            TestVariable::Many(list) => list.iter().try_fold(Vec::new(), |mut all, text| {
                all.extend(texts(text, base)?);
                Ok(all)
            }),
            TestVariable::Unsayable(what) => Err(what.to_owned()),
        };
        let values: Vec<String> = match values {
            Ok(values) => values,
            Err(why) => {
                unsaid.insert(name, why);
                continue;
            }
        };
        if tests.len() * values.len() > MOST {
            return Err(format!(
                "the lists of its variables make more than {MOST} tests"
            ));
        }
        tests = tests
            .into_iter()
            .flat_map(|vars: BTreeMap<String, String>| {
                let name = &name;
                values.iter().map(move |value| {
                    let mut vars = vars.clone();
                    vars.insert(name.clone(), value.clone());
                    vars
                })
            })
            .collect();
    }
    let tests = tests.into_iter().map(|vars| ExpandedTest {
        place: place.clone(),
        vars,
        unsaid: unsaid.clone(),
        metadata: raw.metadata.clone(),
        asserts: raw.asserts.clone(),
        affixes: raw.affixes.clone().map(Option::unwrap_or_default),
    });
    Ok(tests.collect())
}

/// The text, or those of the files that it names.
fn texts(text: &str, base: &Path) -> Result<Vec<String>, String> {
    if !text.starts_with("file://") {
        return Ok(vec![text.to_owned()]);
    }
    let paths = matching(base, text).map_err(|why| format!("read from {text}: {why}"))?;
    let read = |path: &std::path::PathBuf| {
        if !TEXT.contains(&ending(&path.to_string_lossy()).as_str()) {
            return Err(format!("read from {text}, which is no plain text"));
        }
        let text = read_file(path).map_err(|failure| failure.message)?;
        Ok(text.trim().to_owned())
    };
    paths.iter().map(read).collect()
}
