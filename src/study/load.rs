use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shiftproof_rec::{ItemCatalogue, PreparedExamples};
use shiftproof_search::event::{GroupInfo, GroupRole};
use shiftproof_tasks::lint::{DataLint, LintFinding, LintSeverity, drop_leaks};
use shiftproof_tasks::{
    AnswerForm, BaselinePredictions, ColumnRoles, Data, DataProblem, DataTable, Example, Grader,
    GroupsSpec, Input, Label, Task, UnlabelledDraw, closest,
};

use super::dataset::prepare_dataset;
use super::{DataSpec, LeakPolicy, ResolvedStudy, recommend};
use crate::assets;
use crate::exit::{ExitStatus, Failure};
use crate::labels::{self, HandLabel};
use crate::study::task_registry::TaskInstance;

/// A study's data, ready to run.
pub struct LoadedData {
    /// The examples by role.
    pub data: Data,
    /// The groups in the study's order, sources first.
    pub groups: Vec<GroupInfo>,
    /// What the lints found, errors excluded.
    pub findings: Vec<LintFinding>,
    /// Groups in the data that the study does not name, with their sizes.
    pub unused: BTreeMap<String, usize>,
    /// Labelled examples of each group in the data.
    pub labelled: BTreeMap<String, usize>,
    /// What a user has to know before a run: roles that are smaller than usual,
    /// groups that cannot be audited.
    pub notes: Vec<String>,
    /// The items, where the data are interactions.
    pub catalogue: Option<Arc<ItemCatalogue>>,
    /// What methods without a language model predict for the examples.
    pub baselines: Vec<BaselinePredictions>,
}

/// Reads, splits and lints a study's data. `prepared`: its examples, where the
/// data are interactions; `hand`: labels that people gave, with their file's name.
#[allow(clippy::too_many_arguments)] // Each from another part of the study.
pub fn load_data(
    spec: &DataSpec,
    prepared: Option<PreparedExamples>,
    folder: &Path,
    built: &TaskInstance,
    groups: &GroupsSpec,
    (seed, draw): (u64, UnlabelledDraw),
    (mut hand, file): (Vec<HandLabel>, &str),
    progress: assets::OnProgress<'_>,
) -> Result<LoadedData, Failure> {
    let (task, fields) = (built.task.as_ref(), &built.fields);
    let (catalogue, baselines, mut rows) = match prepared {
        Some(prepared) => (
            prepared.catalogue,
            prepared.baselines,
            RowSummary {
                examples: recommend::fit(prepared.examples, &spec.columns, fields, task)?,
                findings: prepared.findings,
                ..RowSummary::default()
            },
        ),
        None => (None, Vec::new(), table_rows(spec, folder, built, progress)?),
    };
    if let Some(templates) = &built.templates {
        if let Some(input) = rows.unlabelled.first() {
            return Err(Failure::usage(format!(
                "the task deals its wordings to labelled examples; {} has no label",
                input.id
            )));
        }
        templates.deal(&mut rows.examples)?;
    }
    let rules = DealRules {
        task,
        groups,
        leaks: spec.leaks,
        leak_help: "set data.leaks = \"drop\" to leave such examples out, or \"allow\" to go on",
        seed,
        draw,
    };
    let by_hand = labels::taken(&mut hand, &rows.examples, &rows.unlabelled);
    let loaded = deal_rows(rows, &rules, &by_hand, |groups, data| {
        let dealt = labels::deal(&hand, |input| task.answer_form(input), groups, data)?;
        Ok(dealt.note(file))
    })?;
    Ok(LoadedData {
        catalogue,
        baselines,
        ..loaded
    })
}

/// How rows are dealt out to the roles.
#[derive(Clone, Copy)]
struct DealRules<'a> {
    task: &'a dyn Task,
    groups: &'a GroupsSpec,
    leaks: LeakPolicy,
    /// What can be done about a leak.
    leak_help: &'a str,
    seed: u64,
    draw: UnlabelledDraw,
}

/// Splits and lints examples that a program holds itself.
pub(crate) fn deal_examples(
    examples: Vec<Example>,
    unlabelled: Vec<Input>,
    task: &dyn Task,
    resolved: &ResolvedStudy,
) -> Result<LoadedData, Failure> {
    let rows = RowSummary {
        examples,
        unlabelled,
        ..RowSummary::default()
    };
    let rules = DealRules {
        task,
        groups: &resolved.study.groups,
        leaks: resolved.study.data.leaks,
        leak_help: "set .leaks(LeakPolicy::Drop) to leave such examples out, or Allow to go on",
        seed: resolved.seed,
        draw: resolved.draw(),
    };
    // Files are checked where they are read. A label that is none of the task's would be
    // told as a class that is too small.
    let groups = &rules.groups.named(&rows.examples, &rows.unlabelled);
    let lint = DataLint {
        task,
        groups,
        examples: &rows.examples,
        unlabelled: &rows.unlabelled,
        data: None,
        allow_leakage: false,
    };
    let mut found = lint.run();
    found.retain(|finding| ["duplicate-id", "label-outside-set"].contains(&finding.code));
    refuse_errors(found, &rules)?;
    deal_rows(rows, &rules, &BTreeSet::new(), |_, _| Ok(None))
}

