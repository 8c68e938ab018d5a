package rows

import (
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Interface returns a value as the type of Go that holds it exactly: bool, int64, uint64, float64, string, []byte, time.Time,
// time.Duration, []any for lists, map[string]any for structs, []Entry for maps, and nil for NULL. Decimals, times of day and
// intervals are texts.
func Interface(column arrow.Array, row int) (any, error) {
	if isNull(column, row) {
		return nil, nil
	}
	switch column := column.(type) {
	case *array.Boolean:
		return column.Value(row), nil
	case *array.Int8:
		return int64(column.Value(row)), nil
	case *array.Int16:
		return int64(column.Value(row)), nil
	case *array.Int32:
		return int64(column.Value(row)), nil
	case *array.Int64:
		return column.Value(row), nil
	case *array.Uint8:
		return uint64(column.Value(row)), nil
	case *array.Uint16:
		return uint64(column.Value(row)), nil
	case *array.Uint32:
		return uint64(column.Value(row)), nil
	case *array.Uint64:
		return column.Value(row), nil
	case *array.Float16:
		return float64(column.Value(row).Float32()), nil
	case *array.Float32:
		return float64(column.Value(row)), nil
	case *array.Float64:
		return column.Value(row), nil
	case array.StringLike:
		// The text outlives the column.
		return string([]byte(column.Value(row))), nil
	case interface{ Value(int) []byte }:
		return append([]byte{}, column.Value(row)...), nil
	case *array.Date32:
		return column.Value(row).ToTime(), nil
	case *array.Date64:
		return column.Value(row).ToTime(), nil
	case *array.Timestamp:
		return timeOf(column.Value(row), column.DataType().(*arrow.TimestampType)), nil
	case *array.Duration:
		return durationOf(column.Value(row), column.DataType().(*arrow.DurationType).Unit)
	case *array.Decimal32:
		return column.Value(row).ToString(scaleOf(column)), nil
	case *array.Decimal64:
		return column.Value(row).ToString(scaleOf(column)), nil
	case *array.Decimal128:
		return column.Value(row).ToString(scaleOf(column)), nil
	case *array.Decimal256:
		return column.Value(row).ToString(scaleOf(column)), nil
	case *array.Time32, *array.Time64, *array.MonthInterval, *array.DayTimeInterval, *array.MonthDayNanoInterval:
		return column.ValueStr(row), nil
	case *array.Dictionary:
		return Interface(column.Dictionary(), column.GetValueIndex(row))
	case *array.RunEndEncoded:
		return Interface(column.Values(), column.GetPhysicalIndex(row))
	case array.ExtensionArray:
		return Interface(column.Storage(), row)
	default:
		return nested(column, row)
	}
}

// Names returns the names of the columns.
func Names(schema *arrow.Schema) []string {
	names := make([]string, schema.NumFields())
	for index := range names {
		names[index] = schema.Field(index).Name
	}
	return names
}

// isNull tells whether a value is NULL. A column of type null has no bitmap that says so.
func isNull(column arrow.Array, row int) bool {
	return column.DataType().ID() == arrow.NULL || column.IsNull(row)
}

// Entry is an entry of a map, whose keys need not be texts.
type Entry struct{ Key, Value any }

func nested(column arrow.Array, row int) (any, error) {
	switch column := column.(type) {
	case *array.Map:
		start, end := column.ValueOffsets(row)
		entries := make([]Entry, 0, end-start)
		for index := int(start); index < int(end); index++ {
			key, err := Interface(column.Keys(), index)
			if err != nil {
				return nil, err
			}
			value, err := Interface(column.Items(), index)
			if err != nil {
				return nil, err
			}
			entries = append(entries, Entry{key, value})
		}
		return entries, nil
	case array.ListLike:
		start, end := column.ValueOffsets(row)
		items := make([]any, 0, end-start)
		for index := int(start); index < int(end); index++ {
			item, err := Interface(column.ListValues(), index)
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		return items, nil
	case *array.Struct:
		fields := column.DataType().(*arrow.StructType).Fields()
		values := make(map[string]any, len(fields))
		for index, field := range fields {
			value, err := Interface(column.Field(index), row)
			if err != nil {
				return nil, err
			}
			values[field.Name] = value
		}
		return values, nil
	default:
		return nil, fmt.Errorf("values of type %s have no type in Go", column.DataType())
	}
}

func scaleOf(column arrow.Array) int32 { return column.DataType().(arrow.DecimalType).GetScale() }

func timeOf(value arrow.Timestamp, typ *arrow.TimestampType) time.Time {
	made := time.Time{}
	switch typ.Unit {
	case arrow.Second:
		made = time.Unix(int64(value), 0)
	case arrow.Millisecond:
		made = time.UnixMilli(int64(value))
	case arrow.Microsecond:
		made = time.UnixMicro(int64(value))
	default:
		made = time.Unix(0, int64(value))
	}
	// A time zone that this machine does not know changes nothing but how the time is shown.
	if zone, err := typ.GetZone(); err == nil && zone != nil {
		return made.In(zone)
	}
	return made.UTC()
}

func durationOf(value arrow.Duration, unit arrow.TimeUnit) (any, error) {
	factor := int64(unit.Multiplier())
	made := int64(value) * factor
	if made/factor != int64(value) {
		return nil, fmt.Errorf("%d %s are more than a time.Duration can be", value, unit)
	}
	return time.Duration(made), nil
}
