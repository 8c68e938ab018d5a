-- Strings and regular expressions
SELECT upper(name), lower(name), length(name), reverse(name), name[1:4], left(name, 3), right(name, -3) FROM airlines ORDER BY carrier;
SELECT 'a' || NULL, concat('a', NULL, 1), concat_ws('-', 'a', NULL, 'b'), repeat('ab', 3), lpad('7', 3, '0'), rpad('x', 3, '.'), trim('  x '), ltrim('xxa', 'x'), rtrim('a  ');
SELECT substring('hello', 2, 3), substr('hello', -3), substring('hello' FROM 2 FOR 2), position('l' IN 'hello'), strpos('hello', 'z'), instr('hello', 'l');
SELECT replace('banana', 'an', 'o'), translate('hello', 'el', 'ip'), split_part('a-b-c', '-', 2), split_part('a', '-', 3), string_split('x y', ' ')[2], ascii('A'), chr(955), unicode('λ'), ord('x');
SELECT starts_with('abc', 'ab'), 'abc' ^@ 'b', ends_with('abc', 'bc'), contains('abc', 'b'), prefix('abc', 'a'), suffix('abc', 'c');
SELECT 'abc' LIKE 'a%', 'a_c' LIKE 'a\_c' ESCAPE '\', 'ABC' ILIKE 'a_c', 'abc' NOT LIKE '%d', 'abc' GLOB 'a[a-c]?', 'abc' SIMILAR TO '[a-c]+', 'abc' NOT SIMILAR TO 'z', 'abc' !~~ 'x';
SELECT name FROM airports WHERE name LIKE '%International%' AND name NOT ILIKE '%airport' ORDER BY name;
SELECT faa, name FROM airports WHERE regexp_matches(name, '^(North|South)\b.*\d?') ORDER BY faa;
SELECT regexp_extract('2013-04-05', '(\d+)-(\d+)', 2), regexp_extract('a1b2', '[a-z]\d', 0), regexp_extract('x', 'y'), regexp_extract('2013-04', '(\d+)-(\d+)', ['y', 'm']);
SELECT regexp_extract_all('a1b22', '\d+'), regexp_replace('aaa', 'a', 'b'), regexp_replace('aAa', 'a', 'b', 'gi'), regexp_replace('ab', '(a)(b)', '\2\1'), regexp_full_match('abc', 'a.c'), regexp_split_to_array('a,b;c', '[,;]'), regexp_escape('a.b');
SELECT 'abc' ~ 'a.c', 'abc' !~ 'x', 'a
b' ~ 'a.b', regexp_matches('a
b', 'a.b', 's'), regexp_matches('ABC', 'abc', 'i');
SELECT count(*) FROM planes WHERE tailnum ~ '^N\d{3}[A-Z]{2}$';
SELECT regexp_extract(tailnum, '[A-Z]+$') AS ending, count(*) AS n FROM planes GROUP BY ending ORDER BY n DESC, ending LIMIT 10;
SELECT length('🦆é'), strlen('🦆é'), bit_length('é'), octet_length(encode('é')), length_grapheme('👩‍👩‍👧'), left_grapheme('👩‍👩‍👧x', 1), '日本語'[2], reverse('é🦆'), upper('straße'), lower('ÀÉ'), substring('日本語', 2);
SELECT strip_accents('Crème brûlée'), nfc_normalize('e' || chr(769)) = 'é', 'é' < 'f', 'Z' < 'a', 'a' = 'A' COLLATE NOCASE, 'é' = 'e' COLLATE NOACCENT, 'ö' < 'p' COLLATE de;
SELECT w FROM (VALUES ('b'), ('A'), ('a'), ('B'), ('á'), (NULL)) t(w) ORDER BY w COLLATE NOCASE.NOACCENT NULLS FIRST, w;
SELECT w FROM (VALUES ('zebra'), ('Äpfel'), ('apfel'), ('Öl'), ('ol')) t(w) ORDER BY w COLLATE de, w;
SELECT levenshtein('kitten', 'sitting'), damerau_levenshtein('ab', 'ba'), hamming('abc', 'abd'), jaccard('abc', 'bcd'), jaro_similarity('martha', 'marhta'), jaro_winkler_similarity('dwayne', 'duane'), editdist3('a', 'b');
SELECT a.name, b.name FROM airlines a, airlines b WHERE a.carrier < b.carrier ORDER BY levenshtein(a.name, b.name), a.name, b.name LIMIT 5;
SELECT md5('a'), sha1('a'), sha256('a'), hash('a') = hash('a'), md5_number('a')::VARCHAR, to_base64('hello'::BLOB), from_base64('aGVsbG8='), hex('abc'), unhex('616263'), encode('é'), decode('\xC3\xA9'::BLOB);
SELECT format('{} is {:.2f} and {:05d}', 'x', 1.5, 42), printf('%s %d %5.1f|%-4s|', 'a', 7, 2.25, 'b'), format('{1} {0}', 'a', 'b'), format('{:,}', 1234567), format_bytes(123456);
SELECT to_hex(255), bin(10), to_binary(5), to_base(35, 36), from_binary('101'), bar(5, 0, 10, 10), url_encode('a b&c'), url_decode('a%20b'), parse_filename('/a/b.c'), parse_dirname('/a/b/c'), parse_path('/a/b');
SELECT ('text').upper().substring(1, 2), ('a b').string_split(' ').len(), (5).add(1);
SELECT name.lower().replace(' ', '_') AS slug FROM airlines ORDER BY slug;
SELECT mismatches('abc', 'axc'), like_escape('a%c', 'a$%c', '$'), ('x').repeat(2), concat('a', 1, true, NULL, DATE '2013-01-01'), '%' LIKE '\%' ESCAPE '\';
