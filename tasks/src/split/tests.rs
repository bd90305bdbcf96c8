use proptest::prelude::*;

use super::*;
use crate::Input;

/// `n` examples of a group, the first `positive` of them positive.
fn group(name: &str, n: usize, positive: usize) -> Vec<Example> {
    let example = |index: usize| {
        let label = if index < positive {
            "positive"
        } else {
            "negative"
        };
        Input::new(format!("{name}-{index}"), name).with_label(Label::Class(label.into()))
    };
    (0..n).map(example).collect()
}

fn spec() -> GroupsSpec {
    GroupsSpec {
        source: vec!["books".into()],
        target: vec!["films".into(), "toys".into()],
        train: 10,
        validation: 20,
        unlabelled: 40,
        labelled: 10,
        audit: 20,
        balance: true,
    }
}

fn examples() -> Vec<Example> {
    [
        group("books", 120, 60),
        group("films", 120, 80),
        group("toys", 90, 45),
        group("games", 7, 3),
    ]
    .concat()
}

/// The ids of every role: train, validation, unlabelled, labelled, audit.
fn ids(split: Split) -> [Vec<String>; 5] {
    let of = |examples: &[Example]| examples.iter().map(|e| e.input.id.clone()).collect();
    let data = split.data;
    [
        of(&data.source.train),
        of(&data.source.validation),
        data.target
            .inputs
            .iter()
            .map(|input| input.id.clone())
            .collect(),
        of(data.labelled_target.read()),
        of(&data.audit.open()),
    ]
}

fn positives(examples: &[Example], ids: &[String], group: &str) -> (usize, usize) {
    let members = examples
        .iter()
        .filter(|e| e.input.group == group && ids.contains(&e.input.id));
    let positive = members
        .clone()
        .filter(|e| e.label == Label::Class("positive".into()))
        .count();
    (positive, members.count())
}

#[test]
fn roles_have_their_sizes_and_classes() {
    let examples = examples();
    let split = spec().split(&examples, 7).unwrap();
    assert_eq!(split.unused, BTreeMap::from([("games".to_owned(), 7)]));
    assert_eq!(split.data.reads.count(), 0);
    let [train, validation, unlabelled, labelled, audit] = ids(split);
    let share = |ids: &[String], group| positives(&examples, ids, group);
    assert_eq!(share(&train, "books"), (5, 10));
    assert_eq!(share(&validation, "books"), (10, 20));
    assert_eq!(share(&labelled, "films"), (5, 10));
    assert_eq!(share(&audit, "films"), (10, 20));
    assert_eq!(share(&audit, "books"), (10, 20));
    // Two thirds of the films are positive, and so are the inputs shown.
    assert_eq!(share(&unlabelled, "films"), (27, 40));
    assert_eq!(share(&unlabelled, "toys"), (20, 40));
    assert_eq!(audit.len(), 60);
    // The classes are mixed, not one after the other.
    let class = |id: &String| share(std::slice::from_ref(id), "books").0;
    let runs = validation
        .windows(2)
        .filter(|pair| class(&pair[0]) != class(&pair[1]))
        .count();
    assert!(runs > 2, "{validation:?}");
}

#[test]
fn natural_shares_without_balance() {
    let examples = examples();
    let spec = GroupsSpec {
        balance: false,
        ..spec()
    };
    let [_, _, unlabelled, labelled, audit] = ids(spec.split(&examples, 1).unwrap());
    assert_eq!(positives(&examples, &audit, "films"), (13, 20));
    assert_eq!(positives(&examples, &labelled, "films"), (7, 10));
    assert_eq!(positives(&examples, &unlabelled, "films"), (27, 40));
}

#[test]
fn the_audit_is_the_same_for_every_seed() {
    let examples = examples();
    let [train_1, .., audit_1] = ids(spec().split(&examples, 1).unwrap());
    let [train_2, .., audit_2] = ids(spec().split(&examples, 2).unwrap());
    let [.., audit_3] = ids(spec().split(&examples, u64::MAX).unwrap());
    assert_eq!(audit_1, audit_2);
    assert_eq!(audit_1, audit_3);
    assert_ne!(train_1, train_2);
    // Nor does it depend on how much the other roles take.
    let wider = GroupsSpec {
        train: 20,
        labelled: 0,
        ..spec()
    };
    assert_eq!(ids(wider.split(&examples, 1).unwrap())[4], audit_1);
}

