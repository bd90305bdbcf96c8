//! Queues of work, names, files and workers, and the trait that hands them out.

use std::time::Duration;

use shiftproof_store::shared::{
    Amount, AmountLimits, Claim, ClaimRequest, ClaimResult, MAX_PIECE, SharedBudget, SharedFile,
    SharedStore, WorkItem, WorkState, WorkStatus, WorkerStatus,
};
use shiftproof_store::{MAX_KEY, MAX_VALUE, Result, StoreError};
use tokio_postgres::Row;

use crate::lane::params;
use crate::rows::{checked, checked_name, checksum, column, loaded, shown_text, size, stored};
use crate::store::PostgresStore;

/// What the database's functions raise.
const NOT_TAKEN: &str = "SP004";
const GAP: &str = "SP005";
const LOCKED: &str = "SP006";

const WORK: &str = "
    select w.id, w.payload, w.attempts, w.failure, w.result, k.name,
           case when w.state = 1 and not is_alive(w.worker) then 0::smallint else w.state end
    from work w left join worker k on k.id = w.worker
    where w.queue = $1 order by w.position";

const WORKERS: &str = "
    select w.name, extract(epoch from clock_timestamp() - w.seen)::double precision,
           is_alive(w.id), coalesce(c.claims, 0)
    from worker w
    left join (select worker, count(*) as claims from claim group by worker) c on c.worker = w.id
    where w.seen > clock_timestamp() - interval '1 hour' or c.claims > 0
       or exists (select from work k where k.worker = w.id and k.state = 1)
       or exists (select from name_lock l where l.worker = w.id)
    order by w.id";

/// Pieces that have bytes at `$3` or up to `$4` bytes behind it. None of them is longer than `$4`.
const PIECES: &str = "
    select f.len, p.start, p.kept, p.bytes, p.crc
    from file f
    left join file_piece p
        on p.file = f.id and p.start + p.kept > $3
        and p.start > $3 - $4 and p.start < $3 + $4
    where f.folder = $1 and f.name = $2 order by p.start";

impl SharedStore for PostgresStore {
    fn address(&self) -> String {
        self.url().to_string()
    }

    fn values(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        self.find_values(keys)
    }

    fn claim(&self, budget: Option<&str>, requests: &[ClaimRequest]) -> Result<Vec<Claim>> {
        self.claim_values(budget, requests)
    }

    fn extend(&self, key: &[u8], more: Amount) -> Result<bool> {
        self.extend_claim(key, more)
    }

    fn settle(&self, results: &[ClaimResult]) -> Result<Vec<bool>> {
        self.settle_claims(results)
    }

    fn offer_values(&self, values: &[(Vec<u8>, Vec<u8>)]) -> Result<()> {
        self.store_offered(values)
    }

    fn set_budget(&self, name: &str, limits: AmountLimits) -> Result<()> {
        self.put_budget(name, limits)
    }

    fn budget(&self, name: &str) -> Result<Option<SharedBudget>> {
        let found = self.find_budgets(Some(name))?.into_iter().next();
        Ok(found.map(|(_, budget)| budget))
    }

    fn budgets(&self) -> Result<Vec<(String, SharedBudget)>> {
        self.find_budgets(None)
    }

    fn add_work(&self, queue: &str, items: &[WorkItem]) -> Result<()> {
        for item in items {
            check_item(item)?;
        }
        let ids: Vec<String> = items.iter().map(|item| item.id.clone()).collect();
        let payloads: Vec<Vec<u8>> = items.iter().map(|item| item.payload.clone()).collect();
        self.write(
            "select add_work($1, $2, $3, $4, $5, $6)",
            params![checked_name(queue)?, ids, payloads],
        )?;
        Ok(())
    }

    fn take_work(&self, queue: &str) -> Result<Option<WorkItem>> {
        let rows = self.write(
            "select id, payload from take_work($1, $2, $3, $4)",
            params![checked_name(queue)?],
        )?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        Ok(Some(WorkItem {
            id: column(row, 0, self.url())?,
            payload: column(row, 1, self.url())?,
        }))
    }

    fn end_work(&self, queue: &str, id: &str, end: Result<&[u8], &str>) -> Result<bool> {
        let ended = self.try_write(
            "select end_work($1, $2, $3, $4, $5, $6, $7)",
            params![
                checked_name(queue)?,
                checked_name(id)?,
                end.ok().map(<[u8]>::to_vec),
                end.err().map(shown_text)
            ],
        )?;
        match ended {
            Ok(_) => Ok(true),
            Err(failure) if failure.code() == Some(NOT_TAKEN) => Ok(false),
            Err(failure) => Err(failure.explain(self.url())),
        }
    }

    fn return_work(&self, queue: &str, id: &str) -> Result<()> {
        self.write(
            "select return_work($1, $2, $3, $4, $5)",
            params![checked_name(queue)?, checked_name(id)?],
        )?;
        Ok(())
    }

    fn reopen_work(&self, queue: &str, id: &str) -> Result<()> {
        self.write(
            "select reopen_work($1, $2, $3, $4, $5)",
            params![checked_name(queue)?, checked_name(id)?],
        )?;
        Ok(())
    }

    fn work(&self, queue: &str) -> Result<Vec<WorkStatus>> {
        let rows = self.read(WORK, params![checked_name(queue)?])?;
        rows.iter().map(|row| self.work_status(row)).collect()
    }

    fn queues(&self) -> Result<Vec<String>> {
        let rows = self.read(
            "select name from queue order by name collate \"C\"",
            Vec::new(),
        )?;
        rows.iter().map(|row| column(row, 0, self.url())).collect()
    }

