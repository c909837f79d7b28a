package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
	"github.com/argine-dns/argine/cmd/internal/examples"
)

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{fs.ErrNotExist, 1},
		{keys.ErrPassphrase, 1},
		{blocklist.ErrMalformed, 1},
		{usage("wrong"), 2},
		{exitError{exitAttention, errors.New("some of it is not listed")}, 3},
		{blocklist.ErrHeld, 4},
		{blocklist.ErrSignatures, 5},
		{publish.ErrNothingPending, 6},
		{publish.ErrUnchanged, 6},
		{blocklist.ErrBusy, 7},
		{blocklist.ErrUnavailable, 8},
		{&url.Error{Op: "Get", URL: "https://origin.example", Err: errors.New("refused")}, 8},
		{blocklist.ErrUntrusted, 9},
		{blocklist.ErrRefused, 9},
		{blocklist.ErrRollback, 9},
		{blocklist.ErrExpired, 9},
		{blocklist.ErrDamaged, 9},
		{errors.Join(blocklist.ErrUnavailable, blocklist.ErrUntrusted), 9},
		{context.Canceled, 130},
	} {
		err := c.err
		if err != nil {
			err = withHint(fmt.Errorf("doing something: %w", err), "try again")
		}
		assert.Equal(t, c.want, outcomeOf(err).code, "%v", c.err)
	}
}

// The table that "blocklist help exit-codes" shows has each code once, and so has the handbook.
func TestExitCodesAreShown(t *testing.T) {
	var out, errs bytes.Buffer
	require.Zero(t, run([]string{"help", "exit-codes"}, nil, &out, &errs), errs.String())
	handbook, err := readAtMost("README.md", 1<<20)
	require.NoError(t, err)
	for _, o := range outcomes() {
		assert.Contains(t, out.String(), fmt.Sprintf("%3d  %-11s  %s\n", o.code, o.name, o.text))
		assert.Contains(t, string(handbook), fmt.Sprintf("| %d | %s | %s |\n", o.code, o.name, o.text))
	}
}

// With --json a command ends with one object, also where it fails.
func TestEndingAsJSON(t *testing.T) {
	dir := t.TempDir()
	var out, errs bytes.Buffer
	key := filepath.Join(dir, "anna.key")
	require.Zero(t, run([]string{"keygen", "--no-passphrase", "--json", "-o", key}, nil, &out, &errs), errs.String())
	var done ending
	require.NoError(t, json.Unmarshal(out.Bytes(), &done))
	assert.Equal(t, "keygen done 0", fmt.Sprint(done.Command, " ", done.Outcome, " ", done.Code))
	assert.Equal(t, filepath.Join(dir, "anna.pub"), done.Result.(map[string]any)["public_key"])

	out.Reset()
	assert.Equal(t, exitFailed, run([]string{"-C", dir, "add", "example.com", "--json"}, nil, &out, &errs))
	var failed ending
	require.NoError(t, json.Unmarshal(out.Bytes(), &failed))
	assert.Equal(t, "add failed 1", fmt.Sprint(failed.Command, " ", failed.Outcome, " ", failed.Code))
	assert.Contains(t, failed.Error, "there is no ledger in it")
	assert.Contains(t, failed.Hint, "-C DIR")
	assert.Contains(t, errs.String(), "blocklist: error: ", "the words are for the log")
}

// Every command has --json, except those whose output is of another kind.
func TestCommandsHaveJSON(t *testing.T) {
	without := map[string]string{
		"convert": "a list", "follow": "runs until it is interrupted", "squid": "the protocol of Squid", "icap": "runs until it is interrupted",
		"desk": "runs until it is interrupted", "man": "pages", "origin serve": "runs until it is interrupted", "origin subscriber list": "keys, as --keys reads them",
	}
	eachCommand(new(app).root(), func(cmd *cobra.Command) {
		name := strings.TrimPrefix(cmd.CommandPath(), "blocklist ")
		if cmd.HasSubCommands() {
			return
		}
		assert.Equal(t, without[name] == "", cmd.Flags().Lookup("json") != nil, name)
		delete(without, name)
	})
	assert.Empty(t, without, "these are no commands")
}

