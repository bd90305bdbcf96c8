//! A user's own outcomes as a matrix, and the folder it is written to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::matrix::{ColumnKind, MatrixError, OutcomeMatrix};
use crate::text_kernel::TextKernel;

impl OutcomeMatrix {
    /// A matrix of recorded grades in `0..=1`, row-major prompts × examples, NaN
    /// where there is none; `group_of` numbers `groups`.
    pub fn recorded(
        name: impl Into<String>,
        prompts: Vec<String>,
        groups: Vec<String>,
        group_of: Vec<u32>,
        outcomes: Vec<f32>,
    ) -> Self {
        debug_assert_eq!(outcomes.len(), prompts.len() * group_of.len());
        Self {
            name: name.into(),
            kind: ColumnKind::Example,
            kernel: TextKernel::of_texts(&prompts).map(Arc::new),
            prompts,
            groups,
            group_of,
            columns: BTreeMap::new(),
            outcomes,
            truth: None,
        }
    }

    /// Writes the matrix to a folder that [`load`](super::load) reads.
    pub fn write(&self, folder: &Path) -> Result<(), MatrixError> {
        let put = |file: &str, bytes: &[u8]| {
            let path = folder.join(file);
            std::fs::write(&path, bytes).map_err(|source| MatrixError::Read { path, source })
        };
        std::fs::create_dir_all(folder).map_err(|source| MatrixError::Read {
            path: folder.to_owned(),
            source,
        })?;
        let meta = json!({
            "name": self.name,
            "format_version": 1,
            "kind": "example",
            "n_prompts": self.prompts.len(),
            "n_examples": self.group_of.len(),
            "llms": [{ "id": "recorded", "file": "outcomes.bin", "dtype": "f32" }],
        });
        put("meta.json", format!("{meta:#}\n").as_bytes())?;
        let mut lines = String::new();
        for (id, text) in self.prompts.iter().enumerate() {
            lines.push_str(&json!({ "id": id, "text": text }).to_string());
            lines.push('\n');
        }
        put("prompts.jsonl", lines.as_bytes())?;
        let mut table = csv::Writer::from_writer(Vec::new());
        let rows = std::iter::once(["id".to_owned(), "group".to_owned()]).chain(
            self.group_of
                .iter()
                .enumerate()
                .map(|(id, &group)| [id.to_string(), self.groups[group as usize].clone()]),
        );
        for row in rows {
            table
                .write_record(&row)
                .expect("two fields a row, written to memory");
        }
        let table = table.into_inner().expect("memory takes every byte");
        put("examples.csv", &table)?;
        let bytes: Vec<u8> = self.outcomes.iter().flat_map(|x| x.to_le_bytes()).collect();
        put("outcomes.bin", &bytes)
    }
}
