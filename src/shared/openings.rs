//! Who has opened an audit counts wherever it was: lines of `gate.jsonl` go both ways.

use std::collections::BTreeSet;
use std::path::Path;

use shiftproof_search::ledger::Ledger;
use shiftproof_store::{WriteBatch, files};

use super::store_of;
use crate::exit::{ExitStatus, Failure};
use crate::gate::holdout_log;
use crate::runs::durable;

const OPENING: &str = "o/";

/// Writes down in `folder` what others have opened, and tells them what was opened here.
/// Without a shared store nothing is done.
pub(crate) fn exchange_openings(ledger: &Ledger, folder: &Path) -> Result<(), Failure> {
    let Some(store) = store_of(ledger) else {
        return Ok(());
    };
    let path = folder.join(holdout_log::FILE);
    let own = holdout_log::text(&path)?;
    let own: BTreeSet<&str> = own.lines().filter(|line| !line.is_empty()).collect();
    let mut known = BTreeSet::new();
    let mut new = String::new();
    for record in store.scan(OPENING.as_bytes()) {
        let (_, line) = record?;
        let line = String::from_utf8(line).map_err(Failure::from_error(ExitStatus::Data))?;
        if !own.contains(line.as_str()) {
            new.push_str(&line);
            new.push('\n');
        }
        known.insert(line);
    }
    let mut batch = WriteBatch::new();
    for line in own.iter().filter(|line| !known.contains(**line)) {
        let key = format!("{OPENING}{}", blake3::hash(line.as_bytes()).to_hex());
        batch.put(key, line.as_bytes());
    }
    if !batch.is_empty() {
        store.apply(batch)?;
    }
    if new.is_empty() {
        return Ok(());
    }
    durable::append(files::options(), &path, new.as_bytes()).map_err(Failure::from_io(
        ExitStatus::Data,
        "write to",
        &path,
    ))
}