/// Splits and lints a study's rows. `by_hand`: ids of rows that are labelled apart from
/// them, whose labels `add` adds; it may have something to tell.
fn deal_rows(
    mut rows: RowSummary,
    rules: &DealRules<'_>,
    by_hand: &BTreeSet<String>,
    add: impl FnOnce(&GroupsSpec, &mut Data) -> Result<Option<String>, Failure>,
) -> Result<LoadedData, Failure> {
    let task = rules.task;
    if is_free(task) {
        // Whoever grades needs no label: every row has what a labelled one has.
        let free = rows.unlabelled.drain(..);
        let free = free.map(|input| input.with_label(Label::Text(String::new())));
        rows.examples.extend(free);
    }
    let groups = rules.groups.named(&rows.examples, &rows.unlabelled);
    if let Some(example) = rows.examples.first() {
        groups.check_class_shares(&task.answer_form(&example.input))?;
    }
    let split = groups
        .split_beside(
            &rows.examples,
            &rows.unlabelled,
            rules.seed,
            rules.draw,
            by_hand,
        )
        .map_err(|error| {
            // What was left out may be what is missing.
            let told = rows.findings.iter().map(|finding| format!("\n  {finding}"));
            let message = told.fold(error.to_string(), |all, line| all + &line);
            Failure::new(ExitStatus::of_data(&error), message).caused_by(error)
        })?;
    let mut data = split.data;
    let added = add(&groups, &mut data)?;
    let mut findings = rows.findings;
    let mut labelled: BTreeMap<String, usize> = BTreeMap::new();
    for example in &rows.examples {
        let group = &example.input.group;
        match labelled.get_mut(group) {
            Some(count) => *count += 1,
            None => _ = labelled.insert(group.clone(), 1),
        }
    }
    let lint = DataLint {
        task,
        groups: &groups,
        examples: &rows.examples,
        unlabelled: &rows.unlabelled,
        data: None,
        allow_leakage: rules.leaks == LeakPolicy::Allow,
    };
    findings.extend(run_lints(lint, &mut data, rules)?);
    let mut notes = split.notes;
    notes.extend(added);
    if groups.target.is_empty() {
        notes.push(
            "there is no target group: prompts are induced from the source alone (method ape), and \
             nothing will be said about data that differ from it"
                .to_owned(),
        );
    }
    let groups = group_infos(&groups, &data);
    Ok(LoadedData {
        data,
        groups,
        findings,
        unused: split.unused,
        labelled,
        notes,
        catalogue: None,
        baselines: Vec::new(),
    })
}

/// Whether answers in free text are graded without a label.
fn is_free(task: &dyn Task) -> bool {
    let form = task.answer_form(&Input::new("", ""));
    let takes_none = |grader: &dyn Grader| !grader.takes_label();
    matches!(form, AnswerForm::Text { .. }) && task.grader().is_some_and(takes_none)
}

/// What the data hold before they are dealt out.
#[derive(Default)]
struct RowSummary {
    examples: Vec<Example>,
    unlabelled: Vec<Input>,
    findings: Vec<LintFinding>,
}

/// The rows of a study whose data are a table of them.
fn table_rows(
    spec: &DataSpec,
    folder: &Path,
    built: &TaskInstance,
    progress: assets::OnProgress<'_>,
) -> Result<RowSummary, Failure> {
    let TaskInstance { task, fields, .. } = built;
    let table = match &spec.dataset {
        Some(name) => {
            let (folder, file) = split_path(&prepare_dataset(name, progress)?);
            DataTable::read(&folder, &[file])?
        }
        None => DataTable::read(folder, &spec.files)?,
    };
    let columns = table_columns(spec, &table, built);
    if let Some(field) = fields.iter().find(|field| !columns.fields.contains(field)) {
        return Err(Failure::usage(format!(
            "task.input reads {{{field}}}, but data.fields has only: {}; name the column there \
             too, or write one of these ({{{{ and }}}} stand for braces)",
            columns.fields.join(", ")
        )));
    }
    let mut findings = quoted(&table);
    findings.extend(unmapped(&columns, &table));
    let loaded = columns.examples_for(&table, task.as_ref());
    let loaded = loaded.map_err(|error| match spec.columns.fields.as_slice() {
        [] => error.map(|problem| of_the_task(problem, task.as_ref())),
        _ => error,
    })?;
    Ok(RowSummary {
        examples: loaded.examples,
        unlabelled: loaded.unlabelled,
        findings,
    })
}

/// A problem with fields that no study names as such: they are those that the task reads.
fn of_the_task(problem: DataProblem, task: &dyn Task) -> DataProblem {
    if problem.place != "data.fields" {
        return problem;
    }
    let options = task.options().map(|column| format!("{column:?}"));
    let is_options = options.is_some_and(|column| problem.what.ends_with(&column));
    let help = problem.help.unwrap_or_default();
    let (key, help) = if is_options {
        ("task.options", help)
    } else {
        let braces = "a name in braces is a column's; {{ and }} stand for braces";
        ("task.input", format!("{help}; {braces}"))
    };
    DataProblem {
        place: key.to_owned(),
        help: Some(help),
        ..problem
    }
}

