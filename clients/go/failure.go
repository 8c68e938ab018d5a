package polarway

import (
	"regexp"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A reason of another domain, perhaps from a proxy, is not of this protocol.
const domain = "polarway"

// failureOf is what an error of a call to this address says.
func failureOf(err error, at address) *Error {
	known, _ := status.FromError(err)
	var reason string
	var delay time.Duration
	for _, detail := range known.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == domain {
				reason = detail.GetReason()
			}
		case *errdetails.RetryInfo:
			delay = max(0, detail.GetRetryDelay().AsDuration())
		}
	}
	if reason != "" {
		return ofReason(known.Code(), reason, known.Message(), delay)
	}
	if text, isOurs := strings.CutPrefix(known.Message(), "grpc: error while marshaling: "); isOurs {
		return invalid("the request can't be sent: %s", text)
	}
	if strings.Contains(known.Message(), "failed to unmarshal the received message") {
		return protocolError("what %s sent is no message of this protocol", at)
	}
	return unexplained(known.Code(), known.Message(), at)
}

var (
	httpStatus = regexp.MustCompile(`unexpected HTTP status code received from server: (\d+)`)
	// What gRPC says before the innermost cause, which alone helps.
	beforeCause = regexp.MustCompile(`^(connection error: desc = "|transport: |Error while dialing:? |authentication handshake failed: |` +
		`error reading from server: |error reading server preface: |write tcp \S+: |read tcp \S+: |dial tcp \S+: |last connection error: |` +
		`connection active but health check failed\. status=)+`)
)

// What gRPC says when TLS failed, and what that means.
var tlsFailures = []struct{ mark, meaning string }{
	{"first record does not look like a TLS handshake", "the server does not speak TLS: use http://, and no TLS configuration"},
	{"certificate signed by unknown authority", "this client does not trust the CA of the server's certificate: if it is your own, give it with WithTLS or WithTLSFiles"},
	{"certificate is not valid for any names", "the server's certificate is for another name"},
	{"certificate is valid for", "the server's certificate is for another name"},
	{"doesn't contain any IP SANs", "the server's certificate is for another name"},
	{"not standards compliant", "this client refuses the server's certificate"},
	{"certificate has expired", "the server's certificate is not valid now"},
	{"tls: failed to verify certificate", "this client refuses the server's certificate"},
	{"certificate required", "the server requires a certificate of this client: give one with WithTLS or WithTLSFiles"},
	{"remote error: tls:", "the server refuses this client's certificate"},
	{"missing selected ALPN property", "the server does not speak HTTP/2"},
	{"tls: ", "the handshake failed"},
}

// unexplained is a status that no Polarway server made: the connection, gRPC or a proxy did.
func unexplained(code codes.Code, text string, at address) *Error {
	switch {
	case code == codes.DeadlineExceeded:
		return ofCode(code, at.String()+" did not answer within the timeout", originPeer)
	case code == codes.Unimplemented:
		return ofCode(code, "what answers at "+at.String()+" is no Polarway server, or one of another protocol", originPeer)
	}
	if found := httpStatus.FindStringSubmatch(text); found != nil {
		return ofCode(codes.Unavailable, "a proxy before the server at "+at.String()+" answered "+found[1], originPeer)
	}
	if kindOfCode[code] != ErrUnavailable {
		return ofCode(code, at.String()+" answered with gRPC code "+code.String()+": "+text, originPeer)
	}
	cause := innermost(text)
	if at.isSecure {
		for _, failure := range tlsFailures {
			if strings.Contains(text, failure.mark) {
				message := "the connection to " + at.String() + " can't be made secure: " + failure.meaning + " (" + cause + ")"
				return ofCode(code, message, originTLS)
			}
		}
	} else if strings.Contains(text, errSpeaksTLS.Error()) {
		message := "the connection to " + at.String() + " can't be made: the server speaks TLS: use https:// or WithTLS"
		return ofCode(code, message, originTLS)
	}
	did := "hung up"
	if strings.Contains(text, "Error while dialing") {
		did = "can't be reached"
	}
	return ofCode(code, at.String()+" "+did+": "+cause, originConnection)
}

func innermost(text string) string {
	for {
		shorter := beforeCause.ReplaceAllString(text, "")
		if shorter == text {
			return strings.TrimSuffix(text, `"`)
		}
		text = shorter
	}
}
