//! Checks of a study's data before the first call is paid for.

mod finding;
mod names;
mod roles;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::field;
use crate::split::GroupRows;
use crate::{AnswerForm, Data, Example, GroupsSpec, Input, Label, Task, grade};
pub use finding::{LintFinding, LintSeverity};
pub use roles::drop_leaks;

use names::{group_names, label_in_field};

use LintSeverity::{Error, Info, Warning};
use finding::LintFindings;

/// The checks. Findings go to the person who owns the data: some tell target
/// labels, and no proposer may see them.
#[derive(Clone, Copy)]
pub struct DataLint<'a> {
    /// The task, which renders inputs and knows the answer form.
    pub task: &'a dyn Task,
    /// The groups in use.
    pub groups: &'a GroupsSpec,
    /// All examples, in the order of the files.
    pub examples: &'a [Example],
    /// All inputs without a label, in the order of the files.
    pub unlabelled: &'a [Input],
    /// The roles; without them only the examples are checked.
    pub data: Option<&'a Data>,
    /// Reports leaks into the audit as warnings instead of errors.
    pub allow_leakage: bool,
}

/// The rows of groups in use.
struct UsedRows<'a> {
    examples: Vec<&'a Example>,
    unlabelled: Vec<&'a Input>,
}

impl<'a> UsedRows<'a> {
    /// All inputs, labelled ones first.
    fn inputs(&self) -> impl Iterator<Item = &'a Input> {
        let labelled = self.examples.iter().map(|example| &example.input);
        labelled.chain(self.unlabelled.iter().copied())
    }
}

/// Inputs of more characters than this, about 2000 tokens, may not fit small
/// models.
const LONG_INPUT: usize = 8000;

/// Total variation distance of the class shares that counts as a strong shift.
const STRONG_SHIFT: f64 = 0.2;

/// What chat templates use to mark turns.
const CONTROL_TOKENS: [&str; 13] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|begin_of_text|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
    "[INST]",
    "[/INST]",
    "<start_of_turn>",
    "<end_of_turn>",
];

