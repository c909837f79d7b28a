package desk_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/longtest"
	"github.com/argine-dns/argine/testdata/peers"
)

// The whole way of a name, in a real browser: a report is checked by one person and confirmed by another one, two
// officers sign, the resolver of a provider blocks the name, and its receipt is on the board. Then the way back.
func TestWalk(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "it builds both commands, and drives a browser")
	chromium := newChromium(t)
	h := newHouse(t)
	for _, v := range []view{
		{width: 1440, lang: "en"},
		{width: 360, lang: "it"},
		{width: 360, lang: "en", keyboard: true, noScript: true},
		{width: 1440, lang: "it", keyboard: true, noScript: true},
	} {
		t.Run(v.String(), func(t *testing.T) { h.walk(chromium, t, v) })
	}
}

// house is an agency with its desk and origin, and a provider with its resolver, as real processes.
type house struct {
	t         testing.TB
	blocklist string
	dir       string
	desk      string // URL
	resolver  string // address
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, blocklist: peers.Build(t, "blocklist"), dir: t.TempDir(), resolver: freeport.Addr(t)}
	for _, name := range []string{"anna", "bruno", "carla"} {
		h.run("keygen", "-o", name+".key", "--no-passphrase")
	}
	h.run("keygen", "-o", "receipts.key", "--name", "isp.example", "--no-passphrase")
	h.run("origin", "init", "ORIGIN")
	h.run("init", "DIR", "--list", "it.example/test", "--origin-key", "ORIGIN/online.pub", "--threshold", "2",
		"--officer", "anna.pub", "--officer", "bruno.pub", "--officer", "carla.pub")
	h.signHere()
	h.run("origin", "trust", "ORIGIN", "DIR/root.json")
	h.run("origin", "subscriber", "add", "ORIGIN", "--list", "it.example/test", "receipts.pub")
	origin, desk := freeport.Addr(t), freeport.Addr(t)
	peers.Start(t, h.dir, h.blocklist, "origin", "serve", "ORIGIN", "--listen", origin)
	h.run("-C", "DIR", "import", peers.Write(t, h.dir, "hosts.txt", strings.Join(names("first", 20), "\n")), "--ref", "order 1")
	h.run("-C", "DIR", "release")
	h.signHere()
	peers.AwaitTCP(t, origin)
	h.run("-C", "DIR", "push", "http://"+origin)
	h.run("-C", "DIR", "role", "carla", "clerk")
	h.run("-C", "DIR", "role", "rita", "reviewer")
	peers.Start(t, h.dir, h.blocklist, "-C", "DIR", "desk", "--listen", desk, "--user-header", "X-Remote-User",
		"--proxy", "127.0.0.1", "--receipts", "ORIGIN", "--push", "http://"+origin)
	h.desk = "http://" + desk
	h.resolve("http://"+origin, peers.Build(t, "dnsfilter"))
	peers.AwaitTCP(t, desk)
	return h
}

// resolve starts the provider's resolver.
func (h *house) resolve(origin, dnsfilter string) {
	h.t.Helper()
	settings := fmt.Sprintf("listen: ['udp://%[1]s', 'tcp://%[1]s']\nupstream: ['%[2]s']\nstate: %[3]s/state\nlists:\n"+
		"  - {name: it.example/test, root: %[3]s/DIR/root.json, from: ['%[4]s'], receipts: %[3]s/receipts.key}\n",
		h.resolver, peers.Upstream(h.t), h.dir, origin)
	peers.Resolver(h.t, dnsfilter, h.dir, settings, h.resolver)
	peers.Await(h.t, h.resolver, "first1.example", "NXDOMAIN")
}

// names returns the names prefix1.example to prefixN.example.
func names(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s%d.example", prefix, i+1))
	}
	return all
}

func (h *house) run(args ...string) string {
	h.t.Helper()
	return peers.Run(h.t, h.dir, h.blocklist, args...)
}

// signHere has two officers sign what is pending, without the desk.
func (h *house) signHere() {
	h.t.Helper()
	h.run("-C", "DIR", "sign", "--key", "anna.key", "--yes")
	h.run("-C", "DIR", "sign", "--key", "bruno.key", "--yes")
}

// walk lists a name and withdraws it again, at two windows.
func (h *house) walk(chromium context.Context, t *testing.T, v view) {
	name := "bad-" + v.String() + ".example"
	carla, rita := openWindow(chromium, t, h.desk, "carla", v), openWindow(chromium, t, h.desk, "rita", v)
	h.propose(carla, name)
	h.confirm(rita, name)
	h.release(carla, rita)
	peers.Await(t, h.resolver, name, "NXDOMAIN")
	h.board(carla)

	h.withdraw(carla, name)
	h.release(carla, rita)
	peers.Await(t, h.resolver, name, "NOERROR 192.0.2.1")
	h.board(rita)
}

