//! What the keys of a model may be.

use std::path::Path;

use toml::Value;

use super::explain::place;
use super::model_spec::{ModelProvider, ModelSpec};
use crate::exit::Failure;
use crate::llm::http::{ApiDialect, looks_secret, names_secret, secret_in_address};

/// A key and what is wrong with it.
type Problem = (&'static str, String);

/// Refuses the first key of `table` that cannot be; `text` is the study's.
pub(super) fn check(
    spec: &ModelSpec,
    table: &'static str,
    text: &str,
    path: &Path,
) -> Result<(), Failure> {
    let Some((key, problem)) = problems(spec).into_iter().next() else {
        return Ok(());
    };
    let document: toml::Table = toml::from_str(text).unwrap_or_default();
    let mut keys: Vec<&str> = table.split('.').collect();
    let mut value = document.get(keys[0]);
    for key in &keys[1..] {
        value = value.and_then(|value| value.get(key));
    }
    // A model that is but a name has no keys.
    if !matches!(value, Some(Value::String(_))) {
        keys.push(key);
    }
    Err(Failure::usage(format!(
        "{}: {}: {problem}",
        place(text, path, &keys),
        keys.join(".")
    )))
}

/// Everything that is wrong with `spec`.
pub(crate) fn problems(spec: &ModelSpec) -> Vec<Problem> {
    let provider = match spec.provider() {
        Ok(provider) => provider,
        Err(problem) => return vec![("name", problem)],
    };
    let mut found = Vec::new();
    found.extend(numbers(spec));
    found.extend(texts(spec));
    found.extend(misplaced(spec, &provider));
    found.extend(endpoints(spec));
    if let Some((api, _)) = provider.server() {
        found.extend(of_api(spec, api));
    }
    found
}

/// What is wrong with the further servers; each is held to what the first is.
fn endpoints(spec: &ModelSpec) -> Vec<Problem> {
    const MOST: usize = 64;
    let mut found = Vec::new();
    if spec.endpoints.len() >= MOST {
        found.push(("endpoints", format!("there are more than {MOST} servers")));
    }
    let mut met: Vec<&str> = spec.base_url.iter().map(|own| address(own)).collect();
    for endpoint in &spec.endpoints {
        let url = endpoint.base_url();
        if url.trim().is_empty() {
            found.push(("endpoints", "a server has no base_url".to_owned()));
        } else if met.contains(&address(url)) {
            let why = "the same server is named twice; give it a weight instead".to_owned();
            found.push(("endpoints", why));
        }
        met.push(address(url));
        if !(endpoint.weight() > 0.0 && endpoint.weight() <= 1e6) {
            found.push(("endpoints", "weight must be above 0".to_owned()));
        }
        let own = endpoint.applied_to(spec);
        let inherited: Vec<Problem> = [numbers(spec), texts(spec)].concat();
        let problems = [numbers(&own), texts(&own)].concat();
        found.extend(
            problems
                .into_iter()
                .filter(|problem| problem.0 == "base_url" || !inherited.contains(problem))
                .map(|(key, why)| ("endpoints", format!("{key}: {why}"))),
        );
    }
    found
}

/// An address as it is compared.
fn address(url: &str) -> &str {
    url.trim().trim_end_matches('/')
}

fn numbers(spec: &ModelSpec) -> Vec<Problem> {
    const MOST: u32 = 1_000_000;
    let mut found = Vec::new();
    let mut check = |key: &'static str, fine: bool, range: &str| {
        if !fine {
            found.push((key, format!("must be {range}")));
        }
    };
    let within =
        |value: Option<u32>, least: u32| value.is_none_or(|value| (least..=MOST).contains(&value));
    check(
        "max_tokens",
        within(spec.max_tokens, 1),
        "between 1 and 1,000,000 tokens",
    );
    check(
        "thinking_tokens",
        within(spec.thinking_tokens, 0),
        "between 0 and 1,000,000 tokens",
    );
    check(
        "context_tokens",
        within(spec.context_tokens, 256),
        "between 256 and 1,000,000 tokens",
    );
    check(
        "temperature",
        spec.temperature.is_none_or(|t| (0.0..=2.0).contains(&t)),
        "between 0 and 2",
    );
    check(
        "top_p",
        spec.top_p.is_none_or(|p| p > 0.0 && p <= 1.0),
        "above 0 and at most 1",
    );
    check("concurrency", spec.concurrency != Some(0), "1 or more");
    check("timeout_s", spec.timeout_s != Some(0), "1 second or more");
    check(
        "requests_per_minute",
        spec.requests_per_minute != Some(0),
        "1 or more; remove the key for no limit",
    );
    check(
        "tokens_per_minute",
        spec.tokens_per_minute != Some(0),
        "1 or more; remove the key for no limit",
    );
    if let Some(price) = &spec.price {
        let rates = [
            Some(price.prompt),
            Some(price.completion),
            price.cached_prompt,
            price.cache_write,
            price.batch_prompt,
            price.batch_completion,
        ];
        let fine = rates
            .into_iter()
            .flatten()
            .all(|rate| rate.is_finite() && (0.0..=1e6).contains(&rate));
        check("price", fine, "in US dollars per million tokens, 0 or more");
    }
    found
}

