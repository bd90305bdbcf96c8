-- Values, claims and budgets.
--
-- Locks are taken in one order everywhere, so that no two callers wait for each other: the
-- caller's operation, claims by key, values by key, the caller's shares, budgets by name. Budgets
-- come last because all callers want the same one: it is held from there to the end of the commit
-- only.

-- Numbers stop at the largest there is.
create function capped(number numeric) returns bigint
language sql immutable as $$
    select least(greatest(number, 0), 9223372036854775807)::bigint
$$;

-- Takes what claims had set aside out of a budget. What was spent is lost.
create function free_reserved(change budget_change) returns void
language sql as $$
    update budget set
        reserved_calls = reserved_calls - change.freed_calls,
        reserved_tokens = reserved_tokens - change.freed_tokens,
        reserved_picodollars = reserved_picodollars - change.freed_picodollars,
        lost_calls = lost_calls + change.spent_calls,
        lost_tokens = lost_tokens + change.spent_tokens,
        lost_picodollars = lost_picodollars + change.spent_picodollars
    where name = change.name
$$;

create function set_budget(
    worker_ bigint, slot_ integer, number_ bigint,
    name_ text, calls bigint, tokens bigint, picodollars bigint
) returns void
language plpgsql as $$
begin
    if begin_operation(worker_, slot_, number_) then
        insert into budget (name, limit_calls, limit_tokens, limit_picodollars)
        values (name_, calls, tokens, picodollars)
        on conflict (name) do update set
            limit_calls = calls, limit_tokens = tokens, limit_picodollars = picodollars;
    end if;
end $$;

-- What a budget has left; null where it has no limit. Exact while its row is locked.
create function room_in(budget_ text)
returns table (calls numeric, tokens numeric, picodollars numeric)
language sql volatile as $$
    select b.limit_calls - b.used_calls - b.reserved_calls - b.lost_calls,
           b.limit_tokens - b.used_tokens - b.reserved_tokens - b.lost_tokens,
           b.limit_picodollars - b.used_picodollars - b.reserved_picodollars - b.lost_picodollars
    from budget_total b where b.name = budget_
$$;

-- The keys whose state is 4, each where it stands first.
create function wanted(keys bytea[], states smallint[]) returns table (key bytea, ord integer)
language sql immutable as $$
    select distinct on (s.key) s.key, s.ord::integer
    from unnest(keys, states) with ordinality as s (key, state, ord)
    where s.state = 4 order by s.key, s.ord
$$;

-- Tries to get hold of the keys whose state is 4 (see claim_values) and sets aside what they may
-- cost. Returns all states anew.
create function take_claims(
    worker_ bigint, slot_ integer, number_ bigint, budget_ text,
    keys bytea[], calls bigint[], tokens bigint[], picodollars bigint[], replaces boolean[],
    before smallint[]
) returns smallint[]
language plpgsql as $$
declare
    states smallint[] := before;
    request record;
    change budget_change;
    room_calls numeric;
    room_tokens numeric;
    room_picodollars numeric;
    sum_calls numeric := 0;
    sum_tokens numeric := 0;
    sum_picodollars numeric := 0;
    dropped bytea[] := '{}';
    buried bytea[] := '{}';
    taken_over integer[] := '{}';
    full_at integer;
