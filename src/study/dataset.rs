//! Data sets that a study takes by name.

use std::path::PathBuf;

use crate::assets;
use crate::assets::datasets;
use crate::exit::{ExitStatus, Failure};

/// The prepared rows of a named data set.
pub(crate) fn prepare_dataset(
    name: &str,
    progress: assets::OnProgress<'_>,
) -> Result<PathBuf, Failure> {
    datasets::prepare(name, progress).map_err(|error| {
        let exit = class_exit(error.class());
        Failure::new(exit, format!("{error}\n  {}", error.help())).caused_by(error)
    })
}

/// The exit code of a failed fetch.
pub(crate) const fn class_exit(class: assets::FetchErrorClass) -> ExitStatus {
    match class {
        assets::FetchErrorClass::Usage => ExitStatus::Usage,
        assets::FetchErrorClass::Cancelled => ExitStatus::Interrupted,
        _ => ExitStatus::Data,
    }
}
