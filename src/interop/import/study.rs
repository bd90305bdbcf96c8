//! Writes the study and its data.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::cases::{ImportedCase, ImportedCases};
use super::groups::GroupRoles;
use super::prompts::ImportedPrompts;
use super::sizes::RoleSizes;
use super::{ConfigLocation, DATA, ImportNotes, ImportOptions};
use crate::exit::{ExitStatus, Failure};

/// The prompts of the default plan see this many examples.
const SHOTS: usize = 36;

/// The study's text and its data's.
pub(super) fn write(
    path: &Path,
    prompts: &ImportedPrompts,
    cases: &ImportedCases,
    model: &str,
    options: ImportOptions<'_>,
    notes: &mut ImportNotes,
) -> Result<(String, String), Failure> {
    let top = ConfigLocation {
        file: path.to_owned(),
        line: 1,
    };
    let used: Vec<ImportedCase> = cases
        .tests
        .iter()
        .filter(|case| {
            let missing = prompts
                .fields
                .iter()
                .find(|field| !case.vars.contains_key(*field));
            if let Some(field) = missing {
                let why = case.unsaid.get(field).map_or_else(
                    || format!("it has no {field:?}, which the prompt shows"),
                    |why| format!("its variable {field:?} is {why}"),
                );
                let what = format!("this test was left out: {why}");
                notes.add(case.place.clone(), what);
            }
            missing.is_none()
        })
        .cloned()
        .collect();
    let roles = GroupRoles::of(used, options, &top, notes)?;
    let sizes = RoleSizes::of(&roles, &cases.labels, path)?;
    let columns = ColumnNames::beside(prompts, &roles.cases);
    let data = data(&roles.cases, prompts, &columns)?;
    let study = study(path, prompts, cases, model, &roles, &sizes, &columns);
    Ok((study, data))
}

/// Column names that no variable has.
struct ColumnNames {
    id: String,
    group: String,
    label: String,
    ids_given: bool,
}

impl ColumnNames {
    fn beside(prompts: &ImportedPrompts, cases: &[ImportedCase]) -> Self {
        let free = |name: &str| {
            let mut name = name.to_owned();
            while prompts.fields.contains(&name) {
                name.insert(0, '_');
            }
            name
        };
        let ids: BTreeSet<&String> = cases
            .iter()
            .filter_map(|case| case.metadata.get("id"))
            .collect();
        Self {
            id: free("id"),
            group: free("group"),
            label: free("label"),
            ids_given: ids.len() == cases.len(),
        }
    }
}

fn data(
    cases: &[ImportedCase],
    prompts: &ImportedPrompts,
    columns: &ColumnNames,
) -> Result<String, Failure> {
    let mut out = String::new();
    for (index, case) in cases.iter().enumerate() {
        let mut row: Map<String, Value> = Map::new();
        let id = case.metadata.get("id").filter(|_| columns.ids_given);
        let id = id.map_or_else(|| format!("test-{}", index + 1), Clone::clone);
        row.insert(columns.id.clone(), id.into());
        row.insert(columns.group.clone(), case.group.clone().into());
        row.insert(columns.label.clone(), case.label.clone().into());
        for field in &prompts.fields {
            row.insert(field.clone(), case.vars[field].clone().into());
        }
        let line =
            serde_json::to_string(&row).map_err(Failure::from_error(ExitStatus::Internal))?;
        out.push_str(&line);
        out.push('\n');
    }
    Ok(out)
}

fn study(
    path: &Path,
    prompts: &ImportedPrompts,
    cases: &ImportedCases,
    model: &str,
    roles: &GroupRoles,
    sizes: &RoleSizes,
    columns: &ColumnNames,
) -> String {
    let file = path
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "# A shiftproof study made from {}.\n\
         # Check it:  shiftproof doctor study.toml\n\
         # Cost:      shiftproof estimate study.toml\n\
         # Run:       shiftproof optimize study.toml\n\n\
         name = {}\n{model}",
        file.replace(char::is_control, " "),
        quoted(&name(path))
    );
    if !prompts.others.is_empty() {
        let _ = writeln!(
            out,
            "# Further prompts of the config; they race beside the seed.\nprompts = [{}]",
            list(&prompts.others)
        );
    }
    out.push_str(&task(prompts, &cases.labels));
    let _ = writeln!(
        out,
        "\n[data]\nfiles = [{}]\nid = {}\ngroup = {}\nlabel = {}\nfields = [{}]",
        quoted(DATA),
        quoted(&columns.id),
        quoted(&columns.group),
        quoted(&columns.label),
        list(&prompts.fields)
    );
    let shown = |case: &ImportedCase| -> Vec<String> {
        let fields = prompts.fields.iter();
        fields.map(|field| case.vars[field].clone()).collect()
    };
    let texts: BTreeSet<Vec<String>> = roles.cases.iter().map(shown).collect();
    if texts.len() < roles.cases.len() {
        out.push_str("# Some tests have the same inputs: none may be searched on and audited.\n");
        out.push_str("leaks = \"drop\"\n");
    }
    out.push_str("\n[groups]\n");
    if roles.held_out {
        out.push_str("# The config has one group: its held-out part stands in for a shift.\n");
    }
    let _ = writeln!(
        out,
        "source = [{}]\ntarget = [{}]\ntrain = {}\nvalidation = {}\nunlabelled = {}\naudit = {}\nbalance = {}",
        list(&roles.source),
        list(&roles.target),
        sizes.train,
        sizes.validation,
        sizes.unlabelled,
        sizes.audit,
        sizes.balance
    );
    let shots = (sizes.train * roles.source.len()).min(SHOTS);
    let _ = writeln!(
        out,
        "\n[search]\nmethod = \"gpo\"\nshots = {shots}\nchunks = {}",
        (shots / 6).clamp(1, 6)
    );
    out
}

/// The study's `[task]`.
pub(super) fn task(prompts: &ImportedPrompts, labels: &[String]) -> String {
    let sent = &prompts.sent;
    let mut out = String::from("\n[task]\nkind = \"classify\"\n");
    // Writing to a string cannot fail.
    if let Some(system) = &sent.system {
        let _ = writeln!(out, "system = {}", quoted(system));
    }
    let _ = writeln!(out, "prompt = {}", quoted(&prompts.seed));
    if sent.as_system {
        out.push_str("prompt_role = \"system\"\n");
    }
    let _ = writeln!(
        out,
        "input = {}\nlabels = [{}]",
        quoted(&sent.input),
        list(labels)
    );
    out
}

/// A study's name: the config's folder, or its file's name where that says
/// nothing.
fn name(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name);
    let stem = path.file_stem();
    let chosen = match stem.and_then(|stem| stem.to_str()) {
        Some(stem) if stem != "promptfooconfig" => Some(stem.to_owned()),
        _ => folder.map(|folder| folder.to_string_lossy().into_owned()),
    };
    let cleaned: String = chosen
        .unwrap_or_default()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let trimmed = cleaned.trim_matches('-');
    if trimmed.is_empty() {
        "promptfoo".into()
    } else {
        trimmed.to_owned()
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
