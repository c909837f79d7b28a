package subscribe_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

// stage has a subscriber that holds serial 2 of a list, a mirror that has serial 3 to offer, and an attacker in
// between.
type stage struct {
	*subscriber
	t       *testing.T
	agency  *trusttest.Agency
	mirror  *trusttest.Mirror
	release trusttest.Release // serial 3
	moments map[uint64]moment // the mirror as it was at each serial
	// answer is the attacker's. Where it says nothing, the mirror does.
	answer func(name string, r *http.Request) *http.Response
}

// moment is all that a mirror had of a list: names, as in URLs below the list's folder, and content.
type moment map[string][]byte

func newStage(t *testing.T) *stage {
	t.Helper()
	st := &stage{t: t, agency: trusttest.NewAgency(t, online.Key), moments: map[uint64]moment{}}
	st.mirror = st.agency.NewMirror(online)
	st.subscriber = newSubscriber(t, st.agency, "http://mirror.example")
	st.c.Client = &http.Client{Transport: roundTrip(st.roundTrip)}
	st.restart(t, st.c.Origins...)
	st.publish(st.agency.Release(1, "example.org", "second.example.net"))
	st.follows(1)
	st.publish(st.agency.Delta(st.release, "-second.example.net", "+third.example.net"))
	st.follows(2)
	st.publish(st.agency.Delta(st.release, "+fresh.example.net"))
	return st
}

func (st *stage) publish(r trusttest.Release) {
	st.t.Helper()
	st.release = r
	st.mirror.Expires = time.Now().Add(hour)
	st.mirror.Publish(r)
	st.moments[uint64(len(st.moments))+1] = readMoment(st.t, st.mirror)
}

// rotate replaces all officers and the origin's key. The subscriber follows, to a serial 4.
func (st *stage) rotate() (before trusttest.Agency) {
	st.t.Helper()
	before = *st.agency
	second := trusttest.NewPerson("second")
	st.agency.Officers = []trusttest.Person{trusttest.NewPerson("dora"), trusttest.NewPerson("emil"), trusttest.NewPerson("fritz")}
	st.agency.Online, st.mirror.Online = second.Key, second
	st.agency.Rotate(before.Officers...)
	st.publish(st.agency.Delta(st.release, "-fresh.example.net"))
	st.follows(4)
	return before
}

func (st *stage) follows(serial uint64) {
	st.t.Helper()
	require.NoError(st.t, st.refresh(st.t))
	st.enforces(st.t, serial)
}

func (st *stage) roundTrip(r *http.Request) (*http.Response, error) {
	name := strings.TrimPrefix(r.URL.Path, "/lists/"+st.agency.List+"/")
	if st.answer != nil {
		if resp := st.answer(name, r); resp != nil {
			return resp, nil
		}
	}
	b, err := os.ReadFile(st.mirror.Path(name))
	if err != nil {
		return status(http.StatusNotFound), nil
	}
	return answerBytes(b), nil
}

// only answers for documents whose name has the suffix.
func (st *stage) only(suffix string, answer func(r *http.Request) *http.Response) {
	st.answer = func(name string, r *http.Request) *http.Response {
		if !strings.HasSuffix(name, suffix) {
			return nil
		}
		return answer(r)
	}
}

// serves answers everything from what a mirror had.
func (st *stage) serves(m moment) {
	st.answer = func(name string, _ *http.Request) *http.Response {
		if b, ok := m[name]; ok {
			return answerBytes(b)
		}
		return status(http.StatusNotFound)
	}
}

func readMoment(t *testing.T, m *trusttest.Mirror) moment {
	t.Helper()
	return readTree(t, m.Path(""))
}

func readTree(t *testing.T, dir string) moment {
	t.Helper()
	all := moment{}
	root := os.DirFS(dir)
	require.NoError(t, fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		all[name], err = fs.ReadFile(root, name)
		return err
	}))
	return all
}

// ahead is what a state file keeps of metadata that was verified before something went wrong.
var ahead = regexp.MustCompile(`,\s*"ahead": \{[^{}]*\}`)

// onDisk lists the files of the subscriber: size and hash, but for what is kept for rollback alone. Releases that were
// fetched to be applied are told apart.
func (st *stage) onDisk() (files map[string]string, releases []string) {
	st.t.Helper()
	files = map[string]string{}
	for name, b := range readTree(st.t, st.dir) {
		switch {
		case strings.HasPrefix(filepath.Base(name), "release-"):
			releases = append(releases, name)
		case strings.HasPrefix(filepath.Base(name), "equivocation-"):
			continue // a proof of the attack, see TestEquivocation
		case name == "lock":
			continue // describes the process, with the time
		}
		b = ahead.ReplaceAll(b, nil)
		files[name] = fmt.Sprintf("%d bytes, %x", len(b), sha256.Sum256(b))
	}
	return files, releases
}

// unchanged compares the disk with how it was. Files of releases that enough officers have signed may have come.
func (st *stage) unchanged(before map[string]string, signed bool) {
	st.t.Helper()
	after, releases := st.onDisk()
	for _, name := range releases {
		if _, ok := before[name]; !ok && signed {
			after = maps.Clone(after)
			delete(after, name)
		}
	}
	assert.Equal(st.t, before, after)
}

func status(code int) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody}
}

func answerBytes(b []byte) *http.Response { return answerReader(bytes.NewReader(b)) }

func answerReader(r io.Reader) *http.Response {
	resp := status(http.StatusOK)
	resp.Header.Set("ETag", `"always the same"`)
	resp.Body = io.NopCloser(r)
	return resp
}

// endless is a source without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
