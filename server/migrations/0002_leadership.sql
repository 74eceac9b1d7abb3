-- Who leads. Safety is in the fenced row: the leader's statements lock it for share together with what
-- they write, so that a term that has ended writes nothing more. The advisory lock only keeps replicas
-- from getting in each other's way.

set local lock_timeout = '5s';

-- One row; changes only when a term begins or is resigned.
create table leadership (
    name          text not null check (name = 'scheduler'),
    epoch         int8 not null default 0 check (epoch >= 0),
    -- Fresh for each term; null: resigned, or never held.
    holder        uuid,
    replica       text,
    -- Which database session holds the lock, for the lock breaker.
    backend_pid   int4,
    backend_start timestamptz,
    acquired_at   timestamptz,
    constraint leadership_pkey primary key (name)
);
insert into leadership (name) values ('scheduler');

-- Written with every renewal, hence apart from the fenced row: a renewal must not wait for a fire.
create table leadership_seen (
    name       text not null,
    epoch      int8 not null,
    tick       int8 not null,
    renewed_at timestamptz not null,
    constraint leadership_seen_pkey primary key (name)
);
insert into leadership_seen values ('scheduler', 0, 0, now());

-- What happened, for people and for tests. Kept to the last 10,000 terms.
create table leadership_log (
    id      int8 generated always as identity,
    epoch   int8 not null,
    replica text not null,
    event   text not null,
    at      timestamptz not null default clock_timestamp(),
    constraint leadership_log_pkey primary key (id)
);
