package polarway

import (
	"errors"
	"reflect"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/polarway/polarway/clients/go/internal/rows"
)

// How much of a reader that can be read only once is kept for a retry.
const keptBytes = 64 << 20

// outgoing is a table to send.
type outgoing struct {
	// open begins to read at the first row. It is called again for each retry.
	open func() (array.RecordReader, error)
	// isRepeatable tells whether the rows can be read again now.
	isRepeatable func() bool
	// isInMemory tells that to read a batch takes no time, and no code of the user's.
	isInMemory bool
	// release frees what belongs to the table.
	release func()
}

func always() bool { return true }

// outgoingOf takes a table in any of the forms that users have. The caller releases it.
func outgoingOf(records any) (*outgoing, error) {
	switch records := records.(type) {
	case nil:
		return nil, notRecords(records)
	case arrow.RecordBatch:
		return ofBatches(records.Schema(), []arrow.RecordBatch{records})
	case []arrow.RecordBatch:
		if len(records) == 0 {
			return nil, invalid("there are no record batches, so nobody knows the columns: give one, which may be empty")
		}
		return ofBatches(records[0].Schema(), records)
	case arrow.Table:
		records.Retain()
		return &outgoing{
			open:         func() (array.RecordReader, error) { return array.NewTableReader(records, -1), nil },
			isRepeatable: always,
			isInMemory:   true,
			release:      records.Release,
		}, nil
	case func() (array.RecordReader, error):
		return &outgoing{open: records, isRepeatable: always, release: func() {}}, nil
	case array.RecordReader:
		once := newReadOnce(records)
		return &outgoing{open: once.open, isRepeatable: once.isRepeatable, release: once.Release}, nil
	default:
		return ofStructs(records)
	}
}

func ofBatches(schema *arrow.Schema, batches []arrow.RecordBatch) (*outgoing, error) {
	for index, batch := range batches {
		if !batch.Schema().Equal(schema) {
			return nil, invalid("the record batch %d has other columns than the first", index)
		}
		batch.Retain()
	}
	return &outgoing{
		open:         func() (array.RecordReader, error) { return array.NewRecordReader(schema, batches) },
		isRepeatable: always,
		isInMemory:   true,
		release: func() {
			for _, batch := range batches {
				batch.Release()
			}
		},
	}, nil
}

func ofStructs(records any) (*outgoing, error) {
	value := reflect.ValueOf(records)
	if value.Kind() != reflect.Slice {
		return nil, notRecords(records)
	}
	element := value.Type().Elem()
	if element.Kind() == reflect.Pointer {
		element = element.Elem()
	}
	if element.Kind() != reflect.Struct {
		return nil, notRecords(records)
	}
	batch, err := rows.Encode(memory.DefaultAllocator, value)
	if err != nil {
		return nil, invalid("%v", err)
	}
	defer batch.Release()
	return ofBatches(batch.Schema(), []arrow.RecordBatch{batch})
}

func notRecords(records any) *Error {
	return invalid("%T is no table: give a record batch, a slice of them, an arrow.Table, a slice of structs, "+
		"an array.RecordReader, or a function that opens one", records)
}

// readOnce makes a reader that can be read only once readable again, as long as it is short: its batches are kept.
type readOnce struct {
	// The goroutine of a try that failed may still read when the next one begins.
	lock      sync.Mutex
	reader    array.RecordReader
	kept      []arrow.RecordBatch
	keptBytes int64
	err       error
	isOver    bool
	users     int
}

func newReadOnce(reader array.RecordReader) *readOnce {
	reader.Retain()
	return &readOnce{reader: reader, users: 1}
}

func (r *readOnce) isRepeatable() bool {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.keptBytes <= keptBytes
}

func (r *readOnce) open() (array.RecordReader, error) {
	r.Retain()
	return &readAgain{once: r}, nil
}

// Retain keeps the batches until one more Release.
func (r *readOnce) Retain() {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.users++
}

// Release frees the reader and the batches that were kept, once nobody uses them.
func (r *readOnce) Release() {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.users--; r.users == 0 {
		r.forget()
		r.reader.Release()
	}
}

func (r *readOnce) forget() {
	for index, batch := range r.kept {
		if batch != nil {
			batch.Release()
			r.kept[index] = nil
		}
	}
}

// at returns the batch with this number, which is the caller's; nil behind the last.
func (r *readOnce) at(index int) (arrow.RecordBatch, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if index < len(r.kept) {
		if r.kept[index] == nil {
			return nil, errors.New("the rows can be read only once")
		}
		r.kept[index].Retain()
		return r.kept[index], nil
	}
	if !r.isOver && !r.reader.Next() {
		r.isOver, r.err = true, r.reader.Err()
	}
	if r.isOver {
		return nil, r.err
	}
	batch := r.reader.RecordBatch()
	batch.Retain()
	for _, column := range batch.Columns() {
		r.keptBytes += int64(column.Data().SizeInBytes())
	}
	r.kept = append(r.kept, batch)
	batch.Retain()
	if r.keptBytes > keptBytes {
		r.forget()
	}
	return batch, nil
}

// readAgain reads what readOnce has, from the first batch on.
type readAgain struct {
	once    *readOnce
	next    int
	current arrow.RecordBatch
	err     error
}

func (r *readAgain) Retain() {}

func (r *readAgain) Release() {
	r.forget()
	r.once.Release()
}

func (r *readAgain) forget() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}

func (r *readAgain) Schema() *arrow.Schema { return r.once.reader.Schema() }

func (r *readAgain) Next() bool {
	r.forget()
	r.current, r.err = r.once.at(r.next)
	r.next++
	return r.current != nil
}

func (r *readAgain) RecordBatch() arrow.RecordBatch { return r.current }

func (r *readAgain) Record() arrow.RecordBatch { return r.current }

func (r *readAgain) Err() error { return r.err }
