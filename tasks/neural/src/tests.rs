use std::ops::ControlFlow;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;

/// Users who go round a ring of items by their own stride, 1 or 2, from anywhere: what comes
/// next is told by the last two items alone.
fn rings(items: u32, users: u32) -> SequenceData {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let sequences = (0..users).map(|_| {
        let (start, stride) = (rng.random_range(0..items), rng.random_range(1..3));
        (0..12)
            .map(|step| (start + step * stride) % items)
            .collect()
    });
    SequenceData {
        items: items as usize,
        sequences: sequences.collect(),
    }
}

fn quick(model: NeuralModel) -> TrainingSettings {
    TrainingSettings {
        width: 32,
        batch: 32,
        learning_rate: 5e-3,
        drawn: 40,
        epochs: 25,
        ..TrainingSettings::of(model, 6, 3)
    }
}

fn trained(
    model: NeuralModel,
    settings: &TrainingSettings,
    data: &SequenceData,
) -> TrainedRecommender {
    train(model, settings, data, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn best(scores: &[f32]) -> usize {
    let ranked = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    ranked.unwrap()
}

#[test]
fn every_model_learns_what_follows() {
    let data = rings(40, 200);
    for model in NeuralModel::ALL {
        // Who learns three items ahead at once does not tell which comes first; and what is
        // to be learnt is exact, so nothing is gained by leaving some of it out.
        let settings = TrainingSettings {
            targets: 1,
            dropout: 0.0,
            epochs: 60,
            patience: 60,
            ..quick(model)
        };
        let trained = trained(model, &settings, &data);
        let mut right = 0;
        for start in 0..40_u32 {
            for stride in 1..3 {
                let history: Vec<u32> = (0..5).map(|step| (start + step * stride) % 40).collect();
                let next = (start + 5 * stride) % 40;
                right += u32::from(best(&trained.scores(&history)) == next as usize);
            }
        }
        // Who only counts, or reads the last item alone, gets half at most.
        assert!(right >= 68, "{}: {right} of 80", model.name());
    }
}

#[test]
fn equal_seeds_give_equal_scores() {
    let data = rings(20, 40);
    for model in NeuralModel::ALL {
        let settings = TrainingSettings {
            epochs: 2,
            ..quick(model)
        };
        let scores =
            |settings: &TrainingSettings| trained(model, settings, &data).scores(&[3, 4, 5]);
        let first = scores(&settings);
        assert_eq!(first, scores(&settings), "{}", model.name());
        let other = TrainingSettings {
            seed: 4,
            ..settings.clone()
        };
        assert_ne!(first, scores(&other), "{}", model.name());
    }
}

#[test]
fn kept_models_answer_alike() {
    let data = rings(20, 40);
    for model in NeuralModel::ALL {
        let settings = TrainingSettings {
            epochs: 1,
            ..quick(model)
        };
        let trained = trained(model, &settings, &data);
        let bytes = trained.to_bytes();
        let read = |bytes: &[u8], settings: &TrainingSettings, items| {
            TrainedRecommender::from_bytes(model, settings, items, bytes)
        };
        let again = read(&bytes, &settings, 20).unwrap();
        for history in [&[][..], &[1], &[0, 19, 7, 7, 2, 3, 4, 5]] {
            assert_eq!(trained.scores(history), again.scores(history));
        }
        assert!(read(&bytes, &settings, 21).is_none());
        let wider = TrainingSettings {
            width: 48,
            ..settings.clone()
        };
        assert!(read(&bytes, &wider, 20).is_none());
        for cut in [0, 5, 32, 33, bytes.len() - 4] {
            assert!(read(&bytes[..cut], &settings, 20).is_none(), "{cut}");
        }
        for at in (0..bytes.len()).step_by(bytes.len() / 7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(read(&damaged, &settings, 20).is_none(), "{at}");
        }
    }
}

#[test]
fn keys_tell_everything_apart() {
    let data = rings(20, 40);
    let settings = TrainingSettings::of(NeuralModel::Sasrec, 10, 0);
    let key = |settings: &TrainingSettings, data: &SequenceData| {
        TrainedRecommender::key(NeuralModel::Sasrec, settings, data)
    };
    let first = key(&settings, &data);
    assert_eq!(first, key(&settings, &data.clone()));
    let mut moved = data.clone();
    let last = moved.sequences[3].pop().unwrap();
    moved.sequences[4].push(last);
    let more = SequenceData {
        items: 21,
        ..data.clone()
    };
    let other = TrainingSettings {
        seed: 1,
        ..settings.clone()
    };
    let keys = [
        first,
        key(&settings, &moved),
        key(&settings, &more),
        key(&other, &data),
        TrainedRecommender::key(NeuralModel::Gru4rec, &settings, &data),
    ];
    let different: std::collections::BTreeSet<&String> = keys.iter().collect();
    assert_eq!(different.len(), keys.len());
}

#[test]
fn what_cannot_be_trained_is_told() {
    let settings = quick(NeuralModel::Caser);
    let with = |settings: &TrainingSettings, items, sequences| {
        let data = SequenceData { items, sequences };
        train(NeuralModel::Caser, settings, &data, &mut |_| {
            ControlFlow::Continue(())
        })
        .unwrap_err()
        .to_string()
    };
    assert!(with(&settings, 5, vec![vec![1], vec![2]]).contains("no user of the training part"));
    assert!(with(&settings, 5, vec![vec![1, 9]]).contains("item 9, and there are 5"));
    let none = TrainingSettings {
        batch: 0,
        ..settings.clone()
    };
    assert!(with(&none, 5, vec![vec![1, 2]]).contains("count of 0"));
    let wild = TrainingSettings {
        learning_rate: 1e30,
        ..settings
    };
    let data = SequenceData {
        items: 5,
        sequences: vec![vec![1, 2, 3]; 80],
    };
    let diverged = train(NeuralModel::Sasrec, &wild, &data, &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(diverged.unwrap_err().to_string().contains("diverged"));
    let data = rings(20, 40);
    let stopped = train(
        NeuralModel::Sasrec,
        &quick(NeuralModel::Sasrec),
        &data,
        &mut |_| ControlFlow::Break(()),
    );
    assert!(matches!(stopped.unwrap_err(), TrainingError::Stopped));
}

/// Two users with two items each leave nothing to hold out.
#[test]
fn little_data_is_learnt_all_the_same() {
    let data = SequenceData {
        items: 3,
        sequences: vec![vec![0, 1], vec![0, 1]],
    };
    let settings = TrainingSettings {
        epochs: 40,
        ..quick(NeuralModel::Sasrec)
    };
    let trained = trained(NeuralModel::Sasrec, &settings, &data);
    assert_eq!(best(&trained.scores(&[0])), 1);
}
