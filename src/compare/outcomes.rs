//! What a finished run tells a comparison: its summary, each audited example's grades,
//! and how its leader rose.

use std::collections::BTreeMap;

use shiftproof_search::event::{
    AnswerVerdict, AuditedPrompt, Event, Phase, SHOWN_INPUT, ShownInput, UngradedReason,
};
use shiftproof_tasks::{Data, PromptId, Task};

use super::curve::LeaderCurve;
use crate::report::{NamedRun, RunSummary};

/// An audited example: its group and its name in the data.
pub(crate) type ExampleName = (String, String);

/// The audited examples of a study as its data are now: the text that the model sees,
/// and the cluster, where there is one.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditClusters(BTreeMap<ExampleName, (String, Option<String>)>);

/// The grades of seed and selected prompt on one example; none where the answer
/// cannot be graded.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ExampleGrades {
    /// The seed prompt's.
    pub seed: Option<f64>,
    /// The selected prompt's.
    pub selected: Option<f64>,
}

/// A finished run as a comparison reads it.
#[derive(Debug, Clone)]
pub(crate) struct CellRun {
    /// The fold of its events under its name in the store.
    pub run: NamedRun,
    /// The audit, example by example.
    pub grades: BTreeMap<ExampleName, ExampleGrades>,
    /// How the leader rose.
    pub curve: LeaderCurve,
    /// What was shown of the audited examples.
    shown: Vec<ShownInput>,
}

impl AuditClusters {
    /// A name for these examples: equal for equal ones.
    pub fn fingerprint(&self) -> String {
        // A map tells its entries in the order of their keys.
        blake3::hash(format!("{:?}", self.0).as_bytes())
            .to_hex()
            .to_string()
    }

    /// Of a study's data.
    pub fn of(data: &Data, task: &dyn Task) -> Self {
        let inputs = data.audit.inputs().map(|input| {
            let name = (input.group.clone(), input.id.clone());
            (name, (task.render(input), input.cluster.clone()))
        });
        Self(inputs.collect())
    }

    /// The cluster of an example.
    pub fn cluster(&self, example: &ExampleName) -> Option<&str> {
        self.0.get(example)?.1.as_deref()
    }

    #[cfg(test)]
    pub fn none() -> Self {
        Self::default()
    }
}

impl CellRun {
    /// Reads a run's events.
    pub fn of(name: impl Into<String>, events: &[Event]) -> Self {
        let summary = RunSummary::of(events);
        let (seed, selected) = (summary.seed(), summary.selected);
        let mut shown: Vec<&ShownInput> = Vec::new();
        let mut grades: BTreeMap<ExampleName, ExampleGrades> = BTreeMap::new();
        for event in events {
            match event {
                Event::Inputs { inputs } => shown.extend(inputs),
                Event::Answered {
                    candidate,
                    phase: Phase::Audit,
                    answers,
                    ..
                } => {
                    let is = |prompt: Option<PromptId>| prompt == Some(*candidate);
                    for answer in answers {
                        let Some(input) = shown.get(answer.input as usize) else {
                            continue;
                        };
                        let example = (input.group.clone(), input.id.clone());
                        let entry = grades.entry(example).or_default();
                        let grade = grade(answer.verdict);
                        if is(seed) {
                            entry.seed = grade;
                        }
                        if is(selected) {
                            entry.selected = grade;
                        }
                    }
                }
                _ => {}
            }
        }
        let audited = shown.into_iter().filter(|input| {
            let example = (input.group.clone(), input.id.clone());
            grades.contains_key(&example)
        });
        Self {
            run: NamedRun::new(name, summary),
            shown: audited.cloned().collect(),
            curve: LeaderCurve::of(events),
            grades,
        }
    }

    /// Why it cannot be compared, though it came to its end.
    pub fn unaudited(&self) -> Option<String> {
        let selected = self.run.summary.audited(AuditedPrompt::Selected);
        if selected.is_some_and(|groups| groups.iter().any(|group| group.n > 0)) {
            return None;
        }
        Some(self.run.summary.verdict().sentence)
    }

