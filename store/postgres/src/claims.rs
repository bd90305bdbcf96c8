//! Values, claims and budgets. What the functions of `schema/claims.sql` are told and tell.

use shiftproof_store::shared::{
    Amount, AmountLimits, Claim, ClaimRequest, ClaimResult, SharedBudget,
};
use shiftproof_store::{Result, StoreError, check_key, readable};
use tokio_postgres::Row;

use crate::lane::params;
use crate::rows::{
    AmountColumns, check_value, checked, checked_name, checksum, column, loaded, stored,
};
use crate::store::PostgresStore;

/// What the database's functions raise.
const NO_BUDGET: &str = "SP001";
const NOT_CLAIMED: &str = "SP002";
const NO_ROOM: &str = "SP003";

const BUDGET: &str = "
    select name, limit_calls, limit_tokens, limit_picodollars,
           capped(used_calls), capped(used_tokens), capped(used_picodollars),
           capped(reserved_calls), capped(reserved_tokens), capped(reserved_picodollars),
           capped(lost_calls), capped(lost_tokens), capped(lost_picodollars)
    from budget_total where name = $1 or $1 is null order by name collate \"C\"";

impl PostgresStore {
    pub(crate) fn find_values(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        let rows = self.read(
            "select v.value, v.crc from unnest($1::bytea[]) with ordinality as r (key, ord)
             left join stored_value v on v.key = r.key order by r.ord",
            params![keys.to_vec()],
        )?;
        let value = |(key, row): (&Vec<u8>, &Row)| {
            let value: Option<Vec<u8>> = column(row, 0, self.url())?;
            value
                .map(|value| checked(key, value, column(row, 1, self.url())?, self.url()))
                .transpose()
        };
        keys.iter().zip(&rows).map(value).collect()
    }

    pub(crate) fn claim_values(
        &self,
        budget: Option<&str>,
        requests: &[ClaimRequest],
    ) -> Result<Vec<Claim>> {
        for request in requests {
            check_key(&request.key)?;
        }
        let keys: Vec<Vec<u8>> = requests.iter().map(|request| request.key.clone()).collect();
        let worst: AmountColumns = requests.iter().map(|request| request.worst).collect();
        let replaces: Vec<bool> = requests.iter().map(|request| request.replaces).collect();
        let claimed = self.try_write(
            "select state, value, crc from claim_values($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params![
                budget.map(checked_name).transpose()?,
                keys,
                worst.calls,
                worst.tokens,
                worst.picodollars,
                replaces
            ],
        )?;
        let rows = claimed.map_err(|failure| match (failure.code(), budget) {
            (Some(NO_BUDGET), Some(name)) => {
                StoreError::Invalid(format!("there is no budget {name:?} in the shared store"))
            }
            _ => failure.explain(self.url()),
        })?;
        let claim = |(request, row): (&ClaimRequest, &Row)| {
            Ok(match column::<i16>(row, 0, self.url())? {
                0 => Claim::Granted,
                1 => {
                    let (value, crc) = (column(row, 1, self.url())?, column(row, 2, self.url())?);
                    Claim::Stored(checked(&request.key, value, crc, self.url())?)
                }
                2 => Claim::Held,
                _ => Claim::OverBudget,
            })
        };
        requests.iter().zip(&rows).map(claim).collect()
    }

    pub(crate) fn extend_claim(&self, key: &[u8], more: Amount) -> Result<bool> {
        let extended = self.try_write(
            "select extend_claim($1, $2, $3, $4, $5, $6, $7)",
            params![
                key.to_vec(),
                stored(more.calls),
                stored(more.tokens),
                stored(more.picodollars)
            ],
        )?;
        match extended {
            Ok(_) => Ok(true),
            Err(failure) => match failure.code() {
                Some(NO_ROOM) => Ok(false),
                Some(NOT_CLAIMED) => Err(StoreError::Invalid(format!(
                    "{} is not claimed by this worker",
                    readable(key)
                ))),
                _ => Err(failure.explain(self.url())),
            },
        }
    }

    pub(crate) fn settle_claims(&self, results: &[ClaimResult]) -> Result<Vec<bool>> {
        if results.is_empty() {
            return Ok(Vec::new());
        }
        for result in results {
            check_value(&result.key, result.value.as_deref().unwrap_or_default())?;
        }
        let keys: Vec<Vec<u8>> = results.iter().map(|result| result.key.clone()).collect();
        let values: Vec<Option<Vec<u8>>> =
            results.iter().map(|result| result.value.clone()).collect();
        let crc = |result: &ClaimResult| {
            let value = result.value.as_ref()?;
            Some(checksum(&result.key, value))
        };
        let crcs: Vec<Option<i64>> = results.iter().map(crc).collect();
        let used: AmountColumns = results.iter().map(|result| result.used).collect();
        let replaces: Vec<bool> = results.iter().map(|result| result.replaces).collect();
        let rows = self.write(
            "select * from settle_claims($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            params![
                keys,
                values,
                crcs,
                used.calls,
                used.tokens,
                used.picodollars,
                replaces
            ],
        )?;
        rows.iter().map(|row| column(row, 0, self.url())).collect()
    }

    pub(crate) fn store_offered(&self, values: &[(Vec<u8>, Vec<u8>)]) -> Result<()> {
        for (key, value) in values {
            check_value(key, value)?;
        }
        let crcs: Vec<i64> = values
            .iter()
            .map(|(key, value)| checksum(key, value))
            .collect();
        let (keys, values): (Vec<Vec<u8>>, Vec<Vec<u8>>) = values.iter().cloned().unzip();
        if !keys.is_empty() {
            self.write(
                "select offer_values($1, $2, $3, $4, $5, $6)",
                params![keys, values, crcs],
            )?;
        }
        Ok(())
    }

    pub(crate) fn put_budget(&self, name: &str, limits: AmountLimits) -> Result<()> {
        self.write(
            "select set_budget($1, $2, $3, $4, $5, $6, $7)",
            params![
                checked_name(name)?,
                limits.calls.map(stored),
                limits.tokens.map(stored),
                limits.picodollars.map(stored)
            ],
        )?;
        Ok(())
    }

    /// The budget of this name, or all of them by name.
    pub(crate) fn find_budgets(&self, name: Option<&str>) -> Result<Vec<(String, SharedBudget)>> {
        let rows = self.read(BUDGET, params![name.map(checked_name).transpose()?])?;
        rows.iter().map(|row| self.read_budget(row)).collect()
    }

    fn read_budget(&self, row: &Row) -> Result<(String, SharedBudget)> {
        let url = self.url();
        let limit =
            |index| Ok::<_, StoreError>(column::<Option<i64>>(row, index, url)?.map(loaded));
        let amount = |first| {
            Ok::<_, StoreError>(Amount {
                calls: loaded(column(row, first, url)?),
                tokens: loaded(column(row, first + 1, url)?),
                picodollars: loaded(column(row, first + 2, url)?),
            })
        };
        let budget = SharedBudget {
            limits: AmountLimits {
                calls: limit(1)?,
                tokens: limit(2)?,
                picodollars: limit(3)?,
            },
            used: amount(4)?,
            reserved: amount(7)?,
            lost: amount(10)?,
        };
        Ok((column(row, 0, url)?, budget))
    }
}
