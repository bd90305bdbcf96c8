use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use proptest::prelude::*;
use shiftproof_tasks::{DataError, Example, Label, Prediction, field};

use super::*;

/// Users, items and events made of numbers: user, item, rating, time.
fn world(events: &[(u32, u32, f32, i64)]) -> RecommendationFiles {
    let mut csv = String::from("user,item,rating,time,title,kind,sex\n");
    for (user, item, rating, time) in events {
        // Titles repeat, as those of remakes do.
        let title = item % 37;
        let sex = if user % 2 == 0 { "F" } else { "M" };
        writeln!(
            csv,
            "u{user},{item},{rating},{time},Film {title},kind {},{sex}",
            item % 3
        )
        .unwrap();
    }
    let spec = RecSpec {
        user_attributes: vec!["sex".into()],
        item_attributes: vec!["kind".into()],
        ..RecSpec::default()
    };
    RecommendationFiles::parse(&[("events.csv", csv.as_bytes())], &spec).unwrap()
}

fn prepare(spec: &RecSpec, events: &[(u32, u32, f32, i64)]) -> Result<PreparedExamples, DataError> {
    spec.prepare(world(events))
}

/// 12 users who each met 8 of 40 items, at their own times.
fn plain() -> Vec<(u32, u32, f32, i64)> {
    (0..12_u32)
        .flat_map(|user| {
            (0..8_u32).map(move |step| {
                let item = (user * 7 + step * 5) % 40;
                let rating = ((user + step) % 5 + 1) as f32;
                (user, item, rating, i64::from(step * 100 + user))
            })
        })
        .collect()
}

fn list<'e>(example: &'e Example, name: &str) -> Vec<&'e str> {
    field::entries(example.input.field(name)).collect()
}

#[test]
fn leave_one_out_takes_last() {
    let spec = RecSpec {
        history: 3,
        ..RecSpec::default()
    };
    let prepared = prepare(&spec, &plain()).unwrap();
    assert_eq!(prepared.examples.len(), 12);
    let first = &prepared.examples[0];
    // User 0 met the items 0, 5, 10, … 35.
    assert_eq!(first.input.id, "u0:35:700");
    assert_eq!(first.input.cluster.as_deref(), Some("u0"));
    assert_eq!(
        list(first, field::HISTORY),
        ["Film 20", "Film 25", "Film 30"]
    );
    assert_eq!(first.label, Label::Relevant(vec!["Film 35".into()]));
    assert_eq!(first.input.field(field::USER), "sex: F");
    assert_eq!(
        list(first, field::HISTORY_TEXT)[0],
        "title: Film 20; kind: kind 2"
    );
    let candidates = list(first, field::CANDIDATES);
    assert_eq!(candidates.len(), 20);
    assert!(candidates.contains(&"Film 35"));
    // Popularity is that of the training part: all but the target.
    let catalogue = prepared.catalogue.unwrap();
    let total: u32 = (0..catalogue.len() as u32)
        .map(|item| catalogue.popularity(item))
        .sum();
    assert_eq!(total, 12 * 7);
    let validation = RecSpec {
        part: HeldOutPart::Validation,
        ..spec
    };
    let prepared = prepare(&validation, &plain()).unwrap();
    assert_eq!(prepared.examples[0].input.id, "u0:30:600");
    let catalogue = prepared.catalogue.unwrap();
    let total: u32 = (0..catalogue.len() as u32)
        .map(|item| catalogue.popularity(item))
        .sum();
    assert_eq!(total, 12 * 6);
}

