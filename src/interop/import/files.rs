//! Files that entries of a config name.

use std::path::{Path, PathBuf};

/// A file's ending in lower case; the empty text where it has none. A sheet's
/// name after `#` is no part of it.
pub(super) fn ending(name: &str) -> String {
    let name = name.split('#').next().unwrap_or(name);
    Path::new(name)
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

/// The files that a name below `folder` stands for: the one of that name, or all
/// that match it as a pattern, by name. A name that is no pattern stands for
/// itself, whether there is such a file or not.
///
/// # Errors
/// Why there are none.
pub(super) fn matching(folder: &Path, name: &str) -> Result<Vec<PathBuf>, String> {
    let name = name.strip_prefix("file://").unwrap_or(name);
    if name.contains("://") {
        return Err("only files of this machine are read".into());
    }
    let path = folder.join(name);
    if path.exists() || !name.contains(['*', '?', '[']) {
        return Ok(vec![path]);
    }
    let pattern = Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join(name);
    let found = glob::glob(&pattern.to_string_lossy())
        .map_err(|error| format!("the pattern is not understood: {}", error.msg))?;
    let found: Vec<PathBuf> = found.filter_map(Result::ok).collect();
    if found.is_empty() {
        return Err("no file matches it".into());
    }
    Ok(found)
}
