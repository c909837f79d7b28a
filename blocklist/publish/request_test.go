package publish_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// request writes a request for what is pending.
func (a *agency) request(t testing.TB) []byte {
	t.Helper()
	p, err := a.Pending()
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, a.WriteRequest(t.Context(), &b, p))
	return b.Bytes()
}

func (a *agency) rootFile(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(a.dir, "root.json"))
	require.NoError(t, err)
	return b
}

// next lists a name and makes a release of it, unsigned.
func (a *agency) next(t testing.TB, name string) {
	t.Helper()
	_, err := a.Add(t.Context(), entries(t, name), cause)
	require.NoError(t, err)
	_, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
}

// For each release of many, merged deltas and snapshots among them, a request shows what the ledger shows.
func TestRequests(t *testing.T) {
	t.Parallel()
	a, s := newAgency(t), &shelf{}
	root := a.rootFile(t)
	var many []blocklist.Entry
	for i := range 1000 {
		many = append(many, entry(t, fmt.Sprintf("n%04d.example", i)))
	}
	_, err := a.Import(t.Context(), stream(many), cause, nil)
	require.NoError(t, err)
	for serial := range 8 {
		a.next(t, fmt.Sprintf("m%d.example", serial))
		p, err := a.Pending()
		require.NoError(t, err)
		q, err := publish.OpenRequest(bytes.NewReader(a.request(t)), root, nil)
		require.NoError(t, err)
		assert.Equal(t, collect(t, a.Review(p)), collect(t, q.Review()))
		var operations []publish.Operation
		for o, err := range a.PendingOperations(t.Context(), p) {
			require.NoError(t, err)
			operations = append(operations, o)
		}
		assert.Equal(t, operations, q.Operations())
		sig, err := q.Sign(a.bruno)
		require.NoError(t, err)
		_, err = a.AddSignature(t.Context(), sig)
		require.NoError(t, err)
		require.NoError(t, q.Close())
		a.sign(t, a.anna)
		_, err = a.Push(t.Context(), s.deliver, toOrigin)
		require.NoError(t, err)
	}
}

// The request for one entry is short, however long the list is.
func TestRequestIsShort(t *testing.T) {
	t.Parallel()
	n := 20_000
	if os.Getenv("ARGINE_LONG") == "1" {
		n = 1_000_000
	}
	a := newAgency(t)
	_, err := a.Import(t.Context(), func(yield func(blocklist.Entry, error) bool) {
		for i := range n {
			e, err := blocklist.ParseEntry(fmt.Sprintf("n%07d.example category=test", i*7919%10_000_000))
			if !yield(e, err) {
				return
			}
		}
	}, cause, nil)
	require.NoError(t, err)
	a.release(t)
	a.next(t, "example.com")
	request := a.request(t)
	assert.Less(t, len(request), 100_000)
	q, err := publish.OpenRequest(bytes.NewReader(request), a.rootFile(t), nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"+example.com"}, collect(t, q.Review()))
	require.NoError(t, q.Close())
}

// repack changes the parts of a request.
func repack(t *testing.T, request []byte, change func(name string, content []byte) (string, []byte)) []byte {
	t.Helper()
	var out bytes.Buffer
	tw := tar.NewWriter(&out)
	tr := tar.NewReader(bytes.NewReader(request))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		content, err := io.ReadAll(tr)
		require.NoError(t, err)
		if h.Name, content = change(h.Name, content); h.Name == "" {
			continue
		}
		h.Size = int64(len(content))
		require.NoError(t, tw.WriteHeader(h))
		_, err = tw.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, tw.Close())
	return out.Bytes()
}

