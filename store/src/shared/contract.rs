//! The contract suite of shared stores: what every [`SharedStore`] must do, as tests that any
//! backend can run.
//!
//! A backend passes if [`check`] returns; it panics with the broken promise otherwise. Its records
//! are checked by [`contract::check`](crate::contract::check).

use super::{
    Amount, AmountLimits, Claim, ClaimRequest, ClaimResult, SharedBudget, SharedStore, WorkItem,
};
use crate::error::{Result, StoreError};

mod budgets;
mod claims;
mod files;
mod races;
mod work;

/// A store, empty at first, and its workers.
pub trait SharedWorkers: Sync {
    /// A worker's handle.
    type Store: SharedStore;

    /// Another worker of the store.
    fn join(&self) -> Self::Store;

    /// Has the worker taken for dead at once, as if it had been killed some time ago. Its handle
    /// can still be used, like that of one that was away for long.
    fn die(&self, worker: &Self::Store);
}

/// Checks all promises. Each call of `make` must give a new, empty store.
///
/// # Panics
/// If the store breaks the contract.
pub fn check<W: SharedWorkers>(make: impl Fn() -> W) {
    let checks: [fn(&W); 29] = [
        claims::offered_values_stay,
        claims::value_is_worked_out_by_one,
        claims::failed_value_is_free_again,
        claims::value_replaces_another,
        claims::key_asked_twice_is_one_claim,
        claims::settling_without_claim_counts_nothing,
        claims::results_of_one_call_are_told_apart,
        claims::claims_of_dead_fall_to_next,
        claims::late_answer_is_taken_and_not_counted,
        claims::later_answer_than_others_is_told,
        claims::records_are_no_values,
        claims::workers_are_seen,
        claims::empty_calls_do_nothing,
        budgets::budget_follows_claims,
        budgets::full_budget_refuses_rest,
        budgets::every_limit_counts,
        budgets::unknown_budget_is_invalid,
        budgets::new_limits_keep_what_was_spent,
        budgets::claims_are_extended,
        budgets::dead_claims_are_lost_in_their_budget,
        budgets::lost_without_room_is_lost_once,
        budgets::huge_amounts_are_no_errors,
        work::items_are_done_in_order_and_once,
        work::failing_items_are_put_aside,
        work::items_of_dead_are_taken_again,
        work::returned_items_were_not_begun,
        work::names_are_locked_by_one,
        files::files_are_written_and_read,
        files::bad_writes_change_nothing,
    ];
    for check in checks {
        check(&make());
    }
    races::every_grant_is_counted_once(&make());
    races::no_two_living_workers_work_out_one_value(&make());
    races::items_end_once(&make());
    races::locks_exclude(&make());
}

fn request(key: &str, calls: u64) -> ClaimRequest {
    ClaimRequest {
        key: key.into(),
        worst: amount(calls),
        replaces: false,
    }
}

fn result(key: &str, value: &str, calls: u64) -> ClaimResult {
    ClaimResult {
        key: key.into(),
        value: Some(value.into()),
        used: amount(calls),
        replaces: false,
    }
}

/// So many calls, and tokens and money in proportion.
fn amount(calls: u64) -> Amount {
    Amount {
        calls,
        tokens: calls * 10,
        picodollars: calls * 1000,
    }
}

fn calls_limit(calls: u64) -> AmountLimits {
    AmountLimits {
        calls: Some(calls),
        ..AmountLimits::default()
    }
}

fn claim(store: &impl SharedStore, budget: Option<&str>, requests: &[ClaimRequest]) -> Vec<Claim> {
    let claims = store
        .claim(budget, requests)
        .expect("a legal claim is answered");
    assert_eq!(claims.len(), requests.len(), "an answer for each request");
    claims
}

fn claim_one(store: &impl SharedStore, budget: Option<&str>, request: ClaimRequest) -> Claim {
    claim(store, budget, &[request]).remove(0)
}

fn settle(store: &impl SharedStore, results: &[ClaimResult]) -> Vec<bool> {
    store.settle(results).expect("legal results are settled")
}

fn value(store: &impl SharedStore, key: &str) -> Option<Vec<u8>> {
    let values = store.values(&[key.into()]);
    values.expect("a store in order can be read").remove(0)
}

fn budget(store: &impl SharedStore, name: &str) -> SharedBudget {
    let budget = store.budget(name).expect("a store in order can be read");
    budget.expect("the budget was made")
}

fn set_budget(store: &impl SharedStore, name: &str, limits: AmountLimits) {
    store.set_budget(name, limits).expect("a budget is made");
}

fn item(id: &str) -> WorkItem {
    WorkItem {
        id: id.to_owned(),
        payload: format!("do {id}").into_bytes(),
    }
}

fn assert_invalid<T: std::fmt::Debug>(answer: &Result<T>) {
    assert!(
        matches!(answer, Err(StoreError::Invalid(_))),
        "refused as invalid: {answer:?}"
    );
}
