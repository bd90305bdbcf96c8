//! Queues of work, and names that one worker has.

use super::{SharedWorkers, item};
use crate::shared::{MAX_ATTEMPTS, SharedStore, WorkState, WorkStatus};

fn take(store: &impl SharedStore) -> Option<String> {
    let taken = store.take_work("q").expect("a queue is asked");
    taken.map(|item| {
        assert_eq!(item, super::item(&item.id), "with what is to be done");
        item.id
    })
}

fn status(store: &impl SharedStore, id: &str) -> WorkStatus {
    let all = store.work("q").expect("a queue is read");
    let found = all.into_iter().find(|status| status.item.id == id);
    found.expect("the item was added")
}

pub(super) fn items_are_done_in_order_and_once<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    assert_eq!(take(&one), None);
    let add = |ids: &[&str]| {
        let items: Vec<_> = ids.iter().map(|id| item(id)).collect();
        one.add_work("q", &items).expect("items are added");
    };
    add(&["z", "a", "m"]);
    add(&["b", "a", "c"]);
    one.add_work("p", &[item("a")]).expect("items are added");
    assert_eq!(one.queues().expect("queues are read"), ["p", "q"]);
    assert_eq!(take(&one).as_deref(), Some("z"));
    assert_eq!(take(&other).as_deref(), Some("a"));
    assert!(one.end_work("q", "z", Ok(b"done")).expect("an item ends"));
    // Neither twice, nor for another, nor what was never taken.
    for id in ["z", "a", "m", "none"] {
        assert!(!one.end_work("q", id, Ok(b"no")).expect("an item is told"));
    }
    add(&["z"]);
    let order: Vec<String> = ["m", "b", "c"].map(str::to_owned).into();
    let taken: Vec<String> = std::iter::from_fn(|| take(&one)).collect();
    assert_eq!(taken, order);
    let states = one.work("q").expect("a queue is read");
    let ids: Vec<&str> = states.iter().map(|it| it.item.id.as_str()).collect();
    assert_eq!(ids, ["z", "a", "m", "b", "c"]);
    assert_eq!(states[0].state, WorkState::Done(b"done".to_vec()));
    assert!(matches!(states[1].state, WorkState::Taken { .. }));
    assert_eq!(states[1].attempts, 1);
}

pub(super) fn failing_items_are_put_aside<W: SharedWorkers>(workers: &W) {
    let one = workers.join();
    one.add_work("q", &[item("bad"), item("good")])
        .expect("items are added");
    for attempt in 1..=MAX_ATTEMPTS {
        assert_eq!(take(&one).as_deref(), Some("bad"));
        assert_eq!(status(&one, "bad").attempts, attempt);
        let why = format!("failed {attempt}");
        assert!(one.end_work("q", "bad", Err(&why)).expect("an item ends"));
        assert_eq!(status(&one, "bad").failure.as_ref(), Some(&why));
        let expected = if attempt < MAX_ATTEMPTS {
            WorkState::Waiting
        } else {
            WorkState::PutAside(why)
        };
        assert_eq!(status(&one, "bad").state, expected);
    }
    assert_eq!(take(&one).as_deref(), Some("good"));
    assert_eq!(take(&one), None);
    // What is being worked on does not wait anew.
    for id in ["bad", "good", "none"] {
        one.reopen_work("q", id).expect("an item waits anew");
    }
    assert_eq!(status(&one, "bad").state, WorkState::Waiting);
    assert_eq!(status(&one, "bad").attempts, 0);
    assert_eq!(take(&one).as_deref(), Some("bad"));
    assert_eq!(take(&one), None);
    // What is done does, if somebody says so.
    assert!(
        one.end_work("q", "good", Ok(b"done"))
            .expect("an item ends")
    );
    one.reopen_work("q", "good").expect("an item waits anew");
    assert_eq!(status(&one, "good").state, WorkState::Waiting);
    assert_eq!(take(&one).as_deref(), Some("good"));
}

pub(super) fn items_of_dead_are_taken_again<W: SharedWorkers>(workers: &W) {
    let one = workers.join();
    one.add_work("q", &[item("deadly")])
        .expect("items are added");
    for attempt in 1..=MAX_ATTEMPTS {
        let dead = workers.join();
        assert_eq!(take(&dead).as_deref(), Some("deadly"));
        assert_eq!(take(&one), None, "its worker is alive");
        assert_eq!(status(&one, "deadly").attempts, attempt);
        workers.die(&dead);
        assert_eq!(status(&one, "deadly").state, WorkState::Waiting);
    }
    let late = workers.join();
    assert_eq!(take(&late), None, "begun too often");
    let aside = status(&late, "deadly");
    assert!(matches!(aside.state, WorkState::PutAside(_)), "{aside:?}");
    assert!(aside.failure.is_some_and(|why| why.contains("died")));
    assert_eq!(aside.attempts, MAX_ATTEMPTS);
}

pub(super) fn returned_items_were_not_begun<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    one.add_work("q", &[item("a")]).expect("items are added");
    for _ in 0..=MAX_ATTEMPTS {
        assert_eq!(take(&one).as_deref(), Some("a"));
        other.return_work("q", "a").expect("an item is given back");
        assert_eq!(take(&other), None, "it was not the other's to give back");
        one.return_work("q", "a").expect("an item is given back");
        one.return_work("q", "a").expect("an item is given back");
        assert_eq!(status(&one, "a").attempts, 0);
        assert_eq!(status(&one, "a").state, WorkState::Waiting);
    }
}

pub(super) fn names_are_locked_by_one<W: SharedWorkers>(workers: &W) {
    let (one, other) = (workers.join(), workers.join());
    let lock = |store: &W::Store| store.lock("name").expect("a lock is asked for");
    assert_eq!(lock(&one), Ok(()));
    assert_eq!(lock(&one), Ok(()), "it has it already");
    let holder = lock(&other).expect_err("it is taken");
    let names = one.workers().expect("workers are seen");
    assert!(names.iter().any(|worker| worker.name == holder), "{holder}");
    other.unlock("name").expect("nothing is let go");
    assert_eq!(lock(&other), Err(holder));
    one.unlock("name").expect("it is let go");
    assert_eq!(lock(&other), Ok(()));
    assert_eq!(other.lock("another").expect("a lock is asked for"), Ok(()));
    workers.die(&other);
    assert_eq!(lock(&one), Ok(()));
    other.unlock("name").expect("nothing is let go");
    assert!(lock(&workers.join()).is_err());
}