// The environment stands in for flags, and -C is refused where it would be ignored.
func TestEnvironment(t *testing.T) {
	t.Setenv(dirVariable, "elsewhere")
	t.Setenv(authorVariable, "carla")
	var out, errs bytes.Buffer
	assert.Equal(t, exitFailed, run([]string{"status"}, nil, &out, &errs))
	assert.Contains(t, errs.String(), "opening elsewhere")
	errs.Reset()
	assert.Equal(t, exitFailed, run([]string{"status", "-C", "here"}, nil, &out, &errs))
	assert.Contains(t, errs.String(), "opening here")
	cmd, _, err := new(app).root().Find([]string{"add"})
	require.NoError(t, err)
	assert.Equal(t, "carla", cmd.Flags().Lookup("author").Value.String())
	errs.Reset()
	assert.Equal(t, exitUsage, run([]string{"-C", "DIR", "lookup", "a", "b"}, nil, &out, &errs))
	assert.Contains(t, errs.String(), `-C, --directory "DIR": this command does not take it`)
	errs.Reset()
	assert.Equal(t, exitUsage, run([]string{"init", "DIR"}, nil, &out, &errs))
	assert.Contains(t, errs.String(), "--list, --origin-key, --officer, --threshold are missing")
	out.Reset()
	require.Zero(t, run([]string{"lookup", "--help"}, nil, &out, &errs))
	assert.NotContains(t, out.String(), "--directory")
	errs.Reset()
	assert.Equal(t, exitUsage, run([]string{"help", "expire"}, nil, &out, &errs))
	assert.Contains(t, errs.String(), `blocklist has no command "expire"`)
}

// An unknown command or flag is answered with the one that was probably meant.
func TestUnknownNames(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"ad x":                    `blocklist has no command "ad"; do you mean add?`,
		"help ad":                 `blocklist has no command "ad"; do you mean add?`,
		"help urgent kep":         `blocklist urgent has no command "kep"; do you mean keep?`,
		"urgent kep x":            `blocklist urgent has no command "kep"; do you mean keep?`,
		"urgent foo":              `has no command "foo"; there are add`,
		"proposals cofirm 17":     `do you mean confirm?`,
		"add x.example --categ x": `unknown flag: --categ; do you mean --category?`,
		"release here":            `"here" is too much: blocklist release takes no arguments, only flags`,
		"fingerprint":             "an argument is missing; it is blocklist fingerprint",
		"keygen --key":            "--key needs a value: --key",
		"release --wait 5":        `--wait "5": a duration with its unit is needed, such as 30s, 10m or 2h`,
		"proposals --limit all":   `--limit "all": a whole number is needed`,
		"bundle a b":              `"a" is too much`,
		"show 1 2":                `"2" is too much; it is blocklist show`,
		"completion bsh":          `do you mean bash?`,
	} {
		var out, errs bytes.Buffer
		assert.Equal(t, exitUsage, run(strings.Fields(args), nil, &out, &errs), args)
		assert.Contains(t, errs.String(), want, args)
		assert.Contains(t, errs.String(), "--help shows what it takes", args)
	}
}

// What was probably meant can be copied into a shell as it stands.
func TestMeantCanBeCopied(t *testing.T) {
	t.Parallel()
	for line, meant := range map[string]string{
		"hxxps://bad[.]example/a?b=c&d":                  "https://bad.example/a?b=c&d",
		`hxxp://bad[.]example/it's$HOME\a category=test`: `https://bad.example/it's$HOME/a category=test`,
		`=bad(.)example ref="order 17"`:                  `=bad.example ref="order 17"`,
		"192.0.2[.]1":                                    "192.0.2.1",
		"bad[.]example colour=red":                       "",
		"exa$mple.com":                                   "",
	} {
		_, err := parseEntries([]string{line})
		require.Error(t, err, line)
		word, _ := strings.CutPrefix(hintFor(err), "if so, give ")
		copied, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+word).Output()
		require.NoError(t, err, line)
		if meant == "" {
			assert.Empty(t, word, line)
			continue
		}
		e, err := blocklist.ParseEntry(string(copied))
		require.NoError(t, err, line)
		assert.Equal(t, meant, e.String(), line)
	}
}

// The program takes each example in its help.
func TestExamples(t *testing.T) {
	t.Parallel()
	assert.Empty(t, examples.Check(func() *cobra.Command { return new(app).root() }))
}
