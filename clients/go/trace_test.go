package polarway_test

import (
	"context"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/polarway/polarway/clients/go"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

func TestTheTraceOfTheContextIsPassedOn(t *testing.T) {
	address := polarwaytest.Start(t)
	var parents, states []string
	note := func(ctx context.Context) {
		headers, _ := metadata.FromOutgoingContext(ctx)
		parents, states = append(parents, headers.Get("traceparent")...), append(states, headers.Get("tracestate")...)
	}
	client := clientOf(t, address, polarway.WithGRPCOptions(
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, request, answer any, connection *grpc.ClientConn,
			invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
			note(ctx)
			return invoke(ctx, method, request, answer, connection, options...)
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, description *grpc.StreamDesc, connection *grpc.ClientConn,
			method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
			note(ctx)
			return open(ctx, description, connection, method, options...)
		})))
	call := func(ctx context.Context) {
		t.Helper()
		value(client.Datasets(ctx))
		value(client.Query(ctx, "SELECT 1")).Release()
		value(client.Store(ctx, "t", numbers(t, 1)))
	}
	ctx := polarwaytest.Context(t)
	call(ctx)
	if len(parents) != 0 {
		t.Errorf("a program without traces sends none: %v", parents)
	}
	span := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    trace.TraceID{15: 0xa1},
		SpanID:     trace.SpanID{7: 0xb2},
		TraceFlags: trace.FlagsSampled,
		TraceState: value(trace.ParseTraceState("vendor=7")),
	})
	call(trace.ContextWithSpanContext(ctx, span))
	expected := "00-000000000000000000000000000000a1-00000000000000b2-01"
	if !slices.Equal(parents, []string{expected, expected, expected}) || !slices.Equal(states, []string{"vendor=7", "vendor=7", "vendor=7"}) {
		t.Errorf("%v, %v", parents, states)
	}
	// What the program has put into the call itself stays alone.
	parents = nil
	own := "00-000000000000000000000000000000c3-00000000000000d4-00"
	value(client.Datasets(metadata.AppendToOutgoingContext(trace.ContextWithSpanContext(ctx, span), "traceparent", own)))
	if !slices.Equal(parents, []string{own}) {
		t.Error(parents)
	}
}
