package sql

import (
	"database/sql/driver"
	"encoding/json"
	"io"
	"reflect"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/polarway/polarway/clients/go"
	"github.com/polarway/polarway/clients/go/internal/rows"
)

// What the server writes into the metadata of a column: its type in SQL.
const sqlType = "polarway.duckdb.type"

// result is the rows of a query, as they arrive.
type result struct {
	reader *polarway.QueryReader
	batch  arrow.RecordBatch
	row    int
}

var (
	_ driver.RowsColumnTypeDatabaseTypeName = (*result)(nil)
	_ driver.RowsColumnTypeNullable         = (*result)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*result)(nil)
	_ driver.RowsColumnTypeScanType         = (*result)(nil)
)

func newRows(reader *polarway.QueryReader) *result { return &result{reader: reader} }

func (r *result) Columns() []string { return rows.Names(r.reader.Schema()) }

// Close stops the query, if it runs.
func (r *result) Close() error {
	if r.reader != nil {
		r.reader.Release()
		r.reader = nil
	}
	return nil
}

func (r *result) Next(values []driver.Value) error {
	for r.batch == nil || r.row == int(r.batch.NumRows()) {
		if !r.reader.Next() {
			if err := r.reader.Err(); err != nil {
				return err
			}
			return io.EOF
		}
		r.batch, r.row = r.reader.RecordBatch(), 0
	}
	for index := range values {
		value, err := valueOf(r.batch.Column(index), r.row)
		if err != nil {
			return err
		}
		values[index] = value
	}
	r.row++
	return nil
}

// valueOf is a value as database/sql takes it.
func valueOf(column arrow.Array, row int) (driver.Value, error) {
	value, err := rows.Interface(column, row)
	if err != nil {
		return nil, err
	}
	switch value := value.(type) {
	case []any, map[string]any, []rows.Entry:
		content, err := json.Marshal(value)
		return string(content), err
	default:
		return value, nil
	}
}

func (r *result) field(index int) arrow.Field { return r.reader.Schema().Field(index) }

// ColumnTypeDatabaseTypeName returns the type in SQL, such as "BIGINT".
func (r *result) ColumnTypeDatabaseTypeName(index int) string {
	if name, isKnown := r.field(index).Metadata.GetValue(sqlType); isKnown {
		return name
	}
	return r.field(index).Type.String()
}

// ColumnTypeNullable tells that every column of a query may have NULLs.
func (r *result) ColumnTypeNullable(index int) (nullable, ok bool) {
	return r.field(index).Nullable, true
}

// ColumnTypePrecisionScale returns those of a decimal.
func (r *result) ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool) {
	if decimal, isDecimal := r.field(index).Type.(arrow.DecimalType); isDecimal {
		return int64(decimal.GetPrecision()), int64(decimal.GetScale()), true
	}
	return 0, 0, false
}

// ColumnTypeScanType returns the type of Go in which values come.
func (r *result) ColumnTypeScanType(index int) reflect.Type {
	switch typ := r.field(index).Type; {
	case typ.ID() == arrow.BOOL:
		return reflect.TypeFor[bool]()
	case arrow.IsSignedInteger(typ.ID()):
		return reflect.TypeFor[int64]()
	case arrow.IsUnsignedInteger(typ.ID()):
		return reflect.TypeFor[uint64]()
	case arrow.IsFloating(typ.ID()):
		return reflect.TypeFor[float64]()
	case typ.ID() == arrow.TIMESTAMP || typ.ID() == arrow.DATE32 || typ.ID() == arrow.DATE64:
		return reflect.TypeFor[time.Time]()
	case typ.ID() == arrow.DURATION:
		return reflect.TypeFor[time.Duration]()
	case typ.ID() == arrow.BINARY || typ.ID() == arrow.LARGE_BINARY || typ.ID() == arrow.FIXED_SIZE_BINARY || typ.ID() == arrow.BINARY_VIEW:
		return reflect.TypeFor[[]byte]()
	default:
		return reflect.TypeFor[string]()
	}
}
