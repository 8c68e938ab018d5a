// Package sql is a driver of database/sql for Polarway, under the name "polarway":
//
//	import (
//		"database/sql"
//
//		_ "github.com/polarway/polarway/clients/go/sql"
//	)
//
//	db, err := sql.Open("polarway", "http://localhost:50052?timeout=30s")
//	rows, err := db.QueryContext(ctx, "SELECT carrier, count(*) FROM flights WHERE year = ? GROUP BY 1", 2013)
//
// The name of the data source is a target of [polarway.Dial], several with commas between them, and options behind a question
// mark: timeout, a duration, and token. An empty one is that of the environment. [OpenDB] takes a client with any options.
//
// Parameters are ?, $1 and, with [sql.Named], $name; a value is of any type that a column may have. Columns come as bool, int64,
// float64, string, []byte and [time.Time]; as uint64 for unsigned integers, as text for decimals and times of day, as
// [time.Duration] for durations, and as JSON for lists, structs and maps.
//
// Queries only read. Exec and transactions are refused: tables are written with [polarway.Client.Store].
package sql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/polarway/polarway/clients/go"
)

func init() { sql.Register("polarway", Driver{}) }

// Driver is the driver of database/sql.
type Driver struct{}

var (
	_ driver.Driver        = Driver{}
	_ driver.DriverContext = Driver{}
)

// Open makes a connection. database/sql uses OpenConnector.
func (d Driver) Open(name string) (driver.Conn, error) {
	connector, err := d.OpenConnector(name)
	if err != nil {
		return nil, err
	}
	return connector.Connect(context.Background())
}

// OpenConnector reads the name of a data source.
func (d Driver) OpenConnector(name string) (driver.Connector, error) {
	target, query, _ := strings.Cut(name, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		// The message does not have the name: there may be a token in it.
		return nil, errors.New("polarway: the text behind the ? of the data source's name is not a list of options")
	}
	options := []polarway.Option{polarway.WithLazyConnection()}
	for key, given := range values {
		value := given[len(given)-1]
		switch key {
		case "timeout":
			timeout, err := time.ParseDuration(value)
			if err != nil {
				return nil, fmt.Errorf("polarway: timeout=%s is no duration, such as 30s", value)
			}
			options = append(options, polarway.WithTimeout(timeout))
		case "token":
			options = append(options, polarway.WithToken(value))
		default:
			return nil, fmt.Errorf("polarway: there is no option %q of a data source: there are timeout and token", key)
		}
	}
	client, err := polarway.Dial(context.Background(), target, options...)
	if err != nil {
		return nil, err
	}
	return &connector{client: client, isOwn: true}, nil
}

// OpenDB makes a database of a client, which may have any options. To close it does not close the client.
func OpenDB(client *polarway.Client) *sql.DB {
	return sql.OpenDB(&connector{client: client})
}

// connector makes connections, which all use one client: any number of goroutines may.
type connector struct {
	client *polarway.Client
	// isOwn tells that nobody else has the client.
	isOwn bool
}

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	return &connection{client: c.client}, nil
}

func (c *connector) Driver() driver.Driver { return Driver{} }

// Close closes the client, when the database is closed.
func (c *connector) Close() error {
	if !c.isOwn {
		return nil
	}
	return c.client.Close()
}

// connection is a connection of database/sql. It has no state.
type connection struct{ client *polarway.Client }

var (
	_ driver.Pinger            = (*connection)(nil)
	_ driver.QueryerContext    = (*connection)(nil)
	_ driver.ExecerContext     = (*connection)(nil)
	_ driver.ConnBeginTx       = (*connection)(nil)
	_ driver.NamedValueChecker = (*connection)(nil)
)

var (
	errReadOnly     = errors.New("polarway: queries only read: tables are written with the Store method of a client")
	errTransactions = errors.New("polarway: there are no transactions: each query reads one state of each table")
)

func (c *connection) Ping(ctx context.Context) error { return c.client.HealthCheck(ctx) }

func (c *connection) Close() error { return nil }

// CheckNamedValue takes a value as it is: the client knows which types can be sent, and names what can't.
func (c *connection) CheckNamedValue(value *driver.NamedValue) error {
	if valuer, isValuer := value.Value.(driver.Valuer); isValuer {
		made, err := valuer.Value()
		value.Value = made
		return err
	}
	return nil
}

func (c *connection) QueryContext(ctx context.Context, query string, given []driver.NamedValue) (driver.Rows, error) {
	reader, err := c.client.OpenQuery(ctx, query, arguments(given)...)
	if err != nil {
		return nil, err
	}
	return newRows(reader), nil
}

func arguments(given []driver.NamedValue) []any {
	var all []any
	for _, one := range given {
		if one.Name != "" {
			all = append(all, polarway.Named(one.Name, one.Value))
		} else {
			all = append(all, one.Value)
		}
	}
	return all
}

func (c *connection) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return nil, errReadOnly
}

func (c *connection) Begin() (driver.Tx, error) { return nil, errTransactions }

func (c *connection) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return nil, errTransactions
}

func (c *connection) Prepare(query string) (driver.Stmt, error) {
	return &statement{connection: c, query: query}, nil
}

// statement is a text that is sent each time: the server remembers texts that it has checked.
type statement struct {
	connection *connection
	query      string
}

var (
	_ driver.StmtQueryContext  = (*statement)(nil)
	_ driver.NamedValueChecker = (*statement)(nil)
)

func (s *statement) Close() error { return nil }

// NumInput says that the number of parameters is not known here.
func (s *statement) NumInput() int { return -1 }

func (s *statement) CheckNamedValue(value *driver.NamedValue) error {
	return s.connection.CheckNamedValue(value)
}

func (s *statement) QueryContext(ctx context.Context, given []driver.NamedValue) (driver.Rows, error) {
	return s.connection.QueryContext(ctx, s.query, given)
}

func (s *statement) Query(given []driver.Value) (driver.Rows, error) {
	var values []driver.NamedValue
	for index, value := range given {
		values = append(values, driver.NamedValue{Ordinal: index + 1, Value: value})
	}
	return s.QueryContext(context.Background(), values)
}

func (s *statement) Exec([]driver.Value) (driver.Result, error) { return nil, errReadOnly }
