// Package rows turns values of Go into columns of Arrow, and columns into values. Structs are rows: a field is a column
// under its name or the name in its tag.
package rows

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// tagName is the key of the tags that name columns: `polarway:"name,us"`. The name "-" leaves a field out.
const tagName = "polarway"

// field is a field of a struct that is a column.
type field struct {
	name  string
	index []int
	unit  arrow.TimeUnit
	// typ is the field's type in Go.
	typ reflect.Type
	// hasUnit tells whether the tag names a unit.
	hasUnit bool
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	anyType      = reflect.TypeFor[any]()
)

var units = map[string]arrow.TimeUnit{
	"s":  arrow.Second,
	"ms": arrow.Millisecond,
	"us": arrow.Microsecond,
	"ns": arrow.Nanosecond,
}

// knownFields has the fields of each struct, by its type: those of a struct inside of a row are asked for with every row.
var knownFields sync.Map

// fieldsOf returns the fields of a struct that are columns. Those of a struct that is embedded without a name are among them.
func fieldsOf(t reflect.Type) ([]field, error) {
	if known, isKnown := knownFields.Load(t); isKnown {
		return known.([]field), nil
	}
	found, err := readFields(t)
	if err == nil {
		knownFields.Store(t, found)
	}
	return found, err
}

func readFields(t reflect.Type) ([]field, error) {
	var found []field
	seen := map[string]string{}
	for _, one := range reflect.VisibleFields(t) {
		tag, isTagged := one.Tag.Lookup(tagName)
		name, rest, _ := strings.Cut(tag, ",")
		isEmbedded := one.Anonymous && !isTagged && one.Type.Kind() == reflect.Struct && one.Type != timeType
		if !one.IsExported() || name == "-" || isEmbedded || throughPointer(t, one.Index) {
			continue
		}
		if name == "" {
			name = one.Name
		}
		if other, isTwice := seen[name]; isTwice {
			return nil, fmt.Errorf("the fields %s and %s of %s are both the column %q", other, one.Name, t, name)
		}
		seen[name] = one.Name
		made := field{name: name, index: one.Index, unit: arrow.Nanosecond, typ: one.Type}
		if rest != "" {
			if made.unit, made.hasUnit = units[rest]; !made.hasUnit {
				return nil, fmt.Errorf("the tag of the field %s has %q behind the name: a unit of time is s, ms, us or ns", one.Name, rest)
			}
		}
		found = append(found, made)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no exported fields, which would be columns", t)
	}
	return found, nil
}

// throughPointer tells whether a field is one of an embedded pointer, which may be nil, or of an embedded struct that is a
// column itself.
func throughPointer(t reflect.Type, index []int) bool {
	for _, step := range index[:len(index)-1] {
		one := t.Field(step)
		if one.Type.Kind() != reflect.Struct {
			return true
		}
		if _, isTagged := one.Tag.Lookup(tagName); isTagged || one.Type == timeType {
			return true
		}
		t = one.Type
	}
	return false
}

// columnsOf returns the columns of a struct's fields. The struct is inside of these others.
func columnsOf(t reflect.Type, outer []reflect.Type) ([]arrow.Field, error) {
	if slices.Contains(outer, t) {
		return nil, fmt.Errorf("%s contains itself, which no column can", t)
	}
	fields, err := fieldsOf(t)
	if err != nil {
		return nil, err
	}
	columns := make([]arrow.Field, len(fields))
	for index, one := range fields {
		typ, isNullable, err := typeOf(one.typ, one.unit, append(outer[:len(outer):len(outer)], t))
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", one.name, err)
		}
		if one.hasUnit && !hasTimes(typ) {
			return nil, fmt.Errorf("column %q: the tag has a unit of time, and %s has no time", one.name, one.typ)
		}
		columns[index] = arrow.Field{Name: one.name, Type: typ, Nullable: isNullable}
	}
	return columns, nil
}

