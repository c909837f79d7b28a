package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/longtest"
)

// agency is headquarters with its ledger and origin, officers who share nothing with it but files passed by hand, and
// subscribers. Everything is in a folder of its own below base.
type agency struct {
	t         *testing.T
	random    *rand.Rand
	base      string
	book      *book
	officers  []string
	stale     map[string][]string // what an officer has signed last, if that was not pushed
	pending   []string            // the release, as an officer signs it
	seen      map[string]uint64   // the serial that an officer has signed last
	released  state
	serial    uint64
	skipped   uint64            // serials after it that were signed and refused
	digests   map[uint64]string // of the releases that were pushed
	urgent    []string          // the urgent orders in force
	ended     int               // the number of these that may end with the next release
	orderedBy string            // who has signed them
	head      int64             // the newest operation
	names     int               // names that were used for urgent orders and references
	url       string

	confidential bool // the list is encrypted to its subscribers
	rekeyed      bool // its subscribers have changed since the last release
}

// Three officers, two of whom sign, keep a list for weeks, and lose the ledger and an officer's key on the way. Each
// release is what the orders say, at the ledger, the origin and the subscribers.
func TestAgencyWalk(t *testing.T) {
	longtest.Only(t, "it types thousands of commands")
	t.Run("public", func(t *testing.T) { openAgency(t, false).walk(10, 4, 6, 9) })
	t.Run("confidential", func(t *testing.T) { openAgency(t, true).walk(4, 2, 2, 3) })
}

// walk are the days until a backup, until the loss of the ledger, until that of an officer's machine, and after it.
func (a *agency) walk(toBackup, toLoss, toOfficer, after int) {
	a.t.Helper()
	a.days(toBackup)
	a.renewRoot()
	backup := a.backup()
	saved, serial := a.book.clone(), a.serial
	if a.confidential {
		a.changeSubscribers() // so that the restored ledger knows others than the release has
	}
	a.days(toLoss)
	a.loseLedger(backup, saved, serial)
	a.days(toOfficer)
	a.loseOfficer()
	a.days(after)
	a.compareAll()
	a.checkHistory(1)
}

// openAgency makes keys, origin, list, the first root and the first release.
func openAgency(t *testing.T, confidential bool) *agency {
	a := &agency{
		t: t, confidential: confidential, random: rand.New(rand.NewPCG(2026, 12)), base: t.TempDir(),
		officers: []string{"anna", "bruno", "carla"}, seen: map[string]uint64{}, stale: map[string][]string{},
		book:     &book{orders: state{}, events: map[string][]event{}},
		released: state{}, digests: map[uint64]string{},
	}
	t.Setenv("BLOCKLIST_AUTHOR", "desk")
	a.at("hq")
	init := []string{
		"init", a.path("hq", "DIR"), "--list", "it.example/test", "--origin-key", a.path("hq", "ORIGIN", "online.pub"),
		"--threshold", "2", "--urgent-entries", "5",
	}
	if confidential {
		init = append(init, "--confidential")
	}
	for _, name := range a.officers {
		init = append(init, "--officer", a.newOfficer(name))
	}
	a.at("hq")
	a.run(0, "origin", "init", a.path("hq", "ORIGIN"))
	a.run(0, init...)
	a.signRoot(1, "anna", "carla")
	for _, to := range []string{"anna", "bruno", "carla", "current", "rare"} {
		a.pass("hq/DIR/root.json", to+"/root.json")
	}
	a.run(0, "origin", "trust", a.path("hq", "ORIGIN"), a.path("hq", "DIR", "root.json"))
	a.serve()
	a.ledger(0, "guard", "--max-growth", "1000%", "--max-shrink", "100%")
	for _, subscriber := range []string{"current", "rare", "new", "idle"} {
		if confidential {
			a.newIdentity(subscriber, "isp.age")
			a.ledger(0, "subscriber", "add", subscriber+".example", a.path(subscriber, "isp.pub"))
		}
	}
	a.head = a.newest()
	a.add("ever.example", modelOrder{ref: "first"})
	return a
}

// serve starts the origin's server.
func (a *agency) serve() {
	a.t.Helper()
	address := freeport.Addr(a.t)
	cmd := exec.Command(os.Args[0], "origin", "serve", a.path("hq", "ORIGIN"), "--listen", address)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	require.NoError(a.t, cmd.Start())
	a.t.Cleanup(func() {
		require.NoError(a.t, cmd.Process.Signal(os.Interrupt))
		require.NoError(a.t, cmd.Wait())
	})
	a.url = "http://" + address
	require.Eventually(a.t, func() bool {
		answer, err := http.Get(a.url)
		if err != nil {
			return false
		}
		return answer.Body.Close() == nil
	}, time.Minute, 20*time.Millisecond)
}

// origin returns the URL of the origin, or its folder.
func (a *agency) origin() string {
	if a.chance(60) {
		return a.url
	}
	return a.path("hq", "ORIGIN")
}

