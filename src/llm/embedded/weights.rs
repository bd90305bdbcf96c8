//! Reading GGUF: hyper-parameters and weights, packed for the matrix product.

use super::{
    EngineError,
    matmul::PackedMatrix,
    quantized::{QuantizedRows, RowOrder, WeightRows},
};
use candle_core::{
    Device,
    quantized::{
        QTensor,
        gguf_file::{Content, TensorInfo, Value},
    },
};
use rayon::prelude::*;
use shiftproof_tasks::files;
use std::{
    fs::File,
    io::{BufReader, Read, Seek},
    panic::AssertUnwindSafe,
    path::Path,
};

/// Values of `general.architecture` with a forward pass here.
pub(super) const ARCHITECTURES: [&str; 2] = ["llama", "qwen2"];

/// Largest width, count or length accepted.
const MAX_SIZE: usize = 1 << 24;

/// An opened GGUF file: its header, parsed and checked against the file's length.
pub(super) struct GgufFile {
    path: std::path::PathBuf,
    content: Content,
}

impl GgufFile {
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let io = |source| EngineError::Io {
            path: path.to_owned(),
            source,
        };
        let bad = |reason: String| EngineError::NotGguf {
            path: path.to_owned(),
            reason,
        };
        let mut file = BufReader::new(files::open(path).map_err(io)?);
        let found = file.get_ref().metadata().map_err(io)?.len();
        let mut magic = [0; 4];
        match file.read_exact(&mut magic) {
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(bad(format!("it has only {found} bytes")));
            }
            other => other.map_err(io)?,
        }
        if &magic != b"GGUF" {
            return Err(bad(format!(
                "it starts with {:?} instead of \"GGUF\"",
                magic.escape_ascii().to_string()
            )));
        }
        file.rewind().map_err(io)?;
        // The parser panics on some damage (an alignment of 0, say): that too is a bad file.
        let parsed = std::panic::catch_unwind(AssertUnwindSafe(|| Content::read(&mut file)));
        let content = match parsed {
            Ok(content) => content.map_err(|e| bad(e.to_string()))?,
            Err(_) => return Err(bad("its header makes no sense".into())),
        };
        let expected = content
            .tensor_infos
            .values()
            .map(|t| {
                let (block, size) = (t.ggml_dtype.block_size(), t.ggml_dtype.type_size());
                let bytes = values(t).and_then(|n| (n / block).checked_mul(size));
                let start = content.tensor_data_offset.saturating_add(t.offset);
                start.saturating_add(bytes.map_or(u64::MAX, |b| b as u64))
            })
            .max()
            .unwrap_or(0);
        if expected > found {
            return Err(EngineError::Truncated {
                path: path.to_owned(),
                found,
                expected,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            content,
        })
    }

    pub fn value(&self, key: &str) -> Option<&Value> {
        self.content.metadata.get(key)
    }

    pub fn string(&self, key: &str) -> Result<&str, EngineError> {
        match self.value(key) {
            Some(Value::String(s)) => Ok(s),
            Some(_) => Err(metadata(key, "is not a string")),
            None => Err(metadata(key, "is missing")),
        }
    }

    pub fn usize(&self, key: &str) -> Result<usize, EngineError> {
        let value = self.value(key).ok_or_else(|| metadata(key, "is missing"))?;
        integer(value)
            .and_then(|v| usize::try_from(v).ok())
            .ok_or_else(|| metadata(key, "is not a non-negative integer"))
    }

    pub fn f32(&self, key: &str) -> Result<f32, EngineError> {
        match self.value(key) {
            Some(Value::F32(v)) => Ok(*v),
            Some(Value::F64(v)) => Ok(*v as f32),
            Some(_) => Err(metadata(key, "is not a float")),
            None => Err(metadata(key, "is missing")),
        }
    }

    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.value(key) {
            Some(Value::Bool(b)) => Some(*b),
            _ => None,
        }
    }

    pub fn array(&self, key: &str) -> Result<&[Value], EngineError> {
        match self.value(key) {
            Some(Value::Array(v)) => Ok(v),
            Some(_) => Err(metadata(key, "is not an array")),
            None => Err(metadata(key, "is missing")),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// A tensor in f32, checked to have `len` values.
    fn tensor(&self, name: &str, len: usize) -> Result<Vec<f32>, EngineError> {
        let dequantize = |t: QTensor| t.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1();
        self.read(name, len, dequantize)
    }

    /// A matrix of rows of `width` values, checked to have `len` values in all.
    fn rows(&self, name: &str, len: usize, width: usize) -> Result<WeightRows, EngineError> {
        let quantized = self.read(name, len, |t| {
            Ok(QuantizedRows::read(t.dtype(), &t.data()?).filter(|rows| rows.divides(width)))
        })?;
        Ok(match quantized {
            Some(rows) => WeightRows::Quantized(rows),
            None => WeightRows::Floats(self.tensor(name, len)?),
        })
    }

    fn read<T>(
        &self,
        name: &str,
        len: usize,
        convert: impl FnOnce(QTensor) -> candle_core::Result<T>,
    ) -> Result<T, EngineError> {
        let bad = |reason: String| EngineError::Tensor {
            name: name.to_owned(),
            reason,
        };
        let info = self
            .content
            .tensor_infos
            .get(name)
            .ok_or_else(|| bad("is missing".into()))?;
        if values(info) != Some(len) {
            return Err(bad(format!(
                "has shape {:?}, {len} values were expected",
                info.shape.dims()
            )));
        }
        let mut file =
            BufReader::new(File::open(&self.path).map_err(|source| EngineError::Io {
                path: self.path.clone(),
                source,
            })?);
        info.read(&mut file, self.content.tensor_data_offset, &Device::Cpu)
            .and_then(convert)
            .map_err(|e| bad(e.to_string()))
    }
}

/// How many values a tensor holds, unless its shape overflows.
fn values(info: &TensorInfo) -> Option<usize> {
    info.shape
        .dims()
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(d))
}