func hasTimes(t arrow.DataType) bool {
	switch t := t.(type) {
	case *arrow.TimestampType, *arrow.DurationType:
		return true
	case arrow.ListLikeType:
		return hasTimes(t.Elem())
	default:
		return false
	}
}

// typeOf returns Arrow's type for a type of Go, and whether there may be nulls.
func typeOf(t reflect.Type, unit arrow.TimeUnit, outer []reflect.Type) (arrow.DataType, bool, error) {
	if simple, isSimple := simpleTypes[t.Kind()]; isSimple && t != durationType {
		return simple, false, nil
	}
	switch {
	case t == timeType:
		return &arrow.TimestampType{Unit: unit, TimeZone: "UTC"}, false, nil
	case t == durationType:
		return &arrow.DurationType{Unit: unit}, false, nil
	case t.Kind() == reflect.Pointer:
		typ, _, err := typeOf(t.Elem(), unit, outer)
		return typ, true, err
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return arrow.BinaryTypes.Binary, true, nil
	case t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8:
		return &arrow.FixedSizeBinaryType{ByteWidth: t.Len()}, false, nil
	case t.Kind() == reflect.Slice:
		item, isNullable, err := typeOf(t.Elem(), unit, outer)
		if err != nil {
			return nil, false, err
		}
		return arrow.ListOfField(arrow.Field{Name: "item", Type: item, Nullable: isNullable}), true, nil
	case t.Kind() == reflect.Array:
		item, isNullable, err := typeOf(t.Elem(), unit, outer)
		if err != nil {
			return nil, false, err
		}
		return arrow.FixedSizeListOfField(int32(t.Len()), arrow.Field{Name: "item", Type: item, Nullable: isNullable}), false, nil
	case t.Kind() == reflect.Map:
		keys, isNullable, err := typeOf(t.Key(), unit, outer)
		if err != nil {
			return nil, false, err
		}
		if isNullable {
			return nil, false, fmt.Errorf("a map with keys of %s may have a key that is nil, which no map of Arrow has", t.Key())
		}
		values, isNullable, err := typeOf(t.Elem(), unit, outer)
		if err != nil {
			return nil, false, err
		}
		made := arrow.MapOf(keys, values)
		made.SetItemNullable(isNullable)
		return made, true, nil
	case t.Kind() == reflect.Struct && !strings.HasPrefix(t.PkgPath(), "database/sql"):
		columns, err := columnsOf(t, outer)
		if err != nil {
			return nil, false, err
		}
		return arrow.StructOf(columns...), false, nil
	case t.Kind() == reflect.Struct:
		return nil, false, fmt.Errorf("%s is no type for a column: use a pointer, which is NULL where it is nil", t)
	default:
		return nil, false, fmt.Errorf("%s is no type for a column", t)
	}
}

var simpleTypes = map[reflect.Kind]arrow.DataType{
	reflect.Bool:    arrow.FixedWidthTypes.Boolean,
	reflect.Int:     arrow.PrimitiveTypes.Int64,
	reflect.Int8:    arrow.PrimitiveTypes.Int8,
	reflect.Int16:   arrow.PrimitiveTypes.Int16,
	reflect.Int32:   arrow.PrimitiveTypes.Int32,
	reflect.Int64:   arrow.PrimitiveTypes.Int64,
	reflect.Uint:    arrow.PrimitiveTypes.Uint64,
	reflect.Uint8:   arrow.PrimitiveTypes.Uint8,
	reflect.Uint16:  arrow.PrimitiveTypes.Uint16,
	reflect.Uint32:  arrow.PrimitiveTypes.Uint32,
	reflect.Uint64:  arrow.PrimitiveTypes.Uint64,
	reflect.Float32: arrow.PrimitiveTypes.Float32,
	reflect.Float64: arrow.PrimitiveTypes.Float64,
	reflect.String:  arrow.BinaryTypes.String,
}
