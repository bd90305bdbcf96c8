//! Files and folders that nobody but their owner may read: replies are paid for, and may quote
//! what is private in the data.
//!
//! On Unix files have the mode 600 and folders 700; elsewhere they have what the system gives.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Options that create a file for its owner alone; what it is opened for is the caller's to set.
pub fn options() -> OpenOptions {
    #[allow(unused_mut)] // Elsewhere than on Unix nothing is set.
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates the file at `path`, or empties the one there.
pub fn create(path: &Path) -> io::Result<File> {
    options().write(true).create(true).truncate(true).open(path)
}

/// Creates the folder at `path`, whose parent exists.
pub fn create_dir(path: &Path) -> io::Result<()> {
    #[allow(unused_mut)]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Takes what is at `path`, with all that is in it, away from everybody but its owner. What
/// earlier versions or a library made is mended by this; what cannot be changed stays as it is.
pub fn restrict(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A link is another's.
        let Ok(about) = fs::symlink_metadata(path) else {
            return;
        };
        let mode = match about.file_type() {
            kind if kind.is_dir() => 0o700,
            kind if kind.is_file() => 0o600,
            _ => return,
        };
        if about.permissions().mode() & 0o777 & !mode != 0 {
            let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode));
        }
        if about.is_dir() {
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                restrict(&entry.path());
            }
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_owners_may_read() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        create_dir(&folder.path().join("a")).unwrap();
        create_dir(&deep).unwrap();
        create(&deep.join("own")).unwrap();
        assert_eq!(mode(&folder.path().join("a")), 0o700);
        assert_eq!((mode(&deep), mode(&deep.join("own"))), (0o700, 0o600));
        fs::write(deep.join("others"), "x").unwrap();
        fs::set_permissions(deep.join("others"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(&deep, fs::Permissions::from_mode(0o755)).unwrap();
        restrict(&folder.path().join("a"));
        assert_eq!((mode(&deep), mode(&deep.join("others"))), (0o700, 0o600));
        // What is stricter stays so.
        fs::set_permissions(deep.join("own"), fs::Permissions::from_mode(0o400)).unwrap();
        restrict(&deep);
        assert_eq!(mode(&deep.join("own")), 0o400);
    }
}
