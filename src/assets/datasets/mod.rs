//! Named data sets: from the published file to rows of JSON, one per line, all in one schema.
//!
//! Preparation is deterministic and each version's bytes are pinned, so a study that names a data
//! set reads the same rows on every machine. The prepared file is kept beside the raw one.

mod big_bench;
mod clothing;
mod ml_100k;
mod vader;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::assets::{
    self, Asset, AssetCatalogue, AssetFetcher, FetchError, FetchErrorClass, OnProgress, PinnedBytes,
};

/// One column of a prepared data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatasetColumn {
    /// The key in each JSON row.
    pub name: &'static str,
    /// What it holds.
    pub meaning: &'static str,
}

/// A data set that can be named in a study.
#[derive(Debug, Clone, Copy)]
pub struct NamedDataset {
    /// The name in study files.
    pub name: &'static str,
    /// The name of the fetched [`Asset`], which several data sets may share.
    pub asset: &'static str,
    /// Number of rows.
    pub rows: usize,
    /// The columns, in order.
    pub columns: &'static [DatasetColumn],
    /// The prepared file; a change of its bytes is a new version and a new file name.
    pub prepared: PinnedBytes,
    read: fn(&Path) -> Result<Vec<u8>, String>,
    /// Where the rows are interactions: the columns that tell about user and item.
    pub interactions: Option<ColumnAttributes>,
}

/// Columns that tell something about the user or the item of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnAttributes {
    /// About the user.
    pub user: &'static [&'static str],
    /// About the item.
    pub item: &'static [&'static str],
    /// What an item is called.
    pub word: Option<&'static str>,
}

/// A data set could not be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// Its raw file could not be fetched, or the cache not be used.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The raw file is the published one, yet was not understood. This is a defect of the program.
    #[error("failed to read {} as data set `{name}`: {why}", path.display())]
    Format {
        /// The data set.
        name: &'static str,
        /// The raw file.
        path: PathBuf,
        /// What was met.
        why: String,
    },
}

impl DatasetError {
    /// What kind of trouble this is.
    pub fn class(&self) -> FetchErrorClass {
        match self {
            Self::Fetch(error) => error.class(),
            Self::Format { .. } => FetchErrorClass::Integrity,
        }
    }

    /// What the user can do about it: one sentence, lower case, no full stop.
    pub fn help(&self) -> String {
        match self {
            Self::Fetch(error) => error.help(),
            Self::Format { .. } => "please report this with the version of the program".to_owned(),
        }
    }
}

/// All data sets that can be named.
pub const DATASETS: &[NamedDataset] = &[
    vader::DATASET,
    clothing::DATASET,
    ml_100k::DATASET,
    big_bench::LOGICAL_DEDUCTION,
    big_bench::SHUFFLED_OBJECTS,
    big_bench::SOCIAL_IQA,
    big_bench::BBQ,
];

/// The data set called `name`.
///
/// # Errors
/// [`FetchError::UnknownAsset`].
pub fn get(name: &str) -> Result<&'static NamedDataset, FetchError> {
    DATASETS
        .iter()
        .find(|set| set.name == name)
        .ok_or_else(|| assets::unknown_among(name, DATASETS.iter().map(|set| set.name)))
}

/// Fetches and prepares the data set `name` unless that was done before, in the user's cache
/// folder, and returns the path of its rows: UTF-8, one JSON object per line.
///
/// # Errors
/// [`DatasetError`]; nothing half-written is left.
pub fn prepare(name: &str, progress: OnProgress<'_>) -> Result<PathBuf, DatasetError> {
    prepare_with(&AssetFetcher::from_env()?, name, progress)
}

/// As [`prepare`], in the cache folder of `fetcher`.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_with(
    fetcher: &AssetFetcher,
    name: &str,
    progress: OnProgress<'_>,
) -> Result<PathBuf, DatasetError> {
    let set = get(name)?;
    let asset = AssetCatalogue::get(set.asset)?;
    let path = fetcher.path(asset).with_file_name(set.prepared.path);
    if assets::is_stamped(&path, &set.prepared) {
        return Ok(path);
    }
    let raw = fetcher.ensure(asset, progress)?;
    let format = |why| DatasetError::Format {
        name: set.name,
        path: raw.clone(),
        why,
    };
    let rows = (set.read)(&raw).map_err(format)?;
    let got = assets::hex(&Sha256::digest(&rows));
    if got != set.prepared.sha256 {
        return Err(format(format!(
            "rows hash to {got}, not to {}",
            set.prepared.sha256
        )));
    }
    write(asset, &path, &rows)?;
    assets::write_stamp(&path, &set.prepared);
    Ok(path)
}

/// Writes `bytes` to `path` so that the whole file appears at once or not at all.
fn write(asset: &Asset, path: &Path, bytes: &[u8]) -> Result<(), FetchError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", assets::unique()));
    let part = path.with_file_name(name);
    let written = File::create(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&part, path));
    written.map_err(|e| {
        // The write's own error is the one to show.
        let _ = fs::remove_file(&part);
        FetchError::from_io(asset, "write", path, e)
    })
}

/// Appends `row` as one line.
fn push_row(rows: &mut Vec<u8>, row: &impl serde::Serialize) -> Result<(), String> {
    serde_json::to_writer(&mut *rows, row).map_err(|e| e.to_string())?;
    rows.push(b'\n');
    Ok(())
}

/// The text as its author typed it: the published files escape these characters for HTML, and no
/// others, up to four times over.
fn unescape(text: &str) -> String {
    let mut text = text.to_owned();
    loop {
        let once = [
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&#39;", "'"),
            ("&#38;", "&"),
            ("&amp;", "&"),
        ]
        .iter()
        .fold(text.clone(), |text, (escaped, plain)| {
            text.replace(escaped, plain)
        });
        // Every replacement shortens the text, so this ends.
        if once == text {
            return text;
        }
        text = once;
    }
}

/// What makes two texts the same for us: their letters and digits, in lower case; all characters
/// where there are none of these.
fn fingerprint(text: &str) -> String {
    let letters: String = text
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    if letters.is_empty() {
        text.trim().to_owned()
    } else {
        letters
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::assets::AssetKind;

    #[test]
    fn data_sets_match_data_assets() {
        let mut files = BTreeSet::new();
        for set in DATASETS {
            assert_eq!(
                AssetCatalogue::get(set.asset).unwrap().kind,
                AssetKind::Data
            );
            assert!(files.insert((set.asset, set.prepared.path)));
        }
        let data = AssetCatalogue::ASSETS
            .iter()
            .filter(|asset| asset.kind == AssetKind::Data);
        for asset in data {
            assert!(DATASETS.iter().any(|set| set.asset == asset.name));
        }
    }

    #[test]
    fn models_are_no_data_sets() {
        let error = get("smollm2-135m").unwrap_err();
        assert_eq!(error.class(), FetchErrorClass::Usage);
        assert!(!error.help().contains("smollm2"), "{}", error.help());
    }

    #[test]
    fn repeated_escapes_are_undone() {
        assert_eq!(unescape("a &lt;b&gt; &quot;c&#39;s&quot;"), "a <b> \"c's\"");
        assert_eq!(
            unescape("don&amp;amp;amp;#39;t, R&#38;D, a & b; c"),
            "don't, R&D, a & b; c"
        );
    }

    #[test]
    fn fingerprints_ignore_case_and_punctuation() {
        assert_eq!(fingerprint("WOW!! It's  great."), "wow it s great");
        assert_eq!(fingerprint(" :-) "), ":-)");
    }
}
