//! Who may know whom. The compiler keeps most walls, for a crate cannot use what
//! its manifest does not name; so this reads the manifests, and the imports of
//! what no manifest can part.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A crate's folder, and the crates of this workspace that it may depend on.
const MAY_USE: [(&str, &[&str]); 9] = [
    ("store", &[]),
    ("store/postgres", &["shiftproof-store"]),
    ("tasks", &[]),
    ("tasks/rec", &["shiftproof-tasks"]),
    ("tasks/neural", &[]),
    ("search/select", &[]),
    (
        "search",
        &["shiftproof-select", "shiftproof-store", "shiftproof-tasks"],
    ),
    ("src/llm", &["shiftproof-search", "shiftproof-tasks"]),
    (
        ".",
        &[
            "shiftproof-llm",
            "shiftproof-neural",
            "shiftproof-postgres",
            "shiftproof-rec",
            "shiftproof-search",
            "shiftproof-store",
            "shiftproof-tasks",
        ],
    ),
];

/// Crates that compute and read files, and do nothing else.
const PURE: [&str; 4] = ["tasks", "tasks/rec", "tasks/neural", "search/select"];
/// What a pure crate may not depend on: async, servers, stores, terminals.
const IMPURE: [&str; 10] = [
    "async-trait",
    "futures",
    "ratatui",
    "reqwest",
    "rustls",
    "sled",
    "tokio",
    "tokio-postgres",
    "tokio-util",
    "wiremock",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names under `[dependencies]`: what the tests of a crate use is no wall.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let names: BTreeSet<String> = manifest["dependencies"]
        .as_table()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert!(!names.is_empty(), "{folder} depends on nothing at all");
    names
}

/// The Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn crates_depend_downwards_only() {
    for (folder, allowed) in MAY_USE {
        let own: Vec<String> = dependencies(folder)
            .into_iter()
            .filter(|name| name.starts_with("shiftproof") && !allowed.contains(&name.as_str()))
            .collect();
        assert!(
            own.is_empty(),
            "{folder}/Cargo.toml may not depend on {own:?}"
        );
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let members: BTreeSet<&str> = members.iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(members, MAY_USE.map(|(folder, _)| folder).into());
}

#[test]
fn pure_crates_stay_pure() {
    for folder in PURE {
        let impure: Vec<&str> = IMPURE
            .into_iter()
            .filter(|name| dependencies(folder).contains(*name))
            .collect();
        assert!(
            impure.is_empty(),
            "{folder}/Cargo.toml may not depend on {impure:?}"
        );
    }
    for file in sources(&root().join("search/select/src")) {
        let text = fs::read_to_string(&file).unwrap();
        for sign in ["async fn", ".await", "SystemTime", "Instant"] {
            assert!(!text.contains(sign), "{} has {sign}", file.display());
        }
    }
}

/// The terminal's screens are told what a run does; they do not run anything.
#[test]
fn screens_know_no_commands() {
    for file in sources(&root().join("src/tui")) {
        let text = fs::read_to_string(&file).unwrap();
        for sign in ["crate::commands", "crate::llm", "shiftproof_llm"] {
            assert!(!text.contains(sign), "{} has {sign}", file.display());
        }
    }
}

/// The script needs Python, as fetching models does; `.ci/run` calls it anyway.
#[test]
fn files_import_in_no_circle() {
    let Ok(output) = Command::new("python3")
        .args([".ci/measure.py", "--check", "--circles"])
        .current_dir(root())
        .output()
    else {
        return;
    };
    let told = String::from_utf8_lossy(&output.stdout);
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{why}\n{told}");
}
