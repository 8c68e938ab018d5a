// Package polarwaytest has what the tests need: servers, a proxy that fails on purpose, and checks that nothing is left over.
package polarwaytest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// The server's program, which `cargo xtask test` names.
	programVariable = "POLARWAY_TEST_SERVER"
	// Where tests note that they were not run, and why.
	notRunVariable = "POLARWAY_TEST_NOT_RUN"

	// Patience is how long something may take on a busy machine.
	Patience = 2 * time.Minute
)

// NotRun skips a test, and notes why.
func NotRun(t testing.TB, reason string) {
	t.Helper()
	if file := os.Getenv(notRunVariable); file != "" {
		notes, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			_, _ = notes.WriteString("clients/go::" + t.Name() + "\t" + reason + "\n")
			_ = notes.Close()
		}
	}
	t.Skip("not run: " + reason)
}

// Server runs a server until the test ends.
type Server struct {
	Address string
	process *exec.Cmd
	ended   chan struct{}
}

// Start runs a server on a free port, with its data in a new folder, until the test ends, and returns its address.
func Start(t testing.TB, flags ...string) string {
	t.Helper()
	return StartIn(t, t.TempDir(), nil, flags...).Address
}

// StartIn runs a server with its data in a folder, and with variables besides.
func StartIn(t testing.TB, folder string, variables []string, flags ...string) *Server {
	t.Helper()
	if os.Getenv(programVariable) == "" {
		NotRun(t, programVariable+" names no server")
	}
	server, err := start(folder, variables, flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server
}

// WithServer does something with the address of a server, which is empty if none can be run.
func WithServer(do func(address string) int) int {
	if os.Getenv(programVariable) == "" {
		return do("")
	}
	folder, err := os.MkdirTemp("", "polarway-go-examples-")
	if err != nil {
		return do("")
	}
	defer os.RemoveAll(folder)
	server, err := start(folder, nil, nil)
	if err != nil {
		return do("")
	}
	defer server.Stop()
	return do(server.Address)
}

var listening = regexp.MustCompile(`listening on (\S+)`)

func start(folder string, variables, flags []string) (*Server, error) {
	arguments := append([]string{"--bind", "127.0.0.1:0", "--data-dir", folder}, flags...)
	command := exec.Command(os.Getenv(programVariable), arguments...)
	// The settings of whoever runs the tests are not the tests'.
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "POLARWAY_") {
			command.Env = append(command.Env, variable)
		}
	}
	command.Env = append(command.Env, variables...)
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		return nil, err
	}
	server := &Server{process: command, ended: make(chan struct{})}
	address, failed := make(chan string, 1), make(chan error, 1)
	go func() {
		defer close(server.ended)
		var said strings.Builder
		// All that the server writes is read: a full pipe would stop it.
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if found := listening.FindStringSubmatch(lines.Text()); found != nil {
				select {
				case address <- found[1]:
				default:
				}
			}
			said.WriteString(lines.Text() + "\n")
		}
		failed <- fmt.Errorf("the server ended (%w); it said: %s", errors.Join(errEnded, command.Wait()), said.String())
	}()
	select {
	case server.Address = <-address:
		return server, nil
	case err := <-failed:
		return nil, err
	case <-time.After(Patience):
		server.Kill()
		return nil, errors.New("the server did not start")
	}
}

var errEnded = errors.New("before it listened")

// Signal sends a signal to the server.
func (s *Server) Signal(signal syscall.Signal) { _ = s.process.Process.Signal(signal) }

// Kill ends the server at once.
func (s *Server) Kill() {
	s.Signal(syscall.SIGKILL)
	<-s.ended
}

// Stop ends the server. To stop twice does nothing.
func (s *Server) Stop() {
	s.Signal(syscall.SIGCONT)
	s.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(Patience):
		s.Kill()
	}
}

// Context returns a context that ends a test that hangs.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// FreeAddress is an address of this machine where nobody listens now.
func FreeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// WaitFor waits until somebody listens at an address.
func WaitFor(t testing.TB, address string) {
	t.Helper()
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if connection, err := net.Dial("tcp", address); err == nil {
			_ = connection.Close()
			return
		}
	}
	t.Fatalf("nobody listens at %s", address)
}
