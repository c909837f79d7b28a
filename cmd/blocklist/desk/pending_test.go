package desk_test

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/blocklist/desk"
)

// upload posts files with signatures.
func (b *browser) upload(t *testing.T, files ...string) page {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, content := range files {
		part, err := w.CreateFormFile("signature", "anna.sig")
		require.NoError(t, err)
		_, err = io.WriteString(part, content)
		require.NoError(t, err)
	}
	require.NoError(t, w.WriteField("back", "/pending"))
	require.NoError(t, w.Close())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/signatures", &body)
	require.NoError(t, err)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return b.send(t, r)
}

// signed signs a request as an officer elsewhere does.
func (a *agency) signed(t *testing.T, request string) string {
	t.Helper()
	root, err := os.ReadFile(filepath.Join(a.dir, "root.json"))
	require.NoError(t, err)
	q, err := publish.OpenRequest(strings.NewReader(request), root, nil)
	require.NoError(t, err)
	defer q.Close()
	signature, err := q.Sign(a.officers[0])
	require.NoError(t, err)
	return string(signature)
}

// A release is made, its request is signed elsewhere, the signature comes back, and it is pushed.
func TestRelease(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "bad.example", "worse.example")
	pushed := 0
	a.open(t, func(o *desk.Options) {
		o.PushTo, o.Push = "ORIGIN", func(_ context.Context, _ string, bundle io.Reader) error {
			pushed++
			_, err := io.Copy(io.Discard, bundle)
			return err
		}
	})
	b := a.enter(t)
	p := b.get(t, "/pending")
	assert.Contains(t, p.text, "No release is being prepared.")
	assert.Contains(t, p.text, "2 entries added, none removed")
	p = b.post(t, "/release", nil)
	assert.Equal(t, "/pending", p.path)
	assert.Contains(t, p.text, "In preparationRelease 1")
	assert.Contains(t, p.text, "it.example/test serial 1", "under details")
	assert.Contains(t, p.text, "Signatures: 0 of 1 anna not signed yet")
	assert.Contains(t, p.text, "+bad.example+worse.example")
	request := b.post(t, "/request", fields("what", ""))
	assert.Contains(t, request.header.Get("Content-Disposition"), `filename="it.example-test-serial-1.tar"`)
	assert.Equal(t, http.StatusBadRequest, b.upload(t).status)
	assert.NotEqual(t, http.StatusOK, b.upload(t, `{"_type":"argine-signature"}`).status)
	for _, wrong := range []string{"a picture", strings.Repeat("x", publish.MaxSignature+1)} {
		p := b.upload(t, wrong)
		assert.Equal(t, http.StatusBadRequest, p.status)
		assert.Contains(t, p.text, "“anna.sig” is no signature and no refusal.")
	}
	assert.Equal(t, http.StatusRequestEntityTooLarge, b.upload(t, strings.Repeat("x", 1<<20)).status)
	assert.Equal(t, http.StatusUnprocessableEntity, b.post(t, "/push", nil).status, "no one has signed")
	p = b.upload(t, a.signed(t, request.raw))
	assert.Contains(t, p.text, "Signatures: 1 of 1 anna signed")
	assert.Contains(t, b.get(t, "/").text, "A release is signed, and waits to be published")
	p = b.post(t, "/push", nil)
	assert.Contains(t, p.text, "Release 1 is published.")
	assert.NotContains(t, b.get(t, "/").text, "is published.", "only once")
	assert.Equal(t, 1, pushed)
	assert.Equal(t, http.StatusConflict, b.post(t, "/release", nil).status, "nothing has changed")
}

// What is in no release yet is counted without what the pending release has.
func TestChangedSinceTheReleaseWasMade(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "first.example")
	a.release(t)
	a.list(t, "second.example", "third.example")
	_, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.open(t)
	b := a.enter(t)
	start := b.get(t, "/").text
	assert.NotContains(t, start, "in no release yet 2")
	assert.Contains(t, start, "+0 −0")
	assert.NotContains(t, b.get(t, "/pending").text, "Changed since it was made")
	a.list(t, "late.example")
	start = b.get(t, "/").text
	assert.Contains(t, start, "1 changed entry is in no release yet")
	assert.Contains(t, start, "+1 −0")
	_, since, ok := strings.Cut(b.get(t, "/pending").text, "Changed since it was made")
	require.True(t, ok)
	assert.Contains(t, since, "1 entry added, none removed+late.example")
	assert.NotContains(t, since, "second.example")
	const lacks = "One change was decided after this release was made, and is not in it. What was withdrawn since then would stay blocked."
	assert.NotContains(t, b.get(t, "/pending").text, lacks, "it can't be published yet")
	a.sign(t)
	assert.Contains(t, b.get(t, "/pending").text, "It can be published. "+lacks)
	_, err = a.NewRoot(t.Context(), publish.RootChange{Urgent: &publish.UrgentLimits{Entries: 2, Hours: 3}}, audit)
	require.NoError(t, err)
	assert.Contains(t, b.get(t, "/").text, "1 changed entry is in no release yet", "beside a pending root")
	a.sign(t)
	a.release(t)
	a.withdraw(t, "late.example")
	assert.Contains(t, b.get(t, "/").text, "1 changed entry is in no release yet")
}

