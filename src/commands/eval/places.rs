//! Rankings at several places: how good the first K of each list are, prompts and methods
//! without a language model one below the other, over all examples and by group.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use shiftproof_tasks::metric::ranking::{ndcg, recall};
use shiftproof_tasks::{Answer, BaselinePredictions, Example, Label, Task};

use super::EvalTable;
use super::answers::AnswerRow;
use crate::exit::Failure;
use crate::runs::session::StudySession;
use crate::wording::shown::line;
use crate::wording::table::{TextColumn, TextTable};

/// The rows over all groups together.
const ALL: &str = "all";

/// One prompt's or method's lists.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct PlaceScores {
    /// The first places of each list that are looked at, and what they are worth.
    places: Vec<u32>,
    /// By group, and over all of them first.
    groups: Vec<GroupPlaces>,
}

/// One group's lists.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct GroupPlaces {
    group: String,
    /// Lists that count: read ones, and unreadable ones as wrong.
    n: usize,
    /// Mean NDCG of the first places, in the order of the places; in `0..=1`.
    ndcg: Vec<f64>,
    /// Share of lists with a right item in the first places, likewise.
    hr: Vec<f64>,
}

/// One list with what is right; an answer that cannot be read is an empty one.
struct RankedList<'a> {
    group: &'a str,
    ranked: &'a [String],
    relevant: &'a [String],
}

