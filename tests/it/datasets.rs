//! The prepared data sets, from the real files: skipped, loudly, where these cannot be fetched.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::ops::ControlFlow;

use serde_json::Value;
use shiftproof::assets::datasets::{self, DATASETS, DatasetError, NamedDataset};
use shiftproof::assets::{AssetFetcher, AssetState, FetchError};
use tempfile::TempDir;

use super::fetch_stage::skip;

/// The rows of `set`, or none without a network.
fn rows(set: &NamedDataset) -> Option<Vec<Value>> {
    let cache = TempDir::new().unwrap();
    let fetcher = AssetFetcher::new(cache.path());
    let prepare = || datasets::prepare_with(&fetcher, set.name, &mut |_| ControlFlow::Continue(()));
    let path = match prepare() {
        Ok(path) => path,
        Err(DatasetError::Fetch(
            error @ (FetchError::Network { .. } | FetchError::NoClient { .. }),
        )) => {
            skip(&format!("data set {}", set.name), &error);
            return None;
        }
        Err(error) => panic!("{error}; {}", error.help()),
    };
    let text = fs::read_to_string(&path).unwrap();

    // Damage is found and mended from the raw file, and without one the second call needs nothing.
    fs::write(&path, "damaged").unwrap();
    assert_eq!(fs::read_to_string(prepare().unwrap()).unwrap(), text);
    let raw = fetcher
        .list()
        .into_iter()
        .find(|entry| entry.asset.name == set.asset)
        .unwrap();
    assert_eq!(raw.state, AssetState::Verified);
    fs::remove_file(raw.path).unwrap();
    let unreachable = fetcher.clone().with_env("PATH", "/nonexistent");
    let again = datasets::prepare_with(&unreachable, set.name, &mut |_| ControlFlow::Break(()));
    assert_eq!(again.unwrap(), path);

    Some(checked(set, &text))
}

/// The rows in `text`, which have the columns and the number that the set tells.
fn checked(set: &NamedDataset, text: &str) -> Vec<Value> {
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), set.rows);
    let ids: HashSet<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), rows.len());
    for row in &rows {
        let keys: HashSet<_> = row
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(keys, set.columns.iter().map(|column| column.name).collect());
        assert!(!row["text"].as_str().unwrap().trim().is_empty());
    }
    rows
}

/// Rows by the values of two columns.
fn count(rows: &[Value], group: &str, label: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        let key = format!(
            "{} {}",
            row[group].as_str().unwrap(),
            row[label].as_str().unwrap()
        );
        *counts.entry(key).or_default() += 1;
    }
    counts
}

fn get(name: &str) -> &'static NamedDataset {
    DATASETS.iter().find(|set| set.name == name).unwrap()
}

#[test]
fn vader_has_its_domain_counts() {
    let Some(rows) = rows(get("vader")) else {
        return;
    };
    // Recounted by a separate script from the published files.
    let expected = [
        ("amazon negative", 1_214),
        ("amazon positive", 1_713),
        ("movies negative", 5_059),
        ("movies positive", 4_981),
        ("nyt negative", 1_659),
        ("nyt positive", 1_085),
        ("tweets negative", 986),
        ("tweets positive", 2_221),
    ];
    assert_eq!(
        count(&rows, "domain", "label"),
        expected.map(|(key, n)| (key.to_owned(), n)).into()
    );
    for row in &rows {
        let score = row["score"].as_f64().unwrap();
        assert!((0.5..=4.0).contains(&score.abs()), "{row}");
        assert_eq!(
            row["label"],
            if score > 0.0 { "positive" } else { "negative" }
        );
    }
}

/// One download serves all four.
#[test]
fn big_bench_has_its_groups_and_options() {
    let cache = TempDir::new().unwrap();
    let fetcher = AssetFetcher::new(cache.path());
    // Recounted by a separate script from the published files.
    let expected: [(&str, &[(&str, usize)]); 4] = [
        (
            "logical-deduction",
            &[("five", 500), ("seven", 700), ("three", 300)],
        ),
        (
            "shuffled-objects",
            &[("five", 1_250), ("seven", 1_750), ("three", 750)],
        ),
        (
            "social-iqa",
            &[
                ("before", 214),
                ("describe", 283),
                ("feel", 402),
                ("happen", 208),
                ("want", 548),
                ("why", 239),
            ],
        ),
        (
            "bbq",
            &[
                ("age", 1_344),
                ("disability_status", 1_154),
                ("gender_identity", 3_344),
                ("nationality", 1_880),
                ("physical_appearance", 1_176),
                ("race_ethnicity", 4_000),
                ("religion", 680),
                ("ses", 1_980),
                ("sexual_orientation", 512),
            ],
        ),
    ];
    for (name, groups) in expected {
        let path = match datasets::prepare_with(&fetcher, name, &mut |_| ControlFlow::Continue(()))
        {
            Ok(path) => path,
            Err(DatasetError::Fetch(
                error @ (FetchError::Network { .. } | FetchError::NoClient { .. }),
            )) => return skip(&format!("data set {name}"), &error),
            Err(error) => panic!("{error}; {}", error.help()),
        };
        let rows = checked(get(name), &fs::read_to_string(path).unwrap());
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &rows {
            let group = row["group"].as_str().unwrap();
            *counts.entry(group).or_default() += 1;
            let options: HashSet<_> = row["options"].as_array().unwrap().iter().collect();
            let right = row["label"].as_str().unwrap().as_bytes()[0] - b'A';
            assert!(usize::from(right) < options.len(), "{row}");
            match group {
                "five" => assert_eq!(options.len(), 5),
                "seven" => assert_eq!(options.len(), 7),
                "three" => assert_eq!(options.len(), 3),
                _ => assert!((2..=3).contains(&options.len()), "{row}"),
            }
        }
        assert_eq!(counts, groups.iter().copied().collect(), "{name}");
    }
}

