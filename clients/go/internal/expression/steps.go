package expression

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Source is the right side of a join.
type Source struct {
	// relation is the SQL after JOIN.
	relation string
	// columns are its columns, if they are known.
	columns []string
}

// Dataset is a dataset as the right side of a join.
func Dataset(name string) (Source, error) {
	if strings.ContainsRune(name, 0) {
		return Source{}, errors.New("a name with a NUL character is no dataset's")
	}
	// `self` is the query itself; a dataset of that name is found under its longer name.
	schema := ""
	if folded(name) == "self" {
		schema = "main."
	}
	return Source{relation: schema + Identifier(name)}, nil
}

// Handle is a handle as the right side of a join, by its id and the names of its columns.
func Handle(id string, columns []string) Source {
	return Source{relation: Identifier(id), columns: columns}
}

// Steps is the text of several steps over a table. Each step reads the result of the step before as the table `self`.
type Steps struct {
	// SQL is the text of all steps until now.
	SQL string
	// Columns are the names of the columns, if they are known from the steps.
	Columns []string
}

// OfHandle has no steps yet: the rows of a handle.
func OfHandle(id string, columns []string) Steps {
	return Steps{"FROM " + Identifier(id), columns}
}

// AsSource is these steps as the right side of a join.
func (s Steps) AsSource() Source {
	return Source{"(\n" + s.SQL + "\n) AS other", s.Columns}
}

// Filter keeps the rows for which the condition is true.
func (s Steps) Filter(condition string) (Steps, error) {
	checked, err := Expression(condition)
	if err != nil {
		return s, err
	}
	return s.step("SELECT * FROM self WHERE "+checked, s.Columns), nil
}

// Select takes these columns of all rows.
func (s Steps) Select(columns []string) (Steps, error) {
	items, err := columnsOf(columns)
	if err != nil {
		return s, err
	}
	if len(items) == 0 {
		return s, none("columns to select")
	}
	return s.step("SELECT "+list(items)+" FROM self", names(items, s.Columns)), nil
}

// WithColumns takes all columns and these, which replace those of the same name.
func (s Steps) WithColumns(columns []string) (Steps, error) {
	items, err := columnsOf(columns)
	if err != nil {
		return s, err
	}
	if len(items) == 0 {
		return s, none("columns to add")
	}
	var seen []string
	for index, item := range items {
		if item.alias == "" {
			return s, fmt.Errorf("%s has no name: write `… AS name`", Shown(columns[index]))
		}
		if slices.Contains(seen, folded(item.alias)) {
			return s, fmt.Errorf("two columns are to be called %s", Shown(item.alias))
		}
		seen = append(seen, folded(item.alias))
	}
	if s.Columns == nil {
		var without []string
		for _, item := range items {
			without = append(without, literal(strings.ToLower(item.alias)))
		}
		return s.step("SELECT COLUMNS(lambda name: lower(name) NOT IN ("+strings.Join(without, ", ")+")), "+list(items)+" FROM self", nil), nil
	}
	var replaced, added []column
	for _, item := range items {
		if slices.ContainsFunc(s.Columns, func(name string) bool { return folded(name) == folded(item.alias) }) {
			replaced = append(replaced, item)
		} else {
			added = append(added, item)
		}
	}
	parts := []string{"*"}
	if len(replaced) > 0 {
		parts[0] = "* REPLACE (" + list(replaced) + ")"
	}
	after := slices.Clone(s.Columns)
	for _, item := range added {
		parts = append(parts, item.sql)
		after = append(after, item.alias)
	}
	return s.step("SELECT "+strings.Join(parts, ", ")+" FROM self", after), nil
}

// Aggregate makes one row for each group: its keys, and these aggregates.
func (s Steps) Aggregate(keys, aggregates []string) (Steps, error) {
	items, err := columnsOf(keys)
	if err != nil {
		return s, err
	}
	if slices.ContainsFunc(items, func(item column) bool { return item.isAll }) {
		return s, errors.New("* is no key to group by: Distinct groups by all")
	}
	if len(items) == 0 {
		return s, none("keys to group by")
	}
	var places []string
	for place := range items {
		places = append(places, fmt.Sprint(place+1))
	}
	more, err := columnsOf(aggregates)
	if err != nil {
		return s, err
	}
	items = append(items, more...)
	return s.step("SELECT "+list(items)+" FROM self GROUP BY "+strings.Join(places, ", "), names(items, nil)), nil
}

