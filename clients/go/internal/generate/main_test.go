package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

func TestGeneratedCodeIsWhatTheProtocolSays(t *testing.T) {
	const root = "../../../.."
	if _, err := os.Stat(filepath.Join(root, "proto")); err != nil {
		polarwaytest.NotRun(t, "the module is outside of its repository")
	}
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := filepath.Glob("../polarwayv1/*.go")
	if err != nil {
		t.Fatal(err)
	}
	if len(committed) != len(files) {
		t.Errorf("there are %d generated files and not %d: run `go generate ./...`", len(committed), len(files))
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("../polarwayv1", name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what is generated: run `go generate ./...`", name)
		}
	}
}