#[test]
fn clothing_has_its_department_counts() {
    let Some(rows) = rows(get("clothing")) else {
        return;
    };
    let expected = [
        ("bottoms no", 551),
        ("bottoms yes", 3_110),
        ("dresses no", 1_197),
        ("dresses yes", 4_948),
        ("intimate no", 254),
        ("intimate yes", 1_396),
        ("jackets no", 167),
        ("jackets yes", 835),
        ("tops no", 1_902),
        ("tops yes", 8_144),
        ("trend no", 30),
        ("trend yes", 88),
    ];
    let counts = count(&rows, "department", "recommended");
    assert_eq!(counts, expected.map(|(key, n)| (key.to_owned(), n)).into());
    let text: String = rows
        .iter()
        .map(|row| row["text"].as_str().unwrap())
        .collect();
    assert!(!text.contains("&#39;") && !text.contains('\n'));
}

/// The study of tickets has data of its own: a source that is labelled, a target that
/// is not, and one with labels in a file beside it.
#[test]
fn tickets_match_their_study() {
    use std::ops::ControlFlow::Continue;
    let path = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/studies/tickets.toml"));
    let study = shiftproof::study::Study::read(path).unwrap_or_else(|f| panic!("{}", f.message));
    let folder = path.parent().unwrap().to_owned();
    let resolved = shiftproof::study::ResolvedStudy::new(study, folder, 1);
    let registry = shiftproof::study::task_registry::TaskRegistry::default();
    let loaded = shiftproof::runs::session::load(&resolved, path, &registry, &mut |_| Continue(()));
    let (_, loaded) = loaded.unwrap_or_else(|failure| panic!("{}", failure.message));
    let groups: Vec<_> = loaded
        .groups
        .iter()
        .map(|group| {
            (
                group.name.as_str(),
                group.validation,
                group.unlabelled,
                group.audit > 0,
            )
        })
        .collect();
    assert_eq!(
        groups,
        [
            ("email", 36, 0, true),
            ("shop", 36, 0, true),
            ("chat", 0, 120, true),
            ("app-review", 0, 120, false),
        ]
    );
    let warnings: Vec<_> = loaded
        .findings
        .iter()
        .filter(|finding| finding.code == "duplicate-text" || finding.code == "leak")
        .collect();
    assert!(warnings.is_empty(), "{warnings:?}");
}

/// The studies that ship name real data sets and real columns of them.
#[test]
fn shipped_studies_name_real_columns() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/studies");
    let mut checked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        if let Err(failure) = shiftproof::study::Study::read(&path) {
            panic!("{}", failure.message);
        }
        let study: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        // Examples made of interactions have no columns of their own.
        if study["data"].get("interactions").is_some() {
            continue;
        }
        let Some(name) = study["data"].get("dataset").and_then(toml::Value::as_str) else {
            continue;
        };
        let columns: HashSet<_> = get(name).columns.iter().map(|column| column.name).collect();
        let data = study["data"].as_table().unwrap();
        let named = ["id", "group", "label", "cluster"]
            .iter()
            .filter_map(|key| data.get(*key))
            .chain(study["task"].get("options"));
        let fields = data.get("fields").and_then(toml::Value::as_array);
        for column in named.chain(fields.into_iter().flatten()) {
            let column = column.as_str().unwrap();
            assert!(
                columns.contains(column),
                "{}: no column {column}",
                path.display()
            );
        }
        let input = study["task"]["input"].as_str().unwrap();
        let field = input
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'))
            .unwrap()
            .0;
        assert!(
            columns.contains(field),
            "{}: no column {field}",
            path.display()
        );
        checked += 1;
    }
    assert!(checked >= 2);
}
