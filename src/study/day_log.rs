//! A day's log of interactions, in the form and the groups of a study.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use shiftproof_rec::{BatchFiles, PreparedBatch};

use super::dataset::prepare_dataset;
use super::{LoadedData, ResolvedStudy, located, recommend};
use crate::assets;
use crate::exit::Failure;
use crate::study::task_registry::TaskInstance;
use crate::study::textfile;

/// The examples of a day's log, for a study whose data are interactions: `batch` is the day's
/// file, `before` those of the days between the study's data and it. `path` is the study's
/// own file, for messages.
pub(crate) fn load_batch(
    resolved: &ResolvedStudy,
    (built, loaded): (&TaskInstance, &LoadedData),
    (path, batch, before): (&Path, &Path, &[PathBuf]),
) -> Result<PreparedBatch, Failure> {
    let day = batch_examples(resolved, (built, loaded), (batch, before));
    day.map_err(|failure| {
        let text = textfile::read(path).unwrap_or_default();
        failure.told_as(|message| located(message, &text, path))
    })
}

fn batch_examples(
    resolved: &ResolvedStudy,
    (built, loaded): (&TaskInstance, &LoadedData),
    (batch, before): (&Path, &[PathBuf]),
) -> Result<PreparedBatch, Failure> {
    let spec = &resolved.study.data;
    let (Some(asked), Some(catalogue)) = (&spec.interactions, &loaded.catalogue) else {
        return Err(Failure::usage(
            "the study's data are no log of interactions",
        ));
    };
    let full = |path: &Path| {
        let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        full.to_string_lossy().into_owned()
    };
    let before: Vec<String> = before.iter().map(|path| full(path)).collect();
    let (root, files, asked) = match &spec.dataset {
        Some(name) => {
            // It was there a moment ago, when the session was made.
            let mut stay = |_: assets::FetchProgress| ControlFlow::Continue(());
            let file = prepare_dataset(name, &mut stay)?;
            (
                PathBuf::new(),
                vec![full(&file)],
                recommend::named(asked, name)?,
            )
        }
        None => (resolved.folder.clone(), spec.files.clone(), asked.clone()),
    };
    let files = BatchFiles {
        study: &files,
        before: &before,
        batch: &full(batch),
    };
    let mut day = asked.load_batch(&root, files, catalogue)?;
    let task = built.task.as_ref();
    day.examples = recommend::fit(day.examples, &spec.columns, &built.fields, task)?;
    if let Some(templates) = &built.templates {
        templates.deal(&mut day.examples)?;
    }
    Ok(day)
}
