-- cluster/replicas: the replicas that live, by name.
select r.id, r.name, r.version, r.role, r.role_note, r.started_at, r.seen_at
from replica r
where r.seen_at > now() - interval '20 s'
order by r.name, r.id
