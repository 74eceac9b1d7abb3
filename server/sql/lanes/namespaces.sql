-- lanes/namespaces: namespaces that were made after the last one known. $1 id.
select id, name from namespace where id > $1 order by id
