package polarway_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/polarway/polarway/clients/go"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

// startNginx runs nginx before these servers, with the settings of deploy/nginx, and returns its address.
func startNginx(t *testing.T, servers ...string) string {
	t.Helper()
	program := ""
	for _, place := range []string{"nginx", "/usr/sbin/nginx"} {
		if found, err := exec.LookPath(place); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		polarwaytest.NotRun(t, "nginx is not installed")
	}
	template, err := os.ReadFile("../../deploy/nginx/nginx.conf")
	if err != nil {
		polarwaytest.NotRun(t, "the module is outside of its repository")
	}
	folder := t.TempDir()
	address := polarwaytest.FreeAddress(t)
	settings := nginxSettings(t, string(template), address, servers)
	file := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "-p", folder, "-c", file, "-e", filepath.Join(folder, "error.log"), "-g", fmt.Sprintf("daemon off; pid %s/pid;", folder))
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait()
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		<-ended
	})
	polarwaytest.WaitFor(t, address)
	return address
}

// nginxSettings puts addresses into the settings that operators get.
func nginxSettings(t *testing.T, template, address string, servers []string) string {
	t.Helper()
	var lines []string
	isListed := false
	for _, line := range strings.Split(template, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "server worker-"):
			rest := trimmed[strings.IndexAny(trimmed[len("server "):], " ;")+len("server "):]
			for _, server := range servers {
				if !isListed {
					lines = append(lines, "server "+server+rest)
				}
			}
			isListed = true
		case strings.HasPrefix(trimmed, "listen "):
			lines = append(lines, "listen "+address+trimmed[strings.IndexAny(trimmed[len("listen "):], " ;")+len("listen "):])
		default:
			lines = append(lines, line)
		}
	}
	if !isListed {
		t.Fatal("nginx.conf names no workers")
	}
	return strings.Join(lines, "\n")
}

func TestWorkersThatAreKilledBehindNginxLoseNoCallAndWriteNothingTwice(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	folder := t.TempDir()
	flags := []string{"--handle-store", "external"}
	workers := []*polarwaytest.Server{polarwaytest.StartIn(t, folder, nil, flags...), polarwaytest.StartIn(t, folder, nil, flags...), polarwaytest.StartIn(t, folder, nil, flags...)}
	address := startNginx(t, workers[0].Address, workers[1].Address, workers[2].Address)
	client := clientOf(t, address)
	value(client.Store(ctx, "t", numbers(t, manyRows)))
	value(client.Store(ctx, "appended", numbers(t, 0)))
	ended := make(chan error, 1)
	go func() {
		for number := range 12 {
			sum, rows, err := sumOf(client.LoadStream(ctx, "t"))
			if err == nil && (rows != manyRows || sum != manyRows*(manyRows-1)/2) {
				err = fmt.Errorf("%d rows, and %d", rows, sum)
			}
			if err != nil {
				ended <- fmt.Errorf("load %d: %w", number, err)
				return
			}
			if _, err := client.Append(ctx, "appended", numbers(t, 1000)); err != nil {
				ended <- fmt.Errorf("append %d: %w", number, err)
				return
			}
			table, err := client.Query(ctx, "SELECT count(*) AS n FROM t")
			if err != nil {
				ended <- fmt.Errorf("query %d: %w", number, err)
				return
			}
			table.Release()
		}
		ended <- nil
	}()
	time.Sleep(300 * time.Millisecond)
	workers[0].Kill()
	time.Sleep(500 * time.Millisecond)
	workers[1].Kill()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if described := value(client.Describe(ctx, "appended")); described.Rows != 12_000 || described.Version != 13 {
		t.Errorf("%+v", described)
	}
}

func TestAWorkerTellsWithWhomItRunsQueries(t *testing.T) {
	ctx := polarwaytest.Context(t)
	if alone := value(client(t).ServerInfo(ctx)); len(alone.Peers) != 0 {
		t.Errorf("%+v", alone.Peers)
	}
	own, nobody := polarwaytest.FreeAddress(t), "127.0.0.1:1"
	client := clientOf(t, polarwaytest.Start(t, "--peer-bind", own, "--peers", own+","+nobody))
	var peers []polarway.Peer
	for len(peers) < 2 && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
		peers = value(client.ServerInfo(ctx)).Peers
	}
	for _, peer := range peers {
		isOwn := peer.Address == own
		state := polarway.PeerUnreachable
		if isOwn {
			state = polarway.PeerReady
		}
		if peer.IsOwn != isOwn || peer.State != state || (peer.Reason == "") != isOwn {
			t.Errorf("%+v", peer)
		}
	}
}
