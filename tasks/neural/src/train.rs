//! Training: how many passes are best is learnt on each user's last item, then all is
//! learnt in as many.

use std::ops::ControlFlow;

use candle_core::{Device, Result, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::data::{Batch, HeldOut, Pass, SequenceData};
use crate::layers::Noise;
use crate::loss::{Scored, item_weights};
use crate::recommender::TrainedRecommender;
use crate::settings::{NeuralModel, TrainingSettings};

/// How far training is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainingProgress {
    /// Passes over the data that were done.
    pub epoch: usize,
    /// Passes at most; once it is known how many are best, as many.
    pub epochs: usize,
    /// NDCG@10 of held-out items among 99 others, in `0..=1`; none while all is learnt.
    pub held_out: Option<f64>,
}

/// Is told how far training is, and stops it by returning [`ControlFlow::Break`].
pub type OnProgress<'a> = &'a mut (dyn FnMut(TrainingProgress) -> ControlFlow<()> + Send);

/// Why nothing was trained.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// There is nothing to learn from.
    #[error("no user of the training part has two items, so nothing tells what follows what")]
    NoSequences,
    /// A sequence names an item that there is not.
    #[error("a sequence names item {item}, and there are {items}")]
    UnknownItem {
        /// Its number.
        item: u32,
        /// How many items there are.
        items: usize,
    },
    /// The settings are no settings of a network.
    #[error("{0}")]
    Settings(&'static str),
    /// The loss left all bounds.
    #[error("training of {0} diverged: its loss is no number")]
    Diverged(&'static str),
    /// It was told to stop.
    #[error("training was stopped")]
    Stopped,
    /// The arithmetic failed, for want of memory say.
    #[error("training failed: {0}")]
    Arithmetic(#[from] candle_core::Error),
}

/// Steps before it is looked whether they helped.
const FEWEST_STEPS: usize = 25;

/// Trains a model. Takes a minute or so on 100,000 events; `progress` is told after each
/// pass and may stop it.
///
/// # Errors
/// [`TrainingError`]; no model is returned that has not learnt.
pub fn train(
    model: NeuralModel,
    settings: &TrainingSettings,
    data: &SequenceData,
    progress: OnProgress<'_>,
) -> std::result::Result<TrainedRecommender, TrainingError> {
    check(settings, data)?;
    // Matrices this small are slower on several cores, many times so where others compute.
    match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(alone) => alone.install(|| train_here(model, settings, data, progress)),
        Err(_) => train_here(model, settings, data, progress),
    }
}

fn train_here(
    model: NeuralModel,
    settings: &TrainingSettings,
    data: &SequenceData,
    progress: OnProgress<'_>,
) -> std::result::Result<TrainedRecommender, TrainingError> {
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let (rest, held_out) = data.hold_out(&mut rng);
    let mut epochs = settings.epochs;
    let mut steps = settings.steps;
    if !held_out.is_empty() && !rest.is_empty() {
        let mut course = Course::new(model, settings, &rest)?;
        let (mut best, mut best_score) = (1, f64::NEG_INFINITY);
        for epoch in 1..=settings.epochs {
            course.pass(settings.steps)?;
            let score = held_out_score(&course.trained, &held_out)?;
            if score > best_score {
                (best, best_score) = (epoch, score);
                steps = course.steps;
            }
            tell(progress, epoch, settings.epochs, Some(score))?;
            if epoch >= best + settings.patience || course.steps >= settings.steps {
                break;
            }
        }
        epochs = best;
    }
    // A pass over all is a little longer, and is not to be cut for it.
    let most = steps + steps / 4 + 1;
    let mut course = Course::new(model, settings, data)?;
    for epoch in 1..=epochs {
        course.pass(most)?;
        tell(progress, epoch, epochs, None)?;
    }
    // The last step is followed by no loss.
    let scores = course.trained.scores_of(&[&[]])?.flatten_all()?;
    if scores
        .to_vec1::<f32>()?
        .iter()
        .all(|score| score.is_finite())
    {
        Ok(course.trained)
    } else {
        Err(TrainingError::Diverged(model.name()))
    }
}

fn check(
    settings: &TrainingSettings,
    data: &SequenceData,
) -> std::result::Result<(), TrainingError> {
    if data.is_empty() {
        return Err(TrainingError::NoSequences);
    }
    let items = data.items;
    if let Some(item) = (data.sequences.iter().flatten()).find(|item| **item as usize >= items) {
        return Err(TrainingError::UnknownItem { item: *item, items });
    }
    let counts = [
        settings.window,
        settings.width,
        settings.targets,
        settings.batch,
        settings.drawn,
        settings.epochs,
        settings.steps,
    ];
    if counts.contains(&0) {
        return Err(TrainingError::Settings(
            "a count of 0 leaves nothing to train",
        ));
    }
    if !(0.0..1.0).contains(&settings.dropout) {
        return Err(TrainingError::Settings(
            "dropout is a share from 0 to below 1",
        ));
    }
    if settings.robust_temperature.is_nan() || settings.robust_temperature <= 0.0 {
        return Err(TrainingError::Settings("a temperature is above 0"));
    }
    Ok(())
}

fn tell(
    progress: OnProgress<'_>,
    epoch: usize,
    epochs: usize,
    held_out: Option<f64>,
) -> std::result::Result<(), TrainingError> {
    let told = TrainingProgress {
        epoch,
        epochs,
        held_out,
    };
    match progress(told) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(TrainingError::Stopped),
    }
}