// newIdentity makes somebody's age identity.
func (a *agency) newIdentity(who, file string) {
	a.t.Helper()
	a.at(who)
	a.run(0, "keygen", "--subscriber", "-o", a.path(who, file))
	a.at("hq")
}

// identity returns the flag for somebody's identity, if the list is confidential.
func (a *agency) identity(who, file string) []string {
	if !a.confidential {
		return nil
	}
	return []string{"--identity", a.path(who, file)}
}

// recipients returns the flags for the recipients of a request, if the list is confidential.
func (a *agency) recipients() (flags []string) {
	for _, name := range a.officers {
		if a.confidential {
			flags = append(flags, "--recipient", a.path("hq", name+".requests.pub"))
		}
	}
	return flags
}

// request writes a request for what is pending.
func (a *agency) request() {
	a.t.Helper()
	a.ledger(0, append([]string{"request", "-o", a.path("hq", "request")}, a.recipients()...)...)
}

func (a *agency) path(elements ...string) string {
	return filepath.Join(append([]string{a.base}, elements...)...)
}

// at goes to the machine of somebody: what the command remembers is there.
func (a *agency) at(who string) {
	a.t.Helper()
	require.NoError(a.t, os.MkdirAll(a.path(who), 0o700))
	a.t.Setenv("XDG_STATE_HOME", a.path(who, "state"))
}

// pass passes a file by hand.
func (a *agency) pass(from, to string) {
	a.t.Helper()
	content, err := os.ReadFile(a.path(from))
	require.NoError(a.t, err)
	a.write(to, string(content))
}

func (a *agency) write(to, text string) {
	a.t.Helper()
	require.NoError(a.t, os.MkdirAll(filepath.Dir(a.path(to)), 0o700))
	require.NoError(a.t, os.WriteFile(a.path(to), []byte(text), 0o600))
}

// run types a command, checks its exit code, and returns what it wrote.
func (a *agency) run(code int, args ...string) string {
	a.t.Helper()
	var out, errs bytes.Buffer
	got := run(args, strings.NewReader(""), &out, &errs)
	require.Equal(a.t, code, got, "%q\n%s%s", args, out.String(), errs.String())
	return out.String()
}

func (a *agency) ledger(code int, args ...string) string {
	a.t.Helper()
	return a.run(code, append([]string{"-C", a.path("hq", "DIR")}, args...)...)
}

// newest returns the number of the ledger's newest operation.
func (a *agency) newest() int64 {
	a.t.Helper()
	var o struct{ ID int64 }
	require.NoError(a.t, json.Unmarshal([]byte(a.ledger(0, "log", "-n", "1", "--json")), &o))
	return o.ID
}

// change types a command that should bring the ledger to the state next in one operation, or in none if that is now.
func (a *agency) change(code int, next state, ref string, args ...string) {
	a.t.Helper()
	a.ledger(code, args...)
	head := a.newest()
	if len(a.book.changed(next)) == 0 {
		require.Equal(a.t, a.head, head, args)
		return
	}
	require.Equal(a.t, a.head+1, head, args)
	a.head = head
	a.book.record(next, event{id: head, author: "desk", ref: ref})
}

func (a *agency) newOfficer(name string) (public string) {
	a.t.Helper()
	a.at(name)
	a.run(0, "keygen", "-o", a.path(name, name+".key"), "--no-passphrase")
	a.pass(name+"/"+name+".pub", "hq/"+name+".pub")
	if a.confidential {
		a.newIdentity(name, "requests.age")
		a.pass(name+"/requests.pub", "hq/"+name+".requests.pub")
	}
	return a.path("hq", name+".pub")
}

// sign has an officer sign a request of headquarters, and brings back the signature.
func (a *agency) sign(code int, officer string, flags ...string) (signature string) {
	a.t.Helper()
	a.pass("hq/request", officer+"/request")
	a.at(officer)
	out := a.path(officer, "signature")
	if _, err := os.Stat(a.path(officer, "root.json")); err == nil {
		flags = append(flags, "--root", a.path(officer, "root.json"))
	}
	flags = slices.Concat(flags, a.identity(officer, "requests.age"), []string{"--key", a.path(officer, officer+".key"), "-o", out, "--yes"})
	os.Remove(out)
	a.run(code, append([]string{"sign", a.path(officer, "request")}, flags...)...)
	a.at("hq")
	if code != exitDone {
		require.NoFileExists(a.t, out)
		return ""
	}
	a.pass(officer+"/signature", "hq/"+officer+".sig")
	return a.path("hq", officer+".sig")
}

// signRelease is sign for the next release. An officer whose last signature was for a state that was made
// again must say so.
func (a *agency) signRelease(officer string) (signature string) {
	a.t.Helper()
	var flags []string
	serial := a.serial + a.skipped + 1
	was, differs := a.stale[officer]
	switch a.seen[officer] {
	case serial:
		differs = differs && !slices.Equal(was, a.pending)
	case a.serial: // what is pending rests on it
		differs = differs && !slices.Equal(was, a.released.lines())
	default:
		differs = false
	}
	if differs {
		a.sign(exitRefused, officer)
		flags = []string{"--again"}
	}
	a.seen[officer], a.stale[officer] = serial, a.pending
	return a.sign(exitDone, officer, flags...)
}