fn texts(spec: &ModelSpec) -> Vec<Problem> {
    let mut found = Vec::new();
    if let Some(secret) = spec.base_url.as_deref().and_then(secret_in_address) {
        found.push((
            "base_url",
            format!(
                "it holds {secret}, and a study is no place for secrets: they would be stored and \
                 shown. Put a key into the environment and name the variable as api_key_env, or \
                 send it as a header: headers = {{ Authorization = \"env:NAME\" }}"
            ),
        ));
    }
    let variable = |name: &str| {
        !name.is_empty()
            && name.len() <= 64
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !looks_secret(name)
    };
    // A key that was written here by mistake would be stored and shown with the study.
    if spec
        .api_key_env
        .as_deref()
        .is_some_and(|name| !variable(name))
    {
        found.push((
            "api_key_env",
            "must be the name of the environment variable that holds the key, such as \
             OPENAI_API_KEY, not the key itself"
                .into(),
        ));
    }
    if spec.stop.iter().any(String::is_empty) || spec.stop.len() > 16 {
        found.push((
            "stop",
            "must be at most 16 texts, none of them empty".into(),
        ));
    }
    if spec.reasoning_effort.as_deref().is_some_and(str::is_empty) {
        found.push((
            "reasoning_effort",
            "must be a word that the provider knows, such as \"low\"".into(),
        ));
    }
    for (name, value) in &spec.headers {
        if let Some(problem) = header(name, value) {
            found.push(("headers", problem));
        }
    }
    found.extend(body(spec).map(|problem| ("body", problem)));
    found
}

fn header(name: &str, value: &str) -> Option<String> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Some(format!("{name:?} is no name of a header"));
    }
    if value.trim().is_empty() || value.trim() == "env:" {
        return Some(format!("{name} has no value"));
    }
    let clear = !value.starts_with("env:");
    let scheme = ["Bearer ", "Basic ", "sk-"];
    let secret = names_secret(name)
        || looks_secret(value)
        || scheme.iter().any(|begin| value.starts_with(begin));
    let variable = value.strip_prefix("env:").unwrap_or_default();
    if looks_secret(variable) {
        return Some(format!(
            "{name}: after env: stands the name of a variable, not the secret itself"
        ));
    }
    (clear && secret).then(|| {
        format!(
            "{name} looks like a secret, and a study is no place for one: put it into the \
             environment and write {name} = \"env:NAME\""
        )
    })
}

