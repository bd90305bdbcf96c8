//! Readers of the formats that recommendation data come in. Every error names
//! file and line; all of them are collected before the first is reported.

mod amazon;
pub(crate) mod clock;
mod decode;
mod lines;
mod mind;
mod movielens;
mod python;
mod recbole;
mod sequences;
mod table;
mod tallrec;

use std::io::{BufRead, BufReader, Cursor};
use std::path::Path;
use std::rc::Rc;

use shiftproof_tasks::diagnostic::{DataError, DataProblem, DataProblems};
use shiftproof_tasks::lint::LintFinding;
use shiftproof_tasks::{Example, files};

use self::decode::{Found, Utf8Reader};

use super::list_builder::{InteractionsBuilder, Lists};
use super::{FileLayout, Interactions, NegativeSampling, RecSpec};

/// What files of recommendations hold.
#[derive(Debug, Clone, PartialEq)]
pub enum RecommendationFiles {
    /// Events, with lists of candidates where the study names such a file.
    Events {
        /// Users, items and events.
        interactions: Interactions,
        /// Item ids by user id, best first.
        lists: std::collections::BTreeMap<String, Vec<String>>,
        /// What is worth a look: doubtful encodings, items without titles.
        findings: Vec<LintFinding>,
    },
    /// Ready examples.
    Rows(Vec<Example>),
}

/// A file by the name that errors show.
pub(super) struct NamedFile<'a> {
    pub name: String,
    pub reader: Box<dyn BufRead + 'a>,
}

impl<'a> NamedFile<'a> {
    /// A file whose bytes are read as UTF-8, or in the study's encoding, or as
    /// they themselves tell.
    fn new(name: &str, bytes: impl BufRead + 'a, spec: &RecSpec, found: &Found) -> Self {
        Self {
            name: name.to_owned(),
            reader: Box::new(Utf8Reader::new(
                name.to_owned(),
                bytes,
                spec.encoding(),
                Rc::clone(found),
            )),
        }
    }

    /// The name without its folders.
    fn base(&self) -> &str {
        self.name.rsplit(['/', '\\']).next().unwrap_or(&self.name)
    }
}

impl RecommendationFiles {
    /// Reads these files, relative to `root`.
    ///
    /// # Errors
    /// [`DataError`] with everything found wrong, as `file:line`.
    pub fn read(root: &Path, files: &[String], spec: &RecSpec) -> Result<Self, DataError> {
        let mut problems = DataProblems::default();
        let found = Found::default();
        let mut open = |name: &String| match files::open(&root.join(name)) {
            Ok(file) => Some(NamedFile::new(name, BufReader::new(file), spec, &found)),
            Err(error) => {
                problems.push(
                    DataProblem::new(name, format!("cannot be read: {error}"))
                        .help("file names are relative to the study file's folder"),
                );
                None
            }
        };
        let opened: Vec<_> = files.iter().filter_map(&mut open).collect();
        let lists = spec.candidates.file.as_ref().and_then(&mut open);
        problems.or(())?;
        parse(opened, lists, spec, &found)
    }

    /// As [`read`](Self::read), from memory: names with their bytes.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(files: &[(&str, &[u8])], spec: &RecSpec) -> Result<Self, DataError> {
        let found = Found::default();
        let named = |(name, bytes): &(&str, &[u8])| {
            NamedFile::new(name, Cursor::new(bytes.to_vec()), spec, &found)
        };
        let is_list = |name: &str| spec.candidates.file.as_deref() == Some(name);
        let lists = files.iter().find(|(name, _)| is_list(name)).map(named);
        let files = files.iter().filter(|(name, _)| !is_list(name)).map(named);
        parse(files.collect(), lists, spec, &found)
    }
}

fn parse(
    files: Vec<NamedFile<'_>>,
    lists: Option<NamedFile<'_>>,
    spec: &RecSpec,
    found: &Found,
) -> Result<RecommendationFiles, DataError> {
    let mut problems = DataProblems::default();
    if files.is_empty() {
        problems.push(DataProblem::new("data.files", "names no file"));
    }
    if (spec.candidates.sampling == NegativeSampling::File) != lists.is_some() {
        problems.push(
            DataProblem::new(
                "data.interactions.candidates",
                "sampling = \"file\" and file = \"…\" belong together",
            )
            .help("give both or neither"),
        );
    }
    let mut problems = problems.or(DataProblems::default())?;
    let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let mut builder = InteractionsBuilder::default();
    match spec.format {
        FileLayout::Tallrec => {
            let rows = tallrec::read(files, spec, &mut problems);
            return problems.or(RecommendationFiles::Rows(rows));
        }
        FileLayout::Table => table::read(files, spec, &mut builder, &mut problems),
        FileLayout::Recbole => recbole::read(files, &mut builder, &mut problems),
        FileLayout::Movielens => movielens::read(files, &mut builder, &mut problems),
        FileLayout::Mind => mind::read(files, &mut builder, &mut problems),
        FileLayout::Amazon => amazon::read(files, &mut builder, &mut problems),
        layout @ (FileLayout::Sasrec | FileLayout::Openp5) => {
            sequences::read(files, layout, &mut builder, &mut problems);
        }
    }
    if let Some(problem) = builder.mixed_times() {
        problems.push(problem);
    }
    let mut listed = Lists::new();
    if let Some(file) = lists {
        candidate_lists(file, &builder, &mut listed, &mut problems);
    }
    if problems.is_empty() && builder.is_empty() {
        problems.push(
            DataProblem::new(names.join(", "), "no event in these files")
                .help("are data.files and data.interactions.format right?"),
        );
    }
    let mut findings = found.take();
    findings.extend(builder.untitled(spec.format));
    problems.or(RecommendationFiles::Events {
        interactions: builder.finish(),
        lists: listed,
        findings,
    })
}

/// A user's id, a tab, item ids separated by spaces.
fn candidate_lists(
    file: NamedFile<'_>,
    builder: &InteractionsBuilder,
    lists: &mut Lists,
    problems: &mut DataProblems,
) {
    lines::each(file, problems, |place, line| {
        let (user, items) = line.split_once('\t').ok_or_else(|| {
            DataProblem::new(place, "no tab after the user's id")
                .help("write: USER, a tab, item ids separated by spaces")
        })?;
        let items: Vec<String> = items.split_whitespace().map(str::to_owned).collect();
        if let Some(unknown) = items.iter().find(|item| !builder.knows(item)) {
            return Err(DataProblem::new(
                place,
                format!("the item {unknown:?} is in no data file"),
            )
            .help("list only items of data.files"));
        }
        if lists.insert(user.to_owned(), items).is_some() {
            return Err(
                DataProblem::new(place, format!("a second line of user {user:?}"))
                    .help("keep one line per user"),
            );
        }
        Ok(())
    });
}

#[cfg(test)]
mod tests;
