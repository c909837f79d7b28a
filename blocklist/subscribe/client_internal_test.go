package subscribe

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
	"github.com/argine-dns/argine/testdata/fast"
)

// clientVariable turns the test binary into the client that The Update Framework's conformance suite drives (its
// CLIENT-CLI.md): the fetching and the workflow of a subscription, without the rules that only our lists have.
const clientVariable = "ARGINE_TUF_CLIENT"

func TestMain(m *testing.M) {
	fast.Prepare()
	if os.Getenv(clientVariable) == "" {
		os.Exit(runWithOracle(m))
	}
	if err := runClient(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestConformanceSuite runs the suite where there is a checkout of it, and Python with what it needs (PYTHONPATH is passed on):
// TUF_CONFORMANCE=/path/to/tuf-conformance go test ./blocklist/subscribe -run ConformanceSuite -v.
func TestConformanceSuite(t *testing.T) {
	suite := os.Getenv("TUF_CONFORMANCE")
	if suite == "" {
		t.Skip("TUF_CONFORMANCE does not name a checkout of github.com/theupdateframework/tuf-conformance")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	client := filepath.Join(t.TempDir(), "client")
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", clientVariable, self)
	require.NoError(t, os.WriteFile(client, []byte(script), 0o700))
	known, err := os.ReadFile(filepath.Join("testdata", "conformance.xfails"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(client+".xfails", known, 0o600))

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", "-m", "pytest", "-q", "-p", "ed25519_only", "tuf_conformance", "--entrypoint", client)
	cmd.Dir = suite
	plugins, err := filepath.Abs("testdata")
	require.NoError(t, err)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+plugins+string(filepath.ListSeparator)+os.Getenv("PYTHONPATH"))
	out, err := cmd.CombinedOutput()
	t.Log(string(out))
	require.NoError(t, err)
}

type client struct {
	metadata string // folder of what is trusted
	from     string // URL of the metadata
	targets  string // folder for what is downloaded
	base     string // URL of the targets
	names    []string

	root, timestamp, snapshot, targetsDoc []byte
}

func runClient(args []string) error {
	var c client
	flags := flag.NewFlagSet("client", flag.ContinueOnError)
	flags.StringVar(&c.metadata, "metadata-dir", "", "")
	flags.StringVar(&c.from, "metadata-url", "", "")
	flags.StringVar(&c.targets, "target-dir", "", "")
	flags.StringVar(&c.base, "target-base-url", "", "")
	flags.Func("target-name", "", func(name string) error {
		c.names = append(c.names, name)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	switch flags.Arg(0) {
	case "init":
		return c.init(flags.Arg(1))
	case "refresh":
		return c.refresh(ctx)
	case "download":
		if err := c.refresh(ctx); err != nil {
			return err
		}
		return c.download(ctx)
	}
	return fmt.Errorf("unknown command %q", flags.Arg(0))
}

func (c *client) path(role string) string { return filepath.Join(c.metadata, role+".json") }

func (c *client) init(trusted string) error {
	b, err := os.ReadFile(trusted)
	if err != nil {
		return err
	}
	return os.WriteFile(c.path(tuf.RoleRoot), b, 0o600)
}

// load reads what was accepted before.
func (c *client) load() (err error) {
	if c.root, err = os.ReadFile(c.path(tuf.RoleRoot)); err != nil {
		return err
	}
	for role, b := range c.roles() {
		if *b, err = os.ReadFile(c.path(role)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (c *client) roles() map[string]*[]byte {
	return map[string]*[]byte{
		tuf.RoleTimestamp: &c.timestamp, tuf.RoleSnapshot: &c.snapshot, tuf.RoleTargets: &c.targetsDoc,
	}
}

func (c *client) refresh(ctx context.Context) error {
	if err := c.load(); err != nil {
		return err
	}
	o, err := fetch.At(c.from)
	if err != nil {
		return err
	}
	now, err := clock(ctx)
	if err != nil {
		return err
	}
	root, err := c.follow(ctx, o)
	if err != nil {
		return err
	}
	held, err := c.held()
	if err != nil {
		return err
	}
	w := trust.NewWorkflow(root, held, now)
	timestamp, _, err := o.Timestamp(ctx, nil)
	if err != nil {
		return err
	}
	targets, err := fetchMetadata(ctx, c.source(o), w, held, timestamp, nil)
	if err == nil {
		var parsed *tuf.Targets
		if parsed, err = tuf.ParseTargets("targets", targets, tuf.MaxTargets); err == nil {
			if err = w.Targets(parsed); err == nil {
				c.targetsDoc = targets
			}
		}
	}
	accepted := w.Accepted()
	c.timestamp, c.snapshot = accepted.Timestamp.Bytes(), accepted.Snapshot.Bytes()
	return errors.Join(err, c.save())
}

// held returns the metadata that was accepted before.
func (c *client) held() (held trust.Metadata, err error) {
	if len(c.timestamp) > 0 {
		held.Timestamp, err = trust.ParseTimestamp(c.timestamp)
	}
	if s, err := trust.ParseSnapshot(c.snapshot); err == nil {
		held.Snapshot = s
	}
	return held, err
}

// source is the origin, but for the targets that were accepted before: those of the suite are no release of a list.
func (c *client) source(o *fetch.Origin) source {
	held, err := tuf.ParseTargets("targets", c.targetsDoc, tuf.MaxTargets)
	if err != nil {
		return o
	}
	return cached{o, documents{trust.TargetsName(held.Version): c.targetsDoc}}
}

// cached is an origin, some of whose documents are here.
type cached struct {
	*fetch.Origin
	here documents
}

// Document implements source.
func (c cached) Document(ctx context.Context, name string, limit int64) ([]byte, error) {
	if b, ok := c.here[name]; ok {
		return b, nil
	}
	return c.Origin.Document(ctx, name, limit)
}

// clock returns the time that the suite wants to be: it fakes the C library's, which date asks and Go does not.
func clock(ctx context.Context) (time.Time, error) {
	if os.Getenv("FAKETIME") == "" {
		return time.Now(), nil
	}
	out, err := exec.CommandContext(ctx, "date", "+%s").Output()
	if err != nil {
		return time.Time{}, err
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return time.Unix(seconds, 0), err
}

// follow follows the roots, each kept as soon as it is verified.
func (c *client) follow(ctx context.Context, o *fetch.Origin) (*tuf.Root, error) {
	root, err := tuf.ParseRoot(c.root)
	if err == nil {
		err = root.Verify(&root.Document)
	}
	if err != nil {
		return nil, err
	}
	return root, fetchRoots(ctx, o, root.Version+1, func(b []byte) error {
		next, err := tuf.ParseRoot(b)
		if err == nil {
			err = root.VerifyNext(next)
		}
		if err != nil {
			return err
		}
		*root = *next
		return os.WriteFile(c.path(tuf.RoleRoot), b, 0o600)
	})
}

func (c *client) save() (err error) {
	for role, b := range c.roles() {
		if len(*b) > 0 {
			err = errors.Join(err, os.WriteFile(c.path(role), *b, 0o600))
		}
	}
	return err
}

func (c *client) download(ctx context.Context) error {
	targets, err := tuf.ParseTargets("targets", c.targetsDoc, tuf.MaxTargets)
	if err != nil {
		return err
	}
	o, err := fetch.At(c.base)
	if err != nil {
		return err
	}
	for _, name := range c.names {
		meta, ok := targets.Targets[name]
		if !ok {
			return fmt.Errorf("no target %q; delegations are not followed", name)
		}
		f := trust.File{Path: name, Length: meta.Known.Length, SHA256: meta.Known.Hashes["sha256"]}
		if err := c.fetch(ctx, o, f); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) fetch(ctx context.Context, o *fetch.Origin, f trust.File) error {
	to := filepath.Join(c.targets, url.PathEscape(f.Path))
	if kept, err := trust.OpenFile(to, f); err == nil {
		return kept.Close()
	}
	dir, name := path.Split(f.Path) // ours are in no folder
	body, err := o.Open(ctx, dir+strings.TrimPrefix(trust.File{Path: name, SHA256: f.SHA256}.URLPath(), "targets/"))
	if err != nil {
		return err
	}
	err = disk.Write(to, 0o600, func(dst io.Writer) error { return trust.CopyFile(dst, body, f) })
	return errors.Join(err, body.Close())
}
