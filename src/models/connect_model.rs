//! From a model's name to the model.

mod embedded;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use shiftproof_search::budget::Price;
use shiftproof_search::gateway::PricedModel;
use shiftproof_search::{Llm, ModelCall};

use crate::assets;
use crate::exit::{ExitStatus, Failure};
use crate::llm::WithEmbedder;
use crate::llm::command::CommandConfig;
use crate::llm::http::{
    ApiDialect, BatchConfig, ConnectError, HttpConfig, HttpEndpoints, RequestOptions,
    ServerAbilities, is_private_address, names_secret,
};
use crate::models::connect_program::{self, StartedProgram};
use crate::study::{ModelProvider, ModelSpec};

/// The catalogue's name of the embedded model.
pub const EMBEDDED: &str = "smollm2-135m";

/// A connected model and what is worth telling about it.
pub struct ConnectedModel {
    /// The model with its price.
    pub model: PricedModel,
    /// One sentence on what was found.
    pub report: String,
    /// What was found out about the server, where the model is behind one.
    pub found: Option<ServerAbilities>,
    /// The client, where the model is behind a server.
    http: Option<HttpEndpoints>,
    /// The model without the study's bound on answers, where it is in this process
    /// and has one.
    unbounded: Option<Arc<dyn Llm>>,
    /// The program that the model is, if it is one.
    program: Option<StartedProgram>,
}

impl ConnectedModel {
    /// A model that was not looked at, with what is assumed of it.
    pub fn assumed(llm: Arc<dyn Llm>, price: Price, report: String) -> Self {
        Self {
            model: PricedModel { llm, price },
            report,
            found: None,
            http: None,
            unbounded: None,
            program: None,
        }
    }

    /// Fails where the model is a program that has failed by now.
    pub(crate) async fn check(&self) -> Result<(), Failure> {
        match &self.program {
            Some(program) => program.check().await,
            None => Ok(()),
        }
    }

    /// The same model for proposals, where the study bounds the answers of its
    /// task.
    pub fn proposing(&self) -> Option<Self> {
        if let Some(http) = &self.http {
            return Some(Self::of(http.proposing()?, self.model.price));
        }
        let llm = self.unbounded.clone()?;
        let report = format!("{}, without the study's max_tokens", self.report);
        Some(Self::assumed(llm, self.model.price, report))
    }

    /// Asks `calls`, which are like those to come, whether label scores do for
    /// them; see [`HttpEndpoints::rehearse`].
    pub async fn rehearse(mut self, calls: &[ModelCall]) -> Result<Self, Failure> {
        let Some(http) = self.http.take() else {
            return Ok(self);
        };
        let http = http
            .rehearse(calls)
            .await
            .map_err(Failure::from_error(ExitStatus::Provider))?;
        Ok(Self::of(http, self.model.price))
    }

    fn of(http: HttpEndpoints, price: Price) -> Self {
        Self {
            model: PricedModel {
                llm: Arc::new(http.clone()),
                price,
            },
            report: http.probe_report(),
            found: Some(http.abilities().clone()),
            http: Some(http),
            unbounded: None,
            program: None,
        }
    }
}

/// Connects the model that `spec` names; relative paths start from `folder`, and
/// what is `known` of a server is not asked.
pub async fn connect(
    spec: &ModelSpec,
    folder: &Path,
    known: Option<ServerAbilities>,
    progress: assets::OnProgress<'_>,
) -> Result<ConnectedModel, Failure> {
    let provider = spec.provider().map_err(Failure::usage)?;
    if let Some((api, model)) = provider.server() {
        let own = [(http_config(spec, api, model)?, 1.0)];
        let others = spec.endpoints.iter().map(|endpoint| {
            let config = http_config(&endpoint.applied_to(spec), api, model)?;
            Ok((config, endpoint.weight()))
        });
        let others: Vec<_> = others.collect::<Result<_, Failure>>()?;
        let endpoints = own.into_iter().chain(others).map(|(mut config, weight)| {
            config.known.clone_from(&known);
            (config, weight)
        });
        let llm = HttpEndpoints::connect(endpoints.collect())
            .await
            .map_err(|error| {
                let exit = match error {
                    ConnectError::Config(_) | ConnectError::Unsupported(_) => ExitStatus::Usage,
                    _ => ExitStatus::Provider,
                };
                Failure::new(
                    exit,
                    format!("cannot use the model {:?}: {error}", spec.name),
                )
                .caused_by(error)
            })?;
        return Ok(ConnectedModel::of(llm, price(spec)));
    }
    if let ModelProvider::Command(command) = &provider {
        return program(spec, command, folder).await;
    }
    embedded::check_built_in(spec)?;
    let path = if let ModelProvider::Gguf(path) = provider {
        folder.join(path)
    } else {
        let asset = assets::AssetCatalogue::get(EMBEDDED).map_err(fetch_failure)?;
        assets::ensure(asset, progress).map_err(fetch_failure)?
    };
    let loaded = embedded::load(spec, &path).await?;
    Ok(ConnectedModel {
        unbounded: loaded.unbounded,
        ..ConnectedModel::assumed(loaded.llm, price(spec), loaded.report)
    })
}

/// A program as the model.
async fn program(
    spec: &ModelSpec,
    command: &str,
    folder: &Path,
) -> Result<ConnectedModel, Failure> {
    let config = connect_program::of_model(spec, command, folder)?;
    let report = format!(
        "{}, a program of your own, {} processes at most",
        config.identity, config.processes
    );
    let proposing = CommandConfig {
        max_tokens: None,
        ..config.clone()
    };
    let unbounded = match config.max_tokens {
        Some(_) => Some(connect_program::start(proposing).await?),
        None => None,
    };
    let own = connect_program::start(config).await?;
    Ok(ConnectedModel {
        unbounded: unbounded.map(|program| program.llm as Arc<dyn Llm>),
        program: Some(own.clone()),
        ..ConnectedModel::assumed(own.llm, price(spec), report)
    })
}

