package ipcstream

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Arrow's writer sends all values of a column of views with each part of it, and a whole dictionary with its first part. So
// columns of views, and of dictionaries that are large, are copied part by part into arrays that have only their own values.

// mustBeOwned tells whether parts of a column of this type may have to be copied.
func mustBeOwned(t arrow.DataType) bool {
	switch t := t.(type) {
	case *arrow.StringViewType, *arrow.BinaryViewType, *arrow.DictionaryType:
		return true
	case arrow.ExtensionType:
		return mustBeOwned(t.StorageType())
	case arrow.NestedType:
		return slices.ContainsFunc(t.Fields(), func(field arrow.Field) bool { return mustBeOwned(field.Type) })
	default:
		return false
	}
}

// owned returns an array with the same values and no others. It is the caller's.
func owned(column arrow.Array, allocator memory.Allocator) (arrow.Array, error) {
	if !mustBeOwned(column.DataType()) {
		column.Retain()
		return column, nil
	}
	switch column := column.(type) {
	case *array.StringView:
		return ownedViews(column, array.NewStringViewBuilder(allocator)), nil
	case *array.BinaryView:
		return ownedViews(column, array.NewBinaryViewBuilder(allocator)), nil
	case *array.Dictionary:
		return ownedDictionary(column, allocator)
	case array.ExtensionArray:
		storage, err := owned(column.Storage(), allocator)
		if err != nil {
			return nil, err
		}
		defer storage.Release()
		return array.NewExtensionArrayWithStorage(column.DataType().(arrow.ExtensionType), storage), nil
	case *array.Struct:
		var fields []arrow.Array
		for index := range column.NumField() {
			fields = append(fields, column.Field(index))
		}
		return rebuilt(column, nil, fields, allocator)
	case array.ListLike:
		items := viewed(column)
		defer items.Release()
		first, _ := viewedRange(column)
		return rebuilt(column, placesOf(column, first), []arrow.Array{items}, allocator)
	default:
		column.Retain()
		return column, nil
	}
}

// ownedViews is a column of views, made anew with a builder of its type.
func ownedViews[V any](
	column interface {
		arrow.Array
		Value(row int) V
	},
	builder interface {
		array.Builder
		Append(value V)
	},
) arrow.Array {
	defer builder.Release()
	builder.Reserve(column.Len())
	for row := range column.Len() {
		if column.IsNull(row) {
			builder.AppendNull()
		} else {
			builder.Append(column.Value(row))
		}
	}
	return builder.NewArray()
}

// rebuilt is a nested array with other children, whose rows begin with its first row.
func rebuilt(column arrow.Array, places []*memory.Buffer, children []arrow.Array, allocator memory.Allocator) (arrow.Array, error) {
	var parts []arrow.ArrayData
	for _, child := range children {
		part, err := owned(child, allocator)
		if err != nil {
			return nil, err
		}
		// The new array keeps the data of its parts.
		defer part.Release()
		parts = append(parts, part.Data())
	}
	buffers := append([]*memory.Buffer{validityOf(column)}, places...)
	data := array.NewData(column.DataType(), column.Len(), buffers, parts, column.NullN(), 0)
	defer data.Release()
	return array.MakeFromData(data), nil
}

// validityOf is the bitmap of the rows that are not NULL; nil if all are not.
func validityOf(column arrow.Array) *memory.Buffer {
	if column.NullN() == 0 {
		return nil
	}
	bits := make([]byte, bitutil.BytesForBits(int64(column.Len())))
	bitutil.CopyBitmap(column.NullBitmapBytes(), column.Data().Offset(), column.Len(), bits, 0)
	return memory.NewBufferBytes(bits)
}

