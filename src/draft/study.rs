//! The text of a drafted study.

use std::fmt::Write as _;

use shiftproof_tasks::LoadedTable;

use super::columns::ChosenColumns;
use super::labels::{DraftAnswers, DraftSpec};
use super::roles::DraftRoles;

/// The prompts of the default plan see this many examples.
const SHOTS: usize = 36;
/// A label with more than this share makes accuracy a matter of guessing it.
const UNEVEN: f64 = 0.65;

/// What the text is made from.
pub(super) struct StudyParts<'a> {
    /// The data files, from the study's folder.
    pub files: Vec<String>,
    pub chosen: &'a ChosenColumns,
    pub answers: &'a DraftAnswers,
    pub loaded: &'a LoadedTable,
    pub roles: &'a DraftRoles,
    /// Whether texts occur twice.
    pub drop_leaks: bool,
}

pub(super) fn text(parts: &StudyParts<'_>) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "# A shiftproof study drafted from your data. Replace the prompt by the one in use today.\n\
         # Check it:  shiftproof doctor study.toml\n\
         # Cost:      shiftproof estimate study.toml\n\
         # Run:       shiftproof optimize study.toml\n\n\
         name = {}\n\n\
         # The model that does the task. \"embedded\" needs no key and no server. A server instead:\n\
         #   model = {{ name = \"openai:MODEL\", base_url = \"http://127.0.0.1:8080/v1\" }}\n\
         model = \"embedded\"\n\n",
        quoted(&name(&parts.files))
    );
    task(&mut out, parts);
    data(&mut out, parts);
    groups(&mut out, parts);
    out
}

fn task(out: &mut String, parts: &StudyParts<'_>) {
    let spec = parts.answers.spec(&parts.chosen.fields);
    let answers = match parts.answers {
        DraftAnswers::Options(column) => format!(
            "# Each row's own options, shown a line each under letters below the input.\n\
             options = {}",
            quoted(column)
        ),
        DraftAnswers::Labels(labels) => {
            let metric = if labels.largest_share() > UNEVEN {
                "metric = \"macro-f1\"   # one label is frequent: accuracy would reward always giving it"
            } else {
                "metric = \"accuracy\"   # or macro-f1"
            };
            format!("labels = [{}]\n{metric}", list(&labels.names))
        }
        DraftAnswers::Fields(_) => {
            "metric = \"accuracy\"   # the share of the fields that is right; or exact: all are"
                .to_owned()
        }
    };
    let (prompt, input) = spec.texts();
    let kind = match &spec {
        DraftSpec::Classify(_) => "classify",
        DraftSpec::Extract(_) => "extract",
    };
    let fields = match parts.answers {
        DraftAnswers::Fields(fields) => fields.text(quoted, list) + "\n",
        DraftAnswers::Labels(_) | DraftAnswers::Options(_) => String::new(),
    };
    let _ = write!(
        out,
        "[task]\nkind = \"{kind}\"\n\
         # The prompt in use today: the search starts from it and has to beat it.\n\
         prompt = {}\n\
         # How one row is shown to the model; {{column}} is the value of that column.\n\
         input = {}\n\
         {answers}\n\n{fields}",
        quoted(prompt),
        quoted(input),
    );
}

fn data(out: &mut String, parts: &StudyParts<'_>) {
    let chosen = parts.chosen;
    let _ = writeln!(out, "[data]\nfiles = [{}]", list(&parts.files));
    if let Some((id, _)) = &chosen.id {
        let _ = writeln!(out, "id = {}", quoted(id));
    }
    if let Some((group, reason)) = &chosen.group {
        let _ = writeln!(out, "group = {}   # {}", quoted(group), comment(reason));
    }
    let _ = writeln!(
        out,
        "label = {}   # {}; may be blank in target groups",
        quoted(&chosen.label),
        comment(&chosen.label_reason)
    );
    let _ = writeln!(
        out,
        "fields = [{}]",
        list(&parts.answers.fields(&chosen.fields))
    );
    if let Some(map) = parts.answers.map().filter(|map| !map.is_empty()) {
        let pairs: Vec<String> = map
            .iter()
            .map(|(from, to)| format!("{} = {}", quoted(from), quoted(to)))
            .collect();
        let _ = writeln!(out, "label_map = {{ {} }}", pairs.join(", "));
    }
    if parts.drop_leaks {
        let _ = writeln!(
            out,
            "# Some texts stand in several rows: none may be searched on and audited.\nleaks = \"drop\""
        );
    }
}

fn groups(out: &mut String, parts: &StudyParts<'_>) {
    let spec = &parts.roles.spec;
    let _ = writeln!(
        out,
        "\n[groups]\nsource = [{}]   # labels free to use",
        list(&spec.source)
    );
    if spec.target.is_empty() {
        let _ = writeln!(
            out,
            "target = []   # no other group: nothing will be said about data that differ"
        );
    } else {
        let _ = writeln!(
            out,
            "target = [{}]   # where the prompt has to hold",
            list(&spec.target)
        );
    }
    for (key, size, what) in [
        (
            "train",
            spec.train,
            "per source group: shown to the proposer with their labels",
        ),
        (
            "validation",
            spec.validation,
            "per source group: score prompts",
        ),
        (
            "unlabelled",
            spec.unlabelled,
            "per target group: texts without labels",
        ),
        (
            "audit",
            spec.audit,
            "per group with labels: sealed until the choice is made",
        ),
    ] {
        if let Some(size) = size {
            let _ = writeln!(out, "{key} = {size}   # {what}");
        }
    }
    if spec.audit.is_none() {
        let _ = writeln!(
            out,
            "# audit: absent, so each group gives what it has, up to 100; some have few labels"
        );
    }
    if spec.balance == Some(false) {
        let _ = writeln!(
            out,
            "balance = false   # a label is rare in a source group: classes keep their shares"
        );
    }
    let unverified: Vec<&str> = spec
        .target
        .iter()
        .filter(|name| {
            parts
                .loaded
                .examples
                .iter()
                .all(|e| e.input.group != **name)
        })
        .map(String::as_str)
        .collect();
    if !unverified.is_empty() {
        let _ = writeln!(
            out,
            "# Without labels, so unverified: {}. Label about 100 rows of each.",
            comment(&unverified.join(", "))
        );
    }
    let shots = (spec.train.unwrap_or(SHOTS) * spec.source.len()).clamp(1, SHOTS);
    let method = if spec.target.is_empty() { "ape" } else { "gpo" };
    let _ = writeln!(
        out,
        "\n[search]\nmethod = \"{method}\"\nshots = {shots}\nchunks = {}",
        (shots / 6).clamp(1, 6)
    );
}

/// A study's name, after the first file.
fn name(files: &[String]) -> String {
    let stem = files
        .first()
        .and_then(|file| file.rsplit('/').next())
        .and_then(|file| file.split('.').find(|part| !part.is_empty()))
        .unwrap_or_default();
    let cleaned: String = stem
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    match cleaned.trim_matches('-') {
        "" => "study".to_owned(),
        name => name.to_owned(),
    }
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn list(items: &[String]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    quoted.join(", ")
}

/// What may stand behind `#`.
fn comment(text: &str) -> String {
    text.replace(char::is_control, " ")
}
