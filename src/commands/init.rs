use std::fs::OpenOptions;
use std::io::Write;

use super::print;
use crate::cli::Init;
use crate::exit::{Exit, Failure};

/// What is written: file name and content.
const FILES: [(&str, &str); 2] = [
    ("study.toml", include_str!("init/study.toml")),
    ("reviews.csv", include_str!("init/reviews.csv")),
];

pub(super) fn run(args: &Init) -> Result<Exit, Failure> {
    let folder = &args.folder;
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::data(format!("cannot create {}: {error}", folder.display())))?;
    // All or nothing: an existing file stops the command before it writes one.
    for (name, _) in FILES {
        let path = folder.join(name);
        if path.exists() {
            return Err(Failure::usage(format!(
                "{} exists; choose an empty folder or move it away",
                path.display()
            )));
        }
    }
    for (name, content) in FILES {
        let path = folder.join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .and_then(|mut file| file.write_all(content.as_bytes()))
            .map_err(|error| Failure::data(format!("cannot write {}: {error}", path.display())))?;
        print(&format!("wrote {}\n", path.display()))?;
    }
    print(&format!(
        "next: shiftproof estimate {0} && shiftproof optimize {0}\n",
        folder.join("study.toml").display()
    ))?;
    Ok(Exit::Done)
}
