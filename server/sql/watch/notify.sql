-- watch/notify: tells the other replicas. $1 message.
select pg_notify('bellringer', $1)
