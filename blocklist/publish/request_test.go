package publish_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/testdata/longtest"
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
	for serial := range longtest.Rounds(3, 8) {
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
	n := longtest.Rounds(5_000, 1_000_000)
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
	other := ownAgency(t)
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
	first := append([]byte("\ufeff"), a.rootFile(t)...) // an editor has put a byte order mark in front
	public, carla := keypair(t, t.TempDir(), "carla", nil)
	a.rotate(t, publish.RootChange{Add: public, Remove: []string{"bruno"}})
	a.sign(t, a.anna, a.bruno, carla)
	a.next(t, "two.example")
	q, err := publish.OpenRequest(bytes.NewReader(a.request(t)), first, nil)
	require.NoError(t, err)
	require.NoError(t, q.Close())
	_, err = publish.OpenRequest(bytes.NewReader(a.request(t)), a.rootFile(t), nil)
	assert.ErrorContains(t, err, "if it was signed under a root before root 2, trust that root or an older one")
}

// Urgent orders are within the limits of the root, and show what they change.
func TestUrgentRequest(t *testing.T) {
	t.Parallel()
	a := urgentAgency(t)
	root := a.rootFile(t)
	prepare := func(add []blocklist.Entry, remove ...string) (*publish.Pending, []byte) {
		t.Helper()
		p, err := a.PrepareUrgent(t.Context(), publish.UrgentChange{Add: add, Remove: remove}, publish.Audit{Author: "clerk", Reason: "tonight"})
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, a.WriteRequest(t.Context(), &b, p))
		return p, b.Bytes()
	}
	p, request := prepare(entries(t, "a.example", "b.example expires=2999-01-01"))
	assert.WithinDuration(t, time.Now().Add(2*time.Hour), p.Expires, time.Minute)
	q, err := publish.OpenRequest(bytes.NewReader(request), root, nil)
	require.NoError(t, err)
	assert.Equal(t, p.Orders, q.Pending().Orders)
	assert.Equal(t, []string{"clerk", "tonight"}, []string{q.Pending().Author, q.Pending().Reason})
	assert.Len(t, collect(t, q.Review()), 2)
	sig, err := q.Sign(a.bruno)
	require.NoError(t, err)
	require.NoError(t, q.Close())
	signed, err := a.AddSignature(t.Context(), sig)
	require.NoError(t, err)
	assert.Equal(t, []any{"bruno", false, true}, []any{signed.Signer, signed.Again, signed.Enough()})
	_, err = a.PendingUrgent(t.Context())
	require.ErrorIs(t, err, publish.ErrNothingPending)

	_, request = prepare(nil, "a.example")
	q, err = publish.OpenRequest(bytes.NewReader(request), root, nil)
	require.NoError(t, err)
	changes := collect(t, q.Review())
	require.Len(t, changes, 1)
	assert.True(t, strings.HasPrefix(changes[0], "-a.example "), changes[0])
	require.NoError(t, q.Close())
	for name, change := range map[string]func(name string, b []byte) (string, []byte){
		"longer than the root allows": func(name string, b []byte) (string, []byte) {
			if name == "pending/urgent.json" {
				var o struct{ Document []byte }
				require.NoError(t, json.Unmarshal(b, &o))
				o.Document = regexp.MustCompile(`expires=20\d\d`).ReplaceAll(o.Document, []byte("expires=2999"))
				b, _ = json.Marshal(map[string]any{"author": "clerk", "document": o.Document})
			}
			return name, b
		},
		"the orders before are left out": func(name string, b []byte) (string, []byte) {
			if strings.HasPrefix(name, "urgent/") {
				name = ""
			}
			return name, b
		},
		"the release below is left out": func(name string, b []byte) (string, []byte) {
			if strings.HasPrefix(name, "releases/") {
				name = ""
			}
			return name, b
		},
		"control characters": func(name string, b []byte) (string, []byte) {
			return name, bytes.Replace(b, []byte(`"author":"clerk"`), []byte(`"author":"cl\u001berk"`), 1)
		},
		"a root to be signed as well": func(name string, b []byte) (string, []byte) {
			if name == "roots/1.root.json" {
				name = "pending/1.root.json"
			}
			return name, b
		},
	} {
		q, err := publish.OpenRequest(bytes.NewReader(repack(t, request, change)), root, nil)
		if err == nil {
			for _, reviewErr := range q.Review() {
				err = reviewErr
			}
			require.NoError(t, q.Close())
		}
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "\x1b", name)
	}
}

