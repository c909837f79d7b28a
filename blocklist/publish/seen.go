package publish

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// Seen records the newest release, root and urgent orders of one list that an officer has signed on this machine. A
// comparison with the record reveals a rollback of the ledger, or a ledger that shows different histories to two
// officers.
type Seen struct {
	Serial   uint64    `json:"serial,omitempty"`  // serial of the release
	Skipped  uint64    `json:"skipped,omitempty"` // number of skipped serials between the release and the one before it
	SHA256   string    `json:"sha256,omitempty"`  // hash of the signed part of the release's metadata
	Digest   string    `json:"digest,omitempty"`  // digest of the release's entries
	Ledger   string    `json:"ledger,omitempty"`  // hash of the release's last operation
	Others   []string  `json:"others,omitempty"`  // SHA-256 of other states with the same serial that were signed
	Signed   time.Time `json:"signed,omitzero"`   // time of the last signature
	Root     int64     `json:"root,omitempty"`    // version of the root
	RootID   string    `json:"root_id,omitempty"`
	Urgent   int64     `json:"urgent,omitempty"` // version of the document of urgent orders
	UrgentID string    `json:"urgent_id,omitempty"`
	// Roots are the IDs of the list's roots, by version. They tell lists with the same name apart: another list has no
	// root in common with this one.
	Roots map[int64]string `json:"roots,omitempty"`
}

// maxSeen is the maximum number of records for lists with the same name. Each of these lists has one record.
const maxSeen = 64

// CheckSeen compares p with the records of what the officer has signed on this machine, for lists with this name. The
// argument records is the last result of Remember. CheckSeen fails with [blocklist.ErrRollback] if the officer has
// already signed a newer release, root or document of urgent orders than p. It fails with [blocklist.ErrEquivocation]
// if the officer has signed a different state with the same number, or if p follows a different release than the one
// that the officer has signed.
func (d folder) CheckSeen(_ context.Context, p *Pending, records []Seen) error {
	_, last, err := d.seen(p, records)
	if err != nil {
		return err
	}
	id, err := signedID(p.metadata)
	if err != nil {
		return err
	}
	is, was := state{what: "serial", number: p.Serial, id: id, digest: p.Digest}, state{"serial", last.Serial, last.SHA256, last.Digest}
	switch {
	case p.Root > 0:
		is, was = state{"root", uint64(p.Root), id, id}, state{"root", uint64(last.Root), last.RootID, last.RootID}
	case p.Number > 0:
		is, was = state{"urgent orders", uint64(p.version()), id, id}, state{"urgent orders", uint64(last.Urgent), last.UrgentID, last.UrgentID}
	}
	if err := is.follows(was, last.Signed); err != nil && !slices.Contains(last.Others, id) || p.Root > 0 {
		return err
	}
	return d.checkSeenBefore(p, last)
}

// ErrMadeAgain is returned by [Ledger.CheckSeen] if the officer has signed another state with the same number, but the
// ledger explains why there are two: its history contains the old state, or a refusal of that state.
var ErrMadeAgain = errors.New("made again")

// CheckSeen compares p with what the officer has signed, as [Request.CheckSeen] does. But it fails with [ErrMadeAgain]
// instead of [blocklist.ErrEquivocation] if the ledger's history explains the difference.
func (l *Ledger) CheckSeen(ctx context.Context, p *Pending, records []Seen) error {
	err := l.folder.CheckSeen(ctx, p, records)
	if !errors.Is(err, blocklist.ErrEquivocation) {
		return err
	}
	_, last, seenErr := l.seen(p, records)
	if seenErr != nil {
		return seenErr
	}
	if p.IsRelease() && last.Serial == p.Serial {
		if _, findErr := l.history.OperationByHash(ctx, last.Ledger); findErr == nil {
			return madeAgain(err)
		}
	}
	for o, findErr := range l.history.Operations(ctx, ledger.Range{Kinds: []string{KindRefuse, KindDiscard}}) {
		if findErr == nil && strings.HasPrefix(o.Reason, p.What()+": ") {
			return madeAgain(err)
		}
	}
	return err
}

func madeAgain(err error) error {
	return fmt.Errorf("%w: %s", ErrMadeAgain, strings.TrimPrefix(err.Error(), blocklist.ErrEquivocation.Error()+": "))
}

// Remember records that the officer signs p, and returns the changed records. The caller stores them before the
// signature leaves the machine.
func (d folder) Remember(p *Pending, records []Seen) ([]Seen, error) {
	i, last, err := d.seen(p, records)
	if err != nil {
		return nil, err
	}
	id, err := signedID(p.metadata)
	last.Signed = time.Now().UTC().Truncate(time.Second)
	switch {
	case p.Root > 0:
		last.Root, last.RootID = p.Root, id
	case p.Number > 0:
		last.Urgent, last.UrgentID = p.version(), id
	default:
		last.Others = last.others(p.Serial, id)
		last.Serial, last.Skipped, last.SHA256, last.Digest, last.Ledger = p.Serial, p.Serial-p.base-1, id, p.Digest, p.Ledger
	}
	records = slices.Clone(records)
	if i >= 0 {
		records = slices.Delete(records, i, i+1)
	}
	records = append(records, last)
	return records[max(len(records)-maxSeen, 0):], err
}

