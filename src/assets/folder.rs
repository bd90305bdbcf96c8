//! Where fetched files are kept.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use super::FetchError;

/// The user's cache folder: `SHIFTPROOF_CACHE`, else `shiftproof` in the platform's cache folder
/// (`$XDG_CACHE_HOME` or `~/.cache`; `~/Library/Caches` on macOS; `%LOCALAPPDATA%` on Windows).
///
/// # Errors
/// [`FetchError::NoCacheFolder`] when no variable leads to one.
pub fn cache_folder() -> Result<PathBuf, FetchError> {
    choose(&|key| env::var_os(key), env::home_dir()).ok_or(FetchError::NoCacheFolder)
}

fn choose(var: &dyn Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    let folder = |key| {
        var(key)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    // The XDG specification says to ignore a relative path; the same is sane elsewhere.
    let absolute = |key| folder(key).filter(|path| path.is_absolute());
    if let Some(own) = folder("SHIFTPROOF_CACHE") {
        return Some(own);
    }
    let home = home.filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| {
        if cfg!(windows) {
            absolute("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            home.map(|home| home.join("Library/Caches"))
        } else {
            home.map(|home| home.join(".cache"))
        }
    });
    caches.map(|caches| caches.join("shiftproof"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn with(vars: &[(&str, &str)], home: Option<&str>) -> Option<PathBuf> {
        let var = |key: &str| {
            vars.iter()
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value.into())
        };
        choose(&var, home.map(PathBuf::from))
    }

    #[test]
    fn cache_folder_follows_precedence() {
        let all = [("SHIFTPROOF_CACHE", "own"), ("XDG_CACHE_HOME", "/xdg")];
        assert_eq!(with(&all, Some("/home/a")), Some("own".into()));
        assert_eq!(
            with(&all[1..], Some("/home/a")),
            Some("/xdg/shiftproof".into())
        );
        assert_eq!(
            with(&[], Some("/home/a")),
            Some("/home/a/.cache/shiftproof".into())
        );
    }

    #[test]
    fn unusable_values_are_ignored() {
        let bad = [("SHIFTPROOF_CACHE", ""), ("XDG_CACHE_HOME", "relative")];
        assert_eq!(
            with(&bad, Some("/home/a")),
            Some("/home/a/.cache/shiftproof".into())
        );
        assert_eq!(with(&bad, None), None);
        assert_eq!(with(&[], Some("")), None);
    }
}
