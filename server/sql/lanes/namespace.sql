-- lanes/namespace: makes a namespace known. $1 name.
insert into namespace (name) values ($1) on conflict (name) do nothing
