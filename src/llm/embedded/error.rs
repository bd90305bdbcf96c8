use std::path::PathBuf;

/// Why the embedded engine could not load a model or answer a request.
///
/// Messages read as fragments after "failed to …".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The weights could not be opened or read.
    #[error("read the model {path}: {source}")]
    Io {
        /// The weights file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not (readable) GGUF.
    #[error(
        "read {path}: not a usable GGUF file ({reason}); download it again or pass another file"
    )]
    NotGguf {
        /// The weights file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file ends before its last tensor.
    #[error(
        "read {path}: the file is truncated ({found} bytes, its header promises {expected}); download it again"
    )]
    Truncated {
        /// The weights file.
        path: PathBuf,
        /// Bytes present.
        found: u64,
        /// Bytes the header calls for.
        expected: u64,
    },
    /// A model family this engine has no forward pass for.
    #[error("load a model of architecture \"{found}\"; this engine runs {}", super::weights::ARCHITECTURES.join(" and "))]
    Architecture {
        /// The file's `general.architecture`.
        found: String,
    },
    /// A metadata key is absent or has the wrong type or value.
    #[error("read the model's metadata: `{key}` {reason}")]
    Metadata {
        /// The GGUF key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor is absent, has the wrong shape or cannot be read.
    #[error("read the model's tensor `{name}`: {reason}")]
    Tensor {
        /// The GGUF tensor name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The tokenizer in the file is not supported or is inconsistent.
    #[error("use the model's tokenizer: {0}")]
    Tokenizer(String),
    /// The chat template in the file is none of those known.
    #[error("use the model's chat template: {0}")]
    Template(String),
    /// The threads could not be started.
    #[error("start {threads} threads: {source}")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// What the thread pool said.
        source: rayon::ThreadPoolBuildError,
    },
    /// A request is longer than the model's context.
    #[error(
        "fit {tokens} tokens into the model's context of {limit}; shorten the prompt or its examples"
    )]
    ContextOverflow {
        /// Tokens needed, labels or the first new token included.
        tokens: usize,
        /// The context length.
        limit: usize,
    },
    /// A request cannot be meant as given.
    #[error("accept the request: {0}")]
    Request(String),
    /// The model produced NaN.
    #[error(
        "compute logits: the model produced NaN, so its weights are damaged or unsuited to f32"
    )]
    NotANumber,
}