#[test]
fn pointwise_separates_liked_from_disliked() {
    let spec = RecSpec {
        examples: ExampleForm::Pointwise,
        split: EventSplit::Rolling,
        min_history: 3,
        history: 3,
        ..RecSpec::default()
    };
    let prepared = prepare(&spec, &plain()).unwrap();
    assert_eq!(prepared.examples.len(), 12 * 5);
    let first = &prepared.examples[0];
    // Ratings 1 2 3 come first, then 4.
    assert_eq!(
        list(first, field::DISLIKED),
        ["Film 0", "Film 5", "Film 10"]
    );
    assert_eq!(first.input.field(field::LIKED), "");
    assert_eq!(first.input.field(field::ITEM), "Film 15");
    assert_eq!(first.label, Label::Class("yes".into()));
    let fraction = &prepared.baselines[1];
    assert_eq!(fraction.name, "liked-fraction");
    assert_eq!(
        fraction.predictions[&first.input.id],
        Prediction::Likes(0.5 / 4.0)
    );
    let rating = RecSpec {
        label: PointwiseTarget::Rating,
        ..spec
    };
    let prepared = prepare(&rating, &plain()).unwrap();
    assert_eq!(prepared.examples[0].label, Label::Number(4.0));
}

#[test]
fn ratio_splits_each_users_own_events() {
    // User 1 has 25 events, user 2 has 3: two tenths of the one are 2 and 2, of the other 1
    // and 1.
    let events: Vec<_> = (0..25_u32)
        .map(|n| (1, n, 5.0, i64::from(n)))
        .chain((0..3_u32).map(|n| (2, n, 5.0, i64::from(n))))
        .collect();
    let targets = |part: HeldOutPart| -> Vec<String> {
        let mut spec = RecSpec {
            split: EventSplit::Ratio,
            part,
            ..RecSpec::default()
        };
        spec.candidates.sampling = NegativeSampling::Catalogue;
        let prepared = prepare(&spec, &events).unwrap();
        prepared
            .examples
            .into_iter()
            .map(|example| example.input.id)
            .collect()
    };
    assert_eq!(
        targets(HeldOutPart::Test),
        ["u1:23:23", "u1:24:24", "u2:2:2"]
    );
    assert_eq!(
        targets(HeldOutPart::Validation),
        ["u1:21:21", "u1:22:22", "u2:1:1"]
    );
    assert_eq!(targets(HeldOutPart::Both).len(), 6);
}

#[test]
fn core_leaves_out_who_has_little() {
    let mut events = plain();
    events.push((40, 39, 5.0, 1));
    let spec = RecSpec {
        core: 2,
        ..RecSpec::default()
    };
    let prepared = prepare(&spec, &events).unwrap();
    assert!(
        prepared
            .examples
            .iter()
            .all(|example| example.input.cluster.as_deref() != Some("u40"))
    );
    let error = prepare(&RecSpec { core: 99, ..spec }, &events)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("data.interactions.core: no user and no item is left"),
        "{error}"
    );
}

#[test]
fn time_split_cuts_all_users() {
    let spec = RecSpec {
        split: EventSplit::Time,
        per_user: Some(1),
        ..RecSpec::default()
    };
    let prepared = prepare(&spec, &plain()).unwrap();
    // 96 events; the last tenth begins at event 86, at time 702.
    let users: Vec<_> = prepared
        .examples
        .iter()
        .map(|e| e.input.id.as_str())
        .collect();
    assert_eq!(users.len(), 10);
    assert!(
        users
            .iter()
            .all(|id| id.rsplit(':').next().unwrap() >= "702")
    );
}

#[test]
fn impressions_form_one_list() {
    let mind = "1\tU1\t11/15/2019 8:55:22 AM\tN9 N8\tN1-0 N2-1 N3-0 N4-1\n\
                2\tU1\t11/16/2019 8:55:22 AM\tN9 N8\tN5-0 N6-1\n";
    let mut spec = RecSpec {
        format: FileLayout::Mind,
        split: EventSplit::Rolling,
        ..RecSpec::default()
    };
    spec.candidates.sampling = NegativeSampling::Logged;
    let source = RecommendationFiles::parse(&[("behaviors.tsv", mind.as_bytes())], &spec).unwrap();
    let prepared = spec.prepare(source).unwrap();
    assert_eq!(prepared.examples.len(), 3);
    let impression = &prepared.examples[1];
    assert_eq!(list(impression, field::HISTORY), ["N9", "N8"]);
    let shown: BTreeSet<_> = list(impression, field::CANDIDATES).into_iter().collect();
    assert_eq!(shown, BTreeSet::from(["N1", "N2", "N3", "N4"]));
    assert_eq!(
        impression.label,
        Label::Relevant(vec!["N2".into(), "N4".into()])
    );
    let next = &prepared.examples[2];
    assert_eq!(list(next, field::HISTORY), ["N9", "N8", "N2", "N4"]);
}

