use std::fmt;

use candle_core::{Device, Result, Tensor, Var};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::caser::Caser;
use crate::data::{SequenceData, padded};
use crate::gru::Gru4rec;
use crate::layers::{Network, Noise, Parameters};
use crate::sasrec::Sasrec;
use crate::settings::{NeuralModel, TrainingSettings};

/// Changes with whatever changes a score: what is kept of other versions is trained anew.
const VERSION: &str = "shiftproof-neural 1";

/// A network that was trained, and answers.
pub struct TrainedRecommender {
    network: Box<dyn Network>,
    parameters: Vec<Var>,
    window: usize,
    items: usize,
}

impl fmt::Debug for TrainedRecommender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrainedRecommender")
            .field("window", &self.window)
            .field("items", &self.items)
            .finish_non_exhaustive()
    }
}

impl TrainedRecommender {
    /// An untrained network.
    pub(crate) fn new(
        model: NeuralModel,
        settings: &TrainingSettings,
        items: usize,
    ) -> Result<Self> {
        let mut made = Parameters::new(ChaCha8Rng::seed_from_u64(settings.seed));
        let network: Box<dyn Network> = match model {
            NeuralModel::Gru4rec => Box::new(Gru4rec::new(&mut made, items, settings)?),
            NeuralModel::Caser => Box::new(Caser::new(&mut made, items, settings)?),
            NeuralModel::Sasrec | NeuralModel::Dros => {
                Box::new(Sasrec::new(&mut made, items, settings)?)
            }
        };
        Ok(Self {
            network,
            parameters: made.all,
            window: settings.window,
            items,
        })
    }

    pub(crate) fn network(&self) -> &dyn Network {
        self.network.as_ref()
    }

    pub(crate) fn parameters(&self) -> &[Var] {
        &self.parameters
    }

    /// How likely each item is to come next after a history of items, oldest first: numbers
    /// that order the items, in no unit. Of a history longer than the window its end counts;
    /// after none, and for items that are none of the data's, all items are alike.
    pub fn scores(&self, history: &[u32]) -> Vec<f32> {
        self.scores_of(&[history])
            .ok()
            .and_then(|scores| scores.to_vec2().ok()?.pop())
            .unwrap_or_else(|| vec![0.0; self.items])
    }

    /// Scores `(histories, items)`.
    pub(crate) fn scores_of(&self, histories: &[&[u32]]) -> Result<Tensor> {
        let windows: Vec<u32> = histories
            .iter()
            .flat_map(|history| padded(history, self.window))
            .collect();
        let windows = Tensor::from_vec(windows, (histories.len(), self.window), &Device::Cpu)?;
        let states = self.network.states(&windows, &mut Noise::off())?;
        let width = states.dim(1)?;
        let per_window = self.network.per_window();
        let last = states
            .reshape((histories.len(), per_window, width))?
            .narrow(1, per_window - 1, 1)?
            .squeeze(1)?
            .contiguous()?;
        self.network.output().all(&last)
    }

    /// What a trained model is kept under: the same for the same model, settings and data
    /// only, 64 hexadecimal digits.
    pub fn key(model: NeuralModel, settings: &TrainingSettings, data: &SequenceData) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in [VERSION, model.name(), &settings.identity()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        data.digest(&mut hasher);
        hasher.finalize().to_hex().to_string()
    }

    /// All that was learnt, with a checksum before it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for parameter in &self.parameters {
            let values = parameter
                .flatten_all()
                .and_then(|flat| flat.to_vec1::<f32>());
            for value in values.unwrap_or_default() {
                bytes.extend(value.to_le_bytes());
            }
        }
        let mut kept = blake3::hash(&bytes).as_bytes().to_vec();
        kept.extend(bytes);
        kept
    }

    /// What [`TrainedRecommender::to_bytes`] gave, of the same model, settings and number of
    /// items; `None` for anything else, damage included.
    pub fn from_bytes(
        model: NeuralModel,
        settings: &TrainingSettings,
        items: usize,
        bytes: &[u8],
    ) -> Option<Self> {
        let (sum, bytes) = bytes.split_at_checked(blake3::OUT_LEN)?;
        if blake3::hash(bytes).as_bytes() != sum {
            return None;
        }
        let read = Self::new(model, settings, items).ok()?;
        let (values, []) = bytes.as_chunks::<4>() else {
            return None;
        };
        let mut values = values.iter().map(|four| f32::from_le_bytes(*four));
        for parameter in &read.parameters {
            let own: Vec<f32> = values.by_ref().take(parameter.elem_count()).collect();
            let own = Tensor::from_vec(own, parameter.shape(), &Device::Cpu).ok()?;
            parameter.set(&own).ok()?;
        }
        let is_whole = values.next().is_none() && read.scores_of(&[&[]]).is_ok();
        is_whole.then_some(read)
    }
}