// propose records a report, and is the first of two persons who decide on it.
func (h *house) propose(w *window, name string) {
	w.t.Helper()
	w.open("/")
	w.press("link", w.word("nav.proposals"))
	w.press("link", w.word("propose.title"))
	w.write(w.word("propose.targets"), name)
	w.write(w.word("propose.source"), "hotline")
	w.write(w.word("col.reference"), "case 7")
	w.press("button", w.word("propose.do"))
	w.press("button", w.word("propose.ticked"))
	w.sees(w.word("outcome.recorded"))
	w.press("link", w.word("proposals.title"))
	w.press("link", w.word("pstates.new")+" 1")
	w.press("link", evaluate[string](w, `document.querySelector('a[href^="/proposal/"]').textContent`))
	w.sees(name)
	w.write(w.word("decide.reason"), "I have looked at it")
	w.press("button", w.word("verb.check"))
	w.sees(w.word("decide.done"))
}

// confirm is the second person.
func (h *house) confirm(w *window, name string) {
	w.t.Helper()
	w.open("/")
	w.press("link", w.word("task.checked", "1"))
	w.tick(w.word("proposals.choose.one", evaluate[int](w, `+document.querySelector('input[name=id]').value`)))
	w.press("button", w.word("proposals.review"))
	w.sees(name)
	w.write(w.word("decide.reason"), "so have I")
	w.press("button", w.word("verb.confirm"))
	w.sees(w.word("pstate.listed"))
}

var codePattern = regexp.MustCompile(`--code ([A-Z2-7-]+)`)

// release makes a release, has it signed at two terminals, and pushes it.
func (h *house) release(clerk, reviewer *window) {
	t := reviewer.t
	t.Helper()
	reviewer.open("/pending")
	reviewer.press("button", reviewer.word("pending.make"))
	reviewer.sees(reviewer.word("pending.signatures", 0, 2))

	clerk.open("/pending") // with a code
	clerk.press("button", clerk.word("signing.code"))
	code := codePattern.FindStringSubmatch(clerk.text())
	require.NotNil(t, code)
	h.run("sign", h.desk, "--code", code[1], "--root", "DIR/root.json", "--key", "anna.key", "--yes")

	clerk.open("/pending") // with files
	clerk.activate(clerk.find("DisclosureTriangle", clerk.word("signing.file")))
	request, signature := clerk.download(clerk.word("signing.request")), filepath.Join(t.TempDir(), "bruno.sig")
	h.run("sign", request, "--root", "DIR/root.json", "--key", "bruno.key", "--yes", "-o", signature)
	clerk.choose("input[type=file]", signature)
	clerk.press("button", clerk.word("signing.bring"))
	clerk.sees(clerk.word("pending.enough"))

	reviewer.open("/")
	reviewer.press("link", reviewer.word("task.push"))
	reviewer.press("button", reviewer.pushes())
	reviewer.sees(reviewer.word("start.calm"))
}

// pushes returns the name of the button that pushes a release.
func (w *window) pushes() string {
	return evaluate[string](w, `document.querySelector('form[action="/push"] button').textContent`)
}

// withdraw takes an entry off the list.
func (h *house) withdraw(w *window, name string) {
	w.t.Helper()
	w.open("/")
	w.focus(w.find("searchbox", w.word("search.label")))
	w.load(chromedp.KeyEvent(name + "\r"))
	w.press("link", name)
	w.press("link", w.word("withdraw.do"))
	w.write(w.word("withdraw.decision"), "court 9")
	w.press("button", w.word("preview.do"))
	w.press("button", w.word("withdraw.confirm"))
	w.sees(name)
}

// board waits for the receipt of the newest release, and looks for it on the page.
func (h *house) board(w *window) {
	w.t.Helper()
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		out, _ := exec.CommandContext(w.t.Context(), h.blocklist, "-C", filepath.Join(h.dir, "DIR"), "receipts", filepath.Join(h.dir, "ORIGIN")).Output()
		assert.Regexp(c, `isp.example +enforces`, string(out))
	}, time.Minute, 100*time.Millisecond)
	w.open("/")
	w.press("link", w.word("nav.subscribers"))
	w.sees("isp.example")
	w.sees(w.word("standing.enforces"))
}
