//! Sequences of items, and the windows of them that a step learns from.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::settings::{NeuralModel, TrainingSettings};

/// What was used one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SequenceData {
    /// How many items there are; sequences name them by numbers below it.
    pub items: usize,
    /// A user's items each, oldest first.
    pub sequences: Vec<Vec<u32>>,
}

/// Histories with what came next, kept out of the training.
pub(crate) struct HeldOut {
    pub history: Vec<u32>,
    pub next: u32,
    /// Items beside it that it is ranked among.
    pub others: Vec<u32>,
}

/// Held-out items are ranked among this many others.
const OTHERS: usize = 99;
/// Users held out at most: enough to tell one pass from the next.
const HELD_OUT: usize = 1_000;

impl SequenceData {
    /// How often each item occurs.
    pub(crate) fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.items];
        for item in self.sequences.iter().flatten() {
            counts[*item as usize] += 1;
        }
        counts
    }

    /// Windows in which something follows something.
    pub(crate) fn is_empty(&self) -> bool {
        self.items < 2 || self.sequences.iter().all(|sequence| sequence.len() < 2)
    }

    /// A digest of all that is in it.
    pub(crate) fn digest(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&(self.items as u64).to_le_bytes());
        for sequence in &self.sequences {
            hasher.update(&(sequence.len() as u64).to_le_bytes());
            for item in sequence {
                hasher.update(&item.to_le_bytes());
            }
        }
    }

    /// Takes the last item of users with three or more.
    pub(crate) fn hold_out(&self, rng: &mut ChaCha8Rng) -> (Self, Vec<HeldOut>) {
        let mut users: Vec<usize> = (0..self.sequences.len())
            .filter(|user| self.sequences[*user].len() > 2)
            .collect();
        users.shuffle(rng);
        users.truncate(HELD_OUT);
        let mut rest = self.clone();
        let mut held_out = Vec::with_capacity(users.len());
        for user in users {
            let sequence = &mut rest.sequences[user];
            let Some(next) = sequence.pop() else { continue };
            let others = (0..OTHERS).map(|_| rng.random_range(0..self.items as u32));
            held_out.push(HeldOut {
                history: sequence.clone(),
                next,
                others: others.filter(|item| *item != next).collect(),
            });
        }
        (rest, held_out)
    }
}

/// Windows of items with what is to be predicted, as rows of numbers one higher than the
/// items: 0 stands where a history is shorter than the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    /// `size` rows of `window`.
    pub inputs: Vec<u32>,
    pub size: usize,
    /// Which state predicts, of the network's rows of states.
    pub states: Vec<u32>,
    /// What each of `states` is to predict.
    pub targets: Vec<u32>,
}

/// A part of a sequence: its inputs end before `end`; from `first` on targets are learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    user: u32,
    first: u32,
    end: u32,
}

/// All windows of one pass, in a drawn order.
pub(crate) struct Pass<'d> {
    data: &'d SequenceData,
    model: NeuralModel,
    window: usize,
    targets: usize,
    windows: Vec<Window>,
}

impl<'d> Pass<'d> {
    pub fn draw(
        data: &'d SequenceData,
        model: NeuralModel,
        settings: &TrainingSettings,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let mut windows = Vec::new();
        for (user, sequence) in (0..).zip(&data.sequences) {
            let n = sequence.len() as u32;
            if n < 2 {
                continue;
            }
            match model {
                NeuralModel::Caser => {
                    windows.extend((1..n).map(|first| Window {
                        user,
                        first,
                        end: n.min(first + settings.targets as u32),
                    }));
                }
                // A state after each item predicts. Cuts move from pass to pass, so that
                // every target meets long and short histories.
                NeuralModel::Gru4rec | NeuralModel::Sasrec | NeuralModel::Dros => {
                    let stride = settings.window as u32;
                    let mut end = n;
                    let mut length = stride - rng.random_range(0..stride);
                    while end > 1 {
                        let first = end.saturating_sub(length).max(1);
                        windows.push(Window { user, first, end });
                        (end, length) = (first, stride);
                    }
                }
            }
        }
        windows.shuffle(rng);
        Self {
            data,
            model,
            window: settings.window,
            targets: settings.targets,
            windows,
        }
    }

