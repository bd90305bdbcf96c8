/// A network and the loss it is trained by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NeuralModel {
    /// A recurrent network, trained by pairs.
    Gru4rec,
    /// Convolutions over the last few items.
    Caser,
    /// Self-attention over the last items.
    Sasrec,
    /// The same, trained for the worst distribution near the training part's.
    Dros,
}

impl NeuralModel {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gru4rec, Self::Caser, Self::Sasrec, Self::Dros];

    /// The name in studies, reports and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gru4rec => "gru4rec",
            Self::Caser => "caser",
            Self::Sasrec => "sasrec",
            Self::Dros => "dros",
        }
    }
}

/// How a model is built and trained. [`TrainingSettings::of`] has usual values, of which a
/// few were compared on items held out of the training part of `MovieLens` 100K.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingSettings {
    /// Items of a history that the model reads, the latest ones; at least 1.
    pub window: usize,
    /// Numbers that stand for an item; at least 1.
    pub width: usize,
    /// Self-attention blocks, of the models that have them.
    pub blocks: usize,
    /// Items after the window that a convolution predicts at once (T of Caser).
    pub targets: usize,
    /// Share of activations left out in training, in `0..1`.
    pub dropout: f32,
    /// Windows a step.
    pub batch: usize,
    /// Step size of Adam.
    pub learning_rate: f64,
    /// How many negatives a target weighs as much as.
    pub negatives: f64,
    /// Negatives drawn for a batch, at most all items.
    pub drawn: usize,
    /// Weight of the robust loss, α; 0 leaves it out.
    pub robust_weight: f64,
    /// Temperature of the robust loss, β; above 0.
    pub robust_temperature: f64,
    /// Passes over the data at most; of little data one stands for several.
    pub epochs: usize,
    /// Passes without a better held-out score before training ends.
    pub patience: usize,
    /// Steps at most, over all passes: what bounds the time on large data.
    pub steps: usize,
    /// What everything is drawn from.
    pub seed: u64,
}

impl TrainingSettings {
    /// The settings of a model that reads histories of at most `window` items.
    pub fn of(model: NeuralModel, window: usize, seed: u64) -> Self {
        let shared = Self {
            window: window.clamp(1, 50),
            width: 64,
            blocks: 1,
            targets: 1,
            dropout: 0.3,
            batch: 64,
            learning_rate: 3e-3,
            negatives: 4.0,
            drawn: 128,
            robust_weight: 0.0,
            robust_temperature: 1.0,
            epochs: 40,
            patience: 3,
            steps: 12_000,
            seed,
        };
        match model {
            NeuralModel::Gru4rec | NeuralModel::Sasrec => shared,
            NeuralModel::Caser => Self {
                window: window.clamp(1, 5),
                targets: 3,
                dropout: 0.2,
                batch: 256,
                patience: 2,
                ..shared
            },
            NeuralModel::Dros => Self {
                robust_weight: 0.1,
                ..shared
            },
        }
    }

    /// All that can change a score, as text.
    pub(crate) fn identity(&self) -> String {
        format!("{self:?}")
    }
}
