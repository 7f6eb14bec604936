CREATE TABLE "session_outcomes" (
	"session_id" text NOT NULL,
	"outcome_id" text NOT NULL,
	"seq" bigint NOT NULL,
	"thread" text NOT NULL,
	"define_seq" bigint NOT NULL,
	"result" text NOT NULL,
	"iteration" integer NOT NULL,
	"explained_seq" bigint,
	"completed_at" timestamp (3) with time zone,
	CONSTRAINT "session_outcomes_session_id_outcome_id_pk" PRIMARY KEY("session_id","outcome_id")
);
--> statement-breakpoint
-- Takes in what a carry's entries say of outcomes. Called in the statement that stores the entries.
create or replace function longhand_note_outcomes(p_session text, p_thread text, p_row json) returns void
language sql as $$
  insert into session_outcomes as o
    (session_id, thread, outcome_id, seq, define_seq, result, iteration, explained_seq, completed_at)
  select distinct on (c.value->>'outcome_id') p_session, p_thread, c.value->>'outcome_id', (p.value->>'seq')::bigint,
    (c.value->>'define_seq')::bigint, c.value->>'result', (c.value->>'iteration')::int,
    (c.value->>'explained_seq')::bigint, (c.value->>'completed_at')::timestamptz
  from json_array_elements(p_row->'patches') p
    cross join lateral json_array_elements(p.value->'outcomes') with ordinality c(value, place)
  order by c.value->>'outcome_id', (p.value->>'seq')::bigint desc, c.place desc
  on conflict (session_id, outcome_id) do update set
    seq = excluded.seq, result = excluded.result, iteration = excluded.iteration,
    explained_seq = excluded.explained_seq, completed_at = excluded.completed_at
  where o.seq < excluded.seq;
$$;
