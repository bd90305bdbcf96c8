-- Queues of work. Locks: the caller's operation, the queue, its items.

-- Whoever adds to a queue holds it, so that the order of two calls is the order of their items.
create function add_work(
    worker_ bigint, slot_ integer, number_ bigint, queue_ text, ids text[], payloads bytea[]
) returns void
language plpgsql as $$
begin
    if begin_operation(worker_, slot_, number_) then
        insert into queue as q values (queue_) on conflict (name) do update set name = q.name;
        insert into work (queue, id, payload)
        select queue_, r.id, r.payload
        from unnest(ids, payloads) with ordinality as r (id, payload, ord)
        order by r.ord
        on conflict (queue, id) do nothing;
    end if;
end $$;

-- No row where nothing is free.
create function take_work(worker_ bigint, slot_ integer, number_ bigint, queue_ text)
returns table (id text, payload bytea)
language plpgsql as $$
#variable_conflict use_column
declare
    item work;
    is_begun boolean := false;
begin
    loop
        select w.* into item
        from work w
        where w.queue = queue_
          and (w.state = 0 or w.state = 1 and not is_alive(w.worker))
        order by w.position
        limit 1
        for update skip locked;
        if not found then
            return;
        end if;
        if not is_begun and not begin_operation(worker_, slot_, number_) then
            -- Done before: what was taken then.
            return query
                select w.id, w.payload from work w
                where w.queue = queue_ and w.state = 1
                  and (w.worker, w.slot, w.number) = (worker_, slot_, number_);
            return;
        end if;
        is_begun := true;
        if item.state = 1 then
            item.failure := 'its worker died';
        end if;
        if item.attempts < {max_attempts} then
            update work w set
                state = 1, attempts = item.attempts + 1, failure = item.failure,
                worker = worker_, slot = slot_, number = number_
            where w.queue = queue_ and w.id = item.id;
            return query select item.id, item.payload;
            return;
        end if;
        update work w set state = 3, worker = null, failure = item.failure
        where w.queue = queue_ and w.id = item.id;
    end loop;
end $$;

-- Whether it still was this worker's. `failure_` is null if it is done.
create function end_work(
    worker_ bigint, slot_ integer, number_ bigint,
    queue_ text, id_ text, result_ bytea, failure_ text
) returns boolean
language plpgsql as $$
begin
    if not begin_operation(worker_, slot_, number_) then
        return true;
    end if;
    update work w set
        worker = null,
        result = result_,
        failure = coalesce(failure_, w.failure),
        state = case
            when failure_ is null then 2
            when w.attempts >= {max_attempts} then 3
            else 0
        end
    where w.queue = queue_ and w.id = id_ and w.state = 1 and w.worker = worker_;
    if not found then
        -- The operation has changed nothing, and is not done.
        raise exception 'not taken' using errcode = 'SP004';
    end if;
    return true;
end $$;

create function return_work(
    worker_ bigint, slot_ integer, number_ bigint, queue_ text, id_ text
) returns void
language plpgsql as $$
begin
    if begin_operation(worker_, slot_, number_) then
        update work w set state = 0, worker = null, attempts = w.attempts - 1
        where w.queue = queue_ and w.id = id_ and w.state = 1 and w.worker = worker_;
    end if;
end $$;

-- One that is done or was put aside waits again, as if it had not been begun.
create function reopen_work(
    worker_ bigint, slot_ integer, number_ bigint, queue_ text, id_ text
) returns void
language plpgsql as $$
begin
    if begin_operation(worker_, slot_, number_) then
        update work w set state = 0, attempts = 0, result = null
        where w.queue = queue_ and w.id = id_ and w.state in (2, 3);
    end if;
end $$;
