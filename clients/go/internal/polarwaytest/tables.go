package polarwaytest

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/polarway/polarway/clients/go/internal/rows"
)

// TableSpec is a table as proto/cases/README.md describes it.
type TableSpec struct {
	Columns   []ColumnSpec `json:"columns"`
	Generated *struct {
		Rows    int `json:"rows"`
		Columns int `json:"columns"`
	} `json:"generated"`
}

// ColumnSpec is a column of a table.
type ColumnSpec struct {
	Name     string `json:"name"`
	Type     any    `json:"type"`
	Nullable *bool  `json:"nullable"`
	Values   []any  `json:"values"`
}

// Build makes the table that is described. It is released at the end of the test.
func (s *TableSpec) Build(t testing.TB) arrow.RecordBatch {
	t.Helper()
	var fields []arrow.Field
	var columns []arrow.Array
	count := 0
	if s.Generated != nil {
		count = s.Generated.Rows
		for column := range s.Generated.Columns {
			values := make([]int64, count)
			for row := range values {
				values[row] = (int64(row)*2_654_435_761 + int64(column)*40_503) % 4_294_967_296
			}
			builder := array.NewInt64Builder(memory.DefaultAllocator)
			builder.AppendValues(values, nil)
			fields = append(fields, arrow.Field{Name: "c" + strconv.Itoa(column), Type: arrow.PrimitiveTypes.Int64})
			columns = append(columns, builder.NewArray())
			builder.Release()
		}
	}
	for _, column := range s.Columns {
		typ, err := TypeOf(column.Type)
		if err != nil {
			t.Fatal(err)
		}
		made, err := arrayOf(typ, column.Values)
		if err != nil {
			t.Fatalf("column %q: %v", column.Name, err)
		}
		count = made.Len()
		fields = append(fields, arrow.Field{Name: column.Name, Type: typ, Nullable: column.Nullable == nil || *column.Nullable})
		columns = append(columns, made)
	}
	batch := array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, int64(count))
	for _, column := range columns {
		column.Release()
	}
	t.Cleanup(batch.Release)
	return batch
}

var plainTypes = map[string]arrow.DataType{
	"bool":         arrow.FixedWidthTypes.Boolean,
	"int8":         arrow.PrimitiveTypes.Int8,
	"int16":        arrow.PrimitiveTypes.Int16,
	"int32":        arrow.PrimitiveTypes.Int32,
	"int64":        arrow.PrimitiveTypes.Int64,
	"uint8":        arrow.PrimitiveTypes.Uint8,
	"uint16":       arrow.PrimitiveTypes.Uint16,
	"uint32":       arrow.PrimitiveTypes.Uint32,
	"uint64":       arrow.PrimitiveTypes.Uint64,
	"float32":      arrow.PrimitiveTypes.Float32,
	"float64":      arrow.PrimitiveTypes.Float64,
	"utf8":         arrow.BinaryTypes.String,
	"large_utf8":   arrow.BinaryTypes.LargeString,
	"utf8_view":    arrow.BinaryTypes.StringView,
	"binary":       arrow.BinaryTypes.Binary,
	"large_binary": arrow.BinaryTypes.LargeBinary,
	"date32":       arrow.FixedWidthTypes.Date32,
}

var detailed = regexp.MustCompile(`^(\w+?)[(\[](.*)[)\]]$`)

var timeUnits = map[string]arrow.TimeUnit{"s": arrow.Second, "ms": arrow.Millisecond, "us": arrow.Microsecond, "ns": arrow.Nanosecond}

// TypeOf is the type of this name or description.
func TypeOf(spec any) (arrow.DataType, error) {
	switch spec := spec.(type) {
	case string:
		return namedType(spec)
	case map[string]any:
		for kind, of := range spec {
			return nestedType(kind, of)
		}
	}
	return nil, fmt.Errorf("%v is no type", spec)
}

