//! Reading directories of recorded outcomes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;

use crate::text_kernel::TextKernel;

/// Why a directory cannot be read.
#[derive(Debug, Error)]
pub enum MatrixError {
    /// The file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file can be read but not understood.
    #[error("read {}{}: {problem}", path.display(), line.map(|l| format!(":{l}")).unwrap_or_default())]
    Format {
        /// The file.
        path: PathBuf,
        /// Line, from 1, where one is to blame.
        line: Option<usize>,
        /// What is wrong and what was expected.
        problem: String,
    },
}

/// What one column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// One recorded outcome per prompt.
    Example,
    /// An accuracy over this many items per prompt; single outcomes are drawn
    /// from it.
    Cell {
        /// Items behind every accuracy.
        items: u32,
    },
}

/// Recorded outcomes of prompts × examples for one LLM.
#[derive(Debug, Clone)]
pub struct OutcomeMatrix {
    /// Name, with the LLM where the directory has several.
    pub name: String,
    /// What a column is.
    pub kind: ColumnKind,
    /// Prompt texts, system text first.
    pub prompts: Vec<String>,
    /// Group names.
    pub groups: Vec<String>,
    /// Group of every example.
    pub group_of: Vec<u32>,
    /// Further columns of the examples by name (`id` and `group` left out).
    pub columns: BTreeMap<String, Vec<String>>,
    /// Row-major prompts × examples; NaN is missing.
    pub outcomes: Vec<f32>,
    /// Likeness of the prompt texts.
    pub kernel: Option<Arc<TextKernel>>,
    /// True means, row-major prompts × groups, where they are known (planted
    /// worlds); regret is then taken on these.
    pub truth: Option<Vec<f64>>,
}

impl OutcomeMatrix {
    /// Class of every example, where a column tells it: one of 0 and 1 that is
    /// called `label` or begins with `rel`.
    pub fn classes(&self) -> Option<Vec<u32>> {
        self.columns
            .iter()
            .filter(|(name, _)| name.as_str() == "label" || name.starts_with("rel"))
            .find_map(|(_, values)| {
                values
                    .iter()
                    .map(|value| value.parse().ok().filter(|class| *class < 2))
                    .collect()
            })
    }
}

#[derive(Deserialize)]
struct MatrixMetadata {
    name: String,
    format_version: u32,
    kind: String,
    n_prompts: usize,
    n_examples: usize,
    #[serde(default)]
    llms: Vec<MetaLlm>,
}

#[derive(Deserialize)]
struct MetaLlm {
    id: String,
    file: String,
    dtype: String,
}

#[derive(Deserialize)]
struct PromptLine {
    id: usize,
    text: String,
    #[serde(default)]
    system: Option<String>,
    #[serde(default)]
    valid: Option<bool>,
}

/// Items of a cell when the directory does not say.
const ITEMS: u32 = 100;

fn read(path: &Path) -> Result<Vec<u8>, MatrixError> {
    std::fs::read(path).map_err(|source| MatrixError::Read {
        path: path.into(),
        source,
    })
}

fn wrong(path: &Path, line: Option<usize>, problem: impl Into<String>) -> MatrixError {
    MatrixError::Format {
        path: path.into(),
        line,
        problem: problem.into(),
    }
}

