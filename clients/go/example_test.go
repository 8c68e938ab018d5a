package polarway_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"testing"

	"github.com/polarway/polarway/clients/go"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

// TestMain runs a server for the examples.
func TestMain(m *testing.M) {
	for _, name := range []string{"POLARWAY_URL", "POLARWAY_AUTH_TOKEN"} {
		_ = os.Unsetenv(name)
	}
	os.Exit(polarwaytest.WithServer(func(address string) int {
		exampleServer = address
		return m.Run()
	}))
}

// exampleServer is the address of the examples' server; empty if there is none.
var exampleServer string

// example makes a client for an example. Without a server it prints what is expected, as an example can't be skipped.
func example(expected string) (context.Context, *polarway.Client) {
	if exampleServer == "" {
		fmt.Print(expected)
		return nil, nil
	}
	ctx := context.Background()
	client, err := polarway.Dial(ctx, exampleServer)
	if err != nil {
		log.Fatal(err)
	}
	return ctx, client
}

func ExampleClient_Store() {
	ctx, client := example("1 3\n")
	if client == nil {
		return
	}
	defer client.Close()
	type trade struct {
		Symbol string  `polarway:"symbol"`
		Price  float64 `polarway:"price"`
	}
	published, err := client.Store(ctx, "trades_20260203", []trade{{"BTC", 50000}, {"ETH", 3000}, {"SOL", 100}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(published.Version, published.Rows)
	// Output: 1 3
}

func ExampleClient_Query() {
	ctx, client := example("[{UA 2}]\n")
	if client == nil {
		return
	}
	defer client.Close()
	table, err := client.Query(ctx, "SELECT ? AS carrier, ?::BIGINT AS n", "UA", 2)
	if err != nil {
		log.Fatal(err)
	}
	defer table.Release()
	var rows []struct {
		Carrier string
		N       int64
	}
	if err := table.Scan(&rows); err != nil {
		log.Fatal(err)
	}
	fmt.Println(rows)
	// Output: [{UA 2}]
}

func ExampleClient_QueryStream() {
	ctx, client := example("1000000\n")
	if client == nil {
		return
	}
	defer client.Close()
	rows := int64(0)
	for batch, err := range client.QueryStream(ctx, "FROM range(1000000)") {
		if err != nil {
			log.Fatal(err)
		}
		rows += batch.NumRows()
	}
	fmt.Println(rows)
	// Output: 1000000
}

func ExampleError() {
	ctx, client := example("UNKNOWN_DATASET NotFound false\n")
	if client == nil {
		return
	}
	defer client.Close()
	_, err := client.Load(ctx, "nobody")
	var failed *polarway.Error
	if errors.Is(err, polarway.ErrNotFound) && errors.As(err, &failed) {
		fmt.Println(failed.Reason, failed.Code, failed.Retryable)
	}
	// Output: UNKNOWN_DATASET NotFound false
}

func ExampleHandle_GroupBy() {
	ctx, client := example("[{0 5} {1 5}]\n")
	if client == nil {
		return
	}
	defer client.Close()
	numbers, err := client.QueryHandle(ctx, "SELECT range AS n FROM range(10)")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = numbers.Drop(ctx) }()
	table, err := numbers.GroupBy("n % 2 AS rest").Agg("count(*) AS count").Sort("rest").Collect(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer table.Release()
	var groups []struct{ Rest, Count int64 }
	if err := table.Scan(&groups); err != nil {
		log.Fatal(err)
	}
	fmt.Println(groups)
	// Output: [{0 5} {1 5}]
}
