//! Data sets that a study takes by name.

use std::path::PathBuf;

use crate::exit::{ExitStatus, Failure};
use crate::{datasets, fetch};

/// The prepared rows of a named data set.
pub(crate) fn prepare_dataset(
    name: &str,
    progress: fetch::OnProgress<'_>,
) -> Result<PathBuf, Failure> {
    datasets::prepare(name, progress).map_err(|error| {
        let exit = class_exit(error.class());
        Failure::new(exit, format!("{error}\n  {}", error.help())).caused_by(error)
    })
}

/// The exit code of a failed fetch.
pub(crate) const fn class_exit(class: fetch::FetchErrorClass) -> ExitStatus {
    match class {
        fetch::FetchErrorClass::Usage => ExitStatus::Usage,
        fetch::FetchErrorClass::Cancelled => ExitStatus::Interrupted,
        _ => ExitStatus::Data,
    }
}