fn body(spec: &ModelSpec) -> Option<String> {
    const OURS: [(&str, &str); 14] = [
        ("model", "name"),
        ("max_tokens", "max_tokens"),
        ("max_completion_tokens", "max_tokens"),
        ("temperature", "temperature"),
        ("top_p", "top_p"),
        ("stop", "stop"),
        ("stop_sequences", "stop"),
        ("seed", "seed"),
        ("reasoning_effort", "reasoning_effort"),
        ("logprobs", "label_scores"),
        ("top_logprobs", "label_scores"),
        ("messages", ""),
        ("contents", ""),
        ("stream", ""),
    ];
    for (name, own) in OURS {
        if spec.body.contains_key(name) {
            return Some(match own {
                "" => format!("{name} is what shiftproof writes itself; remove it"),
                own => format!("{name} has a key of its own: set {own} beside body"),
            });
        }
    }
    if spec.body.contains_key("n") {
        return Some("n asks for several answers, of which one is read; remove it".into());
    }
    secret_key(&spec.body).map(|name| {
        format!(
            "{name} looks like a secret, and a study is no place for one; send it as a header: \
             headers = {{ NAME = \"env:VARIABLE\" }}"
        )
    })
}

/// A key, at any depth, whose text looks like a secret.
fn secret_key(table: &toml::Table) -> Option<&str> {
    table.iter().find_map(|(name, value)| match value {
        Value::Table(inner) => secret_key(inner),
        Value::String(_) if names_secret(name) => Some(name),
        _ => None,
    })
}

/// Keys that the provider has no use for.
fn misplaced(spec: &ModelSpec, provider: &ModelProvider) -> Vec<Problem> {
    let api = provider.server().map(|(api, _)| api);
    let mut found = Vec::new();
    if api.is_none() {
        let set = [
            (spec.temperature.is_some(), "temperature"),
            (spec.top_p.is_some(), "top_p"),
            (!spec.stop.is_empty(), "stop"),
            (spec.seed.is_some(), "seed"),
            (spec.reasoning_effort.is_some(), "reasoning_effort"),
            (spec.thinking_tokens.is_some(), "thinking_tokens"),
            (!spec.headers.is_empty(), "headers"),
            (!spec.body.is_empty(), "body"),
            (!spec.batch.is_off(), "batch"),
            (!spec.endpoints.is_empty(), "endpoints"),
        ];
        for (_, key) in set.into_iter().filter(|(set, _)| *set) {
            found.push((key, "is for models behind a server; remove it".to_owned()));
        }
    }
    if spec.context_tokens.is_some() && api != Some(ApiDialect::Ollama) {
        let why = "is for ollama: other servers fix the context themselves; remove it";
        found.push(("context_tokens", why.to_owned()));
    }
    if spec.api_version.is_some() && api != Some(ApiDialect::Azure) {
        found.push(("api_version", "is for azure; remove it".to_owned()));
    }
    if !spec.batch.is_off() && !spec.endpoints.is_empty() {
        let why = "a batch is submitted to one server; remove endpoints or batch";
        found.push(("endpoints", why.to_owned()));
    }
    if !spec.batch.is_off()
        && !matches!(api, None | Some(ApiDialect::OpenAi | ApiDialect::Anthropic))
    {
        let why = "batches are sent to openai and anthropic; remove it";
        found.push(("batch", why.to_owned()));
    }
    found
}

fn of_api(spec: &ModelSpec, api: ApiDialect) -> Vec<Problem> {
    let mut found = Vec::new();
    if api == ApiDialect::OpenAi && spec.stop.len() > 4 {
        found.push(("stop", "openai takes 4 texts at most".into()));
    }
    if let Some(thoughts) = spec.thinking_tokens.filter(|tokens| *tokens > 0) {
        if api == ApiDialect::Anthropic && thoughts < 1024 {
            found.push((
                "thinking_tokens",
                "anthropic takes 1,024 tokens or more, or 0 for no thoughts".into(),
            ));
        }
        if spec.max_tokens.is_some_and(|most| most <= thoughts) {
            found.push((
                "max_tokens",
                format!(
                    "it bounds thoughts and answer together, so it must exceed thinking_tokens = \
                     {thoughts}"
                ),
            ));
        }
        if api == ApiDialect::Gemini && spec.reasoning_effort.is_some() {
            found.push((
                "reasoning_effort",
                "gemini takes either this or thinking_tokens".into(),
            ));
        }
    }
    found
}
