package ipcstream

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const (
	mib = 1 << 20
	// What a chunk aims at, and the most that a message may have.
	targetBytes = mib
	mostBytes   = 64 * mib
	// The most that the rows of a message may take with every value written out.
	mostPlainBytes = 256 * mib
	// Of a larger dictionary, each chunk gets the values that it uses.
	mostSharedBytes = mostBytes / 4

	// Chunks of tables with many columns aim at so many rows, as a reader does some work once for each column of a chunk.
	wideRows = 1_280
	// So many columns make the target larger by one, up to a bound.
	columnsPerTarget = 64
	mostTargets      = 16
)

// Chunk is a part of a table, as it travels.
type Chunk struct {
	IPC      []byte
	FirstRow uint64
	Rows     uint64
}

// Encoder makes the chunks of a table, from the one with the schema to the one with the end of the stream. The cuts are those
// of the other clients.
type Encoder struct {
	schema    *arrow.Schema
	allocator memory.Allocator
	yield     func(Chunk) error
	writer    *ipc.Writer
	sink      sink
	targets   int64
	hasOwn    bool
	nextRow   uint64
	// waiting are small batches that become one chunk.
	waiting      []arrow.RecordBatch
	waitingBytes int64
	// dictionaries are those that were sent last.
	dictionaries []arrow.ArrayData
}

// NewEncoder makes an encoder that gives its chunks to yield.
func NewEncoder(schema *arrow.Schema, allocator memory.Allocator, yield func(Chunk) error) *Encoder {
	made := &Encoder{
		schema:    schema,
		allocator: allocator,
		yield:     yield,
		targets:   int64(min(max(schema.NumFields()/columnsPerTarget, 1), mostTargets)),
	}
	made.hasOwn = slices.ContainsFunc(schema.Fields(), func(field arrow.Field) bool { return mustBeOwned(field.Type) })
	made.newWriter()
	return made
}

// sink takes the messages that Arrow's writer makes.
type sink struct {
	messages [][]byte
	scratch  bytes.Buffer
	// skipSchema is set where the stream has its schema already.
	skipSchema bool
}

func (s *sink) Start() error { return nil }

func (s *sink) Close() error { return nil }

func (s *sink) WritePayload(payload ipc.Payload) error {
	if s.skipSchema {
		s.skipSchema = false
		return nil
	}
	s.scratch.Reset()
	if _, err := payload.WritePayload(&s.scratch); err != nil {
		return err
	}
	s.messages = append(s.messages, bytes.Clone(s.scratch.Bytes()))
	return nil
}

func (e *Encoder) newWriter() {
	e.writer = ipc.NewWriterWithPayloadWriter(&e.sink, ipc.WithSchema(e.schema), ipc.WithAllocator(e.allocator))
}

// NextRow is the number of rows that were encoded.
func (e *Encoder) NextRow() uint64 { return e.nextRow }

// Encode takes a batch, which may be used again when this returns.
func (e *Encoder) Encode(batch arrow.RecordBatch) error {
	if batch.NumRows() == 0 {
		return nil
	}
	size := sentOfBatch(batch)
	if len(e.waiting) > 0 && e.waitingBytes+size > targetBytes {
		if err := e.flush(); err != nil {
			return err
		}
	}
	batch.Retain()
	e.waiting = append(e.waiting, batch)
	e.waitingBytes += size
	if e.waitingBytes > targetBytes {
		return e.flush()
	}
	return nil
}

// Finish gives the rest of the stream.
func (e *Encoder) Finish() error {
	if err := e.flush(); err != nil {
		return err
	}
	// A writer that wrote nothing writes the schema now.
	if err := e.writer.Close(); err != nil {
		return unsendable(err)
	}
	content := append(bytes.Join(e.sink.messages, nil), EndMark...)
	e.sink.messages = nil
	return e.yield(Chunk{IPC: content, FirstRow: e.nextRow})
}

// Release frees what was not sent.
func (e *Encoder) Release() {
	for _, batch := range e.waiting {
		batch.Release()
	}
	e.waiting = nil
	for _, one := range e.dictionaries {
		one.Release()
	}
	e.dictionaries = nil
	_ = e.writer.Close()
}

// flush sends the batches that wait, as one if there are several.
func (e *Encoder) flush() error {
	batches := e.waiting
	e.waiting, e.waitingBytes = nil, 0
	if len(batches) > 1 {
		if one, err := joined(e.schema, batches, e.allocator); err == nil {
			for _, batch := range batches {
				batch.Release()
			}
			batches = []arrow.RecordBatch{one}
		}
		// Dictionaries may have together more values than keys can tell apart: then each batch is sent by itself.
	}
	var failed error
	for _, batch := range batches {
		if failed == nil {
			failed = e.cut(batch)
		}
		batch.Release()
	}
	return failed
}

func joined(schema *arrow.Schema, batches []arrow.RecordBatch, allocator memory.Allocator) (arrow.RecordBatch, error) {
	var columns []arrow.Array
	defer func() {
		for _, column := range columns {
			column.Release()
		}
	}()
	rows := int64(0)
	for _, batch := range batches {
		rows += batch.NumRows()
	}
	for index := range schema.NumFields() {
		parts := make([]arrow.Array, len(batches))
		for number, batch := range batches {
			parts[number] = batch.Column(index)
		}
		column, err := array.Concatenate(parts, allocator)
		if err != nil {
			return nil, err
		}
		columns = append(columns, column)
	}
	return array.NewRecordBatch(schema, columns, rows), nil
}

