//! Multiple-choice tasks of BIG-bench (Srivastava et al. 2023) in which some part is harder than
//! another, or asks otherwise: one prompt for all of them has to hold where it was not tuned.
//!
//! The fetched file holds the tasks' files one after the other, each a JSON object.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::Path;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{DatasetColumn, NamedDataset, push_row};
use crate::assets::PinnedBytes;

const ID: DatasetColumn = DatasetColumn {
    name: "id",
    meaning: "unique name of the question",
};
const TEXT: DatasetColumn = DatasetColumn {
    name: "text",
    meaning: "what is asked about, and the question",
};
const OPTIONS: DatasetColumn = DatasetColumn {
    name: "options",
    meaning: "the answers to choose from, as a list",
};
const LABEL: DatasetColumn = DatasetColumn {
    name: "label",
    meaning: "letter of the right option, A for the first",
};
const CLUSTER: DatasetColumn = DatasetColumn {
    name: "cluster",
    meaning: "questions about the same text share it",
};

/// Statements about the order of three, five or seven objects.
pub(super) const LOGICAL_DEDUCTION: NamedDataset = NamedDataset {
    name: "logical-deduction",
    asset: "big-bench",
    rows: 1_500,
    columns: &[
        ID,
        DatasetColumn {
            name: "group",
            meaning: "three, five or seven: how many objects, and options, there are",
        },
        TEXT,
        OPTIONS,
        LABEL,
        CLUSTER,
    ],
    prepared: PinnedBytes {
        path: "logical-deduction-v1.jsonl",
        bytes: 834_981,
        sha256: "f0497610b5b1d05e53ef6da11c0ed72a324e536e12955b86d503a7a6f97bac26",
    },
    read: logical_deduction,
    interactions: None,
};

/// Who holds what after three, five or seven swaps.
pub(super) const SHUFFLED_OBJECTS: NamedDataset = NamedDataset {
    name: "shuffled-objects",
    asset: "big-bench",
    rows: 3_750,
    columns: &[
        ID,
        DatasetColumn {
            name: "group",
            meaning: "three, five or seven: how many people, swaps and options there are",
        },
        TEXT,
        OPTIONS,
        LABEL,
        CLUSTER,
    ],
    prepared: PinnedBytes {
        path: "shuffled-objects-v1.jsonl",
        bytes: 2_870_970,
        sha256: "b1053a2e94bf3d0701d52e657b366224fca988414b8ec89cad108a35738aee40",
    },
    read: shuffled_objects,
    interactions: None,
};

/// What follows from a social situation (Sap et al. 2019).
pub(super) const SOCIAL_IQA: NamedDataset = NamedDataset {
    name: "social-iqa",
    asset: "big-bench",
    rows: 1_894,
    columns: &[
        ID,
        DatasetColumn {
            name: "group",
            meaning: "what is asked for: want, feel, describe, why, before or happen",
        },
        TEXT,
        OPTIONS,
        LABEL,
        CLUSTER,
    ],
    prepared: PinnedBytes {
        path: "social-iqa-v1.jsonl",
        bytes: 620_456,
        sha256: "7ea0ba805a37dd9df07294636c9b9c713dd288b0223b64cda5ed76d6e3f4d836",
    },
    read: social_iqa,
    interactions: None,
};

/// Who it is, where the text says so and where it does not (Parrish et al. 2022).
pub(super) const BBQ: NamedDataset = NamedDataset {
    name: "bbq",
    asset: "big-bench",
    rows: 16_070,
    columns: &[
        ID,
        DatasetColumn {
            name: "group",
            meaning: "the attribute the question is about: age, religion and seven more",
        },
        DatasetColumn {
            name: "condition",
            meaning: "ambig where the text does not tell, disambig where it does",
        },
        TEXT,
        OPTIONS,
        LABEL,
        CLUSTER,
    ],
    prepared: PinnedBytes {
        path: "bbq-v1.jsonl",
        bytes: 6_878_494,
        sha256: "7622dec6bca5a0260c552e36efc8e164d1fdd0a0a5be4f2181e9590376457965",
    },
    read: bbq,
    interactions: None,
};

#[derive(Serialize)]
struct QuestionRow<'a> {
    id: String,
    group: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<&'a str>,
    text: String,
    options: Vec<&'a str>,
    label: String,
    cluster: String,
}

/// One task's file.
#[derive(Deserialize)]
struct TaskFile {
    name: String,
    examples: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    input: String,
    target_scores: ScoredOptions,
    #[serde(default)]
    comment: Option<BbqComment>,
}

#[derive(Deserialize)]
struct BbqComment {
    example_id: u64,
}

/// The options in the order of the file, which no map of JSON keeps.
struct ScoredOptions(Vec<(String, f64)>);

