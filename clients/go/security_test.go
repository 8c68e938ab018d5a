package polarway_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/polarway/polarway/clients/go"
	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

// authority signs certificates, and puts what belongs to them into files.
type authority struct {
	folder      string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	// file has the certificate of the authority.
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key := value(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA of a test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	content := value(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	made := &authority{folder: t.TempDir(), certificate: value(x509.ParseCertificate(content)), key: key}
	made.file = made.write(t, "ca.crt", "CERTIFICATE", content)
	return made
}

func (a *authority) write(t *testing.T, name, kind string, content []byte) string {
	t.Helper()
	file := filepath.Join(a.folder, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// sign makes a certificate and its key, for a server at a name or for a client.
func (a *authority) sign(t *testing.T, name string) (certificate, keyFile string) {
	t.Helper()
	key := value(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	content := value(x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key))
	private := value(x509.MarshalPKCS8PrivateKey(key))
	return a.write(t, name+".crt", "CERTIFICATE", content), a.write(t, name+".key", "PRIVATE KEY", private)
}

func TestCallsAreEncryptedAndTheServerIsWhoItSays(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	ours := newAuthority(t)
	certificate, key := ours.sign(t, "127.0.0.1")
	address := polarwaytest.Start(t, "--tls-cert", certificate, "--tls-key", key)
	client := clientOf(t, "https://"+address, polarway.WithTLSFiles(ours.file, "", ""))
	value(client.Store(ctx, "t", numbers(t, 100_000)))
	if _, rows, err := sumOf(client.LoadStream(ctx, "t")); err != nil || rows != 100_000 {
		t.Error(rows, err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ours.certificate)
	value(clientOf(t, address, polarway.WithTLS(&tls.Config{RootCAs: pool})).ServerInfo(ctx))

	_, err := polarway.Dial(ctx, "https://"+address)
	failed := refused(t, err, polarway.ErrUnavailable, "can't be made secure", "does not trust the CA", "WithTLS")
	if failed.Retryable {
		t.Error("it would be the same the next time")
	}
	_, err = polarway.Dial(ctx, "https://"+address, polarway.WithTLSFiles(newAuthority(t).file, "", ""))
	refused(t, err, polarway.ErrUnavailable, "does not trust the CA")
	_, port, _ := net.SplitHostPort(address)
	_, err = polarway.Dial(ctx, "https://localhost:"+port, polarway.WithTLSFiles(ours.file, "", ""))
	refused(t, err, polarway.ErrUnavailable, "for another name")
	_, err = polarway.Dial(ctx, "http://"+address)
	refused(t, err, polarway.ErrUnavailable, address, "speaks TLS", "https://")
	plain := polarwaytest.Start(t)
	_, err = polarway.Dial(ctx, "https://"+plain)
	refused(t, err, polarway.ErrUnavailable, "does not speak TLS")
}

func TestAServerAsksForTheClientsCertificate(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	ours := newAuthority(t)
	certificate, key := ours.sign(t, "127.0.0.1")
	address := polarwaytest.Start(t, "--tls-cert", certificate, "--tls-key", key, "--tls-ca", ours.file)
	own, ownKey := ours.sign(t, "client.example")
	value(clientOf(t, "https://"+address, polarway.WithTLSFiles(ours.file, own, ownKey)).Datasets(ctx))
	foreign, foreignKey := newAuthority(t).sign(t, "stranger.example")
	for _, files := range [][2]string{{"", ""}, {foreign, foreignKey}} {
		_, err := polarway.Dial(ctx, "https://"+address, polarway.WithTLSFiles(ours.file, files[0], files[1]))
		// On a machine that is busy, a handshake may take longer than a client waits.
		for ctx.Err() == nil && strings.Contains(err.Error(), "deadline exceeded") {
			_, err = polarway.Dial(ctx, "https://"+address, polarway.WithTLSFiles(ours.file, files[0], files[1]))
		}
		refused(t, err, polarway.ErrUnavailable, "certificate")
	}
}

func TestAServerAsksForAToken(t *testing.T) {
	polarwaytest.NoLeaks(t)
	ctx := polarwaytest.Context(t)
	server := polarwaytest.StartIn(t, t.TempDir(), []string{"POLARWAY_AUTH_TOKEN=a-secret"})
	value(clientOf(t, server.Address, polarway.WithToken("a-secret")).Datasets(ctx))
	_, err := polarway.Dial(ctx, server.Address, polarway.WithToken("another"))
	if failed := refused(t, err, polarway.ErrUnauthenticated); failed.Reason != "INVALID_TOKEN" || strings.Contains(err.Error(), "another") {
		t.Errorf("%+v", failed)
	}
	_, err = polarway.Dial(ctx, server.Address)
	if failed := refused(t, err, polarway.ErrUnauthenticated); failed.Reason != "MISSING_TOKEN" {
		t.Errorf("%+v", failed)
	}
	lazy := value(polarway.Dial(ctx, server.Address, polarway.WithLazyConnection()))
	defer lazy.Close()
	if err := lazy.HealthCheck(ctx); err != nil {
		t.Errorf("health needs no token: %v", err)
	}
	t.Setenv("POLARWAY_AUTH_TOKEN", "a-secret")
	t.Setenv("POLARWAY_URL", "http://"+server.Address)
	value(clientOf(t, "").Datasets(ctx))
}

func TestATokenThatGoesUnencryptedOverANetworkIsWarnedOf(t *testing.T) {
	var logged bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&logged, nil))
	options := []polarway.Option{polarway.WithToken("secret"), polarway.WithLogger(logger), polarway.WithLazyConnection()}
	for _, target := range []string{"http://tables.example:1", "https://safe.example:1", "127.0.0.1:1", "localhost:1"} {
		client := value(polarway.Dial(context.Background(), target, options...))
		_ = client.Close()
	}
	said := logged.String()
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, "tables.example") || strings.Contains(said, "secret") {
		t.Error(said)
	}
}
