package ipcstream

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
)

// sentBytes is what the rows of an array take in a message, without dictionaries, which are sent once for many messages.
func sentBytes(column arrow.Array) int64 {
	rows := int64(column.Len())
	validity := bitutil.BytesForBits(rows)
	switch column := column.(type) {
	case *array.Null:
		return 0
	case *array.Dictionary:
		return sentBytes(column.Indices())
	case array.ExtensionArray:
		return sentBytes(column.Storage())
	case array.ViewLike:
		return validity + rows*int64(arrow.ViewHeaderSizeBytes) + outsideOfViews(column)
	case array.BinaryLike:
		return validity + rows*int64(column.DataType().(arrow.OffsetsDataType).OffsetTypeTraits().BytesRequired(1)) + int64(len(column.ValueBytes()))
	case *array.Struct:
		sum := validity
		for index := range column.NumField() {
			sum += sentBytes(column.Field(index))
		}
		return sum
	case *array.FixedSizeList, *array.List, *array.LargeList, *array.Map, *array.ListView, *array.LargeListView:
		items := viewed(column.(array.ListLike))
		defer items.Release()
		return validity + 8*rows + sentBytes(items)
	default:
		if fixed, isFixed := column.DataType().(arrow.FixedWidthDataType); isFixed {
			return validity + bitutil.BytesForBits(rows*int64(fixed.BitWidth()))
		}
		return int64(column.Data().SizeInBytes())
	}
}

// plainBytes is what the rows take if each has its own copy of its value; most if it is more than that. Only dictionaries
// make more of them.
func plainBytes(column arrow.Array, most int64) int64 {
	switch column := column.(type) {
	case *array.Dictionary:
		return plainOfDictionary(column, most)
	case array.ExtensionArray:
		return plainBytes(column.Storage(), most)
	case *array.Struct:
		sum := int64(0)
		for index := range column.NumField() {
			sum += plainBytes(column.Field(index), most)
		}
		return sum
	case array.ListLike:
		items := viewed(column)
		defer items.Release()
		return 8*int64(column.Len()) + plainBytes(items, most)
	default:
		return sentBytes(column)
	}
}

func plainOfDictionary(column *array.Dictionary, most int64) int64 {
	values := column.Dictionary()
	rows, count := int64(column.Len()), int64(values.Len())
	if count == 0 {
		return 8 * rows
	}
	texts, isText := values.(array.BinaryLike)
	if !isText || texts.NullN() > 0 {
		return rows * (8 + sentBytes(values)/count)
	}
	sum := 8 * rows
	for row := range column.Len() {
		if !column.IsNull(row) {
			sum += int64(texts.ValueLen(column.GetValueIndex(row)))
		}
		if sum > most {
			break
		}
	}
	return sum
}

// outsideOfViews is what the values of views take that are not in the views themselves.
func outsideOfViews(column array.ViewLike) int64 {
	sum := int64(0)
	for row := range column.Len() {
		if header := column.ValueHeader(row); !column.IsNull(row) && !header.IsInline() {
			sum += int64(header.Len())
		}
	}
	return sum
}

// viewed returns the items that the rows of a list use, and those between them. The caller releases them.
func viewed(list array.ListLike) arrow.Array {
	first, last := viewedRange(list)
	return array.NewSlice(list.ListValues(), first, last)
}

func viewedRange(list array.ListLike) (first, last int64) {
	rows := list.Len()
	switch list.(type) {
	case *array.ListView, *array.LargeListView:
		for row := range rows {
			start, end := list.ValueOffsets(row)
			if list.IsNull(row) || start == end {
				continue
			}
			if last == 0 {
				first = start
			}
			first, last = min(first, start), max(last, end)
		}
		return first, last
	}
	if rows == 0 {
		return 0, 0
	}
	first, _ = list.ValueOffsets(0)
	_, last = list.ValueOffsets(rows - 1)
	return first, last
}