impl DataLint<'_> {
    /// All findings: errors first, then by code, message and place. The order
    /// and the texts depend on the data alone.
    pub fn run(&self) -> Vec<LintFinding> {
        let mut found = LintFindings::default();
        let rows = GroupRows::new(self.examples, self.unlabelled);
        let used = self.used();
        ids(&used, &mut found);
        self.labels(&used, &mut found);
        self.inputs(&used, &mut found);
        group_names(&rows, &mut found);
        label_in_field(&used, &mut found);
        for (names, is_source) in [(&self.groups.source, true), (&self.groups.target, false)] {
            for name in names {
                group(name, is_source, &rows, &mut found);
            }
        }
        self.shifts(&rows, &mut found);
        if let Some(data) = self.data {
            self.roles(data, &mut found);
            roles::small_groups(data, &mut found);
        }
        found.0.sort();
        found.0
    }

    /// The rows of groups in use, in the order of the files.
    fn used(&self) -> UsedRows<'_> {
        let GroupsSpec { source, target, .. } = self.groups;
        let named = |group: &String| source.contains(group) || target.contains(group);
        let examples = self.examples.iter();
        let unlabelled = self.unlabelled.iter();
        UsedRows {
            examples: examples.filter(|own| named(&own.input.group)).collect(),
            unlabelled: unlabelled.filter(|own| named(&own.group)).collect(),
        }
    }

    fn labels(&self, used: &UsedRows<'_>, found: &mut LintFindings) {
        // A label that nobody compares an answer with may be of any form.
        let compares = match self.task.grader() {
            Some(grader) => grader.takes_label(),
            None => self.task.metric().compares_labels(),
        };
        let misfits = used.examples.iter().filter(|example| {
            compares && !fits(&self.task.answer_form(&example.input), &example.label)
        });
        found.add(
            Error,
            "label-outside-set",
            misfits.map(|own| id(own)),
            |n| format!("labels that cannot be the answer to the task: {n}"),
        );
        // Texts by their digest: as many texts once more would take much room.
        let mut first: HashMap<[u8; 32], &Example> = HashMap::new();
        let conflicts = used.examples.iter().copied().filter_map(|example| {
            let text = key(self.task, &example.input)?;
            match first.entry(*blake3::hash(text.as_bytes()).as_bytes()) {
                Entry::Vacant(place) => {
                    place.insert(example);
                    None
                }
                Entry::Occupied(earlier) => {
                    let earlier = *earlier.get();
                    (earlier.label != example.label).then(|| pair(&example.input, &earlier.input))
                }
            }
        });
        let conflicts: Vec<_> = conflicts.collect();
        found.add(Warning, "conflicting-label", conflicts, |n| {
            format!("inputs that repeat an earlier one's text under another label: {n}")
        });
    }

    fn inputs(&self, used: &UsedRows<'_>, found: &mut LintFindings) {
        let id = |input: &Input| input.id.clone();
        let blank = used.inputs().filter(|input| is_blank(input));
        found.add(Warning, "empty-input", blank.map(id), |n| {
            format!("inputs without text in any field: {n}")
        });
        let long = used
            .inputs()
            .filter(|input| self.task.render(input).chars().count() > LONG_INPUT);
        found.add(Warning, "long-input", long.map(id), |n| {
            format!("inputs above {LONG_INPUT} characters, which small models cut or refuse: {n}")
        });
        let control = used.inputs().filter(|input| {
            let values = input.fields.values();
            values.into_iter().any(|text| {
                // All begin with one of these, which few texts hold.
                text.contains(['<', '[']) && CONTROL_TOKENS.iter().any(|token| text.contains(token))
            })
        });
        found.add(Info, "control-token", control.map(id), |n| {
            format!(
                "inputs with a chat template's control tokens, which are sent as plain text: {n}"
            )
        });
    }

    fn shifts(&self, rows: &GroupRows<'_>, found: &mut LintFindings) {
        if self.task.options().is_some() {
            // Where answers stand says nothing of what they are.
            return;
        }
        let labels = |names: &[String]| -> Vec<&Label> {
            let members = names.iter().flat_map(|name| rows.examples(name));
            members.map(|example| &example.label).collect()
        };
        let shares = |labels: &[&Label]| -> Option<BTreeMap<String, f64>> {
            let n = labels.len() as f64;
            let shares = classes(labels)
                .filter(|classes| !classes.is_empty())?
                .into_iter();
            Some(
                shares
                    .map(|(class, count)| (class.to_owned(), count as f64 / n))
                    .collect(),
            )
        };
        let Some(source) = shares(&labels(&self.groups.source)) else {
            return;
        };
        for name in &self.groups.target {
            let Some(target) = shares(&labels(std::slice::from_ref(name))) else {
                continue;
            };
            let share = |of: &BTreeMap<String, f64>, class| of.get(class).copied().unwrap_or(0.0);
            let distance = source
                .keys()
                .chain(target.keys())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .map(|class| (share(&source, class) - share(&target, class)).abs())
                .sum::<f64>()
                / 2.0;
            if distance >= STRONG_SHIFT {
                found.note(
                    Warning,
                    "prevalence-shift",
                    format!(
                        "class shares of the target group {name:?} differ from the source's by \
                         {:.0} points (total variation)",
                        100.0 * distance
                    ),
                );
            }
        }
    }
}

/// Ids that several rows have.
fn ids(used: &UsedRows<'_>, found: &mut LintFindings) {
    let mut seen = HashSet::new();
    let twice = used
        .inputs()
        .map(|input| &input.id)
        .filter(|id| !seen.insert(*id));
    found.add(Error, "duplicate-id", twice.cloned(), |n| {
        format!("ids used more than once, so that one example may be in two roles: {n}")
    });
}

