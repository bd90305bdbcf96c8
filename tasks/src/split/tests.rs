use proptest::prelude::*;

use super::shares::proportional as shares;
use super::*;
use crate::Label;

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
        train: Some(10),
        validation: Some(20),
        unlabelled: Some(40),
        labelled: Some(10),
        audit: Some(20),
        balance: Some(true),
        ..GroupsSpec::default()
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
fn ids(split: DataSplit) -> [Vec<String>; 5] {
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
fn roles_have_sizes_and_classes() {
    let examples = examples();
    let split = spec()
        .split(&examples, &[], 7, UnlabelledDraw::Blind)
        .unwrap();
    assert_eq!(split.unused, BTreeMap::from([("games".to_owned(), 7)]));
    assert_eq!(split.data.reads.count(), 0);
    let [train, validation, unlabelled, labelled, audit] = ids(split);
    let share = |ids: &[String], group| positives(&examples, ids, group);
    assert_eq!(share(&train, "books"), (5, 10));
    assert_eq!(share(&validation, "books"), (10, 20));
    assert_eq!(share(&labelled, "films"), (5, 10));
    assert_eq!(share(&audit, "films"), (10, 20));
    assert_eq!(share(&audit, "books"), (10, 20));
    assert_eq!(share(&unlabelled, "films").1, 40);
    assert_eq!(share(&unlabelled, "toys").1, 40);
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
fn audit_keeps_group_shares() {
    let mut examples = examples();
    // Nine books in ten are positive.
    examples.retain(|e| e.input.group != "books");
    examples.extend(group("books", 300, 270));
    let spec = GroupsSpec {
        balance: None,
        ..spec()
    };
    let split = spec
        .split(&examples, &[], 7, UnlabelledDraw::Blind)
        .unwrap();
    let [train, validation, _, labelled, audit] = ids(split);
    let share = |ids: &[String], group| positives(&examples, ids, group);
    assert_eq!(share(&train, "books"), (5, 10));
    assert_eq!(share(&validation, "books"), (10, 20));
    assert_eq!(share(&audit, "books"), (18, 20));
    assert_eq!(share(&audit, "films"), (13, 20));
    assert_eq!(share(&labelled, "films"), (7, 10));
}

#[test]
fn natural_shares_without_balance() {
    let examples = examples();
    let spec = GroupsSpec {
        balance: Some(false),
        ..spec()
    };
    let split = spec
        .split(&examples, &[], 1, UnlabelledDraw::Blind)
        .unwrap();
    let [_, _, _, labelled, audit] = ids(split);
    assert_eq!(positives(&examples, &audit, "films"), (13, 20));
    assert_eq!(positives(&examples, &labelled, "films"), (7, 10));
}

/// A run begun by an earlier version is resumed on the examples it began with.
#[test]
fn old_runs_keep_their_examples() {
    let drawn = |balance| {
        let spec = GroupsSpec {
            balance: Some(balance),
            ..spec()
        };
        let split = spec
            .split(&examples(), &[], 7, UnlabelledDraw::ByClass)
            .unwrap();
        ids(split).map(|role| blake3::hash(role.join(" ").as_bytes()).to_hex()[..16].to_owned())
    };
    assert_eq!(
        drawn(true),
        [
            "050d7623c12fe03b",
            "59ec63c657a34e7a",
            "d70ed607cfa28af9",
            "5475770d4a956539",
            "14b4e7e5b65ffd88"
        ]
    );
    assert_eq!(
        drawn(false),
        [
            "050d7623c12fe03b",
            "59ec63c657a34e7a",
            "3ec44427150695bd",
            "a4bff799d1657d67",
            "5b8d51bbc65f1414"
        ]
    );
}

/// So a study with the groups turned round is measured on the same examples.
#[test]
fn audit_is_same_in_either_role() {
    let spec = |source: &str, target: &str| GroupsSpec {
        source: vec![source.into()],
        target: vec![target.into()],
        ..GroupsSpec::default()
    };
    let audited = |spec: &GroupsSpec| -> BTreeSet<String> {
        let [.., audit] = ids(spec
            .split(&examples(), &[], 1, UnlabelledDraw::Blind)
            .unwrap());
        audit
            .into_iter()
            .filter(|id| id.starts_with("films"))
            .collect()
    };
    let small = |spec: GroupsSpec| GroupsSpec {
        train: Some(10),
        validation: Some(20),
        audit: Some(30),
        ..spec
    };
    let there = audited(&small(spec("books", "films")));
    assert_eq!(there, audited(&small(spec("films", "books"))));
    assert_eq!(there.len(), 30);
}

#[test]
fn class_shares_apply_by_group() {
    let examples = examples();
    let stated = |pairs: [(&str, f64); 2]| -> BTreeMap<String, f64> {
        pairs.map(|(class, share)| (class.to_owned(), share)).into()
    };
    let mut spec = GroupsSpec {
        balance: None,
        class_shares: stated([("positive", 0.3), ("negative", 0.7)])
            .into_iter()
            .map(|(class, share)| (class, ClassShare::Class(share)))
            .collect(),
        ..spec()
    };
    spec.class_shares.insert(
        "films".into(),
        ClassShare::Group(stated([("positive", 0.9), ("negative", 0.1)])),
    );
    let form = AnswerForm::choice(["positive", "negative"]);
    spec.check_class_shares(&form).unwrap();
    let [.., labelled, audit] = ids(spec
        .split(&examples, &[], 1, UnlabelledDraw::Blind)
        .unwrap());
    assert_eq!(positives(&examples, &audit, "toys"), (6, 20));
    assert_eq!(positives(&examples, &audit, "books"), (6, 20));
    assert_eq!(positives(&examples, &audit, "films"), (18, 20));
    assert_eq!(positives(&examples, &labelled, "films"), (9, 10));

    // Of the target's groups together, where each has some.
    let of_target = |spec: &GroupsSpec| {
        let split = spec.split(&examples, &[], 1, UnlabelledDraw::Blind);
        split.unwrap().data.target.class_shares
    };
    let both = of_target(&spec);
    assert!((both["positive"] - 0.6).abs() < 1e-12 && (both["negative"] - 0.4).abs() < 1e-12);
    let mut films = spec.clone();
    films.class_shares.retain(|name, _| name == "films");
    assert_eq!(
        of_target(&films),
        BTreeMap::new(),
        "nothing is stated for toys"
    );
    films.target.pop();
    assert_eq!(of_target(&films)["positive"], 0.9);

    let wrong = |change: &dyn Fn(&mut GroupsSpec)| {
        let mut wrong = spec.clone();
        change(&mut wrong);
        wrong.check_class_shares(&form).unwrap_err().to_string()
    };
    let share = |class: &str, share| {
        let class = class.to_owned();
        move |spec: &mut GroupsSpec| {
            spec.class_shares
                .insert(class.clone(), ClassShare::Class(share));
        }
    };
    assert!(wrong(&share("positive", 0.2)).contains("sum to 0.89"));
    assert!(wrong(&share("postive", 0.0)).contains("did you mean \"positive\"?"));
    assert!(wrong(&share("positive", -0.2)).contains("a number from 0 to 1"));
    assert!(wrong(&|spec| spec.balance = Some(true)).contains("groups.balance"));
    assert!(wrong(&|spec| spec.target.clear()).contains("\"films\" is no group of the study"));
    let text = AnswerForm::Text { max_tokens: 3 };
    assert!(spec.check_class_shares(&text).is_err());
}

#[test]
fn unlabelled_draw_ignores_labels() {
    // The same ids under other labels, or under none, in another order.
    let examples = examples();
    let spec = GroupsSpec {
        balance: None,
        audit: Some(0),
        labelled: Some(0),
        ..spec()
    };
    let drawn = |examples: &[Example], unlabelled: &[Input]| {
        let split = spec
            .split(examples, unlabelled, 3, UnlabelledDraw::Blind)
            .unwrap();
        ids(split)[2].clone()
    };
    let whole = drawn(&examples, &[]);
    let mut flipped = examples.clone();
    for example in flipped.iter_mut().filter(|e| e.input.group == "films") {
        example.label = Label::Class("positive".into());
    }
    assert_eq!(drawn(&flipped, &[]), whole);
    let (blank, labelled): (Vec<Example>, Vec<Example>) =
        examples.into_iter().rev().partition(|e| {
            e.input.group == "toys" || e.input.group == "films" && e.input.id.ends_with('3')
        });
    let blank: Vec<Input> = blank.into_iter().map(|example| example.input).collect();
    assert_eq!(drawn(&labelled, &blank), whole);
}

#[test]
fn absent_sizes_take_everything() {
    let unlabelled: Vec<Input> = group("toys", 90, 0)
        .into_iter()
        .map(|example| example.input)
        .collect();
    let mut labelled = [group("books", 120, 60), group("films", 300, 30)].concat();
    labelled.retain(|e| e.input.group != "toys");
    let spec = GroupsSpec {
        source: vec!["books".into()],
        target: vec!["films".into(), "toys".into()],
        ..GroupsSpec::default()
    };
    let split = spec
        .split(&labelled, &unlabelled, 1, UnlabelledDraw::Blind)
        .unwrap();
    let notes = split.notes.join("\n");
    let sizes = ids(split).map(|ids| ids.len());
    // Train, validation and audit share the books alike; films fill their roles;
    // toys have no audit and all their rows serve.
    assert_eq!(sizes, [26, 52, 120 + 90, 0, 42 + 100]);
    insta::assert_snapshot!("absent_sizes", notes);
    // What the study states is not touched.
    let stated = GroupsSpec {
        validation: Some(80),
        ..spec.clone()
    };
    let split = stated
        .split(&labelled, &unlabelled, 1, UnlabelledDraw::Blind)
        .unwrap();
    let sizes = ids(split).map(|ids| ids.len());
    assert_eq!((sizes[0] + sizes[4] - 100, sizes[1]), (40, 80));
    let too_much = GroupsSpec {
        validation: Some(121),
        ..spec
    };
    assert!(
        too_much
            .split(&labelled, &unlabelled, 1, UnlabelledDraw::Blind)
            .is_err()
    );
}

#[test]
fn only_group_becomes_source() {
    let examples = group("all", 40, 20);
    let spec = GroupsSpec::default().named(&examples, &[]);
    assert_eq!(
        (spec.source.as_slice(), spec.target.len()),
        (&["all".to_owned()][..], 0)
    );
    let [train, validation, unlabelled, _, audit] = ids(spec
        .split(&examples, &[], 1, UnlabelledDraw::Blind)
        .unwrap());
    assert_eq!(train.len() + validation.len() + audit.len(), 40);
    assert_eq!(unlabelled.len(), 0);
    let two = [examples, group("other", 3, 1)].concat();
    assert_eq!(
        GroupsSpec::default().named(&two, &[]),
        GroupsSpec::default()
    );
}

#[test]
fn audit_is_same_for_seeds() {
    let examples = examples();
    let [train_1, .., audit_1] = ids(spec()
        .split(&examples, &[], 1, UnlabelledDraw::Blind)
        .unwrap());
    let [train_2, .., audit_2] = ids(spec()
        .split(&examples, &[], 2, UnlabelledDraw::Blind)
        .unwrap());
    let [.., audit_3] = ids(spec()
        .split(&examples, &[], u64::MAX, UnlabelledDraw::Blind)
        .unwrap());
    assert_eq!(audit_1, audit_2);
    assert_eq!(audit_1, audit_3);
    assert_ne!(train_1, train_2);
    // Nor does it depend on how much the other roles take.
    let wider = GroupsSpec {
        train: Some(20),
        labelled: Some(0),
        ..spec()
    };
    let wider = wider
        .split(&examples, &[], 1, UnlabelledDraw::Blind)
        .unwrap();
    assert_eq!(ids(wider)[4], audit_1);
}

fn check(change: impl FnOnce(&mut GroupsSpec), expect: &str) {
    let mut spec = spec();
    change(&mut spec);
    let error = spec
        .split(&examples(), &[], 1, UnlabelledDraw::Blind)
        .unwrap_err();
    assert_eq!(error.to_string(), expect);
}

#[test]
fn shortages_name_group_and_help() {
    check(
        |spec| spec.validation = Some(91),
        "groups: the group \"books\" has 60 examples of \"negative\", \
         61 are needed (10 audit + 5 train + 46 validation); \
         lower groups.audit or groups.train or groups.validation, or set groups.balance = false; \
         the largest that fit together: audit = 20, train = 10, validation = 90, labelled = 10, \
         unlabelled = 40",
    );
    // Inputs are drawn from all that is left, of any class.
    check(
        |spec| {
            spec.balance = Some(false);
            spec.unlabelled = Some(61);
            spec.target = vec!["toys".into()];
        },
        "groups: the group \"toys\" has 90 examples, \
         91 are needed (20 audit + 10 labelled + 61 unlabelled); \
         lower groups.audit or groups.labelled or groups.unlabelled; \
         the largest that fit together: audit = 20, train = 10, validation = 20, labelled = 10, \
         unlabelled = 60",
    );
    // A huge number is a shortage like any other.
    let huge = GroupsSpec {
        train: Some(usize::MAX),
        validation: Some(usize::MAX),
        ..spec()
    };
    assert!(
        huge.split(&examples(), &[], 1, UnlabelledDraw::Blind)
            .is_err()
    );
    // Rows without a label do not fill a source's roles, and are named as the cause.
    let blank = group("books", 500, 0).into_iter().map(|e| e.input);
    let blank: Vec<Input> = blank
        .map(|mut i| {
            i.id.insert(0, 'b');
            i
        })
        .collect();
    let wide = GroupsSpec {
        train: Some(100),
        ..spec()
    };
    let error = wide
        .split(&examples(), &blank, 1, UnlabelledDraw::Blind)
        .unwrap_err();
    assert!(
        error.to_string().contains(
            "\"books\" has 60 examples of \"negative\" (500 rows without a label are left aside)"
        ),
        "{error}"
    );
    let none = [group("films", 120, 80), group("toys", 90, 45)].concat();
    let error = spec()
        .split(&none, &blank, 1, UnlabelledDraw::Blind)
        .unwrap_err();
    assert!(
        error.to_string().contains(
            "\"books\" has no labelled examples (500 rows without a label are left aside)"
        ),
        "{error}"
    );
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
    fn roles_are_disjoint(
        seed: u64,
        balance: Option<bool>,
        order in Just(examples()).prop_shuffle(),
    ) {
        let spec = GroupsSpec { balance, ..spec() };
        let roles = ids(spec.split(&examples(), &[], seed, UnlabelledDraw::Blind).unwrap());
        let all: Vec<_> = roles.iter().flatten().collect();
        prop_assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        prop_assert_eq!(ids(spec.split(&order, &[], seed, UnlabelledDraw::Blind).unwrap()), roles);
    }

    // Either every stated role is filled as asked, or the error says so and tells
    // sizes that do fit; never less.
    #[test]
    fn nothing_stated_is_scaled_down(
        n in 1..40_usize, share in 0..=100_usize, balance: Option<bool>, blank in 0..10_usize,
        sizes in prop::array::uniform5(0..12_usize),
    ) {
        let [train, validation, unlabelled, labelled, audit] = sizes;
        let spec = GroupsSpec {
            source: vec!["s".into()], target: vec!["t".into()],
            train: Some(train), validation: Some(validation), unlabelled: Some(unlabelled),
            labelled: Some(labelled), audit: Some(audit), balance,
            ..GroupsSpec::default()
        };
        let examples = [group("s", n, n * share / 100), group("t", n, n * share / 100)].concat();
        let inputs: Vec<Input> = (0..blank).map(|at| Input::new(format!("blank-{at}"), "t")).collect();
        match spec.split(&examples, &inputs, 1, UnlabelledDraw::Blind) {
            Ok(split) => {
                let sizes = ids(split).map(|ids| ids.len());
                prop_assert_eq!(sizes, [train, validation, unlabelled, labelled, 2 * audit]);
            }
            Err(error) => {
                prop_assert!(
                    balance != Some(false)
                        || train + validation + audit > n
                        || unlabelled + labelled + audit > n + blank
                        || labelled + audit > n
                );
                let text = error.to_string();
                let Some((_, told)) = text.split_once("the largest that fit together: ") else {
                    prop_assert!(text.contains("no sizes fit"), "{}", text);
                    return Ok(());
                };
                let mut fit = spec.clone();
                fit.labelled = Some(0);
                for pair in told.split(", ") {
                    let (name, size) = pair.split_once(" = ").unwrap();
                    let size = Some(size.parse().unwrap());
                    match name {
                        "audit" => fit.audit = size,
                        "train" => fit.train = size,
                        "validation" => fit.validation = size,
                        "labelled" => fit.labelled = size,
                        _ => fit.unlabelled = size,
                    }
                }
                prop_assert!(fit.split(&examples, &inputs, 1, UnlabelledDraw::Blind).is_ok(), "{}", text);
            }
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

    #[test]
    fn stated_shares_add_up(n in 0..200_usize, weights in prop::collection::vec(0..10_u8, 1..6)) {
        let sum: f64 = weights.iter().map(|w| f64::from(*w)).sum();
        prop_assume!(sum > 0.0);
        let exact: Vec<f64> = weights.iter().map(|w| f64::from(*w) / sum).collect();
        let parts = super::shares::stated(n, &exact);
        prop_assert_eq!(parts.iter().sum::<usize>(), n);
        for (part, share) in parts.iter().zip(&exact) {
            prop_assert!((*part as f64 - n as f64 * share).abs() < 1.0 + 1e-9);
        }
    }
}
