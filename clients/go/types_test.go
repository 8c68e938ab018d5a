package polarway_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

// What comes of each type that is stored and loaded, for the page about types.
const typesFile = "types.json"

// columnsOfAllTypes are columns by the names of their types, as the scenarios name them.
func columnsOfAllTypes(t *testing.T) map[string]arrow.Array {
	t.Helper()
	found := map[string]arrow.Array{}
	files := scenarioFiles(t)
	for _, name := range []string{"types", "shapes"} {
		for _, scenario := range files[name].Scenarios {
			for _, table := range scenario.Tables {
				if len(table.Columns) == 0 {
					continue
				}
				batch := table.Build(t)
				for index, column := range table.Columns {
					found[nameOfType(t, column.Type)] = batch.Column(index)
				}
			}
		}
	}
	for name, column := range otherColumns() {
		t.Cleanup(column.Release)
		found[name] = column
	}
	return found
}

func nameOfType(t *testing.T, spec any) string {
	t.Helper()
	if name, isName := spec.(string); isName {
		return name
	}
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(ordered(spec)); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(content.String())
}

// ordered has the keys of objects in the order in which the files have them, and not in that of the alphabet.
func ordered(spec any) any {
	switch spec := spec.(type) {
	case []any:
		var all []any
		for _, one := range spec {
			all = append(all, ordered(one))
		}
		return all
	case map[string]any:
		var parts []string
		for _, key := range []string{"list", "fixed_size_list", "struct", "map", "dictionary", "items", "size", "name", "type", "keys", "values"} {
			if value, isThere := spec[key]; isThere {
				content, _ := json.Marshal(ordered(value))
				parts = append(parts, fmt.Sprintf("%q:%s", key, content))
			}
		}
		return json.RawMessage("{" + strings.Join(parts, ",") + "}")
	default:
		return spec
	}
}

// built is an array of these texts and a NULL.
func built(typ arrow.DataType, texts ...string) arrow.Array {
	builder := array.NewBuilder(memory.DefaultAllocator, typ)
	defer builder.Release()
	for _, text := range texts {
		if err := builder.AppendValueFromString(text); err != nil {
			panic(err)
		}
	}
	builder.AppendNull()
	return builder.NewArray()
}

func otherColumns() map[string]arrow.Array {
	zone := func(unit arrow.TimeUnit, name string) arrow.DataType {
		return &arrow.TimestampType{Unit: unit, TimeZone: name}
	}
	int32s := arrow.PrimitiveTypes.Int32
	columns := map[string]arrow.Array{
		"null":                         array.NewNull(2),
		"decimal32(9, 2)":              built(&arrow.Decimal32Type{Precision: 9, Scale: 2}, "1234567.89"),
		"decimal64(18, 2)":             built(&arrow.Decimal64Type{Precision: 18, Scale: 2}, "1234567.89"),
		"decimal128(9, -2)":            built(&arrow.Decimal128Type{Precision: 9, Scale: -2}),
		"binary_view":                  built(arrow.BinaryTypes.BinaryView, "AP8="),
		"fixed_size_binary(0)":         built(&arrow.FixedSizeBinaryType{ByteWidth: 0}),
		"date64":                       built(arrow.FixedWidthTypes.Date64, "2024-02-29"),
		"time32[ms]":                   built(arrow.FixedWidthTypes.Time32ms, "23:59:59.999"),
		"time64[ns]":                   built(arrow.FixedWidthTypes.Time64ns, "23:59:59.999999999"),
		"timestamp[ms]":                built(zone(arrow.Millisecond, ""), "2024-02-29T12:00:00"),
		"timestamp[ns, Europe/Berlin]": built(zone(arrow.Nanosecond, "Europe/Berlin"), "2024-02-29T12:00:00Z"),
		"timestamp[us, +05:30]":        built(zone(arrow.Microsecond, "+05:30"), "2024-02-29T12:00:00Z"),
		"duration[s]":                  built(arrow.FixedWidthTypes.Duration_s, "1s"),
		"duration[us]":                 built(arrow.FixedWidthTypes.Duration_us, "1us"),
		"duration[ns]":                 built(arrow.FixedWidthTypes.Duration_ns, "1ns"),
		"interval[month_day_nano]":     built(arrow.FixedWidthTypes.MonthDayNanoInterval),
		`{"large_list":"int32"}`:       built(arrow.LargeListOf(int32s), "[1,null]", "[]"),
		`{"list_view":"int32"}`:        built(arrow.ListViewOf(int32s), "[1,null]", "[]"),
		`{"large_list_view":"int32"}`:  built(arrow.LargeListViewOf(int32s), "[1,null]", "[]"),
		`{"struct":[]}`:                built(arrow.StructOf()),
		`{"dictionary":{"keys":"int8","values":"bool"}}`:           dictionaryOf(arrow.PrimitiveTypes.Int8, arrow.FixedWidthTypes.Boolean, "true"),
		`{"dictionary":{"keys":"int64","values":"int32"}}`:         dictionaryOf(arrow.PrimitiveTypes.Int64, int32s, "7"),
		`{"dictionary":{"keys":"uint8","values":"large_utf8"}}`:    dictionaryOf(arrow.PrimitiveTypes.Uint8, arrow.BinaryTypes.LargeString, "a"),
		`{"run_end_encoded":{"run_ends":"int32","values":"utf8"}}`: runEnds(),
	}
	halves := array.NewFloat16Builder(memory.DefaultAllocator)
	defer halves.Release()
	halves.Append(float16.New(1.5))
	halves.AppendNull()
	columns["float16"] = halves.NewArray()
	members := []arrow.Field{{Name: "0", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "1", Type: arrow.BinaryTypes.String, Nullable: true}}
	names := `[{"name":"0","type":"int64"},{"name":"1","type":"utf8"}]`
	columns[`{"dense_union":`+names+`}`] = built(arrow.DenseUnionOf(members, []arrow.UnionTypeCode{0, 1}))
	columns[`{"sparse_union":`+names+`}`] = built(arrow.SparseUnionOf(members, []arrow.UnionTypeCode{0, 1}))
	return columns
}

