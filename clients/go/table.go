package polarway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Table is a table in memory. It is an [arrow.Table], so that every function of Arrow's takes it. Whoever got it releases it.
type Table struct {
	arrow.Table
	batches    []arrow.RecordBatch
	references atomic.Int64
}

// rowsShown is how many rows a table shows as text.
const rowsShown = 20

// newTable takes the caller's references to the batches.
func newTable(schema *arrow.Schema, batches []arrow.RecordBatch) *Table {
	made := &Table{Table: array.NewTableFromRecords(schema, batches), batches: batches}
	made.references.Store(1)
	return made
}

// Batches returns the rows as record batches, in their order. They belong to the table: they are valid until it is
// released, unless they are kept with Retain.
func (t *Table) Batches() []arrow.RecordBatch { return slices.Clone(t.batches) }

// String shows the columns and the first 20 rows.
func (t *Table) String() string {
	if t.NumRows() <= rowsShown {
		return t.Table.String()
	}
	var first []arrow.RecordBatch
	missing := int64(rowsShown)
	for _, batch := range t.batches {
		part := batch.NewSlice(0, min(missing, batch.NumRows()))
		defer part.Release()
		first = append(first, part)
		if missing -= part.NumRows(); missing == 0 {
			break
		}
	}
	shown := array.NewTableFromRecords(t.Schema(), first)
	defer shown.Release()
	return fmt.Sprintf("%s%d more rows\n", shown, t.NumRows()-rowsShown)
}

// Retain keeps the table until one more Release.
func (t *Table) Retain() { t.references.Add(1) }

// Release frees the table's memory, once it was released as often as it was kept.
func (t *Table) Release() {
	if t.references.Add(-1) != 0 {
		return
	}
	t.Table.Release()
	for _, batch := range t.batches {
		batch.Release()
	}
	t.batches = nil
}

// source is a stream of batches.
type source interface {
	// next returns the next batch, which is the caller's; io.EOF behind the last.
	next(ctx context.Context) (arrow.RecordBatch, error)
	// schema returns the columns.
	schema() *arrow.Schema
	// close ends the call.
	close()
}

// gather makes a table of all batches.
func gather(ctx context.Context, from source) (*Table, error) {
	var batches []arrow.RecordBatch
	for {
		batch, err := from.next(ctx)
		if errors.Is(err, io.EOF) {
			return newTable(from.schema(), batches), nil
		}
		if err != nil {
			for _, batch := range batches {
				batch.Release()
			}
			return nil, err
		}
		batches = append(batches, batch)
	}
}

// Reader gives the rows of a load or of a query as they arrive. It is an [array.RecordReader]. Whoever got it releases it,
// which ends the call, so that the server stops its work. One goroutine at a time may use it.
type Reader struct {
	ctx        context.Context
	source     source
	current    arrow.RecordBatch
	err        error
	isOver     bool
	references atomic.Int64
}

var _ array.RecordReader = (*Reader)(nil)

func newReader(ctx context.Context, from source) *Reader {
	made := &Reader{ctx: ctx, source: from}
	made.references.Store(1)
	return made
}

// Schema returns the columns.
func (r *Reader) Schema() *arrow.Schema { return r.source.schema() }

// Next waits for the next batch, and tells whether there is one. It releases the batch before.
func (r *Reader) Next() bool {
	r.forget()
	if r.isOver {
		return false
	}
	batch, err := r.source.next(r.ctx)
	if err != nil {
		r.isOver = true
		r.source.close()
		if !errors.Is(err, io.EOF) {
			r.err = err
		}
		return false
	}
	r.current = batch
	return true
}

// RecordBatch returns the current batch. It is valid until the next call of Next or Release, unless it is kept with Retain.
func (r *Reader) RecordBatch() arrow.RecordBatch { return r.current }

// Record returns the current batch.
//
// Deprecated: use [Reader.RecordBatch].
func (r *Reader) Record() arrow.RecordBatch { return r.current }

// Err returns why there are no more batches, or nil if all have come.
func (r *Reader) Err() error { return r.err }

// Retain keeps the reader until one more Release.
func (r *Reader) Retain() { r.references.Add(1) }

// Release ends the call and frees the current batch, once the reader was released as often as it was kept.
func (r *Reader) Release() {
	if r.references.Add(-1) != 0 {
		return
	}
	r.forget()
	r.isOver = true
	r.source.close()
}

// Batches yields the rest of the batches, and at the end the error, if there is one. A batch is valid until the loop's next
// turn, unless it is kept with Retain.
func (r *Reader) Batches() iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for r.Next() {
			if !yield(r.current, nil) {
				return
			}
		}
		if r.err != nil {
			yield(nil, r.err)
		}
	}
}

func (r *Reader) forget() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}

// LoadReader gives the rows of a dataset, or of a handle, as they arrive.
type LoadReader struct {
	*Reader
	loading *loading
}

// Version returns the number of the version that is read. It does not change while it is read.
func (r *LoadReader) Version() uint64 { return r.loading.header.GetVersion() }

// TotalRows returns the number of rows of the whole version.
func (r *LoadReader) TotalRows() uint64 { return r.loading.header.GetRows() }

// SelectedRows returns the number of rows that were asked for, all of which come.
func (r *LoadReader) SelectedRows() uint64 { return r.loading.endRow - r.loading.selection.firstRow }

// OpenLoad begins to load a dataset, or a handle by its id, and gives its rows as they arrive, in their order. The context
// holds for the whole load. The reader is the caller's, who releases it.
func (c *Client) OpenLoad(ctx context.Context, name string, options ...LoadOption) (*LoadReader, error) {
	loading, err := c.beginLoading(ctx, name, options)
	if err != nil {
		return nil, err
	}
	return &LoadReader{newReader(ctx, loading), loading}, nil
}

// LoadStream yields the batches of a dataset, or of a handle by its id, as they arrive, in the order of the rows. A batch is
// valid until the loop's next turn, unless it is kept with Retain; so memory is freed as the loop goes. To leave the loop
// ends the call.
//
//	for batch, err := range client.LoadStream(ctx, "huge_dataset") {
//		if err != nil {
//			return err
//		}
//		process(batch)
//	}
func (c *Client) LoadStream(ctx context.Context, name string, options ...LoadOption) iter.Seq2[arrow.RecordBatch, error] {
	return stream(func() (*LoadReader, error) { return c.OpenLoad(ctx, name, options...) })
}

// stream yields the batches of a reader, which begins and ends with the loop.
func stream[R interface {
	Batches() iter.Seq2[arrow.RecordBatch, error]
	Release()
}](open func() (R, error)) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		reader, err := open()
		if err != nil {
			yield(nil, err)
			return
		}
		defer reader.Release()
		reader.Batches()(yield)
	}
}
