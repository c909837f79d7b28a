package publish

import (
	"context"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// doomed returns the serials that must not be used again because the recovery sets the pending release aside. If
// officers have signed the pending release, its serial is one of them. If the ledger is lost, all serials between the
// adopted release and the pending one are, too: these must have been skipped, since otherwise the pending release would
// have the first of them. There are none if the pending release can't be read, or is the adopted one.
func (v *recovery) doomed() (all []Skipped, err error) {
	rel, err := v.to.readRelease(v.to.path(pendingDir, releaseDir))
	if err != nil || rel.targets.Newest().Ledger == v.signed.Ledger {
		return nil, nil //nolint:nilerr // checkPending says so
	}
	s, err := v.to.signedAs(rel.serial(), rel.metadata)
	if err != nil {
		return nil, err
	}
	if s.Signers != "" && s.Serial <= v.signed.Serial {
		v.note("%v: serial %d was signed here by %s for another state than the one that was published: it is set aside",
			blocklist.ErrEquivocation, s.Serial, s.Signers)
		return nil, nil
	}
	for n := v.signed.Serial + 1; v.lost && n < s.Serial; n++ {
		all = append(all, Skipped{n, "officers not known here"})
	}
	if s.Signers != "" {
		all = append(all, s)
	}
	return all, nil
}

// skip records an operation of [KindSkip] for each serial, so that the serial is not used again.
func (v *recovery) skip(record ledger.Recorder, all []Skipped) error {
	for _, s := range all {
		by := Audit{Author: v.o.Audit.Author, Reason: reasonAside, Reference: s.reference()}
		if err := record(KindSkip, by, nil); err != nil {
			return err
		}
	}
	v.r.Skipped = append(v.r.Skipped, all...)
	return nil
}

// skipUnreadable records that the serial of the pending release r, whose files are lost, is not used again. It does so
// only if officers have signed r.
func (v *recovery) skipUnreadable(ctx context.Context, r signedRelease) error {
	if r.targets.Version == 0 { // not even its metadata can be read
		return nil
	}
	s, err := v.to.signedAs(r.serial(), r.metadata)
	if err != nil || s.Signers == "" || s.Serial <= v.signed.Serial {
		return err
	}
	return v.to.history.RecordAll(ctx, func(record ledger.Recorder) error { return v.skip(record, []Skipped{s}) })
}