// A release that the guards hold is made only with a reason.
func TestHeldRelease(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "co.uk")
	a.open(t)
	b := a.enter(t)
	p := b.post(t, "/release", nil)
	assert.Equal(t, http.StatusUnprocessableEntity, p.status)
	assert.Contains(t, p.text, "public-suffix")
	p = b.post(t, "/release", fields("override", "a test"))
	assert.Contains(t, p.text, "Safety check overriddena test")
}

// An officer's terminal has a code, which lets it read the request and bring one signature.
func TestTerminal(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "bad.example")
	a.open(t)
	b := a.enter(t)
	b.post(t, "/release", nil)
	p := b.post(t, "/code", nil)
	assert.Contains(t, p.text, "blocklist sign "+a.server.URL+" --code ")
	assert.Contains(t, p.text, " --root root.json --key anna.key")
	root, err := os.ReadFile(filepath.Join(a.dir, "root.json"))
	require.NoError(t, err)
	assert.Equal(t, string(root), b.get(t, "/root.json").raw)
	shown := p.path
	assert.Regexp(t, `^/pending/code/`, shown)
	assert.Equal(t, http.StatusNotFound, b.get(t, "/pending/code/x?mine=1").status)
	assert.Equal(t, http.StatusNotFound, b.get(t, strings.TrimSuffix(shown, "?mine=1")).status, "such a page is shared")
	_, rest, _ := strings.Cut(p.text, "--code ")
	code, _, _ := strings.Cut(rest, " ")
	terminal := func(method, path, code, body string) page {
		r, err := http.NewRequestWithContext(t.Context(), method, a.server.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+code)
		return a.stranger(t).send(t, r)
	}
	for _, wrong := range []string{"", "x", code + "x"} {
		assert.Equal(t, http.StatusUnauthorized, terminal(http.MethodGet, "/terminal/request", wrong, "").status)
	}
	request := terminal(http.MethodGet, "/terminal/request", strings.ToLower(code), "")
	require.Equal(t, http.StatusOK, request.status, request.raw)
	assert.Equal(t, http.StatusBadRequest, terminal(http.MethodPost, "/terminal/signature", code, "no signature").status)
	assert.Equal(t, http.StatusOK, terminal(http.MethodPost, "/terminal/signature", code, a.signed(t, request.raw)).status)
	assert.Equal(t, http.StatusUnauthorized, terminal(http.MethodGet, "/terminal/request", code, "").status, "it was used")
	assert.Contains(t, b.get(t, "/pending").text, "anna signed")
	p = b.get(t, shown)
	assert.Contains(t, p.text, "anna has signed with this code.")
	assert.NotContains(t, p.text, code)
	assert.Contains(t, p.text, "Enough officers have signed. It can be published. It is published with a command", "this desk does not publish")
}

// From a change to its release, each page leads to the next one.
func TestEachPageLeadsOn(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	require.NoError(t, a.SetRole(t.Context(), "carla", publish.RoleReviewer, audit))
	require.NoError(t, a.SetRole(t.Context(), "dario", publish.RoleClerk, audit))
	a.openBehindProxy(t, func(o *desk.Options) {
		o.PushTo, o.Push = "ORIGIN", func(_ context.Context, _ string, bundle io.Reader) error {
			_, err := io.Copy(io.Discard, bundle)
			return err
		}
	})
	clerk, reviewer := a.as(t, "dario"), a.as(t, "carla")
	change := fields("entries", "bad.example", "typed", "1")
	change.Set("head", clerk.post(t, "/add", change).values["head"])
	done := clerk.post(t, "/add", change)
	assert.Contains(t, done.text, "It is recorded, and not in force yet: a release with it must be made, signed and published.")
	assert.Contains(t, done.text, "This is done by a reviewer: carla.")
	assert.NotContains(t, done.text, "To the release")
	assert.Contains(t, reviewer.get(t, done.path).text, "To the release")
	reviewer.post(t, "/release", nil)
	assert.Contains(t, clerk.get(t, done.path).text, "release 1 has it, and must be signed and published")
	code := reviewer.post(t, "/code", nil)
	assert.NotContains(t, code.text, "Publish at ORIGIN")
	a.sign(t)
	assert.Contains(t, reviewer.get(t, code.path).text, "Publish at ORIGIN")
	assert.Contains(t, reviewer.post(t, "/push", nil).text, "is published.")
	assert.NotContains(t, clerk.get(t, done.path).text, "not in force yet")
}

// Urgent orders are asked for at the desk, and count with an officer's signature.
func TestUrgent(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "bad.example")
	a.open(t, func(o *desk.Options) {
		o.Push = func(_ context.Context, _ string, bundle io.Reader) error {
			_, err := io.Copy(io.Discard, bundle)
			return err
		}
	})
	b := a.enter(t)
	assert.Contains(t, b.get(t, "/urgent").text, "No urgent order is in force")
	b.post(t, "/release", nil)
	a.sign(t)
	b.post(t, "/push", nil)
	p := b.askUrgent(t, fields("entries", "worse.example", "reference", "night 3"))
	assert.Contains(t, p.text, "Asked for by carla.")
	assert.Contains(t, b.get(t, "/").text, "Urgent orders wait for an officer's signature")
	request := b.post(t, "/request", fields("what", "urgent"))
	b.upload(t, a.signed(t, request.raw))
	p = b.get(t, "/urgent")
	assert.Contains(t, p.text, "worse.example||night 3|")
	assert.Contains(t, p.text, "may still list 4 entries")
	assert.Equal(t, http.StatusUnprocessableEntity, b.post(t, "/urgent", fields("entries", "co.uk")).status)
}
