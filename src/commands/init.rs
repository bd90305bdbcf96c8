use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use super::{note, print};
use crate::cli::InitArgs;
use crate::draft;
use crate::exit::{ExitStatus, Failure};
use crate::interop::import::{self, ImportOptions};
use crate::wording::printed_commands::path_argument;

/// What is written where nothing is brought over: file name and content.
const FILES: [(&str, &str); 2] = [
    ("study.toml", include_str!("init/study.toml")),
    ("reviews.csv", include_str!("init/reviews.csv")),
];

pub(super) fn run(args: &InitArgs) -> Result<ExitStatus, Failure> {
    if !args.data.is_empty() {
        return from_data(args);
    }
    let Some(config) = &args.from else {
        return write_all(&args.folder, &FILES);
    };
    let imported = import::promptfoo(
        config,
        ImportOptions {
            group: args.group.as_deref(),
            source: &args.source,
        },
    )?;
    let files = [
        ("study.toml", imported.study.as_str()),
        (import::DATA, imported.data.as_str()),
    ];
    let exit = write_all(&args.folder, &files)?;
    for line in import::messages(&imported.notes) {
        note(&line);
    }
    Ok(exit)
}

/// Drafts a study and tells what it rests on.
fn from_data(args: &InitArgs) -> Result<ExitStatus, Failure> {
    let drafted = draft::draft(
        &args.data,
        &args.folder,
        draft::DraftOptions {
            label: args.label.as_deref(),
            group: args.group.as_deref(),
            id: args.id.as_deref(),
            fields: &args.fields,
            source: &args.source,
        },
    )?;
    let exit = write_all(&args.folder, &[("study.toml", &drafted.study)])?;
    for line in &drafted.notes {
        note(&format!("  {line}"));
    }
    note("  next: put the prompt in use today into task.prompt");
    Ok(exit)
}

fn write_all(folder: &Path, files: &[(&str, &str)]) -> Result<ExitStatus, Failure> {
    std::fs::create_dir_all(folder).map_err(Failure::from_io(
        ExitStatus::Data,
        "create",
        folder,
    ))?;
    // All or nothing: an existing file stops the command before it writes one.
    for (name, _) in files {
        let path = folder.join(name);
        if path.exists() {
            return Err(Failure::usage(format!(
                "{} exists; choose an empty folder or move it away",
                path.display()
            )));
        }
    }
    for (name, content) in files {
        let path = folder.join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .and_then(|mut file| file.write_all(content.as_bytes()))
            .map_err(Failure::from_io(ExitStatus::Data, "write", &path))?;
        print(&format!("wrote {}\n", path.display()))?;
    }
    print(&format!(
        "next: shiftproof estimate {0} && shiftproof optimize {0}\n",
        path_argument(&folder.join("study.toml"))
    ))?;
    Ok(ExitStatus::Done)
}
