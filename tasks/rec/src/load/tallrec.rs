//! `TALLRec`'s rows: a text with the user's preference and unpreference, and
//! "Yes." or "No." for one more item (Bao et al., `RecSys` 2023). They name no
//! user: rows whose lists share most of their titles are taken as one user's,
//! so that intervals stay honest. On the published film test set that tells its
//! 16 users apart, as a look-up in `MovieLens` 100K confirms.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde::Deserialize;
use shiftproof_tasks::diagnostic::{DataProblem, DataProblems, SourceLocation};
use shiftproof_tasks::{Example, Input, Label, field};

use super::{NamedFile, RecSpec};
use crate::text::one_line;
use crate::{ExampleForm, GroupShift, PointwiseTarget};

#[derive(Deserialize)]
struct PublishedRow {
    input: String,
    output: String,
}

struct TallrecRow {
    id: String,
    file: String,
    liked: Vec<String>,
    disliked: Vec<String>,
    item: String,
    /// What an item is called in the row itself.
    kind: String,
    likes: bool,
}

pub(super) fn read(
    files: Vec<NamedFile<'_>>,
    spec: &RecSpec,
    problems: &mut DataProblems,
) -> Vec<Example> {
    if spec.examples != ExampleForm::Pointwise || spec.label != PointwiseTarget::Like {
        problems.push(
            DataProblem::new(
                "data.interactions.examples",
                "these rows ask about one item each",
            )
            .help("set examples = \"pointwise\" and leave label out"),
        );
    }
    if !matches!(
        spec.shift,
        GroupShift::File | GroupShift::HistoryLength | GroupShift::None
    ) {
        problems.push(
            DataProblem::new("data.interactions.shift", "these rows tell no such thing")
                .help("use \"file\", \"history-length\" or \"none\""),
        );
    }
    let mut rows = Vec::new();
    for mut file in files {
        let mut text = String::new();
        if let Err(error) = file.reader.read_to_string(&mut text) {
            problems.push(DataProblem::new(
                &file.name,
                format!("cannot be read: {error}"),
            ));
            continue;
        }
        let published: Vec<PublishedRow> = match serde_json::from_str(&text) {
            Ok(published) => published,
            Err(error) => {
                let place = SourceLocation {
                    file: file.name.clone(),
                    line: error.line() as u64,
                };
                let what = format!("{error}").replace(&format!(" at line {}", error.line()), " at");
                problems.push(
                    DataProblem::new(place, what)
                        .help("the file is one array of objects with input and output"),
                );
                continue;
            }
        };
        let mut key = text.match_indices("\"input\"");
        let (mut line, mut from) = (1, 0);
        let stem = file.base().split('.').next().unwrap_or_default().to_owned();
        for (number, row) in published.iter().enumerate() {
            if let Some((at, _)) = key.next() {
                line += text[from..at].matches('\n').count() as u64;
                from = at;
            }
            let place = SourceLocation {
                file: file.name.clone(),
                line,
            };
            match parse(row) {
                Some((liked, disliked, (kind, item), likes)) => rows.push(TallrecRow {
                    id: format!("{stem}:{number}"),
                    file: stem.clone(),
                    liked,
                    disliked,
                    item,
                    kind,
                    likes,
                }),
                None => problems.push(DataProblem::new(place, "not a row of TALLRec's form").help(
                    "input has the lines \"User Preference: …\", \"User Unpreference: …\" and \
                     \"Whether the user will like the target … \"…\"?\", output is Yes. or No.",
                )),
            }
        }
    }
    examples(&rows, spec)
}

type Parsed = (Vec<String>, Vec<String>, (String, String), bool);

fn parse(row: &PublishedRow) -> Option<Parsed> {
    let rest = row.input.trim().strip_prefix("User Preference:")?;
    let (liked, rest) = rest.split_once("\nUser Unpreference:")?;
    let (disliked, question) = rest.split_once("\nWhether the user will like the target ")?;
    let (kind, quoted) = question.split_once('"')?;
    let kind = one_line(kind);
    let item = title(
        quoted
            .trim_end()
            .strip_suffix('?')?
            .trim_end()
            .strip_suffix('"')?,
    );
    let likes = match row.output.trim().trim_end_matches('.') {
        "Yes" => true,
        "No" => false,
        _ => return None,
    };
    (!item.is_empty()).then(|| (titles(liked), titles(disliked), (kind, item), likes))
}

/// `"A", "B" written by C`: the titles, as `A` and `B written by C`.
fn titles(text: &str) -> Vec<String> {
    let text = text.trim();
    let Some(text) = text.strip_prefix('"') else {
        return Vec::new();
    };
    text.split(", \"")
        .map(title)
        .filter(|title| !title.is_empty())
        .collect()
}

fn title(text: &str) -> String {
    let text = text.trim().trim_start_matches('"');
    one_line(&match text.rsplit_once("\" written by ") {
        Some((title, author)) => format!("{title} written by {author}"),
        None => text.trim_end_matches('"').to_owned(),
    })
}

fn examples(rows: &[TallrecRow], spec: &RecSpec) -> Vec<Example> {
    let users = users(rows);
    let lengths: Vec<f64> = rows
        .iter()
        .map(|row| (row.liked.len() + row.disliked.len()) as f64)
        .collect();
    let thirds = crate::shift::cuts(&lengths, 3);
    let example = |(index, row): (usize, &TallrecRow)| {
        let group = match spec.shift {
            GroupShift::File => row.file.clone(),
            GroupShift::HistoryLength => {
                crate::shift::LENGTHS[crate::shift::band(&thirds, lengths[index])].to_owned()
            }
            _ => "all".to_owned(),
        };
        let history: Vec<_> = row.liked.iter().chain(&row.disliked).cloned().collect();
        let label = if row.likes { "yes" } else { "no" };
        Input {
            cluster: Some(format!("user {}", users[index])),
            ..Input::new(&row.id, group)
        }
        .with_field(field::HISTORY, history.join("\n"))
        .with_field(field::LIKED, row.liked.join("\n"))
        .with_field(field::DISLIKED, row.disliked.join("\n"))
        .with_field(field::ITEM, &row.item)
        .with_field(field::KIND, spec.item.as_ref().unwrap_or(&row.kind))
        .with_label(Label::Class(label.to_owned()))
    };
    rows.iter().enumerate().map(example).collect()
}

/// One number per row, equal for rows of one user: the row's titles, the target
/// among them, share more than two thirds with those of a row before. Windows
/// that slide over one user's events do; two users' ten titles hardly can.
fn users(rows: &[TallrecRow]) -> Vec<usize> {
    let mut at: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut users: Vec<usize> = Vec::with_capacity(rows.len());
    let sets: Vec<BTreeSet<&str>> = rows
        .iter()
        .map(|row| {
            let lists = row.liked.iter().chain(&row.disliked);
            lists
                .map(String::as_str)
                .chain([row.item.as_str()])
                .collect()
        })
        .collect();
    for (index, set) in sets.iter().enumerate() {
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        for title in set {
            for other in at.get(title).into_iter().flatten() {
                *shared.entry(*other).or_default() += 1;
            }
        }
        let alike: BTreeSet<usize> = shared
            .into_iter()
            .filter(|(other, n)| 3 * n > 2 * set.len().min(sets[*other].len()).max(4))
            .map(|(other, _)| users[other])
            .collect();
        let user = alike.first().copied().unwrap_or(index);
        // A row may join what were two chains so far.
        for known in &mut users {
            if alike.contains(known) {
                *known = user;
            }
        }
        users.push(user);
        for title in set {
            at.entry(title).or_default().push(index);
        }
    }
    users
}
