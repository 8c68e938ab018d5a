// Package direct makes one call of gRPC whose answer is a stream, over a connection of its own. It is for large tables: grpc-go takes
// frames of 16 KiB at most, and hands each one from one goroutine to another, which takes longer than everything else of a load.
// Here a frame has up to 1 MiB, and whoever waits for a message reads it from the connection to where it stays.
//
// It knows neither retries nor reasons. After any failure, its user asks again over gRPC, which tells what is wrong.
package direct

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/metadata"

	"github.com/polarway/polarway/clients/go/internal/wire"
)

const (
	frameBytes = 1 << 20
	// What is read with the beginning of a frame, and copied. The rest of the frame is read to where it stays.
	bufferBytes = 4 << 10
	// The only stream of the connection.
	streamID = 1
	// What every server takes before it has told its limits: a frame of headers, and one with the request.
	mostFirstBytes = 16 << 10
	// What a stream and a connection may be sent before a client gives more, as HTTP/2 has it.
	firstWindow = 65_535
	// The most that the headers of an answer may have.
	mostHeaderBytes = 64 << 10
	// The longest message. The server's chunks are far shorter.
	mostMessageBytes = 256 << 20
	// A message begins with a byte that tells whether it is compressed, and with its length.
	prefixBytes = 5
)

// Peer is a server, and how to talk to it.
type Peer struct {
	// Address is its host and port.
	Address string
	// TLS is how to secure the connection; nil if it is not.
	TLS *tls.Config
	// ConnectTime is the longest time to connect.
	ConnectTime time.Duration
	// Silence is how long a frame may take to come, and the server to take what is sent.
	Silence time.Duration
	// Window is how much may be on its way.
	Window uint32

	// avoidedUntil is when calls may be made again after one that failed; zero before the first.
	avoidedUntil atomic.Int64
}

// avoidedFor is how long no calls are made after one that failed.
const avoidedFor = time.Minute

// Avoid records that a call failed before it brought anything. Where only gRPC's connections reach the server, nobody should wait
// for the next call's failure, too.
func (p *Peer) Avoid() { p.avoidedUntil.Store(time.Now().Add(avoidedFor).UnixNano()) }

// IsAvoided tells whether a call failed a short time ago.
func (p *Peer) IsAvoided() bool { return time.Now().UnixNano() < p.avoidedUntil.Load() }

// Stream is the answer to a call. One goroutine at a time may use it.
type Stream struct {
	connection net.Conn
	reader     *bufio.Reader
	writer     *bufio.Writer
	framer     *http2.Framer
	// stopWatching ends the watch for the end of the call's context.
	stopWatching func() bool
	silence      time.Duration
	window       uint32
	// taken are the bytes that were read since the server was told that it may send as many more.
	taken uint32
	// left are the bytes of the current frame that were not read.
	left uint32
	// isLast tells whether no frame of data follows.
	isLast bool
	status string
}

// Open connects and sends a request. The call ends with the context.
func (p *Peer) Open(ctx context.Context, method string, headers metadata.MD, request []byte) (*Stream, error) {
	if prefixBytes+len(request) > mostFirstBytes {
		return nil, errors.New("the request is too long")
	}
	connection, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	s := &Stream{
		connection: connection,
		reader:     bufio.NewReaderSize(connection, bufferBytes),
		writer:     bufio.NewWriter(connection),
		silence:    p.Silence,
		window:     p.Window,
	}
	s.stopWatching = context.AfterFunc(ctx, func() { _ = connection.Close() })
	s.framer = http2.NewFramer(s.writer, s.reader)
	s.framer.SetMaxReadFrameSize(frameBytes)
	s.framer.SetReuseFrames()
	s.framer.MaxHeaderListSize = mostHeaderBytes
	s.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := s.begin(p, method, headers, request); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (p *Peer) connect(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.ConnectTime)
	defer cancel()
	plain, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.Address)
	if err != nil {
		return nil, err
	}
	if p.TLS == nil {
		return plain, nil
	}
	config := p.TLS.Clone()
	config.NextProtos = []string{http2.NextProtoTLS}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(p.Address)
	}
	secure := tls.Client(plain, config)
	err = secure.HandshakeContext(ctx)
	if err == nil && secure.ConnectionState().NegotiatedProtocol != http2.NextProtoTLS {
		err = errors.New("the server does not speak HTTP/2")
	}
	if err != nil {
		_ = plain.Close()
		return nil, err
	}
	return secure, nil
}

