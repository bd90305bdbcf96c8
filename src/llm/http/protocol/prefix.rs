//! What consecutive prompts share, for providers that cache what is marked.

use std::sync::{Mutex, PoisonError};

/// Least length of a prefix worth marking, in bytes: about the 1,024 tokens
/// below which nothing is cached.
const LEAST: usize = 4096;

/// Remembers the last prompt. What is found changes the bill, never a reply.
#[derive(Debug, Default)]
pub(super) struct SharedPrefix {
    last: Mutex<String>,
}

impl SharedPrefix {
    /// How much of `text`, in bytes, it begins with like the text before it:
    /// whole lines, so that inputs which happen to begin alike do not move it; 0
    /// where it is too short to be cached.
    pub(super) fn with_last(&self, text: &str) -> usize {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let same = common_start(&last, text);
        let lines = text.as_bytes()[..same]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let shared = if same == text.len() { same } else { lines };
        text.clone_into(&mut last);
        if shared < LEAST { 0 } else { shared }
    }
}

/// Bytes that two texts begin with alike.
pub(in crate::http) fn common_start(one: &str, other: &str) -> usize {
    // In blocks first: long prompts are compared with many others.
    const BLOCK: usize = 64;
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let blocks = one.chunks_exact(BLOCK).zip(other.chunks_exact(BLOCK));
    let whole = BLOCK * blocks.take_while(|(a, b)| a == b).count();
    let rest = one[whole..].iter().zip(&other[whole..]);
    whole + rest.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_shared_lines_are_found() {
        let shared = SharedPrefix::default();
        let long = "é is a letter\n".repeat(400);
        assert_eq!(shared.with_last(&format!("{long}Text: a lamp")), 0);
        assert_eq!(
            shared.with_last(&format!("{long}Text: a lantern")),
            long.len(),
            "the shared beginning of the input is no part of it"
        );
        assert_eq!(shared.with_last("short\na"), 0);
        assert_eq!(shared.with_last("short\nb"), 0);
        shared.with_last(&long);
        assert_eq!(shared.with_last(&long), long.len());
    }
}
