package ipcstream

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Decoder reads one stream, chunk by chunk.
type Decoder struct {
	allocator memory.Allocator
	source    messages
	reader    *ipc.Reader
	isEnded   bool
}

// NewDecoder makes a decoder. What it must allocate, such as decompressed buffers, comes from the allocator.
func NewDecoder(allocator memory.Allocator) *Decoder {
	return &Decoder{allocator: allocator}
}

// Schema returns the table's columns, after the first chunk.
func (d *Decoder) Schema() *arrow.Schema {
	if d.reader == nil {
		return nil
	}
	return d.reader.Schema()
}

// IsEnded tells whether the last chunk had the end of the stream.
func (d *Decoder) IsEnded() bool { return d.isEnded }

// Batches takes a chunk, with the caller's reference to it, and returns the batches with its rows. They are the caller's.
// A chunk without rows may have dictionaries for the next one.
func (d *Decoder) Batches(chunk *memory.Buffer, rows uint64) (batches []arrow.RecordBatch, err error) {
	d.isEnded = bytes.HasSuffix(chunk.Bytes(), EndMark)
	d.source.add(chunk)
	if d.reader == nil {
		reader, err := ipc.NewReaderFromMessageReader(&d.source, ipc.WithAllocator(d.allocator))
		if err != nil {
			return nil, err
		}
		d.reader = reader
	}
	defer func() {
		if err != nil {
			for _, batch := range batches {
				batch.Release()
			}
			batches = nil
		}
	}()
	missing := int64(rows)
	for missing > 0 {
		if !d.reader.Next() {
			if err := d.reader.Err(); err != nil {
				return batches, err
			}
			return batches, fmt.Errorf("a chunk of %d rows ends %d rows early", rows, missing)
		}
		batch := d.reader.RecordBatch()
		batch.Retain()
		batches = append(batches, batch)
		missing -= batch.NumRows()
	}
	if missing < 0 {
		return batches, fmt.Errorf("a chunk of %d rows has %d rows more", rows, -missing)
	}
	return batches, nil
}

// Release frees what was not read.
func (d *Decoder) Release() {
	if d.reader != nil {
		d.reader.Release()
		d.reader = nil
	}
	d.source.Release()
}

// ReadSchema reads a schema: a stream that has nothing else, or only its first message.
func ReadSchema(content []byte) (*arrow.Schema, error) {
	decoder := NewDecoder(memory.DefaultAllocator)
	defer decoder.Release()
	if _, err := decoder.Batches(memory.NewBufferBytes(content), 0); err != nil {
		return nil, err
	}
	return decoder.Schema(), nil
}