func (a *agency) signRoot(version int, officers ...string) {
	a.t.Helper()
	a.request()
	for _, name := range officers {
		a.ledger(0, "sign", "--signature", a.sign(exitDone, name))
	}
	root, err := os.ReadFile(a.path("hq", "DIR", "root.json"))
	require.NoError(a.t, err)
	assert.Contains(a.t, string(root), fmt.Sprintf(`"version":%d`, version))
}

// two returns two officers.
func (a *agency) two() []string {
	all := slices.Clone(a.officers)
	a.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:2]
}

func (a *agency) chance(percent int) bool { return a.random.IntN(100) < percent }

// publish makes a release, has it signed, and pushes it. It reports whether there is a new one.
func (a *agency) publish() bool {
	a.t.Helper()
	if unchanged := a.release(); unchanged {
		return false
	}
	two := a.two()
	if a.chance(20) { // a late order: the release is made again, and what was signed is of something else
		old := a.signRelease(two[0])
		a.names++
		a.add(fmt.Sprintf("late%d.example", a.names), modelOrder{ref: "late"})
		require.False(a.t, a.release())
		a.ledger(exitRefused, "sign", "--signature", old)
	}
	if a.chance(15) {
		a.refuse(two)
		return false
	}
	first, second := a.signRelease(two[0]), a.signRelease(two[1])
	if a.chance(30) {
		a.ledger(0, "sign", "--signature", second)
		a.ledger(exitSignatures, "push", a.origin())
	}
	a.ledger(0, "sign", "--signature", first, "--signature", second, "--signature", first)
	a.push()
	delete(a.stale, two[0])
	delete(a.stale, two[1])
	return true
}

// release makes a release and a request for it. It reports whether there was nothing to release.
func (a *agency) release() (unchanged bool) {
	a.t.Helper()
	next := a.book.orders.clone()
	next.withdrawAll(hasExpired)
	unchanged = slices.Equal(next.lines(), a.released.lines()) && !a.rekeyed
	if unchanged {
		a.change(exitNothing, next, "", "release")
		return true
	}
	for ; a.ended < len(a.urgent); a.ended++ {
		a.ledger(exitDone, "urgent", "end", a.urgent[a.ended], "--reason", "it is over")
		a.head = a.newest()
	}
	a.change(exitDone, next, "", "release")
	a.pending = next.lines()
	a.request()
	return false
}

// refuse has the second officer refuse the release, now and then after the first has signed it.
func (a *agency) refuse(two []string) {
	a.t.Helper()
	a.ended = 0 // what may end was said of this release
	if a.chance(50) {
		a.ledger(0, "sign", "--signature", a.signRelease(two[0]))
		defer func() { a.skipped++; clear(a.stale) }() // the next release has another serial
	}
	name := two[1]
	a.pass("hq/request", name+"/request")
	a.at(name)
	out := a.path(name, "refusal")
	os.Remove(out)
	a.run(0, append([]string{
		"refuse", a.path(name, "request"), "--root", a.path(name, "root.json"), "--key", a.path(name, name+".key"), "--reason", "no",
		"-o", out,
	}, a.identity(name, "requests.age")...)...)
	a.at("hq")
	a.pass(name+"/refusal", "hq/refusal")
	a.ledger(0, "refuse", "--signature", a.path("hq", "refusal"))
	a.head = a.newest()
}

// push brings the release to the origin. Its serial is the next one, and of nothing else.
func (a *agency) push() {
	a.t.Helper()
	var answer struct {
		Result struct {
			Pushed struct {
				Serial uint64
				Digest string
			}
		}
	}
	require.NoError(a.t, json.Unmarshal([]byte(a.ledger(0, "push", a.origin(), "--json")), &answer))
	pushed := answer.Result.Pushed
	a.serial, a.skipped = a.serial+a.skipped+1, 0
	require.Equal(a.t, a.serial, pushed.Serial)
	require.NotContains(a.t, a.digests, pushed.Serial)
	a.digests[pushed.Serial] = pushed.Digest
	a.released, a.urgent, a.ended, a.rekeyed = a.book.orders.clone(), nil, 0, false
	a.book.released(a.serial)
	a.head = a.newest()
}

// unpack unpacks a backup.
func (a *agency) unpack(backup []byte, to string) {
	a.t.Helper()
	r := tar.NewReader(bytes.NewReader(backup))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(a.t, err)
		if h.Typeflag == tar.TypeDir {
			continue
		}
		content, err := io.ReadAll(r)
		require.NoError(a.t, err)
		a.write(filepath.Join(to, h.Name), string(content))
	}
}
