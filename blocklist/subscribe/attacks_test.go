package subscribe_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

// attack is something that a subscriber refuses.
type attack struct {
	name   string
	want   error
	says   string
	signed bool // enough officers have signed its files, so they may be on the disk until the next release
	do     func(*stage)
}

// The traps of The Update Framework, and of files like ours, and which test would fall into them:
//
//	 1 restarted with the pinned root, after a rotation   TestRestartWithPinnedRootAfterRotation
//	 2 killed between two writes                          TestKilled, TestCrashBetweenFetchAndApply, TestDiskFull
//	 3 polls at the same time, without conditions, of any length
//	                                                      TestPollsAtTheSameTime, TestPollsAreConditional, TestLimitOfRelease
//	 4 thresholds, and keys that are there twice          TestRootsThatBreakTheRules; trust: TestRootRules, TestSignaturesCountDistinctOfficers
//	 5 file, signature and subscription disagree          TestReleasesThatAreNotWhatTheyClaim, TestBrokenDeltas
//	 6 expired means stale, not out of force              TestFrozenMirror
//	 7 a quorum errs                                      TestAttacks/officers, and the guards' own tests
//	 8 a subscriber who has left still reads the list     not here: lists are not encrypted
//	 9 hash first, then decompress within limits, then parse
//	                                                      TestAttacks/officers/a_bomb; trust: TestOpenTextRefusesBombs
//	10 a mapped file edited in place                      TestMappedFilesStayAsTheyAre
//
// Whatever an attacker does, the error has a name, the last good list is enforced, what is on the disk is as before, a
// restart changes nothing of that, and when the attack is over the next release comes through.
func TestAttacks(t *testing.T) {
	for by, attacks := range map[string][]attack{
		"mirror": mirrorAttacks(), "bytes": byteAttacks(), "roots": rootAttacks(), "online key": onlineKeyAttacks(), "officers": officerAttacks(),
	} {
		for _, a := range attacks {
			t.Run(by+"/"+a.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, a.test)
			})
		}
	}
}

func (a attack) test(t *testing.T) {
	st := newStage(t)
	a.do(st)
	serial := st.Status().Serial
	before, _ := st.onDisk()
	a.refused(st, serial)
	st.unchanged(before, a.signed)
	st.restart(t, st.c.Origins...)
	st.lastGoodList(serial)
	a.refused(st, serial)
	st.unchanged(before, a.signed)
	st.answer = nil
	st.mirror.Version += 100
	st.publish(st.agency.Release(30, "example.org", "third.example.net"))
	st.follows(30)
	_, releases := st.onDisk()
	assert.Len(t, releases, 1)
}

// refused fails the test unless a poll fails as it should and leaves the list in force.
func (a attack) refused(st *stage, serial uint64) {
	st.t.Helper()
	err := st.refresh(st.t)
	require.Error(st.t, err)
	if a.want != nil {
		assert.ErrorIs(st.t, err, a.want)
	}
	assert.ErrorContains(st.t, err, a.says)
	assert.Less(st.t, len(err.Error()), 1500, "an attacker does not fill the log")
	assert.False(st.t, strings.ContainsFunc(err.Error(), func(r rune) bool { return unicode.IsControl(r) && r != '\n' }), "nor the terminal: %q", err)
	assert.Equal(st.t, err, st.Status().Err)
	st.lastGoodList(serial)
}

// lastGoodList looks up what serials 2 and 4 list and what others do.
func (st *stage) lastGoodList(serial uint64) {
	st.t.Helper()
	st.enforces(st.t, serial)
	for name, listed := range map[string]bool{"third.example.net": true, "second.example.net": false, "fresh.example.net": false, "evil.example": false} {
		_, ok := st.store.LookupHost(name)
		assert.Equal(st.t, listed, ok, name)
	}
}