// Join makes pairs of rows that are equal in the columns on. The kind is a keyword; with some kinds, the columns of the right
// are not in the result.
func (s Steps) Join(other Source, kind string, hasRight bool, on []string) (Steps, error) {
	var using []string
	for _, name := range on {
		if name == "" || strings.ContainsRune(name, 0) {
			return s, fmt.Errorf("%s is no name of a column to join on", Shown(name))
		}
		using = append(using, Identifier(name))
	}
	if len(using) == 0 {
		return s, none("columns to join on")
	}
	columns := s.Columns
	if hasRight {
		columns = joined(s.Columns, other.columns, on)
	}
	// With the inner SELECT, DuckDB renames columns of one name before they are a result.
	inside := "SELECT * FROM self " + kind + " JOIN " + other.relation + " USING (" + strings.Join(using, ", ") + ")"
	return s.step("SELECT * FROM ("+inside+")", columns), nil
}

// Sort sorts the rows by these expressions.
func (s Steps) Sort(by []string) (Steps, error) {
	var keys []string
	for _, one := range by {
		key, err := sortKey(one)
		if err != nil {
			return s, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return s, none("expressions to sort by")
	}
	return s.step("SELECT * FROM self ORDER BY "+strings.Join(keys, ", "), s.Columns), nil
}

// Limit takes the first rows.
func (s Steps) Limit(rows uint64) (Steps, error) {
	if rows >= 1<<63 {
		return s, fmt.Errorf("%d is no number of rows", rows)
	}
	return s.step(fmt.Sprintf("SELECT * FROM self LIMIT %d", rows), s.Columns), nil
}

// Distinct takes each different row once.
func (s Steps) Distinct() Steps {
	return s.step("SELECT DISTINCT * FROM self", s.Columns)
}

// Query takes the result of a SELECT of the user's own, in which the table `self` is the input.
func (s Steps) Query(sql string) (Steps, error) {
	checked, err := statementOf(sql)
	if err != nil {
		return s, err
	}
	// The line break ends a comment at the end of the text.
	return s.step("SELECT * FROM (\n"+checked+"\n)", nil), nil
}

// step adds a SELECT over the result of the step before.
func (s Steps) step(sql string, columns []string) Steps {
	// Most steps are read once. If one is not materialized, DuckDB optimizes through it: filters reach the files.
	return Steps{"WITH self AS NOT MATERIALIZED (\n" + s.SQL + "\n)\n" + sql, columns}
}

func columnsOf(contents []string) ([]column, error) {
	var items []column
	for _, one := range contents {
		item, err := columnOf(one)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

func list(items []column) string {
	var texts []string
	for _, item := range items {
		texts = append(texts, item.sql)
	}
	return strings.Join(texts, ", ")
}

func none(what string) error {
	return fmt.Errorf("there are no %s: name one or more", what)
}

// names returns the names of the columns of a result, if all are known and different.
func names(items []column, before []string) []string {
	var found []string
	for _, item := range items {
		switch {
		case item.name != "":
			found = append(found, item.name)
		case item.isAll && before != nil:
			found = append(found, before...)
		default:
			return nil
		}
	}
	return ifDistinct(found)
}

// joined returns the names of the columns after a join.
func joined(left, right, on []string) []string {
	if left == nil || right == nil {
		return nil
	}
	found := slices.Clone(left)
	for _, name := range right {
		if !slices.ContainsFunc(on, func(key string) bool { return folded(key) == folded(name) }) {
			found = append(found, name)
		}
	}
	return ifDistinct(found)
}

func ifDistinct(found []string) []string {
	seen := map[string]bool{}
	for _, name := range found {
		if lower := strings.ToLower(name); seen[lower] {
			return nil
		} else {
			seen[lower] = true
		}
	}
	return found
}
