package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Verified describes the history that [Ledger.Verify] has verified.
type Verified struct {
	Operations int64  `json:"operations"`
	Changes    int64  `json:"changes"`
	Entries    uint64 `json:"entries"`
	Releases   int    `json:"releases"`
	Serial     uint64 `json:"serial"`   // serial of the last pushed release; 0: none
	Unsigned   int64  `json:"unsigned"` // number of operations after the last pushed release, not covered by signatures
	Head       string `json:"head"`     // hash of the last operation
	// Notes are facts that a person should know although the history is valid, such as a clock that went back.
	Notes []string `json:"notes,omitempty"`
}

// Verify verifies the whole history: the hash chain of all operations, every added or removed line, the resulting
// entries with their indexes, and the officers' signatures on refusals. The settings of the guards, the rules and the
// roles must be those that operations have set. Verify also verifies the releases: that officers have signed their
// heads, that their pushes are recorded, and that the files of the last release and of the pending one are intact. It
// fails with [blocklist.ErrDamaged], and names the first row or part of the folder that was altered, is missing, or
// does not belong there; see [PartError].
//
// An attacker who can change the ledger can compute a new hash chain, but can't sign it. So the officers' signatures
// protect everything up to the last release. The chain alone protects later operations.
//
// If progress is not nil, Verify calls it from time to time with the number of rows read.
func (l *Ledger) Verify(ctx context.Context, progress func(rows uint64)) (v Verified, err error) {
	err = l.history.Read(ctx, func(view ledger.View) error {
		last, err := view.Verify(ctx, progress)
		if err != nil {
			return err
		}
		if err := errors.Join(l.verifyRefusals(ctx, view), verifyGuard(ctx, view), verifyRules(ctx, view),
			verifyRoles(ctx, view)); err != nil {
			return err
		}
		v = Verified{Operations: last.ID, Changes: last.LastChange, Entries: last.Entries, Head: last.Hash}
		if v.Notes, err = clockNotes(ctx, view); err != nil {
			return err
		}
		if v.Releases, err = l.verifyReleases(ctx, view); err != nil {
			return err
		}
		signed, err := view.LastRelease(ctx)
		v.Serial, v.Unsigned = signed.Serial, last.ID-signed.Operation
		return err
	})
	if err == nil {
		err = l.checkParts(ctx, l.checkFiles)
	}
	return v, err
}

// verifyGuard fails unless the stored settings of the guards are those of the last operation that set them.
func verifyGuard(ctx context.Context, view ledger.View) error {
	settings, err := readGuardSettings(ctx, view)
	if err != nil {
		return err
	}
	what, err := settings.describe()
	if err != nil {
		return ledger.Damaged("the settings of the guards can't be read: %v", err)
	}
	var set Operation
	for o, err := range view.Operations(ctx, ledger.Range{Kinds: []string{KindGuard}}) {
		if err != nil {
			return err
		}
		set = o
	}
	switch {
	case set.ID == 0 && settings == GuardSettings{}:
		return nil
	case set.ID == 0:
		return ledger.Damaged("the guards have settings (%s) that no operation has made", what)
	case set.Reference != what:
		return ledger.Damaged("the settings of the guards (%s) are not those of operation %d (%.200q)", what, set.ID,
			set.Reference)
	}
	return nil
}

// verifyReleases compares the recorded releases with the history and with their signed metadata. It returns their
// number. A serial may be missing only if an operation has skipped it, or if a recovery has adopted a later release.
func (l *Ledger) verifyReleases(ctx context.Context, view ledger.View) (n int, err error) {
	roots, err := l.rootHistory()
	if err != nil {
		return 0, err
	}
	published, err := publications(ctx, view)
	if err != nil {
		return 0, err
	}
	var before ReleaseRecord
	for r, err := range view.Releases(ctx) {
		if err != nil {
			return n, err
		}
		o, err := view.OperationByID(ctx, r.Operation)
		a, _ := adoptionOf(o)
		adopted := slices.Contains(published[ledger.FormatTime(r.Pushed)], adoption{r.Serial, r.Head, ""}.what())
		skipped, skipErr := skippedIn(ctx, view, before.Serial, ledger.Range{After: before.Operation, UpTo: r.Operation})
		if skipErr != nil {
			return n, skipErr
		}
		next := before.Serial + uint64(len(skipped)) + 1
		switch {
		case r.Serial != next && !adopted:
			return n, ledger.Damaged("release %d is missing, or release %d does not belong there", next, r.Serial)
		case err != nil || o.Hash != r.Head && a.head != r.Head:
			return n, errors.Join(err, ledger.Damaged("release %d was made from operation %d, which has another hash now",
				r.Serial, r.Operation))
		}
		if roots, err = l.verifySigned(r, o, roots); err != nil {
			return n, fmt.Errorf("release %d: %w", r.Serial, err)
		}
		pushed := (&Pending{List: l.list, Serial: r.Serial}).What() + " to "
		at := ledger.FormatTime(r.Pushed)
		if !adopted &&
			!slices.ContainsFunc(published[at], func(what string) bool { return strings.HasPrefix(what, pushed) }) {
			return n, ledger.Damaged("no operation has pushed release %d at %s", r.Serial, at)
		}
		n, before = n+1, r
	}
	return n, nil
}

// publications returns what each push and recovery operation says that it has published: a release or urgent orders, as
// text. The key of the map is the time of the operation.
func publications(ctx context.Context, view ledger.View) (map[string][]string, error) {
	all := map[string][]string{}
	for o, err := range view.Operations(ctx, ledger.Range{Kinds: []string{KindPush, KindBundle, KindRecover}}) {
		if err != nil {
			return nil, err
		}
		what := o.Reason
		if a, ok := adoptionOf(o); ok {
			what = a.what()
		}
		at := ledger.FormatTime(o.Time)
		all[at] = append(all[at], what)
	}
	return all, nil
}

// verifySigned compares a recorded release with its signed metadata. It returns the first root whose threshold is
// reached by signatures on the release, and all later roots.
func (l *Ledger) verifySigned(r ReleaseRecord, o Operation, roots []*trust.Root) ([]*trust.Root, error) {
	pushed, err := l.readPushed(r.Serial)
	if err != nil {
		return nil, err
	}
	if roots, err = signedUnder(roots, pushed.metadata); err != nil {
		return nil, err
	}
	signed := pushed.targets.Newest()
	if signed.Serial != r.Serial || signed.List != l.list || signed.Ledger != r.Head || signed.Digest != o.Digest ||
		signed.Entries != o.Entries {
		return nil, ledger.Damaged("the history is not the one that was signed")
	}
	return roots, nil
}