/// What each column of a table is: where the study names no fields, those that the task
/// reads.
pub(crate) fn table_columns(
    spec: &DataSpec,
    table: &DataTable,
    built: &TaskInstance,
) -> ColumnRoles {
    let mut columns = spec.columns.clone();
    if columns.fields.is_empty() {
        columns.fields.clone_from(&built.fields);
        // Columns that only a prompt names; the label is not to be shown.
        let there = table.columns();
        let schema = built.task.schema().filter(|_| columns.label.is_empty());
        let labels: Vec<&str> = schema
            .map(|schema| schema.columns().map(|(name, _)| name).collect())
            .unwrap_or_default();
        for name in &built.mentions {
            if there.contains(name.as_str())
                && *name != columns.label
                && !labels.contains(&name.as_str())
                && !columns.fields.contains(name)
            {
                columns.fields.push(name.clone());
            }
        }
    }
    columns
}

/// Files in which quotation marks are read as text and may be meant to quote.
fn quoted(table: &DataTable) -> Vec<LintFinding> {
    let files = table.files.iter().filter(|file| file.quoted > 0);
    files
        .map(|file| LintFinding {
            severity: LintSeverity::Warning,
            code: "quotes-in-tsv",
            message: format!(
                "{}: values that begin and end with a quotation mark: {}; in a .tsv it is part of \
                 the text (give the file the ending .csv if they quote)",
                file.file, file.quoted
            ),
            places: Vec::new(),
        })
        .collect()
}

/// Entries of `data.label_map` for values that no row has.
fn unmapped(columns: &ColumnRoles, table: &DataTable) -> Option<LintFinding> {
    if columns.label_map.is_empty() {
        return None;
    }
    let given: BTreeSet<&str> = table
        .rows
        .iter()
        .filter_map(|row| row.values.get(&columns.label))
        .map(str::trim)
        .flat_map(|raw| [raw, raw.strip_suffix(".0").unwrap_or(raw)])
        .collect();
    let idle: Vec<&str> = columns
        .label_map
        .keys()
        .map(String::as_str)
        .filter(|raw| !given.contains(raw))
        .collect();
    let first = idle.first()?;
    let rest = match idle.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more entries)"),
    };
    let meant = closest(first, given.iter().copied())
        .map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    Some(LintFinding {
        severity: LintSeverity::Warning,
        code: "unmapped-value",
        message: format!(
            "data.label_map has an entry for {first:?}{rest}, which no row of the column {:?} \
             holds{meant}",
            columns.label
        ),
        places: Vec::new(),
    })
}

/// Runs the lints; an error stops the study before a call is paid for.
fn run_lints(
    lint: DataLint<'_>,
    data: &mut Data,
    rules: &DealRules<'_>,
) -> Result<Vec<LintFinding>, Failure> {
    if rules.leaks == LeakPolicy::Drop {
        drop_leaks(lint.task, data);
    }
    let found = DataLint {
        data: Some(data),
        ..lint
    };
    refuse_errors(found.run(), rules)
}

/// The findings that are no errors, if none is.
fn refuse_errors(
    findings: Vec<LintFinding>,
    rules: &DealRules<'_>,
) -> Result<Vec<LintFinding>, Failure> {
    let (errors, findings): (Vec<LintFinding>, Vec<LintFinding>) = findings
        .into_iter()
        .partition(|finding| finding.severity == LintSeverity::Error);
    if errors.is_empty() {
        return Ok(findings);
    }
    let mut message = String::from("the data would mislead the search:");
    for error in &errors {
        let _ = write!(message, "\n  {error}");
    }
    if errors.iter().any(|error| error.code == "leak") {
        let _ = write!(message, "\n  {}", rules.leak_help);
    }
    Err(Failure::data(message))
}

fn group_infos(spec: &GroupsSpec, data: &Data) -> Vec<GroupInfo> {
    let count = |examples: &[Example], name: &str| {
        examples
            .iter()
            .filter(|example| example.input.group == name)
            .count()
    };
    let info = |name: &String, role| GroupInfo {
        name: name.clone(),
        role,
        train: count(&data.source.train, name),
        validation: count(&data.source.validation, name),
        labelled: data
            .labelled_target
            .inputs()
            .filter(|input| input.group == *name)
            .count(),
        unlabelled: data
            .target
            .inputs
            .iter()
            .filter(|input| input.group == *name)
            .count(),
        audit: data
            .audit
            .inputs()
            .filter(|input| input.group == *name)
            .count(),
    };
    let sources = spec.source.iter().map(|name| info(name, GroupRole::Source));
    let targets = spec.target.iter().map(|name| info(name, GroupRole::Target));
    sources.chain(targets).collect()
}

fn split_path(path: &Path) -> (PathBuf, String) {
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    (
        folder,
        path.file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
    )
}
