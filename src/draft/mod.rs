//! A study drafted from a user's own data: which column is what is guessed, and
//! every guess is told with its reason.

mod columns;
mod duplicates;
mod labels;
mod objects;
mod options;
mod profile;
mod roles;
mod study;
#[cfg(test)]
mod tests;

use std::path::{Component, Path, PathBuf};

use shiftproof_tasks::{ColumnRoles, DataTable, DetectedFormat, FileFormat};

use self::columns::ChosenColumns;
use self::labels::{DraftAnswers, DraftLabels};
use self::roles::DraftRoles;
use crate::exit::Failure;

/// What the user says instead of a guess.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DraftOptions<'a> {
    /// The label's column.
    pub label: Option<&'a str>,
    /// The group's column.
    pub group: Option<&'a str>,
    /// The id's column.
    pub id: Option<&'a str>,
    /// The columns a model may see.
    pub fields: &'a [String],
    /// The source groups.
    pub source: &'a [String],
}

/// A study and what it rests on.
#[derive(Debug)]
pub(crate) struct DraftStudy {
    /// The study's text.
    pub study: String,
    /// What was found and guessed, a line each.
    pub notes: Vec<String>,
}

/// Drafts a study in `folder` for these files.
///
/// # Errors
/// Where a file cannot be read, no column can be taken for the label, or too few
/// rows have one.
pub(crate) fn draft(
    files: &[PathBuf],
    folder: &Path,
    options: DraftOptions<'_>,
) -> Result<DraftStudy, Failure> {
    let names: Vec<String> = files
        .iter()
        .map(|file| file.to_string_lossy().into_owned())
        .collect();
    let table = DataTable::read(Path::new(""), &names)?;
    let mut told: Vec<String> = table.files.iter().map(written).collect();
    let mut profiles = profile::of(&table);
    let (own, given, source) = (options::of(&table, options), options.label, options.source);
    let objects = own
        .is_none()
        .then(|| objects::of(&table, options))
        .flatten();
    let options = match (&own, &objects) {
        (None, Some(objects)) => DraftOptions {
            label: Some(&objects.column),
            ..options
        },
        // What is a column of options is nothing else.
        (Some(own), _) => {
            profiles.retain(|profile| profile.name != own.column);
            DraftOptions {
                label: Some(&own.label),
                ..options
            }
        }
        (None, None) => options,
    };
    let mut chosen = ChosenColumns::of(&profiles, options)?;
    if given.is_none() {
        match (&own, &objects) {
            (Some(_), _) => {
                "it names one of the row's options".clone_into(&mut chosen.label_reason);
            }
            (None, Some(_)) => "it holds JSON objects".clone_into(&mut chosen.label_reason),
            (None, None) => {}
        }
    }
    told.extend(chosen.notes(&profiles));
    let answers = if let Some(own) = &own {
        told.push(format!(
            "options: {:?} (each row has its own, and {:?} names one of them)",
            own.column, own.label
        ));
        DraftAnswers::Options(own.column.clone())
    } else if let Some(objects) = objects {
        told.extend(objects.notes());
        DraftAnswers::Fields(objects)
    } else {
        let labels = DraftLabels::of(&table, &chosen.label)?;
        told.extend(labels.notes());
        DraftAnswers::Labels(labels)
    };
    let columns = ColumnRoles {
        id: chosen.id.as_ref().map(|(name, _)| name.clone()),
        group: chosen.group.as_ref().map(|(name, _)| name.clone()),
        label: chosen.label.clone(),
        fields: answers.fields(&chosen.fields),
        label_map: answers.map().cloned().unwrap_or_default(),
        ..ColumnRoles::default()
    };
    let task = answers.task(&chosen.fields)?;
    let loaded = columns.examples_for(&table, task.as_ref())?;
    let roles = DraftRoles::of(&loaded, source)?;
    told.extend(roles.notes(&loaded));
    let doubles = duplicates::of(&table, &columns);
    told.extend(doubles.notes());
    let files = files.iter().map(|file| relative(file, folder));
    let study = study::text(&study::StudyParts {
        files: files.collect(),
        chosen: &chosen,
        answers: &answers,
        loaded: &loaded,
        roles: &roles,
        drop_leaks: doubles.any(),
    });
    Ok(DraftStudy { study, notes: told })
}

/// How a file turned out to be written.
fn written(file: &DetectedFormat) -> String {
    let separator = match (file.format, file.delimiter) {
        (_, Some('\t')) => "separated by tabs".to_owned(),
        (_, Some(delimiter)) => format!("separated by '{delimiter}'"),
        (FileFormat::JsonLines, None) => "JSON".to_owned(),
        (_, None) => String::new(),
    };
    let encoding = if file.utf16 { "UTF-16" } else { "UTF-8" };
    format!("{}: {} rows, {separator}, {encoding}", file.file, file.rows)
}

/// The file's path from the study's folder; as it is where there is none.
fn relative(file: &Path, folder: &Path) -> String {
    let fallback = || file.to_string_lossy().into_owned();
    let whole = |path: &Path| {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        std::fs::canonicalize(path)
    };
    // The folder may not exist yet; what does of it is what links are in.
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .collect();
    let base = missing
        .last()
        .map_or(Some(folder), |path| path.parent())
        .unwrap_or(Path::new(""));
    let rest = folder.strip_prefix(base).unwrap_or(Path::new(""));
    let (Ok(file), Ok(base)) = (whole(file), whole(base)) else {
        return fallback();
    };
    let plain = |component: &Component<'_>| matches!(component, Component::Normal(_));
    if !rest.components().all(|component| plain(&component)) {
        return fallback();
    }
    let folder = base.join(rest);
    let common = file
        .components()
        .zip(folder.components())
        .take_while(|(a, b)| a == b)
        .count();
    if common == 0 {
        return file.to_string_lossy().into_owned();
    }
    let up = folder.components().skip(common).map(|_| "..".to_owned());
    let down = file.components().skip(common);
    let down = down.map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}