// The digest of the head is what the changes lead to, also where no snapshot says so: a ledger that lies about it in its
// history and in the release is not signed.
func TestRequestWithAnotherDigest(t *testing.T) {
	t.Parallel()
	t.Run("digest", func(t *testing.T) {
		requestThatLies(t, func(digest *string, _ *uint64) { *digest = strings.Repeat("ab", 32) })
	})
	t.Run("entries", func(t *testing.T) { requestThatLies(t, func(_ *string, entries *uint64) { *entries += 5 }) })
}

func requestThatLies(t *testing.T, lie func(digest *string, entries *uint64)) {
	t.Helper()
	a := newAgency(t)
	a.next(t, "one.example")
	a.sign(t, a.anna, a.bruno)
	_, err := a.Push(t.Context(), (&shelf{}).deliver, toOrigin)
	require.NoError(t, err)
	a.next(t, "two.example")
	request, root := a.request(t), a.rootFile(t)
	p := pending(t, a)
	lie(&p.Digest, &p.Entries)
	var o publish.Operation
	lied := repack(t, request, func(name string, b []byte) (string, []byte) {
		switch {
		case name == "operations.txt":
			lines := bytes.SplitAfter(b, []byte("\n"))
			spec, err := trust.ParseTargets(readFile(t, a.dir, "releases/1/targets.json"))
			require.NoError(t, err)
			before := spec.Newest().Ledger
			for i, line := range lines {
				if !bytes.HasPrefix(line, []byte("{")) {
					continue
				}
				require.NoError(t, json.Unmarshal(line, &o))
				if o.Kind == publish.KindAdd {
					o.Digest, o.Entries = p.Digest, p.Entries
				}
				o.Hash = o.LinkHash(before)
				before = o.Hash
				lines[i], err = json.Marshal(o)
				require.NoError(t, err)
				lines[i] = append(lines[i], '\n')
			}
			b = bytes.Join(lines, nil)
		case strings.HasPrefix(name, "files/"):
			name = ""
		}
		return name, b
	})
	digest, err := blocklist.ParseDigest(p.Digest)
	require.NoError(t, err)
	h := blocklist.Header{List: list, Serial: 2, Base: 1, Entries: p.Entries, Digest: digest, Created: p.Created}
	var text bytes.Buffer
	w, err := blocklist.NewReleaseWriter(&text, h)
	require.NoError(t, err)
	require.NoError(t, w.Write(blocklist.Change{Entry: entry(t, "two.example")}))
	require.NoError(t, w.Close())
	delta := trusttest.Compress(t, text.Bytes())
	sum := sha256.Sum256(delta)
	held, err := trust.ParseTargets(readFile(t, a.dir, "releases/1/targets.json"))
	require.NoError(t, err)
	r := trust.Release{List: list, Serial: 2, Base: 1, Entries: h.Entries, Digest: p.Digest, Created: h.Created, Ledger: o.Hash}
	targets, err := trust.NewTargets(trust.TargetsSpec{
		List: list, Version: 2, Expires: p.Expires,
		Files: append(held.Files, trust.File{Path: "delta-1-2.txt.zst", Length: int64(len(delta)), SHA256: sum[:], Release: r}),
	})
	require.NoError(t, err)
	lied = repack(t, lied, func(name string, b []byte) (string, []byte) {
		if name == "pending/release/targets.json" {
			b = targets
		}
		return name, b
	})
	lied = withPart(t, lied, "files/"+hex.EncodeToString(sum[:])+".delta-1-2.txt.zst", delta)
	_, err = publish.OpenRequest(bytes.NewReader(lied), root, nil)
	assert.ErrorIs(t, err, blocklist.ErrDigest)
}

func readFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	require.NoError(t, err)
	return b
}

// withPart appends a part to a request.
func withPart(t *testing.T, request []byte, name string, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	tw := tar.NewWriter(&out)
	tr := tar.NewReader(bytes.NewReader(request))
	for h, err := tr.Next(); err == nil; h, err = tr.Next() {
		require.NoError(t, tw.WriteHeader(h))
		_, err := io.Copy(tw, tr)
		require.NoError(t, err)
	}
	require.NoError(t, tw.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o600, Typeflag: tar.TypeReg}))
	_, err := tw.Write(content)
	require.NoError(t, err)
	require.NoError(t, tw.Close())
	return out.Bytes()
}

// A request of a confidential list opens for the officers that it is encrypted to, and for no one else.
func TestConfidentialRequest(t *testing.T) {
	t.Parallel()
	h := newHouse(t, true)
	h.subscribe(t, "secret-isp", trust.KindHybrid)
	h.list(t, "secret-name.example")
	_, _, err := h.Release(t.Context(), "anna")
	require.NoError(t, err)
	p := pending(t, h.agency)
	private, public, err := trust.NewIdentity(trust.KindX25519)
	require.NoError(t, err)
	other, _, err := trust.NewIdentity(trust.KindX25519)
	require.NoError(t, err)
	var b bytes.Buffer
	require.ErrorIs(t, h.WriteRequest(t.Context(), &b, p), blocklist.ErrNoKey)
	require.Zero(t, b.Len())
	require.NoError(t, h.WriteRequest(t.Context(), &b, p, public))
	for _, secret := range secrets {
		assert.NotContains(t, b.String(), secret)
	}
	root := h.rootFile(t)
	_, err = publish.OpenRequest(bytes.NewReader(b.Bytes()), root, nil)
	require.ErrorIs(t, err, blocklist.ErrNoKey)
	_, err = publish.OpenRequest(bytes.NewReader(b.Bytes()), root, []byte(other))
	require.ErrorIs(t, err, blocklist.ErrNoKey)
	_, err = publish.OpenRequest(bytes.NewReader(b.Bytes()[:b.Len()-1]), root, []byte(private))
	require.Error(t, err, "cut short")
	q, err := publish.OpenRequest(bytes.NewReader(b.Bytes()), root, []byte(private))
	require.NoError(t, err)
	assert.Equal(t, []string{"+secret-name.example"}, collect(t, q.Review()))
	assert.Equal(t, publish.Recipients{Subscribers: 1, Come: []string{"secret-isp"}}, q.Recipients())
	require.NoError(t, q.Close())
}

// A tar file may say that a part is longer than itself: such a part is not written.
func TestRequestOfHoles(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int64{"files/snapshot-1.txt.zst": 1 << 40, "pending/release/targets.json": 1 << 20, "operations.txt": 1 << 34} {
		var b bytes.Buffer
		tw := tar.NewWriter(&b)
		require.NoError(t, tw.WriteHeader(&tar.Header{Name: "argine-signing-request", Size: 2, Mode: 0o600, Typeflag: tar.TypeReg}))
		_, err := tw.Write([]byte("1\n"))
		require.NoError(t, err)
		require.NoError(t, tw.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, Typeflag: tar.TypeReg}))
		_, err = publish.OpenRequest(&b, nil, nil)
		assert.ErrorIs(t, err, blocklist.ErrTooLarge, name)
	}
}

// FuzzRequestFile tests that no file makes OpenRequest panic, and that none is taken without a root.
func FuzzRequestFile(f *testing.F) {
	f.Add([]byte("age-encryption.org/v1\n"))
	f.Add([]byte{})
	a := newAgency(f)
	a.next(f, "one.example")
	f.Add(a.request(f))
	f.Fuzz(func(t *testing.T, request []byte) {
		_, err := publish.OpenRequest(bytes.NewReader(request), nil, []byte("AGE-SECRET-KEY-1"))
		require.Error(t, err)
	})
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
