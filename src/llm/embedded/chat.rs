//! Chats and how each model family writes them.

use super::{EngineError, tokenizer::Tokenizer, weights::GgufFile};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChatRole {
    /// Standing instructions.
    System,
    /// The request.
    User,
    /// The model; as the last message it is a prefill the model continues.
    Assistant,
}

impl ChatRole {
    fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChatTurn {
    /// Who speaks.
    pub role: ChatRole,
    /// What is said: plain text, in which no control token has any power.
    pub content: String,
}

/// A conversation whose next assistant turn is scored or generated.
///
/// No system message is added where none is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChatPrompt {
    /// The turns, oldest first.
    pub messages: Vec<ChatTurn>,
}

impl ChatPrompt {
    /// A chat of one user message.
    pub fn user(content: impl Into<String>) -> Self {
        Self::default().with(ChatRole::User, content)
    }

    /// Adds a turn.
    #[must_use]
    pub fn with(mut self, role: ChatRole, content: impl Into<String>) -> Self {
        self.messages.push(ChatTurn {
            role,
            content: content.into(),
        });
        self
    }

    /// Adds the opening of the assistant's turn, which the model then continues.
    #[must_use]
    pub fn prefill(self, content: impl Into<String>) -> Self {
        self.with(ChatRole::Assistant, content)
    }
}

/// How turns become tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ChatTemplate {
    /// `<|im_start|>role\ncontent<|im_end|>\n`
    ChatMl { start: u32, end: u32 },
    /// `<|start_header_id|>role<|end_header_id|>\n\ncontent<|eot_id|>`
    Llama3 {
        begin: u32,
        start: u32,
        header_end: u32,
        end: u32,
    },
    /// A base model: contents joined by blank lines.
    Plain { begin: Option<u32> },
}

impl ChatTemplate {
    pub fn read(gguf: &GgufFile, tokenizer: &Tokenizer) -> Result<Self, EngineError> {
        const KEY: &str = "tokenizer.chat_template";
        let control = |name: &str| {
            tokenizer.control(name).ok_or_else(|| {
                EngineError::Template(format!(
                    "it writes {name}, which is no control token of the vocabulary"
                ))
            })
        };
        if gguf.value(KEY).is_none() {
            let begin = match gguf.bool("tokenizer.ggml.add_bos_token") {
                Some(true) => Some(tokenizer.existing(gguf.usize("tokenizer.ggml.bos_token_id")?)?),
                _ => None,
            };
            return Ok(Self::Plain { begin });
        }
        let text = gguf.string(KEY)?;
        if text.contains("<|im_start|>") {
            Ok(Self::ChatMl {
                start: control("<|im_start|>")?,
                end: control("<|im_end|>")?,
            })
        } else if text.contains("<|start_header_id|>") {
            Ok(Self::Llama3 {
                begin: control("<|begin_of_text|>")?,
                start: control("<|start_header_id|>")?,
                header_end: control("<|end_header_id|>")?,
                end: control("<|eot_id|>")?,
            })
        } else {
            Err(EngineError::Template(
                "it is neither ChatML nor Llama 3's, the two this engine writes; use another model or a server".into(),
            ))
        }
    }

    /// Tokens of the chat up to where the assistant continues.
    pub fn render(
        &self,
        chat: &ChatPrompt,
        tokenizer: &Tokenizer,
    ) -> Result<Vec<u32>, EngineError> {
        let (turns, prefill) = match chat.messages.split_last() {
            None => return Err(EngineError::Request("a chat has no message".into())),
            Some((last, rest)) if last.role == ChatRole::Assistant => (rest, last.content.as_str()),
            Some(_) => (chat.messages.as_slice(), ""),
        };
        let mut out = Vec::new();
        match *self {
            Self::ChatMl { start, end } => {
                for m in turns {
                    out.push(start);
                    // Header and content are one text to the tokenizer, as in the original template.
                    out.extend(tokenizer.encode(&format!("{}\n{}", m.role.name(), m.content))?);
                    out.push(end);
                    out.extend(tokenizer.encode("\n")?);
                }
                out.push(start);
                out.extend(tokenizer.encode(&format!("assistant\n{prefill}"))?);
            }
            Self::Llama3 {
                begin,
                start,
                header_end,
                end,
            } => {
                out.push(begin);
                for m in turns {
                    out.push(start);
                    out.extend(tokenizer.encode(m.role.name())?);
                    out.push(header_end);
                    out.extend(tokenizer.encode(&format!("\n\n{}", m.content))?);
                    out.push(end);
                }
                out.push(start);
                out.extend(tokenizer.encode("assistant")?);
                out.push(header_end);
                out.extend(tokenizer.encode(&format!("\n\n{prefill}"))?);
            }
            Self::Plain { begin } => {
                out.extend(begin);
                let mut text: String = turns
                    .iter()
                    .flat_map(|m| [m.content.as_str(), "\n\n"])
                    .collect();
                text.push_str(prefill);
                out.extend(tokenizer.encode(&text)?);
            }
        }
        if out.is_empty() {
            return Err(EngineError::Request("a chat has no text".into()));
        }
        Ok(out)
    }
}
