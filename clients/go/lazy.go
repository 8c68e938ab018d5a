package polarway

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/polarway/polarway/clients/go/internal/expression"
	"github.com/polarway/polarway/clients/go/internal/rows"
)

// LazyQuery is several steps over a handle that become one query, which runs when its rows are asked for. Each step is a new
// query; the one before stays as it is. Expressions are DuckDB's SQL, and checked to be single ones: an error of a step is
// returned when the query runs, or by [LazyQuery.SQL].
//
//	worst := flights.Filter("carrier = $carrier").WithColumns("dep_delay / 60 AS hours").Sort("hours DESC NULLS LAST").Limit(10)
//	table, err := worst.Collect(ctx, polarway.Named("carrier", "UA"))
type LazyQuery struct {
	client *Client
	steps  expression.Steps
	err    error
}

// Joinable is what a join takes: a [*Handle], a [*LazyQuery] or a [DatasetName].
type Joinable interface {
	source() (expression.Source, error)
}

// DatasetName is the name of a dataset, for [LazyQuery.Join].
type DatasetName string

func (n DatasetName) source() (expression.Source, error) { return expression.Dataset(string(n)) }

func (h *Handle) source() (expression.Source, error) {
	return expression.Handle(h.ID, rows.Names(h.Schema)), nil
}

func (q *LazyQuery) source() (expression.Source, error) { return q.steps.AsSource(), q.err }

// JoinKind is the kind of a join.
type JoinKind int

const (
	// InnerJoin is the pairs of rows that match.
	InnerJoin JoinKind = iota
	// LeftJoin is also the rows of the left that have no match, with nulls on the right.
	LeftJoin
	// RightJoin is also the rows of the right that have no match, with nulls on the left.
	RightJoin
	// FullJoin is also the rows of both sides that have no match.
	FullJoin
	// SemiJoin is the rows of the left that have a match, once each, without the columns of the right.
	SemiJoin
	// AntiJoin is the rows of the left that have no match, without the columns of the right.
	AntiJoin
)