    fn lock(&self, name: &str) -> Result<Result<(), String>> {
        let locked = self.try_write(
            "select lock_name($1, $2, $3, $4)",
            params![checked_name(name)?],
        )?;
        match locked {
            Ok(_) => Ok(Ok(())),
            Err(failure) if failure.code() == Some(LOCKED) => Ok(Err(failure.message().to_owned())),
            Err(failure) => Err(failure.explain(self.url())),
        }
    }

    fn unlock(&self, name: &str) -> Result<()> {
        self.write(
            "select unlock_name($1, $2, $3, $4)",
            params![checked_name(name)?],
        )?;
        Ok(())
    }

    fn write_file(&self, folder: &str, name: &str, offset: u64, bytes: &[u8]) -> Result<()> {
        let refused = |len: &str| {
            StoreError::Invalid(format!(
                "{} bytes at {offset} of {folder}/{name}{len}: at most {MAX_PIECE}, and no gap",
                bytes.len()
            ))
        };
        if bytes.len() > MAX_PIECE {
            return Err(refused(""));
        }
        let written = self.try_write(
            "select write_file($1, $2, $3, $4, $5, $6, $7, $8)",
            params![
                checked_name(folder)?,
                checked_name(name)?,
                stored(offset),
                bytes.to_vec(),
                checksum(&piece_key(folder, name), bytes)
            ],
        )?;
        match written {
            Ok(_) => Ok(()),
            Err(failure) => Err(match failure.code() {
                Some(GAP) => refused(&format!(", which has {}", failure.message())),
                _ => failure.explain(self.url()),
            }),
        }
    }

    fn read_file(&self, folder: &str, name: &str, offset: u64) -> Result<Option<Vec<u8>>> {
        // Beyond what a file can have nothing is.
        let offset = offset.min(1 << 60);
        let rows = self.read(
            PIECES,
            params![
                checked_name(folder)?,
                checked_name(name)?,
                stored(offset),
                size(MAX_PIECE)
            ],
        )?;
        if rows.is_empty() {
            return Ok(None);
        }
        let url = self.url();
        let mut bytes = Vec::new();
        for row in &rows {
            let Some(start) = column::<Option<i64>>(row, 1, url)? else {
                continue;
            };
            let (kept, piece): (i32, Vec<u8>) = (column(row, 2, url)?, column(row, 3, url)?);
            let piece = checked(&piece_key(folder, name), piece, column(row, 4, url)?, url)?;
            let from = offset.saturating_sub(loaded(start)) as usize;
            let to = (kept as usize).min(piece.len());
            bytes.extend_from_slice(piece.get(from..to).unwrap_or_default());
        }
        bytes.truncate(MAX_PIECE);
        Ok(Some(bytes))
    }

    fn files(&self, folder: &str) -> Result<Vec<SharedFile>> {
        let rows = self.read(
            "select name, len from file where folder = $1 order by name collate \"C\"",
            params![checked_name(folder)?],
        )?;
        let file = |row| {
            Ok(SharedFile {
                name: column(row, 0, self.url())?,
                len: loaded(column(row, 1, self.url())?),
            })
        };
        rows.iter().map(file).collect()
    }

    fn remove_folder(&self, folder: &str) -> Result<()> {
        self.write(
            "select remove_folder($1, $2, $3, $4)",
            params![checked_name(folder)?],
        )?;
        Ok(())
    }

    fn workers(&self) -> Result<Vec<WorkerStatus>> {
        let rows = self.read(WORKERS, Vec::new())?;
        let worker = |row| {
            let seen: f64 = column(row, 1, self.url())?;
            Ok(WorkerStatus {
                name: column(row, 0, self.url())?,
                seen: Duration::try_from_secs_f64(seen).unwrap_or_default(),
                is_alive: column(row, 2, self.url())?,
                claims: loaded(column(row, 3, self.url())?),
            })
        };
        rows.iter().map(worker).collect()
    }
}

impl PostgresStore {
    fn work_status(&self, row: &Row) -> Result<WorkStatus> {
        let url = self.url();
        let failure: Option<String> = column(row, 3, url)?;
        let state = match column::<i16>(row, 6, url)? {
            0 => WorkState::Waiting,
            1 => WorkState::Taken {
                worker: column::<Option<String>>(row, 5, url)?.unwrap_or_default(),
            },
            2 => WorkState::Done(column::<Option<Vec<u8>>>(row, 4, url)?.unwrap_or_default()),
            _ => WorkState::PutAside(failure.clone().unwrap_or_default()),
        };
        Ok(WorkStatus {
            item: WorkItem {
                id: column(row, 0, url)?,
                payload: column(row, 1, url)?,
            },
            attempts: u32::try_from(column::<i32>(row, 2, url)?).unwrap_or_default(),
            failure,
            state,
        })
    }
}

/// What the checksum of a file's pieces covers beside their bytes.
fn piece_key(folder: &str, name: &str) -> Vec<u8> {
    [folder.as_bytes(), b"\0", name.as_bytes()].concat()
}

fn check_item(item: &WorkItem) -> Result<()> {
    checked_name(&item.id)?;
    if item.id.is_empty() || item.id.len() > MAX_KEY || item.payload.len() > MAX_VALUE {
        return Err(StoreError::Invalid(format!(
            "the item {:?} has {} bytes: an item's name has from 1 to {MAX_KEY}, what is to be \
             done at most {MAX_VALUE}",
            item.id,
            item.payload.len()
        )));
    }
    Ok(())
}
