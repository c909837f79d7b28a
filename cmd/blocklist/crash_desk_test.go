package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/longtest"
	"github.com/argine-dns/argine/testdata/peers"
)

// A desk is killed while four people work at it. What it has answered is in the ledger, nothing is there by half, and the
// next desk starts.
func TestKilledDesk(t *testing.T) {
	longtest.Only(t, "it starts and kills a desk several times")
	c := newCrash(t)
	for _, person := range []string{"anna", "bruno", "carla", "dora"} {
		c.must(t, "-C", c.dir, "role", person, "reviewer")
	}
	all := map[string]*deskWork{"anna": {}, "bruno": {}, "carla": {}, "dora": {}}
	for range 6 {
		c.killDesk(t, all)
		c.check(t)
		c.checkDesk(t, all)
	}
	for person, w := range all {
		assert.Positive(t, w.answered, person)
		t.Logf("%s: %d changes were answered, %d were under way", person, w.answered, w.begun-w.answered)
	}
}

// deskWork is what one person has done: each change is the listing of three names, which the next ones withdraw, or a
// proposal that is checked.
type deskWork struct {
	begun, answered int
	states          []deskState
}

// deskState is how far a piece of work has come.
type deskState struct {
	name       string
	sure, next string // the state that was answered, and the one that was asked for since
}

// killDesk starts a desk, has all people work at it, and kills it.
func (c *crash) killDesk(t *testing.T, all map[string]*deskWork) {
	t.Helper()
	addr := freeport.Addr(t)
	cmd, out := c.command("-C", c.dir, "desk", "--listen", addr, "--user-header", "X-Remote-User", "--proxy", "127.0.0.1")
	require.NoError(t, cmd.Start())
	peers.AwaitTCP(t, addr)
	var working sync.WaitGroup
	for person, w := range all {
		at := deskPerson{person, "http://" + addr}
		working.Go(func() { w.work(at, person) })
	}
	time.Sleep(200*time.Millisecond + rand.N(1500*time.Millisecond))
	require.NoError(t, cmd.Process.Kill())
	working.Wait()
	killed := (*exec.ExitError)(nil)
	require.ErrorAs(t, cmd.Wait(), &killed)
	require.False(t, killed.Exited(), out.String())
}

// work changes something until there is no answer any more.
func (w *deskWork) work(at deskPerson, person string) {
	for {
		s := deskState{name: fmt.Sprintf("%s%d.example", person, len(w.states))}
		w.states = append(w.states, s)
		one := &w.states[len(w.states)-1]
		steps := []string{"listed", "withdrawn"}
		if len(w.states)%2 == 0 {
			steps = []string{proposal.New, proposal.Checked}
		}
		for _, step := range steps {
			w.begun++
			one.next = step
			if !at.do(step, one.name) {
				return
			}
			one.sure, one.next = step, ""
			w.answered++
		}
	}
}

// deskPerson is the browser of one person.
type deskPerson struct{ person, base string }

// deskPage is what a desk has answered, after it has led to the page; status 0: there is no answer.
type deskPage struct {
	status     int
	path, text string
}

// send sends a form, or asks for a page if there is none.
func (d deskPerson) send(path string, form url.Values) deskPage {
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequest(method, d.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return deskPage{}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Remote-User", d.person)
	client := http.Client{Timeout: 20 * time.Second}
	answer, err := client.Do(r)
	if err != nil {
		return deskPage{}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return deskPage{}
	}
	return deskPage{answer.StatusCode, answer.Request.URL.Path, string(body)}
}

// hiddenField finds the fields of a form that say what its person has seen.
var hiddenField = regexp.MustCompile(`name="(?:head|seen)" value="([^"]+)"`)

func seenIn(page string) string {
	if m := hiddenField.FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
}

// do brings a name into a state. It reports whether the desk has answered that it is done.
func (d deskPerson) do(state, name string) bool {
	switch state {
	case "listed":
		return d.change("/add", url.Values{"entries": {fmt.Sprintf("%[1]s\n=www.%[1]s\nhttps://%[1]s.net/page", name)}, "reason": {"a test"}})
	case "withdrawn":
		return d.change("/withdraw", url.Values{"entries": {fmt.Sprintf("%[1]s\n=www.%[1]s\nhttps://%[1]s.net/page", name)}, "reason": {"a test"}})
	case proposal.New:
		return d.send("/propose", url.Values{"found": {"1"}, "target": {name}, "source": {d.person}}).status == http.StatusOK
	}
	list := d.send("/proposals?"+url.Values{"target": {name}}.Encode(), nil)
	m := regexp.MustCompile(`href="(/proposal/\d+)"`).FindStringSubmatch(list.text)
	if m == nil {
		return false
	}
	page := d.send(m[1], nil)
	return d.send("/proposals/decide", url.Values{"seen": {seenIn(page.text)}, "verb": {"check"}}).status == http.StatusOK
}

// change tries a change and confirms it, again if others have changed the list meanwhile.
func (d deskPerson) change(path string, form url.Values) bool {
	for range 100 {
		page := d.send(path, form)
		if strings.HasPrefix(page.path, "/operation/") {
			return true
		}
		if page.status != http.StatusOK && page.status != http.StatusConflict {
			return false
		}
		form.Set("head", seenIn(page.text))
	}
	return false
}

// checkDesk compares the ledger with what the desk has answered. What was under way is done or not, and known then.
func (c *crash) checkDesk(t *testing.T, all map[string]*deskWork) {
	t.Helper()
	l, err := publish.Open(c.dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	for person, w := range all {
		for i := range w.states {
			s := &w.states[i]
			now := stateAtDesk(t, l, s.name)
			if s.next == "" {
				assert.Equal(t, s.sure, now, s.name)
			} else {
				assert.Contains(t, []string{s.sure, s.next}, now, "%s of %s", s.name, person)
			}
			s.sure, s.next = now, ""
		}
	}
}

// stateAtDesk returns the state of a name: the three entries of a change are in the same one.
func stateAtDesk(t *testing.T, l *publish.Ledger, name string) string {
	t.Helper()
	found, err := proposal.List(t.Context(), l, proposal.Filter{Target: name, Limit: 2})
	require.NoError(t, err)
	if len(found) > 0 {
		assert.Len(t, found, 1, name)
		return found[0].State
	}
	var states []string
	for _, target := range []string{name, "=www." + name, "https://" + name + ".net/page"} {
		_, listed, err := l.Lookup(t.Context(), target)
		require.NoError(t, err)
		history, err := l.EntryHistory(t.Context(), target)
		require.NoError(t, err)
		events := 0
		for _, h := range history {
			if h.Target == target {
				events = len(h.Events)
			}
		}
		states = append(states, map[bool]string{true: "listed", false: map[bool]string{true: "withdrawn"}[events > 0]}[listed])
	}
	assert.Equal(t, []string{states[0], states[0], states[0]}, states, name)
	return states[0]
}
