package origin_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/origin"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// isp is a subscriber that signs receipts.
type isp struct {
	key    note.Signer
	public string
}

func newISP(t *testing.T, name string) isp {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, name)
	require.NoError(t, err)
	key, err := receipt.ParseSigner(private)
	require.NoError(t, err)
	return isp{key, public}
}

// sign signs a receipt for a release that has just come into force, changed by change.
func (i isp) sign(t *testing.T, r trusttest.Release, change func(*receipt.Receipt)) []byte {
	t.Helper()
	spec, err := trust.ParseTargets(r.Targets)
	require.NoError(t, err)
	newest := spec.Newest()
	out := receipt.Receipt{
		List: newest.List, Serial: newest.Serial, Digest: newest.Digest, Received: time.Now(), Enforced: time.Now(),
		Asked: receipt.Asked{Test: 1, Gone: 1},
	}
	if change != nil {
		change(&out)
	}
	b, err := out.Sign(i.key)
	require.NoError(t, err)
	return b
}

// receipts returns what the origin keeps.
func (h *house) receipts(t *testing.T) (all []string) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, h.WriteReceipts(trusttest.List, &b))
	for one, err := range receipt.Split(&b) {
		require.NoError(t, err)
		all = append(all, string(one))
	}
	return all
}

func (h *house) add(t *testing.T, i isp) {
	t.Helper()
	_, err := h.AddSubscriber(t.Context(), trusttest.List, i.public)
	require.NoError(t, err)
}

func TestAcceptReceipt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b, eva := newISP(t, "a.example"), newISP(t, "b.example"), newISP(t, "a.example")
	h.add(t, a)
	h.add(t, b)
	first := h.agency.Release(41, "example.org")
	take := func(b []byte) error { return h.AcceptReceipt(t.Context(), trusttest.List, b) }
	assert.ErrorContains(t, take(a.sign(t, first, nil)), "never published")
	require.NoError(t, h.push(t, first))
	good := a.sign(t, first, nil)
	require.NoError(t, take(good))
	require.NoError(t, take(good), "once more")
	assert.Equal(t, []string{string(good)}, h.receipts(t))

	for name, c := range map[string]struct {
		body []byte
		says string
	}{
		"forged":            {eva.sign(t, first, nil), "no key that is known"},
		"altered":           {bytes.Replace(good, []byte("gone=1"), []byte("gone=2"), 1), "not valid"},
		"another list":      {a.sign(t, first, func(r *receipt.Receipt) { r.List = "it.example/other" }), "sent as"},
		"a serial to come":  {a.sign(t, first, func(r *receipt.Receipt) { r.Serial = 42 }), "the newest is 41"},
		"the future":        {a.sign(t, first, func(r *receipt.Receipt) { r.Enforced = time.Now().Add(time.Hour) }), "yet to come"},
		"before it existed": {a.sign(t, first, func(r *receipt.Receipt) { r.Received = time.Now().Add(-time.Hour); r.Enforced = r.Received }), "before the release was made"},
	} {
		err := take(c.body)
		assert.ErrorIs(t, err, blocklist.ErrUntrusted, name)
		assert.ErrorContains(t, err, c.says, name)
	}
	assert.ErrorIs(t, take([]byte("x")), blocklist.ErrMalformed)
	assert.ErrorIs(t, h.AcceptReceipt(t.Context(), "it.example/none", good), blocklist.ErrUntrusted)
	assert.Len(t, h.receipts(t), 1)

	// Another digest is what receipts are compared for: it is kept.
	require.NoError(t, take(b.sign(t, first, func(r *receipt.Receipt) { r.Digest = strings.Repeat("0", 64) })))
	assert.Len(t, h.receipts(t), 2)

	// One for an older serial may come late, as far back as one likes.
	require.NoError(t, h.push(t, h.agency.Release(42)))
	require.NoError(t, take(b.sign(t, first, nil)))
	require.NoError(t, take(b.sign(t, first, func(r *receipt.Receipt) { r.Serial = 3 })))

	require.NoError(t, h.RemoveSubscriber(t.Context(), trusttest.List, "b.example"))
	assert.ErrorContains(t, h.RemoveSubscriber(t.Context(), trusttest.List, "b.example"), "none named")
	assert.ErrorIs(t, take(b.sign(t, first, nil)), blocklist.ErrUntrusted)
	assert.Equal(t, []string{string(good)}, h.receipts(t))
	text, err := h.SubscriberKeys(trusttest.List)
	require.NoError(t, err)
	assert.Equal(t, a.public+"\n", text)
	_, err = h.AddSubscriber(t.Context(), trusttest.List, eva.public)
	assert.ErrorContains(t, err, "remove the old one first")
}

