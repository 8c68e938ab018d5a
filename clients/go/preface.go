package polarway

import (
	"encoding/binary"
	"errors"
	"net"
)

// errSpeaksTLS is what a Polarway server that needs TLS answers to a connection without it.
var errSpeaksTLS = errors.New("the server speaks TLS")

const (
	frameHeaderBytes = 9
	frameGoAway      = 7
	// The error code of HTTP/2 for a connection that is not encrypted.
	inadequateSecurity = 0xc
	// How much of what a server says first is looked at.
	prefaceBytes = 256
)

// plainConnection looks for a server's answer that it needs TLS. gRPC would connect again and again without telling why.
type plainConnection struct {
	net.Conn
	// said is what the server has said first.
	said   []byte
	isDone bool
}

func (c *plainConnection) Read(p []byte) (int, error) {
	count, err := c.Conn.Read(p)
	if c.isDone || count == 0 {
		return count, err
	}
	c.said = append(c.said, p[:min(count, prefaceBytes)]...)
	if needsTLS(c.said) {
		return 0, errSpeaksTLS
	}
	if len(c.said) >= prefaceBytes {
		c.isDone, c.said = true, nil
	}
	return count, err
}

// needsTLS tells whether there is the frame of HTTP/2 that says so.
func needsTLS(said []byte) bool {
	for len(said) >= frameHeaderBytes {
		length := int(binary.BigEndian.Uint32(said) >> 8)
		kind, rest := said[3], said[frameHeaderBytes:]
		if kind == frameGoAway && len(rest) >= 8 {
			return binary.BigEndian.Uint32(rest[4:]) == inadequateSecurity
		}
		if length > len(rest) {
			return false
		}
		said = rest[length:]
	}
	return false
}
