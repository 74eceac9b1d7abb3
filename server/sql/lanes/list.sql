-- lanes/list: lanes that were made after the last one known. $1 id.
select id, namespace, queue, kind, version from lane where id > $1 order by id
