package trust

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// EquivocationError is the proof that enough officers signed two different states of one serial: two targets documents.
// It wraps [blocklist.ErrEquivocation].
type EquivocationError struct {
	List       string
	Serial     uint64
	Held, Next TargetsSpec // both documents, verified; Held is the earlier one
}

// Error implements error.
func (e *EquivocationError) Error() string {
	return fmt.Sprintf("%s serial %d: %v: digest %.16s is held, %.16s was signed, too", e.List, e.Serial, blocklist.ErrEquivocation,
		e.digest(e.Held), e.digest(e.Next))
}

// Unwrap returns [blocklist.ErrEquivocation].
func (e *EquivocationError) Unwrap() error { return blocklist.ErrEquivocation }

func (e *EquivocationError) digest(spec TargetsSpec) string {
	r, _ := spec.State(e.Serial)
	return r.Digest
}

// CheckEquivocation compares two verified targets documents of a list. It returns an [*EquivocationError] if they have
// the same serial and different content, or describe an earlier serial differently. The argument held is the previous
// document, or nil if there is none.
func CheckEquivocation(held *TargetsSpec, next TargetsSpec) error {
	if held == nil {
		return nil
	}
	if held.Version == next.Version && held.Newest().Digest != next.Newest().Digest {
		return &EquivocationError{List: next.List, Serial: uint64(next.Version), Held: *held, Next: next}
	}
	if held.KeyID != next.KeyID || (held.Key == nil) != (next.Key == nil) {
		return nil // digests that were masked differently can't be compared
	}
	for _, f := range next.Files {
		if r, ok := held.State(f.Release.Serial); ok && r.Digest != f.Release.Digest {
			return &EquivocationError{List: next.List, Serial: r.Serial, Held: *held, Next: next}
		}
	}
	return nil
}

// CheckFollows is [CheckNewer] for verified targets. If CheckNewer fails, and [CheckEquivocation] finds two states of
// one serial, CheckFollows returns the [*EquivocationError] instead.
func CheckFollows(held *TargetsSpec, next TargetsSpec) error {
	err := CheckNewer(held, next)
	if err == nil {
		return nil
	}
	if twice := CheckEquivocation(held, next); twice != nil {
		return twice
	}
	return err
}

// evidence is the content of a file that [EquivocationError.Keep] writes.
type evidence struct {
	List   string    `json:"list"`
	Serial uint64    `json:"serial"`
	Found  time.Time `json:"found"`
	Held   []byte    `json:"held"` // the two targets documents
	Next   []byte    `json:"next"`
}

const (
	evidenceName = "equivocation-*.json"
	maxEvidence  = 8 // maximum number of proofs in a folder
)

// Keep writes the proof to a new file in the folder dir. It returns false if the proof is there already, or if the
// folder has maxEvidence proofs already.
func (e *EquivocationError) Keep(dir string) (kept bool, err error) {
	documents := [][]byte{e.Held.Bytes(), e.Next.Bytes()}
	path := filepath.Join(dir, fmt.Sprintf("equivocation-%d-%.8x.json", e.Serial, sha256.Sum256(bytes.Join(documents, nil))))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || CountEvidence(dir) >= maxEvidence {
		return false, err
	}
	b, err := json.Marshal(evidence{e.List, e.Serial, time.Now().UTC().Truncate(time.Second), documents[0], documents[1]})
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = disk.WriteFile(path, b, 0o600)
	}
	if err != nil {
		return false, fmt.Errorf("keeping the proof of an equivocation: %w", err)
	}
	return true, nil
}

// CountEvidence returns the number of proofs in a folder.
func CountEvidence(dir string) int {
	files, _ := filepath.Glob(filepath.Join(dir, evidenceName))
	return len(files)
}
