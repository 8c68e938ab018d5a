package polarway

import (
	"fmt"
	"math"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/polarway/polarway/clients/go/internal/ipcstream"
	pb "github.com/polarway/polarway/clients/go/internal/polarwayv1"
)

// Dataset is a dataset with its newest version.
type Dataset struct {
	Name string
	// Version is the number of its newest version; 0 for Parquet files that Polarway did not write.
	Version uint64
	Rows    uint64
	// Bytes is the size of its files.
	Bytes uint64
	// Time is when its newest version was made, in UTC.
	Time time.Time
	// Problem says why its newest version can't be read, if that is so. Then the numbers are zeros.
	Problem string
}

// Description is a version of a dataset, described.
type Description struct {
	Name string
	// Version is the number of the version; 0 for Parquet files that Polarway did not write.
	Version uint64
	// Time is when it was made, in UTC.
	Time time.Time
	// Schema has its columns, as they are stored.
	Schema *arrow.Schema
	Rows   uint64
	// Files tells how many files it has.
	Files uint64
	// Bytes is the size of its files.
	Bytes uint64
	// ArrowBytes is its size in memory as Arrow; an estimate for version 0.
	ArrowBytes uint64
}

// VersionKind tells what made a version.
type VersionKind int

// What makes versions. A kind that a later version of Polarway knows is VersionUnknown.
const (
	VersionUnknown VersionKind = iota
	// VersionAdopted is made of Parquet files that Polarway did not write.
	VersionAdopted
	// VersionOverwrite replaced the table, or made it.
	VersionOverwrite
	// VersionAppend added rows.
	VersionAppend
	// VersionDelete deleted the dataset.
	VersionDelete
)

// String returns the kind's name, such as "append".
func (k VersionKind) String() string {
	return nameOf(int(k), "unknown", "adopted", "overwrite", "append", "delete")
}

// Version is a version in the history of a dataset.
type Version struct {
	// Version is its number, from 1; 0 for Parquet files that Polarway did not write.
	Version uint64
	Kind    VersionKind
	Rows    uint64
	// Bytes is the size of its files.
	Bytes uint64
	Files uint64
	// Time is when it was made, in UTC.
	Time time.Time
	// IsVacuumed tells whether retention has removed its data: it can't be read any more.
	IsVacuumed bool
}

// Published is a version that a write made.
type Published struct {
	// Name is the dataset.
	Name string
	// Version is the number of the version, from 1.
	Version uint64
	// Rows are the rows of that version, for an append with the rows before it.
	Rows uint64
	// Bytes is the size of its files.
	Bytes uint64
	// Time is when it was made, in UTC.
	Time time.Time
	// WasRetry tells whether an earlier try of the same call made it.
	WasRetry bool
}

// DatasetVersion is a version of a dataset.
type DatasetVersion struct {
	Name string
	// Version is the number of the version; 0 for Parquet files that Polarway did not write.
	Version uint64
}

// QueryTimes tells how long a query spent in each phase.
type QueryTimes struct {
	// Waiting for other queries to end.
	Waiting time.Duration
	// Checking the text; next to nothing for one that was seen before.
	Checking time.Duration
	// Resolving names and pinning their versions.
	Resolving time.Duration
	Planning  time.Duration
	// Running, from the start of execution until the last row was sent: a slow reader counts.
	Running time.Duration
}

// Total is the time of all phases together.
func (t QueryTimes) Total() time.Duration {
	return t.Waiting + t.Checking + t.Resolving + t.Planning + t.Running
}

// QuerySummary tells what a query did.
type QuerySummary struct {
	// Rows are the rows of its result.
	Rows uint64
	// Bytes are the bytes of its result in Arrow's form.
	Bytes uint64
	// Datasets are those that it read, each once for each version, by name and version.
	Datasets []DatasetVersion
	Times    QueryTimes
	// Engine is EngineDistributed if several workers ran the query, and EngineLocal if the one that was asked did.
	Engine Engine
	// Workers is how many workers took part.
	Workers int
	// StayedLocal says why only one did, if the query was large enough for several.
	StayedLocal string
}

// Phase is what a query is at.
type Phase int

// The phases of a query. One that a later version of Polarway knows is PhaseUnknown.
const (
	PhaseUnknown Phase = iota
	// PhaseWaiting waits for other queries to end.
	PhaseWaiting
	// PhaseChecking parses and checks the text.
	PhaseChecking
	// PhaseResolving looks names up and pins their versions.
	PhaseResolving
	// PhasePlanning plans.
	PhasePlanning
	// PhaseRunning runs, and sends rows.
	PhaseRunning
)

// String returns the phase's name, such as "running".
func (p Phase) String() string {
	return nameOf(int(p), "unknown", "waiting", "checking", "resolving", "planning", "running")
}

