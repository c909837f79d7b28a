package proposal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/publish"
)

// Source sends proposals automatically: a program with a token, or another agency's list that is followed.
type Source struct {
	Token string   `json:"token,omitempty"` // SHA-256 of the token, in hexadecimal; empty: not a program
	Root  []byte   `json:"root,omitempty"`  // first trusted root; only of a followed list
	From  []string `json:"from,omitempty"`  // origins and mirrors; only of a followed list
}

// ErrNoSource is returned if no source has the given name.
var ErrNoSource = errors.New("there is no such source")

// Sources returns all sources, by name.
func Sources(ctx context.Context, l *publish.Ledger) (map[string]Source, error) {
	return ledger.ReadSources[Source](ctx, l.History().View)
}

// change calls set to change the source with this name, and records a step whose reference says what has changed. The
// function set gets the source and whether it exists. It returns the new value and whether to keep the source.
func change(ctx context.Context, l *publish.Ledger, name, what string, by publish.Audit,
	set func(Source, bool) (Source, bool, error),
) error {
	if name == "" {
		return malformed("a source needs a name")
	}
	if err := checkTexts(Proposal{Source: name}); err != nil {
		return err
	}
	return l.History().Propose(ctx, ledger.StepSource, by, func(t *ledger.StepTx) error {
		all, err := ledger.ReadSources[Source](ctx, t.View)
		if err != nil {
			return err
		}
		before, known := all[name]
		after, keep, err := set(before, known)
		if err != nil {
			return err
		}
		if all[name] = after; !keep {
			delete(all, name)
		}
		return ledger.WriteSources(ctx, t, all, name+": "+what)
	})
}

// NewToken makes and returns a token with which a program sends reports as the source name. It replaces the source's
// old token. The ledger keeps only the SHA-256 of the token.
func NewToken(ctx context.Context, l *publish.Ledger, name string, by publish.Audit) (token string, err error) {
	token = "argine-" + rand.Text()
	sum := tokenSum(token)
	err = change(ctx, l, name, "a new token, SHA-256 "+sum, by, func(s Source, _ bool) (Source, bool, error) {
		s.Token = sum
		return s, true, nil
	})
	return token, err
}

func tokenSum(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// sourceOf returns the name of the source that has this token, and false if there is none.
func sourceOf(all map[string]Source, token string) (name string, ok bool) {
	sum := tokenSum(token)
	for n, s := range all {
		if subtle.ConstantTimeCompare([]byte(s.Token), []byte(sum)) == 1 {
			name, ok = n, true
		}
	}
	return name, ok
}

// FollowList makes another agency's list a source, or changes its root, origins and mirrors. The root must have come
// from that agency in a trusted way. The source is named after the list in the root.
func FollowList(ctx context.Context, l *publish.Ledger, root []byte, from []string,
	by publish.Audit,
) (name string, err error) {
	if len(root) == 0 || len(from) == 0 {
		return "", malformed("a list to follow needs its root and an origin")
	}
	r, err := trust.OpenRoot(root)
	if err != nil {
		return "", fmt.Errorf("following a list: %w", err)
	}
	if name = r.Spec().List; name == l.List() {
		return name, malformed("%s is this list itself", name)
	}
	fingerprint, err := publish.Fingerprint(root)
	if err != nil {
		return name, err
	}
	what := fmt.Sprintf("followed from %s, root %d with fingerprint %s", strings.Join(from, ", "), r.Version(), fingerprint)
	return name, change(ctx, l, name, what, by, func(s Source, _ bool) (Source, bool, error) {
		s.Root, s.From = root, from
		return s, true, nil
	})
}

// RemoveSource removes a source: its token is no longer valid, or its list is no longer followed. Its proposals stay.
// It fails with [ErrNoSource] if no source has this name.
func RemoveSource(ctx context.Context, l *publish.Ledger, name string, by publish.Audit) error {
	return change(ctx, l, name, "removed", by, func(s Source, known bool) (Source, bool, error) {
		if !known {
			return s, false, fmt.Errorf("%q: %w; blocklist source shows them", name, ErrNoSource)
		}
		return s, false, nil
	})
}
