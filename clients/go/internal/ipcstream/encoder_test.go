package ipcstream_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/polarway/polarway/clients/go/internal/ipcstream"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

const long = "a text that is longer than the twelve bytes of a view"

// batch has a column of each kind that is cut in its own way.
func batch(t *testing.T, rows int) arrow.RecordBatch {
	t.Helper()
	int32s := arrow.PrimitiveTypes.Int32
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "number", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "bit", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "large", Type: arrow.BinaryTypes.LargeBinary, Nullable: true},
		{Name: "view", Type: arrow.BinaryTypes.StringView, Nullable: true},
		{Name: "list", Type: arrow.ListOf(arrow.BinaryTypes.StringView), Nullable: true},
		{Name: "large_list", Type: arrow.LargeListOf(arrow.BinaryTypes.BinaryView), Nullable: true},
		{Name: "list_view", Type: arrow.ListViewOf(arrow.BinaryTypes.StringView), Nullable: true},
		{Name: "pair", Type: arrow.FixedSizeListOf(2, arrow.BinaryTypes.StringView), Nullable: true},
		{Name: "map", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.BinaryTypes.StringView), Nullable: true},
		{Name: "struct", Type: arrow.StructOf(
			arrow.Field{Name: "v", Type: arrow.BinaryTypes.StringView, Nullable: true},
			arrow.Field{Name: "l", Type: arrow.ListOf(int32s), Nullable: true}), Nullable: true},
		{Name: "word", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: arrow.BinaryTypes.String}, Nullable: true},
		{Name: "decimal", Type: &arrow.Decimal128Type{Precision: 20, Scale: 2}, Nullable: true},
	}, nil)
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	var lines strings.Builder
	for row := range rows {
		if row%7 == 3 {
			lines.WriteString("{}\n")
			continue
		}
		text := fmt.Sprintf("%s %d", long[:row%len(long)], row)
		bytes := "AP8="
		fmt.Fprintf(&lines, `{"number":%d,"bit":%t,"text":%q,"large":%q,"view":%q,"list":[%q,null],"large_list":[%q],"list_view":[%q,"x"],`+
			`"pair":[%q,null],"map":[{"key":%q,"value":%q}],"struct":{"v":%q,"l":[%d,null]},"word":"w%d","decimal":"%d.25"}`+"\n",
			row, row%3 == 0, text, bytes, text, text, bytes, text, text, text, text, text, row, row%5, row)
	}
	for line := range strings.Lines(lines.String()) {
		if err := builder.UnmarshalJSON([]byte(line)); err != nil {
			t.Fatal(err, line)
		}
	}
	made := builder.NewRecordBatch()
	t.Cleanup(made.Release)
	return made
}

// travelled encodes batches and decodes the chunks, with an allocator that counts.
func travelled(t *testing.T, schema *arrow.Schema, batches ...arrow.RecordBatch) (arrow.Table, []ipcstream.Chunk) {
	t.Helper()
	var chunks []ipcstream.Chunk
	allocator := memory.NewCheckedAllocator(memory.DefaultAllocator)
	encoder := ipcstream.NewEncoder(schema, allocator, func(chunk ipcstream.Chunk) error {
		chunks = append(chunks, chunk)
		return nil
	})
	for _, one := range batches {
		if err := encoder.Encode(one); err != nil {
			t.Fatal(err)
		}
	}
	if err := encoder.Finish(); err != nil {
		t.Fatal(err)
	}
	encoder.Release()
	allocator.AssertSize(t, 0)
	decoder := ipcstream.NewDecoder(memory.DefaultAllocator)
	defer decoder.Release()
	next := uint64(0)
	var decoded []arrow.RecordBatch
	for _, chunk := range chunks {
		if chunk.FirstRow != next {
			t.Fatalf("a chunk begins with row %d, and not %d", chunk.FirstRow, next)
		}
		next += chunk.Rows
		found, err := decoder.Batches(memory.NewBufferBytes(bytes.Clone(chunk.IPC)), chunk.Rows)
		if err != nil {
			t.Fatal(err)
		}
		decoded = append(decoded, found...)
	}
	if !decoder.IsEnded() || encoder.NextRow() != next {
		t.Error("the stream has no end")
	}
	table := array.NewTableFromRecords(decoder.Schema(), decoded)
	for _, one := range decoded {
		one.Release()
	}
	return table, chunks
}

func same(t *testing.T, want arrow.RecordBatch, batches ...arrow.RecordBatch) []ipcstream.Chunk {
	t.Helper()
	table, chunks := travelled(t, want.Schema(), batches...)
	defer table.Release()
	if difference := polarwaytest.Difference(want, table, false); difference != "" {
		t.Error(difference)
	}
	return chunks
}

func TestPartsOfEveryKindOfColumnArriveAsTheyAre(t *testing.T) {
	whole := batch(t, 3000)
	same(t, whole, whole)
	for _, bounds := range [][2]int64{{0, 0}, {1, 2}, {9, 100}, {1234, 2999}} {
		slice := whole.NewSlice(bounds[0], bounds[1])
		same(t, slice, slice)
		slice.Release()
	}
}

