-- The key by which replicas seal what clients keep for them, page tokens and resume tokens: two random
-- UUIDs have 244 bits that nobody guesses. It never leaves the database and the replicas.

set local lock_timeout = '5s';

alter table cluster add column token_key bytea;
update cluster
set token_key = decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');
alter table cluster alter column token_key set not null;
