package direct_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/polarway/polarway/clients/go/internal/direct"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
	"github.com/polarway/polarway/clients/go/internal/wire"
)

// answering is a server for one connection, which reads the request and answers as it is told to.
func answering(t *testing.T, answer func(framer *http2.Framer, connection net.Conn)) *direct.Peer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		reader := bufio.NewReader(connection)
		if _, err := io.ReadFull(reader, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		framer := http2.NewFramer(connection, reader)
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				return
			}
			if data, isData := frame.(*http2.DataFrame); isData && data.StreamEnded() {
				break
			}
		}
		answer(framer, connection)
	}()
	t.Cleanup(func() { _ = listener.Close(); <-ended })
	return &direct.Peer{Address: listener.Addr().String(), ConnectTime: time.Minute, Silence: time.Minute, Window: 1 << 20}
}

// message is a message with a chunk of these bytes.
func message(rows uint64, content []byte) []byte {
	var chunk []byte
	chunk = protowire.AppendTag(chunk, 1, protowire.BytesType)
	chunk = protowire.AppendBytes(chunk, content)
	chunk = protowire.AppendTag(chunk, 3, protowire.VarintType)
	chunk = protowire.AppendVarint(chunk, rows)
	whole := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), chunk)
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(whole))), whole...)
}

func headers(framer *http2.Framer, isLast bool, fields ...string) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for index := 0; index < len(fields); index += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: fields[index], Value: fields[index+1]})
	}
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: isLast})
}

// read reads the whole answer.
func read(t *testing.T, peer *direct.Peer) (chunks []string, err error) {
	t.Helper()
	stream, err := peer.Open(polarwaytest.Context(t), "/service/Method", metadata.Pairs("a", "b", "c-bin", "\x00"), []byte("request"))
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	step := wire.Received{Allocator: memory.DefaultAllocator}
	defer step.Release()
	for {
		err := stream.Next(&step)
		if errors.Is(err, io.EOF) {
			return chunks, nil
		}
		if err != nil {
			return chunks, err
		}
		if step.Ipc != nil {
			chunks = append(chunks, string(step.Ipc.Bytes()))
		}
	}
}

func TestMessagesAreReadFromFramesOfAnyLengthBetweenOthers(t *testing.T) {
	polarwaytest.NoLeaks(t)
	large := strings.Repeat("large", 300_000)
	peer := answering(t, func(framer *http2.Framer, _ net.Conn) {
		_ = framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 7})
		_ = framer.WriteSettingsAck()
		headers(framer, false, ":status", "200", "content-type", "application/grpc")
		for _, one := range message(5, []byte("small")) {
			_ = framer.WriteData(1, false, []byte{one})
			_ = framer.WritePing(false, [8]byte{one})
		}
		// A heartbeat.
		_ = framer.WriteData(1, false, make([]byte, 5))
		_ = framer.WriteData(1, false, nil)
		content := message(9, []byte(large))
		_ = framer.WriteData(1, false, content[:1<<20])
		_ = framer.WriteGoAway(1<<31-1, http2.ErrCodeNo, nil)
		_ = framer.WriteData(1, false, content[1<<20:])
		headers(framer, true, "grpc-status", "0", "grpc-message", "")
		// What the client sends is read to the end: else closing would throw away what it has not read.
		pings := 0
		updated := uint32(0)
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				break
			}
			switch frame := frame.(type) {
			case *http2.PingFrame:
				if frame.IsAck() {
					pings++
				}
			case *http2.WindowUpdateFrame:
				if frame.StreamID == 1 {
					updated += frame.Increment
				}
			}
		}
		if pings != len(message(5, []byte("small"))) || updated < 1<<20 {
			t.Errorf("%d pings were answered, and %d bytes were given", pings, updated)
		}
	})
	chunks, err := read(t, peer)
	if err != nil || len(chunks) != 2 || chunks[0] != "small" || chunks[1] != large {
		t.Errorf("%d chunks, %v", len(chunks), err)
	}
}

