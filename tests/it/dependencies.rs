//! What `deny.toml` says of licences, sources and versions, checked without
//! cargo-deny, which not everybody has. Advisories need its database: `.ci/run` says
//! where they were not looked at.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Whether one of the `allow`ed licences, or several together, satisfy an expression
/// of SPDX 2.3 (annex D); a slash is the old way to write OR. What is none does not.
fn satisfied(expression: &str, allow: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    either(&words, &mut at, allow) == Some(true) && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allow: &BTreeSet<String>) -> Option<bool> {
    let mut fine = both(words, at, allow)?;
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        fine |= both(words, at, allow)?;
    }
    Some(fine)
}

fn both(words: &[&str], at: &mut usize, allow: &BTreeSet<String>) -> Option<bool> {
    let mut fine = one(words, at, allow)?;
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        fine &= one(words, at, allow)?;
    }
    Some(fine)
}

fn one(words: &[&str], at: &mut usize, allow: &BTreeSet<String>) -> Option<bool> {
    let word = *words.get(*at)?;
    *at += 1;
    if word == "(" {
        let fine = either(words, at, allow)?;
        *at += 1;
        return (words.get(*at - 1) == Some(&")")).then_some(fine);
    }
    // An exception only allows more.
    if words.get(*at) == Some(&"WITH") {
        *at += 2;
    }
    Some(allow.contains(word))
}

#[test]
fn expressions_are_understood() {
    let allow: BTreeSet<String> = ["MIT", "Apache-2.0", "Unicode-3.0"]
        .map(str::to_owned)
        .into();
    for (expression, fine) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("MIT/Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0-only", false),
        ("GPL-3.0-only AND MIT OR Apache-2.0", true),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0-only", true),
        ("MIT OR", false),
        ("(MIT", false),
        ("MIT MIT", false),
        ("", false),
    ] {
        assert_eq!(satisfied(expression, &allow), fine, "{expression}");
    }
}

#[test]
fn dependencies_keep_to_the_rules() {
    let root = env!("CARGO_MANIFEST_DIR");
    let rules: toml::Table =
        toml::from_str(&std::fs::read_to_string(format!("{root}/deny.toml")).unwrap()).unwrap();
    let allow: BTreeSet<String> = rules["licenses"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    // What other systems need beside is not downloaded here; cargo-deny looks at all.
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let told = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", host])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let metadata: Value = serde_json::from_slice(&told.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "{} packages", packages.len());
    for package in packages {
        let name = format!("{} {}", package["name"], package["version"]);
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(satisfied(licence, &allow), "{name} is under {licence:?}");
        let source = package["source"].as_str();
        let own = source.is_none() && package["manifest_path"].as_str().unwrap().starts_with(root);
        let registry = source == Some("registry+https://github.com/rust-lang/crates.io-index");
        assert!(own || registry, "{name} comes from {source:?}");
        for needed in package["dependencies"].as_array().unwrap() {
            let wild = own && needed["req"] == "*" && needed["path"].is_null();
            assert!(!wild, "{name} takes any version of {}", needed["name"]);
        }
    }
}
