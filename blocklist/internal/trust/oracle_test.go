package trust_test

import (
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
	"github.com/argine-dns/argine/blocklist/internal/tuf/tuftest"
)

// askOracle returns our verdict on a chain, or an error if go-tuf comes to another one and no rule of Argine explains
// the difference.
func askOracle(c tuftest.Chain, ours error) error {
	theirs := c.Verdict(func(b []byte) error {
		_, err := tuf.ParseAny(b)
		return err
	})
	if _, err := tuftest.Compare(ours, theirs); err != nil {
		return err
	}
	return ours
}

// verifyRoot is [trust.OpenRoot], and asks the oracle.
func verifyRoot(b []byte) (*trust.Root, error) {
	root, err := trust.OpenRoot(b)
	return root, askOracle(tuftest.Chain{Root: b}, err)
}

// checkNextRoot is [trust.CheckNextRoot], and asks the oracle.
func checkNextRoot(held *trust.Root, next []byte) (*trust.Root, error) {
	root, err := trust.CheckNextRoot(held, next)
	return root, askOracle(tuftest.Chain{Root: held.Bytes(), Roots: [][]byte{next}}, err)
}

// openTargets is [trust.OpenTargets], and asks the oracle.
func openTargets(root *trust.Root, b []byte) (trust.TargetsSpec, error) {
	spec, err := trust.OpenTargets(root, b)
	return spec, askOracle(tuftest.Chain{Root: root.Bytes(), Targets: b}, err)
}
