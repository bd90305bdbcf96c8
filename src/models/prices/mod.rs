//! What models cost: a dated table that the program comes with, a user's own
//! file, a study's own figure. The nearest to the user decides.

use std::path::Path;

use serde::Deserialize;
use shiftproof_search::budget::Price;
use shiftproof_tasks::files;

use crate::exit::{ExitStatus, Failure};
use crate::llm::http::{ApiDialect, is_private_address};
use crate::study::{ModelProvider, ModelSpec, Study};

/// The table that the program comes with.
const BUILT_IN: &str = include_str!("prices.toml");

/// Prices of models, in US dollars per million tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    /// When the prices were read, as a year and month, or a date.
    #[serde(default)]
    pub as_of: Option<String>,
    /// Where they were read.
    #[expect(dead_code, reason = "for people who read the file")]
    #[serde(default)]
    pub source: Option<String>,
    /// The models.
    #[serde(default, rename = "model")]
    pub models: Vec<PriceEntry>,
}

/// The price of one model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceEntry {
    /// `PROVIDER:MODEL`.
    pub name: String,
    /// Prompt tokens.
    pub prompt: f64,
    /// Completion tokens, thoughts included.
    pub completion: f64,
    /// Prompt tokens from the provider's cache.
    #[serde(default)]
    pub cached_prompt: Option<f64>,
    /// Prompt tokens written to the provider's cache.
    #[serde(default)]
    pub cache_write: Option<f64>,
    /// Share of the price that calls of a batch cost.
    #[serde(default)]
    pub batch: Option<f64>,
}

impl PriceEntry {
    fn price(&self) -> Price {
        Price {
            cached_prompt: self.cached_prompt,
            cache_write: self.cache_write,
            batch_prompt: self.batch.map(|share| share * self.prompt),
            batch_completion: self.batch.map(|share| share * self.completion),
            ..Price::per_million(self.prompt, self.completion)
        }
    }

    /// Whether this is the price of the model called `name`, or of the one that
    /// `name` is a dated edition of.
    fn covers(&self, name: &str) -> bool {
        let Some(rest) = name.strip_prefix(self.name.as_str()) else {
            return false;
        };
        let edition = |rest: &str| {
            let digits = rest.bytes().all(|b| b.is_ascii_digit() || b == b'-');
            // One digit is a version of its own: claude-opus-4-1.
            rest == "latest" || (digits && rest.len() >= 3)
        };
        rest.is_empty() || rest.strip_prefix('-').is_some_and(edition)
    }

    fn problem(&self) -> Option<&'static str> {
        let rates = [
            Some(self.prompt),
            Some(self.completion),
            self.cached_prompt,
            self.cache_write,
        ];
        let fine = |rate: f64| rate.is_finite() && (0.0..=1e6).contains(&rate);
        if !rates.into_iter().flatten().all(fine) {
            return Some("prices are US dollars per million tokens, 0 or more");
        }
        let share = self.batch.unwrap_or(1.0);
        (!(0.0..=1.0).contains(&share)).then_some("batch is a share, between 0 and 1")
    }
}

impl PriceTable {
    /// The table that the program comes with.
    pub fn built_in() -> Self {
        toml::from_str(BUILT_IN).unwrap_or(Self {
            as_of: None,
            source: None,
            models: Vec::new(),
        })
    }

    /// Reads a user's own table.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = files::read_to_string(path).map_err(Failure::from_io(
            ExitStatus::Usage,
            "read the prices in",
            path,
        ))?;
        let table: Self = crate::study::read_toml(&text, path)?;
        for entry in &table.models {
            if let Some(problem) = entry.problem() {
                return Err(Failure::usage(format!(
                    "{}: the model {:?}: {problem}",
                    path.display(),
                    entry.name
                )));
            }
        }
        Ok(table)
    }

    /// The price of the model called `name`: its own entry, else that of the model
    /// whose dated edition it is.
    pub fn price(&self, name: &str) -> Option<Price> {
        let exact = self.models.iter().find(|entry| entry.name == name);
        exact
            .or_else(|| self.models.iter().find(|entry| entry.covers(name)))
            .map(PriceEntry::price)
    }
}

/// Fills in the prices that the study leaves open, as far as anybody knows them:
/// from `own`, a user's file; for models of one's own nothing; from the built-in
/// table where a model is asked at its provider's own address.
pub(crate) fn fill(study: &mut Study, own: Option<(&Path, &PriceTable)>) {
    let built_in = PriceTable::built_in();
    for spec in study.models_mut() {
        if spec.price.is_some() {
            continue;
        }
        if let Some((price, from)) = look_up(spec, own, &built_in) {
            spec.price = Some(price);
            spec.price_from = Some(from);
        }
    }
}

fn look_up(
    spec: &ModelSpec,
    own: Option<(&Path, &PriceTable)>,
    built_in: &PriceTable,
) -> Option<(Price, String)> {
    if let Some((path, table)) = own
        && let Some(price) = table.price(&spec.name)
    {
        return Some((price, path.display().to_string()));
    }
    let Ok(provider) = spec.provider() else {
        return None;
    };
    if matches!(provider, ModelProvider::Command(_)) {
        // What it calls itself is its own affair, and its bill.
        return None;
    }
    let Some((api, _)) = provider.server() else {
        return Some((Price::default(), "it runs in this process".to_owned()));
    };
    let address = spec.base_url.as_deref().or(api.default_base_url());
    if address.is_some_and(is_private_address) {
        return Some((Price::default(), "it runs on a machine of yours".to_owned()));
    }
    if !is_own_address(api, spec.base_url.as_deref()) {
        return None;
    }
    let as_of = built_in.as_of.as_deref().unwrap_or("an unknown date");
    let price = built_in.price(&spec.name)?;
    Some((price, format!("list price of {as_of}")))
}

