//! Weights in this process, where the program was built with their engine.

use std::path::Path;
use std::sync::Arc;

use shiftproof_search::Llm;

use crate::exit::Failure;
use crate::study::ModelSpec;

/// A model in this process.
pub(super) struct LoadedModel {
    pub llm: Arc<dyn Llm>,
    /// The same without the study's bound on answers, where there is one.
    pub unbounded: Option<Arc<dyn Llm>>,
    /// Name and threads, in words.
    pub report: String,
}

/// Fails in a build without the engine, before anything is fetched for it.
#[cfg(feature = "embedded")]
#[expect(clippy::unnecessary_wraps)]
pub(super) fn check_built_in(_: &ModelSpec) -> Result<(), Failure> {
    Ok(())
}

/// Fails in a build without the engine, before anything is fetched for it.
#[cfg(not(feature = "embedded"))]
pub(super) fn check_built_in(spec: &ModelSpec) -> Result<(), Failure> {
    Err(not_built_in(spec))
}

#[cfg(not(feature = "embedded"))]
fn not_built_in(spec: &ModelSpec) -> Failure {
    Failure::usage(format!(
        "the model {:?} runs in this process, for which this program was not built; build it \
         with the feature `embedded`, or name a model behind a server",
        spec.name
    ))
}

/// Loads the weights at `path` on a thread of their own.
#[cfg(feature = "embedded")]
pub(super) async fn load(spec: &ModelSpec, path: &Path) -> Result<LoadedModel, Failure> {
    use crate::exit::ExitStatus;
    use crate::llm::EmbeddedLlm;
    use crate::llm::embedded::{EngineError, EngineOptions};

    let options = EngineOptions {
        threads: spec.threads.unwrap_or(0),
        ..EngineOptions::default()
    };
    let (path, shown) = (path.to_owned(), path.display().to_string());
    let load = move || EmbeddedLlm::load(&path, options);
    let llm = tokio::task::spawn_blocking(load)
        .await
        .map_err(|error| {
            Failure::new(
                ExitStatus::Internal,
                format!("loading {shown} panicked: {error}"),
            )
            .caused_by(error)
        })?
        .map_err(|error: EngineError| {
            Failure::new(
                ExitStatus::Provider,
                format!("cannot load the model: {error}"),
            )
            .caused_by(error)
        })?;
    let engine = llm.engine();
    let report = format!(
        "{}, {} threads, in this process",
        engine.name(),
        engine.threads()
    );
    let bounded = spec.max_tokens;
    Ok(LoadedModel {
        unbounded: bounded.map(|_| Arc::new(llm.clone()) as Arc<dyn Llm>),
        llm: Arc::new(llm.with_max_tokens(bounded)),
        report,
    })
}

/// There is nothing to load with.
#[cfg(not(feature = "embedded"))]
#[expect(clippy::unused_async)]
pub(super) async fn load(spec: &ModelSpec, _: &Path) -> Result<LoadedModel, Failure> {
    Err(not_built_in(spec))
}