func TestSmallBatchesAreSentTogetherAndLargeOnesInParts(t *testing.T) {
	whole := batch(t, 3000)
	var pieces []arrow.RecordBatch
	for first := int64(0); first < 3000; first += 10 {
		piece := whole.NewSlice(first, first+10)
		defer piece.Release()
		pieces = append(pieces, piece)
	}
	if chunks := same(t, whole, pieces...); len(chunks) > 6 {
		t.Errorf("%d chunks of %d small batches", len(chunks), len(pieces))
	}
	builder := array.NewInt64Builder(memory.DefaultAllocator)
	defer builder.Release()
	builder.AppendValues(make([]int64, 1_000_000), nil)
	column := builder.NewArray()
	defer column.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: column.DataType()}}, nil)
	large := array.NewRecordBatch(schema, []arrow.Array{column}, 1_000_000)
	defer large.Release()
	for _, chunk := range same(t, large, large) {
		if len(chunk.IPC) > 3<<19 {
			t.Errorf("a chunk has %d bytes", len(chunk.IPC))
		}
	}
}

// floats is a batch with a dictionary of this one float.
func floats(schema *arrow.Schema, value float64) arrow.RecordBatch {
	builder := array.NewFloat64Builder(memory.DefaultAllocator)
	defer builder.Release()
	builder.Append(value)
	values := builder.NewArray()
	defer values.Release()
	keys := array.NewInt8Builder(memory.DefaultAllocator)
	defer keys.Release()
	keys.AppendValues(make([]int8, 200_000), nil)
	indices := keys.NewArray()
	defer indices.Release()
	column := array.NewDictionaryArray(schema.Field(0).Type.(*arrow.DictionaryType), indices, values)
	defer column.Release()
	return array.NewRecordBatch(schema, []arrow.Array{column}, 200_000)
}

func TestDictionariesThatAreNearlyTheSameAreBothSent(t *testing.T) {
	typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.PrimitiveTypes.Float64}
	schema := arrow.NewSchema([]arrow.Field{{Name: "f", Type: typ}}, nil)
	var batches []arrow.RecordBatch
	for _, value := range []float64{1, 1 + 1e-9, 1} {
		one := floats(schema, value)
		defer one.Release()
		// Six of them are more than a chunk.
		batches = append(batches, one, one, one, one, one, one)
	}
	table, _ := travelled(t, schema, batches...)
	defer table.Release()
	seen := map[float64]int{}
	for _, chunk := range table.Column(0).Data().Chunks() {
		column := chunk.(*array.Dictionary)
		for row := range column.Len() {
			seen[column.Dictionary().(*array.Float64).Value(column.GetValueIndex(row))]++
		}
	}
	if seen[1] != 2_400_000 || seen[1+1e-9] != 1_200_000 {
		t.Error(seen)
	}
}

func TestALargeDictionaryIsSentInTheValuesThatEachPartUses(t *testing.T) {
	const count = 400_000
	texts := array.NewStringBuilder(memory.DefaultAllocator)
	defer texts.Release()
	keys := array.NewInt32Builder(memory.DefaultAllocator)
	defer keys.Release()
	random := rand.New(rand.NewPCG(5, 6))
	for index := range count {
		texts.Append(fmt.Sprintf("%s %d", long, index))
		keys.Append(random.Int32N(count))
	}
	values, indices := texts.NewArray(), keys.NewArray()
	defer values.Release()
	defer indices.Release()
	typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	column := array.NewDictionaryArray(typ, indices, values)
	defer column.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "d", Type: typ}}, nil)
	whole := array.NewRecordBatch(schema, []arrow.Array{column}, count)
	defer whole.Release()
	same(t, whole, whole)
}

func TestARowThatIsTooLargeIsRefusedWithItsNumber(t *testing.T) {
	builder := array.NewStringBuilder(memory.DefaultAllocator)
	defer builder.Release()
	builder.Append("small")
	builder.Append(strings.Repeat("x", 65<<20))
	column := builder.NewArray()
	defer column.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "s", Type: column.DataType()}}, nil)
	large := array.NewRecordBatch(schema, []arrow.Array{column}, 2)
	defer large.Release()
	encoder := ipcstream.NewEncoder(schema, memory.DefaultAllocator, func(ipcstream.Chunk) error { return nil })
	defer encoder.Release()
	err := encoder.Encode(large)
	if err == nil || !strings.Contains(err.Error(), "row 1 takes") {
		t.Error(err)
	}
}

func TestBytesThatAreNoTableAreAnErrorAndNoPanic(t *testing.T) {
	whole := batch(t, 500)
	_, chunks := travelled(t, whole.Schema(), whole)
	content := chunks[0].IPC
	// Arrow's library believes what a schema says of its own lengths.
	schema := 8 + int(binary.LittleEndian.Uint32(content[4:]))
	random := rand.New(rand.NewPCG(7, 8))
	for range 500 {
		damaged := bytes.Clone(content[:random.IntN(len(content))])
		for range random.IntN(4) {
			if rest := len(damaged) - schema; rest > 0 {
				damaged[schema+random.IntN(min(rest, 3000))] ^= byte(1 << random.IntN(8))
			}
		}
		decoder := ipcstream.NewDecoder(memory.DefaultAllocator)
		found, err := decoder.Batches(memory.NewBufferBytes(damaged), chunks[0].Rows)
		if err == nil {
			for _, one := range found {
				one.Release()
			}
		}
		decoder.Release()
	}
}
