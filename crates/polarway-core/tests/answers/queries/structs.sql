-- Structs, maps and unions
SELECT {'a': 1, 'b': {'c': [2]}}.b.c[1], ({'a': 1}).a, {'a': 1}['a'], struct_extract({'a': 5}, 'a'), struct_extract_at(row(7, 8), 2);
SELECT s.a, s.b.c, s.* FROM (SELECT {'a': 1, 'b': {'c': 'deep'}} AS s);
SELECT struct_insert({'a': 1}, b := 2), struct_update({'a': 1}, a := 'x'), struct_concat({'a': 1}, {'b': 2}), struct_keys({'k': 1}), struct_values({'k': 1, 'l': 'v'});
SELECT row(1, 'x'), (1, 2) = (1, 2), (1, NULL) < (2, NULL), {'a': 1} = {'a': 1}, {'a': NULL} IS NULL, (1, 2) BETWEEN (1, 1) AND (1, 3);
SELECT {'a': 1}::STRUCT(a VARCHAR), '{"x": 1}'::STRUCT(x INTEGER), {'a': 1, 'b': 2}::STRUCT(b INTEGER, a INTEGER), row(1, 2)::STRUCT(x INTEGER, y VARCHAR);
SELECT airlines FROM airlines ORDER BY carrier LIMIT 4;
SELECT to_json(airlines), airlines.name FROM airlines ORDER BY carrier LIMIT 4;
SELECT max(s) FROM (SELECT {'n': count(*), 'dest': dest} AS s FROM flights GROUP BY dest);
SELECT struct_contains(row(1, 2), 2), struct_position(row('a', 'b'), 'b');
SELECT MAP {'a': 1, 'b': 2}['b'], MAP {'a': 1}['z'], map_extract(MAP {'a': 1}, 'a'), element_at(MAP {1: 'x'}, 1), map_contains(MAP {'k': 0}, 'k');
SELECT map_keys(m), map_values(m), map_entries(m), cardinality(m) FROM (SELECT MAP {'x': [1, 2], 'y': NULL} AS m);
SELECT map_from_entries([('a', 1), ('b', 2)]), map_concat(MAP {'a': 1}, MAP {'a': 2, 'b': 3}), map([1, 2], ['a', 'b']), map_extract_value(MAP {'a': 1}, 'a');
SELECT m.key, m.value FROM (SELECT unnest(map_entries(histogram(origin))) AS m FROM flights) ORDER BY ALL;
SELECT map_contains_value(MAP {'k': 1}, 1), map_contains_entry(MAP {'k': 1}, 'k', 2), MAP {'a': 1} = MAP {'a': 1}, MAP {'a': {'b': 1}}['a'].b;
SELECT u, union_tag(u), union_extract(u, 'i'), u.s FROM (VALUES (union_value(i := 1)::UNION(i INTEGER, s VARCHAR)), ('x'::UNION(i INTEGER, s VARCHAR))) t(u);
SELECT n, s.origin FROM (SELECT {'origin': origin, 'carrier': carrier} AS s, count(*) AS n FROM flights GROUP BY s) WHERE s.carrier = 'DL' ORDER BY ALL;
SELECT array_agg({'code': carrier, 'name': name} ORDER BY carrier)[2:3] FROM airlines;
SELECT list_transform(list(s ORDER BY s.n DESC)[:3], lambda e: e.d || ':' || e.n) FROM (SELECT {'d': dest, 'n': n} AS s FROM (SELECT dest, count(*) AS n FROM flights GROUP BY dest));