#[test]
fn shifts_group_examples_by_word() {
    let groups = |shift, events: &[(u32, u32, f32, i64)]| -> BTreeSet<String> {
        let spec = RecSpec {
            shift,
            ..RecSpec::default()
        };
        let prepared = prepare(&spec, events).unwrap();
        prepared
            .examples
            .into_iter()
            .map(|example| example.input.group)
            .collect()
    };
    // Users of very different activity; item 0 is everyone's first.
    let mut events = Vec::new();
    for user in 0..30_u32 {
        for step in 0..2 + user {
            events.push((user, (user * step) % 60, 4.0, i64::from(step + user * 50)));
        }
    }
    let of = |shift| {
        groups(shift, &events)
            .into_iter()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(of(GroupShift::Popularity), "head mid tail");
    assert_eq!(of(GroupShift::Activity), "heavy light regular");
    assert_eq!(of(GroupShift::HistoryLength), "long medium short");
    assert_eq!(of(GroupShift::Time), "early late");
    assert_eq!(of(GroupShift::ColdUsers), "cold warm");
    assert_eq!(of(GroupShift::Age), "unknown");
    assert_eq!(of(GroupShift::None), "all");
    assert!(
        prepare(
            &RecSpec {
                shift: GroupShift::File,
                ..RecSpec::default()
            },
            &events
        )
        .is_err()
    );
}

#[test]
fn baselines_rank_by_own_rule() {
    // Everyone meets 1 then 2; item 3 is popular; user 9 has just met 1.
    let mut events: Vec<(u32, u32, f32, i64)> = Vec::new();
    for user in 0..6 {
        events.extend([
            (user, 3, 4.0, 1),
            (user, 1, 4.0, 2),
            (user, 2, 4.0, 3),
            (user, 20 + user, 4.0, 4),
        ]);
    }
    events.extend([(9, 30, 4.0, 1), (9, 1, 4.0, 2), (9, 2, 4.0, 3)]);
    for user in 10..16 {
        events.extend([(user, 3, 4.0, 1), (user, 4, 4.0, 2), (user, 5, 4.0, 3)]);
    }
    let mut spec = RecSpec::default();
    spec.candidates.sampling = NegativeSampling::Catalogue;
    let prepared = prepare(&spec, &events).unwrap();
    let id = "u9:2:3";
    let best = |name: &str| {
        let baseline = prepared.baselines.iter().find(|b| b.name == name).unwrap();
        match &baseline.predictions[id] {
            Prediction::Ranking(titles) => titles[0].clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(best("most-pop"), "Film 3");
    assert_eq!(best("markov"), "Film 2");
    let near = best("item-knn");
    assert!(["Film 2", "Film 3"].contains(&near.as_str()), "{near}");
    let example = prepared.examples.iter().find(|e| e.input.id == id).unwrap();
    assert!(!example.input.fields.contains_key(field::CANDIDATES));
    // Kinds are numbers modulo 3; 30 and 1 are of kinds 0 and 1.
    let overlap = prepared
        .baselines
        .iter()
        .find(|b| b.name == "genre-overlap")
        .unwrap();
    assert_eq!(overlap.predictions.len(), prepared.examples.len());
}

#[test]
fn impossible_specs_name_their_key() {
    let told = |change: &dyn Fn(&mut RecSpec)| {
        let mut spec = RecSpec::default();
        change(&mut spec);
        prepare(&spec, &plain()).unwrap_err().to_string()
    };
    let errors = [
        told(&|spec| spec.history = 0),
        told(&|spec| spec.candidates.count = 1),
        told(&|spec| spec.label = PointwiseTarget::Rating),
        told(&|spec| spec.users = Some(0)),
        told(&|spec| spec.min_history = 100),
        told(&|spec| {
            spec.examples = ExampleForm::Pointwise;
            spec.like_above = Some(9.0);
        }),
    ];
    for error in &errors {
        assert!(error.starts_with("data.interactions"), "{error}");
    }
    let untimed =
        RecommendationFiles::parse(&[("e.csv", b"user,item\na,b\na,c\n")], &RecSpec::default());
    let spec = RecSpec {
        split: EventSplit::Time,
        ..RecSpec::default()
    };
    let error = spec.prepare(untimed.unwrap()).unwrap_err().to_string();
    assert!(error.contains("no time"), "{error}");
}

fn any_events() -> impl Strategy<Value = Vec<(u32, u32, f32, i64)>> {
    let event = (0..6_u32, 0..45_u32, 0..6_u8, 0..20_i64);
    prop::collection::vec(event, 2..120).prop_map(|events| {
        let event =
            |(user, item, rating, time): (u32, u32, u8, i64)| (user, item, f32::from(rating), time);
        events.into_iter().map(event).collect()
    })
}

fn any_spec() -> impl Strategy<Value = RecSpec> {
    let draws = prop::sample::select(vec![
        NegativeSampling::Uniform,
        NegativeSampling::Popularity,
        NegativeSampling::Logged,
        NegativeSampling::Catalogue,
    ]);
    let splits = prop::sample::select(vec![
        EventSplit::LeaveOneOut,
        EventSplit::Ratio,
        EventSplit::Time,
        EventSplit::Rolling,
    ]);
    let parts = prop::sample::select(vec![
        HeldOutPart::Test,
        HeldOutPart::Validation,
        HeldOutPart::Both,
    ]);
    let ties = prop::sample::select(vec![TieOrder::File, TieOrder::Item]);
    (draws, splits, parts, ties, 1..12_usize, any::<bool>()).prop_map(
        |(sampling, split, part, ties, history, pointwise)| {
            let mut spec = RecSpec {
                split,
                part,
                ties,
                history,
                ..RecSpec::default()
            };
            if pointwise {
                spec.examples = ExampleForm::Pointwise;
            }
            spec.candidates.sampling = sampling;
            spec.candidates.count = 5;
            spec
        },
    )
}

proptest! {
    /// The heart of an honest example: it shows nothing from its target on.
    #[test]
    fn history_precedes_target(events in any_events(), spec in any_spec()) {
        let Ok(prepared) = prepare(&spec, &events) else { return Ok(()) };
        // By user: times of each title's events that may be shown.
        let mut met: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
        for (user, item, rating, time) in &events {
            if *rating > 0.0 {
                met.entry((format!("u{user}"), format!("Film {}", item % 37))).or_default().push(*time);
            }
        }
        for example in &prepared.examples {
            let parts: Vec<&str> = example.input.id.split(':').collect();
            let time: i64 = parts[2].parse().unwrap();
            let user = example.input.cluster.clone().unwrap();
            for title in list(example, field::HISTORY) {
                let times = &met[&(user.clone(), title.to_owned())];
                prop_assert!(times.iter().any(|at| *at <= time), "{title} at {times:?} in {}", example.input.id);
            }
            let history = list(example, field::HISTORY);
            prop_assert!(history.len() <= spec.history && !history.is_empty());
            let liked = list(example, field::LIKED).len() + list(example, field::DISLIKED).len();
            prop_assert_eq!(liked, history.len());
        }
    }

    /// Candidates hold the truth, no title twice, and nothing else that the user has met.
    #[test]
    fn candidates_hide_target_among_strangers(events in any_events(), mut spec in any_spec()) {
        spec.examples = ExampleForm::Listwise;
        let Ok(prepared) = prepare(&spec, &events) else { return Ok(()) };
        for example in &prepared.examples {
            let Label::Relevant(relevant) = &example.label else { panic!("{:?}", example.label) };
            let candidates = list(example, field::CANDIDATES);
            let different: BTreeSet<_> = candidates.iter().collect();
            prop_assert_eq!(different.len(), candidates.len());
            if spec.candidates.sampling == NegativeSampling::Catalogue {
                prop_assert!(candidates.is_empty());
                continue;
            }
            for title in relevant {
                prop_assert!(candidates.contains(&title.as_str()));
            }
            prop_assert!(spec.candidates.sampling == NegativeSampling::Logged || candidates.len() <= 5);
            prop_assert_eq!(list(example, field::CANDIDATES_TEXT).len(), candidates.len());
        }
        for baseline in &prepared.baselines {
            prop_assert_eq!(baseline.predictions.len(), prepared.examples.len());
            for example in &prepared.examples {
                let Prediction::Ranking(titles) = &baseline.predictions[&example.input.id] else { panic!() };
                let candidates: BTreeSet<_> = list(example, field::CANDIDATES).into_iter().collect();
                if !candidates.is_empty() {
                    let ranked: BTreeSet<_> = titles.iter().map(String::as_str).collect();
                    prop_assert_eq!(ranked, candidates);
                }
            }
        }
    }

    /// Baselines and catalogue know the training part only: what happens to the
    /// held-out events' items cannot move them.
    #[test]
    fn training_excludes_held_out_events(events in any_events(), mut spec in any_spec()) {
        spec.examples = ExampleForm::Listwise;
        spec.candidates.sampling = NegativeSampling::Uniform;
        let RecommendationFiles::Events { interactions, .. } = world(&events) else { panic!() };
        let Ok(leave_one_out::TargetEvents { aims, training, .. }) = leave_one_out::find(&spec, &interactions, &BTreeMap::new(), None) else { return Ok(()) };
        for aim in &aims {
            prop_assert!(!training[aim.at]);
            let own = &training[aim.start..aim.at];
            prop_assert!(own.len() >= aim.before);
            if spec.split != EventSplit::Time {
                // From a user's first target on nothing of the user is training.
                let first = aims.iter().find(|other| other.user == aim.user).unwrap().at;
                let end = aim.start + interactions.of(aim.user).len();
                prop_assert!(training[first..end].iter().all(|training| !training));
            }
        }
        if spec.split == EventSplit::Time {
            let latest = interactions.events.iter().zip(&training).filter(|(_, training)| **training).map(|(event, _)| event.time).max().flatten();
            let earliest = aims.iter().map(|aim| aim.time).min().flatten();
            prop_assert!(latest < earliest);
        }
    }

    /// The same study makes the same examples; users drawn are a subset that no
    /// other draw depends on.
    #[test]
    fn draws_depend_on_names_alone(events in any_events(), mut spec in any_spec()) {
        let Ok(all) = prepare(&spec, &events) else { return Ok(()) };
        spec.users = Some(2);
        let Ok(some) = prepare(&spec, &events) else { return Ok(()) };
        let by_id: BTreeMap<_, _> = all.examples.iter().map(|example| (&example.input.id, example)).collect();
        let users: BTreeSet<_> = some.examples.iter().map(|example| &example.input.cluster).collect();
        prop_assert!(users.len() <= 2);
        for example in &some.examples {
            prop_assert_eq!(by_id[&example.input.id], example);
        }
    }
}

/// Six users who come back to an item, and six who do not.
fn with_repeats() -> Vec<(u32, u32, f32, i64)> {
    let mut events = plain();
    for user in 0..6 {
        events.push((user, user * 7 + 5, 5.0, 10_000));
    }
    // No two items of one title.
    events.retain(|(_, item, ..)| *item < 37);
    events
}

#[test]
fn repeated_targets_follow_policy() {
    let mut spec = RecSpec::default();
    let met = |example: &Example| -> (bool, usize) {
        let history: BTreeSet<_> = list(example, field::HISTORY).into_iter().collect();
        let Label::Relevant(target) = &example.label else {
            panic!("no list")
        };
        let candidates = list(example, field::CANDIDATES);
        let met = candidates.iter().filter(|title| history.contains(*title));
        (history.contains(target[0].as_str()), met.count())
    };
    let prepared = prepare(&spec, &with_repeats()).unwrap();
    let repeated = 12 - prepared.examples.len();
    assert!(repeated > 0);
    assert!(prepared.examples.iter().all(|example| !met(example).0));
    let [finding] = prepared.findings.as_slice() else {
        panic!("{:?}", prepared.findings)
    };
    assert!(
        finding
            .message
            .starts_with(&format!("{repeated} of 12 targets are items that"))
    );
    // Kept, they are no longer the only ones that were met.
    spec.repeats = RepeatPolicy::Keep;
    spec.candidates.count = 9;
    let kept = prepare(&spec, &with_repeats()).unwrap();
    assert_eq!(kept.examples.len(), 12);
    assert!(kept.findings.is_empty());
    let told: Vec<_> = kept.examples.iter().map(met).collect();
    assert_eq!(told.iter().filter(|(is_met, _)| *is_met).count(), repeated);
    // Four of the eight, for a target that was met beside itself.
    for (is_met, met) in told {
        assert_eq!(met, 4 + usize::from(is_met));
    }
    // Of the whole catalogue what was met is never recommended: out of reach.
    spec.candidates.sampling = NegativeSampling::Catalogue;
    let told = |spec: &RecSpec| {
        let prepared = prepare(spec, &with_repeats()).unwrap();
        let [finding] = prepared.findings.as_slice() else {
            panic!("{:?}", prepared.findings)
        };
        (prepared.examples.len(), finding.message.clone())
    };
    let (n, message) = told(&spec);
    assert_eq!(n, 12);
    assert!(
        message.contains("count as missed, whatever the model says"),
        "{message}"
    );
    spec.repeats = RepeatPolicy::Drop;
    let (n, message) = told(&spec);
    assert_eq!(n, 12 - repeated);
    assert!(message.contains("no list could hold them"), "{message}");
    // What was really shown is no draw, and stays.
    spec.candidates.sampling = NegativeSampling::Logged;
    spec.candidates.count = 2;
    let impressions = [
        (1, 1, 1.0, 1),
        (1, 2, 1.0, 2),
        (1, 1, 1.0, 3),
        (1, 3, 0.0, 3),
    ];
    let shown = prepare(&spec, &impressions).unwrap();
    assert_eq!((shown.examples.len(), shown.findings.len()), (1, 0));
    // Where nothing is left, the error says why.
    spec.candidates.sampling = NegativeSampling::Uniform;
    let error = prepare(&spec, &[(1, 1, 5.0, 1), (1, 2, 5.0, 2), (1, 1, 5.0, 3)]).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("all 1 targets are items that their users had met before"),
        "{error}"
    );
    assert!(error.contains("repeats = \"keep\""), "{error}");
}

/// Another item of the same title gives a target away as well: models see titles.
#[test]
fn namesakes_of_met_items_are_repeats() {
    let spec = RecSpec::default();
    // Items 1 and 38 are both called "Film 1".
    let events = [
        (1, 1, 5.0, 1),
        (1, 2, 5.0, 2),
        (1, 38, 5.0, 3),
        (2, 3, 5.0, 1),
        (2, 4, 5.0, 2),
    ];
    let prepared = prepare(&spec, &events).unwrap();
    assert_eq!(prepared.examples.len(), 1);
    assert!(prepared.findings[0].message.starts_with("1 of 2 targets"));
}

#[test]
fn ties_are_told_and_ordered_either_way() {
    let mut spec = RecSpec {
        history: 3,
        ..RecSpec::default()
    };
    // User 1 met 9 and 5 at one moment, user 2 one thing after the other.
    let events = [
        (1, 7, 5.0, 1),
        (1, 9, 5.0, 2),
        (1, 5, 5.0, 2),
        (2, 3, 5.0, 1),
        (2, 4, 5.0, 2),
    ];
    let target = |spec: &RecSpec| {
        let prepared = prepare(spec, &events).unwrap();
        let [finding] = prepared.findings.as_slice() else {
            panic!("{:?}", prepared.findings)
        };
        assert_eq!(finding.code, "ties");
        assert!(
            finding
                .message
                .starts_with("1 of 2 targets share their time")
        );
        (
            prepared.examples[0].input.id.clone(),
            finding.message.clone(),
        )
    };
    let (id, told) = target(&spec);
    assert_eq!(id, "u1:5:2");
    assert!(
        told.ends_with("data.interactions.ties = \"item\" takes the order of item ids"),
        "{told}"
    );
    spec.ties = TieOrder::Item;
    let (id, told) = target(&spec);
    assert_eq!(id, "u1:9:2");
    assert!(
        told.ends_with("data.interactions.ties = \"file\" takes the order in the files"),
        "{told}"
    );
}

#[test]
fn listed_candidates_keep_their_order() {
    let mut spec = RecSpec::default();
    spec.candidates.sampling = NegativeSampling::File;
    spec.candidates.file = Some("lists".to_owned());
    spec.candidates.count = 3;
    let events = b"user,item,time\na,1,1\na,2,2\nb,3,1\nb,4,2\nc,5,1\nc,6,2\n";
    let lists = b"a\t3 4 5\nc\t6 1 2\n";
    let files: [(&str, &[u8]); 2] = [("e.csv", events), ("lists", lists)];
    let prepared = spec
        .prepare(RecommendationFiles::parse(&files, &spec).unwrap())
        .unwrap();
    let shown: Vec<BTreeSet<&str>> = prepared
        .examples
        .iter()
        .map(|example| list(example, field::CANDIDATES).into_iter().collect())
        .collect();
    assert_eq!(
        shown,
        [
            BTreeSet::from(["2", "3", "4"]),
            BTreeSet::from(["6", "1", "2"])
        ]
    );
}

/// What recommenders are trained on ends before the first target of each user, and what they
/// are asked ends before the example's own.
#[test]
fn sequences_hold_nothing_of_targets() {
    for part in [
        HeldOutPart::Test,
        HeldOutPart::Validation,
        HeldOutPart::Both,
    ] {
        let mut spec = RecSpec {
            part,
            history: 3,
            ..RecSpec::default()
        };
        spec.candidates.count = 5;
        let events = plain();
        let prepared = prepare(&spec, &events).unwrap();
        let catalogue = prepared.catalogue.as_ref().unwrap();
        let sequences = prepared.sequences.as_ref().unwrap();
        let kept = if part == HeldOutPart::Test { 7 } else { 6 };
        let expected: Vec<Vec<String>> = (0..12)
            .map(|user| {
                let own = events.iter().filter(|event| event.0 == user);
                own.take(kept).map(|event| event.1.to_string()).collect()
            })
            .collect();
        let ids = |items: &[u32]| -> Vec<String> {
            let id = |item: &u32| catalogue.items()[*item as usize].id.clone();
            items.iter().map(id).collect()
        };
        let trained: Vec<Vec<String>> = sequences.training.iter().map(|one| ids(one)).collect();
        assert_eq!(trained, expected);
        assert_eq!((sequences.window, sequences.asks_lists()), (3, true));
        // A recommender that likes what it is shown tells what it was shown.
        let seen = std::cell::RefCell::new(Vec::new());
        let row = sequences.ranked_by("mirror", catalogue, &|history| {
            seen.borrow_mut().push(ids(history));
            vec![0.0; catalogue.len()]
        });
        for (example, history) in prepared.examples.iter().zip(seen.into_inner()) {
            let titles: Vec<String> = history
                .iter()
                .map(|id| format!("Film {}", id.parse::<u32>().unwrap() % 37))
                .collect();
            assert_eq!(titles, list(example, field::HISTORY));
            // All alike: the order shown.
            let Prediction::Ranking(order) = &row.predictions[&example.input.id] else {
                panic!("no list")
            };
            assert_eq!(order, &list(example, field::CANDIDATES));
        }
    }
    let pointwise = RecSpec {
        examples: ExampleForm::Pointwise,
        ..RecSpec::default()
    };
    let prepared = prepare(&pointwise, &plain()).unwrap();
    assert!(!prepared.sequences.unwrap().asks_lists());
}
