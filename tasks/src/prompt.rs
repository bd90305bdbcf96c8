use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text;

/// What is optimised: an instruction and, optionally, worked demonstrations.
///
/// Two prompts with the same content are the same candidate: identity is
/// [`Prompt::id`], a hash of the content.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Prompt {
    /// The instruction, as the model reads it.
    pub instruction: String,
    /// Worked examples shown between the instruction and the input, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub demonstrations: Vec<Demonstration>,
}

/// One worked example inside a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Demonstration {
    /// The rendered input.
    pub input: String,
    /// The answer the model should have given.
    pub answer: String,
}

impl Prompt {
    /// A prompt of an instruction alone, its line ends [made plain](text::plain)
    /// and surrounding whitespace removed.
    pub fn new(instruction: impl AsRef<str>) -> Self {
        Self {
            instruction: text::plain(instruction.as_ref()).trim().to_owned(),
            demonstrations: Vec::new(),
        }
    }

    /// The same prompt with these demonstrations.
    #[must_use]
    pub fn with_demonstrations(mut self, demonstrations: Vec<Demonstration>) -> Self {
        self.demonstrations = demonstrations;
        self
    }

    /// [Tokens](text::tokens) of the instruction and of every demonstration: what
    /// each request with this prompt sends beside the input.
    pub fn tokens(&self) -> usize {
        let shown = self.demonstrations.iter();
        let shown = shown.map(|one| text::tokens(&one.input) + text::tokens(&one.answer));
        text::tokens(&self.instruction) + shown.sum::<usize>()
    }

    /// The content address: 128 bits of BLAKE3 over a length-prefixed encoding,
    /// so no two contents share an encoding.
    pub fn id(&self) -> PromptId {
        let mut hasher = blake3::Hasher::new();
        let mut part = |text: &str| {
            hasher.update(&(text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        };
        part(&self.instruction);
        for demonstration in &self.demonstrations {
            part(&demonstration.input);
            part(&demonstration.answer);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        PromptId(id)
    }
}

/// The content address of a [`Prompt`]; prints as 32 hex digits, `{:#}` as the
/// first eight.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PromptId([u8; 16]);

impl PromptId {
    /// The raw 16 bytes, for keys.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for PromptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if f.alternate() { 4 } else { 16 };
        self.0[..shown]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PromptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PromptId({self})")
    }
}

impl Serialize for PromptId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PromptId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let malformed = || serde::de::Error::custom(format!("{text:?} is not 32 hex digits"));
        if text.len() != 32 || !text.is_ascii() {
            return Err(malformed());
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).map_err(|_| malformed())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| malformed())?;
        }
        Ok(Self(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_content() {
        let plain = Prompt::new(" Classify. ");
        assert_eq!(plain.id(), Prompt::new("Classify.").id());
        // The editor that saved it is not.
        let (unix, windows) = ("Read it.\nClassify.", "\u{feff}Read it.\r\nClassify.\r\n");
        assert_eq!(Prompt::new(unix).id(), Prompt::new(windows).id());
        let shown = |input: &str, answer: &str| {
            plain
                .clone()
                .with_demonstrations(vec![Demonstration {
                    input: input.into(),
                    answer: answer.into(),
                }])
                .id()
        };
        assert_ne!(plain.id(), shown("a", "b"));
        // A naive concatenation would confuse these two.
        assert_ne!(shown("ab", "c"), shown("a", "bc"));
    }

    #[test]
    fn demonstrations_have_length() {
        let plain = Prompt::new("Judge it.");
        assert_eq!(plain.tokens(), 3);
        let shown = plain.with_demonstrations(vec![
            Demonstration {
                input: "eight by".into(),
                answer: "yes".into(),
            };
            2
        ]);
        assert_eq!(shown.tokens(), 3 + 2 * (2 + 1));
    }

    #[test]
    fn id_round_trips_as_text() {
        let id = Prompt::new("x").id();
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<PromptId>(&text).unwrap(), id);
        assert!(serde_json::from_str::<PromptId>("\"zz\"").is_err());
        assert_eq!(format!("{id:#}").len(), 8);
    }
}