// What a machine in the middle may try: no officer signs it.
func TestRequestsThatLie(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.next(t, "one.example")
	a.sign(t, a.anna, a.bruno)
	_, err := a.Push(t.Context(), (&shelf{}).deliver, toOrigin)
	require.NoError(t, err)
	old, err := os.ReadFile(filepath.Join(a.dir, "releases", "1", "targets.json"))
	require.NoError(t, err)
	a.next(t, "two.example")
	a.sign(t, a.anna, a.bruno)
	_, err = a.Push(t.Context(), (&shelf{}).deliver, toOrigin)
	require.NoError(t, err)
	a.next(t, "three.example")
	request, root := a.request(t), a.rootFile(t)
	other := newAgency(t)
	in := func(part string, change func([]byte) []byte) func(string, []byte) (string, []byte) {
		return func(name string, b []byte) (string, []byte) {
			if strings.Contains(name, part) {
				b = change(b)
			}
			return name, b
		}
	}
	for name, change := range map[string]func(string, []byte) (string, []byte){
		"the release before is an older one": in("releases/2/", func([]byte) []byte { return old }),
		"the release before is unsigned": in("releases/2/", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"entries":2`), []byte(`"entries":9`), 1)
		}),
		"the release before is missing": func(name string, b []byte) (string, []byte) {
			if strings.HasPrefix(name, "releases/") {
				name = ""
			}
			return name, b
		},
		"another reason":        in("operations.txt", func(b []byte) []byte { return bytes.Replace(b, []byte(`"test"`), []byte(`"tset"`), 1) }),
		"another change":        in("operations.txt", func(b []byte) []byte { return bytes.Replace(b, []byte("+three.example"), []byte("+threE.example"), 1) }),
		"a change left out":     in("operations.txt", func(b []byte) []byte { return bytes.Replace(b, []byte("+three.example\n"), nil, 1) }),
		"an operation left out": in("operations.txt", func(b []byte) []byte { return b[bytes.IndexByte(b, '\n')+1:] }),
		"no operations":         in("operations.txt", func([]byte) []byte { return nil }),
		"control characters":    in("operations.txt", func(b []byte) []byte { return bytes.Replace(b, []byte(`"test"`), []byte(`"te\u001bst"`), 1) }),
		"a delta cut short":     in("files/", func(b []byte) []byte { return b[:len(b)-1] }),
		"another root":          in("roots/1", func([]byte) []byte { return other.rootFile(t) }),
		"other targets":         in("pending/release/", func([]byte) []byte { return old }),
		"a path out of the folder": func(name string, b []byte) (string, []byte) {
			return strings.Replace(name, "files/", "files/../../", 1), b
		},
		"twice the same": func(name string, b []byte) (string, []byte) {
			if strings.HasPrefix(name, "files/") {
				name = "operations.txt"
			}
			return name, b
		},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := publish.OpenRequest(bytes.NewReader(repack(t, request, change)), root, nil)
			if err == nil {
				defer q.Close()
				_, err = q.Sign(a.anna)
			}
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "\x1b")
		})
	}
	_, err = publish.OpenRequest(bytes.NewReader(request), other.rootFile(t), nil)
	require.ErrorIs(t, err, blocklist.ErrUntrusted, "under the root of another list")
	_, err = publish.OpenRequest(bytes.NewReader(request), nil, nil)
	assert.ErrorIs(t, err, blocklist.ErrUntrusted, "without a root")
}

// The roots before the officer's own count for nothing: another one's history could stand there.
func TestRequestRootsBeforeTheOfficers(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.next(t, "one.example")
	a.sign(t, a.anna, a.bruno)
	_, err := a.Push(t.Context(), (&shelf{}).deliver, toOrigin)
	require.NoError(t, err)
	first := a.rootFile(t)
	public, carla := keypair(t, t.TempDir(), "carla", nil)
	a.rotate(t, publish.RootChange{Add: public, Remove: []string{"bruno"}})
	a.sign(t, a.anna, a.bruno, carla)
	a.next(t, "two.example")
	q, err := publish.OpenRequest(bytes.NewReader(a.request(t)), first, nil)
	require.NoError(t, err)
	require.NoError(t, q.Close())
	_, err = publish.OpenRequest(bytes.NewReader(a.request(t)), a.rootFile(t), nil)
	assert.ErrorContains(t, err, "the release before", "it was signed under root 1")
}

func FuzzOpenRequest(f *testing.F) {
	f.Add([]byte("{}"), []byte("+example.com"))
	f.Add([]byte(`{"id":1}`+"\n+a\n-b\n?c\n"), []byte("x"))
	f.Fuzz(func(t *testing.T, operations, targets []byte) {
		var b bytes.Buffer
		tw := tar.NewWriter(&b)
		for _, part := range []struct {
			name    string
			content []byte
		}{{"argine-signing-request", []byte("1\n")}, {"pending/release/targets.json", targets}, {"operations.txt", operations}, {"pending/1.root.json", targets}} {
			require.NoError(t, tw.WriteHeader(&tar.Header{Name: part.name, Size: int64(len(part.content)), Mode: 0o600, Typeflag: tar.TypeReg}))
			_, err := tw.Write(part.content)
			require.NoError(t, err)
		}
		require.NoError(t, tw.Close())
		_, err := publish.OpenRequest(&b, nil, nil)
		require.Error(t, err)
	})
}

// Values that no function has made give errors.
func TestZeroValues(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	ctx := t.Context()
	_, err := a.Import(ctx, nil, cause, nil)
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	for _, p := range []*publish.Pending{nil, {}} {
		_, err := a.Sign(ctx, p, a.anna)
		require.ErrorIs(t, err, blocklist.ErrMalformed)
		require.ErrorIs(t, a.Refuse(ctx, p, a.anna, cause), blocklist.ErrMalformed)
		_, err = a.PendingRecipients(ctx, p)
		require.ErrorIs(t, err, blocklist.ErrMalformed)
		require.ErrorIs(t, a.WriteRequest(ctx, io.Discard, p), blocklist.ErrMalformed)
		for _, err := range a.Review(p) {
			require.ErrorIs(t, err, blocklist.ErrMalformed)
		}
		for _, err := range a.PendingOperations(ctx, p) {
			require.ErrorIs(t, err, blocklist.ErrMalformed)
		}
	}
	a.next(t, "example.com")
	p, err := a.Pending()
	require.NoError(t, err)
	_, err = a.Sign(ctx, p, nil)
	require.ErrorIs(t, err, blocklist.ErrMalformed)
	require.ErrorIs(t, a.Refuse(ctx, p, nil, cause), blocklist.ErrMalformed)
}
