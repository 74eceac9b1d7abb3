-- cluster/token_key: the key that seals what clients keep for the server.
select token_key from cluster