func TestAnAnswerThatIsNoneIsAnError(t *testing.T) {
	polarwaytest.NoLeaks(t)
	begin := func(framer *http2.Framer) {
		headers(framer, false, ":status", "200", "content-type", "application/grpc")
	}
	for name, test := range map[string]struct {
		says   string
		answer func(framer *http2.Framer, connection net.Conn)
	}{
		"the connection ends": {"unexpected EOF", func(*http2.Framer, net.Conn) {}},
		"the connection ends in a message": {"malformed", func(framer *http2.Framer, _ net.Conn) {
			begin(framer)
			_ = framer.WriteData(1, false, message(1, []byte("cut"))[:9])
		}},
		"the connection ends between messages": {"unexpected EOF", func(framer *http2.Framer, _ net.Conn) {
			begin(framer)
			_ = framer.WriteData(1, false, message(1, []byte("whole")))
		}},
		"the stream ends in a message": {"malformed", func(framer *http2.Framer, _ net.Conn) {
			begin(framer)
			_ = framer.WriteData(1, true, message(1, []byte("cut"))[:9])
		}},
		"the stream ends without a status": {`status ""`, func(framer *http2.Framer, _ net.Conn) {
			begin(framer)
			_ = framer.WriteData(1, true, message(1, []byte("whole")))
		}},
		"the call failed":        {`status "13"`, func(framer *http2.Framer, _ net.Conn) { headers(framer, true, ":status", "200", "grpc-status", "13") }},
		"a proxy answers":        {"HTTP status 502", func(framer *http2.Framer, _ net.Conn) { headers(framer, true, ":status", "502") }},
		"the stream is reset":    {"REFUSED_STREAM", func(framer *http2.Framer, _ net.Conn) { _ = framer.WriteRSTStream(1, http2.ErrCodeRefusedStream) }},
		"the server has ended":   {"ended the connection", func(framer *http2.Framer, _ net.Conn) { _ = framer.WriteGoAway(0, http2.ErrCodeNo, nil) }},
		"the server is offended": {"ENHANCE_YOUR_CALM", func(framer *http2.Framer, _ net.Conn) { _ = framer.WriteGoAway(1, http2.ErrCodeEnhanceYourCalm, nil) }},
		"it speaks HTTP/1": {"", func(_ *http2.Framer, connection net.Conn) {
			_, _ = connection.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		}},
		"a frame is too long": {"frame too large", func(_ *http2.Framer, connection net.Conn) {
			_, _ = connection.Write([]byte{0x20, 0, 0, 0, 0, 0, 0, 0, 1})
		}},
		"a frame has padding": {"not as expected", func(framer *http2.Framer, _ net.Conn) {
			_ = framer.WriteDataPadded(1, false, []byte{0}, make([]byte, 3))
		}},
		"a frame is of another stream": {"not as expected", func(framer *http2.Framer, _ net.Conn) { _ = framer.WriteData(3, false, []byte{0}) }},
		"a message is compressed":      {"compressed", func(framer *http2.Framer, _ net.Conn) { _ = framer.WriteData(1, false, []byte{1, 0, 0, 0, 1, 0}) }},
		"a message is endless": {"too long", func(framer *http2.Framer, _ net.Conn) {
			_ = framer.WriteData(1, false, []byte{0, 0xFF, 0xFF, 0xFF, 0xFF})
		}},
		"a chunk is longer than its message": {"malformed", func(framer *http2.Framer, _ net.Conn) {
			_ = framer.WriteData(1, false, []byte{0, 0, 0, 0, 4, 0x0A, 0x7F, 0x0A, 0x7D})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			peer := answering(t, func(framer *http2.Framer, connection net.Conn) {
				framer.AllowIllegalWrites = true
				test.answer(framer, connection)
				_ = connection.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, connection)
			})
			if _, err := read(t, peer); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v has no %q", err, test.says)
			}
		})
	}
}

func TestSilenceAndTheEndOfTheContextEndACall(t *testing.T) {
	polarwaytest.NoLeaks(t)
	until := make(chan struct{})
	silent := func(framer *http2.Framer, _ net.Conn) { <-until }
	peer := answering(t, silent)
	peer.Silence = 50 * time.Millisecond
	if _, err := read(t, peer); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Error(err)
	}
	peer = answering(t, silent)
	ctx, cancel := context.WithCancel(polarwaytest.Context(t))
	stream, err := peer.Open(ctx, "/service/Method", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := stream.Next(&wire.Received{Allocator: memory.DefaultAllocator}); err == nil {
		t.Error("it waited for a server that says nothing")
	}
	stream.Close()
	if _, err := peer.Open(ctx, "/service/Method", nil, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(until)
}

func TestAPeerIsAvoidedForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer := &direct.Peer{}
		if peer.IsAvoided() {
			t.Error("nothing has failed")
		}
		peer.Avoid()
		time.Sleep(59 * time.Second)
		if !peer.IsAvoided() {
			t.Error("a minute is not over")
		}
		time.Sleep(time.Second)
		if peer.IsAvoided() {
			t.Error("a minute is over")
		}
	})
}

func TestWhatDoesNotFitIntoTheFirstFramesIsRefused(t *testing.T) {
	peer := answering(t, func(*http2.Framer, net.Conn) {})
	if _, err := peer.Open(t.Context(), "/service/Method", nil, make([]byte, 17<<10)); err == nil {
		t.Error("the request is too long")
	}
	if _, err := peer.Open(t.Context(), "/service/Method", metadata.Pairs("a", strings.Repeat("é", 17<<10)), nil); err == nil {
		t.Error("the headers are too long")
	}
}