    /// Whether what it was audited on is still in the study's audit. What was shown of
    /// an input is its text on one line, perhaps cut: never more words than characters.
    pub fn is_of(&self, audit: &AuditClusters) -> bool {
        self.shown.iter().all(|input| {
            let example = (input.group.clone(), input.id.clone());
            audit.0.get(&example).is_some_and(|(text, _)| {
                let words: Vec<&str> = text.split_whitespace().take(SHOWN_INPUT).collect();
                let whole = words.join(" ");
                match input.text.strip_suffix('…') {
                    Some(start) => whole.starts_with(start),
                    None => whole == input.text,
                }
            })
        })
    }
}

/// As an outcome's value: an answer not of the form asked for is wrong, one that was
/// cut off or never came is no score.
fn grade(verdict: AnswerVerdict) -> Option<f64> {
    match verdict {
        AnswerVerdict::Graded(grade) => Some(grade),
        AnswerVerdict::Ungraded(UngradedReason::Unparseable) => Some(0.0),
        AnswerVerdict::Ungraded(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use shiftproof_search::event::ShownAnswer;

    use super::*;
    use crate::report::fixture;

    fn inputs(names: &[(&str, &str)]) -> Event {
        let input = |(id, text): &(&str, &str)| ShownInput {
            id: (*id).into(),
            group: "songs".into(),
            text: (*text).into(),
            label: None,
        };
        Event::Inputs {
            inputs: names.iter().map(input).collect(),
        }
    }

    fn answered(candidate: PromptId, phase: Phase, answers: Vec<ShownAnswer>) -> Event {
        Event::Answered {
            candidate,
            phase,
            texts: vec!["positive".into()],
            answers,
        }
    }

    /// Answers of the audit count, whatever was told before; ungraded ones as what
    /// they are.
    #[test]
    fn audit_is_read_by_example() {
        let mut events = fixture::events("gpo", 1, 0.1);
        let (seed, selected) = (fixture::seed().id(), fixture::selected().id());
        let graded = AnswerVerdict::Graded;
        let ungraded = AnswerVerdict::Ungraded;
        let at = events.len() - 1;
        events.splice(
            at..at,
            [
                inputs(&[("early", "x"), ("a", "so far")]),
                answered(seed, Phase::Final, vec![(0, 0, graded(1.0)).into()]),
                answered(
                    seed,
                    Phase::Audit,
                    vec![
                        (1, 0, graded(1.0)).into(),
                        (2, 0, ungraded(UngradedReason::Unparseable)).into(),
                    ],
                ),
                inputs(&[("b", "long …")]),
                answered(
                    selected,
                    Phase::Audit,
                    vec![
                        (1, 0, graded(0.5)).into(),
                        (2, 0, ungraded(UngradedReason::Truncated)).into(),
                    ],
                ),
            ],
        );
        // An input is told before it is answered.
        events.swap(at + 2, at + 3);
        let run = CellRun::of("r", &events);
        let of = |id: &str| run.grades[&("songs".to_owned(), id.to_owned())];
        assert_eq!(run.grades.len(), 2);
        let (a, b) = (of("a"), of("b"));
        assert_eq!((a.seed, a.selected), (Some(1.0), Some(0.5)));
        assert_eq!((b.seed, b.selected), (Some(0.0), None));

        let audit = |texts: [(&str, &str); 2]| {
            let entry = |(id, text): (&str, &str)| {
                let name = ("songs".to_owned(), id.to_owned());
                (name, (text.to_owned(), None))
            };
            AuditClusters(texts.map(entry).into())
        };
        assert!(run.is_of(&audit([("a", "so\n far"), ("b", "long story")])));
        assert!(!run.is_of(&audit([("a", "so far"), ("b", "short story")])));
        assert!(!run.is_of(&audit([("a", "so far, so good"), ("b", "long story")])));
        assert!(!run.is_of(&audit([("a", "so far"), ("c", "long story")])));
        assert!(!run.is_of(&AuditClusters::none()));
    }
}
