package polarwaytest

import (
	"net"
	"sync"
	"testing"
)

// Failure is how a connection of a proxy fails.
type Failure int

const (
	// Cut closes both ends.
	Cut Failure = iota
	// Silent lets nothing through any more.
	Silent
)

// Proxy forwards connections to a server, and counts the bytes of both directions together. The connection that reaches a
// number of bytes first fails.
type Proxy struct {
	// Address is where it listens.
	Address string

	listener  net.Listener
	server    string
	failAfter int64
	failure   Failure
	running   sync.WaitGroup

	lock        sync.Mutex
	isClosed    bool
	refusal     *Failure
	refused     []net.Conn
	count       int64
	failures    int
	connections []net.Conn
}

// NewProxy makes a proxy before a server, until the test ends. A connection fails after so many bytes; never, if the number
// is negative.
func NewProxy(t testing.TB, server string, failAfter int64, failure Failure) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := &Proxy{Address: listener.Addr().String(), listener: listener, server: server, failAfter: failAfter, failure: failure}
	proxy.running.Go(proxy.accept)
	t.Cleanup(proxy.Close)
	return proxy
}

// Count returns the bytes that have gone through.
func (p *Proxy) Count() int64 {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.count
}

// Failures returns how many connections have failed.
func (p *Proxy) Failures() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.failures
}

// Connections returns how many connections clients have made.
func (p *Proxy) Connections() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	return len(p.connections) / 2
}

// RefuseMore lets no further connection through.
func (p *Proxy) RefuseMore(refusal Failure) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.refusal = &refusal
}

// Refused returns how many connections were not let through.
func (p *Proxy) Refused() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	return len(p.refused)
}

// Close ends all connections. To close twice does nothing.
func (p *Proxy) Close() {
	p.lock.Lock()
	p.isClosed = true
	_ = p.listener.Close()
	for _, one := range append(p.refused, p.connections...) {
		_ = one.Close()
	}
	p.lock.Unlock()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.refuses(client) {
			continue
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.lock.Lock()
		if p.isClosed {
			_ = client.Close()
			_ = server.Close()
			p.lock.Unlock()
			return
		}
		p.connections = append(p.connections, client, server)
		p.lock.Unlock()
		p.running.Go(func() { p.forward(client, server) })
		p.running.Go(func() { p.forward(server, client) })
	}
}

// refuses tells whether a connection is not let through.
func (p *Proxy) refuses(client net.Conn) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.refusal == nil {
		return false
	}
	p.refused = append(p.refused, client)
	if *p.refusal == Cut || p.isClosed {
		_ = client.Close()
	}
	return true
}

func (p *Proxy) forward(from, to net.Conn) {
	buffer := make([]byte, 1<<16)
	for {
		length, err := from.Read(buffer)
		if length > 0 {
			passing, fails := p.passes(int64(length))
			if _, err := to.Write(buffer[:passing]); err != nil {
				break
			}
			if fails && p.failure == Silent {
				return
			}
			if fails {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = from.Close()
	_ = to.Close()
}

// passes tells how many of the next bytes go through, and whether the connection fails then.
func (p *Proxy) passes(length int64) (int64, bool) {
	p.lock.Lock()
	defer p.lock.Unlock()
	fails := p.failAfter >= 0 && p.failures == 0 && p.count+length >= p.failAfter
	if fails {
		length = p.failAfter - p.count
		p.failures++
	}
	p.count += length
	return length, fails
}
