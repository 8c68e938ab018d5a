// Package wire has the messages of the protocol as they travel. Most are those of protoc-gen-go; the ones that carry tables
// are read and written without their rows being copied more than once.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// The field numbers of the messages with chunks: the chunk is the first field of what a server sends and the second of what
// it receives, and the bytes of Arrow are the first field of a chunk.
const (
	receivedChunkField = 1
	sentChunkField     = 2
	ipcField           = 1
	firstRowField      = 2
	rowsField          = 3
)

// Codec encodes and decodes messages for gRPC.
type Codec struct{}

// Name returns the name of the encoding.
func (Codec) Name() string { return "proto" }

// Marshal encodes a request.
func (Codec) Marshal(message any) (mem.BufferSlice, error) {
	switch message := message.(type) {
	case *SentChunk:
		return message.encode(), nil
	case proto.Message:
		content, err := proto.Marshal(message)
		if err != nil {
			return nil, err
		}
		return mem.BufferSlice{mem.SliceBuffer(content)}, nil
	default:
		return nil, fmt.Errorf("%T is no message", message)
	}
}

// Unmarshal decodes an answer.
func (Codec) Unmarshal(data mem.BufferSlice, message any) error {
	switch message := message.(type) {
	case *Received:
		source := data.Reader()
		defer source.Close()
		return message.Decode(source, source.Remaining())
	case proto.Message:
		content := data.MaterializeToBuffer(mem.DefaultBufferPool())
		defer content.Free()
		return proto.Unmarshal(content.ReadOnlyData(), message)
	default:
		return fmt.Errorf("%T is no message", message)
	}
}

// SentChunk is a part of an upload with rows.
type SentChunk struct {
	// Ipc is freed when it has been sent.
	Ipc      mem.Buffer
	FirstRow uint64
	Rows     uint64
}

func (c *SentChunk) encode() mem.BufferSlice {
	var place []byte
	if c.FirstRow > 0 {
		place = protowire.AppendTag(place, firstRowField, protowire.VarintType)
		place = protowire.AppendVarint(place, c.FirstRow)
	}
	if c.Rows > 0 {
		place = protowire.AppendTag(place, rowsField, protowire.VarintType)
		place = protowire.AppendVarint(place, c.Rows)
	}
	length := uint64(c.Ipc.Len())
	inside := protowire.SizeTag(ipcField) + protowire.SizeBytes(c.Ipc.Len()) + len(place)
	var head []byte
	head = protowire.AppendTag(head, sentChunkField, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(inside))
	head = protowire.AppendTag(head, ipcField, protowire.BytesType)
	head = protowire.AppendVarint(head, length)
	return mem.BufferSlice{mem.SliceBuffer(head), c.Ipc, mem.SliceBuffer(place)}
}

// Received is a step of a stream that a server sends: a chunk of a table, and other fields.
type Received struct {
	// Allocator is where the bytes of the chunk are put.
	Allocator memory.Allocator
	// Ipc has the bytes of the chunk, at an aligned address; nil if there is no chunk. Whoever takes it releases it.
	Ipc      *memory.Buffer
	FirstRow uint64
	Rows     uint64
	// Rest has the other fields of the message, encoded.
	Rest []byte
}

// HasNothing tells whether the message is a heartbeat.
func (r *Received) HasNothing() bool { return r.Ipc == nil && len(r.Rest) == 0 }

// Release frees the bytes of the chunk, if nobody has taken them.
func (r *Received) Release() {
	if r.Ipc != nil {
		r.Ipc.Release()
		r.Ipc = nil
	}
}

var errMalformed = errors.New("the message is malformed")

// Source is what a message is read from.
type Source interface {
	io.Reader
	io.ByteReader
}

// Decode reads a message of this length.
func (r *Received) Decode(from Source, length int) error {
	r.Release()
	r.FirstRow, r.Rows, r.Rest = 0, 0, nil
	source := &reader{from, length}
	for source.remaining > 0 {
		tag, err := binary.ReadUvarint(source)
		if err != nil {
			return errMalformed
		}
		number, kind := protowire.DecodeTag(tag)
		if number == receivedChunkField && kind == protowire.BytesType {
			if err := r.decodeChunk(source); err != nil {
				return err
			}
			continue
		}
		value, err := source.value(kind)
		if err != nil {
			return err
		}
		r.Rest = append(protowire.AppendVarint(r.Rest, tag), value...)
	}
	return nil
}

func (r *Received) decodeChunk(source *reader) error {
	length, err := source.length()
	if err != nil {
		return err
	}
	// A chunk without bytes is none: there is nothing in it to decode.
	if r.Ipc == nil {
		r.Ipc = memory.NewResizableBuffer(r.Allocator)
	}
	end := source.remaining - length
	for source.remaining > end {
		tag, err := binary.ReadUvarint(source)
		if err != nil {
			return errMalformed
		}
		number, kind := protowire.DecodeTag(tag)
		switch {
		case number == ipcField && kind == protowire.BytesType:
			length, err := source.length()
			if err != nil {
				return err
			}
			r.Ipc.Resize(length)
			if _, err := io.ReadFull(source, r.Ipc.Bytes()); err != nil {
				return errMalformed
			}
		case kind == protowire.VarintType && (number == firstRowField || number == rowsField):
			value, err := binary.ReadUvarint(source)
			if err != nil {
				return errMalformed
			}
			if number == firstRowField {
				r.FirstRow = value
			} else {
				r.Rows = value
			}
		default:
			if _, err := source.value(kind); err != nil {
				return err
			}
		}
	}
	if source.remaining != end {
		return errMalformed
	}
	return nil
}

// reader reads the fields of a message, and no further.
type reader struct {
	source Source
	// The bytes of the message that were not read.
	remaining int
}

// Read reads some of the next bytes, of which there are as many as fit.
func (r *reader) Read(into []byte) (int, error) {
	count, err := r.source.Read(into)
	r.remaining -= count
	return count, err
}

// ReadByte reads the next byte.
func (r *reader) ReadByte() (byte, error) {
	if r.remaining == 0 {
		return 0, io.EOF
	}
	r.remaining--
	return r.source.ReadByte()
}

// length reads the length of a field, which can't be longer than what is there.
func (r *reader) length() (int, error) {
	length, err := binary.ReadUvarint(r)
	if err != nil || length > uint64(r.remaining) {
		return 0, errMalformed
	}
	return int(length), nil
}

// value reads a field's value, and returns it with its length, if it has one.
func (r *reader) value(kind protowire.Type) ([]byte, error) {
	var value []byte
	size := 0
	switch kind {
	case protowire.VarintType:
		number, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, errMalformed
		}
		return protowire.AppendVarint(nil, number), nil
	case protowire.BytesType:
		length, err := r.length()
		if err != nil {
			return nil, err
		}
		value, size = protowire.AppendVarint(nil, uint64(length)), length
	case protowire.Fixed32Type:
		size = 4
	case protowire.Fixed64Type:
		size = 8
	default:
		return nil, errMalformed
	}
	if size > r.remaining {
		return nil, errMalformed
	}
	before := len(value)
	value = append(value, make([]byte, size)...)
	if _, err := io.ReadFull(r, value[before:]); err != nil {
		return nil, errMalformed
	}
	return value, nil
}
