//! What a program may repeat of the environment it runs in, and nobody is to see.

use std::borrow::Cow;

/// What stands for a secret, as in what servers repeat.
const MASK: &str = "[key]";
/// Shorter values are no keys, but words.
const LEAST: usize = 8;
/// Parts of names of variables that hold secrets.
const NAMES: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"];

/// Values of environment variables that are named like secrets. Shows none of them.
pub(super) struct EnvironmentSecrets {
    /// Longest first, so that a part of one leaves nothing of another.
    values: Vec<String>,
}

impl EnvironmentSecrets {
    pub(super) fn of_environment() -> Self {
        let named = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self::of(named)
    }

    fn of(variables: impl Iterator<Item = (String, String)>) -> Self {
        let is_secret = |name: &str| {
            let name = name.to_ascii_uppercase();
            NAMES.iter().any(|part| name.contains(part))
        };
        let mut values: Vec<String> = variables
            .filter(|(name, value)| is_secret(name) && value.trim().len() >= LEAST)
            // A path or a switch is no secret.
            .map(|(_, value)| value.trim().to_owned())
            .filter(|value| !value.contains(['/', ' ']))
            .collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self { values }
    }

    /// `text` without them.
    pub(super) fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for value in &self.values {
            if text.contains(value.as_str()) {
                text = Cow::Owned(text.replace(value.as_str(), MASK));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_masked() {
        let pairs = [
            ("MY_API_KEY", "sk-abcdefgh"),
            ("LONGER_TOKEN", "sk-abcdefgh-ijkl"),
            ("SSH_KEY_FILE", "/home/me/.ssh/id"),
            ("TOKENIZERS_PARALLELISM", "false"),
            ("HOME", "sk-home-home"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let secrets = EnvironmentSecrets::of(pairs.into_iter());
        assert_eq!(
            secrets.mask("a sk-abcdefgh-ijkl b sk-abcdefgh c false /home/me/.ssh/id sk-home-home"),
            "a [key] b [key] c false /home/me/.ssh/id sk-home-home"
        );
    }
}
