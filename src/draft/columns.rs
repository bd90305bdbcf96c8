//! Which column is what.

use super::DraftOptions;
use super::profile::ColumnProfile;
use crate::exit::Failure;

/// Names that labels often have, the plainest first.
pub(super) const LABELS: [&str; 24] = [
    "label",
    "labels",
    "class",
    "category",
    "sentiment",
    "intent",
    "target",
    "queue",
    "topic",
    "gold",
    "truth",
    "answer",
    "expected",
    "annotation",
    "tag",
    "y",
    "rating",
    "stars",
    "score",
    "polarity",
    "priority",
    "type",
    "status",
    "recommended",
];

/// Names that groups often have, the plainest first.
const GROUPS: [&str; 26] = [
    "group",
    "domain",
    "source",
    "channel",
    "segment",
    "origin",
    "site",
    "shop",
    "store",
    "product",
    "department",
    "platform",
    "language",
    "lang",
    "locale",
    "region",
    "country",
    "market",
    "team",
    "brand",
    "dataset",
    "medium",
    "period",
    "month",
    "year",
    "customer",
];

/// Names that ids often have.
const IDS: [&str; 8] = [
    "id", "uid", "uuid", "key", "rowid", "ticketid", "reviewid", "index",
];

/// Most different labels of a guess.
const MOST_LABELS: usize = 30;
/// Most groups of a guess.
const MOST_GROUPS: usize = 40;

/// The columns with why they were taken.
#[derive(Debug)]
pub(super) struct ChosenColumns {
    pub label: String,
    pub label_reason: String,
    pub group: Option<(String, String)>,
    pub id: Option<(String, String)>,
    pub fields: Vec<String>,
    fields_reason: String,
    /// Columns that could be the group as well.
    others: Vec<String>,
}

impl ChosenColumns {
    pub fn of(profiles: &[ColumnProfile], options: DraftOptions<'_>) -> Result<Self, Failure> {
        let given = [
            ("--label", options.label),
            ("--group", options.group),
            ("--id", options.id),
        ];
        let fields = options
            .fields
            .iter()
            .map(|name| ("--fields", Some(name.as_str())));
        for (flag, name) in given.into_iter().chain(fields) {
            if let Some(name) = name {
                exists(profiles, flag, name)?;
            }
        }
        let (label, label_reason) = match options.label {
            Some(name) => (name.to_owned(), "as given".to_owned()),
            None => label(profiles, options)?,
        };
        let (group, others) = match options.group {
            Some(name) => (Some((name.to_owned(), "as given".to_owned())), Vec::new()),
            None => group(profiles, &label, options),
        };
        let taken =
            |name: &str| name == label || group.as_ref().is_some_and(|(group, _)| group == name);
        let id = match options.id {
            Some(name) => Some((name.to_owned(), "as given".to_owned())),
            None => id(profiles, options, &taken),
        };
        let not_text = |name: &str| taken(name) || id.as_ref().is_some_and(|(id, _)| id == name);
        let (fields, fields_reason) = if options.fields.is_empty() {
            texts(profiles, &not_text)?
        } else {
            (options.fields.to_vec(), "as given".to_owned())
        };
        if fields.contains(&label) {
            return Err(Failure::usage(format!(
                "the label {label:?} is among the fields: the model would be shown the answer"
            )));
        }
        if let Some(name) = fields.iter().find(|name| name.contains(['{', '}'])) {
            return Err(Failure::usage(format!(
                "the column {name:?} has a brace in its name, which task.input cannot hold: rename it"
            )));
        }
        Ok(Self {
            label,
            label_reason,
            group,
            id,
            fields,
            fields_reason,
            others,
        })
    }

    /// The choices as lines.
    pub fn notes(&self, profiles: &[ColumnProfile]) -> Vec<String> {
        let mut told = vec![format!("label: {:?} ({})", self.label, self.label_reason)];
        match &self.group {
            Some((name, reason)) => told.push(format!("group: {name:?} ({reason})")),
            None if self.others.is_empty() => {
                told.push("group: none (no column with few values is left)".to_owned());
            }
            None => told.push(format!(
                "group: none (it could be {}: name it with --group)",
                self.others.join(" or ")
            )),
        }
        match &self.id {
            Some((name, reason)) => told.push(format!("id: {name:?} ({reason})")),
            None => told.push(
                "id: none (no column with a name for every row; rows are called FILE:LINE)".into(),
            ),
        }
        let fields: Vec<String> = self.fields.iter().map(|name| format!("{name:?}")).collect();
        told.push(format!(
            "text: {} ({})",
            fields.join(", "),
            self.fields_reason
        ));
        let used = |name: &String| {
            *name == self.label
                || self.fields.contains(name)
                || self.group.as_ref().is_some_and(|(group, _)| group == name)
                || self.id.as_ref().is_some_and(|(id, _)| id == name)
        };
        let unused: Vec<&str> = profiles
            .iter()
            .filter(|profile| !used(&profile.name))
            .map(|profile| profile.name.as_str())
            .collect();
        if !unused.is_empty() {
            told.push(format!("not used: {}", unused.join(", ")));
        }
        told
    }
}

