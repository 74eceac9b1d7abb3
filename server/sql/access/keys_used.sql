-- access/keys_used: writes down that API keys were used, once a minute at most. $1 ids.
update api_key
set last_used_at = now()
where id = any ($1::text[])
  and (last_used_at is null or last_used_at < now() - interval '1 minute')
