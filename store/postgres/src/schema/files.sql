-- Files, and the records of the ordered map.

create function write_file(
    worker_ bigint, slot_ integer, number_ bigint,
    folder_ text, name_ text, offset_ bigint, bytes_ bytea, crc_ bigint
) returns void
language plpgsql as $$
declare
    of file;
begin
    if not begin_operation(worker_, slot_, number_) then
        return;
    end if;
    -- Locks it, whether it is there or not.
    insert into file as f (folder, name, len) values (folder_, name_, 0)
    on conflict (folder, name) do update set len = f.len
    returning f.* into of;
    if offset_ > of.len then
        raise exception '%', of.len using errcode = 'SP005';
    end if;
    delete from file_piece p where p.file = of.id and p.start >= offset_;
    update file_piece p set kept = offset_ - p.start
    where p.file = of.id and p.start + p.kept > offset_;
    if length(bytes_) > 0 then
        insert into file_piece values (of.id, offset_, length(bytes_), bytes_, crc_);
    end if;
    update file f set len = offset_ + length(bytes_) where f.id = of.id;
end $$;

create function remove_folder(
    worker_ bigint, slot_ integer, number_ bigint, folder_ text
) returns void
language plpgsql as $$
begin
    if begin_operation(worker_, slot_, number_) then
        delete from file where folder = folder_;
    end if;
end $$;

-- Puts and, where the value is null, deletes. Keys come in ascending order.
create function apply_batch(
    worker_ bigint, slot_ integer, number_ bigint,
    keys bytea[], given bytea[], crcs bigint[]
) returns void
language plpgsql as $$
declare
    written bigint;
    removed bigint;
begin
    if not begin_operation(worker_, slot_, number_) then
        return;
    end if;
    -- All locks in the order of keys, before the first change.
    perform from kv_record r where r.key = any (keys) order by r.key for update;
    delete from kv_record r
    using unnest(keys, given) as g (key, value)
    where r.key = g.key and g.value is null;
    get diagnostics removed = row_count;
    with put as (
        insert into kv_record as r
        select g.key, g.value, g.crc
        from unnest(keys, given, crcs) as g (key, value, crc)
        where g.value is not null order by g.key
        on conflict (key) do update set value = excluded.value, crc = excluded.crc
        -- Of a row that was there, the version that is written has a locker.
        returning r.xmax = 0 as is_new
    )
    select count(*) filter (where is_new) into written from put;
    if written <> removed then
        insert into kv_count as c values (worker_ % 16, written - removed)
        on conflict (shard) do update set count = c.count + written - removed;
    end if;
end $$;
