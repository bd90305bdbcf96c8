-- Workers, the operations that they repeat, and what they hold by name.

-- Whether the worker showed that it is there. A server that has just been started has heard of
-- nobody for a while, which is not the workers' fault: they have as long once more.
--
-- Volatile, so that it sees what is committed now. A row that was waited for may have been taken
-- by a worker that came after the snapshot of the statement that waited.
create function is_alive(worker_ bigint) returns boolean
language sql volatile as $$
    select exists (
        select from worker w, format f
        where w.id = worker_
          and (w.seen > clock_timestamp() - f.worker_timeout
               or (pg_postmaster_start_time() > clock_timestamp() - f.worker_timeout
                   and w.seen > pg_postmaster_start_time() - interval '1 hour'))
    )
$$;

-- Whether this operation has not been done yet; it counts as done once the transaction commits.
-- Waits for an earlier sending of it that is still under way.
create function begin_operation(worker_ bigint, slot_ integer, number_ bigint) returns boolean
language plpgsql as $$
begin
    insert into operation as o values (worker_, slot_, number_)
    on conflict (worker, slot) do update set number = number_ where o.number < number_;
    return found;
end $$;

create function show_life(worker_ bigint, name_ text) returns void
language sql as $$
    insert into worker (id, name) overriding system value values (worker_, name_)
    on conflict (id) do update set seen = clock_timestamp()
$$;

-- The worker ends in order. What it still claims it has not settled: a request may be on its way, so
-- what was set aside for it is lost. Who knows that nothing was sent settles before.
create function leave(worker_ bigint) returns void
language plpgsql as $$
declare
    change budget_change;
begin
    perform from claim where worker = worker_ order by key for update;
    for change in
        with freed as (delete from claim where worker = worker_ returning *)
        select budget, sum(calls), sum(tokens), sum(picodollars),
               sum(calls), sum(tokens), sum(picodollars)
        from freed where budget is not null group by budget order by budget
    loop
        perform free_reserved(change);
    end loop;
    perform fold_shares(worker_);
    update work set state = 0, worker = null, attempts = attempts - 1
    where state = 1 and worker = worker_;
    delete from name_lock where worker = worker_;
    delete from operation where worker = worker_;
    delete from worker where id = worker_;
end $$;

-- Adds a worker's shares to their budgets. Whoever looks sees the same sum before and after.
create function fold_shares(worker_ bigint) returns void
language plpgsql as $$
declare
    share record;
begin
    for share in
        with gone as (delete from budget_share where worker = worker_ returning *)
        select budget, sum(freed_calls) as freed_calls, sum(freed_tokens) as freed_tokens,
               sum(freed_picodollars) as freed_picodollars, sum(used_calls) as used_calls,
               sum(used_tokens) as used_tokens, sum(used_picodollars) as used_picodollars
        from gone group by budget order by budget
    loop
        update budget b set
            used_calls = b.used_calls + share.used_calls,
            used_tokens = b.used_tokens + share.used_tokens,
            used_picodollars = b.used_picodollars + share.used_picodollars,
            reserved_calls = b.reserved_calls - share.freed_calls,
            reserved_tokens = b.reserved_tokens - share.freed_tokens,
            reserved_picodollars = b.reserved_picodollars - share.freed_picodollars
        where b.name = share.budget;
    end loop;
end $$;

-- Forgets workers that were seen long ago and hold nothing.
create function forget_workers() returns void
language plpgsql as $$
declare
    gone bigint;
begin
    for gone in
        delete from worker w
        where seen < clock_timestamp() - interval '1 day'
          and not exists (select from claim c where c.worker = w.id)
          and not exists (select from work k where k.worker = w.id and k.state = 1)
          and not exists (select from name_lock l where l.worker = w.id)
        returning id
    loop
        perform fold_shares(gone);
        delete from operation where worker = gone;
    end loop;
end $$;

-- Takes the name, or raises the name of the worker that has it: then the operation has changed
-- nothing, and is not done.
create function lock_name(worker_ bigint, slot_ integer, number_ bigint, name_ text)
returns void
language plpgsql as $$
declare
    holder text;
begin
    if not begin_operation(worker_, slot_, number_) then
        return;
    end if;
    loop
        insert into name_lock as l values (name_, worker_)
        on conflict (name) do update set worker = worker_
            where l.worker = worker_ or not is_alive(l.worker);
        if found then
            return;
        end if;
        select w.name into holder
        from name_lock l join worker w on w.id = l.worker where l.name = name_;
        -- It may have been let go between the two.
        if found then
            raise exception '%', holder using errcode = 'SP006';
        end if;
    end loop;
end $$;

create function unlock_name(worker_ bigint, slot_ integer, number_ bigint, name_ text)
returns void
language plpgsql as $$
begin
    if begin_operation(worker_, slot_, number_) then
        delete from name_lock where name = name_ and worker = worker_;
    end if;
end $$;
