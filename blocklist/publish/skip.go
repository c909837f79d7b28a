package publish

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Skipped is the serial of a release that was signed, and then refused, discarded or replaced. It is not used again,
// since otherwise there could be two signed states with one serial.
type Skipped struct {
	Serial  uint64 `json:"serial"`
	Signers string `json:"signed_by"` // names of the officers who signed, separated by commas
}

// String says in a sentence who signed the serial, and that it is not used again.
func (s Skipped) String() string {
	return fmt.Sprintf("serial %d was signed by %s and is not used again", s.Serial, s.Signers)
}

func (s Skipped) reference() string {
	return shorten(skippedSerial.With(s.Serial, s.Signers).String(), maxText)
}

// skippedBy returns the serial that an operation of [KindSkip] skips. It returns false for an operation of any other
// kind.
func skippedBy(o Operation) (s Skipped, ok bool) {
	serial, signers, _ := strings.Cut(o.Reference, signedBy)
	n, err := strconv.ParseUint(strings.TrimPrefix(serial, "serial "), 10, 63)
	s = Skipped{n, signers}
	return s, err == nil && o.Kind == KindSkip && signers != "" && s.reference() == o.Reference
}

// Skipped returns the skipped serials after the last pushed release, in ascending order.
func (l *Ledger) Skipped(ctx context.Context) (all []Skipped, err error) {
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return nil, err
	}
	return skippedIn(ctx, l.history.View, last.Serial, ledger.Range{After: last.Operation})
}

// skippedIn returns the serials base+1, base+2 and so on that operations in the range skip. It ends before the first
// serial that none of these operations skips.
func skippedIn(ctx context.Context, view ledger.View, base uint64, r ledger.Range) (all []Skipped, err error) {
	r.Kinds = []string{KindSkip}
	for o, err := range view.Operations(ctx, r) {
		if err != nil {
			return nil, err
		}
		if s, ok := skippedBy(o); ok && s.Serial == base+1 {
			all, base = append(all, s), s.Serial
		}
	}
	return all, nil
}

// nextSerial returns the serial for the next release: the one after the last pushed release and all skipped serials.
func (l *Ledger) nextSerial(ctx context.Context, last ReleaseRecord) (uint64, error) {
	skipped, err := l.Skipped(ctx)
	return last.Serial + uint64(len(skipped)) + 1, err
}

// skip records an operation of [KindSkip] for the serial of p, if p is a release that an officer has signed.
func (l *Ledger) skip(record ledger.Recorder, p *Pending, author, reason string) error {
	if !p.IsRelease() {
		return nil
	}
	s, err := l.signedAs(p.Serial, p.metadata)
	if err != nil || s.Signers == "" {
		return err
	}
	return record(KindSkip, Audit{Author: author, Reason: reason, Reference: s.reference()}, nil)
}

// replace prepares for a new release in place of the pending release p. If an officer has signed p, it skips the serial
// of p and removes p. Otherwise p stays until the new release overwrites it, so p is not lost if making the new release
// fails.
func (l *Ledger) replace(ctx context.Context, p *Pending, author string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("replacing %s: %w", p.What(), err)
		}
	}()
	err = l.history.RecordAll(ctx, func(record ledger.Recorder) error {
		return l.skip(record, p, author, skippedReplaced.Text)
	})
	if err == nil {
		err = l.removeSkipped(ctx)
	}
	return err
}

// signedAs returns a serial with the officers who have signed this metadata. Signers is empty if there are none.
func (d folder) signedAs(serial uint64, metadata []byte) (Skipped, error) {
	signers, err := d.signers(metadata)
	return Skipped{serial, strings.Join(signers, ", ")}, err
}

// signers returns the names of all officers, of any root, who have signed the metadata.
func (d folder) signers(metadata []byte) (all []string, err error) {
	roots, err := d.rootHistory()
	if err != nil {
		return nil, err
	}
	for _, root := range roots {
		s, err := trust.CheckSignatures(root, metadata)
		if err != nil {
			return nil, err
		}
		all = append(all, names(s.Signed)...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// removeSkipped removes the pending release if its serial was skipped.
func (l *Ledger) removeSkipped(ctx context.Context) error {
	p, err := l.waitingRelease()
	if err != nil || p == nil {
		return nil //nolint:nilerr // Pending says so
	}
	skipped, err := l.Skipped(ctx)
	if err != nil || !slices.ContainsFunc(skipped, func(s Skipped) bool { return s.Serial == p.Serial }) {
		return err
	}
	return p.remove()
}

// remove deletes the metadata file of p.
func (p *Pending) remove() error {
	if err := os.Remove(p.path); err != nil {
		return err
	}
	return disk.SyncDir(p.dir())
}

// checkBase fails unless p continues the release that is the last one before p in the ledger's records.
func (l *Ledger) checkBase(ctx context.Context, p *Pending) error {
	recorded, err := l.history.ReleaseBefore(ctx, p.Serial)
	if err != nil || recorded.Serial == p.base {
		return err
	}
	if recorded.Serial == 0 {
		return ledger.Damaged("release %d is missing; blocklist verify finds out more", p.base)
	}
	if _, err := l.readPushed(recorded.Serial); err != nil {
		return err
	}
	return fmt.Errorf("%w: %s follows serial %d, and the last one is serial %d; blocklist refuse drops it, blocklist release makes it again",
		blocklist.ErrUntrusted, p.What(), p.base, recorded.Serial)
}