// maxOthers is the maximum length of [Seen].Others.
const maxOthers = 16

// others returns [Seen].Others for a new state with this serial and ID: the IDs of all other signed states with the
// serial.
func (s Seen) others(serial uint64, id string) []string {
	switch {
	case s.Serial != serial:
		return nil
	case s.SHA256 == id:
		return s.Others
	}
	all := append(slices.Clone(s.Others), s.SHA256)
	return all[max(len(all)-maxOthers, 0):]
}

// seen returns the record for the list of p, and its index in records. This is the first record that has a root in
// common with the folder. If there is none, seen returns a new record and the index -1. The record has the folder's
// roots.
func (d folder) seen(p *Pending, records []Seen) (int, Seen, error) {
	roots, err := d.rootHistory()
	if err != nil {
		return -1, Seen{}, err
	}
	ids := map[int64]string{}
	for _, root := range roots {
		ids[root.Version()] = root.ID()
	}
	if len(roots) == 0 {
		ids[p.root.Version()] = p.root.ID()
	}
	i := slices.IndexFunc(records, func(s Seen) bool {
		for version, id := range s.Roots {
			if ids[version] == id {
				return true
			}
		}
		return len(s.Roots) == 0 // an earlier version of this program has stored it
	})
	last := Seen{}
	if i >= 0 {
		last = records[i]
	}
	last.Roots = ids
	return i, last, nil
}

// before returns the serial of the release before the last signed one.
func (s Seen) before() uint64 {
	if s.Serial <= s.Skipped {
		return 0
	}
	return s.Serial - s.Skipped - 1
}

// checkSeenBefore fails if p continues another release than the one that the officer has signed last.
func (d folder) checkSeenBefore(p *Pending, last Seen) error {
	base := p.base
	if p.Number > 0 {
		base = p.Serial
	}
	if base < last.before() {
		return fmt.Errorf("%w: %s rests on serial %d, and you have signed serial %d (%s) on %s: the ledger has gone back", blocklist.ErrRollback, p.What(),
			base, last.Serial, short(last.Digest), last.Signed.Format(time.DateOnly))
	}
	if last.Serial == 0 || base != last.Serial {
		return nil
	}
	before, err := d.openSigned(base)
	if err != nil {
		return err
	}
	id, err := signedID(before.metadata)
	if err != nil || slices.Contains(last.Others, id) {
		return err
	}
	is := state{"serial", base, id, before.targets.Newest().Digest}
	return is.follows(state{"serial", last.Serial, last.SHA256, last.Digest}, last.Signed)
}

// state identifies one state of a list, of its root or of its urgent orders.
type state struct {
	what   string
	number uint64
	id     string // SHA-256 of the signed part
	digest string // value that people compare; for a list the digest of its entries, otherwise the ID
}

func (s state) String() string {
	number := fmt.Sprint(s.number)
	if s.what == "urgent orders" {
		number = fmt.Sprintf("%d on serial %d", trust.UrgentSpec{Version: int64(s.number)}.Number(), trust.UrgentSerial(int64(s.number)))
	}
	return fmt.Sprintf("%s %s (%s)", s.what, number, short(s.digest))
}

// short returns the first 16 digits of a digest, for a message.
func short(digest string) string { return "digest " + digest[:min(16, len(digest))] }

// follows fails with a rollback or an equivocation if an officer who has signed an earlier state (was) should not sign
// the state s. The argument at is the time of the earlier signature.
func (s state) follows(was state, at time.Time) error {
	if s.digest == was.digest { // the same entries, signed with other dates or files
		s.digest, was.digest = s.id, was.id
	}
	switch {
	case s.number < was.number:
		return fmt.Errorf("%w: you have signed %s on %s, and this is %s: the ledger has gone back", blocklist.ErrRollback, was, at.Format(time.DateOnly), s)
	case s.number == was.number && s.number > 0 && s.id != was.id:
		return fmt.Errorf("%w: you have signed %s on %s, and this is %s", blocklist.ErrEquivocation, was, at.Format(time.DateOnly), s)
	}
	return nil
}

// signedID returns the SHA-256 of the signed part of the metadata, in hexadecimal.
func signedID(metadata []byte) (string, error) {
	var d digester
	_, err := tuf.Sign(metadata, &d)
	return d.sum, err
}

// digester is a signer for signedID: it makes no signature, but stores the SHA-256 of the message.
type digester struct{ sum string }

func (d *digester) Public() crypto.PublicKey { return make(ed25519.PublicKey, ed25519.PublicKeySize) }

func (d *digester) Sign(_ io.Reader, message []byte, _ crypto.SignerOpts) ([]byte, error) {
	sum := sha256.Sum256(message)
	d.sum = hex.EncodeToString(sum[:])
	return nil, nil
}
