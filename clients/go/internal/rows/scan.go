package rows

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Scan adds the rows of the batches to what destination points to: a slice of structs, of pointers to structs, of maps from
// names to values, or, if there is one column, of values.
func Scan(schema *arrow.Schema, batches []arrow.RecordBatch, destination any) error {
	pointer := reflect.ValueOf(destination)
	if pointer.Kind() != reflect.Pointer || pointer.IsNil() || pointer.Elem().Kind() != reflect.Slice {
		return fmt.Errorf("%T is nothing to scan into: give a pointer to a slice", destination)
	}
	slice := pointer.Elem()
	element := slice.Type().Elem()
	assign, err := assigner(schema, element)
	if err != nil {
		return err
	}
	made := slice
	first := 0
	for _, batch := range batches {
		for row := range int(batch.NumRows()) {
			value := reflect.New(element).Elem()
			if err := assign(value, batch, row); err != nil {
				return fmt.Errorf("row %d, %w", first+row, err)
			}
			made = reflect.Append(made, value)
		}
		first += int(batch.NumRows())
	}
	slice.Set(made)
	return nil
}

type assignment func(value reflect.Value, batch arrow.RecordBatch, row int) error

// assigner returns what puts a row into a value of this type.
func assigner(schema *arrow.Schema, element reflect.Type) (assignment, error) {
	if element.Kind() == reflect.Map && element.Key().Kind() == reflect.String {
		return intoMap(schema), nil
	}
	inner := element
	isPointer := element.Kind() == reflect.Pointer && isRow(element.Elem())
	if isPointer {
		inner = element.Elem()
	}
	if isRow(inner) {
		return intoStruct(schema, inner, isPointer)
	}
	if schema.NumFields() != 1 {
		return nil, fmt.Errorf("%d columns don't fit into %s: give a slice of structs or of maps", schema.NumFields(), element)
	}
	return func(value reflect.Value, batch arrow.RecordBatch, row int) error {
		return named(schema.Field(0).Name, Assign(value, batch.Column(0), row))
	}, nil
}

func isRow(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != timeType
}

func named(column string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("column %q: %w", column, err)
}

func intoMap(schema *arrow.Schema) assignment {
	columns := schema.Fields()
	return func(value reflect.Value, batch arrow.RecordBatch, row int) error {
		return setMap(value, columns, batch.Column, row)
	}
}

// intoStruct matches columns with fields: by name, or by a name that differs in upper and lower case only. Every column needs
// a field; a field without a column stays as it is.
func intoStruct(schema *arrow.Schema, element reflect.Type, isPointer bool) (assignment, error) {
	columns := schema.Fields()
	indices, err := match(columns, element)
	if err != nil {
		return nil, err
	}
	return func(value reflect.Value, batch arrow.RecordBatch, row int) error {
		if isPointer {
			value.Set(reflect.New(element))
			value = value.Elem()
		}
		return setFields(value, indices, columns, batch.Column, row)
	}, nil
}

// setMap puts a row into a map from the names of its columns to their values.
func setMap(to reflect.Value, columns []arrow.Field, at func(column int) arrow.Array, row int) error {
	to.Set(reflect.MakeMapWithSize(to.Type(), len(columns)))
	for column, one := range columns {
		value := reflect.New(to.Type().Elem()).Elem()
		if err := Assign(value, at(column), row); err != nil {
			return named(one.Name, err)
		}
		to.SetMapIndex(reflect.ValueOf(one.Name).Convert(to.Type().Key()), value)
	}
	return nil
}

// setFields puts a row into a struct, each column into the field with its index.
func setFields(to reflect.Value, indices [][]int, columns []arrow.Field, at func(column int) arrow.Array, row int) error {
	for column, index := range indices {
		if err := Assign(to.FieldByIndex(index), at(column), row); err != nil {
			return named(columns[column].Name, err)
		}
	}
	return nil
}

func match(columns []arrow.Field, element reflect.Type) ([][]int, error) {
	fields, err := fieldsOf(element)
	if err != nil {
		return nil, err
	}
	indices := make([][]int, len(columns))
	taken := map[string]bool{}
	for column, one := range columns {
		var found *field
		for index := range fields {
			if fields[index].name == one.Name {
				found = &fields[index]
				break
			}
			if found == nil && strings.EqualFold(fields[index].name, one.Name) {
				found = &fields[index]
			}
		}
		if found == nil {
			return nil, fmt.Errorf("column %q has no field in %s: add one, or leave the column out", one.Name, element)
		}
		if taken[found.name] {
			return nil, fmt.Errorf("two columns, one of them %q, have the same field in %s: give them different names", one.Name, element)
		}
		taken[found.name] = true
		indices[column] = found.index
	}
	return indices, nil
}

var errNull = errors.New("a NULL does not fit: use a pointer")

// Assign puts the value of a row into a value of Go. What would not be the same value is refused.
func Assign(to reflect.Value, column arrow.Array, row int) error {
	if extension, isExtension := column.(array.ExtensionArray); isExtension {
		return Assign(to, extension.Storage(), row)
	}
	if dictionary, isDictionary := column.(*array.Dictionary); isDictionary && !dictionary.IsNull(row) {
		return Assign(to, dictionary.Dictionary(), dictionary.GetValueIndex(row))
	}
	if to.Type() == anyType {
		value, err := Interface(column, row)
		if err != nil {
			return err
		}
		if value == nil {
			to.SetZero()
		} else {
			to.Set(reflect.ValueOf(value))
		}
		return nil
	}
	if isNull(column, row) {
		switch to.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			to.SetZero()
			return nil
		default:
			return errNull
		}
	}
	if to.Kind() == reflect.Pointer {
		to.Set(reflect.New(to.Type().Elem()))
		return Assign(to.Elem(), column, row)
	}
	return assign(to, column, row)
}

