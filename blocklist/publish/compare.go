package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Comparison says how the newest release of an origin relates to the ledger.
type Comparison struct {
	Serial  uint64    `json:"serial"` // serial of the origin's newest release
	Signers []string  `json:"signers"`
	Created time.Time `json:"created"`
	Entries uint64    `json:"entries"`
	State   string    `json:"state"` // StateSame, StateOlder, StateNewer, StateOther or StateArrived
}

// States of a [Comparison].
const (
	StateSame  = "same"  // the origin has the ledger's last release
	StateOlder = "older" // the origin has an earlier release: the ledger has a newer one to push
	StateNewer = "newer" // the origin has a higher serial, which the ledger does not know: the ledger is behind
	// StateOther: ledger and origin have different releases with this serial. The ledger is behind, or has forked.
	StateOther = "other"
	// StateArrived: the origin has the pending release. It was pushed, but the ledger has not recorded the push.
	StateArrived = "arrived"
)

// Behind reports whether the origin has a release that the ledger does not know. [Recover] can adopt such a release.
func (c Comparison) Behind() bool { return c.State == StateNewer || c.State == StateOther }

// String returns the comparison in words.
func (c Comparison) String() string {
	signed := fmt.Sprintf("serial %d, signed by %s on %s", c.Serial, strings.Join(c.Signers, ", "), c.Created.Format(time.DateOnly))
	switch c.State {
	case StateSame:
		return fmt.Sprintf("serial %d, the same as here", c.Serial)
	case StateOlder:
		return fmt.Sprintf("serial %d: the ledger has a newer release; blocklist push brings it", c.Serial)
	case StateArrived:
		return fmt.Sprintf("serial %d, which is pending here: it has arrived; blocklist push records it", c.Serial)
	case StateNewer:
		return signed + ": this ledger is behind"
	}
	return "another " + signed + ": this ledger is behind"
}

// Compare compares the ledger with the newest release of an origin. The bundle has the origin's metadata; it may lack
// the release files. Compare verifies the roots that follow the ledger's root, and the targets. It fails with
// [blocklist.ErrUntrusted] if the officers have not signed them.
func (l *Ledger) Compare(ctx context.Context, bundle io.Reader) (c Comparison, err error) {
	b, err := trust.OpenBundle(bundle)
	if err != nil {
		return c, err
	}
	held, err := os.ReadFile(l.path(rootFile))
	if err != nil {
		return c, err
	}
	s := &source{}
	if err := s.verifyRoots(b.Roots, held); err != nil {
		return c, err
	}
	spec, err := trust.OpenTargets(s.root, b.Targets)
	if err != nil {
		return c, err
	}
	signatures, err := trust.CheckSignatures(s.root, b.Targets)
	if err != nil {
		return c, err
	}
	r := spec.Newest()
	c = Comparison{Serial: r.Serial, Signers: names(signatures.Signed), Created: r.Created, Entries: r.Entries}
	c.State, err = l.compare(ctx, c.Serial, b.Targets)
	return c, err
}

// compare returns the state of an origin's release, such as [StateSame]. It compares only the signed part of the
// metadata, so it needs no list key.
func (l *Ledger) compare(ctx context.Context, serial uint64, metadata []byte) (string, error) {
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return "", err
	}
	dir := l.path(releasesDir, fmt.Sprint(serial))
	if serial > last.Serial {
		dir = l.path(pendingDir, releaseDir)
	}
	held, err := os.ReadFile(filepath.Join(dir, targetsFile))
	if errors.Is(err, os.ErrNotExist) {
		held, err = nil, nil
	}
	if err != nil {
		return "", err
	}
	same := sameSigned(held, metadata)
	spec, _ := trust.ParseTargets(held)
	switch {
	case serial > last.Serial && same:
		return StateArrived, nil
	case serial == last.Serial && same:
		return StateSame, nil
	case serial < last.Serial && (same || held == nil):
		return StateOlder, nil
	case serial > last.Serial && uint64(spec.Version) != serial:
		return StateNewer, nil
	}
	return StateOther, nil
}

// sameSigned reports whether two documents have the same signed part.
func sameSigned(a, b []byte) bool {
	id, err := signedID(a)
	other, otherErr := signedID(b)
	return err == nil && otherErr == nil && id == other
}