// What someone without any key can do: tell old truths, mix them, hold them back.
func mirrorAttacks() []attack {
	return []attack{
		{"everything as it was", blocklist.ErrRollback, "timestamp", false, func(st *stage) { st.serves(st.moments[1]) }},
		{"nothing new", blocklist.ErrExpired, "", false, func(st *stage) {
			st.serves(st.moments[2])
			time.Sleep(2 * hour)
		}},
		{"not modified", blocklist.ErrExpired, "", false, func(st *stage) {
			st.serves(st.moments[2])
			require.NoError(st.t, st.refresh(st.t))
			st.answer = func(name string, r *http.Request) *http.Response {
				if r.Header.Get("If-None-Match") != "" {
					return status(http.StatusNotModified)
				}
				if b, ok := st.moments[2][name]; ok {
					return answerBytes(b)
				}
				return status(http.StatusNotFound)
			}
			time.Sleep(2 * hour)
		}},
		{"old snapshot", blocklist.ErrUntrusted, "snapshot", false, func(st *stage) { st.replace("3.snapshot.json", st.moments[2]["2.snapshot.json"]) }},
		{"old targets", blocklist.ErrUntrusted, "targets", false, func(st *stage) { st.replace("3.targets.json", st.moments[2]["2.targets.json"]) }},
		{"later snapshot", blocklist.ErrUntrusted, "snapshot", false, func(st *stage) {
			later := st.later()
			st.serves(st.moments[3])
			st.moments[3]["3.snapshot.json"] = later["4.snapshot.json"]
		}},
		{"another list", blocklist.ErrUntrusted, `list "it.example/other"`, false, func(st *stage) { st.serves(st.otherList()) }},
		{"another delta", blocklist.ErrUntrusted, "delta-2-3", false, func(st *stage) {
			st.replace(trusttest.DeltaPath(3), st.release.Files[trusttest.DeltaPath(2)])
		}},
		{"a snapshot for a delta", blocklist.ErrUntrusted, "delta-2-3", false, func(st *stage) {
			st.replace(trusttest.DeltaPath(3), st.release.Files[trusttest.SnapshotPath(1)])
		}},
		{"another file from the middle on", blocklist.ErrUntrusted, "SHA-256", false, func(st *stage) {
			b := bytes.Clone(st.release.Files[trusttest.DeltaPath(3)])
			other := st.release.Files[trusttest.SnapshotPath(1)]
			copy(b[len(b)/2:], other)
			st.replace(trusttest.DeltaPath(3), b)
		}},
		{"cut short", blocklist.ErrUntrusted, "cut short", false, func(st *stage) {
			b := st.release.Files[trusttest.DeltaPath(3)]
			st.replace(trusttest.DeltaPath(3), b[:len(b)-1])
		}},
		{"nothing there", fs.ErrNotExist, "", false, func(st *stage) { st.serves(moment{}) }},
		{"no delta", fs.ErrNotExist, "delta-2-3", false, func(st *stage) {
			st.only(trusttest.DeltaPath(3), func(*http.Request) *http.Response { return status(http.StatusGone) })
		}},
		{"redirected in circles", nil, "redirects", false, func(st *stage) { st.redirects("http://mirror.example/timestamp.json") }},
		{"redirected to a file", nil, "redirected", false, func(st *stage) { st.redirects("file:///etc/hostname") }},
		{"redirected to a long address", nil, "gopher", false, func(st *stage) { st.redirects("gopher://x.example/" + strings.Repeat("x", 10_000)) }},
		{"redirected to nowhere", nil, "Location", false, func(st *stage) { st.redirects("http://%" + strings.Repeat("x", 10_000)) }},
		{"refused", nil, "503", false, func(st *stage) {
			st.only(".json", func(*http.Request) *http.Response { return status(http.StatusServiceUnavailable) })
		}},
	}
}

func (st *stage) redirects(to string) {
	st.only("timestamp.json", func(*http.Request) *http.Response {
		resp := status(http.StatusFound)
		resp.Header.Set("Location", to)
		return resp
	})
}

// replace answers with other bytes for one document.
func (st *stage) replace(suffix string, b []byte) {
	require.NotEmpty(st.t, b)
	st.only(suffix, func(*http.Request) *http.Response { return answerBytes(b) })
}

// later returns the mirror as it is at serial 4, and goes back to serial 3.
func (st *stage) later() moment {
	copied := *st.mirror
	copied.Dir = st.t.TempDir()
	copied.Publish(st.agency.Delta(st.release, "+evil.example"))
	return readMoment(st.t, &copied)
}

// otherList returns a mirror of another list of the same officers and the same origin.
func (st *stage) otherList() moment {
	other := trusttest.NewAgency(st.t, online.Key)
	other.List, other.Roots = "it.example/other", nil
	other.Rotate()
	m := other.NewMirror(online)
	m.Version = 50
	m.Publish(other.Release(50, "evil.example"))
	return readMoment(st.t, m)
}

