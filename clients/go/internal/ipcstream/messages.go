// Package ipcstream reads and writes tables as they travel: Arrow IPC streams that are cut into chunks at the borders of
// their messages. What is read stays where it is: batches are views of the chunks, which live as long as their batches.
package ipcstream

import (
	"encoding/binary"
	"errors"
	"io"

	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const (
	continuation = 0xFFFFFFFF
	prefixBytes  = 8
	// Every buffer of Arrow's begins at a multiple of this, from the beginning of its chunk.
	alignment = 8
	// The place of the field bodyLength in the table of a Message, see Arrow's Message.fbs.
	bodyLengthField = 10
)

// EndMark is the end of a stream. Only this shows that a table is complete: a proxy may end a call too early.
var EndMark = []byte{0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0}

var errCut = errors.New("a message is cut")

// messages cuts chunks into messages for Arrow's reader. It has one reference to each chunk that is not read to its end.
type messages struct {
	chunks   []*memory.Buffer
	position int
	current  *ipc.Message
}

// add takes a chunk, with the caller's reference to it.
func (m *messages) add(chunk *memory.Buffer) {
	m.chunks = append(m.chunks, chunk)
}

// Message returns the next message. It is valid until the next call.
func (m *messages) Message() (*ipc.Message, error) {
	m.forget()
	for len(m.chunks) > 0 && m.position == m.chunks[0].Len() {
		m.chunks[0].Release()
		m.chunks[0] = nil
		m.chunks, m.position = m.chunks[1:], 0
	}
	if len(m.chunks) == 0 {
		return nil, io.EOF
	}
	chunk := m.chunks[0]
	rest := chunk.Bytes()[m.position:]
	if len(rest) < prefixBytes {
		return nil, errCut
	}
	if binary.LittleEndian.Uint32(rest) != continuation {
		return nil, errors.New("a message does not begin as one")
	}
	length := int(int32(binary.LittleEndian.Uint32(rest[4:])))
	if length == 0 {
		return nil, io.EOF
	}
	if length < 0 || length > len(rest)-prefixBytes {
		return nil, errCut
	}
	body, err := bodyLength(rest[prefixBytes : prefixBytes+length])
	if err != nil {
		return nil, err
	}
	end := prefixBytes + length
	if body < 0 || body > int64(len(rest)-end) {
		return nil, errCut
	}
	meta := memory.SliceBuffer(chunk, m.position+prefixBytes, length)
	content := part(chunk, m.position+end, int(body))
	m.position += end + int(body)
	m.current = ipc.NewMessage(meta, content)
	meta.Release()
	content.Release()
	return m.current, nil
}

// part is a view of a chunk. Where Arrow's values would not be aligned in it, it is a copy.
func part(chunk *memory.Buffer, position, length int) *memory.Buffer {
	if position%alignment == 0 {
		return memory.SliceBuffer(chunk, position, length)
	}
	copied := memory.NewBufferBytes(make([]byte, length))
	copy(copied.Bytes(), chunk.Bytes()[position:])
	return copied
}

// bodyLength reads the length of a message's body from its metadata. Malformed metadata makes the library panic.
func bodyLength(meta []byte) (length int64, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the metadata of a message is malformed")
		}
	}()
	table := flatbuffers.Table{Bytes: meta, Pos: flatbuffers.GetUOffsetT(meta)}
	place := flatbuffers.UOffsetT(table.Offset(bodyLengthField))
	if place == 0 {
		return 0, nil
	}
	return table.GetInt64(place + table.Pos), nil
}

func (m *messages) forget() {
	if m.current != nil {
		m.current.Release()
		m.current = nil
	}
}

// Retain does nothing: the reader of a stream is the only owner.
func (m *messages) Retain() {}

// Release frees what was not read.
func (m *messages) Release() {
	m.forget()
	for _, chunk := range m.chunks {
		chunk.Release()
	}
	m.chunks = nil
}
