package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/testdata/fast"
	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/longtest"
)

// asCommand is set for a copy of the test binary that is to behave as the command.
const asCommand = "BLOCKLIST_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	fast.Prepare()
	if os.Getenv(asCommand) != "" {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	if os.Getenv(asWorker) != "" {
		if err := work(os.Stdin, os.Stdout); !errors.Is(err, io.EOF) {
			panic(err)
		}
		os.Exit(0)
	}
	testscript.Main(m, map[string]func(){"blocklist": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	var all workers
	testscript.Run(t, testscript.Params{
		Dir: scripts(t),
		Setup: func(e *testscript.Env) error {
			e.Setenv("ORIGIN_ADDRESS", freeport.Addr(t))
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			return all.lend(t, e)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sql":     sqlCommand,
			"waitfor": waitCommand,
			"exits":   exitsCommand,
			"code":    codeCommand,

			"waitforfile": waitFileCommand,
			"work":        workCommand,
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
	ts.Fatalf("no one answers at %s", args[0])
}

// codeCommand has a desk make a one-time code for a person, and puts it into CODE: code URL PERSON.
func codeCommand(ts *testscript.TestScript, _ bool, args []string) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, args[0], http.NoBody)
	ts.Check(err)
	r.Header.Set("X-Remote-User", args[1])
	response, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	ts.Check(err)
	code := regexp.MustCompile(`--code ([A-Z2-7-]+)`).FindSubmatch(page)
	if code == nil {
		ts.Fatalf("%s\n%s", response.Status, page)
	}
	ts.Setenv("CODE", string(code[1]))
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

// eachCommand calls do for all commands below cmd.
func eachCommand(cmd *cobra.Command, do func(*cobra.Command)) {
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			do(sub)
			eachCommand(sub, do)
		}
	}
}

// Every command has help with examples, is in a group of the list of commands, and its flags say what is to be given.
func TestEveryCommandHasHelp(t *testing.T) {
	eachCommand(new(app).root(), func(cmd *cobra.Command) {
		name := cmd.CommandPath()
		var out, errs bytes.Buffer
		assert.Zero(t, run(append(strings.Fields(name)[1:], "--help"), nil, &out, &errs), name)
		assert.Contains(t, out.String(), "Examples:", name)
		assert.Empty(t, errs.String(), name)
		if cmd.Parent() == cmd.Root() {
			assert.NotEmpty(t, cmd.GroupID, name)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			placeholder, _ := pflag.UnquoteUsage(f)
			assert.Equal(t, strings.ToUpper(placeholder), placeholder, "%s --%s", name, f.Name)
		})
	})
}
