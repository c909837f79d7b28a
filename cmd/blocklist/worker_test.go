package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/longtest"
)

// asWorker is set for a copy of the test binary that is to be a [worker].
const asWorker = "BLOCKLIST_TEST_AS_WORKER"

// worker is a process that runs commands one after another, those of one script at a time. To start a process takes as
// long as most commands do.
type worker struct {
	commands *json.Encoder
	results  *json.Decoder
}

// command is what a process is started with.
type command struct {
	Dir  string
	Env  []string
	Args []string
}

// result is what a process leaves behind.
type result struct {
	Code           int
	Stdout, Stderr []byte
}

// work runs commands as a worker until there are no more.
func work(in io.Reader, out io.Writer) error {
	commands, results := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var c command
		if err := commands.Decode(&c); err != nil {
			return err
		}
		if err := os.Chdir(c.Dir); err != nil {
			return err
		}
		os.Clearenv()
		for _, variable := range c.Env {
			name, value, _ := strings.Cut(variable, "=")
			if err := os.Setenv(name, value); err != nil {
				return err
			}
		}
		var stdout, stderr bytes.Buffer
		code := run(c.Args, strings.NewReader(""), &stdout, &stderr)
		if err := results.Encode(result{code, stdout.Bytes(), stderr.Bytes()}); err != nil {
			return err
		}
	}
}

// workers are the idle ones.
type workers struct {
	mu   sync.Mutex
	idle []worker
}

// lend gives a script a worker until its end: an idle one, or a new one.
func (all *workers) lend(t *testing.T, e *testscript.Env) error {
	all.mu.Lock()
	defer all.mu.Unlock()
	if len(all.idle) == 0 {
		w, err := startWorker(t)
		if err != nil {
			return err
		}
		all.idle = append(all.idle, w)
	}
	last := len(all.idle) - 1
	w := all.idle[last]
	all.idle = all.idle[:last]
	e.Values[worker{}] = w
	e.Defer(func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		all.idle = append(all.idle, w)
	})
	return nil
}

// startWorker starts a worker, which ends with the test.
func startWorker(t *testing.T) (w worker, err error) {
	program, err := os.Executable()
	if err != nil {
		return w, err
	}
	cmd := exec.Command(program)
	cmd.Env, cmd.Stderr = append(os.Environ(), asWorker+"=1"), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return w, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return w, err
	}
	if err := cmd.Start(); err != nil {
		return w, err
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	return worker{json.NewEncoder(in), json.NewDecoder(out)}, nil
}

// workCommand is exec blocklist in the script's worker: work ARGUMENT...
func workCommand(ts *testscript.TestScript, neg bool, args []string) {
	w := ts.Value(worker{}).(worker)
	c := command{Dir: ts.MkAbs("."), Args: args}
	for _, name := range scriptVariables {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
	var r result
	ts.Check(w.commands.Encode(c))
	ts.Check(w.results.Decode(&r))
	ts.Stdout().Write(r.Stdout)
	ts.Stderr().Write(r.Stderr)
	if neg == (r.Code == 0) {
		ts.Fatalf("exit code %d", r.Code)
	}
}

// scriptVariables are the variables of the environment that scripts set, or that are set for them.
var scriptVariables = []string{
	"BLOCKLIST_NEW_PASSPHRASE", "BLOCKLIST_PASSPHRASE", "HOME", "PATH", "SSH_AUTH_SOCK", "TMPDIR", "XDG_STATE_HOME",
}

var (
	execLine = regexp.MustCompile(`(?m)^((?:\[[^]]*\] )?(?:! )?)exec blocklist (.*[^&\n])$`)
	envLine  = regexp.MustCompile(`(?m)^(?:\[[^]]*\] )?env (\w+)=`)
)

// scripts returns the folder of the scripts. Where the long tests run, each command is a process of its own. Otherwise
// those that need no input, and no second process beside them, are for the worker.
func scripts(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("testdata", "script")
	if longtest.Wanted() {
		return dir
	}
	to := t.TempDir()
	paths, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	require.NoError(t, err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, m := range envLine.FindAllSubmatch(text, -1) {
			require.Contains(t, scriptVariables, string(m[1]), path)
		}
		if !bytes.Contains(text, []byte("\nstdin ")) && !bytes.Contains(text, []byte("\nttyin ")) {
			text = execLine.ReplaceAll(text, []byte("${1}work ${2}"))
		}
		require.NoError(t, os.WriteFile(filepath.Join(to, filepath.Base(path)), text, 0o600))
	}
	return to
}