/// What the model costs, as far as it is known.
pub(crate) fn price(spec: &ModelSpec) -> Price {
    spec.price.unwrap_or(Price::UNKNOWN)
}

/// A model that a task asks for embeddings: embedded weights have them, a server
/// gets the embedded model beside it.
pub async fn with_embedder(
    spec: &ModelSpec,
    connected: ConnectedModel,
    progress: assets::OnProgress<'_>,
) -> Result<ConnectedModel, Failure> {
    if spec.provider().map_err(Failure::usage)?.is_in_process() {
        return Ok(connected);
    }
    let own = ModelSpec::default();
    let embedder = connect(&own, Path::new("."), None, progress).await?;
    Ok(ConnectedModel {
        report: format!("{}; embeddings: {}", connected.report, embedder.report),
        model: PricedModel {
            llm: Arc::new(WithEmbedder::new(connected.model.llm, embedder.model.llm)),
            price: connected.model.price,
        },
        found: connected.found,
        http: None,
        unbounded: None,
        program: connected.program,
    })
}

/// The server that a model is asked of whose table names none.
pub(crate) fn default_server(spec: &ModelSpec) -> Option<&'static str> {
    let provider = spec.provider().ok().filter(|_| spec.base_url.is_none())?;
    let (api, _) = provider.server()?;
    api.default_base_url()
}

/// The address of `spec`'s server: its own, or the API's.
pub(crate) fn base_url(spec: &ModelSpec, api: ApiDialect) -> Result<String, Failure> {
    spec.base_url
        .clone()
        .or_else(|| api.default_base_url().map(str::to_owned))
        .ok_or_else(|| {
            Failure::usage(format!(
                "the model {:?} needs base_url, the address of your resource, such as \
                 https://RESOURCE.openai.azure.com",
                spec.name
            ))
        })
}

fn http_config(spec: &ModelSpec, api: ApiDialect, model: &str) -> Result<HttpConfig, Failure> {
    let mut config = HttpConfig::new(base_url(spec, api)?, model);
    config.api = api;
    config.api_version.clone_from(&spec.api_version);
    config.headers = headers(spec)?;
    let key_env = spec.api_key_env.as_deref().unwrap_or(api.default_key_env());
    config = config.key_from_env(key_env);
    if spec.api_key_env.is_some() && config.api_key.is_none() {
        return Err(Failure::usage(format!(
            "the study reads the key of {:?} from {key_env}, which is not set",
            spec.name
        )));
    }
    let carried = config.headers.iter().any(|(name, _)| names_secret(name));
    let open = matches!(api, ApiDialect::OpenAi | ApiDialect::Ollama)
        || is_private_address(&config.base_url);
    if config.api_key.is_none() && !carried && !open {
        return Err(Failure::usage(format!(
            "the model {:?} needs a key: set {key_env}, or name another variable as api_key_env",
            spec.name
        )));
    }
    config.options = options(spec);
    config.batch = spec.batch.least().map(|least| BatchConfig {
        least,
        waits: spec.batch_waits,
        ..BatchConfig::default()
    });
    if let Some(concurrency) = spec.concurrency {
        config.concurrency = concurrency.max(1);
    }
    if let Some(seconds) = spec.timeout_s {
        config.timeout = Duration::from_secs(seconds);
    }
    if let Some(retries) = spec.max_retries {
        config.max_retries = retries;
    }
    config.requests_per_minute = spec.requests_per_minute;
    config.tokens_per_minute = spec.tokens_per_minute;
    config.label_scores = spec.label_scores;
    config.prefill = spec.prefill;
    Ok(config)
}

/// The study's parameters as the client takes them.
fn options(spec: &ModelSpec) -> RequestOptions {
    let body = match serde_json::to_value(&spec.body) {
        Ok(serde_json::Value::Object(body)) => body,
        _ => serde_json::Map::new(),
    };
    RequestOptions {
        max_tokens: spec.max_tokens,
        temperature: spec.temperature,
        top_p: spec.top_p,
        stop: spec.stop.clone(),
        seed: spec.seed,
        reasoning_effort: spec.reasoning_effort.clone(),
        thinking_tokens: spec.thinking_tokens,
        context_tokens: spec.context_tokens,
        body,
        headers: spec.headers.clone().into_iter().collect(),
    }
}

/// The study's headers with what the environment holds for them.
fn headers(spec: &ModelSpec) -> Result<Vec<(String, SecretString)>, Failure> {
    let value = |name: &String, value: &String| {
        let Some(variable) = value.strip_prefix("env:") else {
            return Ok(value.clone());
        };
        std::env::var(variable)
            .ok()
            .filter(|value| !value.trim().is_empty())
            .ok_or_else(|| {
                Failure::usage(format!(
                    "the study reads the header {name} of {:?} from {variable}, which is not set",
                    spec.name
                ))
            })
    };
    spec.headers
        .iter()
        .map(|(name, given)| Ok((name.clone(), SecretString::from(value(name, given)?))))
        .collect()
}

/// A failed fetch as the user sees it.
pub fn fetch_failure(error: assets::FetchError) -> Failure {
    let exit = crate::study::class_exit(error.class());
    Failure::new(exit, format!("{error}\n  {}", error.help())).caused_by(error)
}