// placesOf is where the lists are in their items, of which those before first are gone.
func placesOf(list array.ListLike, first int64) []*memory.Buffer {
	starts, ends := make([]int64, list.Len()), make([]int64, list.Len())
	for row := range list.Len() {
		if starts[row], ends[row] = list.ValueOffsets(row); starts[row] == ends[row] {
			starts[row], ends[row] = max(starts[row], first), max(ends[row], first)
		}
		starts[row] -= first
		ends[row] -= first
	}
	switch list.(type) {
	case *array.FixedSizeList:
		return nil
	case *array.ListView:
		return []*memory.Buffer{narrow(starts), narrow(lengths(starts, ends))}
	case *array.LargeListView:
		return []*memory.Buffer{wide(starts), wide(lengths(starts, ends))}
	}
	borders := append(starts, 0)
	if list.Len() > 0 {
		borders[list.Len()] = ends[list.Len()-1]
	}
	if _, isLarge := list.(*array.LargeList); isLarge {
		return []*memory.Buffer{wide(borders)}
	}
	return []*memory.Buffer{narrow(borders)}
}

func lengths(starts, ends []int64) []int64 {
	made := make([]int64, len(starts))
	for row := range starts {
		made[row] = ends[row] - starts[row]
	}
	return made
}

func wide(numbers []int64) *memory.Buffer {
	return memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(numbers))
}

func narrow(numbers []int64) *memory.Buffer {
	made := make([]int32, len(numbers))
	for index, number := range numbers {
		made[index] = int32(number)
	}
	return memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(made))
}

// ownedDictionary is the same column with the values that it uses in its dictionary, if that is large.
func ownedDictionary(column *array.Dictionary, allocator memory.Allocator) (arrow.Array, error) {
	values := column.Dictionary()
	if sentBytes(values) <= mostSharedBytes {
		column.Retain()
		return column, nil
	}
	place := map[int]int{}
	var used []int
	for row := range column.Len() {
		if column.IsNull(row) {
			continue
		}
		index := column.GetValueIndex(row)
		if _, isKnown := place[index]; !isKnown {
			place[index] = 0
			used = append(used, index)
		}
	}
	slices.Sort(used)
	var pieces []arrow.Array
	defer func() {
		for _, piece := range pieces {
			piece.Release()
		}
	}()
	for begin := 0; begin < len(used); {
		end := begin + 1
		for end < len(used) && used[end] == used[end-1]+1 {
			end++
		}
		pieces = append(pieces, array.NewSlice(values, int64(used[begin]), int64(used[end-1])+1))
		begin = end
	}
	for position, index := range used {
		place[index] = position
	}
	if len(pieces) == 0 {
		pieces = append(pieces, array.NewSlice(values, 0, 0))
	}
	own, err := array.Concatenate(pieces, allocator)
	if err != nil {
		return nil, err
	}
	defer own.Release()
	typ := column.DataType().(*arrow.DictionaryType)
	builder := array.NewBuilder(allocator, typ.IndexType)
	defer builder.Release()
	builder.Reserve(column.Len())
	for row := range column.Len() {
		if column.IsNull(row) {
			builder.AppendNull()
		} else {
			appendIndex(builder, place[column.GetValueIndex(row)])
		}
	}
	indices := builder.NewArray()
	defer indices.Release()
	return array.NewDictionaryArray(typ, indices, own), nil
}

func appendIndex(builder array.Builder, index int) {
	switch builder := builder.(type) {
	case *array.Int8Builder:
		builder.Append(int8(index))
	case *array.Int16Builder:
		builder.Append(int16(index))
	case *array.Int32Builder:
		builder.Append(int32(index))
	case *array.Int64Builder:
		builder.Append(int64(index))
	case *array.Uint8Builder:
		builder.Append(uint8(index))
	case *array.Uint16Builder:
		builder.Append(uint16(index))
	case *array.Uint32Builder:
		builder.Append(uint32(index))
	case *array.Uint64Builder:
		builder.Append(uint64(index))
	}
}

// dictionariesOf returns the dictionaries of a column, nested ones too.
func dictionariesOf(data arrow.ArrayData) []arrow.ArrayData {
	if dictionary := data.Dictionary(); data.DataType().ID() == arrow.DICTIONARY && dictionary != nil {
		return append(dictionariesOf(dictionary), dictionary)
	}
	var found []arrow.ArrayData
	for _, child := range data.Children() {
		found = append(found, dictionariesOf(child)...)
	}
	return found
}
