//! The recommenders that a study names: those that learn are trained once, and read from the
//! cache folder from then on.

use std::sync::Arc;

use shiftproof_rec::{PreparedExamples, RecommenderKind};

use crate::assets::OnProgress;
use crate::exit::Failure;

/// Trains these recommenders on the training part, or reads them from the cache folder, puts
/// them into the catalogue, and adds to the baselines what they predict.
///
/// # Errors
/// [`Failure`] where there is nothing to learn from, or the program is built without them.
pub(crate) fn provide(
    prepared: &mut PreparedExamples,
    kinds: &[RecommenderKind],
    progress: OnProgress<'_>,
) -> Result<(), Failure> {
    let mut kinds: Vec<RecommenderKind> = kinds
        .iter()
        .copied()
        .filter(|kind| kind.is_trained())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let (Some(catalogue), Some(sequences)) = (&prepared.catalogue, &prepared.sequences) else {
        // Tasks that need a catalogue say so themselves.
        return Ok(());
    };
    let mut offering = catalogue.as_ref().clone();
    for kind in kinds {
        let trained = trained::of(kind, sequences, offering.len(), progress)?;
        if sequences.asks_lists() {
            let scores = |history: &[u32]| trained.scores(history);
            let row = sequences.ranked_by(kind.name(), &offering, &scores);
            prepared.baselines.push(row);
        }
        offering = offering.with_recommender(kind, trained);
    }
    prepared.catalogue = Some(Arc::new(offering));
    Ok(())
}

#[cfg(not(feature = "neural"))]
mod trained {
    use std::sync::Arc;

    use shiftproof_rec::{RecommenderKind, SequencePart, SequenceRecommender};

    use crate::assets::OnProgress;
    use crate::exit::Failure;

    pub(super) fn of(
        kind: RecommenderKind,
        _: &SequencePart,
        _: usize,
        _: OnProgress<'_>,
    ) -> Result<Arc<dyn SequenceRecommender>, Failure> {
        Err(Failure::usage(format!(
            "{}: this shiftproof is built without neural recommenders (feature `neural`)",
            kind.name()
        )))
    }
}

#[cfg(feature = "neural")]
mod trained {
    use std::io::Write as _;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::{fs, io, process};

    use shiftproof_neural::{
        NeuralModel, SequenceData, TrainedRecommender, TrainingError, TrainingSettings, train,
    };
    use shiftproof_rec::{RecommenderKind, SequencePart, SequenceRecommender};
    use shiftproof_store::files;

    use crate::assets::{FetchProgress, FetchStep, OnProgress, cache_folder};
    use crate::exit::Failure;

    /// A trained network as tasks ask it.
    #[derive(Debug)]
    struct NeuralRecommender(TrainedRecommender);

    impl SequenceRecommender for NeuralRecommender {
        fn scores(&self, history: &[u32]) -> Vec<f32> {
            self.0.scores(history)
        }
    }

    fn model(kind: RecommenderKind) -> Option<NeuralModel> {
        let called = |model: &NeuralModel| model.name() == kind.name();
        NeuralModel::ALL.into_iter().find(called)
    }

    pub(super) fn of(
        kind: RecommenderKind,
        sequences: &SequencePart,
        items: usize,
        progress: OnProgress<'_>,
    ) -> Result<Arc<dyn SequenceRecommender>, Failure> {
        let model = model(kind).ok_or_else(|| {
            Failure::usage(format!(
                "no recommender that learns is called {}",
                kind.name()
            ))
        })?;
        let settings = TrainingSettings::of(model, sequences.window, sequences.seed);
        let data = SequenceData {
            items,
            sequences: sequences.training.clone(),
        };
        let key = TrainedRecommender::key(model, &settings, &data);
        let file = cache_folder().ok().map(|folder| {
            folder
                .join("recommenders")
                .join(format!("{}-{key}", model.name()))
        });
        let read = |path: &PathBuf| {
            let bytes = fs::read(path).ok()?;
            TrainedRecommender::from_bytes(model, &settings, items, &bytes)
        };
        // What is missing or damaged is trained anew.
        if let Some(kept) = file.as_ref().and_then(read) {
            return Ok(Arc::new(NeuralRecommender(kept)));
        }
        let trained = train(model, &settings, &data, &mut |course| {
            progress(FetchProgress {
                name: model.name(),
                step: FetchStep::Training,
                bytes: course.epoch as u64,
                total: course.epochs as u64,
            })
        });
        let trained = trained.map_err(|error| refused(model, error))?;
        if let Some(path) = &file {
            // A folder that cannot be written to costs the time to train again, no more.
            let _ = keep(path, &trained.to_bytes());
        }
        Ok(Arc::new(NeuralRecommender(trained)))
    }

    fn refused(model: NeuralModel, error: TrainingError) -> Failure {
        let name = model.name();
        let failure = match &error {
            TrainingError::Stopped | TrainingError::Arithmetic(_) => {
                Failure::data(format!("{name}: {error}"))
            }
            _ => Failure::data(format!(
                "{name}: {error}; name another recommender, or data with longer histories"
            )),
        };
        failure.caused_by(error)
    }

    /// Writes beside the file and renames, so that nobody reads half of it.
    fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder)?;
        let part = path.with_extension(format!("part{}", process::id()));
        let mut file = files::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    }
}
