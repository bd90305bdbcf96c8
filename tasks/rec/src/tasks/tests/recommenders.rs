//! Tasks that ask a recommender by its name.

use super::*;
use crate::{RecommenderKind, SequenceRecommender};

/// Says that what comes next has a number one higher than the latest item's, then two, ….
#[derive(Debug)]
struct NextNumber;

impl SequenceRecommender for NextNumber {
    fn scores(&self, history: &[u32]) -> Vec<f32> {
        let last = history.last().copied().unwrap_or(0);
        (0..60)
            .map(|item| -(((item + 60 - last - 1) % 60) as f32))
            .collect()
    }
}

fn films() -> Arc<ItemCatalogue> {
    let plain = catalogue().as_ref().clone();
    Arc::new(plain.with_recommender(RecommenderKind::Dros, Arc::new(NextNumber)))
}

fn with<D: TaskSpec>(options: serde_json::Value) -> Arc<dyn Task> {
    let spec: D = serde_json::from_value(options).unwrap();
    assert_eq!(spec.recommenders(), [RecommenderKind::Dros]);
    spec.declare("study", Some(&films())).unwrap().task
}

fn film(number: u32) -> String {
    format!("Film {number} (1990)")
}

fn after(number: u32) -> Input {
    Input::new("u", "g").with_field(field::HISTORY, film(number))
}

#[test]
fn llmrank_ranks_what_is_proposed() {
    let options = serde_json::json!({ "recommender": "dros", "proposed": 3, "shuffles": 2 });
    let task = with::<LlmRankSpec>(options);
    let numbers: Vec<u32> = (0..20).map(|n| n * 3 + 1).collect();
    let candidates: Vec<String> = numbers.iter().map(|n| film(*n)).collect();
    let input = after(30).with_field(field::CANDIDATES, candidates.join("\n"));
    let proposed = [film(31), film(34), film(37)];
    let request = task.request(&task.seed(), &input);
    let AnswerForm::Ranking { candidates } = &request.answer else {
        panic!("{:?}", request.answer)
    };
    assert_eq!(candidates, &proposed);
    let text = &request.messages[0].content;
    assert!(
        text.contains(&film(37)) && !text.contains(&film(40)),
        "{text}"
    );
    // Shuffled are the proposals, and what else is named counts for nothing.
    let again = task.next(&task.seed(), &input, &[Reply::text("")]).unwrap();
    let AnswerForm::Ranking { candidates } = &again.answer else {
        panic!("{:?}", again.answer)
    };
    let mut shuffled = candidates.clone();
    shuffled.sort();
    assert_eq!(shuffled, proposed);
    let said = [film(37), film(40), film(31)].join("\n");
    let example = |right: u32| input.clone().with_label(Label::Relevant(vec![film(right)]));
    let score = |right| task.score(&example(right), &Reply::text(&said)).value();
    assert_eq!((score(37), score(40)), (Some(1.0), Some(0.0)));
    // Without candidates of its own an input is answered out of the catalogue.
    let open = task.request(&task.seed(), &after(58));
    let AnswerForm::Ranking { candidates } = &open.answer else {
        panic!("{:?}", open.answer)
    };
    assert_eq!(candidates, &[film(59), film(0), film(1)]);
}

#[test]
fn chatrec_and_bigrec_ask_by_name() {
    let task = with::<ChatRecSpec>(serde_json::json!({ "recommender": "dros", "why": "" }));
    let route = Reply::text("proposals");
    let request = task.next(&task.seed(), &after(10), &[route]).unwrap();
    let AnswerForm::Ranking { candidates } = &request.answer else {
        panic!("{:?}", request.answer)
    };
    assert_eq!((candidates.len(), &candidates[0]), (20, &film(11)));
    // All titles equally far: the recommender's weight decides.
    let task = with::<BigRecSpec>(serde_json::json!({ "inject": "dros", "gamma": 1.0 }));
    let candidates = [film(3), film(12), film(11), film(50)];
    let input = after(10).with_field(field::CANDIDATES, candidates.join("\n"));
    let reply = Reply {
        distances: Some(vec![0.5, 0.9, 0.9, 0.9]),
        ..Reply::text("Film 3")
    };
    let Answer::Ranking(order) = task.parse(&input, &reply) else {
        panic!("no list")
    };
    assert_eq!(order, [film(3), film(11), film(12), film(50)]);
}

#[test]
fn untrained_recommenders_are_refused() {
    let plain = catalogue();
    let sasrec = serde_json::json!({ "recommender": "sasrec" });
    for told in [
        refused::<LlmRankSpec>(sasrec.clone(), Some(&plain)),
        refused::<ChatRecSpec>(sasrec.clone(), Some(&plain)),
        refused::<BigRecSpec>(serde_json::json!({ "inject": "sasrec" }), Some(&plain)),
    ] {
        assert!(told.contains("sasrec has not been trained"), "{told}");
    }
    assert!(refused::<LlmRankSpec>(sasrec, None).contains("no interactions"));
    let one = serde_json::json!({ "recommender": "item-knn", "proposed": 1 });
    assert!(refused::<LlmRankSpec>(one, Some(&plain)).contains("task.proposed"));
    let unknown = serde_json::json!({ "recommender": "bert4rec" });
    assert!(refused::<ChatRecSpec>(unknown, Some(&plain)).contains("sasrec"));
}