impl<'de> Deserialize<'de> for ScoredOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = ScoredOptions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("options with their scores")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ScoredOptions, A::Error> {
                let mut options: Vec<(String, f64)> = Vec::new();
                while let Some((text, score)) = map.next_entry::<String, f64>()? {
                    if options.iter().any(|(other, _)| *other == text) {
                        return Err(A::Error::custom(format!(
                            "the option {text:?} occurs twice"
                        )));
                    }
                    options.push((text, score));
                }
                Ok(ScoredOptions(options))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl ScoredOptions {
    fn texts(&self) -> Vec<&str> {
        self.0.iter().map(|(text, _)| text.trim()).collect()
    }

    /// The letter of the one right option.
    fn letter(&self) -> Result<String, String> {
        let mut right = self
            .0
            .iter()
            .zip('A'..='Z')
            .filter(|((_, score), _)| *score == 1.0);
        match (right.next(), right.next()) {
            (Some((_, letter)), None) => Ok(letter.to_string()),
            _ => Err("not one option alone is right".to_owned()),
        }
    }
}

fn tasks(path: &Path) -> Result<Vec<TaskFile>, String> {
    let bytes = fs::read(path).map_err(|e| e.to_string())?;
    serde_json::Deserializer::from_slice(&bytes)
        .into_iter::<TaskFile>()
        .collect::<Result<_, _>>()
        .map_err(|e| e.to_string())
}

/// The tasks of three, five and seven objects, in this order: `clause` is in the inputs of those
/// wanted, for two of them have the same names.
fn by_objects(path: &Path, clause: &str) -> Result<Vec<TaskFile>, String> {
    let mut tasks = tasks(path)?;
    tasks.retain(|task| task.examples.iter().any(|own| own.input.contains(clause)));
    ["three_objects", "five_objects", "seven_objects"]
        .into_iter()
        .map(|name| {
            let at = tasks.iter().position(|task| task.name == name);
            at.map(|at| tasks.swap_remove(at))
                .ok_or_else(|| format!("no task {name}"))
        })
        .collect()
}

fn logical_deduction(path: &Path) -> Result<Vec<u8>, String> {
    let mut rows = Vec::new();
    for task in by_objects(path, " there are ")? {
        let group = task.name.trim_end_matches("_objects");
        let mut paragraphs: HashMap<&str, usize> = HashMap::new();
        for (number, question) in task.examples.iter().enumerate() {
            let next = paragraphs.len();
            let paragraph = *paragraphs.entry(&question.input).or_insert(next);
            let row = QuestionRow {
                id: format!("{group}-{number}"),
                group,
                condition: None,
                text: one_line(&question.input),
                options: question.target_scores.texts(),
                label: question.target_scores.letter()?,
                cluster: format!("{group}-{paragraph}"),
            };
            push_row(&mut rows, &row)?;
        }
    }
    Ok(rows)
}

fn shuffled_objects(path: &Path) -> Result<Vec<u8>, String> {
    let mut rows = Vec::new();
    for task in by_objects(path, " swap ")? {
        let group = task.name.trim_end_matches("_objects");
        for (number, question) in task.examples.iter().enumerate() {
            let id = format!("{group}-{number}");
            let row = QuestionRow {
                cluster: id.clone(),
                id,
                group,
                condition: None,
                text: one_line(&question.input),
                options: question.target_scores.texts(),
                label: question.target_scores.letter()?,
            };
            push_row(&mut rows, &row)?;
        }
    }
    Ok(rows)
}

/// The kinds of question, by words in them.
const KINDS: [(&str, &str); 6] = [
    ("want to do", "want"),
    ("describe", "describe"),
    ("why did", "why"),
    ("before this", "before"),
    ("feel", "feel"),
    ("happen", "happen"),
];

/// Questions of none of these kinds, and repeated ones, are left out.
fn social_iqa(path: &Path) -> Result<Vec<u8>, String> {
    let mut rows = Vec::new();
    let mut seen = HashSet::new();
    let tasks = tasks(path)?;
    let task = tasks
        .iter()
        .find(|task| task.name == "social_iqa")
        .ok_or("no task social_iqa")?;
    for (number, question) in task.examples.iter().enumerate() {
        let text = one_line(&question.input);
        let situation = situation(&text);
        let asked = text[situation.len()..].to_lowercase();
        let Some((_, group)) = KINDS.iter().find(|(words, _)| asked.contains(words)) else {
            continue;
        };
        let options = question.target_scores.texts();
        if !seen.insert((text.clone(), options.clone())) {
            continue;
        }
        let row = QuestionRow {
            id: number.to_string(),
            group,
            condition: None,
            cluster: situation.to_owned(),
            text: text.clone(),
            options,
            label: question.target_scores.letter()?,
        };
        push_row(&mut rows, &row)?;
    }
    Ok(rows)
}

/// All but the last sentence.
fn situation(text: &str) -> &str {
    let ends = [". ", "! ", "? "].iter().filter_map(|end| text.rfind(end));
    text[..ends.max().map_or(0, |end| end + 1)].trim_end()
}

/// Repeated questions are left out.
fn bbq(path: &Path) -> Result<Vec<u8>, String> {
    let mut rows = Vec::new();
    let mut seen = HashSet::new();
    let mut groups = BTreeSet::new();
    for task in tasks(path)? {
        let Some(name) = task.name.strip_prefix("bbq_lite_json_") else {
            continue;
        };
        let (group, condition) = name.rsplit_once('_').ok_or("a name without a condition")?;
        groups.insert(group.to_owned());
        for question in &task.examples {
            let comment = question.comment.as_ref().ok_or("no example_id")?;
            let text = one_line(&question.input);
            let options: Vec<String> = question
                .target_scores
                .texts()
                .into_iter()
                .map(str::to_owned)
                .collect();
            if !seen.insert((text.clone(), options)) {
                continue;
            }
            let row = QuestionRow {
                id: format!("{group}-{}", comment.example_id),
                group,
                condition: Some(condition),
                text,
                options: question.target_scores.texts(),
                label: question.target_scores.letter()?,
                // Two people in one situation make four questions: each way round, told or not.
                cluster: format!("{group}-{}", comment.example_id / 4),
            };
            push_row(&mut rows, &row)?;
        }
    }
    if groups.len() == 9 {
        Ok(rows)
    } else {
        Err(format!("{} attributes instead of 9", groups.len()))
    }
}

/// Every run of spaces and line breaks as one space.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a data set makes of a file of these tasks: `id group text options label cluster`.
    fn read(
        by: fn(&Path) -> Result<Vec<u8>, String>,
        tasks: &[serde_json::Value],
    ) -> Result<Vec<serde_json::Value>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text: Vec<String> = tasks.iter().map(ToString::to_string).collect();
        // The published files are not sorted.
        let sorted = r#"{"ape":1,"cat":0,"zebra":0}"#;
        let text = text
            .join("\n")
            .replace(sorted, r#"{"zebra":0,"ape":1,"cat":0}"#);
        fs::write(file.path(), text).unwrap();
        let rows = String::from_utf8(by(file.path())?).unwrap();
        Ok(rows
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect())
    }