func assign(to reflect.Value, column arrow.Array, row int) error {
	switch column := column.(type) {
	case *array.List, *array.LargeList, *array.FixedSizeList, *array.ListView, *array.LargeListView:
		return assignList(to, column.(array.ListLike), row)
	case *array.Map:
		return assignMap(to, column, row)
	case *array.Struct:
		return assignStruct(to, column, row)
	case *array.RunEndEncoded:
		return Assign(to, column.Values(), column.GetPhysicalIndex(row))
	}
	value, err := Interface(column, row)
	if err != nil {
		return err
	}
	return set(to, value, column.DataType())
}

func misfit(to reflect.Value, from arrow.DataType) error {
	return fmt.Errorf("%s does not fit into %s", from, to.Type())
}

// set puts a simple value into a value of Go.
func set(to reflect.Value, value any, from arrow.DataType) error {
	switch value := value.(type) {
	case bool:
		if to.Kind() == reflect.Bool {
			to.SetBool(value)
			return nil
		}
	case int64:
		return setInt(to, value, from)
	case uint64:
		return setUint(to, value, from)
	case float64:
		if to.CanFloat() {
			if to.Kind() == reflect.Float32 && float64(float32(value)) != value && !math.IsNaN(value) {
				return fmt.Errorf("%v is not the same as a float32", value)
			}
			to.SetFloat(value)
			return nil
		}
	case string:
		if to.Kind() == reflect.String {
			to.SetString(value)
			return nil
		}
	case []byte:
		if to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8 {
			to.SetBytes(value)
			return nil
		}
		if to.Kind() == reflect.Array && to.Type().Elem().Kind() == reflect.Uint8 && to.Len() == len(value) {
			reflect.Copy(to, reflect.ValueOf(value))
			return nil
		}
	case time.Time:
		if to.Type() == timeType {
			to.Set(reflect.ValueOf(value))
			return nil
		}
	case time.Duration:
		if to.Type() == durationType {
			to.SetInt(int64(value))
			return nil
		}
	}
	return misfit(to, from)
}

func setInt(to reflect.Value, value int64, from arrow.DataType) error {
	switch {
	case to.Type() == durationType:
		return misfit(to, from)
	case to.CanInt():
		if to.OverflowInt(value) {
			return fmt.Errorf("%d does not fit into %s", value, to.Type())
		}
		to.SetInt(value)
	case to.CanUint():
		if value < 0 || to.OverflowUint(uint64(value)) {
			return fmt.Errorf("%d does not fit into %s", value, to.Type())
		}
		to.SetUint(uint64(value))
	case to.CanFloat():
		return setExact(to, float64(value), int64(float64(value)) == value && float64(value) < math.MaxInt64, value)
	default:
		return misfit(to, from)
	}
	return nil
}

func setUint(to reflect.Value, value uint64, from arrow.DataType) error {
	switch {
	case to.Type() == durationType:
		return misfit(to, from)
	case to.CanUint():
		if to.OverflowUint(value) {
			return fmt.Errorf("%d does not fit into %s", value, to.Type())
		}
		to.SetUint(value)
	case to.CanInt():
		if value > math.MaxInt64 || to.OverflowInt(int64(value)) {
			return fmt.Errorf("%d does not fit into %s", value, to.Type())
		}
		to.SetInt(int64(value))
	case to.CanFloat():
		return setExact(to, float64(value), value < 1<<53, value)
	default:
		return misfit(to, from)
	}
	return nil
}

func setExact(to reflect.Value, value float64, isExact bool, whole any) error {
	if !isExact || (to.Kind() == reflect.Float32 && float64(float32(value)) != value) {
		return fmt.Errorf("%v is not the same as a %s", whole, to.Type())
	}
	to.SetFloat(value)
	return nil
}

func assignList(to reflect.Value, list array.ListLike, row int) error {
	start, end := list.ValueOffsets(row)
	values := list.ListValues()
	switch to.Kind() {
	case reflect.Slice:
		to.Set(reflect.MakeSlice(to.Type(), int(end-start), int(end-start)))
	case reflect.Array:
		if int64(to.Len()) != end-start {
			return fmt.Errorf("a list of %d values does not fit into %s", end-start, to.Type())
		}
	default:
		return misfit(to, list.DataType())
	}
	for index := range int(end - start) {
		if err := Assign(to.Index(index), values, int(start)+index); err != nil {
			return fmt.Errorf("value %d: %w", index, err)
		}
	}
	return nil
}

func assignMap(to reflect.Value, entries *array.Map, row int) error {
	if to.Kind() != reflect.Map {
		return misfit(to, entries.DataType())
	}
	start, end := entries.ValueOffsets(row)
	to.Set(reflect.MakeMapWithSize(to.Type(), int(end-start)))
	for index := int(start); index < int(end); index++ {
		key, value := reflect.New(to.Type().Key()).Elem(), reflect.New(to.Type().Elem()).Elem()
		if err := Assign(key, entries.Keys(), index); err != nil {
			return fmt.Errorf("a key: %w", err)
		}
		if err := Assign(value, entries.Items(), index); err != nil {
			return fmt.Errorf("the value of %v: %w", key, err)
		}
		to.SetMapIndex(key, value)
	}
	return nil
}

func assignStruct(to reflect.Value, column *array.Struct, row int) error {
	columns := column.DataType().(*arrow.StructType).Fields()
	if to.Kind() == reflect.Map && to.Type().Key().Kind() == reflect.String {
		return setMap(to, columns, column.Field, row)
	}
	if !isRow(to.Type()) {
		return misfit(to, column.DataType())
	}
	indices, err := match(columns, to.Type())
	if err != nil {
		return err
	}
	return setFields(to, indices, columns, column.Field, row)
}
