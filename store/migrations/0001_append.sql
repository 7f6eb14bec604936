-- Stores a carry of log entries: idempotent, gapless heads, the session's row, and a nudge, in one transaction.
-- A seq that is already there with another hash raises LH001 with that seq as its message.
create or replace function longhand_append(
  p_session text, p_thread text, p_run text,
  p_seq bigint[], p_hash bytea[], p_body text[], p_type text[], p_event text[], p_of bigint[], p_at timestamptz[],
  p_row json
) returns bigint language plpgsql as $$
declare
  v_head bigint;
  v_new bigint;
  v_clash bigint;
  v_patch json;
begin
  -- One writer at a time per thread: the head's row is the lock.
  insert into log_heads (session_id, thread, head) values (p_session, p_thread, -1) on conflict do nothing;
  select head into v_head from log_heads where session_id = p_session and thread = p_thread for update;

  insert into log_entries (session_id, thread, seq, run_id, hash, body, type, event_id, of_seq, processed_at)
  select p_session, p_thread, e.seq, p_run, e.hash, e.body, e.type, e.event_id, e.of_seq, e.at
  from unnest(p_seq, p_hash, p_body, p_type, p_event, p_of, p_at)
    as e(seq, hash, body, type, event_id, of_seq, at)
  on conflict do nothing;

  select min(l.seq) into v_clash
  from unnest(p_seq, p_hash) as e(seq, hash)
  join log_entries l on l.session_id = p_session and l.thread = p_thread and l.seq = e.seq
  where l.hash <> e.hash;
  if v_clash is not null then
    raise exception using errcode = 'LH001', message = v_clash::text;
  end if;

  -- An inbound event's row shows its newest stamp, so that a list need not look for the second appearance. The two may
  -- be stored in either order.
  if exists (select from unnest(p_of) o where o is not null) then
    update log_entries l set processed_at = e.at
    from unnest(p_of, p_at) as e(of_seq, at)
    where l.session_id = p_session and l.thread = p_thread and l.seq = e.of_seq;
  end if;
  if exists (select from unnest(p_type, p_at) as e(type, at) where type is not null and at is null) then
    update log_entries l set processed_at = (
      select p.processed_at from log_entries p
      where p.session_id = p_session and p.thread = p_thread and p.of_seq = l.seq)
    where l.session_id = p_session and l.thread = p_thread and l.processed_at is null
      and l.seq = any(array(select e.seq from unnest(p_seq, p_type, p_at) as e(seq, type, at)
                            where e.type is not null and e.at is null));
  end if;

  select coalesce(max(t.seq), v_head) into v_new
  from (select seq, v_head + row_number() over (order by seq) as expected
        from log_entries where session_id = p_session and thread = p_thread and seq > v_head) t
  where t.seq = t.expected;
  if v_new > v_head then
    update log_heads set head = v_new where session_id = p_session and thread = p_thread;
    perform pg_notify('longhand', json_build_object(
      'kind', 'head', 'session', p_session, 'thread', p_thread, 'head', v_new)::text);
  end if;

  for v_patch in select * from json_array_elements(p_row->'patches') loop
    update sessions set
      title = case when (v_patch->>'set_title')::boolean and title_seq < (v_patch->>'seq')::bigint
        then v_patch->>'title' else title end,
      title_seq = case when (v_patch->>'set_title')::boolean
        then greatest(title_seq, (v_patch->>'seq')::bigint) else title_seq end,
      metadata = case when v_patch->'metadata' is not null and metadata_seq < (v_patch->>'seq')::bigint
        then v_patch->'metadata' else metadata end,
      metadata_seq = case when v_patch->'metadata' is not null
        then greatest(metadata_seq, (v_patch->>'seq')::bigint) else metadata_seq end,
      agent_rev = greatest(agent_rev, coalesce((v_patch->>'agent_rev')::int, agent_rev))
    where id = p_session;
  end loop;
  update sessions set
    row_seq = (p_row->>'seq')::bigint,
    status = p_row->>'status',
    usage = p_row->'usage',
    stats = p_row->'stats',
    running_since = (p_row->>'running_since')::timestamptz,
    updated_at = (p_row->>'updated_at')::timestamptz,
    archived_at = (p_row->>'archived_at')::timestamptz
  where id = p_session and row_seq < (p_row->>'seq')::bigint;

  return v_new;
end $$;