// dictionaryOf is a dictionary of one value, and a row that has it.
func dictionaryOf(keyType, valueType arrow.DataType, value string) arrow.Array {
	values := built(valueType, value)
	defer values.Release()
	one := array.NewSlice(values, 0, 1)
	defer one.Release()
	keys := built(keyType, "0")
	defer keys.Release()
	return array.NewDictionaryArray(&arrow.DictionaryType{IndexType: keyType, ValueType: valueType}, keys, one)
}

func runEnds() arrow.Array {
	builder := array.NewRunEndEncodedBuilder(memory.DefaultAllocator, arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String)
	defer builder.Release()
	for _, text := range []string{"a", "a", "b"} {
		if err := builder.AppendValueFromString(text); err != nil {
			panic(err)
		}
	}
	return builder.NewArray()
}

func TestWhatComesOfEachTypeIsAsThePageSays(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	client := client(t)
	outcomes := map[string]string{}
	for name, column := range columnsOfAllTypes(t) {
		schema := arrow.NewSchema([]arrow.Field{{Name: "c", Type: column.DataType(), Nullable: true}}, nil)
		batch := array.NewRecordBatch(schema, []arrow.Array{column}, int64(column.Len()))
		if _, err := client.Store(ctx, "types", batch); err != nil {
			outcomes[name] = "refused: " + strings.TrimPrefix(err.Error(), "polarway: ")
			batch.Release()
			continue
		}
		loaded, err := client.Load(ctx, "types")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		outcomes[name] = "same"
		if found := loaded.Schema().Field(0).Type; !arrow.TypeEqual(found, column.DataType()) {
			outcomes[name] = "as " + found.String()
		} else if difference := polarwaytest.Difference(batch, loaded, false); difference != "" {
			t.Errorf("%s: %s", name, difference)
		}
		loaded.Release()
		batch.Release()
	}
	var content bytes.Buffer
	content.WriteString("{\n  \"store_and_load\": {\n")
	for index, name := range slices.Sorted(maps.Keys(outcomes)) {
		if index > 0 {
			content.WriteString(",\n")
		}
		fmt.Fprintf(&content, "    %s: %s", asJSON(name), asJSON(outcomes[name]))
	}
	content.WriteString("\n  }\n}\n")
	if os.Getenv("UPDATE_DOCS") != "" {
		if err := os.WriteFile(typesFile, content.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(typesFile)
	if err != nil || !bytes.Equal(committed, content.Bytes()) {
		t.Errorf("%s is not what comes of the types: UPDATE_DOCS=1 writes it (%v)", typesFile, err)
	}
}

func asJSON(text string) string {
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(err)
	}
	return strings.TrimSpace(content.String())
}
