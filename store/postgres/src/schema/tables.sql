-- What the shared store holds. Everything stands in one schema, which the connection's
-- search_path names; nothing here says which.

-- One row. `version` is the number of the last migration; a worker is taken for dead after
-- `worker_timeout` without a sign of life.
create table format (
    only_row boolean primary key default true check (only_row),
    version integer not null,
    worker_timeout interval not null default interval '30 seconds'
);

create table worker (
    id bigint primary key generated always as identity,
    name text not null,
    seen timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- The last operation of each of a worker's connections. An operation whose connection was lost is
-- sent again under the same number, and does nothing if it had been committed.
create table operation (
    worker bigint,
    slot integer,
    number bigint not null,
    primary key (worker, slot)
) with (fillfactor = 50);

-- What workers may spend together. Numbers have no largest, so that sums of huge ones are right.
create table budget (
    name text primary key,
    limit_calls bigint,
    limit_tokens bigint,
    limit_picodollars bigint,
    used_calls numeric not null default 0,
    used_tokens numeric not null default 0,
    used_picodollars numeric not null default 0,
    reserved_calls numeric not null default 0,
    reserved_tokens numeric not null default 0,
    reserved_picodollars numeric not null default 0,
    lost_calls numeric not null default 0,
    lost_tokens numeric not null default 0,
    lost_picodollars numeric not null default 0
) with (fillfactor = 20);

-- What a connection's settled claims have freed and used, to be added to the budget. Only who
-- spends has to wait for others; who settles would else hold the budget until the disk has it.
create table budget_share (
    budget text,
    worker bigint,
    slot integer,
    freed_calls numeric not null,
    freed_tokens numeric not null,
    freed_picodollars numeric not null,
    used_calls numeric not null,
    used_tokens numeric not null,
    used_picodollars numeric not null,
    primary key (budget, worker, slot)
) with (fillfactor = 50);

-- Budgets as they stand.
create view budget_total as
select b.name, b.limit_calls, b.limit_tokens, b.limit_picodollars,
       b.used_calls + s.used_calls as used_calls,
       b.used_tokens + s.used_tokens as used_tokens,
       b.used_picodollars + s.used_picodollars as used_picodollars,
       b.reserved_calls - s.freed_calls as reserved_calls,
       b.reserved_tokens - s.freed_tokens as reserved_tokens,
       b.reserved_picodollars - s.freed_picodollars as reserved_picodollars,
       b.lost_calls, b.lost_tokens, b.lost_picodollars
from budget b
cross join lateral (
    select coalesce(sum(o.freed_calls), 0) as freed_calls,
           coalesce(sum(o.freed_tokens), 0) as freed_tokens,
           coalesce(sum(o.freed_picodollars), 0) as freed_picodollars,
           coalesce(sum(o.used_calls), 0) as used_calls,
           coalesce(sum(o.used_tokens), 0) as used_tokens,
           coalesce(sum(o.used_picodollars), 0) as used_picodollars
    from budget_share o where o.budget = b.name
) s;

-- What came of requests. `crc` is the CRC-32 of key and value, which the client checks.
create table stored_value (
    key bytea primary key,
    value bytea not null,
    crc bigint not null
);

-- Which worker is working out which value, and by which operation it got hold of it.
create table claim (
    key bytea primary key,
    worker bigint not null,
    slot integer not null,
    number bigint not null,
    budget text,
    calls numeric not null,
    tokens numeric not null,
    picodollars numeric not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Sums over several claims of one budget: what they had set aside, and what of it was used, or is
-- lost.
create type budget_change as (
    name text,
    freed_calls numeric,
    freed_tokens numeric,
    freed_picodollars numeric,
    spent_calls numeric,
    spent_tokens numeric,
    spent_picodollars numeric
);

create table queue (name text primary key);

-- `state`: 0 waiting, 1 taken, 2 done, 3 put aside. `slot` and `number` are the operation by which
-- its worker got it.
create table work (
    queue text references queue on delete cascade,
    id text,
    position bigint not null generated always as identity,
    payload bytea not null,
    attempts integer not null default 0,
    failure text,
    state smallint not null default 0,
    worker bigint,
    slot integer,
    number bigint,
    result bytea,
    primary key (queue, id)
);
create index work_in_order on work (queue, position);
create index work_to_do on work (queue, position) where state in (0, 1);

create table name_lock (
    name text primary key,
    worker bigint not null
);

create table file (
    id bigint primary key generated always as identity,
    folder text not null,
    name text not null,
    len bigint not null,
    unique (folder, name)
) with (fillfactor = 50);

-- A piece as it was written, with the CRC-32 of all its bytes. Only the first `kept` of them
-- still are part of the file.
create table file_piece (
    file bigint references file on delete cascade,
    start bigint,
    kept integer not null,
    bytes bytea not null,
    crc bigint not null,
    primary key (file, start)
);

-- Records of the ordered map, which know nothing of the rest.
create table kv_record (
    key bytea primary key,
    value bytea not null,
    crc bigint not null
);

-- How many records there are: the sum. Several rows, so that writers do not wait for each other.
create table kv_count (
    shard integer primary key,
    count bigint not null
) with (fillfactor = 50);
