//! A tiny random model, written as GGUF, and a plain f64 forward pass to check the engine against.

#![allow(clippy::many_single_char_names, reason = "the formulas' own names")]

use candle_core::{
    Device, Tensor,
    quantized::{
        GgmlDType, QTensor,
        gguf_file::{self, Value},
    },
};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::{collections::BTreeMap, path::Path};

pub const CHATML: &str = "{{ '<|im_start|>' + message['role'] }}<|im_end|>";
const HIDDEN: usize = 40;
const HEADS: usize = 6;
const KV_HEADS: usize = 2;
/// No multiple of the panel width, so that padding is exercised.
const HEAD_DIM: usize = 24;
const ROTATED: usize = 16;
const INNER: usize = 56;
const LAYERS: usize = 3;
pub const CONTEXT: usize = 700;
const EPS: f32 = 1e-5;
const BASE: f32 = 1000.0;

/// A model description that tests may damage before writing it.
pub struct Tiny {
    arch: &'static str,
    pub metadata: BTreeMap<String, Value>,
    /// Shape `[out, in]` (or `[n]`) and values.
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

fn strings<S: Into<String>>(items: impl IntoIterator<Item = S>) -> Value {
    Value::Array(items.into_iter().map(|s| Value::String(s.into())).collect())
}

/// GPT-2's stand-in characters for all bytes, in byte order.
fn byte_tokens() -> Vec<String> {
    let mut extra = 0x100;
    let tokens = (0..=255u8).map(|b| {
        let prints = (33..=126).contains(&b) || (161..=172).contains(&b) || b >= 174;
        let code = if prints {
            u32::from(b)
        } else {
            extra += 1;
            extra - 1
        };
        char::from_u32(code).unwrap().to_string()
    });
    tokens.collect()
}

impl Tiny {
    pub fn new(arch: &'static str, pre: &str) -> Self {
        let mut tokens = byte_tokens();
        let merges = ["p o", "po s", "n e", "ne g", "Ġ t", "e r"];
        tokens.extend(merges.iter().map(|m| m.replace(' ', "")));
        let ordinary = tokens.len();
        tokens.extend(["<|im_start|>", "<|im_end|>"].map(String::from));
        let kinds = (0..tokens.len()).map(|i| Value::I32(if i < ordinary { 1 } else { 3 }));
        let mut metadata = BTreeMap::new();
        let mut set = |key: &str, value: Value| metadata.insert(key.replace("ARCH", arch), value);
        set("general.architecture", Value::String(arch.into()));
        set("general.name", Value::String("tiny".into()));
        set("ARCH.block_count", Value::U32(LAYERS as u32));
        set("ARCH.context_length", Value::U32(CONTEXT as u32));
        set("ARCH.embedding_length", Value::U32(HIDDEN as u32));
        set("ARCH.feed_forward_length", Value::U32(INNER as u32));
        set("ARCH.attention.head_count", Value::U32(HEADS as u32));
        set("ARCH.attention.head_count_kv", Value::U32(KV_HEADS as u32));
        set("ARCH.attention.key_length", Value::U32(HEAD_DIM as u32));
        set("ARCH.rope.dimension_count", Value::U32(ROTATED as u32));
        set("ARCH.rope.freq_base", Value::F32(BASE));
        set("ARCH.attention.layer_norm_rms_epsilon", Value::F32(EPS));
        set("tokenizer.ggml.model", Value::String("gpt2".into()));
        set("tokenizer.ggml.pre", Value::String(pre.into()));
        set("tokenizer.ggml.token_type", Value::Array(kinds.collect()));
        set("tokenizer.ggml.merges", strings(merges));
        set("tokenizer.chat_template", Value::String(CHATML.into()));
        let vocab = tokens.len();
        set("tokenizer.ggml.tokens", strings(tokens));
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut tensors = BTreeMap::new();
        let mut add = |name: String, shape: &[usize], around: f32, spread: f32| {
            let uniform = || around + spread * (rng.next_u32() as f32 / u32::MAX as f32 - 0.5);
            let values = std::iter::repeat_with(uniform)
                .take(shape.iter().product())
                .collect();
            tensors.insert(name, (shape.to_vec(), values));
        };
        add("token_embd.weight".into(), &[vocab, HIDDEN], 0.0, 2.0);
        add("output_norm.weight".into(), &[HIDDEN], 1.0, 0.5);
        // One family with its own output matrix, the other tied, as in the wild.
        if arch == "llama" {
            add("output.weight".into(), &[vocab, HIDDEN], 0.0, 1.0);
        }
        let (q, kv) = (HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM);
        for l in 0..LAYERS {
            let mut block = |name: &str, shape: &[usize], around, spread| {
                add(format!("blk.{l}.{name}"), shape, around, spread);
            };
            block("attn_norm.weight", &[HIDDEN], 1.0, 0.5);
            block("ffn_norm.weight", &[HIDDEN], 1.0, 0.5);
            block("attn_q.weight", &[q, HIDDEN], 0.0, 0.8);
            block("attn_k.weight", &[kv, HIDDEN], 0.0, 0.8);
            block("attn_v.weight", &[kv, HIDDEN], 0.0, 0.8);
            block("attn_output.weight", &[HIDDEN, q], 0.0, 0.4);
            block("ffn_gate.weight", &[INNER, HIDDEN], 0.0, 0.8);
            block("ffn_up.weight", &[INNER, HIDDEN], 0.0, 0.8);
            block("ffn_down.weight", &[HIDDEN, INNER], 0.0, 0.4);
            if arch == "qwen2" {
                block("attn_q.bias", &[q], 0.0, 1.0);
                block("attn_k.bias", &[kv], 0.0, 1.0);
                block("attn_v.bias", &[kv], 0.0, 1.0);
            }
        }
        Self {
            arch,
            metadata,
            tensors,
        }
    }

