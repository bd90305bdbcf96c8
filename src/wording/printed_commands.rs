//! Commands as they are printed: pasted into the shell that shows them, they work. Those
//! by which a run goes on are kept and passed on, so they work from any folder.

use std::path::Path;

use crate::wording::shown::argument;

/// The flag that names a store other than the default of the folder one is in.
pub(crate) fn store_flag(store: &Path) -> String {
    if store == Path::new(".shiftproof") {
        String::new()
    } else {
        whole_flag(store)
    }
}

/// A path as an argument of a printed command.
pub(crate) fn path_argument(path: &Path) -> String {
    argument(&path.display().to_string())
}

/// The flag that names the store, whichever it is, from the root on.
pub(crate) fn whole_flag(store: &Path) -> String {
    let whole = std::path::absolute(store).unwrap_or_else(|_| store.to_owned());
    format!(" --store {}", argument(&whole.display().to_string()))
}

/// The command by which a run goes on; `flags` stand before the run's name, each with a
/// space before it.
pub(crate) fn resume_line(store: &Path, run: &str, flags: &str) -> String {
    format!(
        "shiftproof optimize{flags} --resume {}{}",
        argument(run),
        whole_flag(store)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resume_lines_work_from_any_folder() {
        assert_eq!(store_flag(Path::new(".shiftproof")), "");
        let here = std::env::current_dir().unwrap();
        let flag = format!(
            " --store {}",
            argument(&here.join("s 1").display().to_string())
        );
        assert_eq!(store_flag(Path::new("s 1")), flag);
        assert!(flag.ends_with("s 1\""), "{flag}");
        let line = resume_line(Path::new(".shiftproof"), "a-s1-1", " --keep-going");
        let store = here.join(".shiftproof");
        let flags = "--keep-going --resume a-s1-1 --store";
        let whole = argument(&store.display().to_string());
        assert_eq!(line, format!("shiftproof optimize {flags} {whole}"));
    }
}