func namedType(name string) (arrow.DataType, error) {
	if plain, isPlain := plainTypes[name]; isPlain {
		return plain, nil
	}
	found := detailed.FindStringSubmatch(name)
	if found == nil {
		return nil, fmt.Errorf("%s is no type", name)
	}
	details := strings.Split(found[2], ", ")
	numbers := make([]int32, len(details))
	for index, one := range details {
		number, _ := strconv.Atoi(one)
		numbers[index] = int32(number)
	}
	switch found[1] {
	case "decimal128":
		return &arrow.Decimal128Type{Precision: numbers[0], Scale: numbers[1]}, nil
	case "decimal256":
		return &arrow.Decimal256Type{Precision: numbers[0], Scale: numbers[1]}, nil
	case "fixed_size_binary":
		return &arrow.FixedSizeBinaryType{ByteWidth: int(numbers[0])}, nil
	case "time32":
		return &arrow.Time32Type{Unit: timeUnits[details[0]]}, nil
	case "time64":
		return &arrow.Time64Type{Unit: timeUnits[details[0]]}, nil
	case "duration":
		return &arrow.DurationType{Unit: timeUnits[details[0]]}, nil
	case "timestamp":
		zone := ""
		if len(details) > 1 {
			zone = details[1]
		}
		return &arrow.TimestampType{Unit: timeUnits[details[0]], TimeZone: zone}, nil
	}
	return nil, fmt.Errorf("%s is no type", name)
}

func nestedType(kind string, of any) (arrow.DataType, error) {
	details, _ := of.(map[string]any)
	switch kind {
	case "list":
		item, err := TypeOf(of)
		if err != nil {
			return nil, err
		}
		return arrow.ListOf(item), nil
	case "fixed_size_list":
		item, err := TypeOf(details["items"])
		if err != nil {
			return nil, err
		}
		return arrow.FixedSizeListOf(int32(asInt(details["size"])), item), nil
	case "struct":
		var fields []arrow.Field
		for _, one := range of.([]any) {
			field := one.(map[string]any)
			typ, err := TypeOf(field["type"])
			if err != nil {
				return nil, err
			}
			fields = append(fields, arrow.Field{Name: field["name"].(string), Type: typ, Nullable: true})
		}
		return arrow.StructOf(fields...), nil
	}
	keys, err := TypeOf(details["keys"])
	if err != nil {
		return nil, err
	}
	values, err := TypeOf(details["values"])
	if err != nil {
		return nil, err
	}
	switch kind {
	case "map":
		return arrow.MapOf(keys, values), nil
	case "dictionary":
		return &arrow.DictionaryType{IndexType: keys, ValueType: values}, nil
	}
	return nil, fmt.Errorf("%s is no type", kind)
}

func asInt(value any) int64 {
	text := fmt.Sprint(value)
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return number
}

func arrayOf(typ arrow.DataType, values []any) (arrow.Array, error) {
	builder := array.NewBuilder(memory.DefaultAllocator, typ)
	defer builder.Release()
	for _, value := range values {
		if err := add(builder, value); err != nil {
			return nil, fmt.Errorf("%v: %w", value, err)
		}
	}
	return builder.NewArray(), nil
}

