//! The answers that a person graded, with which a judge is compared.

use shiftproof_search::judging::GradedByPerson;
use shiftproof_tasks::{DataTable, Input, Label};

use crate::exit::Failure;
use crate::study::task_registry::TaskInstance;
use crate::study::{JudgeSpec, ResolvedStudy};

/// The column of a calibration table with what was answered.
const OUTPUT: &str = "output";
/// The column with the person's grade.
const GRADE: &str = "grade";

/// The answers that a person graded, if the study names a table of them.
pub(crate) fn read(
    resolved: &ResolvedStudy,
    built: &TaskInstance,
) -> Result<Vec<GradedByPerson>, Failure> {
    let study = &resolved.study;
    let Some((judge, file)) = study
        .judge
        .as_ref()
        .and_then(|judge| Some((judge, judge.calibration.as_ref()?)))
    else {
        return Ok(Vec::new());
    };
    let table = DataTable::read(&resolved.folder, &[file])?;
    let columns = table.columns();
    let spec = &study.data.columns;
    let fields = if spec.fields.is_empty() {
        &built.fields
    } else {
        &spec.fields
    };
    let needed = fields.iter().map(String::as_str).chain([OUTPUT, GRADE]);
    let missing: Vec<&str> = needed.filter(|name| !columns.contains(name)).collect();
    if !missing.is_empty() {
        return Err(Failure::data(format!(
            "{file}: judge.calibration needs the fields of the input, {OUTPUT:?} (what was \
             answered) and {GRADE:?} (what a person gave it); there is no column {}",
            missing.join(", ")
        )));
    }
    let takes_label = judge.reference;
    if takes_label && !columns.contains(spec.label.as_str()) {
        return Err(Failure::data(format!(
            "{file}: the judge compares with the label, and there is no column {:?}: add it, or \
             set judge.reference = false",
            spec.label
        )));
    }
    let mut graded = Vec::with_capacity(table.rows.len());
    for row in &table.rows {
        let cell = |name: &str| row.values.get(name).unwrap_or_default();
        let place = row.place();
        let grade = judge.scale().read(cell(GRADE)).ok_or_else(|| {
            Failure::data(format!(
                "{place}: {:?} is no grade: write {}",
                cell(GRADE),
                match judge.points {
                    None => "pass or fail".to_owned(),
                    Some(points) => format!("a whole number from 1 to {points}"),
                }
            ))
        })?;
        let mut input = Input::new(place.to_string(), "");
        for name in fields {
            input = input.with_field(name, cell(name));
        }
        graded.push(GradedByPerson {
            input,
            label: takes_label.then(|| Label::Text(cell(&spec.label).to_owned())),
            answer: cell(OUTPUT).to_owned(),
            grade,
        });
    }
    if graded.is_empty() {
        return Err(Failure::data(format!(
            "{file}: judge.calibration has no row"
        )));
    }
    Ok(graded)
}

/// What is said of a judge that nobody has compared with a person.
pub(crate) const UNCALIBRATED: &str = "The judge was never compared with a person \
    (judge.calibration): nobody knows whether its scores are those a person would give.";

/// The same where the study's judge is one.
pub(crate) fn uncalibrated(judge: Option<&JudgeSpec>) -> Option<String> {
    judge?
        .calibration
        .is_none()
        .then(|| UNCALIBRATED.to_owned())
}
