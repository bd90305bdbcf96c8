//! A store that processes on several machines share: where it is, what this process keeps of
//! it in a folder of its own, and what goes to and fro beside paid answers, which the ledger
//! sees to itself.
//!
//! | key of a record | value |
//! | --- | --- |
//! | `u/` + run | the run's record, as JSON |
//! | `o/` + hash of the line | a line of `gate.jsonl`: an audit was opened |
//!
//! A run's files are in the folder `runs/` + run of the shared store.

mod location;
mod openings;
mod runs;
pub(crate) mod work;

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shiftproof_search::ledger::{Ledger, SharedAnswers};
#[cfg(feature = "postgres")]
use shiftproof_store::StoreError;
use shiftproof_store::create_dir_all;
use shiftproof_store::shared::{Amount, SharedStore};

pub use self::location::StoreLocation;
pub(crate) use self::location::worker_name;
pub(crate) use self::openings::exchange_openings;
pub(crate) use self::runs::{
    fetch_runs, hold_run, names, pull_run, push_run, records, remove_run, under_way,
};
use crate::exit::{ExitStatus, Failure};
use crate::runs::durable;
use crate::wording::shown::argument;

/// In a process's own folder: which store it shares.
const JOINED: &str = "shared.json";

/// What a folder shares, so that every later command on it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct JoinedStore {
    /// The database's address, without a password.
    database: String,
    /// The budget that requests draw on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget: Option<String>,
}

fn read_joined(folder: &Path) -> Result<Option<JoinedStore>, Failure> {
    let path = folder.join(JOINED);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::from_io(ExitStatus::Data, "read", &path)(error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| {
        Failure::data(format!(
            "{} does not say which store is shared ({error}); remove it, and name the store with \
             --store postgres://…",
            path.display()
        ))
        .caused_by(error)
    })
}

/// Connects with the store that `location` shares, if it shares one. `budget`: the name that
/// was given; without one, what the folder drew on before.
pub(crate) fn connect(
    location: &StoreLocation,
    budget: Option<&str>,
) -> Result<Option<SharedAnswers>, Failure> {
    let joined = read_joined(location)?;
    let before = joined.as_ref().and_then(|joined| joined.budget.clone());
    let Some(address) = address_of(location, joined.as_ref()) else {
        return match budget {
            None => Ok(None),
            Some(_) => Err(Failure::usage(
                "--shared-budget is for a store that several processes share: name it with \
                 --store postgres://…",
            )),
        };
    };
    let store = open(&address)?;
    // An empty name is none, and is remembered as that.
    let budget = budget.map(ToOwned::to_owned).or(before);
    let budget = budget.filter(|name| !name.is_empty());
    if let Some(name) = &budget
        && store.budget(name)?.is_none()
    {
        return Err(Failure::usage(format!(
            "there is no shared budget {name:?} in {}; make it first: shiftproof shared budget \
             {} --max-calls N --store {}",
            store.address(),
            argument(name),
            argument(&store.address())
        )));
    }
    let now = JoinedStore {
        database: store.address(),
        budget: budget.clone(),
    };
    if joined.as_ref() != Some(&now) {
        create_dir_all(location)?;
        let text = serde_json::to_vec(&now).map_err(Failure::from_error(ExitStatus::Internal))?;
        durable::write(&location.join(JOINED), &text)
            .map_err(Failure::from_error(ExitStatus::Data))?;
    }
    Ok(Some(SharedAnswers::new(store, budget.as_deref())))
}

/// Connects with the store that `location` shares, if it shares one, to look at it: a role that
/// may do nothing else will do.
pub(crate) fn connect_to_read(
    location: &StoreLocation,
) -> Result<Option<Arc<dyn SharedStore>>, Failure> {
    let joined = read_joined(location)?;
    let Some(address) = address_of(location, joined.as_ref()) else {
        return Ok(None);
    };
    match open(&address) {
        Ok(store) => Ok(Some(store)),
        // Why it could not be opened whole is told where it cannot be read either.
        Err(failure) => open_read_only(&address).map_or(Err(failure), |store| Ok(Some(store))),
    }
}

/// The database's address: as it was named, or as the folder knows it.
fn address_of(location: &StoreLocation, joined: Option<&JoinedStore>) -> Option<String> {
    let named = location.database().map(ToOwned::to_owned);
    named.or_else(|| joined.map(|joined| joined.database.clone()))
}

/// Refuses to begin where the shared budget has no room for a single call: a process asks its
/// models what they can do before anything else.
pub(crate) fn check_budget(ledger: &Ledger) -> Result<(), Failure> {
    let Some(name) = ledger.shared().and_then(SharedAnswers::budget) else {
        return Ok(());
    };
    let Some(store) = store_of(ledger) else {
        return Ok(());
    };
    let one_call = Amount {
        calls: 1,
        ..Amount::default()
    };
    match store.budget(name)? {
        Some(budget) if !budget.limits.allow(budget.total() + one_call) => Err(Failure::new(
            ExitStatus::Budget,
            format!(
                "the shared budget {name:?} of {} is used up: {} of it are spent, set aside or \
                 lost; give it more: shiftproof shared budget {} --max-calls N --store {}",
                store.address(),
                budget.total(),
                argument(name),
                argument(&store.address())
            ),
        )),
        _ => Ok(()),
    }
}

/// The store at an address.
pub(crate) fn open(address: &str) -> Result<Arc<dyn SharedStore>, Failure> {
    #[cfg(feature = "postgres")]
    {
        let store = shiftproof_postgres::PostgresStore::open(address, &worker_name());
        match store {
            Ok(store) => Ok(Arc::new(store)),
            // What is written on the command line.
            Err(error @ StoreError::Invalid(_)) => {
                Err(Failure::usage(format!("--store: {error}")).caused_by(error))
            }
            Err(error) => Err(error.into()),
        }
    }
    #[cfg(not(feature = "postgres"))]
    {
        let _ = address;
        Err(Failure::usage(
            "this program was built without shared stores (feature `postgres`)",
        ))
    }
}

/// The store at an address for a role that may only look; `None` if it may not.
fn open_read_only(address: &str) -> Option<Arc<dyn SharedStore>> {
    #[cfg(feature = "postgres")]
    {
        let store = shiftproof_postgres::PostgresStore::open_read_only(address).ok()?;
        Some(Arc::new(store))
    }
    #[cfg(not(feature = "postgres"))]
    {
        let _ = address;
        None
    }
}

/// The shared store of a ledger, if it has one.
pub(crate) fn store_of(ledger: &Ledger) -> Option<&Arc<dyn SharedStore>> {
    ledger.shared().map(SharedAnswers::store)
}
