// The Go client's side of `cargo xtask bench --clients`: go run . DATA WORK SERVER PYTHON FLIGHT.
//
// It reads names of measures from standard input and answers each with a line of JSON, as the other participants do. SERVER is
// the program of the server; PYTHON runs FLIGHT, the server of Arrow Flight with the same table. The peer is arrow-go's
// Flight client. Measures whose names end in `-cpu` are CPU time of this process, the others are time.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/polarway/polarway/clients/go"
)

const (
	smallRows  = 1_000
	shortCalls = 501
)

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: bench DATA WORK SERVER PYTHON FLIGHT")
		os.Exit(2)
	}
	bench := &bench{data: os.Args[1], work: os.Args[2], server: os.Args[3], python: os.Args[4], flight: os.Args[5]}
	defer bench.close()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		answer := map[string]any{"name": lines.Text()}
		if seconds, err := bench.measure(lines.Text()); err != nil {
			answer["error"] = err.Error()
		} else {
			answer["seconds"] = seconds
		}
		content, _ := json.Marshal(answer)
		fmt.Println(string(content))
	}
}

// bench has what is set up when it is first asked for.
type bench struct {
	data, work, server, python, flight string

	ending []func()
	client *polarway.Client
	peer   flight.Client
	rows   int64
}

func (b *bench) close() {
	for _, end := range slices.Backward(b.ending) {
		end()
	}
}

func (b *bench) measure(name string) (float64, error) {
	if err := b.setUp(); err != nil {
		return 0, err
	}
	ctx := context.Background()
	clock := wall
	if strings.HasSuffix(name, "-cpu") {
		clock = cpu
	}
	switch strings.TrimSuffix(name, "-cpu") {
	case "go-load":
		return timed(clock, func() error { return b.load(ctx, "stored", b.rows) })
	case "go-flight.load":
		return timed(clock, func() error { return b.loadByFlight(ctx, "memory", b.rows) })
	case "go-load-small":
		return median(clock, func() error { return b.load(ctx, "small", smallRows) })
	case "go-flight.load-small":
		return median(clock, func() error { return b.loadByFlight(ctx, "small", smallRows) })
	default:
		return 0, fmt.Errorf("there is no measure %q", name)
	}
}

func (b *bench) load(ctx context.Context, name string, rows int64) error {
	table, err := b.client.Load(ctx, name)
	if err != nil {
		return err
	}
	defer table.Release()
	if table.NumRows() != rows {
		return fmt.Errorf("%d rows, and not %d", table.NumRows(), rows)
	}
	return nil
}

// loadByFlight makes a table of what a Flight server sends, as arrow-go's users do.
func (b *bench) loadByFlight(ctx context.Context, ticket string, rows int64) error {
	stream, err := b.peer.DoGet(ctx, &flight.Ticket{Ticket: []byte(ticket)})
	if err != nil {
		return err
	}
	reader, err := flight.NewRecordReader(stream)
	if err != nil {
		return err
	}
	defer reader.Release()
	var batches []arrow.RecordBatch
	for reader.Next() {
		batch := reader.RecordBatch()
		batch.Retain()
		batches = append(batches, batch)
	}
	if reader.Err() != nil {
		return reader.Err()
	}
	table := array.NewTableFromRecords(reader.Schema(), batches)
	defer table.Release()
	for _, batch := range batches {
		batch.Release()
	}
	if table.NumRows() != rows {
		return fmt.Errorf("%d rows, and not %d", table.NumRows(), rows)
	}
	return nil
}

func wall() time.Duration { return time.Duration(time.Now().UnixNano()) }

func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func timed(clock func() time.Duration, do func() error) (float64, error) {
	// What the last measure left is not this one's.
	runtime.GC()
	began := clock()
	err := do()
	return (clock() - began).Seconds(), err
}

func median(clock func() time.Duration, do func() error) (float64, error) {
	var all []float64
	for range shortCalls {
		began := clock()
		if err := do(); err != nil {
			return 0, err
		}
		all = append(all, (clock() - began).Seconds())
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

func (b *bench) setUp() error {
	if b.client != nil {
		return nil
	}
	address, err := b.start(regexp.MustCompile(`listening on (\S+)`), b.server,
		"--bind", "127.0.0.1:0", "--janitor-interval", "never", "--cache-size", "4.0", "--data-dir", b.work)
	if err != nil {
		return err
	}
	ctx := context.Background()
	client, err := polarway.Dial(ctx, address, polarway.WithTimeout(2*time.Minute))
	if err != nil {
		return err
	}
	b.ending = append(b.ending, func() { _ = client.Close() })
	stored, err := client.Store(ctx, "stored", b.open)
	if err != nil {
		return err
	}
	b.rows = int64(stored.Rows)
	small, err := client.Load(ctx, "stored", polarway.Rows(0, smallRows))
	if err != nil {
		return err
	}
	defer small.Release()
	if _, err := client.Store(ctx, "small", small); err != nil {
		return err
	}
	port, err := b.start(regexp.MustCompile(`^(\d+)$`), b.python, b.flight, b.data, "0")
	if err != nil {
		return err
	}
	b.peer, err = flight.NewClientWithMiddleware("127.0.0.1:"+port, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	if err != nil {
		return err
	}
	b.ending = append(b.ending, func() { _ = b.peer.Close() })
	b.client = client
	// Both have what they send in memory.
	if err := b.load(ctx, "stored", b.rows); err != nil {
		return err
	}
	return b.loadByFlight(ctx, "memory", b.rows)
}

// open reads the table's file.
func (b *bench) open() (array.RecordReader, error) {
	file, err := os.Open(filepath.Join(b.data, "table.arrow"))
	if err != nil {
		return nil, err
	}
	reader, err := ipc.NewFileReader(file)
	if err != nil {
		return nil, err
	}
	var batches []arrow.RecordBatch
	for index := range reader.NumRecords() {
		batch, err := reader.RecordBatchAt(index)
		if err != nil {
			return nil, err
		}
		batches = append(batches, batch)
	}
	return array.NewRecordReader(reader.Schema(), batches)
}

// start runs a program until this one ends, and returns what a line of it says.
func (b *bench) start(says *regexp.Regexp, program string, arguments ...string) (string, error) {
	command := exec.Command(program, arguments...)
	reader, writer := io.Pipe()
	command.Stdout, command.Stderr = writer, writer
	input, err := command.StdinPipe()
	if err != nil {
		return "", err
	}
	if err := command.Start(); err != nil {
		return "", err
	}
	b.ending = append(b.ending, func() {
		_ = input.Close()
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
	})
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		if found := says.FindStringSubmatch(lines.Text()); found != nil {
			go func() { _, _ = io.Copy(io.Discard, reader) }()
			return found[1], nil
		}
	}
	return "", fmt.Errorf("%s ended", program)
}