/// What is to be said of one group.
fn group(name: &str, is_source: bool, rows: &GroupRows<'_>, found: &mut LintFindings) {
    let role = if is_source { "source" } else { "target" };
    let examples = rows.examples(name).iter();
    let labels: Vec<&Label> = examples.map(|example| &example.label).collect();
    let blank = rows.unlabelled(name).len();
    if labels.is_empty() {
        // What the split says of a target without labels is not said again.
        if blank == 0 {
            found.note(
                Error,
                "empty-group",
                format!("the {role} group {name:?} has no examples"),
            );
        }
        return;
    }
    if blank > 0 {
        let (severity, what) = if is_source {
            (Warning, "they are left aside")
        } else {
            (Info, "they serve without one")
        };
        found.note(
            severity,
            "unlabelled-rows",
            format!(
                "the {role} group {name:?} has {blank} rows without a label beside {} with \
                 one: {what}",
                labels.len()
            ),
        );
    }
    let Some(classes) = classes(&labels) else {
        return;
    };
    if let (1, Some(only)) = (classes.len(), classes.keys().next()) {
        let severity = if is_source { Error } else { Warning };
        found.note(
            severity,
            "single-class-group",
            format!(
                "all {} examples of the {role} group {name:?} are {only:?}; \
                 always answering so would score best",
                labels.len()
            ),
        );
        return;
    }
    let shares: Vec<_> = classes
        .iter()
        .map(|(class, n)| format!("{class:?} {:.1}%", 100.0 * *n as f64 / labels.len() as f64))
        .collect();
    found.note(
        Info,
        "prevalence",
        format!(
            "{role} group {name:?}: {} examples, {}",
            labels.len(),
            shares.join(", ")
        ),
    );
    let runs = 1 + labels.windows(2).filter(|pair| pair[0] != pair[1]).count();
    // By chance alone: at most k! in the number of orders, below 1 in 100.
    if runs == classes.len() && labels.len() >= 12 {
        found.note(
            Info,
            "label-sorted",
            format!(
                "the {role} group {name:?} is sorted by label; \
                 the split shuffles it, other readers of the file may not"
            ),
        );
    }
}

/// Examples per class; `None` if some label is no class.
fn classes<'a>(labels: &[&'a Label]) -> Option<BTreeMap<&'a str, usize>> {
    let mut counts = BTreeMap::new();
    for label in labels {
        *counts.entry(label.class()?).or_default() += 1;
    }
    Some(counts)
}

fn fits(form: &AnswerForm, label: &Label) -> bool {
    match (form, label) {
        (
            AnswerForm::Choice { labels } | AnswerForm::MultipleChoice { labels, .. },
            Label::Class(class),
        ) => labels.contains(class),
        (
            AnswerForm::Choice { labels } | AnswerForm::MultipleChoice { labels, .. },
            Label::AnyOf(classes),
        ) => classes.iter().all(|class| labels.contains(class)),
        (AnswerForm::Number { min, max }, Label::Number(number)) => (min..=max).contains(&number),
        (
            AnswerForm::Ranking { candidates }
            | AnswerForm::Likelihood { candidates, .. }
            | AnswerForm::Nearest { candidates },
            Label::Relevant(items),
        ) => items.iter().any(|item| candidates.contains(item)),
        // A choice may also be graded against free text.
        (AnswerForm::Text { .. } | AnswerForm::Choice { .. }, Label::Text(_))
        | (AnswerForm::Text { .. }, Label::AnyOf(_))
        | (AnswerForm::Json { .. }, Label::Fields(_)) => true,
        _ => false,
    }
}

/// Whether the data say nothing; a phrasing's name says nothing either.
fn is_blank(input: &Input) -> bool {
    let mut fields = input.fields.iter();
    fields.all(|(name, text)| name == field::TEMPLATE || text.trim().is_empty())
}

/// What makes two inputs the same text; a blank input is like no other.
fn key(task: &dyn Task, input: &Input) -> Option<String> {
    (!is_blank(input)).then(|| grade::normalise(&task.content(input)))
}

fn id(example: &Example) -> String {
    example.input.id.clone()
}

/// Two inputs with one text.
fn pair(input: &Input, other: &Input) -> String {
    format!("{} = {}", input.id, other.id)
}

#[cfg(test)]
mod tests;
