-- upkeep/replica_beat: says that this replica lives, forgets those that do not, and returns the others.
-- $1 id, $2 name, $3 whether somebody watches here, $4 version, $5 role, $6 note on the role. By the
-- real time: a virtual clock does not apply.
with me as (
    insert into replica (id, name, is_watching, started_at, seen_at, version, role, role_note)
    values ($1, $2, $3, now(), now(), $4, $5, $6)
    on conflict (id) do update
    set is_watching = excluded.is_watching, seen_at = now(), role = excluded.role,
        role_note = excluded.role_note
),
dead as (
    delete from replica where seen_at < now() - interval '1 hour' and id <> $1
)
select id, is_watching from replica where id <> $1 and seen_at > now() - interval '15 s'
