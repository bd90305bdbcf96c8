//! The embedded language model: GGUF weights run on the CPU, in this process, without a server.
//!
//! Built for the two things prompt search does most: scoring labels for many examples under one
//! prompt, whose common prefix is computed once, and drawing many short samples at a time.

mod attention;
mod chat;
mod embed;
mod error;
mod generate;
mod kernels;
mod matmul;
mod model;
mod prefix;
mod quantized;
mod sampling;
mod score;
mod strips;
#[cfg(test)]
pub(super) mod tests;
mod tokenizer;
mod weights;

pub use chat::{ChatPrompt, ChatRole, ChatTurn};
pub use error::EngineError;
pub use generate::{GeneratedText, GenerationEnd, GenerationRequest};
pub use sampling::TokenSampling;
pub use score::ScoredLabels;

use chat::ChatTemplate;
use prefix::{PrefixCache, PrefixPlan};
use pulp::Arch;
use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};
use tokenizer::Tokenizer;
use weights::{GgufFile, ModelWeights, metadata};

/// Changes whenever scores or samples may, so that cached replies are not mistaken for new ones.
const ENGINE_VERSION: u32 = 1;

/// How to run a model.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Worker threads; 0 takes one per physical core.
    pub threads: usize,
    /// Longest sequence in tokens; `None` takes the model's own limit, which it cannot exceed.
    pub context: Option<usize>,
    /// Bytes of memory for prefixes kept across calls.
    pub prefix_bytes: usize,
    /// A digest of the weights file, if known; else it is computed when first needed.
    pub digest: Option<String>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            threads: 0,
            context: None,
            prefix_bytes: 512 << 20,
            digest: None,
        }
    }
}

/// A loaded model. All methods take `&self` and may be called from several threads.
pub struct Engine {
    path: PathBuf,
    name: String,
    digest: OnceLock<String>,
    weights: ModelWeights,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    context: usize,
    prefixes: PrefixCache,
    pool: rayon::ThreadPool,
    arch: Arch,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("path", &self.path)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Loads a GGUF file of architecture `llama` or `qwen2` with a byte-level BPE tokenizer and a
    /// `ChatML`, Llama 3 or no chat template. Weights of the types `Q4_0`, `Q4_1`, `Q5_0`,
    /// `Q5_1`, `Q8_0`, `Q4_K` and `Q6_K` take 1.1 to 1.5 bytes of memory each, all others 4.
    pub fn load(path: impl AsRef<Path>, options: EngineOptions) -> Result<Self, EngineError> {
        let path = path.as_ref();
        let gguf = GgufFile::open(path)?;
        let threads = match options.threads {
            0 => num_cpus::get_physical().min(num_cpus::get()).max(1),
            n => n,
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("model-{i}"))
            .build()
            .map_err(|source| EngineError::Threads { threads, source })?;
        let weights = pool.install(|| ModelWeights::read(&gguf))?;
        let tokenizer = Tokenizer::read(&gguf)?;
        let template = ChatTemplate::read(&gguf, &tokenizer)?;
        let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
        let name = gguf
            .string("general.name")
            .map(str::to_owned)
            .ok()
            .or(stem)
            .unwrap_or_default();
        let context = options
            .context
            .unwrap_or(usize::MAX)
            .min(weights.config.context);
        if context < 2 {
            return Err(metadata(
                "context_length",
                "leaves no room for a prompt and its answer",
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            name,
            digest: options.digest.map_or_else(OnceLock::new, OnceLock::from),
            weights,
            tokenizer,
            template,
            context,
            prefixes: PrefixCache::new(options.prefix_bytes),
            pool,
            arch: Arch::new(),
        })
    }

    /// The model's name, from the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Longest sequence in tokens.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Width of [`Self::embed`]'s vectors.
    pub fn width(&self) -> usize {
        self.weights.config.hidden
    }

    /// Worker threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// What replies depend on besides the request: model name, weights digest, engine version.
    ///
    /// Reads the weights file once unless [`EngineOptions::digest`] gave its digest.
    pub fn fingerprint(&self) -> Result<String, EngineError> {
        let digest = if let Some(digest) = self.digest.get() {
            digest
        } else {
            let file = std::fs::File::open(&self.path).map_err(|e| self.io(e))?;
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(file).map_err(|e| self.io(e))?;
            let digest = format!("blake3:{}", hasher.finalize());
            self.digest.get_or_init(|| digest)
        };
        Ok(format!("{}/{digest}/embedded-{ENGINE_VERSION}", self.name))
    }

    fn io(&self, source: std::io::Error) -> EngineError {
        EngineError::Io {
            path: self.path.clone(),
            source,
        }
    }

    /// Token ids of plain text; control tokens in it have no power.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        self.tokenizer.encode(text)
    }

    /// The text of token ids, control tokens left out.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids)
    }

    /// Tokens of a chat as the model sees it, up to where the assistant continues.
    pub fn prompt_tokens(&self, chat: &ChatPrompt) -> Result<Vec<u32>, EngineError> {
        self.template.render(chat, &self.tokenizer)
    }

    /// The rendered chat, with room for `more` tokens after it.
    fn render(&self, chat: &ChatPrompt, more: usize) -> Result<Vec<u32>, EngineError> {
        let tokens = self.prompt_tokens(chat)?;
        self.fits(tokens.len() + more)?;
        Ok(tokens)
    }

    fn fits(&self, tokens: usize) -> Result<(), EngineError> {
        if tokens > self.context {
            return Err(EngineError::ContextOverflow {
                tokens,
                limit: self.context,
            });
        }
        Ok(())
    }

    fn sharing(&self) -> PrefixPlan<'_> {
        PrefixPlan {
            arch: self.arch,
            weights: &self.weights,
            cache: &self.prefixes,
        }
    }
}