fn check(change: impl FnOnce(&mut GroupsSpec), expect: &str) {
    let mut spec = spec();
    change(&mut spec);
    assert_eq!(spec.split(&examples(), 1).unwrap_err().to_string(), expect);
}

#[test]
fn shortages_name_group_class_and_mend() {
    check(
        |spec| spec.validation = 91,
        "groups: the group \"books\" has 60 examples of \"negative\", \
         61 are needed (10 audit + 5 train + 46 validation); \
         lower groups.audit or groups.train or groups.validation, or set groups.balance = false",
    );
    // Natural shares: the group is short as a whole, and says so per class.
    check(
        |spec| {
            spec.balance = false;
            spec.unlabelled = 61;
            spec.target = vec!["toys".into()];
        },
        "groups: the group \"toys\" has 45 examples of \"negative\", \
         46 are needed (10 audit + 5 labelled + 31 unlabelled); \
         lower groups.audit or groups.labelled or groups.unlabelled",
    );
    // A huge number is a shortage like any other.
    let huge = GroupsSpec {
        train: usize::MAX,
        validation: usize::MAX,
        ..spec()
    };
    assert!(huge.split(&examples(), 1).is_err());
}

#[test]
fn groups_must_exist_once() {
    let known = "groups: \"books\" (120) \"films\" (120) \"games\" (7) \"toys\" (90)";
    check(
        |spec| spec.target[0] = "film".into(),
        &format!("groups.target: there is no group \"film\"; did you mean \"films\"? {known}"),
    );
    check(
        |spec| spec.source.clear(),
        &format!("groups.source: names no group; {known}"),
    );
    check(
        |spec| spec.target.push("books".into()),
        "groups.target: the group \"books\" is named twice; a group is either source or target, once",
    );
}

#[test]
fn shares_are_largest_remainders() {
    assert_eq!(shares(10, &[2, 1]), [7, 3]);
    assert_eq!(shares(1, &[1, 1]), [1, 0]);
    assert_eq!(shares(5, &[0, 0]), [5, 0]);
    assert_eq!(shares(0, &[3, 4]), [0, 0]);
    assert_eq!(shares(usize::MAX, &[1]), [usize::MAX]);
}

proptest! {
    #[test]
    fn roles_are_disjoint_and_ignore_file_order(
        seed: u64,
        balance: bool,
        order in Just(examples()).prop_shuffle(),
    ) {
        let spec = GroupsSpec { balance, ..spec() };
        let roles = ids(spec.split(&examples(), seed).unwrap());
        let all: Vec<_> = roles.iter().flatten().collect();
        prop_assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        prop_assert_eq!(ids(spec.split(&order, seed).unwrap()), roles);
    }

    // Either every role is filled as asked, or the error says so; never less.
    #[test]
    fn nothing_is_scaled_down(
        n in 1..40_usize, share in 0..=100_usize, balance: bool,
        sizes in prop::array::uniform5(0..12_usize),
    ) {
        let [train, validation, unlabelled, labelled, audit] = sizes;
        let spec = GroupsSpec {
            source: vec!["s".into()], target: vec!["t".into()],
            train, validation, unlabelled, labelled, audit, balance,
        };
        let examples = [group("s", n, n * share / 100), group("t", n, n * share / 100)].concat();
        match spec.split(&examples, 1) {
            Ok(split) => {
                let sizes = ids(split).map(|ids| ids.len());
                prop_assert_eq!(sizes, [train, validation, unlabelled, labelled, 2 * audit]);
            }
            Err(_) => prop_assert!(
                balance || train + validation + audit > n || unlabelled + labelled + audit > n
            ),
        }
    }

    #[test]
    fn shares_add_up_and_fit(n in 0..200_usize, sizes in prop::collection::vec(0..50_usize, 1..6)) {
        let shares = shares(n, &sizes);
        prop_assert_eq!(shares.iter().sum::<usize>(), n);
        if n <= sizes.iter().sum() {
            prop_assert!(shares.iter().zip(&sizes).all(|(share, size)| share <= size));
        }
    }
}