func add(builder array.Builder, value any) error {
	if value == nil {
		builder.AppendNull()
		return nil
	}
	switch builder := builder.(type) {
	case *array.ListBuilder:
		builder.Append(true)
		return addAll(builder.ValueBuilder(), value.([]any))
	case *array.FixedSizeListBuilder:
		builder.Append(true)
		return addAll(builder.ValueBuilder(), value.([]any))
	case *array.MapBuilder:
		builder.Append(true)
		for _, entry := range value.([]any) {
			pair := entry.([]any)
			if err := add(builder.KeyBuilder(), pair[0]); err != nil {
				return err
			}
			if err := add(builder.ItemBuilder(), pair[1]); err != nil {
				return err
			}
		}
		return nil
	case *array.StructBuilder:
		builder.Append(true)
		for index, field := range builder.Type().(*arrow.StructType).Fields() {
			if err := add(builder.FieldBuilder(index), value.(map[string]any)[field.Name]); err != nil {
				return err
			}
		}
		return nil
	case *array.BinaryBuilder:
		if builder.Type().ID() == arrow.BINARY || builder.Type().ID() == arrow.LARGE_BINARY {
			content, err := hex.DecodeString(value.(string))
			builder.Append(content)
			return err
		}
	case *array.FixedSizeBinaryBuilder:
		content, err := hex.DecodeString(value.(string))
		builder.Append(content)
		return err
	case *array.DurationBuilder:
		builder.Append(arrow.Duration(asInt(value)))
		return nil
	case *array.TimestampBuilder:
		moment, err := time.Parse("2006-01-02T15:04:05.999999999", strings.TrimSuffix(value.(string), "Z"))
		if err != nil {
			return err
		}
		number, err := arrow.TimestampFromTime(moment, builder.Type().(*arrow.TimestampType).Unit)
		builder.Append(number)
		return err
	}
	switch value := value.(type) {
	case bool:
		builder.(*array.BooleanBuilder).Append(value)
		return nil
	case json.Number:
		return builder.AppendValueFromString(value.String())
	default:
		return builder.AppendValueFromString(fmt.Sprint(value))
	}
}

func addAll(builder array.Builder, values []any) error {
	for _, value := range values {
		if err := add(builder, value); err != nil {
			return err
		}
	}
	return nil
}

// Difference tells how a table is not as expected, however it is cut into batches; "" if it is. Every column of a query may
// have nulls.
func Difference(want arrow.RecordBatch, got arrow.Table, isQuery bool) string {
	if got.NumCols() != want.NumCols() || got.NumRows() != want.NumRows() {
		return fmt.Sprintf("%d columns of %d rows, and not %d of %d", got.NumCols(), got.NumRows(), want.NumCols(), want.NumRows())
	}
	for index, field := range want.Schema().Fields() {
		other := got.Schema().Field(index)
		isSame := field.Name == other.Name && arrow.TypeEqual(field.Type, other.Type)
		if !isSame || (!isQuery && field.Nullable != other.Nullable) {
			return fmt.Sprintf("the column %v, and not %v", other, field)
		}
		row := 0
		for _, chunk := range got.Column(index).Data().Chunks() {
			end := row + chunk.Len()
			if difference := differenceOfColumns(want.Column(index), chunk, row); difference != "" {
				return fmt.Sprintf("column %q, %s", field.Name, difference)
			}
			row = end
		}
	}
	return ""
}

// differenceOfColumns compares the rows of a chunk with those of a column from a row on.
func differenceOfColumns(want, chunk arrow.Array, first int) string {
	expected := array.NewSlice(want, int64(first), int64(first+chunk.Len()))
	defer expected.Release()
	if _, isFixed := chunk.DataType().(arrow.FixedWidthDataType); isFixed && !arrow.IsFloating(chunk.DataType().ID()) && array.Equal(expected, chunk) {
		return ""
	}
	for row := range chunk.Len() {
		left, err := rows.Interface(expected, row)
		if err != nil {
			return err.Error()
		}
		right, err := rows.Interface(chunk, row)
		if err != nil {
			return err.Error()
		}
		if !same(left, right) {
			return fmt.Sprintf("row %d: %v, and not %v", first+row, right, left)
		}
	}
	return ""
}

// same compares to the last bit: NaN is NaN, and -0 is not 0.
func same(left, right any) bool {
	if number, isFloat := left.(float64); isFloat {
		other, isFloat := right.(float64)
		return isFloat && (math.Float64bits(number) == math.Float64bits(other) || math.IsNaN(number) && math.IsNaN(other))
	}
	if moment, isTime := left.(time.Time); isTime {
		other, isTime := right.(time.Time)
		return isTime && moment.Equal(other)
	}
	if list, isList := left.([]any); isList {
		other, isList := right.([]any)
		if !isList || len(list) != len(other) {
			return false
		}
		for index := range list {
			if !same(list[index], other[index]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(left, right)
}