    pub fn batches(&self, size: usize) -> impl Iterator<Item = Batch> {
        self.windows.chunks(size).map(|chunk| self.batch(chunk))
    }

    fn batch(&self, chunk: &[Window]) -> Batch {
        let mut batch = Batch {
            inputs: Vec::with_capacity(chunk.len() * self.window),
            size: chunk.len(),
            states: Vec::new(),
            targets: Vec::new(),
        };
        for (row, at) in (0..).zip(chunk) {
            let sequence = &self.data.sequences[at.user as usize];
            let (first, end) = (at.first as usize, at.end as usize);
            if self.model == NeuralModel::Caser {
                batch.inputs.extend(padded(&sequence[..first], self.window));
                for item in sequence[first..end].iter().take(self.targets) {
                    batch.states.push(row);
                    batch.targets.push(item + 1);
                }
                continue;
            }
            batch
                .inputs
                .extend(padded(&sequence[..end - 1], self.window));
            for (back, item) in sequence[first..end].iter().rev().enumerate() {
                batch
                    .states
                    .push(row * self.window as u32 + (self.window - 1 - back) as u32);
                batch.targets.push(item + 1);
            }
        }
        batch
    }
}

/// The last `window` items of a history, with 0 before them where there are fewer.
pub(crate) fn padded(history: &[u32], window: usize) -> impl Iterator<Item = u32> {
    let shown = &history[history.len().saturating_sub(window)..];
    std::iter::repeat_n(0, window - shown.len()).chain(shown.iter().map(|item| item + 1))
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn data() -> SequenceData {
        SequenceData {
            items: 30,
            sequences: vec![(0..23).collect(), vec![5], vec![7, 8], Vec::new()],
        }
    }

    /// Every target is learnt once a pass, from no item but those before it.
    #[test]
    fn every_target_is_learnt_once() {
        let data = data();
        for model in [NeuralModel::Sasrec, NeuralModel::Gru4rec] {
            for seed in 0..20 {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let settings = TrainingSettings {
                    window: 4,
                    ..TrainingSettings::of(model, 4, seed)
                };
                let pass = Pass::draw(&data, model, &settings, &mut rng);
                let mut learnt: Vec<u32> = Vec::new();
                for batch in pass.batches(3) {
                    assert_eq!(batch.inputs.len(), batch.size * 4);
                    for (state, target) in batch.states.iter().zip(&batch.targets) {
                        // Sequences count up, so the state is that of the item before.
                        assert_eq!(batch.inputs[*state as usize] + 1, *target);
                    }
                    learnt.extend(batch.targets);
                }
                learnt.sort_unstable();
                let expected: Vec<u32> = (2..24).chain([9]).collect();
                let mut expected = expected;
                expected.sort_unstable();
                assert_eq!(learnt, expected);
            }
        }
    }

    #[test]
    fn convolutions_predict_several() {
        let data = data();
        let settings = TrainingSettings::of(NeuralModel::Caser, 10, 0);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let pass = Pass::draw(&data, NeuralModel::Caser, &settings, &mut rng);
        let mut seen = 0;
        for batch in pass.batches(7) {
            for (state, target) in batch.states.iter().zip(&batch.targets) {
                let last = batch.inputs[*state as usize * 5 + 4];
                assert!((1..=3).contains(&(target - last)), "{target} after {last}");
                seen += 1;
            }
        }
        assert_eq!(seen, 20 * 3 + 2 + 1 + 1);
    }

    #[test]
    fn what_is_held_out_is_no_longer_there() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let (rest, held_out) = data().hold_out(&mut rng);
        assert_eq!(held_out.len(), 1);
        assert_eq!((held_out[0].next, rest.sequences[0].len()), (22, 22));
        assert!(!held_out[0].others.contains(&22));
        assert_eq!(rest.sequences[2], [7, 8]);
    }

    #[test]
    fn short_histories_are_padded() {
        assert_eq!(padded(&[4, 5], 3).collect::<Vec<_>>(), [0, 5, 6]);
        assert_eq!(padded(&[4, 5, 6, 7], 2).collect::<Vec<_>>(), [7, 8]);
    }
}
