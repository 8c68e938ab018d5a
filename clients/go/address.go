package polarway

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

const (
	// urlVariable names the servers if no target is given: URLs with commas between them.
	urlVariable = "POLARWAY_URL"
	// tokenVariable has the token if none is given.
	tokenVariable = "POLARWAY_AUTH_TOKEN"

	defaultPort = 50052
	defaultURL  = "http://localhost:50052"
)

// address is a server's host and port, and whether connections to it use TLS.
type address struct {
	host     string
	port     uint16
	isSecure bool
}

// String returns host and port, as gRPC takes them and as messages show them.
func (a address) String() string {
	return net.JoinHostPort(a.host, strconv.Itoa(int(a.port)))
}

// url returns the address as a URL.
func (a address) url() string {
	if a.isSecure {
		return "https://" + a.String()
	}
	return "http://" + a.String()
}

// isThisMachine tells whether a packet to this address stays on this machine.
func (a address) isThisMachine() bool {
	if ip, err := netip.ParseAddr(a.host); err == nil {
		return ip.IsLoopback()
	}
	return strings.EqualFold(a.host, "localhost")
}

// addresses returns the servers that a user names: hosts or URLs, with commas between several. An empty target is that of
// the environment, or this machine. A host without a scheme uses TLS if the client has a configuration for it.
func addresses(targets []string, hasTLS bool) ([]address, error) {
	var found []address
	for _, target := range targets {
		if target == "" {
			target = os.Getenv(urlVariable)
		}
		if target == "" {
			target = defaultURL
		}
		for text := range strings.SplitSeq(target, ",") {
			one, err := parseAddress(strings.TrimSpace(text), hasTLS)
			if err != nil {
				return nil, err
			}
			found = append(found, one)
		}
	}
	if hasTLS && !slices.ContainsFunc(found, func(one address) bool { return one.isSecure }) {
		return nil, invalid("a TLS configuration is given, and no URL begins with https://: nothing would be encrypted")
	}
	return found, nil
}

func parseAddress(text string, isSecure bool) (address, error) {
	if strings.Contains(text, "://") {
		return parseURL(text)
	}
	host, port := text, ""
	switch {
	case strings.HasPrefix(text, "["):
		inside, rest, isClosed := strings.Cut(text[1:], "]")
		if !isClosed || (rest != "" && !strings.HasPrefix(rest, ":")) {
			return address{}, badAddress(text, "is no host")
		}
		if rest == ":" {
			return address{}, badAddress(text, "has no port behind the colon")
		}
		host, port = inside, strings.TrimPrefix(rest, ":")
	case strings.Count(text, ":") == 1:
		host, port, _ = strings.Cut(text, ":")
		if port == "" {
			return address{}, badAddress(text, "has no port behind the colon")
		}
	}
	return newAddress(text, host, port, defaultPort, isSecure)
}

func parseURL(text string) (address, error) {
	parsed, err := url.Parse(text)
	if err != nil {
		return address{}, badAddress(text, "is no URL")
	}
	standard := map[string]uint16{"http": 80, "https": 443}[parsed.Scheme]
	if standard == 0 {
		return address{}, badAddress(text, "does not start with http:// or https://")
	}
	isMore := parsed.User != nil || (parsed.Path != "" && parsed.Path != "/") || parsed.RawQuery != "" || parsed.Fragment != ""
	if isMore {
		return address{}, badAddress(text, "has more than a host and a port")
	}
	return newAddress(text, parsed.Hostname(), parsed.Port(), standard, parsed.Scheme == "https")
}

func newAddress(text, host, port string, standard uint16, isSecure bool) (address, error) {
	if host == "" {
		return address{}, badAddress(text, "names no host")
	}
	if strings.Contains(host, ":") {
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return address{}, badAddress(text, "is no host")
		}
	} else if strings.ContainsFunc(host, isForeignToHosts) {
		return address{}, badAddress(text, "is no host")
	}
	if port == "" {
		return address{host, standard, isSecure}, nil
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return address{}, badAddress(text, "has no port from 1 to 65535 behind the colon")
	}
	return address{host, uint16(number), isSecure}, nil
}

func isForeignToHosts(character rune) bool {
	return !unicode.IsLetter(character) && !unicode.IsDigit(character) && !strings.ContainsRune("-._", character)
}

func badAddress(text, what string) error {
	return invalid("%q %s: give a host and a port, or a URL such as %s", text, what, defaultURL)
}

// checkToken refuses a token that no header can hold. The message does not have the token.
func checkToken(token string) error {
	for _, character := range []byte(token) {
		if character < ' ' || character > '~' {
			return invalid("the token has characters that no HTTP header can hold")
		}
	}
	return nil
}
