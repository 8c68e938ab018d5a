package rows

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Encode makes a batch of structs, or of pointers to structs. The batch is the caller's.
func Encode(allocator memory.Allocator, structs reflect.Value) (arrow.RecordBatch, error) {
	element := structs.Type().Elem()
	isPointer := element.Kind() == reflect.Pointer
	if isPointer {
		element = element.Elem()
	}
	columns, err := columnsOf(element, nil)
	if err != nil {
		return nil, err
	}
	fields, err := fieldsOf(element)
	if err != nil {
		return nil, err
	}
	builder := array.NewRecordBuilder(allocator, arrow.NewSchema(columns, nil))
	defer builder.Release()
	builder.Reserve(structs.Len())
	for row := range structs.Len() {
		value := structs.Index(row)
		if isPointer {
			if value.IsNil() {
				return nil, fmt.Errorf("row %d is nil", row)
			}
			value = value.Elem()
		}
		for index, one := range fields {
			if err := add(builder.Field(index), value.FieldByIndex(one.index)); err != nil {
				return nil, fmt.Errorf("row %d, column %q: %w", row, one.name, err)
			}
		}
	}
	return builder.NewRecordBatch(), nil
}

// Value makes an array of one value. The array is the caller's.
func Value(allocator memory.Allocator, value any) (arrow.Array, error) {
	if value == nil {
		return array.NewNull(1), nil
	}
	typ, _, err := typeOf(reflect.TypeOf(value), arrow.Nanosecond, nil)
	if err != nil {
		return nil, err
	}
	builder := array.NewBuilder(allocator, typ)
	defer builder.Release()
	if err := add(builder, reflect.ValueOf(value)); err != nil {
		return nil, err
	}
	return builder.NewArray(), nil
}

// add adds a value to the builder of its type.
func add(builder array.Builder, value reflect.Value) error {
	if value.Kind() == reflect.Pointer {
		if value.IsNil() {
			builder.AppendNull()
			return nil
		}
		return add(builder, value.Elem())
	}
	switch builder := builder.(type) {
	case *array.BooleanBuilder:
		builder.Append(value.Bool())
	case *array.Int8Builder:
		builder.Append(int8(value.Int()))
	case *array.Int16Builder:
		builder.Append(int16(value.Int()))
	case *array.Int32Builder:
		builder.Append(int32(value.Int()))
	case *array.Int64Builder:
		builder.Append(value.Int())
	case *array.Uint8Builder:
		builder.Append(uint8(value.Uint()))
	case *array.Uint16Builder:
		builder.Append(uint16(value.Uint()))
	case *array.Uint32Builder:
		builder.Append(uint32(value.Uint()))
	case *array.Uint64Builder:
		builder.Append(value.Uint())
	case *array.Float32Builder:
		builder.Append(float32(value.Float()))
	case *array.Float64Builder:
		builder.Append(value.Float())
	case *array.StringBuilder:
		if !utf8.ValidString(value.String()) {
			return fmt.Errorf("%q is not valid UTF-8: a []byte holds any bytes", shown(value.String()))
		}
		builder.Append(value.String())
	case *array.BinaryBuilder:
		if value.IsNil() {
			builder.AppendNull()
			return nil
		}
		builder.Append(value.Bytes())
	case *array.FixedSizeBinaryBuilder:
		content := make([]byte, value.Len())
		reflect.Copy(reflect.ValueOf(content), value)
		builder.Append(content)
	case *array.TimestampBuilder:
		number, err := timestamp(value.Interface().(time.Time), builder.Type().(*arrow.TimestampType).Unit)
		if err != nil {
			return err
		}
		builder.Append(number)
	case *array.DurationBuilder:
		builder.Append(arrow.Duration(value.Int() / int64(builder.Type().(*arrow.DurationType).Unit.Multiplier())))
	case *array.MapBuilder:
		return addMap(builder, value)
	case *array.FixedSizeListBuilder:
		builder.Append(true)
		return addItems(builder.ValueBuilder(), value)
	case *array.ListBuilder:
		if value.IsNil() {
			builder.AppendNull()
			return nil
		}
		builder.Append(true)
		return addItems(builder.ValueBuilder(), value)
	case *array.StructBuilder:
		return addStruct(builder, value)
	default:
		return fmt.Errorf("%s is no type for a column", value.Type())
	}
	return nil
}

func addItems(builder array.Builder, list reflect.Value) error {
	for index := range list.Len() {
		if err := add(builder, list.Index(index)); err != nil {
			return err
		}
	}
	return nil
}

// addMap adds the entries in the order of their keys, so that equal maps are equal columns.
func addMap(builder *array.MapBuilder, value reflect.Value) error {
	if value.IsNil() {
		builder.AppendNull()
		return nil
	}
	builder.Append(true)
	keys := value.MapKeys()
	slices.SortFunc(keys, compareKeys)
	for _, key := range keys {
		if err := add(builder.KeyBuilder(), key); err != nil {
			return err
		}
		if err := add(builder.ItemBuilder(), value.MapIndex(key)); err != nil {
			return err
		}
	}
	return nil
}

func compareKeys(a, b reflect.Value) int {
	switch {
	case a.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	case a.CanUint():
		return cmp.Compare(a.Uint(), b.Uint())
	case a.Kind() == reflect.String:
		return strings.Compare(a.String(), b.String())
	default:
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	}
}

func addStruct(builder *array.StructBuilder, value reflect.Value) error {
	fields, err := fieldsOf(value.Type())
	if err != nil {
		return err
	}
	builder.Append(true)
	for index, one := range fields {
		if err := add(builder.FieldBuilder(index), value.FieldByIndex(one.index)); err != nil {
			return fmt.Errorf("%q: %w", one.name, err)
		}
	}
	return nil
}

// timestamp is a time in units since 1970. A fraction of a unit that the tag names is cut off.
func timestamp(value time.Time, unit arrow.TimeUnit) (arrow.Timestamp, error) {
	switch unit {
	case arrow.Second:
		return arrow.Timestamp(value.Unix()), nil
	case arrow.Millisecond:
		return arrow.Timestamp(value.UnixMilli()), nil
	case arrow.Microsecond:
		return arrow.Timestamp(value.UnixMicro()), nil
	}
	number := value.UnixNano()
	if !time.Unix(0, number).Equal(value) {
		return 0, fmt.Errorf("%s is out of the range of nanoseconds, which is from 1677 to 2262: "+
			"name a unit in the field's tag, such as `polarway:\",us\"`, or use a pointer for times that are not known", value.Format(time.RFC3339Nano))
	}
	return arrow.Timestamp(number), nil
}

// shown is a text for a message, cut if it is long.
func shown(text string) string {
	const most = 100
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
