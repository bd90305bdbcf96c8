//! Which model does the task, and which proposes.

use std::fmt;
use std::sync::Arc;

use shiftproof_search::Llm;
use shiftproof_search::budget::Price;

use crate::models::connect_model::ConnectedModel;
use crate::study::ModelSpec;

/// A model: one that the program connects by name, or one of the caller's own.
///
/// ```
/// use shiftproof::{ModelChoice, Price};
///
/// // As a study spells it; keys come from the environment.
/// let named = ModelChoice::from("openai:gpt-4o-mini");
/// let local = ModelChoice::named("openai:qwen").base_url("http://127.0.0.1:8080/v1");
/// let priced = local.priced(Price::per_million(0.15, 0.60));
/// # let _ = (named, priced);
/// ```
#[derive(Clone)]
pub struct ModelChoice {
    /// The model by its name, or what stands for an own one in the run's record.
    pub(super) spec: ModelSpec,
    /// The caller's own.
    pub(super) own: Option<Arc<dyn Llm>>,
}

impl ModelChoice {
    /// The model of this name: `"embedded"`, `"embedded:PATH.gguf"` or
    /// `"PROVIDER:MODEL"`, as in a study.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            spec: ModelSpec::named(name),
            own: None,
        }
    }

    /// A model of the caller's own. Its price is unknown unless it is
    /// [told](Self::priced): calls and tokens are counted, and money is not.
    pub fn llm(llm: impl Llm + 'static) -> Self {
        Self::shared(Arc::new(llm))
    }

    /// The same, of a model that is in use elsewhere too.
    pub fn shared(llm: Arc<dyn Llm>) -> Self {
        Self {
            spec: ModelSpec::named(llm.identity()),
            own: Some(llm),
        }
    }

    /// The address of the server, version included. Of no effect on a model of one's
    /// own.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.spec.base_url = Some(url.into());
        self
    }

    /// Completion tokens of every answer in text. Of no effect on a model of one's own,
    /// whose [`capabilities`](Llm::capabilities) say it.
    #[must_use]
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.spec.max_tokens = Some(tokens);
        self
    }

    /// Temperature of every answer in text. Of no effect on a model of one's own, which
    /// is told the [sampling](shiftproof_search::SamplingOptions) of each call.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.spec.temperature = Some(temperature);
        self
    }

    /// What it costs, for limits in US dollars and reports.
    #[must_use]
    pub fn priced(mut self, price: Price) -> Self {
        self.spec.price = Some(price);
        self
    }

    /// The caller's own model, as a run takes it.
    pub(super) fn connected(&self) -> Option<ConnectedModel> {
        let llm = self.own.clone()?;
        let price = self.spec.price.unwrap_or(Price::UNKNOWN);
        let report = format!("{}, of the program's own", llm.identity());
        Some(ConnectedModel::assumed(llm, price, report))
    }
}

impl From<&str> for ModelChoice {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl From<String> for ModelChoice {
    fn from(name: String) -> Self {
        Self::named(name)
    }
}

impl fmt::Debug for ModelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelChoice")
            .field("name", &self.spec.name)
            .field("own", &self.own.is_some())
            .finish()
    }
}