    pub fn write(&self, path: &Path) {
        let quantised: Vec<QTensor> = self
            .tensors
            .values()
            .map(|(shape, values)| {
                let tensor = Tensor::from_slice(values, shape.as_slice(), &Device::Cpu).unwrap();
                QTensor::quantize(&tensor, GgmlDType::F32).unwrap()
            })
            .collect();
        let metadata: Vec<_> = self.metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
        let tensors: Vec<_> = self
            .tensors
            .keys()
            .map(String::as_str)
            .zip(&quantised)
            .collect();
        let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
        gguf_file::write(&mut file, &metadata, &tensors).unwrap();
    }

    fn get(&self, name: &str) -> Vec<f64> {
        self.tensors[name].1.iter().map(|&v| f64::from(v)).collect()
    }

    /// Log-probabilities over the vocabulary after every token, the textbook way.
    pub fn log_probabilities(&self, tokens: &[u32]) -> Vec<Vec<f64>> {
        let embedding = self.get("token_embd.weight");
        let mut x: Vec<Vec<f64>> = tokens
            .iter()
            .map(|&t| embedding[t as usize * HIDDEN..][..HIDDEN].to_vec())
            .collect();
        for l in 0..LAYERS {
            let w = |name: &str| self.get(&format!("blk.{l}.{name}"));
            let biased = |name: &str, x: &[f64]| {
                let mut y = multiply(&w(&format!("attn_{name}.weight")), x);
                if self.arch == "qwen2" {
                    y.iter_mut()
                        .zip(w(&format!("attn_{name}.bias")))
                        .for_each(|(y, b)| *y += b);
                }
                y
            };
            let normed: Vec<_> = x
                .iter()
                .map(|x| normalise(x, &w("attn_norm.weight")))
                .collect();
            let rotated = |name: &str| -> Vec<Vec<f64>> {
                normed
                    .iter()
                    .enumerate()
                    .map(|(p, x)| self.rotate(biased(name, x), p))
                    .collect()
            };
            let (q, k) = (rotated("q"), rotated("k"));
            let v: Vec<_> = normed.iter().map(|x| biased("v", x)).collect();
            for (i, x) in x.iter_mut().enumerate() {
                let mut attended = Vec::new();
                for h in 0..HEADS {
                    let at = h / (HEADS / KV_HEADS) * HEAD_DIM;
                    let query = &q[i][h * HEAD_DIM..][..HEAD_DIM];
                    let scores: Vec<f64> = (0..=i)
                        .map(|j| dot(query, &k[j][at..at + HEAD_DIM]) / (HEAD_DIM as f64).sqrt())
                        .collect();
                    let weights: Vec<f64> = log_softmax(&scores).iter().map(|s| s.exp()).collect();
                    attended.extend(
                        (at..at + HEAD_DIM)
                            .map(|d| (0..=i).map(|j| weights[j] * v[j][d]).sum::<f64>()),
                    );
                }
                x.iter_mut()
                    .zip(multiply(&w("attn_output.weight"), &attended))
                    .for_each(|(x, o)| *x += o);
                let normed = normalise(x, &w("ffn_norm.weight"));
                let gate = multiply(&w("ffn_gate.weight"), &normed);
                let up = multiply(&w("ffn_up.weight"), &normed);
                let inner: Vec<f64> = gate
                    .iter()
                    .zip(&up)
                    .map(|(g, u)| g / (1.0 + (-g).exp()) * u)
                    .collect();
                x.iter_mut()
                    .zip(multiply(&w("ffn_down.weight"), &inner))
                    .for_each(|(x, o)| *x += o);
            }
        }
        let output = if self.arch == "llama" {
            self.get("output.weight")
        } else {
            embedding
        };
        let norm = self.get("output_norm.weight");
        x.iter()
            .map(|x| log_softmax(&multiply(&output, &normalise(x, &norm))))
            .collect()
    }

    /// The family's own rotation: neighbours for llama, halves for qwen2.
    fn rotate(&self, mut x: Vec<f64>, position: usize) -> Vec<f64> {
        for head in x.chunks_exact_mut(HEAD_DIM) {
            for i in 0..ROTATED / 2 {
                let (a, b) = if self.arch == "llama" {
                    (2 * i, 2 * i + 1)
                } else {
                    (i, i + ROTATED / 2)
                };
                let angle =
                    position as f64 * f64::from(BASE).powf(-((2 * i) as f64) / ROTATED as f64);
                let (u, v) = (head[a], head[b]);
                head[a] = u * angle.cos() - v * angle.sin();
                head[b] = u * angle.sin() + v * angle.cos();
            }
        }
        x
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn multiply(matrix: &[f64], x: &[f64]) -> Vec<f64> {
    matrix
        .chunks_exact(x.len())
        .map(|row| dot(row, x))
        .collect()
}

fn normalise(x: &[f64], weight: &[f64]) -> Vec<f64> {
    let scale = (dot(x, x) / x.len() as f64 + f64::from(EPS)).sqrt();
    x.iter().zip(weight).map(|(x, w)| x / scale * w).collect()
}

fn log_softmax(x: &[f64]) -> Vec<f64> {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total = max + x.iter().map(|v| (v - max).exp()).sum::<f64>().ln();
    x.iter().map(|v| v - total).collect()
}