// RunningQuery is a query that waits or runs.
type RunningQuery struct {
	// ID is what to cancel it by.
	ID    string
	SQL   string
	Phase Phase
	// Started is when it came, in UTC.
	Started time.Time
	// Elapsed is the time since then.
	Elapsed time.Duration
	// Rows are the rows of its result until now.
	Rows uint64
	// Bytes are the bytes of those rows in Arrow's form.
	Bytes uint64
}

// ServerInfo is the worker that answered.
type ServerInfo struct {
	// ServerVersion is the version of the server program, such as "0.1.0".
	ServerVersion string
	// ProtocolRevision is the revision of the protocol that it was built with.
	ProtocolRevision uint32
	// DuckDBVersion is the version of DuckDB that runs the queries.
	DuckDBVersion string
	// WorkerID tells the workers behind a load balancer apart. It is new at each start.
	WorkerID string
	// Started is when it was started, in UTC.
	Started time.Time
	// Peers are the workers that run queries together with it, itself among them, as it last found them. There are none if it
	// runs all queries alone, or if the caller may not see them.
	Peers []Peer
}

// PeerState tells whether a worker takes part in the queries of others.
type PeerState int

// The states of a worker. One that a later version of Polarway knows is PeerUnknown.
const (
	PeerUnknown PeerState = iota
	// PeerReady takes part.
	PeerReady
	// PeerDraining is about to end.
	PeerDraining
	// PeerOther has another version, or another storage.
	PeerOther
	// PeerUnreachable did not answer, or refused to.
	PeerUnreachable
)

// String returns the state's name, such as "ready".
func (s PeerState) String() string {
	return nameOf(int(s), "unknown", "ready", "draining", "other", "unreachable")
}

// Peer is a worker that runs queries together with others.
type Peer struct {
	// Address is where the other workers call it: a host and a port.
	Address string
	// State tells whether it takes part in queries.
	State PeerState
	// Reason is why not, if it does not.
	Reason string
	// Queries is how many queries of several workers it takes part in.
	Queries uint64
	// IsOwn tells whether it is the worker that answered.
	IsOwn bool
}

// CacheStats tells how the cache of the worker that answered is doing. Counts are since its start.
type CacheStats struct {
	Hits   uint64
	Misses uint64
	// HitRate is the part of all look-ups that were hits, from 0 to 1; 0 before the first.
	HitRate float64
	// Tables are those in the cache.
	Tables uint64
	Bytes  uint64
	// CapacityBytes are those that tables may take; 0 if the cache is off.
	CapacityBytes uint64
	// Evictions are tables that were removed to make room.
	Evictions uint64
}

func nameOf(value int, names ...string) string {
	if value < 0 || value >= len(names) {
		return names[0]
	}
	return names[value]
}

func timeOf(us int64) time.Time { return time.UnixMicro(us).UTC() }

func durationOf(us uint64) time.Duration {
	return time.Duration(min(us, math.MaxInt64/1000)) * time.Microsecond
}

// knownOf is an enum's value, if this client knows it.
func knownOf[T ~int](value int32, most T) T {
	if value < 0 || T(value) > most {
		return 0
	}
	return T(value)
}

func publishedOf(message *pb.PublishedVersion) Published {
	return Published{
		Name:     message.GetName(),
		Version:  message.GetVersion(),
		Rows:     message.GetRows(),
		Bytes:    message.GetBytes(),
		Time:     timeOf(message.GetTimeUs()),
		WasRetry: message.GetWasRetry(),
	}
}

func summaryOf(message *pb.QuerySummary) *QuerySummary {
	times := message.GetTimes()
	summary := &QuerySummary{
		Rows:  message.GetRows(),
		Bytes: message.GetBytes(),
		Times: QueryTimes{
			Waiting:   durationOf(times.GetWaitingUs()),
			Checking:  durationOf(times.GetCheckingUs()),
			Resolving: durationOf(times.GetResolvingUs()),
			Planning:  durationOf(times.GetPlanningUs()),
			Running:   durationOf(times.GetRunningUs()),
		},
		Engine:  EngineLocal,
		Workers: 1,
	}
	if used := message.GetEngine(); used != nil {
		summary.Engine, summary.Workers = Engine(used.GetEngine()), int(used.GetWorkers())
		summary.StayedLocal = used.GetStayedLocal()
	}
	for _, one := range message.GetDatasets() {
		summary.Datasets = append(summary.Datasets, DatasetVersion{one.GetName(), one.GetVersion()})
	}
	return summary
}

// schemaOf reads a schema that describes what is called so.
func schemaOf(what string, content []byte) (*arrow.Schema, error) {
	schema, err := ipcstream.ReadSchema(content)
	if err != nil {
		return nil, protocolError("the server described %s with a schema that is none: %v", what, err)
	}
	return schema, nil
}

func quoted(name string) string { return fmt.Sprintf("%q", name) }
