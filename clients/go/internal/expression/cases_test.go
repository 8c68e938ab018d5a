package expression

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

// The cases that the clients of all languages share.
const cases = "../../../../proto/cases/"

func read(t *testing.T, name string, into any) {
	t.Helper()
	content, err := os.ReadFile(cases + name)
	if os.IsNotExist(err) {
		polarwaytest.NotRun(t, "the module is outside of its repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(content)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}

func TestTextsAreTakenAsByAllClients(t *testing.T) {
	type pair struct {
		Text string `json:"text"`
		SQL  string `json:"sql"`
		Name string `json:"name"`
	}
	var all struct {
		About []string `json:"about"`
		One   []string `json:"one"`
		None  []struct {
			Text string `json:"text"`
			Says string `json:"says"`
		} `json:"none"`
		Named    []pair   `json:"named"`
		NotNamed []string `json:"not_named"`
		Names    []struct {
			Text  string  `json:"text"`
			Names *string `json:"names"`
		} `json:"names"`
		Keys          []pair   `json:"keys"`
		NotKeys       []string `json:"not_keys"`
		Statements    []pair   `json:"statements"`
		NotStatements []string `json:"not_statements"`
	}
	read(t, "expressions.json", &all)
	for _, text := range all.One {
		if got, err := Expression(text); err != nil || got != "("+strings.TrimSpace(text)+")" {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, none := range all.None {
		if got, err := Expression(none.Text); err == nil || !strings.Contains(err.Error(), none.Says) {
			t.Errorf("%q: %s, %v, and not %q", none.Text, got, err, none.Says)
		}
	}
	for _, named := range all.Named {
		got, err := columnOf(named.Text)
		if err != nil || got.sql != named.SQL || got.alias != named.Name {
			t.Errorf("%q: %v, %v", named.Text, got, err)
		}
	}
	for _, text := range all.NotNamed {
		if got, err := columnOf(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	for _, one := range all.Names {
		got, err := columnOf(one.Text)
		want := column{}
		if one.Names != nil {
			want.isAll = *one.Names == "*"
			want.name = strings.TrimPrefix(*one.Names, "*")
		}
		if err != nil || got.name != want.name || got.isAll != want.isAll {
			t.Errorf("%q: %v, %v", one.Text, got, err)
		}
	}
	for _, key := range all.Keys {
		if got, err := sortKey(key.Text); err != nil || got != key.SQL {
			t.Errorf("%q: %s, %v", key.Text, got, err)
		}
	}
	for _, text := range all.NotKeys {
		if got, err := sortKey(text); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
	for _, statement := range all.Statements {
		if got, err := statementOf(statement.Text); err != nil || got != statement.SQL {
			t.Errorf("%q: %s, %v", statement.Text, got, err)
		}
	}
	for _, text := range all.NotStatements {
		if got, err := statementOf(text); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}

type step struct {
	Filter      *string   `json:"filter"`
	Select      *[]string `json:"select"`
	WithColumns *[]string `json:"with_columns"`
	GroupBy     *[]string `json:"group_by"`
	Agg         []string  `json:"agg"`
	Sort        *[]string `json:"sort"`
	Limit       *uint64   `json:"limit"`
	Distinct    bool      `json:"distinct"`
	SQL         *string   `json:"sql"`
	Join        *struct {
		Handle  string `json:"handle"`
		Dataset string `json:"dataset"`
		Steps   []step `json:"steps"`
	} `json:"join"`
	How string   `json:"how"`
	On  []string `json:"on"`
}

func TestStepsAreWrittenAsByAllClients(t *testing.T) {
	var all struct {
		About   []string `json:"about"`
		Handles []struct {
			ID      string   `json:"id"`
			Columns []string `json:"columns"`
		} `json:"handles"`
		Cases []struct {
			Name    string   `json:"name"`
			Steps   []step   `json:"steps"`
			SQL     string   `json:"sql"`
			Columns []string `json:"columns"`
		} `json:"cases"`
		Refused []struct {
			Steps []step `json:"steps"`
			Says  string `json:"says"`
		} `json:"refused"`
	}
	read(t, "follow_ups.json", &all)
	columns := map[string][]string{}
	for _, handle := range all.Handles {
		columns[handle.ID] = handle.Columns
	}
	for _, one := range all.Cases {
		got, err := done(OfHandle("h_0", columns["h_0"]), one.Steps, columns)
		if err != nil || got.SQL != one.SQL || !reflect.DeepEqual(got.Columns, one.Columns) {
			t.Errorf("%s: %v, %v", one.Name, got, err)
		}
	}
	for _, one := range all.Refused {
		got, err := done(OfHandle("h_0", columns["h_0"]), one.Steps, columns)
		if err == nil || !strings.Contains(err.Error(), one.Says) {
			t.Errorf("%v, %v, and not %q", got, err, one.Says)
		}
	}
}

func done(steps Steps, all []step, columns map[string][]string) (Steps, error) {
	for _, one := range all {
		var err error
		if steps, err = one.after(steps, columns); err != nil {
			return steps, err
		}
	}
	return steps, nil
}

func (s step) after(steps Steps, columns map[string][]string) (Steps, error) {
	switch {
	case s.Filter != nil:
		return steps.Filter(*s.Filter)
	case s.Select != nil:
		return steps.Select(*s.Select)
	case s.WithColumns != nil:
		return steps.WithColumns(*s.WithColumns)
	case s.GroupBy != nil:
		return steps.Aggregate(*s.GroupBy, s.Agg)
	case s.Sort != nil:
		return steps.Sort(*s.Sort)
	case s.Limit != nil:
		return steps.Limit(*s.Limit)
	case s.SQL != nil:
		return steps.Query(*s.SQL)
	case s.Join != nil:
		hasRight := s.How != "semi" && s.How != "anti"
		if s.Join.Dataset != "" {
			other, err := Dataset(s.Join.Dataset)
			if err != nil {
				return steps, err
			}
			return steps.Join(other, strings.ToUpper(s.How), hasRight, s.On)
		}
		other := Handle(s.Join.Handle, columns[s.Join.Handle])
		if s.Join.Steps != nil {
			lazy, err := done(OfHandle(s.Join.Handle, columns[s.Join.Handle]), s.Join.Steps, columns)
			if err != nil {
				return steps, err
			}
			other = lazy.AsSource()
		}
		return steps.Join(other, strings.ToUpper(s.How), hasRight, s.On)
	default:
		return steps.Distinct(), nil
	}
}
