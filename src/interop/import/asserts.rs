//! Assertions, and the label that they tell.

use super::yaml::YamlNode;
use super::{ConfigLocation, ImportNotes};

/// An assertion whose value is a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TextAssertion {
    /// Where it stands.
    pub place: ConfigLocation,
    /// Its type.
    pub kind: String,
    /// What it compares with, where that is a text.
    pub value: Option<String>,
}

/// Assertions that tell the label.
const TELLING: [&str; 4] = ["equals", "icontains", "contains", "starts-with"];
/// Assertions that another label would break: a closed set implies them.
const IMPLIED: [&str; 4] = [
    "not-equals",
    "not-icontains",
    "not-contains",
    "not-starts-with",
];
/// Types that a table's cell may name before its value, beside the telling ones.
/// Any other text with a colon is a value that has to be equal.
const OTHER_TYPES: [&str; 62] = [
    "answer-relevance",
    "bleu",
    "classifier",
    "contains-all",
    "contains-any",
    "contains-html",
    "contains-json",
    "contains-sql",
    "contains-xml",
    "context-faithfulness",
    "context-recall",
    "context-relevance",
    "conversation-relevance",
    "cost",
    "eval",
    "factuality",
    "finish-reason",
    "fn",
    "g-eval",
    "gleu",
    "grade",
    "guardrails",
    "human",
    "icontains-all",
    "icontains-any",
    "is-html",
    "is-json",
    "is-refusal",
    "is-sql",
    "is-valid-function-call",
    "is-valid-openai-function-call",
    "is-valid-openai-tools-call",
    "is-xml",
    "javascript",
    "latency",
    "levenshtein",
    "llm-rubric",
    "meteor",
    "model-graded-closedqa",
    "model-graded-factuality",
    "moderation",
    "perplexity",
    "perplexity-score",
    "pi",
    "python",
    "regex",
    "rouge-l",
    "rouge-n",
    "rouge-s",
    "ruby",
    "search-rubric",
    "select-best",
    "similar",
    "similar:cosine",
    "similar:dot",
    "similar:euclidean",
    "tool-call-f1",
    "trace-error-spans",
    "trace-span-count",
    "trace-span-duration",
    "webhook",
    "word-count",
];

impl TextAssertion {
    /// An entry of `assert`.
    pub fn of(item: YamlNode<'_, '_>) -> Self {
        Self {
            place: item.place(),
            kind: item
                .get("type")
                .and_then(YamlNode::text)
                .unwrap_or_else(|| "without a type".into()),
            value: item.get("value").and_then(YamlNode::text),
        }
    }

    /// A cell of an `__expected` column: `TYPE: VALUE`, `TYPE(THRESHOLD): VALUE`,
    /// `TYPE`, or a value that has to be equal.
    pub fn from_cell(place: ConfigLocation, cell: &str) -> Self {
        let known = |kind: &str| {
            let positive = kind.strip_prefix("not-").unwrap_or(kind);
            TELLING.contains(&positive) || OTHER_TYPES.contains(&positive)
        };
        let without_threshold = |head: &str| match head.split_once('(') {
            Some((kind, rest)) if rest.ends_with(')') => kind.to_owned(),
            _ => head.to_owned(),
        };
        let colons = cell.match_indices(':').map(|(at, _)| at);
        let (kind, value) = colons
            .chain([cell.len()])
            .map(|at| (without_threshold(&cell[..at]), cell.get(at + 1..)))
            .rfind(|(kind, _)| known(kind))
            .unwrap_or_else(|| ("equals".into(), Some(cell)));
        Self {
            place,
            kind,
            value: value.map(|value| value.trim().to_owned()),
        }
    }
}

/// The label that a test's assertions tell, `rendered` putting its variables in.
pub(super) fn label(
    asserts: Vec<TextAssertion>,
    rendered: impl Fn(&str) -> Option<String>,
    notes: &mut ImportNotes,
) -> Option<String> {
    let mut label: Option<String> = None;
    for assertion in asserts {
        let kind = assertion.kind.as_str();
        // A value kept in a file of its own is seldom a label.
        let value = assertion
            .value
            .filter(|value| !value.starts_with("file://"))
            .and_then(|value| rendered(&value))
            .filter(|value| !value.trim().is_empty());
        match value {
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
    label
}
