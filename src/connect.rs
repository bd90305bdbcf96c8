//! From a model's name to the model.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use shiftproof_search::Llm;
use shiftproof_search::gateway::Model;

use crate::exit::{Exit, Failure};
use crate::fetch;
use crate::llm::embedded::Options;
use crate::llm::http::{ConnectError, DEFAULT_KEY_ENV, HttpConfig, HttpLlm};
use crate::llm::{Beside, Local};
use crate::study::{ModelSpec, Provider};

/// The catalogue's name of the embedded model.
pub const EMBEDDED: &str = "smollm2-135m";

/// A connected model and what is worth telling about it.
pub struct Connected {
    /// The model with its price.
    pub model: Model,
    /// One sentence on what was found.
    pub report: String,
}

/// Connects the model that `spec` names; relative paths start from `folder`.
pub async fn connect(
    spec: &ModelSpec,
    folder: &Path,
    progress: fetch::OnProgress<'_>,
) -> Result<Connected, Failure> {
    let (llm, report): (Arc<dyn Llm>, String) = match spec.provider().map_err(Failure::usage)? {
        Provider::Embedded => {
            let asset = fetch::Catalogue::get(EMBEDDED).map_err(|error| fetch_failure(&error))?;
            let path = fetch::ensure(asset, progress).map_err(|error| fetch_failure(&error))?;
            embedded(spec, &path).await?
        }
        Provider::Gguf(path) => embedded(spec, &folder.join(path)).await?,
        Provider::OpenAi(model) => {
            let llm = HttpLlm::connect(http_config(spec, model)?)
                .await
                .map_err(|error| {
                    let exit = match error {
                        ConnectError::Config(_) | ConnectError::Unsupported(_) => Exit::Usage,
                        _ => Exit::Provider,
                    };
                    Failure::new(
                        exit,
                        format!("cannot use the model {:?}: {error}", spec.name),
                    )
                })?;
            let report = llm.probe_report().to_owned();
            (Arc::new(llm), report)
        }
    };
    Ok(Connected {
        model: Model {
            llm,
            price: spec.price,
        },
        report,
    })
}

/// A model that a task asks for embeddings: embedded weights have them, a server
/// gets the embedded model beside it.
pub async fn with_embedder(
    spec: &ModelSpec,
    connected: Connected,
    progress: fetch::OnProgress<'_>,
) -> Result<Connected, Failure> {
    match spec.provider().map_err(Failure::usage)? {
        Provider::Embedded | Provider::Gguf(_) => return Ok(connected),
        Provider::OpenAi(_) => {}
    }
    let own = ModelSpec::default();
    let embedder = connect(&own, Path::new("."), progress).await?;
    Ok(Connected {
        report: format!("{}; embeddings: {}", connected.report, embedder.report),
        model: Model {
            llm: Arc::new(Beside::new(connected.model.llm, embedder.model.llm)),
            price: connected.model.price,
        },
    })
}

async fn embedded(spec: &ModelSpec, path: &Path) -> Result<(Arc<dyn Llm>, String), Failure> {
    let options = Options {
        threads: spec.threads.unwrap_or(0),
        ..Options::default()
    };
    let path: PathBuf = path.to_owned();
    let shown = path.display().to_string();
    let llm = tokio::task::spawn_blocking(move || Local::load(&path, options))
        .await
        .map_err(|error| {
            Failure::new(Exit::Internal, format!("loading {shown} panicked: {error}"))
        })?
        .map_err(|error| Failure::new(Exit::Provider, format!("cannot load the model: {error}")))?;
    let engine = llm.engine();
    let report = format!(
        "{}, {} threads, in this process",
        engine.name(),
        engine.threads()
    );
    Ok((Arc::new(llm), report))
}

fn http_config(spec: &ModelSpec, model: String) -> Result<HttpConfig, Failure> {
    let base_url = spec
        .base_url
        .clone()
        .unwrap_or_else(|| "https://api.openai.com/v1".to_owned());
    let key_env = spec.api_key_env.as_deref().unwrap_or(DEFAULT_KEY_ENV);
    let mut config = HttpConfig::new(base_url, model);
    config.api_key = std::env::var(key_env)
        .ok()
        .filter(|key| !key.is_empty())
        .map(SecretString::from);
    if spec.api_key_env.is_some() && config.api_key.is_none() {
        return Err(Failure::usage(format!(
            "the study reads the key of {:?} from {key_env}, which is not set",
            spec.name
        )));
    }
    key_env.clone_into(&mut config.api_key_env);
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

/// A failed fetch as the user sees it.
pub fn fetch_failure(error: &fetch::FetchError) -> Failure {
    let exit = crate::study::class_exit(error.class());
    Failure::new(exit, format!("{error}\n  {}", error.mend()))
}
