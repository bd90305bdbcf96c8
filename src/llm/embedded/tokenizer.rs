//! Byte-level BPE read from the GGUF file.

use super::{
    EngineError,
    weights::{GgufFile, integer, metadata},
};
use candle_core::quantized::gguf_file::Value;
use std::collections::HashMap;
use tokenizers::{
    PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer as Bpe,
    models::bpe::{BPE, Vocab},
    pre_tokenizers::{
        byte_level::ByteLevel,
        digits::Digits,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

/// `llama_token_type` values that mark a token as written by templates, never by text.
const CONTROL: [i64; 3] = [2, 3, 4];

/// Text to token ids and back.
///
/// Text is encoded without any control token: `<|im_start|>` inside an example is seven or so
/// ordinary tokens, whatever the file's vocabulary says.
pub(super) struct Tokenizer {
    bpe: Bpe,
    /// Bytes of every token; control tokens keep their name.
    bytes: Vec<Vec<u8>>,
    control: Vec<bool>,
    names: HashMap<String, u32>,
}

impl Tokenizer {
    pub fn read(gguf: &GgufFile) -> Result<Self, EngineError> {
        let model = gguf.string("tokenizer.ggml.model")?;
        if model != "gpt2" {
            return Err(EngineError::Tokenizer(format!(
                "its kind is \"{model}\"; this engine reads byte-level BPE (\"gpt2\")"
            )));
        }
        let tokens = strings(gguf, "tokenizer.ggml.tokens")?;
        let merges = strings(gguf, "tokenizer.ggml.merges")?
            .iter()
            .map(|m| match m.split_once(' ') {
                Some((a, b)) => Ok((a.to_owned(), b.to_owned())),
                None => Err(EngineError::Tokenizer(format!(
                    "merge \"{m}\" is not a pair"
                ))),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut control = vec![false; tokens.len()];
        if gguf.value("tokenizer.ggml.token_type").is_some() {
            let types = gguf.array("tokenizer.ggml.token_type")?;
            for (flag, kind) in control.iter_mut().zip(types) {
                *flag = integer(kind).is_some_and(|kind| CONTROL.contains(&kind));
            }
        }
        let vocabulary: Vocab = (0u32..)
            .zip(&tokens)
            .filter(|&(id, _)| !control[id as usize])
            .map(|(id, token)| (token.clone(), id))
            .collect();
        let (pre, whole_words) =
            pre_tokenizer(gguf.string("tokenizer.ggml.pre").unwrap_or("gpt-2"))?;
        let model = BPE::builder()
            .vocab_and_merges(vocabulary, merges)
            .ignore_merges(whole_words)
            .build()
            .map_err(|e| EngineError::Tokenizer(e.to_string()))?;
        let mut bpe = Bpe::new(model);
        bpe.with_pre_tokenizer(Some(pre));
        let of_char = byte_of_char();
        let bytes = tokens
            .iter()
            .zip(&control)
            .map(|(token, &control)| {
                if control {
                    return token.as_bytes().to_vec();
                }
                let bytes = token.chars().filter_map(|c| of_char.get(&c).copied());
                bytes.collect()
            })
            .collect();
        let names = (0u32..)
            .zip(tokens)
            .filter(|&(id, _)| control[id as usize])
            .map(|(id, token)| (token, id));
        Ok(Self {
            bpe,
            bytes,
            names: names.collect(),
            control,
        })
    }

    /// Ids of plain text; control tokens in it are text like any other.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let encoding = self
            .bpe
            .encode_fast(text, false)
            .map_err(|e| EngineError::Tokenizer(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of `ids`, control tokens left out; bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let text = ids.iter().filter(|&&id| !self.is_control(id));
        let bytes: Vec<u8> = text
            .filter_map(|&id| self.bytes.get(id as usize))
            .flatten()
            .copied()
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether `id` is a control token (or no token at all).
    pub fn is_control(&self, id: u32) -> bool {
        self.control.get(id as usize).copied().unwrap_or(true)
    }

    /// `id`, if there is such a token.
    pub fn existing(&self, id: usize) -> Result<u32, EngineError> {
        let known = u32::try_from(id).ok().filter(|_| id < self.bytes.len());
        known.ok_or_else(|| EngineError::Tokenizer(format!("token {id} is not in its vocabulary")))
    }

    /// The id of a control token by name.
    pub fn control(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }
}

fn strings(gguf: &GgufFile, key: &str) -> Result<Vec<String>, EngineError> {
    let strings = gguf.array(key)?.iter().map(|v| match v {
        Value::String(s) => Ok(s.clone()),
        _ => Err(metadata(key, "is not an array of strings")),
    });
    strings.collect()
}

/// How text is split before merging, by the name GGUF gives it, and whether a piece that is itself
/// a token is taken whole.
fn pre_tokenizer(name: &str) -> Result<(PreTokenizerWrapper, bool), EngineError> {
    let pattern = |digits: &str| -> Result<PreTokenizerWrapper, EngineError> {
        let pattern = format!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        );
        let split = Split::new(
            SplitPattern::Regex(pattern),
            SplitDelimiterBehavior::Isolated,
            false,
        )
        .map_err(|e| EngineError::Tokenizer(e.to_string()))?;
        let bytes = ByteLevel::new(false, false, false);
        Ok(Sequence::new(vec![split.into(), bytes.into()]).into())
    };
    let gpt2 = ByteLevel::new(false, false, true);
    match name {
        "smollm" => Ok((
            Sequence::new(vec![Digits::new(true).into(), gpt2.into()]).into(),
            false,
        )),
        "qwen2" | "deepseek-r1-qwen" => Ok((pattern(r"\p{N}")?, false)),
        "llama-bpe" | "llama3" | "llama-v3" => Ok((pattern(r"\p{N}{1,3}")?, true)),
        "gpt-2" | "gpt2" | "default" => Ok((gpt2.into(), false)),
        other => Err(EngineError::Tokenizer(format!(
            "its pre-tokenizer is \"{other}\"; this engine knows smollm, qwen2, llama-bpe and gpt-2"
        ))),
    }
}

/// GPT-2's printable stand-ins: bytes that print stand for themselves, the others follow U+0100.
fn byte_of_char() -> HashMap<char, u8> {
    let prints = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut next = 0x100u32;
    let mut map = HashMap::with_capacity(256);
    for b in 0..=u8::MAX {
        let c = if prints(b) {
            char::from(b)
        } else {
            next += 1;
            char::from_u32(next - 1).unwrap_or(char::REPLACEMENT_CHARACTER)
        };
        map.insert(c, b);
    }
    map
}
