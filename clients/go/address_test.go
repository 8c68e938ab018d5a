package polarway

import (
	"errors"
	"strings"
	"testing"
)

func TestServersAreNamedByHostsPortsAndURLs(t *testing.T) {
	for target, want := range map[string]string{
		"localhost":                "http://localhost:50052",
		"localhost:1":              "http://localhost:1",
		"http://a.example":         "http://a.example:80",
		"https://a.example":        "https://a.example:443",
		"https://a.example:50052/": "https://a.example:50052",
		"[::1]":                    "http://[::1]:50052",
		"[::1]:7":                  "http://[::1]:7",
		"::1":                      "http://[::1]:50052",
		"http://[fe80::1%25eth0]":  "http://[fe80::1%eth0]:80",
		"a:1,b:2":                  "http://a:1,http://b:2",
		"a:1, https://b:2":         "http://a:1,https://b:2",
		"größe.example":            "http://größe.example:50052",
	} {
		found, err := addresses([]string{target}, false)
		var urls []string
		for _, one := range found {
			urls = append(urls, one.url())
		}
		if got := strings.Join(urls, ","); err != nil || got != want {
			t.Errorf("%q: %s, %v", target, got, err)
		}
	}
	if found, err := addresses([]string{"a"}, true); err != nil || !found[0].isSecure {
		t.Errorf("a host uses TLS if there is a configuration for it: %v, %v", found, err)
	}
}

func TestWhatNamesNoServerIsRefusedByName(t *testing.T) {
	for _, target := range []string{
		"a:", "a:x", "a:0", "a:65536", "[::1", "[::1]x", "[::1]:", "ftp://a", "http://", "http://a/path", "http://u:p@a", "http://a?x",
		"a b", "a/b", "http://a:99999", ":1", "a,", ",", "1::2::3",
	} {
		_, err := addresses([]string{target}, false)
		if !errors.Is(err, ErrInvalidInput) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", target, err)
		}
	}
	if _, err := addresses([]string{"http://a"}, true); err == nil || !strings.Contains(err.Error(), "nothing would be encrypted") {
		t.Errorf("certificates without an address that uses them: %v", err)
	}
}

func TestTheEnvironmentNamesTheServersAndTheToken(t *testing.T) {
	t.Setenv(urlVariable, "http://a:1,http://b:2")
	t.Setenv(tokenVariable, "secret")
	found, err := addresses([]string{""}, false)
	if err != nil || len(found) != 2 || found[1].String() != "b:2" {
		t.Errorf("%v, %v", found, err)
	}
	made, err := newSettings("", nil)
	if err != nil || made.token != "secret" {
		t.Errorf("%v, %v", made.token, err)
	}
	t.Setenv(urlVariable, "")
	if found, err := addresses([]string{""}, false); err != nil || found[0].url() != defaultURL {
		t.Errorf("%v, %v", found, err)
	}
}

func TestATokenThatNoHeaderCanHoldIsRefusedAndNotTold(t *testing.T) {
	for _, token := range []string{"se\ncret", "sécret", ""} {
		_, err := newSettings("", []Option{WithToken(token)})
		if !errors.Is(err, ErrInvalidInput) || strings.Contains(err.Error(), "cret") {
			t.Errorf("%q: %v", token, err)
		}
	}
}

func TestOptionsThatCantBeUsedAreRefused(t *testing.T) {
	for what, option := range map[string]Option{
		"timeout":     WithTimeout(0),
		"endpoint":    WithEndpoints(""),
		"TLS":         WithTLS(nil),
		"allocator":   WithAllocator(nil),
		"logger":      WithLogger(nil),
		"window":      WithStreamWindow(1),
		"/no/such/ca": WithTLSFiles("/no/such/ca", "", ""),
		"both files":  WithTLSFiles("", "certificate", ""),
		"can't be":    WithTLSFiles("", "/no/certificate", "/no/key"),
	} {
		if _, err := newSettings("", []Option{option}); !errors.Is(err, ErrInvalidInput) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