func (s *Stream) begin(p *Peer, method string, headers metadata.MD, request []byte) error {
	scheme := "http"
	if p.TLS != nil {
		scheme = "https"
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	add := func(name, value string) { _ = encoder.WriteField(hpack.HeaderField{Name: name, Value: value}) }
	add(":method", "POST")
	add(":scheme", scheme)
	add(":path", method)
	add(":authority", p.Address)
	add("content-type", "application/grpc")
	add("te", "trailers")
	for name, values := range headers {
		for _, value := range values {
			if strings.HasSuffix(name, "-bin") {
				value = base64.RawStdEncoding.EncodeToString([]byte(value))
			}
			add(name, value)
		}
	}
	if block.Len() > mostFirstBytes {
		return errors.New("the headers are too long")
	}
	message := binary.BigEndian.AppendUint32(make([]byte, 1, prefixBytes+len(request)), uint32(len(request)))
	_, err := s.writer.WriteString(http2.ClientPreface)
	return errors.Join(err,
		s.framer.WriteSettings(
			http2.Setting{ID: http2.SettingEnablePush, Val: 0},
			http2.Setting{ID: http2.SettingInitialWindowSize, Val: s.window},
			http2.Setting{ID: http2.SettingMaxFrameSize, Val: frameBytes},
			http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: mostHeaderBytes},
		),
		// The window of the stream alone bounds what is on its way.
		s.framer.WriteWindowUpdate(0, math.MaxInt32-firstWindow),
		s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: streamID, BlockFragment: block.Bytes(), EndHeaders: true}),
		s.framer.WriteData(streamID, true, append(message, request...)),
		s.flush(),
	)
}

// Next waits for the next message. The end of a call that succeeded is io.EOF.
func (s *Stream) Next(message *wire.Received) error {
	var prefix [prefixBytes]byte
	if _, err := io.ReadFull(s, prefix[:]); errors.Is(err, io.EOF) {
		if s.status != "0" {
			return fmt.Errorf("the call ended with status %q", s.status)
		}
		return io.EOF
	} else if err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(prefix[1:])
	if prefix[0] != 0 || length > mostMessageBytes {
		return errors.New("a message is compressed or too long")
	}
	return message.Decode(s, int(length))
}

// Close ends the call.
func (s *Stream) Close() {
	s.stopWatching()
	_ = s.connection.Close()
}

// Read reads what the messages are made of.
func (s *Stream) Read(into []byte) (int, error) {
	if len(into) == 0 {
		return 0, nil
	}
	if err := s.findData(); err != nil {
		return 0, err
	}
	count, err := s.reader.Read(into[:min(len(into), int(s.left))])
	s.left -= uint32(count)
	s.taken += uint32(count)
	if err == nil && s.taken >= s.window/2 && !s.isLast {
		err = s.giveWindow()
	}
	return count, broken(err)
}

// ReadByte reads one byte of the same.
func (s *Stream) ReadByte() (byte, error) {
	var one [1]byte
	_, err := io.ReadFull(s, one[:])
	return one[0], err
}

// flush sends what was written.
func (s *Stream) flush() error {
	return errors.Join(s.connection.SetWriteDeadline(time.Now().Add(s.silence)), s.writer.Flush())
}

// giveWindow lets the server send as much as was taken.
func (s *Stream) giveWindow() error {
	taken := s.taken
	s.taken = 0
	return errors.Join(s.framer.WriteWindowUpdate(0, taken), s.framer.WriteWindowUpdate(streamID, taken), s.flush())
}

// findData reads frames up to one with data. Behind the last it is io.EOF.
func (s *Stream) findData() error {
	for s.left == 0 {
		if s.isLast {
			return io.EOF
		}
		if err := s.connection.SetReadDeadline(time.Now().Add(s.silence)); err != nil {
			return err
		}
		header, err := s.framer.ReadFrameHeader()
		if err != nil {
			return broken(err)
		}
		if header.Type == http2.FrameData {
			// No server of this protocol adds padding.
			if header.StreamID != streamID || header.Flags.Has(http2.FlagDataPadded) {
				return errors.New("a frame of data is not as expected")
			}
			s.left, s.isLast = header.Length, header.Flags.Has(http2.FlagDataEndStream)
			continue
		}
		frame, err := s.framer.ReadFrameForHeader(header)
		if err != nil {
			return broken(err)
		}
		if err := s.take(frame); err != nil {
			return err
		}
	}
	return nil
}

// take takes a frame without data.
func (s *Stream) take(frame http2.Frame) error {
	switch frame := frame.(type) {
	case *http2.MetaHeadersFrame:
		if status := frame.PseudoValue("status"); status != "" && status != "200" {
			return fmt.Errorf("the answer is HTTP status %s", status)
		}
		for _, field := range frame.RegularFields() {
			if field.Name == "grpc-status" {
				s.status = field.Value
			}
		}
		s.isLast = frame.StreamEnded()
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			return errors.Join(s.framer.WriteSettingsAck(), s.flush())
		}
	case *http2.PingFrame:
		if !frame.IsAck() {
			return errors.Join(s.framer.WritePing(true, frame.Data), s.flush())
		}
	case *http2.GoAwayFrame:
		// A server that ends finishes the calls that it has begun.
		if frame.LastStreamID < streamID || frame.ErrCode != http2.ErrCodeNo {
			return fmt.Errorf("the server ended the connection: %v", frame.ErrCode)
		}
	case *http2.RSTStreamFrame:
		return fmt.Errorf("the server ended the call: %v", frame.ErrCode)
	}
	return nil
}

// broken is an error of the connection. That it ends is never the end of a call.
func broken(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