func TestReceiptsAreBounded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := newISP(t, "a.example")
	h.add(t, a)
	r := h.agency.Release(200, "example.org")
	require.NoError(t, h.push(t, r))
	var wg sync.WaitGroup
	for i := range 100 {
		b := a.sign(t, r, func(r *receipt.Receipt) { r.Serial = uint64(i) + 1 })
		wg.Go(func() { assert.NoError(t, h.AcceptReceipt(t.Context(), trusttest.List, b)) })
	}
	wg.Wait()
	assert.Len(t, h.receipts(t), 64)

	dir := filepath.Join(h.dir, "receipts", filepath.FromSlash(trusttest.List), "_")
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".new-left"), nil, 0o600))
	_, err := origin.Open(h.dir, origin.Options{})
	require.NoError(t, err)
	assert.NoFileExists(t, filepath.Join(dir, ".new-left"))
	assert.Len(t, h.receipts(t), 64)
}

// Receipts come in by anyone's connection, but are handed out to who has the token only.
func TestReceiptsOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	web := httptest.NewServer(h.Handler())
	defer web.Close()
	url := web.URL + "/receipts/" + trusttest.List
	ask := func(method, url, authorization string, body io.Reader) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, body)
		require.NoError(t, err)
		req.Header.Set("Authorization", authorization)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(b)
	}
	code, _ := ask(http.MethodGet, url, "Bearer ", nil)
	assert.Equal(t, http.StatusUnauthorized, code, "there is no token yet")

	a := newISP(t, "a.example")
	h.add(t, a)
	token, err := os.ReadFile(h.TokenPath(trusttest.List))
	require.NoError(t, err)
	info, err := os.Stat(h.TokenPath(trusttest.List))
	require.NoError(t, err)
	if os.PathSeparator == '/' {
		assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	}
	r := h.agency.Release(1, "example.org")
	require.NoError(t, h.push(t, r))
	good := a.sign(t, r, nil)
	for _, c := range []struct {
		url  string
		body string
		want int
	}{
		{url, string(good), http.StatusCreated},
		{url, string(good), http.StatusCreated},
		{url, "x", http.StatusBadRequest},
		{url, strings.Repeat("x", 10_000), http.StatusRequestEntityTooLarge},
		{url, string(newISP(t, "eva.example").sign(t, r, nil)), http.StatusForbidden},
		{web.URL + "/receipts/it.example/other", string(good), http.StatusForbidden},
		{web.URL + "/receipts/%2e%2e/x", string(good), http.StatusBadRequest},
	} {
		code, text := ask(http.MethodPost, c.url, "", strings.NewReader(c.body))
		assert.Equal(t, c.want, code, text)
	}

	for _, wrong := range []string{"", "Bearer", "Bearer ", "Bearer x", "Basic " + strings.TrimSpace(string(token)), strings.TrimSpace(string(token))} {
		code, text := ask(http.MethodGet, url, wrong, nil)
		assert.Equal(t, http.StatusUnauthorized, code, wrong)
		assert.NotContains(t, text, "a.example")
	}
	code, text := ask(http.MethodGet, url, "Bearer "+strings.TrimSpace(string(token)), nil)
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, string(good), text)
	code, _ = ask(http.MethodGet, web.URL+"/receipts/it.example/other", "Bearer "+strings.TrimSpace(string(token)), nil)
	assert.Equal(t, http.StatusUnauthorized, code, "a token is for one list")
	code, _ = ask(http.MethodGet, fmt.Sprintf("%s/lists/%s/../../receipts/%s/_/token", web.URL, trusttest.List, trusttest.List), "", nil)
	assert.NotEqual(t, http.StatusOK, code)
}
