package subscribe

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf/tuftest"
	"github.com/argine-dns/argine/testdata/longtest"
)

// oracle asks go-tuf about all metadata that is verified while the tests of this package run: the same documents, held
// state and clock.
type oracle struct {
	starts   sync.Map     // of updates: *trust.Updater to tuftest.Chain
	accepted atomic.Int64 // how often verification has accepted something

	mu    sync.Mutex
	asked map[string]int // by verdict, or by the rule that makes it differ
	wrong int
}

// runWithOracle runs the tests, and fails where go-tuf disagrees. Benchmarks are left alone.
func runWithOracle(m *testing.M) int {
	flag.Parse()
	_ = flag.Set("test.parallel", "6") // many wait, for receipts above all
	if flag.Lookup("test.bench").Value.String() != "" {
		return m.Run()
	}
	var o oracle
	o.install()
	code := m.Run()
	if testing.Verbose() {
		fmt.Println("go-tuf was asked:", o.asked)
	}
	if o.wrong > 0 {
		fmt.Fprintln(os.Stderr, "go-tuf disagrees, see above:", o.wrong)
		return 1
	}
	return code
}

// install makes the subscriptions of this process ask the oracle.
func (o *oracle) install() {
	o.asked = map[string]int{}
	openRoot, checkNextRoot, newUpdater = o.openRoot, o.checkNextRoot, o.newUpdater
	verifyUpdate, verifyTargets = o.verifyUpdate, o.verifyTargets
}

func (o *oracle) openRoot(b []byte) (*trust.Root, error) {
	root, err := trust.OpenRoot(b)
	o.compare(tuftest.Chain{Root: b}, err)
	return root, err
}

func (o *oracle) checkNextRoot(held *trust.Root, next []byte) (*trust.Root, error) {
	root, err := trust.CheckNextRoot(held, next)
	o.compare(tuftest.Chain{Root: held.Bytes(), Roots: [][]byte{next}}, err)
	return root, err
}

func (o *oracle) verifyTargets(spec trust.TargetsSpec, root *trust.Root) error {
	err := spec.Verify(root)
	o.compare(tuftest.Chain{Root: root.Bytes(), Targets: spec.Bytes()}, err)
	return err
}

func (o *oracle) newUpdater(root *trust.Root, held trust.Metadata, now time.Time) *trust.Updater {
	u := trust.NewUpdater(root, held, now)
	c := tuftest.Chain{Root: root.Bytes(), HeldTimestamp: held.Timestamp.Bytes(), Now: now}
	if !namesRevoked(held, root) {
		c.HeldSnapshot = held.Snapshot.Bytes()
	}
	o.starts.Store(u, c)
	return u
}

// namesRevoked reports whether the snapshot names urgent orders that no officer of the root has signed, or may order.
// Such a snapshot does not count any more, by the one rule of ours that accepts what go-tuf would not.
func namesRevoked(held trust.Metadata, root *trust.Root) bool {
	for _, orders := range []*trust.UrgentSpec{held.Urgent, held.Refused} {
		if orders == nil || held.Snapshot == nil || held.Snapshot.Urgent == nil ||
			held.Snapshot.Urgent.Version != orders.Version {
			continue
		}
		by, err := trust.CheckSignatures(root, orders.Bytes())
		if err != nil || len(by.Signed) == 0 || !root.Spec().Urgent.Allowed() {
			return true
		}
	}
	return false
}

func (o *oracle) verifyUpdate(ctx context.Context, from source, u *trust.Updater, held trust.Metadata, timestamp []byte,
	keep func(trust.Metadata) error,
) (trust.TargetsSpec, error) {
	r := &recorder{from: from, keep: keep, fetched: documents{}}
	if keep != nil {
		keep = r.remember
	}
	spec, err := verifyMetadata(ctx, r, u, held, timestamp, keep)
	start, _ := o.starts.LoadAndDelete(u)
	c := start.(tuftest.Chain) //nolint:forcetypeassert // newUpdater stored it
	c.Timestamp = append([]byte{}, timestamp...)
	if accepted := u.Accepted(); accepted.Timestamp != nil {
		c.Snapshot = r.read(".snapshot.json", held.Snapshot.Bytes())
		if accepted.Snapshot != nil {
			c.Targets = r.read(".targets.json", held.Targets.Bytes())
		}
	}
	if r.failed != nil {
		o.compare(c, nil) // so far
	} else {
		o.compare(c, err)
	}
	return spec, err
}

// compare fails the tests, in the end, where go-tuf comes to another verdict than err, and no rule of ours explains it.
// Go-tuf takes longer than all the rest. So of what is accepted it is asked for a sample, unless the long tests run.
func (o *oracle) compare(c tuftest.Chain, err error) {
	if err == nil && o.accepted.Add(1)%int64(longtest.Rounds(25, 1)) != 0 {
		return
	}
	theirs := c.Verdict(func([]byte) error { return nil })
	why, wrong := tuftest.Compare(err, theirs)
	o.mu.Lock()
	defer o.mu.Unlock()
	if wrong != nil {
		o.wrong++
		fmt.Fprintf(os.Stderr, "%v\n%s\n%s\n", wrong, c, debug.Stack())
		return
	}
	o.asked[cmp.Or(why, tuftest.Class(err))]++
}

// recorder is a source that keeps what was read from it, and whether something else than verification failed.
type recorder struct {
	from    source
	keep    func(trust.Metadata) error
	fetched documents
	failed  error
}

// Document implements source.
func (r *recorder) Document(ctx context.Context, name string, limit int64) ([]byte, error) {
	b, err := r.from.Document(ctx, name, limit)
	if err != nil {
		r.failed = err
		return nil, err
	}
	r.fetched[name] = append([]byte{}, b...)
	return b, nil
}

func (r *recorder) remember(m trust.Metadata) error {
	err := r.keep(m)
	r.failed = errors.Join(r.failed, err)
	return err
}

// read returns the document that was verified: that which was fetched, or the held one; nil if it could not be read.
func (r *recorder) read(suffix string, held []byte) []byte {
	for name, b := range r.fetched {
		if strings.HasSuffix(name, suffix) {
			return b
		}
	}
	if r.failed != nil {
		return nil
	}
	return append([]byte{}, held...)
}