begin
    -- Whoever has a key already keeps it for now. All rows are locked.
    insert into claim as c
    select w.key, worker_, slot_, number_, budget_,
           calls[w.ord], tokens[w.ord], picodollars[w.ord]
    from wanted(keys, before) w order by w.key
    on conflict (key) do update set key = excluded.key;

    perform from budget b
    where b.name = budget_
       or b.name in (
           select c.budget from wanted(keys, before) w join claim c on c.key = w.key
           where c.worker <> worker_)
    order by b.name for update;
    select * into room_calls, room_tokens, room_picodollars from room_in(budget_);

    for request in
        -- Read after the locks: a value may have come since the states were made.
        select w.ord, w.key,
               (c.worker, c.slot, c.number) = (worker_, slot_, number_) as is_new,
               c.worker = worker_ as is_own,
               c.worker <> worker_ and is_alive(c.worker) as is_held,
               v.key is not null and not replaces[w.ord] as is_stored
        from wanted(keys, before) w
        join claim c on c.key = w.key
        left join stored_value v on v.key = w.key
        order by w.ord
    loop
        if full_at is not null or request.is_stored then
            if request.is_new then
                dropped := dropped || request.key;
            end if;
            states[request.ord] := 1;
        elsif request.is_own and not request.is_new then
            states[request.ord] := 0;
        elsif request.is_held then
            states[request.ord] := 2;
        else
            if not request.is_new then
                buried := buried || request.key;
            end if;
            -- An absent limit is null, and so is the comparison.
            if calls[request.ord] > room_calls or tokens[request.ord] > room_tokens
                or picodollars[request.ord] > room_picodollars
            then
                full_at := request.ord;
                dropped := dropped || request.key;
            else
                room_calls := room_calls - calls[request.ord];
                room_tokens := room_tokens - tokens[request.ord];
                room_picodollars := room_picodollars - picodollars[request.ord];
                sum_calls := sum_calls + calls[request.ord];
                sum_tokens := sum_tokens + tokens[request.ord];
                sum_picodollars := sum_picodollars + picodollars[request.ord];
                if not request.is_new then
                    taken_over := taken_over || request.ord;
                end if;
                states[request.ord] := 0;
            end if;
        end if;
    end loop;

    if cardinality(buried) > 0 then
        for change in
            select c.budget, sum(c.calls), sum(c.tokens), sum(c.picodollars),
                   sum(c.calls), sum(c.tokens), sum(c.picodollars)
            from claim c where c.key = any (buried) and c.budget is not null
            group by c.budget order by c.budget
        loop
            perform free_reserved(change);
        end loop;
        update claim c set
            worker = worker_, slot = slot_, number = number_, budget = budget_,
            calls = t.calls, tokens = t.tokens, picodollars = t.picodollars
        from (
            select keys[o.ord] as key, calls[o.ord] as calls, tokens[o.ord] as tokens,
                   picodollars[o.ord] as picodollars
            from unnest(taken_over) as o (ord)
        ) t
        where c.key = t.key;
    end if;
    if cardinality(dropped) > 0 then
        delete from claim c where c.key = any (dropped);
    end if;
    if sum_calls > 0 or sum_tokens > 0 or sum_picodollars > 0 then
        update budget b set
            reserved_calls = b.reserved_calls + sum_calls,
            reserved_tokens = b.reserved_tokens + sum_tokens,
            reserved_picodollars = b.reserved_picodollars + sum_picodollars
        where b.name = budget_;
    end if;

    -- A key that was asked for twice has one state; behind the first that had no room, all is over.
    return (
        select array_agg(
            case
                when r.ord >= full_at then 3
                when r.state = 4 then states[
                    (select w.ord from wanted(keys, before) w where w.key = r.key)]
                else r.state
            end order by r.ord)::smallint[]
        from unnest(keys, states) with ordinality as r (key, state, ord)
    );
end $$;

-- One row a request, in order. `state`: 0 granted, 1 stored, 2 held by another, 3 over budget.
-- (Inside, 4: nobody alive has it.) Where nothing is free nothing is written.
create function claim_values(
    worker_ bigint, slot_ integer, number_ bigint, budget_ text,
    keys bytea[], calls bigint[], tokens bigint[], picodollars bigint[], replaces boolean[]
) returns table (state smallint, value bytea, crc bigint)
language plpgsql as $$
#variable_conflict use_column
declare
    states smallint[];
begin
    if budget_ is not null and not exists (select from budget b where b.name = budget_) then
        raise exception 'no budget' using errcode = 'SP001';
    end if;
    select array_agg(
        case
            when v.key is not null and not r.replaces then 1
            when c.worker = worker_ then 0
            when c.worker is not null and is_alive(c.worker) then 2
            else 4
        end order by r.ord)::smallint[]
    into states
    from unnest(keys, replaces) with ordinality as r (key, replaces, ord)
    left join stored_value v on v.key = r.key
    left join claim c on c.key = r.key;
    if 4 = any (states) then
        if begin_operation(worker_, slot_, number_) then
            states := take_claims(
                worker_, slot_, number_, budget_,
                keys, calls, tokens, picodollars, replaces, states);
        else
            -- Done before. What was granted then is this worker's now; about the rest it asks
            -- again under another number.
            states := array_replace(states, 4::smallint, 2::smallint);
        end if;
    end if;
    return query
        select r.state, v.value, v.crc
        from unnest(keys, states) with ordinality as r (key, state, ord)
        left join stored_value v on v.key = r.key and r.state = 1
        order by r.ord;
end $$;

-- Whether the budget had room.
create function extend_claim(
    worker_ bigint, slot_ integer, number_ bigint,
    key_ bytea, more_calls bigint, more_tokens bigint, more_picodollars bigint
) returns boolean
language plpgsql as $$
declare
    held claim;
    room record;
