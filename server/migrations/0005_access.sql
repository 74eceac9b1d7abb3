-- API keys, and what was done by whom. Small tables, off the hot path. The times of keys are real
-- times, also where the clock of the service was moved.

set local lock_timeout = '5s';

create table api_key (
    -- Between `brk_` and the next `_`.
    id           text not null,
    -- Name of the namespace, which need not exist yet; `*`: every one.
    namespace    text not null,
    name         text not null,
    -- domain::Role.
    roles        text[] not null,
    -- With role worker: the only queues; empty: all.
    queues       text[] not null,
    -- SHA-256 of the secret, which has 256 bits of chance.
    hash         bytea not null,
    created_by   text not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    -- To about a minute.
    last_used_at timestamptz,
    revoked_at   timestamptz,
    constraint api_key_pkey primary key (id)
);
-- Serves access/list_keys and the count of access/create_key.
create index api_key_namespace on api_key (namespace, created_at, id);

create table audit_event (
    id        int8 generated always as identity,
    at        timestamptz not null default now(),
    -- As access::Principal tells its name; empty: not known.
    principal text not null,
    -- Address of the caller; empty: not known.
    source    text not null,
    -- Name of the namespace; empty: none, or the call is about the service.
    namespace text not null,
    -- `package.Service/Method`.
    method    text not null,
    -- What it was about: an id or a name.
    object    text not null,
    -- 1 allowed and done, 2 denied, 3 not authenticated.
    decision  int2 not null,
    constraint audit_event_pkey primary key (id)
);
-- Serves access/list_audit for one namespace.
create index audit_event_namespace on audit_event (namespace, id);
-- Serves access/prune_audit: a block range index, since times rise with the table.
create index audit_event_at on audit_event using brin (at) with (autosummarize = on);
