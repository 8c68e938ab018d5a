-- JSON
SELECT '{"a": {"b": [1, 2.5, "x", null, true]}}'::JSON->'a'->'b'->0, '{"a": 1}'->>'a', '[1, 2, 3]'->>-1, '{"a": {"b": 1}}'->'$.a.b';
SELECT j->'$.a[*]', j->>'$.b', j.a, json_extract(j, '/a/0'), json_extract_string(j, ['$.b', '$.c']) FROM (SELECT '{"a": [1, 2], "b": "text"}'::JSON AS j);
SELECT json_type('[1]'), json_type('{"a": 1.5}', '$.a'), json_array_length('[1, 2]'), json_keys('{"x": 1, "y": 2}'), json_valid('{'), json_structure('{"a": [1, "x"]}');
SELECT json_object('a', 1, 'b', NULL), json_array(1, 'x', NULL, [1]), to_json({'a': [1, 2]}), json_quote('it"s'), json_merge_patch('{"a": 1}', '{"b": 2}'), row_to_json({'k': 1}), array_to_json([1]);
SELECT json_contains('{"a": [1, 2]}', '1'), json_exists('{"a": null}', '$.a'), json_value('{"a": 1}', '$.a'), json_pretty('{"a":[1]}');
SELECT from_json('{"a": 1, "b": ["x"]}', '{"a": "INTEGER", "b": ["VARCHAR"]}'), json_transform('{"a": "1"}', '{"a": "DOUBLE"}'), from_json_strict('[1]', '["UTINYINT"]');
SELECT key, value, type, atom, id, parent, fullkey, path FROM json_each('{"a": [1, 2], "b": "x", "c": null}');
SELECT key, value, type, fullkey FROM json_tree('{"a": [1, {"b": 2}]}');
SELECT a.carrier, e.key, e.value FROM airlines a, json_each(to_json(a)) e ORDER BY ALL LIMIT 6;
SELECT json_group_object(origin, n), json_group_array(n), json_group_structure('{"x": 1}') FROM (SELECT origin, count(*) AS n FROM flights GROUP BY ALL ORDER BY ALL);
SELECT '{"a": 1}'::JSON::STRUCT(a BIGINT), '[1, 2]'::JSON::INTEGER[], '"x"'::JSON::VARCHAR, '5'::JSON::INTEGER, 'null'::JSON IS NULL, '{"k": 1}'::JSON::MAP(VARCHAR, INTEGER);
SELECT to_json(DATE '2013-01-01'), to_json(1.50), to_json('é'), to_json(NULL), to_json([NULL]), to_json(INTERVAL 1 DAY), to_json(MAP {'a': 1});
SELECT carrier, to_json(list(name)) FROM airlines GROUP BY carrier ORDER BY carrier LIMIT 3;
SELECT to_json(f)->>'tailnum' AS tail FROM (FROM flights ORDER BY time_hour, flight, carrier LIMIT 5) f;
