package polarway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/polarway/polarway/clients/go"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
	pb "github.com/polarway/polarway/clients/go/internal/polarwayv1"
)

// The scenarios that the clients of all languages share, see proto/cases/README.md.

type scenarioFile struct {
	About     string            `json:"about"`
	Elsewhere map[string]string `json:"elsewhere"`
	Scenarios []scenario        `json:"scenarios"`
}

type scenario struct {
	Name   string                             `json:"name"`
	Server []string                           `json:"server"`
	Tables map[string]*polarwaytest.TableSpec `json:"tables"`
	Steps  []*step                            `json:"steps"`
}

type step struct {
	Call  string    `json:"call"`
	With  arguments `json:"with"`
	As    string    `json:"as"`
	Gives *struct {
		Version *uint64         `json:"version"`
		Rows    *uint64         `json:"rows"`
		Count   *int            `json:"count"`
		Names   *[]string       `json:"names"`
		Table   json.RawMessage `json:"table"`
	} `json:"gives"`
	Refused *struct {
		Reason string   `json:"reason"`
		Says   []string `json:"says"`
	} `json:"refused"`
	TimeoutMs  int64     `json:"timeout_ms"`
	Eventually bool      `json:"eventually"`
	BreaksAt   []float64 `json:"breaks_at"`
}

type arguments struct {
	Name            string          `json:"name"`
	Table           json.RawMessage `json:"table"`
	Mode            string          `json:"mode"`
	ExpectedVersion *uint64         `json:"expected_version"`
	Version         *uint64         `json:"version"`
	Columns         []string        `json:"columns"`
	Rows            []uint64        `json:"rows"`
	SQL             string          `json:"sql"`
	Parameters      []string        `json:"parameters"`
	TimeMs          int64           `json:"time_ms"`
	TTLMs           int64           `json:"ttl_ms"`
	ID              string          `json:"id"`
	Until           string          `json:"until"`
	Query           string          `json:"query"`
}

func scenarioFiles(t *testing.T) map[string]scenarioFile {
	t.Helper()
	names, err := filepath.Glob("../../proto/cases/scenarios/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		polarwaytest.NotRun(t, "the module is outside of its repository")
	}
	files := map[string]scenarioFile{}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file scenarioFile
		decode(t, content, &file)
		files[strings.TrimSuffix(filepath.Base(name), ".json")] = file
	}
	return files
}

// decode refuses keys that are not understood.
func decode(t testing.TB, content []byte, into any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(content)))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}

func TestScenariosComeOutAsInAllClients(t *testing.T) {
	for file, content := range scenarioFiles(t) {
		for _, one := range content.Scenarios {
			t.Run(file+": "+one.Name, func(t *testing.T) {
				t.Parallel()
				run := &runner{
					t:       t,
					tables:  one.Tables,
					address: polarwaytest.Start(t, one.Server...),
					made:    map[string]arrow.RecordBatch{},
					handles: map[string]string{},
					started: map[string]startedQuery{},
				}
				for number, step := range one.Steps {
					run.repeatedly(fmt.Sprintf("step %d (%s)", number+1, step.Call), step)
				}
			})
		}
	}
}

func TestEveryReasonIsMetOrItIsSaidWhyNot(t *testing.T) {
	known := map[string]bool{}
	for _, file := range scenarioFiles(t) {
		for reason := range file.Elsewhere {
			known[reason] = true
		}
		for _, scenario := range file.Scenarios {
			for _, step := range scenario.Steps {
				if step.Refused != nil {
					known[step.Refused.Reason] = true
				}
			}
		}
	}
	for reason := range pb.Reasons {
		if !known[reason] {
			t.Errorf("no scenario brings %s about", reason)
		}
	}
}

// outcome is what a call gave.
type outcome struct {
	version uint64
	rows    uint64
	count   int
	names   []string
	table   *polarway.Table
}

type startedQuery struct {
	sql    string
	result chan error
	table  chan *polarway.Table
}

// runner does the steps of a scenario.
type runner struct {
	t       *testing.T
	tables  map[string]*polarwaytest.TableSpec
	address string
	made    map[string]arrow.RecordBatch
	handles map[string]string
	started map[string]startedQuery
}