impl PlaceScores {
    /// Of these lists, at these places.
    fn of(places: &[u32], names: &[&str], lists: &[RankedList<'_>]) -> Self {
        let group = |name: &str, own: &[&RankedList<'_>]| {
            let mean = |measure: &dyn Fn(&RankedList<'_>) -> f64| {
                // Of nothing but zeros a sum is -0.
                0.0 + own.iter().map(|list| measure(list)).sum::<f64>() / own.len().max(1) as f64
            };
            let at = |k: &u32| *k as usize;
            GroupPlaces {
                group: name.to_owned(),
                n: own.len(),
                ndcg: places
                    .iter()
                    .map(|k| mean(&|list| ndcg(list.ranked, list.relevant, at(k))))
                    .collect(),
                hr: places
                    .iter()
                    .map(|k| {
                        let hits =
                            |list: &RankedList<'_>| recall(list.ranked, list.relevant, at(k));
                        mean(&|list| f64::from(hits(list) > 0.0))
                    })
                    .collect(),
            }
        };
        let all: Vec<&RankedList<'_>> = lists.iter().collect();
        let mut groups = vec![group(ALL, &all)];
        // A study without a shift has this one group.
        groups.extend(names.iter().filter(|name| **name != ALL).map(|name| {
            let own = lists.iter().filter(|list| list.group == *name);
            group(name, &own.collect::<Vec<_>>())
        }));
        groups.retain(|group| group.n > 0);
        Self {
            places: places.to_vec(),
            groups,
        }
    }

    /// Of a prompt's answers; of several samples the first.
    pub fn of_answers(places: &[u32], names: &[&str], answers: &[AnswerRow]) -> Self {
        let counts = answers
            .iter()
            .filter(|row| row.sample == 1 && row.score.is_some());
        let lists: Vec<RankedList<'_>> = counts
            .map(|row| RankedList {
                group: &row.example.group,
                ranked: row.ranked.as_deref().unwrap_or_default(),
                relevant: &row.example.relevant,
            })
            .collect();
        Self::of(places, names, &lists)
    }

    /// Of a method without a language model, as the task reads what it predicts; none where
    /// it predicts no list.
    pub fn of_baseline(
        places: &[u32],
        names: &[&str],
        (task, examples): (&dyn Task, &[Example]),
        baseline: &BaselinePredictions,
    ) -> Option<Self> {
        let read: Vec<(&Example, Vec<String>)> = examples
            .iter()
            .filter_map(|example| {
                let form = task.answer_form(&example.input);
                let reply = baseline.reply(&example.input.id, &form)?;
                match task.parse(&example.input, &reply) {
                    Answer::Ranking(titles) => Some((example, titles)),
                    _ => None,
                }
            })
            .collect();
        let lists: Vec<RankedList<'_>> = read
            .iter()
            .filter_map(|(example, ranked)| match &example.label {
                Label::Relevant(relevant) => Some(RankedList {
                    group: &example.input.group,
                    ranked,
                    relevant,
                }),
                _ => None,
            })
            .collect();
        (!lists.is_empty()).then(|| Self::of(places, names, &lists))
    }
}

/// Fails where the examples have no lists to look at.
pub(super) fn check(places: &[u32], examples: &[Example]) -> Result<(), Failure> {
    let lists = |example: &Example| matches!(example.label, Label::Relevant(_));
    if places.is_empty() || examples.iter().all(lists) {
        return Ok(());
    }
    Err(Failure::usage(
        "--places looks at the first places of rankings, and these examples have none\n  use \
         listwise examples (data.interactions.examples), or leave it out",
    ))
}

/// The tables: one over all groups, and one a group.
pub(super) fn write(table: &EvalTable, out: &mut String) {
    let rows: Vec<(String, &PlaceScores)> = table
        .baselines
        .iter()
        .filter_map(|row| Some((row.name.clone(), table.baseline_places.get(&row.name)?)))
        .chain(table.prompts.iter().enumerate().filter_map(|(at, row)| {
            let places = row.places.as_ref()?;
            Some((table.heading(at), places))
        }))
        .collect();
    let Some((_, first)) = rows.last() else {
        return;
    };
    for group in &first.groups {
        let mut columns = vec![TextColumn::left()];
        columns.extend(first.places.iter().map(|_| TextColumn::right()));
        columns.extend(first.places.iter().map(|_| TextColumn::right()));
        let mut grid = TextTable::new(columns).indented(2);
        let head = |name: &str| {
            let heads = first.places.iter().map(|k| format!("{name}@{k}"));
            heads.collect::<Vec<_>>()
        };
        let mut cells = vec![String::new()];
        cells.extend(head("N"));
        cells.extend(head("HR"));
        grid.row(cells);
        for (name, scores) in &rows {
            let Some(own) = scores.groups.iter().find(|own| own.group == group.group) else {
                continue;
            };
            let mut cells = vec![name.clone()];
            let values = own.ndcg.iter().chain(&own.hr);
            cells.extend(values.map(|value| format!("{:.1}", value * 100.0)));
            grid.row(cells);
        }
        let _ = writeln!(
            out,
            "at several places · {} (n {})",
            line(&group.group),
            group.n
        );
        out.push_str(&grid.text());
    }
}

/// What several tables tell of methods without a language model: by name.
pub(super) type BaselinePlaces = BTreeMap<String, PlaceScores>;

/// Adds what prompts and methods without a language model are worth at these places.
pub(super) fn add(
    table: &mut EvalTable,
    places: &[u32],
    session: &StudySession,
    examples: &[Example],
) {
    if places.is_empty() {
        return;
    }
    let (task, loaded) = (session.built.task.as_ref(), &session.loaded);
    let names: Vec<&str> = loaded.groups.iter().map(|group| &*group.name).collect();
    for row in &mut table.prompts {
        row.places = Some(PlaceScores::of_answers(places, &names, &row.answers));
    }
    for known in &loaded.baselines {
        if let Some(scores) = PlaceScores::of_baseline(places, &names, (task, examples), known) {
            table.baseline_places.insert(known.name.clone(), scores);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_what_stands_there() {
        let titles = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (right, none) = (titles("a"), Vec::new());
        let lists = [titles("a b c"), titles("b a c"), titles("c b a")];
        let mut lists: Vec<RankedList<'_>> = lists
            .iter()
            .zip(["x", "x", "y"])
            .map(|(ranked, group)| RankedList {
                group,
                ranked,
                relevant: &right,
            })
            .collect();
        // Unreadable: nothing in any place.
        lists.push(RankedList {
            group: "y",
            ranked: &none,
            relevant: &right,
        });
        let scores = PlaceScores::of(&[1, 3], &["x", "y", "empty"], &lists);
        let names: Vec<&str> = scores.groups.iter().map(|group| &*group.group).collect();
        assert_eq!(names, ["all", "x", "y"]);
        assert_eq!(scores.groups[0].n, 4);
        assert_eq!(scores.groups[0].hr, [0.25, 0.75]);
        let none = PlaceScores::of(&[1], &["y"], &lists[3..]);
        assert!(
            none.groups
                .iter()
                .all(|group| group.ndcg[0].is_sign_positive())
        );
        let second = 1.0 / 3_f64.log2();
        assert_eq!(scores.groups[1].ndcg, [0.5, f64::midpoint(1.0, second)]);
        assert_eq!(scores.groups[2].hr, [0.0, 0.5]);
        assert!((scores.groups[2].ndcg[1] - 0.25).abs() < 1e-12);
        // The one group of a study without a shift is told once.
        let all = PlaceScores::of(&[1], &["all"], &lists[..1]);
        assert_eq!(all.groups.len(), 1);
    }
}
