package blocklist

import (
	"iter"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/vouch"
)

// Match says which list holds a name, by which entry, and why.
type Match struct {
	List      string
	Scope     Scope
	Category  string
	Reference string
	Expires   time.Time // zero: never
	Monitor   bool      // report, do not block
	key       []byte
}

// Entry returns the target of the entry that matched, as it stands in the list.
func (m Match) Entry() string { return Entry{Scope: m.Scope, key: string(m.key)}.Target() }

// Options of a store. The zero value is fine.
type Options struct{}

// Store holds the durable sets of several lists.
type Store struct{}

// Open opens the store in dir, which is made if it is not there. Lists whose files are damaged are not served; Lists says
// so, and the next Apply replaces them.
func Open(dir string, o Options) (*Store, error) { panic("soon") }

// Close ends the store. Lookups then find nothing.
func (s *Store) Close() error { panic("soon") }

// LookupHost looks a host name up in all lists, and returns the match of the first list that blocks it, else the first
// that monitors it. What can't be read as a name is not listed.
func (s *Store) LookupHost(host string) (Match, bool) { panic("soon") }

// LookupName is LookupHost for a name in lower-case wire form. The match keeps a reference to name.
func (s *Store) LookupName(name []byte) (Match, bool) { panic("soon") }

// AppendMatches appends to dst the match of each list that holds name (lower-case wire form), at most one a list: the
// most specific entry that blocks, else the most specific that monitors. It allocates only when dst is too small. The
// matches keep a reference to name.
func (s *Store) AppendMatches(dst []Match, name []byte) []Match { panic("soon") }

// ListInfo says what the store holds of a list.
type ListInfo struct {
	Header        // Serial is 0 for a local list
	Source string // of a local list: what SetLocal was told
	Err    error  // why the list is not served, nil if it is; wraps ErrDamaged
}

// Lists returns what the store holds, by name.
func (s *Store) Lists() []ListInfo { panic("soon") }

// List returns what the store holds of one list, and false if it knows nothing of it.
func (s *Store) List(name string) (ListInfo, bool) { panic("soon") }

// VerifiedRelease is a release whose signatures, length and hash were checked. Only package subscribe makes one.
type VerifiedRelease struct {
	reader   *ReleaseReader
	evidence []byte
}

// Vouch is for package subscribe alone; others can't make its first argument. The evidence, at most 1 MiB, is kept with
// the state in the same durable step; see [Store.Evidence].
func Vouch(_ vouch.Verified, r *ReleaseReader, evidence []byte) *VerifiedRelease {
	return &VerifiedRelease{reader: r, evidence: evidence}
}

// Apply makes a release the state of its list: durably, then for lookups, in one step each. On an error the old state
// stays: [ErrRollback] for a serial below the one held, or the same serial with another digest, [ErrGap] for a delta with
// another base than the state held, [ErrDigest], [ErrMalformed]. Applying what is held again is allowed and mends damage.
func (s *Store) Apply(r *VerifiedRelease) error { panic("soon") }

// Evidence returns what was last kept with the list by Apply or SaveEvidence, nil if nothing.
func (s *Store) Evidence(list string) []byte { panic("soon") }

// SaveEvidence keeps new evidence for the state that is held, or for a list of which nothing is held yet.
func (s *Store) SaveEvidence(_ vouch.Verified, list string, evidence []byte) error { panic("soon") }

// SetLocal makes entries the state of a list that nobody signs: the operator's own file. They may come in any order; of
// entries with the same target the stronger stays. Source identifies where they came from (a file's size and time, say):
// see [ListInfo].
func (s *Store) SetLocal(list, source string, entries iter.Seq2[Entry, error]) error { panic("soon") }

// Drop forgets a list and removes its files.
func (s *Store) Drop(list string) error { panic("soon") }

// Dir returns the folder of a list in the store, made if it is not there; subscribers keep the release in it. Names that
// begin with "release" are theirs.
func (s *Store) Dir(list string) (string, error) { panic("soon") }