func (r *runner) repeatedly(what string, step *step) {
	if step.BreaksAt == nil {
		r.step(what, step, r.address)
		return
	}
	whole := polarwaytest.NewProxy(r.t, r.address, -1, polarwaytest.Cut)
	r.step(what, step, whole.Address)
	for _, part := range step.BreaksAt {
		breaking := polarwaytest.NewProxy(r.t, r.address, int64(float64(whole.Count())*part), polarwaytest.Cut)
		r.step(fmt.Sprintf("%s, cut at %v", what, part), step, breaking.Address)
		if breaking.Failures() != 1 {
			r.t.Errorf("%s: it did not break at %v", what, part)
		}
	}
}

func (r *runner) step(what string, step *step, address string) {
	r.t.Helper()
	timeout := polarwaytest.Patience
	if step.TimeoutMs > 0 {
		timeout = time.Duration(step.TimeoutMs) * time.Millisecond
	}
	ctx := context.Background()
	client, err := polarway.Dial(ctx, address, polarway.WithTimeout(timeout), polarway.WithLazyConnection())
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	deadline := time.Now().Add(polarwaytest.Patience)
	for {
		difference := r.difference(ctx, step, client)
		if difference == "" {
			return
		}
		if !step.Eventually || time.Now().After(deadline) {
			r.t.Fatalf("%s: %s", what, difference)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (r *runner) difference(ctx context.Context, step *step, client *polarway.Client) string {
	got, err := r.call(ctx, step, client)
	if got.table != nil {
		defer got.table.Release()
	}
	if err != nil {
		return r.differenceOfRefusal(step, err)
	}
	if step.Refused != nil {
		return fmt.Sprintf("it succeeded, and was to be refused with %s", step.Refused.Reason)
	}
	gives := step.Gives
	switch {
	case gives == nil:
		return ""
	case gives.Version != nil && *gives.Version != got.version:
		return fmt.Sprintf("version %d, and not %d", got.version, *gives.Version)
	case gives.Rows != nil && *gives.Rows != got.rows:
		return fmt.Sprintf("%d rows, and not %d", got.rows, *gives.Rows)
	case gives.Count != nil && *gives.Count != got.count:
		return fmt.Sprintf("%d, and not %d", got.count, *gives.Count)
	case gives.Names != nil && !slices.Equal(*gives.Names, got.names):
		return fmt.Sprintf("%v, and not %v", got.names, *gives.Names)
	case gives.Table != nil:
		return polarwaytest.Difference(r.table(gives.Table), got.table, step.Call != "load")
	}
	return ""
}

func (r *runner) differenceOfRefusal(step *step, err error) string {
	var failed *polarway.Error
	if step.Refused == nil || !errors.As(err, &failed) {
		return err.Error()
	}
	if failed.Reason != step.Refused.Reason {
		return fmt.Sprintf("%s: %s, and not %s", failed.Reason, err, step.Refused.Reason)
	}
	for _, said := range step.Refused.Says {
		if !strings.Contains(err.Error(), r.withIDs(said)) {
			return fmt.Sprintf("%s has no %q", err, said)
		}
	}
	return ""
}

// withIDs is a text with the ids of handles in the place of their names.
func (r *runner) withIDs(text string) string {
	for name, id := range r.handles {
		text = strings.ReplaceAll(text, "{"+name+"}", id)
	}
	return text
}

func (r *runner) table(content json.RawMessage) arrow.RecordBatch {
	r.t.Helper()
	var name string
	if json.Unmarshal(content, &name) == nil {
		if r.made[name] == nil {
			r.made[name] = r.tables[name].Build(r.t)
		}
		return r.made[name]
	}
	var spec polarwaytest.TableSpec
	decode(r.t, content, &spec)
	return spec.Build(r.t)
}

func ofTable(table *polarway.Table, err error) (outcome, error) {
	if err != nil {
		return outcome{}, err
	}
	return outcome{rows: uint64(table.NumRows()), table: table}, nil
}

func (r *runner) call(ctx context.Context, step *step, client *polarway.Client) (outcome, error) {
	with := step.With
	switch step.Call {
	case "store":
		var options []polarway.StoreOption
		if with.Mode == "create" {
			options = append(options, polarway.CreateOnly())
		}
		if with.ExpectedVersion != nil {
			options = append(options, polarway.ExpectVersion(*with.ExpectedVersion))
		}
		write := client.Store
		if with.Mode == "append" {
			write = client.Append
		}
		published, err := write(ctx, with.Name, r.table(with.Table), options...)
		return outcome{version: published.Version, rows: published.Rows}, err
	case "load":
		var options []polarway.LoadOption
		if with.Version != nil {
			options = append(options, polarway.AtVersion(*with.Version))
		}
		if with.Columns != nil {
			options = append(options, polarway.Columns(with.Columns...))
		}
		if with.Rows != nil {
			options = append(options, polarway.Rows(with.Rows[0], with.Rows[1]))
		}
		return ofTable(client.Load(ctx, r.withIDs(with.Name), options...))
	case "query":
		return ofTable(client.Query(ctx, r.withIDs(with.SQL), queryArguments(with)...))
	case "describe":
		described, err := client.Describe(ctx, with.Name)
		if err != nil {
			return outcome{}, err
		}
		return outcome{version: described.Version, rows: described.Rows}, nil
	case "versions":
		versions, err := client.Versions(ctx, with.Name)
		return outcome{count: len(versions)}, err
	case "delete":
		var options []polarway.DeleteOption
		if with.ExpectedVersion != nil {
			options = append(options, polarway.ExpectVersion(*with.ExpectedVersion))
		}
		published, err := client.Delete(ctx, with.Name, options...)
		return outcome{version: published.Version}, err
	case "datasets":
		datasets, err := client.Datasets(ctx)
		var names []string
		for _, one := range datasets {
			names = append(names, one.Name)
		}
		return outcome{names: names}, err
	case "keep":
		handle, err := client.QueryHandle(ctx, with.SQL, queryArguments(with)...)
		if err != nil {
			return outcome{}, err
		}
		r.handles[step.As] = handle.ID
		return outcome{rows: handle.Rows}, nil
	case "handle":
		handle, err := client.Handle(ctx, r.withIDs(with.ID))
		if err != nil {
			return outcome{}, err
		}
		return outcome{rows: handle.Rows}, nil
	case "drop":
		return outcome{}, client.DropHandle(ctx, r.withIDs(with.ID))
	case "start":
		return outcome{}, r.start(ctx, step, client)
	case "cancel":
		id := with.ID
		if with.Query != "" {
			id = r.idOf(ctx, client, r.started[with.Query].sql, "running")
		}
		return outcome{}, client.Cancel(ctx, id)
	case "wait":
		started := r.started[with.Query]
		return ofTable(<-started.table, <-started.result)
	default:
		r.t.Fatalf("there is no call %q", step.Call)
		return outcome{}, nil
	}
}

func queryArguments(with arguments) []any {
	var all []any
	for _, value := range with.Parameters {
		all = append(all, value)
	}
	if with.TimeMs > 0 {
		all = append(all, polarway.TimeLimit(time.Duration(with.TimeMs)*time.Millisecond))
	}
	if with.TTLMs > 0 {
		all = append(all, polarway.HandleTTL(time.Duration(with.TTLMs)*time.Millisecond))
	}
	return all
}

func (r *runner) start(ctx context.Context, step *step, client *polarway.Client) error {
	other, err := polarway.Dial(ctx, r.address, polarway.WithTimeout(polarwaytest.Patience))
	if err != nil {
		return err
	}
	started := startedQuery{step.With.SQL, make(chan error, 1), make(chan *polarway.Table, 1)}
	r.started[step.As] = started
	go func() {
		table, err := other.Query(ctx, step.With.SQL)
		started.table <- table
		started.result <- err
	}()
	r.t.Cleanup(func() { _ = other.Close() })
	r.idOf(ctx, client, step.With.SQL, step.With.Until)
	return nil
}

// idOf waits until a query has this phase.
func (r *runner) idOf(ctx context.Context, client *polarway.Client, sql, phase string) string {
	for {
		queries, err := client.Queries(ctx)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, query := range queries {
			if query.SQL == sql && query.Phase.String() == phase {
				return query.ID
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}