// cut sends a batch in parts, each about as large as a chunk should be.
func (e *Encoder) cut(batch arrow.RecordBatch) error {
	rows := batch.NumRows()
	target := int64(targetBytes)
	if e.targets > 1 {
		rowBytes := sentOfBatch(batch) / rows
		target = max(target, min(rowBytes*wideRows, e.targets*targetBytes))
	}
	type part struct{ begin, end int64 }
	// A stack instead of recursion. It is filled from the end, so that parts leave it in the order of their rows.
	open := []part{{0, rows}}
	for len(open) > 0 {
		one := open[len(open)-1]
		open = open[:len(open)-1]
		if err := func() error {
			slice := batch.NewSlice(one.begin, one.end)
			defer slice.Release()
			sent := sentOfBatch(slice)
			plain := sent
			if e.hasOwn {
				plain = plainOfBatch(slice)
			}
			count := one.end - one.begin
			switch {
			case sent <= target+target/4 && plain <= mostPlainBytes:
				return e.write(slice)
			case count > 1:
				pieces := min(max((sent+target-1)/target, (plain+mostPlainBytes-1)/mostPlainBytes, 2), count)
				for piece := pieces - 1; piece >= 0; piece-- {
					open = append(open, part{one.begin + count*piece/pieces, one.begin + count*(piece+1)/pieces})
				}
				return nil
			case sent > mostBytes:
				return fmt.Errorf("row %d takes %d bytes, but a row can have at most %d", e.nextRow, sent, int64(mostBytes))
			case plain > mostPlainBytes:
				return fmt.Errorf("row %d takes %d bytes, but a row can have at most %d", e.nextRow, plain, int64(mostPlainBytes))
			default:
				return e.write(slice)
			}
		}(); err != nil {
			return err
		}
	}
	return nil
}

// write sends a part as one chunk; dictionaries may need chunks of their own.
func (e *Encoder) write(part arrow.RecordBatch) error {
	if e.hasOwn {
		own, err := e.owned(part)
		if err != nil {
			return unsendable(err)
		}
		defer own.Release()
		part = own
		e.checkDictionaries(part)
	}
	if err := e.writer.Write(part); err != nil {
		return unsendable(err)
	}
	messages := e.sink.messages
	e.sink.messages = nil
	var content []byte
	for index, message := range messages {
		if len(message) > mostBytes {
			return fmt.Errorf("a dictionary takes %d bytes, but one can have at most %d", len(message), int64(mostBytes))
		}
		if len(content)+len(message) > mostBytes {
			if err := e.yield(Chunk{IPC: content, FirstRow: e.nextRow}); err != nil {
				return err
			}
			content = nil
		}
		if content == nil && index == len(messages)-1 {
			content = message
		} else {
			content = append(content, message...)
		}
	}
	chunk := Chunk{IPC: content, FirstRow: e.nextRow, Rows: uint64(part.NumRows())}
	e.nextRow += chunk.Rows
	return e.yield(chunk)
}

func (e *Encoder) owned(part arrow.RecordBatch) (arrow.RecordBatch, error) {
	var columns []arrow.Array
	defer func() {
		for _, column := range columns {
			column.Release()
		}
	}()
	for index := range int(part.NumCols()) {
		column, err := owned(part.Column(index), e.allocator)
		if err != nil {
			return nil, err
		}
		columns = append(columns, column)
	}
	return array.NewRecordBatch(e.schema, columns, part.NumRows()), nil
}

// checkDictionaries begins a new writer where a dictionary is not exactly the one that was sent: Arrow's writer takes floats
// that are nearly the same for the same, and would not send them.
func (e *Encoder) checkDictionaries(part arrow.RecordBatch) {
	var found []arrow.ArrayData
	for _, column := range part.Columns() {
		found = append(found, dictionariesOf(column.Data())...)
	}
	isSame := len(e.dictionaries) == len(found)
	for index := 0; isSame && index < len(found); index++ {
		isSame = found[index] == e.dictionaries[index] || sameValues(found[index], e.dictionaries[index])
	}
	if isSame {
		return
	}
	if e.dictionaries != nil {
		_ = e.writer.Close()
		e.newWriter()
		e.sink.skipSchema = true
	}
	for _, one := range found {
		one.Retain()
	}
	for _, one := range e.dictionaries {
		one.Release()
	}
	e.dictionaries = found
}

func sameValues(a, b arrow.ArrayData) bool {
	if a.Len() != b.Len() {
		return false
	}
	left, right := array.MakeFromData(a), array.MakeFromData(b)
	defer left.Release()
	defer right.Release()
	return array.Equal(left, right)
}

func sentOfBatch(batch arrow.RecordBatch) int64 {
	sum := int64(0)
	for _, column := range batch.Columns() {
		sum += sentBytes(column)
	}
	return sum
}

func plainOfBatch(batch arrow.RecordBatch) int64 {
	sum := int64(0)
	for _, column := range batch.Columns() {
		sum += plainBytes(column, mostPlainBytes)
	}
	return sum
}

func unsendable(err error) error { return fmt.Errorf("the table can't be sent: %w", err) }