// Bytes that never end, hardly come, or are no documents.
func byteAttacks() []attack {
	var all []attack
	for _, name := range []string{"timestamp.json", "2.root.json", "3.snapshot.json", "3.targets.json"} {
		all = append(all, attack{"endless " + name, blocklist.ErrTooLarge, name, false, func(st *stage) {
			st.only(name, func(*http.Request) *http.Response { return answerReader(endless{}) })
		}})
	}
	for _, name := range []string{"timestamp.json", "3.snapshot.json", trusttest.DeltaPath(3)} {
		all = append(all, attack{"slow " + name, os.ErrDeadlineExceeded, "too slow", false, func(st *stage) {
			st.only(name, func(r *http.Request) *http.Response {
				resp := answerReader(nil)
				resp.Body = drip{r}
				return resp
			})
		}}, attack{"silent " + name, os.ErrDeadlineExceeded, "nothing came", false, func(st *stage) {
			st.only(name, func(r *http.Request) *http.Response {
				<-r.Context().Done()
				return answerReader(neverRead{r})
			})
		}})
	}
	for name, text := range map[string]string{
		"a web page":         "<html>hello</html>",
		"null":               "null",
		"no signed part":     `{"signatures":[]}`,
		"nothing":            "",
		"deeply nested":      `{"signed":` + strings.Repeat("[", 10_000),
		"control characters": `{"signatures":[],"signed":{"_type":"\u001b[2J\u0007\u202e"}}`,
		"a long type":        `{"signatures":[],"signed":{"_type":"` + strings.Repeat("x", 10_000) + `"}}`,
		"a long number":      `{"signatures":[],"signed":{"_type":"timestamp","version":` + strings.Repeat("7", 10_000) + `}}`,
		"keys that are long": `{"signatures":[],"` + strings.Repeat("k", 7000) + `":1,"` + strings.Repeat("K", 7000) + `":1}`,
	} {
		all = append(all, attack{name, blocklist.ErrMalformed, "", false, func(st *stage) {
			st.only(".json", func(*http.Request) *http.Response { return answerBytes([]byte(text)) })
		}})
	}
	return append(all,
		attack{"an endless file", blocklist.ErrUntrusted, "longer", false, func(st *stage) {
			st.only(trusttest.DeltaPath(3), func(*http.Request) *http.Response { return answerReader(endless{}) })
		}},
		attack{"a compressed bomb", blocklist.ErrMalformed, "timestamp", false, func(st *stage) {
			var bomb bytes.Buffer
			z := gzip.NewWriter(&bomb)
			_, err := io.CopyN(z, endless{}, 10<<20)
			require.NoError(st.t, err)
			require.NoError(st.t, z.Close())
			st.only("timestamp.json", func(*http.Request) *http.Response {
				resp := answerBytes(bomb.Bytes())
				resp.Header.Set("Content-Encoding", "gzip")
				return resp
			})
		}})
}

// neverRead fails with why its request ended.
type neverRead struct{ r *http.Request }

func (n neverRead) Read([]byte) (int, error) { return 0, n.r.Context().Err() }

// After a rotation: the old roots again, and roots that those who were revoked, or strangers, make.
func rootAttacks() []attack {
	next := func(root func(st *stage, before trusttest.Agency) []byte) func(*stage) {
		return func(st *stage) {
			b := root(st, st.rotate())
			st.replace("3.root.json", b)
		}
	}
	// by makes a root 3 with officers of its own, signed by them and others.
	by := func(st *stage, officers []trusttest.Person, signers ...trusttest.Person) []byte {
		a := trusttest.NewAgency(st.t, online.Key)
		a.Officers, a.Roots = officers, make([][]byte, 2)
		a.Rotate(signers...)
		return a.Roots[2]
	}
	strangers := []trusttest.Person{trusttest.NewPerson("eva"), trusttest.NewPerson("finn")}
	return []attack{
		{"the first root again", blocklist.ErrUntrusted, "does not follow", false, next(func(st *stage, _ trusttest.Agency) []byte { return st.agency.Roots[0] })},
		{"the same root again", blocklist.ErrUntrusted, "does not follow", false, next(func(st *stage, _ trusttest.Agency) []byte { return st.agency.Roots[1] })},
		{"of strangers", blocklist.ErrUntrusted, "root 3", false, next(func(st *stage, _ trusttest.Agency) []byte { return by(st, strangers) })},
		{"of the revoked", blocklist.ErrUntrusted, "root 3", false, next(func(st *stage, before trusttest.Agency) []byte { return by(st, before.Officers) })},
		{"of one officer and strangers", blocklist.ErrUntrusted, "root 3", false, next(func(st *stage, _ trusttest.Agency) []byte {
			return by(st, strangers, st.agency.Officers[0])
		})},
		{"of another list", blocklist.ErrUntrusted, "list", false, next(func(st *stage, _ trusttest.Agency) []byte {
			a := trusttest.NewAgency(st.t, online.Key)
			a.List, a.Officers, a.Roots = "it.example/other", st.agency.Officers, make([][]byte, 2)
			a.Rotate()
			return a.Roots[2]
		})},
		{"everything as before the rotation", blocklist.ErrUntrusted, "timestamp", false, func(st *stage) {
			st.rotate()
			st.serves(st.moments[3])
		}},
		{"the old keys go on", blocklist.ErrUntrusted, "timestamp", false, func(st *stage) {
			before := st.rotate()
			old := before.NewMirror(online)
			old.Version = 50
			old.Publish(before.Release(50, "evil.example"))
			st.serves(readMoment(st.t, old))
		}},
	}
}

