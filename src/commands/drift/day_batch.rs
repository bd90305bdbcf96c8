//! The rows of a day.

use std::collections::{BTreeMap, BTreeSet};

use shiftproof_search::evaluate::GivenAnswer;
use shiftproof_tasks::lint::LintSeverity;
use shiftproof_tasks::{Example, Input, Label};

use crate::cli::DriftArgs;
use crate::commands::label::batch_rows;
use crate::drift::GroupCount;
use crate::exit::Failure;
use crate::labels::{LabelDraw, same_rows};
use crate::runs::session::StudySession;
use crate::study;

/// The rows of a batch in the study's groups.
pub(super) struct DayBatch {
    pub labelled: Vec<Example>,
    pub unlabelled: Vec<Input>,
    /// Labels that were picked: they say nothing of the group.
    pub chosen: BTreeSet<String>,
    /// Whether every row tells its own truth, so that nobody has to label one.
    pub is_complete: bool,
}

/// What is drawn as one: the cluster, or the row itself.
pub(super) fn unit(input: &Input) -> String {
    match &input.cluster {
        Some(cluster) => format!("c{cluster}"),
        None => format!("r{}", input.id),
    }
}

/// The examples of a day's log of interactions.
fn logged(
    args: &DriftArgs,
    session: &StudySession,
    notes: &mut Vec<String>,
) -> Result<Vec<(Input, Label)>, Failure> {
    let day = study::load_batch(
        &session.resolved,
        (&session.built, &session.loaded),
        (&args.study.study, &args.batch, &args.before),
    )?;
    let all = day.examples.len();
    if day.new_items > 0 {
        notes.push(format!(
            "{} of {all} targets are items that the study's data do not have: where the whole \
             catalogue is ranked they cannot be hit.",
            day.new_items
        ));
    }
    let warnings = day.findings.into_iter();
    let warnings = warnings.filter(|finding| finding.severity == LintSeverity::Warning);
    notes.extend(warnings.map(|finding| format!("{}.", finding.message)));
    let rows = day.examples.into_iter();
    Ok(rows.map(|example| (example.input, example.label)).collect())
}

impl DayBatch {
    /// Reads the batch; what a reader has to know of it goes to `notes`.
    pub fn read(
        args: &DriftArgs,
        session: &StudySession,
        notes: &mut Vec<String>,
    ) -> Result<Self, Failure> {
        let (resolved, path) = (&session.resolved, &args.batch);
        let is_log = resolved.study.data.interactions.is_some();
        let (mut labelled, mut unlabelled) = if is_log {
            (logged(args, session, notes)?, Vec::new())
        } else if args.before.is_empty() {
            batch_rows(path, resolved, &session.built)?
        } else {
            return Err(Failure::usage(
                "--before tells what users did before the batch, and the study's data are no \
                 interactions: leave it out",
            ));
        };
        let groups: BTreeSet<&str> = session
            .loaded
            .groups
            .iter()
            .map(|group| &*group.name)
            .collect();
        let all = labelled.len() + unlabelled.len();
        labelled.retain(|(input, _)| groups.contains(input.group.as_str()));
        unlabelled.retain(|input| groups.contains(input.group.as_str()));
        let left = labelled.len() + unlabelled.len();
        if left == 0 {
            let named: Vec<&str> = groups.into_iter().collect();
            return Err(Failure::data(format!(
                "{}: no row is of a group of the study ({})",
                path.display(),
                named.join(", ")
            )));
        }
        if left < all {
            notes.push(format!(
                "{} rows are of groups that the study does not name, and were not asked about.",
                all - left
            ));
        }
        let mut examples: Vec<Example> = labelled
            .into_iter()
            .map(|(input, label)| input.with_label(label))
            .collect();
        let mut chosen = BTreeSet::new();
        let hand = resolved.label_file().pinned(resolved.labels.as_ref())?;
        for label in hand {
            let Some(at) = unlabelled
                .iter()
                .position(|row| same_rows(&label.input, row))
            else {
                continue;
            };
            let input = unlabelled.remove(at);
            let truth = label.label(&session.built.task.answer_form(&input))?;
            if label.draw == LabelDraw::Chosen {
                chosen.insert(input.id.clone());
            }
            examples.push(input.with_label(truth));
        }
        Ok(Self {
            labelled: examples,
            unlabelled,
            chosen,
            is_complete: is_log,
        })
    }

    /// What the prompt's answers, those to labelled rows first, come to by group. Rows
    /// of one user share one voice.
    pub fn count(&self, answers: &[GivenAnswer]) -> BTreeMap<String, GroupCount> {
        let labelled = self.labelled.iter().map(|example| &example.input);
        let rows: Vec<(&Input, &GivenAnswer)> = labelled
            .chain(&self.unlabelled)
            .zip(answers)
            .filter(|(_, answer)| answer.counts)
            .collect();
        let is_fair = |input: &Input| !self.chosen.contains(&input.id);
        let (mut voices, mut graded): (BTreeMap<_, f64>, BTreeMap<_, f64>) = Default::default();
        for (input, answer) in &rows {
            let key = (input.group.as_str(), unit(input));
            *voices.entry(key.clone()).or_default() += 1.0;
            if answer.grade.is_some() && is_fair(input) {
                *graded.entry(key).or_default() += 1.0;
            }
        }
        let mut counts: BTreeMap<String, GroupCount> = BTreeMap::new();
        for (input, answer) in rows {
            let key = (input.group.as_str(), unit(input));
            let own = counts.entry(input.group.clone()).or_default();
            own.rows += 1;
            let class = answer.class.clone().unwrap_or_default();
            *own.classes.entry(class).or_default() += 1.0 / voices[&key];
            if let Some(grade) = answer.grade.filter(|_| is_fair(input)) {
                own.labels += 1.0 / graded[&key];
                own.right += grade / graded[&key];
            }
        }
        counts
    }
}