var joinKeywords = []string{"INNER", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI"}

// String returns the kind's keyword in SQL.
func (k JoinKind) String() string { return nameOf(int(k), joinKeywords...) }

// after is the query with one more step.
func (q *LazyQuery) after(steps expression.Steps, err error) *LazyQuery {
	if q.err != nil {
		return q
	}
	if err != nil {
		return &LazyQuery{client: q.client, steps: q.steps, err: invalid("%v", err)}
	}
	return &LazyQuery{client: q.client, steps: steps}
}

// SQL returns the whole query, or the error of the first step that is wrong.
func (q *LazyQuery) SQL() (string, error) { return q.steps.SQL, q.err }

// Filter keeps the rows for which the condition is true.
func (q *LazyQuery) Filter(condition string) *LazyQuery {
	return q.after(q.steps.Filter(condition))
}

// Select takes these columns of all rows: expressions, each with or without `AS name`, or "*". If all are aggregates, the result
// is one row.
func (q *LazyQuery) Select(columns ...string) *LazyQuery {
	return q.after(q.steps.Select(columns))
}

// WithColumns takes all columns and these, each `expression AS name`, of all rows in their order. A column whose name exists
// replaces that column; the others are added at the end.
func (q *LazyQuery) WithColumns(columns ...string) *LazyQuery {
	return q.after(q.steps.WithColumns(columns))
}

// GroupBy puts the rows into groups, for [Groups.Agg]. A key is an expression, with or without `AS name`.
func (q *LazyQuery) GroupBy(keys ...string) *Groups {
	return &Groups{q, slices.Clone(keys)}
}

// Groups are rows in groups. They do nothing before Agg.
type Groups struct {
	query *LazyQuery
	keys  []string
}

// Agg makes one row for each group: its keys, and these aggregates, such as `count(*) AS n`.
func (g *Groups) Agg(aggregates ...string) *LazyQuery {
	return g.query.after(g.query.steps.Aggregate(g.keys, aggregates))
}

// Join joins the rows with those of a handle, a lazy query or a dataset, where the columns on are equal. The result has those
// columns once; of others that both have, the right one gets `_1` behind its name. The rows have no defined order.
func (q *LazyQuery) Join(other Joinable, kind JoinKind, on ...string) *LazyQuery {
	if kind < InnerJoin || kind > AntiJoin {
		return q.after(q.steps, invalid("%d is no kind of join: there are %s", int(kind), strings.Join(joinKeywords, ", ")))
	}
	if other == nil {
		return q.after(q.steps, invalid("there is nothing to join with: give a handle, a lazy query or a DatasetName"))
	}
	right, err := other.source()
	if err != nil {
		return q.after(q.steps, err)
	}
	return q.after(q.steps.Join(right, kind.String(), kind != SemiJoin && kind != AntiJoin, on))
}

// Sort sorts the rows by these expressions, each with an optional ASC, DESC, NULLS FIRST or NULLS LAST behind it. By default the
// order is ascending, and nulls come last.
func (q *LazyQuery) Sort(by ...string) *LazyQuery {
	return q.after(q.steps.Sort(by))
}

// Limit takes the first rows.
func (q *LazyQuery) Limit(rows uint64) *LazyQuery {
	return q.after(q.steps.Limit(rows))
}

// Distinct takes each different row once, in no defined order.
func (q *LazyQuery) Distinct() *LazyQuery {
	return q.after(q.steps.Distinct(), nil)
}

// Query takes the result of a SELECT of your own, in which the table `self` is the input: `SELECT … FROM self WHERE …`. It is
// only checked to be one statement.
func (q *LazyQuery) Query(sql string) *LazyQuery {
	return q.after(q.steps.Query(sql))
}

// Collect runs the query. The arguments are those of [Client.Query].
func (q *LazyQuery) Collect(ctx context.Context, arguments ...any) (*Table, error) {
	if q.err != nil {
		return nil, q.err
	}
	return q.client.Query(ctx, q.steps.SQL, arguments...)
}

// Stream runs the query and yields its rows as [Client.QueryStream] does.
func (q *LazyQuery) Stream(ctx context.Context, arguments ...any) iter.Seq2[arrow.RecordBatch, error] {
	if q.err != nil {
		return func(yield func(arrow.RecordBatch, error) bool) { yield(nil, q.err) }
	}
	return q.client.QueryStream(ctx, q.steps.SQL, arguments...)
}

// CollectHandle runs the query and keeps its result on the server. The arguments are those of [Client.QueryHandle].
func (q *LazyQuery) CollectHandle(ctx context.Context, arguments ...any) (*Handle, error) {
	if q.err != nil {
		return nil, q.err
	}
	return q.client.QueryHandle(ctx, q.steps.SQL, arguments...)
}

// Filter begins a query with [LazyQuery.Filter].
func (h *Handle) Filter(condition string) *LazyQuery { return h.Lazy().Filter(condition) }

// Select begins a query with [LazyQuery.Select].
func (h *Handle) Select(columns ...string) *LazyQuery { return h.Lazy().Select(columns...) }

// WithColumns begins a query with [LazyQuery.WithColumns].
func (h *Handle) WithColumns(columns ...string) *LazyQuery { return h.Lazy().WithColumns(columns...) }

// GroupBy begins a query with [LazyQuery.GroupBy].
func (h *Handle) GroupBy(keys ...string) *Groups { return h.Lazy().GroupBy(keys...) }

// Join begins a query with [LazyQuery.Join].
func (h *Handle) Join(other Joinable, kind JoinKind, on ...string) *LazyQuery {
	return h.Lazy().Join(other, kind, on...)
}

// Sort begins a query with [LazyQuery.Sort].
func (h *Handle) Sort(by ...string) *LazyQuery { return h.Lazy().Sort(by...) }

// Limit begins a query with [LazyQuery.Limit].
func (h *Handle) Limit(rows uint64) *LazyQuery { return h.Lazy().Limit(rows) }

// Distinct begins a query with [LazyQuery.Distinct].
func (h *Handle) Distinct() *LazyQuery { return h.Lazy().Distinct() }

// Query begins a query with [LazyQuery.Query].
func (h *Handle) Query(sql string) *LazyQuery { return h.Lazy().Query(sql) }