/// Directories under `root` (itself included) that hold a matrix, sorted.
/// Directories of other kinds (optimiser logs) are skipped.
pub fn find(root: &Path) -> Result<Vec<PathBuf>, MatrixError> {
    let mut found = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(directory) = open.pop() {
        let meta = directory.join("meta.json");
        if meta.is_file() {
            let kind: serde_json::Value = serde_json::from_slice(&read(&meta)?)
                .map_err(|e| wrong(&meta, Some(e.line()), e.to_string()))?;
            if matches!(kind["kind"].as_str(), Some("example" | "cell")) {
                found.push(directory);
            }
            continue;
        }
        let entries = std::fs::read_dir(&directory).map_err(|source| MatrixError::Read {
            path: directory.clone(),
            source,
        })?;
        for entry in entries {
            let entry = entry.map_err(|source| MatrixError::Read {
                path: directory.clone(),
                source,
            })?;
            if entry.path().is_dir() {
                open.push(entry.path());
            }
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(wrong(
            root,
            None,
            "no meta.json of kind \"example\" or \"cell\" here or below",
        ));
    }
    Ok(found)
}

/// Loads a directory: one matrix per LLM. Prompts marked `valid: false` are
/// left out.
pub fn load(directory: &Path) -> Result<Vec<OutcomeMatrix>, MatrixError> {
    let path = directory.join("meta.json");
    let meta: MatrixMetadata = serde_json::from_slice(&read(&path)?)
        .map_err(|e| wrong(&path, Some(e.line()), e.to_string()))?;
    if meta.format_version != 1 {
        return Err(wrong(
            &path,
            None,
            format!("format_version {} is not known, 1 is", meta.format_version),
        ));
    }
    let (prompts, kept) = read_prompts(&directory.join("prompts.jsonl"), meta.n_prompts)?;
    let examples = read_examples(&directory.join("examples.csv"), meta.n_examples)?;
    let kind = match meta.kind.as_str() {
        "example" => ColumnKind::Example,
        "cell" => {
            let items = examples
                .columns
                .get("n_items")
                .and_then(|c| c.first()?.parse().ok());
            ColumnKind::Cell {
                items: items.unwrap_or(ITEMS),
            }
        }
        other => {
            let problem =
                format!("kind \"{other}\" cannot be replayed; \"example\" and \"cell\" can");
            return Err(wrong(&path, None, problem));
        }
    };
    if meta.llms.is_empty() {
        return Err(wrong(&path, None, "`llms` names no outcomes"));
    }
    let kernel = TextKernel::of_texts(&prompts).map(Arc::new);
    let several = meta.llms.len() > 1;
    meta.llms
        .iter()
        .map(|llm| {
            let file = directory.join(&llm.file);
            let outcomes =
                read_outcomes(&file, &llm.dtype, meta.n_prompts, meta.n_examples, &kept)?;
            Ok(OutcomeMatrix {
                name: if several {
                    format!("{}@{}", meta.name, llm.id)
                } else {
                    meta.name.clone()
                },
                kind,
                prompts: prompts.clone(),
                groups: examples.groups.clone(),
                group_of: examples.group_of.clone(),
                columns: examples.columns.clone(),
                outcomes,
                kernel: kernel.clone(),
                truth: None,
            })
        })
        .collect()
}

/// Texts and row numbers of the valid prompts.
fn read_prompts(path: &Path, rows: usize) -> Result<(Vec<String>, Vec<usize>), MatrixError> {
    let text = String::from_utf8(read(path)?).map_err(|e| wrong(path, None, e.to_string()))?;
    let (mut texts, mut kept, mut count) = (Vec::new(), Vec::new(), 0);
    for (at, line) in text
        .lines()
        .enumerate()
        .filter(|(_, l)| !l.trim().is_empty())
    {
        let prompt: PromptLine =
            serde_json::from_str(line).map_err(|e| wrong(path, Some(at + 1), e.to_string()))?;
        if prompt.id != count {
            let problem = format!("id {} where row {count} belongs", prompt.id);
            return Err(wrong(path, Some(at + 1), problem));
        }
        if prompt.valid != Some(false) {
            texts.push(format!(
                "{} {}",
                prompt.system.unwrap_or_default(),
                prompt.text
            ));
            kept.push(count);
        }
        count += 1;
    }
    if count != rows {
        return Err(wrong(
            path,
            None,
            format!("{count} prompts, meta.json says {rows}"),
        ));
    }
    if kept.len() < 2 {
        return Err(wrong(
            path,
            None,
            "fewer than two valid prompts: nothing to choose",
        ));
    }
    Ok((texts, kept))
}

struct ExampleColumns {
    groups: Vec<String>,
    group_of: Vec<u32>,
    columns: BTreeMap<String, Vec<String>>,
}

fn read_examples(path: &Path, rows: usize) -> Result<ExampleColumns, MatrixError> {
    let bytes = read(path)?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let bad = |e: &csv::Error| wrong(path, e.position().map(|p| p.line() as usize), e.to_string());
    let header = reader.headers().map_err(|e| bad(&e))?.clone();
    let group_column = header
        .iter()
        .position(|h| h == "group")
        .ok_or_else(|| wrong(path, Some(1), "no column `group`"))?;
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    let (mut groups, mut group_of) = (Vec::new(), Vec::new());
    let mut columns: Vec<Vec<String>> = vec![Vec::new(); header.len()];
    for record in reader.records() {
        let record = record.map_err(|e| bad(&e))?;
        let name = record[group_column].to_owned();
        let number = *numbers.entry(name.clone()).or_insert_with(|| {
            groups.push(name);
            groups.len() as u32 - 1
        });
        group_of.push(number);
        for (column, value) in columns.iter_mut().zip(&record) {
            column.push(value.to_owned());
        }
    }
    if group_of.len() != rows {
        return Err(wrong(
            path,
            None,
            format!("{} examples, meta.json says {rows}", group_of.len()),
        ));
    }
    let columns = header
        .iter()
        .map(str::to_owned)
        .zip(columns)
        .filter(|(name, _)| !matches!(name.as_str(), "id" | "group" | "text"))
        .collect();
    Ok(ExampleColumns {
        groups,
        group_of,
        columns,
    })
}

fn read_outcomes(
    path: &Path,
    dtype: &str,
    prompts: usize,
    examples: usize,
    kept: &[usize],
) -> Result<Vec<f32>, MatrixError> {
    let width = match dtype {
        "u8" => 1,
        "f32" => 4,
        other => {
            return Err(wrong(
                path,
                None,
                format!("dtype \"{other}\" is not known, u8 and f32 are"),
            ));
        }
    };
    let bytes = read(path)?;
    let expected = prompts * examples * width;
    if bytes.len() != expected {
        let problem = format!(
            "{} bytes, {prompts} prompts × {examples} examples of {dtype} make {expected}",
            bytes.len()
        );
        return Err(wrong(path, None, problem));
    }
    let mut outcomes = Vec::with_capacity(kept.len() * examples);
    for &row in kept {
        let row = &bytes[row * examples * width..(row + 1) * examples * width];
        if width == 1 {
            outcomes.extend(
                row.iter()
                    .map(|&b| if b > 1 { f32::NAN } else { f32::from(b) }),
            );
        } else {
            outcomes.extend(
                row.chunks_exact(4)
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            );
        }
    }
    if let Some(bad) = outcomes.iter().find(|x| **x < 0.0 || **x > 1.0) {
        return Err(wrong(
            path,
            None,
            format!("outcome {bad} lies outside 0 to 1"),
        ));
    }
    Ok(outcomes)
}
