use super::*;
use crate::stats::rng::SplitMix;

/// A voter of the planted world: its accuracy on labelled examples and on items,
/// and the family with which it shares nine errors of ten.
#[derive(Clone, Copy)]
struct Planted {
    labelled: f64,
    items: f64,
    family: u64,
}

fn planted(labelled: f64, items: f64, family: u64) -> Planted {
    Planted {
        labelled,
        items,
        family,
    }
}

const TRAP: Planted = Planted {
    labelled: 0.9,
    items: 0.58,
    family: 1,
};
const ITEMS: usize = 120;
const CHECKED: usize = 40;

fn uniform(seed: u64, name: u64, item: usize) -> f64 {
    let mixed =
        seed ^ name.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (item as u64).wrapping_mul(0xD1B5);
    let mut rng = SplitMix::new(mixed);
    rng.next_u64();
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn is_right(seed: u64, voter: usize, own: &Planted, accuracy: f64, item: usize) -> bool {
    let shares = uniform(seed, 1000 + voter as u64, item) < 0.9;
    let name = if shares {
        own.family
    } else {
        2000 + voter as u64
    };
    uniform(seed, name, item) < accuracy
}

/// Two classes, 0 always right.
fn world(seed: u64, voters: &[Planted]) -> (VoterModel, Vec<ItemVotes>) {
    steady_world(seed, voters, &vec![false; voters.len()])
}

fn steady_world(seed: u64, voters: &[Planted], steady: &[bool]) -> (VoterModel, Vec<ItemVotes>) {
    let checks: Vec<Vec<Option<bool>>> = voters
        .iter()
        .enumerate()
        .map(|(v, own)| {
            let at = |item| Some(is_right(seed, v, own, own.labelled, 10_000 + item));
            (0..CHECKED).map(at).collect()
        })
        .collect();
    let items: Vec<ItemVotes> = (0..ITEMS)
        .map(|item| {
            let vote = |(v, own): (usize, &Planted)| {
                Some(u32::from(!is_right(seed, v, own, own.items, item)))
            };
            ItemVotes {
                votes: voters.iter().enumerate().map(vote).collect(),
                alternatives: 2,
            }
        })
        .collect();
    (VoterModel::fit(&checks, steady, &items), items)
}

fn votes(answers: &[u32]) -> ItemVotes {
    ItemVotes {
        votes: answers.iter().map(|&answer| Some(answer)).collect(),
        alternatives: 2,
    }
}

fn model(accuracies: &[f64]) -> VoterModel {
    VoterModel {
        source_accuracies: accuracies.to_vec(),
        target_accuracies: accuracies.to_vec(),
        independence: vec![1.0; accuracies.len()],
        families: (0..accuracies.len()).collect(),
        usual: 0.0,
    }
}

#[test]
fn belief_is_naive_bayes() {
    let model = model(&[0.9, 0.8, 0.5]);
    let belief = model.belief(&votes(&[0, 1, 1]), &[false; 3]);
    // Odds 9 for answer 0 against 4 for answer 1; a coin says nothing.
    assert!((belief.of(0) - 9.0 / 13.0).abs() < 1e-12);
    assert_eq!(belief.winner(), Some(0));
    assert!((belief.sharpness() - (81.0 + 16.0) / 169.0).abs() < 1e-12);
    let silenced = model.belief(&votes(&[0, 1, 1]), &[true, false, false]);
    assert!((silenced.of(1) - 0.8).abs() < 1e-12);
}

#[test]
fn answers_nobody_gave_share_the_rest() {
    let model = model(&[0.7]);
    let item = ItemVotes {
        votes: vec![Some(0)],
        alternatives: 4,
    };
    let belief = model.belief(&item, &[false]);
    assert!((belief.of(0) - 0.7).abs() < 1e-12);
    assert!((belief.of(3) - 0.1).abs() < 1e-12);
    let none = ItemVotes {
        votes: vec![None],
        alternatives: 2,
    };
    assert_eq!(model.belief(&none, &[false]).winner(), None);
    assert_eq!(model.share(&none), None);
}

#[test]
fn bad_voters_have_no_veto() {
    let model = model(&[0.8, 0.8, 0.45, 0.3]);
    let (winner, share) = model.share(&votes(&[0, 0, 1, 1])).unwrap();
    assert_eq!(winner, 0);
    assert!((share - 1.0).abs() < 1e-12, "{share}");
    let guessing = VoterModel {
        target_accuracies: vec![0.5, 0.4],
        ..model
    };
    assert_eq!(guessing.share(&votes(&[0, 0])), None);
}

#[test]
fn copies_count_as_one_voter() {
    for seed in 0..10 {
        let copies = vec![planted(0.75, 0.75, 7); 4];
        let (crowd, _) = world(seed, &copies);
        let apart: Vec<Planted> = (0..4).map(|n| planted(0.75, 0.75, 10 + n)).collect();
        let (four, _) = world(seed, &apart);
        // Nine answers of ten are shared.
        assert!(crowd.voices() < 1.7, "{}", crowd.voices());
        assert!(four.voices() > 2.2, "{}", four.voices());
    }
}

#[test]
fn families_are_found_beside_others() {
    let mut found = 0;
    for seed in 0..20 {
        let others = [
            planted(0.8, 0.82, 2),
            planted(0.7, 0.7, 3),
            planted(0.7, 0.7, 4),
        ];
        let (model, _) = world(seed, &[&[TRAP, TRAP][..], &others].concat());
        found += i32::from(model.families[0] == model.families[1] && model.family_count() == 4);
    }
    assert!(found >= 15, "{found} of 20");
}

#[test]
fn left_families_lose_their_accuracy() {
    // One to three voters of six hold on the labelled examples alone.
    for traps in 1..=3 {
        let (mut lowered, mut spared) = (0, 0);
        for seed in 0..20 {
            let mut voters = vec![TRAP; traps];
            voters.extend([
                planted(0.8, 0.82, 2),
                planted(0.7, 0.7, 3),
                planted(0.75, 0.75, 4),
            ]);
            let steady: Vec<bool> = (0..voters.len()).map(|v| v == traps + 1).collect();
            let (model, _) = steady_world(seed, &voters, &steady);
            lowered += i32::from(model.target_accuracies[0] < model.source_accuracies[0] - 0.15);
            spared +=
                i32::from(model.target_accuracies[traps] > model.source_accuracies[traps] - 0.1);
        }
        assert!(
            lowered >= 16 && spared >= 16,
            "{traps}: {lowered}, {spared}"
        );
    }
}

#[test]
fn steady_voters_keep_their_accuracy() {
    let mut moved = 0;
    for seed in 0..50 {
        let voters = [0.85, 0.8, 0.75, 0.7, 0.65, 0.6]
            .iter()
            .zip(10..)
            .map(|(&accuracy, family)| planted(accuracy, accuracy, family));
        let (model, _) = world(seed, &voters.collect::<Vec<_>>());
        let pairs = model.source_accuracies.iter().zip(&model.target_accuracies);
        moved += pairs.filter(|(told, now)| *told - *now > 0.15).count();
    }
    // Of 300 voters.
    assert!(moved <= 15, "{moved}");
}

#[test]
fn two_families_cannot_accuse_each_other() {
    for seed in 0..20 {
        let (model, _) = world(seed, &[TRAP, planted(0.8, 0.8, 2)]);
        assert!(
            model.target_accuracies[0] > model.source_accuracies[0] - 0.15,
            "{model:?}"
        );
        assert!(
            model.target_accuracies[1] > model.source_accuracies[1] - 0.15,
            "{model:?}"
        );
    }
}

#[test]
fn agreement_never_raises_accuracy() {
    for seed in 0..20 {
        let voters = [
            planted(0.6, 0.95, 2),
            planted(0.6, 0.95, 3),
            planted(0.6, 0.95, 4),
        ];
        let (model, _) = world(seed, &voters);
        let pairs = model.source_accuracies.iter().zip(&model.target_accuracies);
        assert!(pairs.clone().all(|(told, now)| now <= told), "{model:?}");
    }
}

#[test]
fn newcomers_silence_their_family() {
    let mut silenced = 0;
    for seed in 0..20 {
        let others = [
            planted(0.8, 0.82, 2),
            planted(0.7, 0.7, 3),
            planted(0.75, 0.75, 4),
        ];
        let (model, items) = world(seed, &[&[TRAP, TRAP][..], &others].concat());
        let answers: Vec<Option<u32>> = (0..ITEMS)
            .map(|item| Some(u32::from(!is_right(seed, 50, &TRAP, TRAP.items, item))))
            .collect();
        let excluded = model.excluded(&items, &answers);
        silenced += i32::from(excluded[0] && excluded[1] && !excluded[2]);
    }
    assert!(silenced >= 15, "{silenced} of 20");
}

#[test]
fn nothing_known_says_nothing() {
    let empty = VoterModel::fit(&[], &[], &[]);
    assert_eq!((empty.family_count(), empty.voices()), (0, 0.0));
    let unasked = VoterModel::fit(
        &[vec![], vec![]],
        &[false; 2],
        &[votes(&[0, 0]), votes(&[1, 0])],
    );
    // The rule of succession without an example: a coin, which has no vote.
    assert_eq!(unasked.share(&votes(&[0, 0])), None);
}

#[test]
fn harder_items_accuse_nobody() {
    let mut moved = 0;
    for seed in 0..50 {
        let voters: Vec<Planted> = [0.9, 0.85, 0.8, 0.8, 0.75]
            .iter()
            .zip(10..)
            .map(|(&accuracy, family)| planted(accuracy, accuracy - 0.12, family))
            .collect();
        let (model, _) = world(seed, &voters);
        let pairs = model.source_accuracies.iter().zip(&model.target_accuracies);
        moved += pairs.filter(|(told, now)| *told - *now > 0.2).count();
    }
    // Of 250 voters.
    assert!(moved <= 25, "{moved}");
}