begin
    if not begin_operation(worker_, slot_, number_) then
        return true;
    end if;
    select * into held from claim c where c.key = key_ and c.worker = worker_ for update;
    if not found then
        raise exception 'not claimed' using errcode = 'SP002';
    end if;
    if held.budget is not null then
        perform from budget b where b.name = held.budget for update;
        select * into room from room_in(held.budget);
        -- An absent limit is null, and so is the comparison.
        if more_calls > room.calls or more_tokens > room.tokens
            or more_picodollars > room.picodollars
        then
            -- The operation has changed nothing, and is not done.
            raise exception 'no room' using errcode = 'SP003';
        end if;
        update budget b set
            reserved_calls = b.reserved_calls + more_calls,
            reserved_tokens = b.reserved_tokens + more_tokens,
            reserved_picodollars = b.reserved_picodollars + more_picodollars
        where b.name = held.budget;
    end if;
    update claim c set
        calls = c.calls + more_calls,
        tokens = c.tokens + more_tokens,
        picodollars = c.picodollars + more_picodollars
    where c.key = key_;
    return true;
end $$;

-- Stores values in the order of their keys; `replaced` are the keys whose value may be replaced.
create function store_values(
    keys bytea[], given bytea[], crcs bigint[], replaces boolean[]
) returns bigint
language plpgsql as $$
declare
    replaced bytea[];
    stored bigint;
begin
    if true = any (replaces) then
        select array_agg(r.key) into replaced
        from unnest(keys, replaces) as r (key, replaces) where r.replaces;
        -- The last that replaces wins, else the first.
        insert into stored_value as v
        select distinct on (r.key) r.key, r.value, r.crc
        from unnest(keys, given, crcs, replaces) with ordinality
            as r (key, value, crc, replaces, ord)
        where r.value is not null
        order by r.key, r.replaces desc, case when r.replaces then -r.ord else r.ord end
        on conflict (key) do update set value = excluded.value, crc = excluded.crc
            where excluded.key = any (replaced);
    else
        insert into stored_value as v
        select r.key, r.value, r.crc
        from unnest(keys, given, crcs) with ordinality as r (key, value, crc, ord)
        where r.value is not null
        order by r.key, r.ord
        on conflict (key) do nothing;
    end if;
    get diagnostics stored = row_count;
    return stored;
end $$;

-- One row a result, in order: whether its value is the one that is stored.
create function settle_claims(
    worker_ bigint, slot_ integer, number_ bigint,
    keys bytea[], given bytea[], crcs bigint[],
    calls bigint[], tokens bigint[], picodollars bigint[], replaces boolean[]
) returns setof boolean
language plpgsql as $$
declare
    mine bytea[];
    changes budget_change[];
begin
    if begin_operation(worker_, slot_, number_) then
        select array_agg(c.key) into mine from (
            select c.key from claim c
            where c.key = any (keys) and c.worker = worker_
            order by c.key for update
        ) c;
        if mine is not null then
            with took as (
                select distinct on (r.key) r.*
                from unnest(keys, calls, tokens, picodollars) with ordinality
                    as r (key, calls, tokens, picodollars, ord)
                where r.key = any (mine)
                order by r.key, r.ord
            ), sums as (
                select row(c.budget,
                           sum(c.calls), sum(c.tokens), sum(c.picodollars),
                           sum(t.calls), sum(t.tokens), sum(t.picodollars))::budget_change as change
                from took t
                -- Key by key, for joined as a whole each would be compared with each.
                cross join lateral (select * from claim o where o.key = t.key offset 0) c
                where c.budget is not null
                group by c.budget order by c.budget
            )
            select array_agg(s.change) into changes from sums s;
            delete from claim c where c.key = any (mine);
        end if;
        if store_values(keys, given, crcs, replaces) = cardinality(keys) then
            return query select true from generate_series(1, cardinality(keys));
        else
            return query select * from are_stored(keys, given);
        end if;
        insert into budget_share as s
        select c.name, worker_, slot_, c.freed_calls, c.freed_tokens, c.freed_picodollars,
               c.spent_calls, c.spent_tokens, c.spent_picodollars
        from unnest(changes) c
        on conflict (budget, worker, slot) do update set
            freed_calls = s.freed_calls + excluded.freed_calls,
            freed_tokens = s.freed_tokens + excluded.freed_tokens,
            freed_picodollars = s.freed_picodollars + excluded.freed_picodollars,
            used_calls = s.used_calls + excluded.used_calls,
            used_tokens = s.used_tokens + excluded.used_tokens,
            used_picodollars = s.used_picodollars + excluded.used_picodollars;
    else
        return query select * from are_stored(keys, given);
    end if;
end $$;

create function are_stored(keys bytea[], given bytea[]) returns setof boolean
language sql stable as $$
    select v.key is not null
    from unnest(keys, given) with ordinality as r (key, value, ord)
    left join stored_value v on v.key = r.key and v.value = r.value
    order by r.ord
$$;

create function offer_values(
    worker_ bigint, slot_ integer, number_ bigint,
    keys bytea[], given bytea[], crcs bigint[]
) returns void
language plpgsql as $$
begin
    if begin_operation(worker_, slot_, number_) then
        perform store_values(keys, given, crcs, '{}');
    end if;
end $$;