/// One training from the beginning.
struct Course<'d> {
    model: NeuralModel,
    settings: &'d TrainingSettings,
    data: &'d SequenceData,
    trained: TrainedRecommender,
    optimizer: AdamW,
    weights: Tensor,
    rng: ChaCha8Rng,
    steps: usize,
}

impl<'d> Course<'d> {
    fn new(
        model: NeuralModel,
        settings: &'d TrainingSettings,
        data: &'d SequenceData,
    ) -> Result<Self> {
        let trained = TrainedRecommender::new(model, settings, data.items)?;
        let optimizer = AdamW::new(
            trained.parameters().to_vec(),
            ParamsAdamW {
                lr: settings.learning_rate,
                beta2: 0.98,
                weight_decay: 0.0,
                ..ParamsAdamW::default()
            },
        )?;
        let weights = Tensor::from_vec(item_weights(&data.counts()), data.items, &Device::Cpu)?;
        Ok(Self {
            model,
            settings,
            data,
            trained,
            optimizer,
            weights,
            rng: ChaCha8Rng::seed_from_u64(settings.seed.wrapping_add(1)),
            steps: 0,
        })
    }

    /// One pass over the data, or what `most` steps leave of it; of little data several, for
    /// a score after a step or two says nothing.
    fn pass(&mut self, most: usize) -> std::result::Result<(), TrainingError> {
        let enough = most.min(self.steps + FEWEST_STEPS);
        loop {
            self.pass_once(most)?;
            if self.steps >= enough {
                return Ok(());
            }
        }
    }

    fn pass_once(&mut self, most: usize) -> std::result::Result<(), TrainingError> {
        let pass = Pass::draw(self.data, self.model, self.settings, &mut self.rng);
        for batch in pass.batches(self.settings.batch) {
            if self.steps >= most {
                break;
            }
            let loss = self.loss(&batch)?;
            if !loss.to_scalar::<f32>()?.is_finite() {
                return Err(TrainingError::Diverged(self.model.name()));
            }
            self.optimizer.backward_step(&loss)?;
            self.steps += 1;
        }
        Ok(())
    }

    fn loss(&mut self, batch: &Batch) -> Result<Tensor> {
        let (cpu, settings) = (&Device::Cpu, self.settings);
        let shape = (batch.size, settings.window);
        let windows = Tensor::from_slice(&batch.inputs, shape, cpu)?;
        let noise_seed = ChaCha8Rng::seed_from_u64(self.rng.random());
        let mut noise = Noise::training(settings.dropout, noise_seed);
        let network = self.trained.network();
        let states = network.states(&windows, &mut noise)?;
        let states = states.index_select(&Tensor::new(batch.states.as_slice(), cpu)?, 0)?;
        let targets = Tensor::new(batch.targets.as_slice(), cpu)?;
        let drawn = drawn(&mut self.rng, self.data.items, settings.drawn);
        let drawn = Tensor::new(drawn.as_slice(), cpu)?;
        let output = network.output();
        let scored = Scored::new(
            output.paired(&states, &targets)?,
            output.shared(&states, &drawn)?,
            &targets,
            &drawn,
        )?;
        let loss = match self.model {
            NeuralModel::Gru4rec => scored.by_pairs()?,
            NeuralModel::Caser | NeuralModel::Sasrec | NeuralModel::Dros => {
                scored.cross_entropy(settings.negatives)?
            }
        };
        if settings.robust_weight == 0.0 {
            return Ok(loss);
        }
        let weight = |numbers: &Tensor| -> Result<Tensor> {
            let items: Vec<u32> = numbers.to_vec1()?.iter().map(|n: &u32| n - 1).collect();
            self.weights
                .index_select(&Tensor::new(items.as_slice(), cpu)?, 0)
        };
        let robust = scored.robust(
            &weight(&targets)?,
            &weight(&drawn)?,
            self.data.items,
            settings.robust_temperature,
        )?;
        loss.add(&(robust * settings.robust_weight)?)
    }
}

/// Numbers of `n` items, none twice; all where there are no more.
fn drawn(rng: &mut ChaCha8Rng, items: usize, n: usize) -> Vec<u32> {
    let mut drawn: Vec<u32> = rand::seq::index::sample(rng, items, n.min(items))
        .iter()
        .map(|item| item as u32 + 1)
        .collect();
    drawn.sort_unstable();
    drawn
}

/// Mean NDCG@10 of the held-out items among the others drawn for them; a tie counts against.
fn held_out_score(trained: &TrainedRecommender, held_out: &[HeldOut]) -> Result<f64> {
    let mut sum = 0.0;
    for part in held_out.chunks(128) {
        let histories: Vec<&[u32]> = part.iter().map(|one| one.history.as_slice()).collect();
        let scores: Vec<Vec<f32>> = trained.scores_of(&histories)?.to_vec2()?;
        for (one, scores) in part.iter().zip(scores) {
            let own = scores[one.next as usize];
            let ahead = |item: &&u32| scores[**item as usize] >= own;
            let rank = one.others.iter().filter(ahead).count();
            if rank < 10 {
                sum += 1.0 / (rank as f64 + 2.0).log2();
            }
        }
    }
    Ok(sum / held_out.len() as f64)
}
