package publish_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger/ledgertest"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
)

// exchange replaces what is pending by a release of the lines, as somebody can who controls the agency's machine; claim
// may change what it says of itself.
func exchange(t *testing.T, a *agency, lines []string, claim func(*trust.Release)) {
	t.Helper()
	p := pending(t, a)
	h := blocklist.Header{List: list, Serial: p.Serial, Entries: uint64(len(lines)), Created: time.Now().UTC().Truncate(time.Second)}
	for _, line := range lines {
		h.Digest.Add([]byte(line))
	}
	var text bytes.Buffer
	w, err := blocklist.NewReleaseWriter(&text, h)
	require.NoError(t, err)
	for _, line := range lines {
		require.NoError(t, w.Write(blocklist.Change{Entry: entry(t, line)}))
	}
	require.NoError(t, w.Close())
	file := trusttest.Compress(t, text.Bytes())
	sum := sha256.Sum256(file)
	r := trust.Release{List: list, Serial: p.Serial, Entries: h.Entries, Digest: h.Digest.String(), Created: h.Created, Ledger: p.Ledger}
	claim(&r)
	targets, err := trust.NewTargets(trust.TargetsSpec{
		List: list, Version: int64(r.Serial), Expires: p.Expires,
		Files: []trust.File{{Path: "snapshot-1.txt.zst", Length: int64(len(file)), SHA256: sum[:], Release: r}},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(a.dir, "files", hex.EncodeToString(sum[:])+".snapshot-1.txt.zst"), file, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(a.dir, "pending", "release", "targets.json"), targets, 0o600))
}

// No one signs a release that has more, or other, entries than the history that it claims.
func TestExchangedRelease(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	var batch []string
	for i := range 40 {
		batch = append(batch, fmt.Sprintf("a%02d.example", i))
	}
	_, err := a.Add(t.Context(), entries(t, batch...), cause)
	require.NoError(t, err)
	p, _, err := a.Release(t.Context(), "anna")
	require.NoError(t, err)

	exchanged := func(lines []string, claim func(*trust.Release)) {
		t.Helper()
		exchange(t, a, lines, claim)
		_, err := a.Sign(t.Context(), pending(t, a), a.anna)
		assert.ErrorIs(t, err, blocklist.ErrUntrusted)
		assert.Empty(t, pending(t, a).Signed)
	}
	exchanged(append(slices.Clone(batch), "victim.example"), func(*trust.Release) {})
	var reason error
	for _, err := range a.PendingOperations(t.Context(), pending(t, a)) {
		reason = err
	}
	assert.ErrorIs(t, reason, blocklist.ErrUntrusted, "anyone who is shown the reasons is told, too")

	other := append(slices.Clone(batch[1:]), "victim.example")
	exchanged(other, func(*trust.Release) {})
	exchanged(other, func(r *trust.Release) { r.Digest = p.Digest }) // as if it had the digest
}

// An expiry beside an entry that is not its own takes nothing off the list.
func TestExpiryOfAlteredLedger(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "victim.example", "later.example expires=2999-01-01"), cause)
	require.NoError(t, err)
	for _, target := range []string{"victim.example", "later.example"} {
		ledgertest.Tamper(t, a.dir, `UPDATE entries SET expires = 1 WHERE target = '`+target+`'`)
		_, _, err = a.Release(t.Context(), "anna")
		assert.ErrorIs(t, err, blocklist.ErrDamaged, target)
		assert.Len(t, a.lines(t), 2)
		ledgertest.Tamper(t, a.dir, `UPDATE entries SET expires = NULL WHERE target = '`+target+`'`)
	}
}

// A ledger is its owner's alone, whatever the umask says: that of a confidential list holds it in the clear. Its root is
// public, and a copy of it is read by users of other programs.
func TestLedgerIsPrivate(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	_, err := a.Add(t.Context(), entries(t, "example.com"), cause)
	require.NoError(t, err)
	a.release(t)
	for path, mode := range map[string]os.FileMode{".": 0o700, "ledger.db": 0o600, "ledger.db-wal": 0o600, "root.json": 0o644, "files": 0o700, "pending": 0o700, "releases": 0o700} {
		info, err := os.Stat(filepath.Join(a.dir, path))
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode().Perm(), path)
	}
}