pub(super) fn metadata(key: &str, reason: &str) -> EngineError {
    EngineError::Metadata {
        key: key.to_owned(),
        reason: reason.to_owned(),
    }
}

/// An integer of any GGUF width.
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::U8(v) => Some((*v).into()),
        Value::I8(v) => Some((*v).into()),
        Value::U16(v) => Some((*v).into()),
        Value::I16(v) => Some((*v).into()),
        Value::U32(v) => Some((*v).into()),
        Value::I32(v) => Some((*v).into()),
        Value::U64(v) => i64::try_from(*v).ok(),
        Value::I64(v) => Some(*v),
        _ => None,
    }
}

/// Hyper-parameters.
#[derive(Clone, Debug)]
pub(super) struct ModelConfig {
    pub layers: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the feed-forward layer.
    pub inner: usize,
    pub heads: usize,
    /// Key/value heads; each serves `heads / kv_heads` query heads.
    pub kv_heads: usize,
    pub head_dim: usize,
    pub vocab: usize,
    /// Longest sequence in tokens.
    pub context: usize,
    pub eps: f32,
    /// Angle per position of each rotated pair.
    pub frequencies: Vec<f32>,
}

/// One transformer block.
pub(super) struct LayerWeights {
    pub attention_norm: Vec<f32>,
    /// Query, key and value projections side by side.
    pub qkv: PackedMatrix,
    /// Empty when the model has none.
    pub qkv_bias: Vec<f32>,
    pub output: PackedMatrix,
    pub ffn_norm: Vec<f32>,
    /// Gate and up projections side by side.
    pub gate_up: PackedMatrix,
    pub down: PackedMatrix,
}