fn exists(profiles: &[ColumnProfile], flag: &str, name: &str) -> Result<(), Failure> {
    if profiles.iter().any(|profile| profile.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = profiles
        .iter()
        .map(|profile| profile.name.as_str())
        .collect();
    let meant = shiftproof_tasks::closest(name, names.iter().copied())
        .map(|close| format!("; did you mean {close:?}?"))
        .unwrap_or_default();
    Err(Failure::usage(format!(
        "{flag} {name}: there is no such column{meant}\n  columns: {}",
        names.join(", ")
    )))
}

/// Whether the user gave the column another meaning.
fn given(options: DraftOptions<'_>, name: &str) -> bool {
    [options.group, options.id].contains(&Some(name))
        || options.fields.iter().any(|field| field == name)
}

fn named<'a>(candidates: &[&'a ColumnProfile], names: &[&str]) -> Option<&'a ColumnProfile> {
    names.iter().find_map(|name| {
        let mut like = candidates.iter().filter(|profile| profile.bare() == *name);
        like.next().copied()
    })
}

fn label(
    profiles: &[ColumnProfile],
    options: DraftOptions<'_>,
) -> Result<(String, String), Failure> {
    let candidates: Vec<&ColumnProfile> = profiles
        .iter()
        .filter(|profile| profile.is_category(MOST_LABELS) && !given(options, &profile.name))
        .collect();
    let holds = |profile: &ColumnProfile| match profile.blank() {
        0 => format!("{} different values", profile.different),
        blank => format!(
            "{} different values, blank in {blank} rows",
            profile.different
        ),
    };
    if let Some(profile) = named(&candidates, &LABELS) {
        let reason = format!("its name; {}", holds(profile));
        return Ok((profile.name.clone(), reason));
    }
    let plain: Vec<&ColumnProfile> = candidates
        .iter()
        .filter(|profile| !GROUPS.contains(&profile.bare().as_str()))
        .copied()
        .collect();
    let blank: Vec<&ColumnProfile> = plain.iter().filter(|p| p.blank() > 0).copied().collect();
    match (plain.as_slice(), blank.as_slice()) {
        ([only], _) => Ok((
            only.name.clone(),
            format!("the only column with few values; {}", holds(only)),
        )),
        (_, [only]) => Ok((
            only.name.clone(),
            format!(
                "of the columns with few values the one with gaps; {}",
                holds(only)
            ),
        )),
        _ => {
            let shown: Vec<String> = if plain.is_empty() {
                let all = profiles.iter();
                all.map(|p| format!("{} ({} different values)", p.name, p.different))
                    .collect()
            } else {
                plain
                    .iter()
                    .map(|p| format!("{} ({})", p.name, holds(p)))
                    .collect()
            };
            let what = if plain.is_empty() {
                "no column looks like a label, which is short and recurs"
            } else {
                "several columns could be the label"
            };
            Err(Failure::usage(format!(
                "{what}: name it with --label\n  columns: {}",
                shown.join(", ")
            )))
        }
    }
}

fn group(
    profiles: &[ColumnProfile],
    label: &str,
    options: DraftOptions<'_>,
) -> (Option<(String, String)>, Vec<String>) {
    let candidates: Vec<&ColumnProfile> = profiles
        .iter()
        .filter(|p| p.is_category(MOST_GROUPS) || p.different == 1 && p.words <= 5.0)
        .filter(|p| p.name != label && p.blank() == 0 && !given(options, &p.name))
        .collect();
    let holds = |profile: &ColumnProfile| format!("{} different values", profile.different);
    if let Some(profile) = named(&candidates, &GROUPS) {
        let reason = format!("its name; {}", holds(profile));
        return (Some((profile.name.clone(), reason)), Vec::new());
    }
    let several: Vec<&&ColumnProfile> = candidates.iter().filter(|p| p.different > 1).collect();
    match several.as_slice() {
        [only] => {
            let reason = format!("the only other column with few values; {}", holds(only));
            (Some((only.name.clone(), reason)), Vec::new())
        }
        several => (None, several.iter().map(|p| p.name.clone()).collect()),
    }
}

fn id(
    profiles: &[ColumnProfile],
    options: DraftOptions<'_>,
    taken: &dyn Fn(&str) -> bool,
) -> Option<(String, String)> {
    let candidates: Vec<&ColumnProfile> = profiles
        .iter()
        .filter(|p| p.is_unique() && p.words < 1.5 && !taken(&p.name))
        .filter(|p| !options.fields.contains(&p.name))
        .collect();
    let reason = "a value of its own in every row".to_owned();
    named(&candidates, &IDS)
        .or_else(|| {
            candidates
                .iter()
                .find(|p| p.bare().ends_with("id"))
                .copied()
        })
        .or_else(|| candidates.first().copied().filter(|p| p.chars <= 40.0))
        .map(|profile| (profile.name.clone(), reason))
}

fn texts(
    profiles: &[ColumnProfile],
    taken: &dyn Fn(&str) -> bool,
) -> Result<(Vec<String>, String), Failure> {
    let left: Vec<&ColumnProfile> = profiles
        .iter()
        .filter(|p| !taken(&p.name) && p.filled > 0)
        .collect();
    let mut texts: Vec<&ColumnProfile> = left.iter().filter(|p| p.is_text()).copied().collect();
    // A title stands above what it heads.
    texts.sort_by(|a, b| a.chars.total_cmp(&b.chars));
    let reason = |texts: &[&ColumnProfile]| {
        let words: Vec<String> = texts.iter().map(|p| format!("{:.0}", p.words)).collect();
        format!("running text, {} words on average", words.join(" and "))
    };
    if !texts.is_empty() {
        let names = texts.iter().map(|profile| profile.name.clone()).collect();
        return Ok((names, reason(&texts)));
    }
    let longest = left.iter().max_by(|a, b| a.chars.total_cmp(&b.chars));
    longest
        .map(|profile| (vec![profile.name.clone()], "the longest values".to_owned()))
        .ok_or_else(|| {
            Failure::usage("no column is left for the text a model reads: name it with --fields")
        })
}
