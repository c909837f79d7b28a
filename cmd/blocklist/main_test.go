package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/internal/longtest"
)

// asCommand is set for a copy of the test binary that is to behave as the command.
const asCommand = "BLOCKLIST_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){"blocklist": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("ORIGIN_ADDRESS", freeAddress(t))
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sql":     sqlCommand,
			"waitfor": waitCommand,
			"exits":   exitsCommand,

			"waitforfile": waitFileCommand,
		},
		Condition: func(name string) (bool, error) {
			if name != "long" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return longtest.Wanted(), nil
		},
		RequireExplicitExec: true,
	})
}

// freeAddress returns an address on loopback that no one listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// sqlCommand changes a ledger behind the command's back: sql FILE STATEMENT.
func sqlCommand(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	_, err = db.ExecContext(context.Background(), args[1])
	ts.Check(err)
}

// waitCommand waits until a server answers: waitfor URL.
func waitCommand(ts *testscript.TestScript, _ bool, args []string) {
	for range 100 {
		if response, err := http.Get(args[0]); err == nil {
			response.Body.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("nobody answers at %s", args[0])
}

// waitFileCommand waits until something has its name: waitforfile PATH.
func waitFileCommand(ts *testscript.TestScript, _ bool, args []string) {
	for range 100 {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("there is no %s", args[0])
}

// exitsCommand runs the command in this process and checks its exit code: exits CODE ARGUMENT...
func exitsCommand(ts *testscript.TestScript, _ bool, args []string) {
	for i, a := range args {
		if strings.HasPrefix(a, "./") {
			args[i] = ts.MkAbs(a)
		}
	}
	var out, errs bytes.Buffer
	code := run(args[1:], strings.NewReader(""), &out, &errs)
	if args[0] != string(rune('0'+code)) {
		ts.Fatalf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
}

func TestEveryCommandHasHelp(t *testing.T) {
	var out, errs bytes.Buffer
	for name := range strings.FieldsSeq("keygen init add remove import export convert compile takedown status diff history log show releases report entries verify guard release request review sign refuse root urgent:add urgent:remove urgent:list urgent:push subscriber:add subscriber:remove subscriber:list push pull follow lookup squid icap man origin:init origin:trust origin:serve origin:rekey") {
		out.Reset()
		code := run(append(strings.Split(name, ":"), "--help"), nil, &out, &errs)
		assert.Zero(t, code, name)
		assert.Contains(t, out.String(), "Examples:", name)
		assert.Empty(t, errs.String(), name)
	}
}
