//! Replies as models write them, with what each says.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::parse;
use crate::{Answer, AnswerForm, Finish, Reply};

const FILES: [&str; 6] = [
    include_str!("corpus/choice.jsonl"),
    include_str!("corpus/languages.jsonl"),
    include_str!("corpus/number.jsonl"),
    include_str!("corpus/ranking.jsonl"),
    include_str!("corpus/cut_off.jsonl"),
    include_str!("corpus/spoken.jsonl"),
];

/// Replies of one kind to one form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CorpusKind {
    #[serde(rename = "kind")]
    name: String,
    labels: Option<Vec<String>>,
    candidates: Option<Vec<String>>,
    range: Option<[f64; 2]>,
    #[serde(default)]
    pub cut: bool,
    /// Each with what it says; `null` for nothing.
    pub replies: Vec<(String, ExpectedAnswer)>,
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
pub(super) enum ExpectedAnswer {
    Number(f64),
    Text(String),
    Items(Vec<String>),
    Nothing(()),
}

impl CorpusKind {
    pub fn form(&self) -> AnswerForm {
        match (&self.labels, &self.candidates, self.range) {
            (Some(labels), ..) => AnswerForm::choice(labels.iter().cloned()),
            (_, Some(candidates), _) => AnswerForm::Ranking {
                candidates: candidates.clone(),
            },
            (.., Some([min, max])) => AnswerForm::Number { min, max },
            _ => panic!("{}: no form", self.name),
        }
    }

    pub fn reply(&self, text: &str) -> Reply {
        Reply {
            finish: if self.cut {
                Finish::Length
            } else {
                Finish::Stop
            },
            ..Reply::text(text)
        }
    }
}

impl ExpectedAnswer {
    fn text(&self) -> Option<String> {
        match self {
            Self::Number(number) => Some(number.to_string()),
            Self::Text(text) => Some(text.clone()),
            Self::Items(items) => Some(items.join(" | ")),
            Self::Nothing(()) => None,
        }
    }
}

pub(super) fn kinds() -> Vec<CorpusKind> {
    FILES
        .iter()
        .flat_map(|file| file.lines())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

pub(super) fn text(answer: &Answer) -> Option<String> {
    match answer {
        Answer::Ranking(items) => Some(items.join(" | ")),
        other => other.vote(),
    }
}

/// Not one reply is read as what it does not say; what is left unread is named
/// here, so that a change shows.
#[test]
fn corpus_is_read_right() {
    let (mut right, mut wrong, mut unread, mut kinds_seen) =
        (0, Vec::new(), Vec::new(), BTreeSet::new());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for kind in kinds() {
        let form = kind.form();
        kinds_seen.insert(kind.name.clone());
        let name = match form {
            AnswerForm::Choice { .. } => "choice",
            AnswerForm::Number { .. } => "number",
            _ => "ranking",
        };
        for (reply, said) in &kind.replies {
            *counts.entry(name).or_default() += 1;
            let read = text(&parse(&form, &kind.reply(reply)));
            let expected = said.text();
            match read {
                read if read == expected => right += 1,
                None => unread.push(format!("{}: {reply:?} says {expected:?}", kind.name)),
                read => wrong.push(format!(
                    "{}: {reply:?} says {expected:?}, not {read:?}",
                    kind.name
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(
        counts.values().sum::<usize>() >= 700 && kinds_seen.len() >= 45,
        "{counts:?}"
    );
    assert!(unread.len() * 50 <= right, "{right} right; {unread:#?}");
}