// What a thief of the origin's key can stamp.
func onlineKeyAttacks() []attack {
	stamped := func(release func(st *stage) trusttest.Release) func(*stage) {
		return func(st *stage) {
			r := release(st)
			st.mirror.Version = 50
			st.mirror.Publish(r)
		}
	}
	signedBy := func(officers ...trusttest.Person) func(*stage) trusttest.Release {
		return func(st *stage) trusttest.Release {
			a := *st.agency
			a.Officers, a.Threshold = officers, len(officers)
			return a.Release(20, "evil.example")
		}
	}
	anna := trusttest.NewPerson("anna")
	return []attack{
		{"the old release", blocklist.ErrRollback, "snapshot", false, stamped(func(st *stage) trusttest.Release {
			return st.agency.Release(1, "example.org", "second.example.net")
		})},
		{"a release of one officer", blocklist.ErrUntrusted, "1 of 2 signatures", false, stamped(signedBy(anna))},
		{"a release without signatures", blocklist.ErrUntrusted, "0 of 2 signatures", false, stamped(signedBy())},
		{"a release of strangers", blocklist.ErrUntrusted, "0 of 2 signatures", false, stamped(signedBy(trusttest.NewPerson("eva"), trusttest.NewPerson("finn")))},
		{"a release of the thief", blocklist.ErrUntrusted, "0 of 2 signatures", false, stamped(signedBy(online))},
		{"a snapshot of any length", blocklist.ErrTooLarge, "timestamp", false, func(st *stage) {
			b := bytes.Replace(st.moments[3]["timestamp.json"], []byte(`"length":`), []byte(`"length":1000000`), 1)
			st.replace("timestamp.json", trusttest.Sign(st.t, b, online))
		}},
		{"a timestamp without a snapshot", blocklist.ErrMalformed, "timestamp", false, func(st *stage) {
			b := bytes.Replace(st.moments[3]["timestamp.json"], []byte(`"snapshot.json"`), []byte(`"other.json"`), 1)
			st.replace("timestamp.json", trusttest.Sign(st.t, b, online))
		}},
		{"a timestamp as snapshot", blocklist.ErrMalformed, "snapshot", false, func(st *stage) {
			spec := trust.OnlineSpec{Version: 60, Expires: time.Now().Add(hour), Next: st.moments[3]["timestamp.json"], NextVersion: 3}
			b, err := trust.NewTimestamp(spec)
			require.NoError(st.t, err)
			b = trusttest.Sign(st.t, b, online)
			st.answer = func(name string, _ *http.Request) *http.Response {
				switch name {
				case "timestamp.json":
					return answerBytes(b)
				case "3.snapshot.json":
					return answerBytes(st.moments[3]["timestamp.json"])
				}
				return nil
			}
		}},
	}
}

// Enough officers err, were deceived by their own machine, or coerced.
func officerAttacks() []attack {
	return []attack{
		{"a fork of the history", blocklist.ErrRollback, "serial 2", false, func(st *stage) {
			st.mirror.Publish(st.agency.Release(2, "example.org", "evil.example"))
		}},
		{"a delta that leads elsewhere", blocklist.ErrDigest, "", true, func(st *stage) {
			other := st.agency.Release(2, "evil.example", "third.example.net")
			delta := st.agency.Delta(other, "+fresh.example.net")
			spec, err := trust.ParseTargets(delta.Targets)
			require.NoError(st.t, err)
			h, err := spec.Newest().Header()
			require.NoError(st.t, err)
			st.mirror.Publish(st.agency.Join(twoSerials(st), h, delta.Files[trusttest.DeltaPath(3)]))
		}},
		{"a bomb", blocklist.ErrTooLarge, "", true, func(st *stage) {
			h, text := st.agency.Text(20, "example.org", "evil.example")
			st.mirror.Publish(st.agency.Pack(h, trusttest.Compress(st.t, append(text, make([]byte, 8<<20)...))))
		}},
		{"a file of another list", blocklist.ErrUntrusted, "it.example/other", true, func(st *stage) {
			other := *st.agency
			other.List = "it.example/other"
			_, text := other.Text(20, "evil.example")
			h, _ := st.agency.Text(20, "evil.example")
			st.mirror.Publish(st.agency.Pack(h, trusttest.Compress(st.t, text)))
		}},
		{"out of date", blocklist.ErrExpired, "targets", false, func(st *stage) {
			old := *st.agency
			old.Expires = time.Now().Add(-hour)
			st.mirror.Publish(old.Release(20, "evil.example"))
		}},
	}
}

// twoSerials returns the release that the subscriber holds.
func twoSerials(st *stage) trusttest.Release {
	return trusttest.Release{Targets: st.moments[2]["2.targets.json"], Files: st.release.Files}
}
