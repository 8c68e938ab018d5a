// Package polarway is the Go client of Polarway, a server for tables: it stores them under names, in versions, loads them
// back, and runs SQL over them. Tables are Apache Arrow's.
//
//	client, err := polarway.Dial(ctx, "localhost:50052")
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//
//	published, err := client.Store(ctx, "trades", []Trade{{"BTC", 50000}, {"ETH", 3000}})
//	table, err := client.Query(ctx, "SELECT symbol, avg(price) AS price FROM trades GROUP BY symbol")
//	if err != nil {
//		return err
//	}
//	defer table.Release()
//	var prices []Trade
//	err = table.Scan(&prices)
//
// # Calls
//
// Every call takes a context first. Its deadline and its cancellation end the call and, on the server, its work. Calls are
// made again after failures that may pass, such as a connection that broke, until the client's timeout ([WithTimeout]); a
// write is never carried out twice, and a load goes on at the row where it broke. A [Client] may be used by any number of
// goroutines at the same time.
//
// # Memory
//
// A [Table], a [Reader] and a batch belong to whoever got them, and are released with Release. Batches that an iterator
// yields belong to the iterator: they are valid until the loop's next turn, unless they are kept with Retain. With the
// default allocator a batch that nobody releases is collected like any other object of Go; Release only matters for other
// allocators ([WithAllocator]), and to free large buffers early.
//
// # Errors
//
// Errors of calls are of type [*Error], which has the gRPC code, the reason for programs, and the call's id in the server's
// log. [errors.Is] tells kinds of failures apart: errors.Is(err, polarway.ErrNotFound).
package polarway

//go:generate go run ./internal/generate ../.. internal/polarwayv1
