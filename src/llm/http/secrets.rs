//! What must never be shown, taken out of what servers send: they may repeat what
//! they were sent, and what they send is stored.

use std::borrow::Cow;
use std::collections::BTreeSet;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::address::names_secret;
use super::config::HttpConfig;

/// What stands for a secret.
const MASK: &str = "[key]";
/// Shorter texts than this are no keys, but words that servers without keys are
/// given (`none`, `EMPTY`): an answer that holds one stays as it is.
const LEAST: usize = 8;

/// The secrets of one configuration in every spelling that a server may repeat.
/// Shows none of them.
#[derive(Clone)]
pub(super) struct KnownSecrets {
    /// Longest first, so that a part of one leaves nothing of another.
    spellings: Vec<SecretString>,
}

impl std::fmt::Debug for KnownSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.spellings.len())
    }
}

impl KnownSecrets {
    /// Of a server without any.
    pub(super) const NONE: Self = Self {
        spellings: Vec::new(),
    };

    /// The key, headers that are named like a secret or come from the environment,
    /// and what an address holds before the `@` and in such parts of its query.
    pub(super) fn of(config: &HttpConfig) -> Self {
        let mut known: BTreeSet<String> = BTreeSet::new();
        let mut add = |secret: &str| {
            let secret = secret.trim();
            if secret.len() >= LEAST {
                known.insert(secret.to_owned());
                // As JSON writes it, and as some write a slash in it.
                let json = serde_json::Value::from(secret).to_string();
                known.insert(json.trim_matches('"').to_owned());
                known.insert(secret.replace('/', "\\/"));
            }
        };
        if let Some(key) = &config.api_key {
            add(key.expose_secret());
        }
        for (name, value) in &config.headers {
            let mut given = config.options.headers.iter();
            let carried = given.any(|(own, given)| own == name && given.starts_with("env:"));
            if carried || names_secret(name) {
                let value = value.expose_secret().trim();
                add(value);
                // `Bearer KEY`.
                if let Some((_, credentials)) = value.split_once(' ') {
                    add(credentials);
                }
            }
        }
        if let Ok(url) = Url::parse(config.base_url.trim()) {
            add(url.username());
            add(url.password().unwrap_or_default());
            for (name, value) in url.query_pairs() {
                if names_secret(&name) {
                    add(&value);
                }
            }
            for pair in url.query().unwrap_or_default().split('&') {
                if let Some((name, value)) = pair.split_once('=')
                    && names_secret(name)
                {
                    add(value);
                }
            }
        }
        let mut spellings: Vec<String> = known.into_iter().collect();
        spellings.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self {
            spellings: spellings.into_iter().map(SecretString::from).collect(),
        }
    }

    /// `body` without them.
    pub(super) fn mask(&self, body: Vec<u8>) -> Vec<u8> {
        let mut body = body;
        for secret in &self.spellings {
            let secret = secret.expose_secret().as_bytes();
            while let Some(at) = find(&body, secret) {
                body.splice(at..at + secret.len(), MASK.bytes());
            }
        }
        body
    }

    /// `text` without them.
    pub(super) fn mask_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for secret in &self.spellings {
            let secret = secret.expose_secret();
            if text.contains(secret) {
                text = Cow::Owned(text.replace(secret, MASK));
            }
        }
        text
    }
}

fn find(body: &[u8], secret: &[u8]) -> Option<usize> {
    let first = *secret.first()?;
    let bytes = body.iter().enumerate();
    let mut starts = bytes.filter(|(_, byte)| **byte == first);
    let (at, _) = starts.find(|(at, _)| body[*at..].starts_with(secret))?;
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> HttpConfig {
        let mut config =
            HttpConfig::new("https://me:pass%2Fword1@host/v1?key=query-canary&a=1", "m");
        config.api_key = Some(SecretString::from(" sk-canary/0123 "));
        config.headers = [
            ("x-auth-token", "token-canary"),
            ("authorization", "Bearer bearer-canary"),
            ("x-title", "prompt research"),
            ("x-team", "team-canary"),
        ]
        .map(|(name, value)| (name.to_owned(), SecretString::from(value)))
        .to_vec();
        config.options.headers = vec![("x-team".to_owned(), "env:TEAM".to_owned())];
        config
    }

    #[test]
    fn every_spelling_is_masked() {
        let secrets = KnownSecrets::of(&config());
        for said in [
            "sk-canary/0123",
            r"sk-canary\/0123",
            "token-canary",
            "Bearer bearer-canary",
            "bearer-canary",
            "team-canary",
            "query-canary",
            "pass%2Fword1",
        ] {
            let body = format!("a {said} b {said}");
            let masked = String::from_utf8(secrets.mask(body.clone().into_bytes())).unwrap();
            assert_eq!(masked, secrets.mask_text(&body), "{said}");
            assert!(
                !masked.contains("canary") && !masked.contains("word1"),
                "{masked}"
            );
            assert!(
                masked.starts_with("a ") && masked.contains(" b "),
                "{masked}"
            );
        }
        // What is no secret stays, and a key that is a word hides no answer.
        assert_eq!(secrets.mask_text("prompt research"), "prompt research");
        let mut local = HttpConfig::new("http://127.0.0.1/v1", "m");
        local.api_key = Some(SecretString::from("none"));
        assert_eq!(KnownSecrets::of(&local).mask_text("none"), "none");
        assert!(!format!("{secrets:?}").contains("canary"));
    }
}
