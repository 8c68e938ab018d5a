package polarway_test

import (
	"bytes"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/polarway/polarway/clients/go/internal/polarwaytest"
)

// The page about this client.
const page = "../../docs/go.md"

var codeBlocks = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```")

func blocks(t *testing.T, language string) []string {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		polarwaytest.NotRun(t, "the module is outside of its repository")
	}
	var found []string
	for _, block := range codeBlocks.FindAllStringSubmatch(string(content), -1) {
		if block[1] == language {
			found = append(found, block[2])
		}
	}
	return found
}

func TestTheProgramOfThePageRunsInAModuleThatInstalledThisOne(t *testing.T) {
	program, wanted := blocks(t, "go")[0], blocks(t, "text")[0]
	goProgram, err := exec.LookPath("go")
	if err != nil {
		polarwaytest.NotRun(t, "the program go is not in the path")
	}
	address := polarwaytest.Start(t)
	folder := t.TempDir()
	installed := filepath.Join(folder, "installed")
	if err := os.CopyFS(installed, withoutTests{os.DirFS(".")}); err != nil {
		t.Fatal(err)
	}
	user := filepath.Join(folder, "user")
	if err := os.Mkdir(user, 0o755); err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	// What `go mod edit` and `go mod tidy` write, without asking the network for what tests of others need.
	const path = "github.com/polarway/polarway/clients/go"
	own := strings.Replace(string(module), "module "+path, "module example.com/user", 1) +
		"\nrequire " + path + " v0.1.0\n\nreplace " + path + " => " + installed + "\n"
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"go.mod": own, "go.sum": string(sums), "main.go": program} {
		if err := os.WriteFile(filepath.Join(user, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(goProgram, "run", "-mod=mod", ".")
	command.Dir = user
	command.Env = append(os.Environ(), "POLARWAY_URL=http://"+address, "POLARWAY_AUTH_TOKEN=", "GOFLAGS=", "GOWORK=off")
	var said, failed bytes.Buffer
	command.Stdout, command.Stderr = &said, &failed
	if err := command.Run(); err != nil || said.String() != wanted {
		t.Fatalf("it prints %q and %q, %v; the page says %q", said.String(), failed.String(), err, wanted)
	}
}

// withoutTests is a folder without the tests in it.
type withoutTests struct{ fs.FS }

func (f withoutTests) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(f.FS, name)
	var others []fs.DirEntry
	for _, entry := range all {
		if !strings.HasSuffix(entry.Name(), "_test.go") && entry.Name() != "testdata" {
			others = append(others, entry)
		}
	}
	return others, err
}

func TestTheGoOfThePageIsWrittenAsGoWritesIt(t *testing.T) {
	for _, block := range blocks(t, "go") {
		for _, source := range []string{block, "package p\n\n" + block, "package p\n\nfunc f() {\n" + block + "}\n"} {
			if _, err := format.Source([]byte(source)); err == nil {
				block = ""
				break
			}
		}
		// Imports before statements stand in one block only on a page.
		if block != "" && !strings.HasPrefix(block, "import (") {
			t.Errorf("it does not parse: %s", block)
		}
	}
}