/// All weights.
pub(super) struct ModelWeights {
    pub config: ModelConfig,
    pub layers: Vec<LayerWeights>,
    pub output_norm: Vec<f32>,
    /// The input embedding, packed like an output matrix (column = token).
    pub embedding: PackedMatrix,
    /// The output matrix where it is not the embedding.
    pub output: Option<PackedMatrix>,
}

impl ModelWeights {
    pub fn read(gguf: &GgufFile) -> Result<Self, EngineError> {
        let arch = gguf.string("general.architecture")?;
        if !ARCHITECTURES.contains(&arch) {
            return Err(EngineError::Architecture {
                found: arch.to_owned(),
            });
        }
        let config = ModelConfig::read(gguf, arch)?;
        // GGUF stores llama's queries and keys for rotation of neighbours (2i, 2i+1). Attention
        // does not change when both are permuted alike, so one rotation, of halves, serves all.
        let interleaved = arch == "llama";
        let layers = (0..config.layers)
            .into_par_iter()
            .map(|i| LayerWeights::read(gguf, &config, i, interleaved))
            .collect::<Result<_, _>>()?;
        let table = |name| -> Result<PackedMatrix, EngineError> {
            let rows = gguf.rows(name, config.vocab * config.hidden, config.hidden)?;
            Ok(PackedMatrix::new(vec![rows], config.hidden))
        };
        Ok(Self {
            layers,
            output_norm: gguf.tensor("output_norm.weight", config.hidden)?,
            embedding: table("token_embd.weight")?,
            output: gguf
                .has("output.weight")
                .then(|| table("output.weight"))
                .transpose()?,
            config,
        })
    }
}

impl ModelConfig {
    fn read(gguf: &GgufFile, arch: &str) -> Result<Self, EngineError> {
        let key = |name: &str| format!("{arch}.{name}");
        // The upper bound keeps products of sizes from overflowing; no model comes near it.
        let size = |name: &str| match gguf.usize(&key(name))? {
            n if (1..=MAX_SIZE).contains(&n) => Ok(n),
            _ => Err(metadata(&key(name), "is 0 or absurdly large")),
        };
        let hidden = size("embedding_length")?;
        let heads = size("attention.head_count")?;
        let kv_heads = match gguf.value(&key("attention.head_count_kv")) {
            Some(_) => size("attention.head_count_kv")?,
            None => heads,
        };
        if heads % kv_heads != 0 {
            return Err(metadata(
                &key("attention.head_count_kv"),
                "does not divide the number of heads",
            ));
        }
        let head_dim = match gguf.value(&key("attention.key_length")) {
            Some(_) => size("attention.key_length")?,
            None => hidden / heads,
        };
        if head_dim == 0 || heads.saturating_mul(head_dim) > MAX_SIZE {
            return Err(metadata(
                &key("attention.head_count"),
                "does not fit the embedding length",
            ));
        }
        let rotated = match gguf.value(&key("rope.dimension_count")) {
            Some(_) => gguf.usize(&key("rope.dimension_count"))?,
            None => head_dim,
        };
        if rotated > head_dim || rotated % 2 != 0 {
            return Err(metadata(
                &key("rope.dimension_count"),
                "is odd or exceeds the head size",
            ));
        }
        let scaling = key("rope.scaling.type");
        let position_scale = match gguf
            .value(&scaling)
            .map(|_| gguf.string(&scaling))
            .transpose()?
        {
            None | Some("none") => 1.0,
            Some("linear") => 1.0 / gguf.f32(&key("rope.scaling.factor"))?,
            Some(_) => {
                return Err(metadata(
                    &scaling,
                    "is neither none nor linear, the forms supported",
                ));
            }
        };
        let base = match gguf.value(&key("rope.freq_base")) {
            Some(_) => gguf.f32(&key("rope.freq_base"))?,
            None => 10_000.0,
        };
        let mut frequencies: Vec<f32> = (0..rotated / 2)
            .map(|i| position_scale * base.powf(-((2 * i) as f32) / rotated as f32))
            .collect();
        // Llama 3's per-frequency scaling travels as a tensor of divisors.
        if gguf.has("rope_freqs.weight") {
            let factors = gguf.tensor("rope_freqs.weight", rotated / 2)?;
            frequencies
                .iter_mut()
                .zip(factors)
                .for_each(|(f, by)| *f /= by);
        }
        let vocab = gguf.array("tokenizer.ggml.tokens")?.len();
        if vocab == 0 {
            return Err(metadata("tokenizer.ggml.tokens", "is empty"));
        }
        Ok(Self {
            layers: size("block_count")?,
            hidden,
            inner: size("feed_forward_length")?,
            heads,
            kv_heads,
            head_dim,
            vocab,
            context: size("context_length")?,
            eps: gguf.f32(&key("attention.layer_norm_rms_epsilon"))?,
            frequencies,
        })
    }
}

