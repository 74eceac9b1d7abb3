-- wall/build: makes the second wall between namespaces, unless it stands; answers with what is lacking.
select wall_build() as lacking