/// Whether the address is the provider's own, whose list prices hold.
fn is_own_address(api: ApiDialect, base_url: Option<&str>) -> bool {
    let host = |url: &str| {
        let (_, rest) = url.split_once("://")?;
        Some(rest.split(['/', ':', '?']).next()?.to_ascii_lowercase())
    };
    match (base_url, api.default_base_url()) {
        (None, Some(_)) => true,
        (Some(given), Some(own)) => host(given) == host(own),
        (_, None) => false,
    }
}

/// Refuses a limit on money that cannot be kept because a price is unknown.
pub(crate) fn affordable(study: &Study) -> Result<(), Failure> {
    let Some(usd) = study.budget.usd else {
        return Ok(());
    };
    match unknown(study) {
        None => Ok(()),
        Some(spec) => Err(Failure::usage(format!(
            "a limit of {usd} US dollars cannot be kept: {}. Or limit calls or tokens instead",
            help(spec)
        ))),
    }
}

/// What is said of a limit on money that no call comes nearer to.
pub(crate) fn unbound(study: &Study) -> Option<String> {
    let usd = study.budget.usd?;
    let free = |spec: &ModelSpec| {
        spec.price
            .is_some_and(|price| price.prompt == 0.0 && price.completion == 0.0)
    };
    study.models().all(free).then(|| {
        format!(
            "the limit of {usd} US dollars never binds: no model of the study costs anything; \
             limit calls or tokens instead"
        )
    })
}

/// A model of the study whose price nobody knows.
pub(crate) fn unknown(study: &Study) -> Option<&ModelSpec> {
    study.models().find(|spec| spec.price.is_none())
}

/// What can be done about an unknown price.
pub(crate) fn help(spec: &ModelSpec) -> String {
    format!(
        "the price of {} is unknown; add price = {{ prompt = …, completion = … }} (US dollars per \
         million tokens) to its table in the study, or name it in a file given by --prices",
        spec.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn price_table_is_readable() {
        let table: PriceTable = toml::from_str(BUILT_IN).unwrap();
        assert!(table.as_of.is_some() && table.models.len() > 20);
        for (at, entry) in table.models.iter().enumerate() {
            assert_eq!(entry.problem(), None, "{}", entry.name);
            let spec = ModelSpec::named(&*entry.name);
            assert!(spec.provider().is_ok(), "{}", entry.name);
            assert!(entry.completion >= entry.prompt, "{}", entry.name);
            let twice = table.models[at + 1..].iter();
            assert!(twice.clone().all(|other| other.name != entry.name));
        }
    }

    #[test]
    fn dated_editions_share_prices() {
        let table = PriceTable::built_in();
        let price = |name: &str| table.price(name).map(|price| price.prompt);
        assert_eq!(price("openai:gpt-4o-mini"), Some(0.15));
        assert_eq!(price("openai:gpt-4o-mini-2024-07-18"), Some(0.15));
        assert_eq!(price("openai:gpt-4o-2024-11-20"), Some(2.5));
        assert_eq!(price("anthropic:claude-sonnet-4-20250514"), Some(3.0));
        assert_eq!(price("anthropic:claude-3-5-haiku-latest"), Some(0.8));
        assert_eq!(price("gemini:gemini-2.0-flash-001"), Some(0.1));
        for other in [
            "openai:gpt-4o-audio-preview",
            "openai:gpt-4",
            "anthropic:claude-sonnet-4-9",
            "openai:gpt-5-pro",
            "azure:gpt-4o",
        ] {
            assert_eq!(price(other), None, "{other}");
        }
    }

    fn filled(
        spec: &ModelSpec,
        own: Option<(&Path, &PriceTable)>,
    ) -> (Option<f64>, Option<String>) {
        let built_in = PriceTable::built_in();
        match look_up(spec, own, &built_in) {
            Some((price, from)) => (Some(price.prompt), Some(from)),
            None => (None, None),
        }
    }

    #[test]
    fn nearest_price_decides() {
        let spec = ModelSpec::named("openai:gpt-4o");
        assert_eq!(
            filled(&spec, None),
            (Some(2.5), Some("list price of 2025-08".into()))
        );
        let own: PriceTable =
            toml::from_str("[[model]]\nname = \"openai:gpt-4o\"\nprompt = 1\ncompletion = 2\n")
                .unwrap();
        let path = Path::new("mine.toml");
        assert_eq!(filled(&spec, Some((path, &own))).0, Some(1.0));
        let at = |url: &str| ModelSpec {
            base_url: Some(url.into()),
            ..spec.clone()
        };
        assert_eq!(filled(&at("https://api.openai.com/v1"), None).0, Some(2.5));
        assert_eq!(filled(&at("http://127.0.0.1:8080/v1"), None).0, Some(0.0));
        // Someone else's server under the same name has prices of its own.
        assert_eq!(filled(&at("https://openrouter.example/v1"), None).0, None);
        assert_eq!(filled(&ModelSpec::default(), None).0, Some(0.0));
        assert_eq!(filled(&ModelSpec::named("openai:brand-new"), None).0, None);
    }
}