impl LayerWeights {
    fn read(
        gguf: &GgufFile,
        c: &ModelConfig,
        i: usize,
        interleaved: bool,
    ) -> Result<Self, EngineError> {
        let tensor = |name: &str, len: usize| gguf.tensor(&format!("blk.{i}.{name}"), len);
        let rows = |name: &str, rows: usize, width: usize| {
            gguf.rows(&format!("blk.{i}.{name}"), rows * width, width)
        };
        let (q_width, kv_width) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
        let to_halves = RotationHalves(c);
        let halves = |rows: WeightRows| {
            if interleaved {
                rows.reordered(c.hidden, &to_halves)
            } else {
                rows
            }
        };
        let query = halves(rows("attn_q.weight", q_width, c.hidden)?);
        let key = halves(rows("attn_k.weight", kv_width, c.hidden)?);
        let value = rows("attn_v.weight", kv_width, c.hidden)?;
        let qkv_bias = if gguf.has(&format!("blk.{i}.attn_q.bias")) {
            let halves = |bias: Vec<f32>| {
                if interleaved {
                    to_halves.apply(&bias, 1)
                } else {
                    bias
                }
            };
            let mut bias = halves(tensor("attn_q.bias", q_width)?);
            bias.extend(halves(tensor("attn_k.bias", kv_width)?));
            bias.extend(tensor("attn_v.bias", kv_width)?);
            bias
        } else {
            Vec::new()
        };
        let gate = rows("ffn_gate.weight", c.inner, c.hidden)?;
        let up = rows("ffn_up.weight", c.inner, c.hidden)?;
        let output = rows("attn_output.weight", c.hidden, q_width)?;
        let down = rows("ffn_down.weight", c.hidden, c.inner)?;
        Ok(Self {
            attention_norm: tensor("attn_norm.weight", c.hidden)?,
            qkv: PackedMatrix::new(vec![query, key, value], c.hidden),
            qkv_bias,
            output: PackedMatrix::new(vec![output], q_width),
            ffn_norm: tensor("ffn_norm.weight", c.hidden)?,
            gate_up: PackedMatrix::new(vec![gate, up], c.hidden),
            down: PackedMatrix::new(vec![down], c.inner),
        })
    }
}

/// Takes the rotated rows of every head from (0, 1), (2, 3), … pairs to (0, n), (1, n + 1), …
struct RotationHalves<'a>(&'a ModelConfig);

impl RowOrder for RotationHalves<'_> {
    fn apply<T: Copy>(&self, rows: &[T], width: usize) -> Vec<T> {
        let half = self.0.frequencies.len();
        let mut out = Vec::with_capacity(rows.len());
        for head in rows.chunks_exact(self.0.head_dim * width) {
            for i in 0..self.0.head_dim {
                let from = match i {
                    _ if i < half => 2 * i,
                    _ if i < 2 * half => 2 * (i - half) + 1,
                    _ => i,
                };
                out.extend_from_slice(&head[from * width..][..width]);
            }
        }
        out
    }
}
