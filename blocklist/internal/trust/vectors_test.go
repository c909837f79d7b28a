package trust_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf/tuftest"
)

var update = flag.Bool("update", false, "write the vectors again")

const vectorDir = "../../../testdata/vectors/trust"

// vector is one case: what is held, what comes, and what a reader does with it.
type vector struct {
	name, comment, expect, says string
	parts                       []part
}

// part is a document, or a bundle, as it is received.
type part struct {
	name string
	body []byte
}

const bundlePart = "bundle.tar.base64"

func (v vector) part(name string) []byte {
	for _, p := range v.parts {
		if p.name == name {
			return p.body
		}
	}
	return nil
}

// write writes the vector: lines of its header, an empty one, then each part after a line with its name.
func (v vector) write(t *testing.T) {
	t.Helper()
	out := fmt.Appendf(nil, "comment: %s\nexpect: %s\n", v.comment, v.expect)
	if v.says != "" {
		out = fmt.Appendf(out, "error: %s\n", v.says)
	}
	out = fmt.Appendf(out, "now: %s\n\n", vectorNow.Format(time.RFC3339))
	for _, p := range v.parts {
		require.NotContains(t, string(p.body), "\n")
		out = fmt.Appendf(out, "-- %s --\n%s\n", p.name, p.body)
	}
	require.NoError(t, os.WriteFile(filepath.Join(vectorDir, v.name+".txt"), out, 0o644))
}

func readVector(t *testing.T, path string) (v vector, now time.Time) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	head, body, ok := strings.Cut(string(b), "\n\n")
	require.True(t, ok)
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "expect":
			v.expect = value
		case "error":
			v.says = value
		case "now":
			now, err = time.Parse(time.RFC3339, value)
			require.NoError(t, err)
		}
	}
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	require.Zero(t, len(lines)%2)
	for i := 0; i < len(lines); i += 2 {
		v.parts = append(v.parts, part{strings.Trim(lines[i], "- "), []byte(lines[i+1])})
	}
	return v, now
}

// TestTrustVectors checks what a reader does with each file of testdata/vectors/trust.
func TestTrustVectors(t *testing.T) {
	if *update {
		require.NoError(t, os.MkdirAll(vectorDir, 0o755))
		for _, v := range makeVectors(t) {
			path := filepath.Join(vectorDir, v.name+".txt")
			if _, err := os.Stat(path); err == nil && strings.HasPrefix(v.name, "confidential") {
				continue // encrypting is random: they would differ each time
			}
			v.write(t)
		}
	}
	files, err := filepath.Glob(filepath.Join(vectorDir, "*.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	classes := map[string]error{
		"malformed": blocklist.ErrMalformed, "untrusted": blocklist.ErrUntrusted, "rollback": blocklist.ErrRollback,
		"no key": blocklist.ErrNoKey, "expired": blocklist.ErrExpired, "too large": blocklist.ErrTooLarge, "digest": blocklist.ErrDigest,
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			v, now := readVector(t, path)
			err := v.read(now)
			if v.expect == "ok" {
				require.NoError(t, err)
				return
			}
			require.Contains(t, classes, v.expect)
			require.NotEmpty(t, v.says)
			require.ErrorIs(t, err, classes[v.expect])
			assert.ErrorContains(t, err, v.says)
		})
	}
}

// read does what a subscriber does, or an origin with a bundle. It asks the oracle about all documents.
func (v vector) read(now time.Time) error {
	if b := v.part(bundlePart); b != nil {
		return readBundle(b, v.part("trusted/root.json"), v.part(identityPart))
	}
	root, err := verifyRoot(v.part("trusted/root.json"))
	if b := v.part("root.json"); err == nil && b != nil {
		root, err = checkNextRoot(root, b)
	}
	next := received{Timestamp: v.part("timestamp.json"), Snapshot: v.part("snapshot.json"), Targets: v.part("targets.json")}
	if err != nil || next.Timestamp == nil {
		return err
	}
	held := received{Timestamp: v.part("held/timestamp.json"), Snapshot: v.part("held/snapshot.json"), Targets: v.part("held/targets.json")}
	_, err = follow(root.Bytes(), held, next, now)
	return err
}

func readBundle(text, trusted, identity []byte) error {
	raw, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		return err
	}
	b, err := trust.OpenBundle(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	roots, err := trust.OpenRoots(b.Roots)
	if err = askOracle(tuftest.Chain{Root: b.Roots[0], Roots: b.Roots[1:]}, err); err != nil {
		return err
	}
	if !bytes.Equal(roots[0].Bytes(), trusted) {
		return fmt.Errorf("bundle: %w: another first root", blocklist.ErrUntrusted)
	}
	newest := roots[len(roots)-1]
	spec, err := openTargets(newest, b.Targets)
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for {
		path, content, err := b.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			files[path], err = io.ReadAll(content)
		}
		if err != nil {
			return err
		}
	}
	if spec, err = unlock(spec, files, identity); err != nil {
		return err
	}
	if len(b.Urgent) > 0 {
		urgent, err := trust.ParseUrgent(b.Urgent)
		if err == nil {
			_, _, err = trust.Metadata{Targets: &spec, Key: spec.Key}.AcceptUrgent(newest, urgent)
		}
		if err != nil {
			return err
		}
	}
	return readFiles(spec, files)
}

// unlock opens the targets of a confidential list with the first key file that is for the identity.
func unlock(spec trust.TargetsSpec, files map[string][]byte, identity []byte) (trust.TargetsSpec, error) {
	if !spec.Confidential() {
		return spec, nil
	}
	ids, err := trust.ParseIdentities(identity)
	if err != nil {
		return spec, err
	}
	for _, kind := range ids.Kinds() {
		f, ok := spec.KeyFile(kind)
		if !ok {
			continue
		}
		if err := trust.CheckSealed(bytes.NewReader(files[f.Path]), f); err != nil {
			return spec, err
		}
		key, err := ids.DecryptKey(files[f.Path])
		if err != nil {
			return spec, err
		}
		if key.ID(spec.List) != spec.KeyID {
			return spec, fmt.Errorf("%s: %w: the key in it is not the one that was signed", f.Path, blocklist.ErrUntrusted)
		}
		return spec.Open(key)
	}
	return spec, blocklist.ErrNoKey
}

func readFiles(spec trust.TargetsSpec, files map[string][]byte) error {
	way, _ := spec.UpdatePath(0)
	open := func(f trust.File) (io.ReadCloser, error) {
		b := files[f.Path]
		return io.NopCloser(bytes.NewReader(b)), trust.CopyFile(io.Discard, bytes.NewReader(b), f)
	}
	for _, err := range trust.Entries(way, open) {
		if err != nil {
			return err
		}
	}
	return nil
}