    fn task(name: &str, inputs: &[&str]) -> serde_json::Value {
        let examples = inputs.iter().enumerate().map(|(at, input)| {
            serde_json::json!({
                "input": input,
                "target_scores": { "zebra": 0, "ape": 1, "cat": 0 },
                "comment": { "example_id": at },
            })
        });
        serde_json::json!({ "name": name, "examples": examples.collect::<Vec<_>>() })
    }

    #[test]
    fn tasks_of_one_name_are_told_apart() {
        let all = ["three_objects", "five_objects", "seven_objects"].map(|name| {
            [
                task(
                    name,
                    &[
                        "At the zoo, there are animals.  One is first.",
                        "At the zoo, there are animals.  One is first.",
                    ],
                ),
                task(
                    name,
                    &["They meet. First, Al and Bo swap hats. At the end, Al has the "],
                ),
            ]
        });
        let all = all.as_flattened();
        let rows = read(logical_deduction, all).unwrap();
        assert_eq!(rows.len(), 6);
        // Options keep their order, which is not that of the alphabet.
        assert_eq!(
            rows[1],
            serde_json::json!({
                "id": "three-1", "group": "three", "text": "At the zoo, there are animals. One is first.",
                "options": ["zebra", "ape", "cat"], "label": "B", "cluster": "three-0",
            })
        );
        let rows = read(shuffled_objects, all).unwrap();
        let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["three-0", "five-0", "seven-0"]);
        assert!(read(logical_deduction, &all[..2]).is_err());
    }

    #[test]
    fn questions_are_sorted_by_what_they_ask() {
        let rows = read(
            social_iqa,
            &[task(
                "social_iqa",
                &[
                    "Al felt sad. He ran! What will Al want to do next?",
                    "Al ran. How would you describe Al?",
                    "Al ran. How would you describe Al?",
                    "Al ran. What does Al need to do before this? ",
                    "Al ran. What colour was it?",
                ],
            )],
        )
        .unwrap();
        let seen: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {} {}", row["id"], row["group"], row["cluster"]))
            .collect();
        assert_eq!(
            seen,
            [
                r#""0" "want" "Al felt sad. He ran!""#,
                r#""1" "describe" "Al ran.""#,
                r#""3" "before" "Al ran.""#,
            ]
        );
    }

    #[test]
    fn faults_of_the_file_are_errors() {
        let none = task("other", &["x"]);
        assert!(read(social_iqa, std::slice::from_ref(&none)).is_err());
        assert!(read(bbq, &[task("bbq_lite_json_age_ambig", &["Who?"])]).is_err());
        let mut two = task("social_iqa", &["Al ran. How would you describe Al?"]);
        two["examples"][0]["target_scores"]["cat"] = 1.into();
        assert!(read(social_iqa, &[two]).is_err());
    }
}
