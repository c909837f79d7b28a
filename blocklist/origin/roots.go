package origin

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// rootChain takes the roots of a push one after the other. Anyone can send some, so nothing is verified before the root
// that is trusted, which is compared, and hardly anything is kept; what follows has to be signed by the officers of the
// one before.
type rootChain struct {
	o     *Origin
	st    *state // of the list; nil until the first root says which one, where no one else has
	n     int64  // how many came
	root  *trust.Root
	ids   map[int64]string // of the trusted root and those after it
	docs  map[int64][]byte // to be published
	lacks bool             // the folder has not all roots before the trusted one
	early [][]byte         // these, if it lacks some
}

// begin loads the state of the list.
func (c *rootChain) begin(list string) (err error) {
	if c.st, err = c.o.load(list); err != nil {
		return err
	}
	c.ids, c.docs = map[int64]string{}, map[int64][]byte{}
	trusted := c.st.root.Version()
	before := int64(0)
	for _, v := range c.st.versions(".root.json") {
		if v < trusted {
			before++
		}
	}
	c.lacks = before < trusted-1
	return nil
}

// take takes the next root.
func (c *rootChain) take(b []byte) (err error) {
	if c.st == nil {
		first, err := trust.ParseRoot(b)
		if err == nil {
			err = c.begin(first.Spec().List)
		}
		if err != nil {
			return err
		}
	}
	c.n++
	switch trusted := c.st.root; {
	case c.n < trusted.Version():
		if c.lacks {
			c.early = append(c.early, b)
		}
		return nil
	case c.n == trusted.Version():
		c.root = trusted
		err = c.compare(b)
	default:
		c.root, err = trust.CheckNextRoot(c.root, b)
		c.docs[c.n] = b
	}
	if err == nil {
		c.ids[c.n] = c.root.ID()
	}
	return err
}

// compare compares what claims to be the trusted root with it. Signatures may differ.
func (c *rootChain) compare(b []byte) error {
	if bytes.Equal(b, c.root.Bytes()) {
		return nil
	}
	root, err := trust.ParseRoot(b)
	if err == nil && root.ID() != c.root.ID() {
		err = c.stranger()
	}
	return err
}

func (c *rootChain) stranger() error {
	return fmt.Errorf("%s: %w: root %d is not the one that this origin trusts", c.st.list, blocklist.ErrUntrusted,
		c.st.root.Version())
}

// follows checks that the chain leads from the root that is trusted to one in date.
func (c *rootChain) follows(st *state) error {
	version := st.root.Version()
	switch {
	case version > c.n || c.root == nil:
		return fmt.Errorf("%s: root %d is %w, root %d", st.list, c.n, blocklist.ErrRollback, version)
	case c.ids[version] != st.root.ID():
		return c.stranger()
	case time.Now().After(c.root.Spec().Expires):
		return fmt.Errorf("%s: root %d: %w on %s; the officers must sign a new one", st.list, c.root.Version(),
			blocklist.ErrExpired, c.root.Spec().Expires.Format(time.RFC3339))
	}
	_, err := c.o.signer(c.root)
	return err
}

// verifyEarly verifies the roots before the trusted one that the folder lacks: subscribers may begin with any. It is
// for the very end, when the officers have vouched for the push.
func (c *rootChain) verifyEarly() error {
	if len(c.early) == 0 {
		return nil
	}
	if _, err := trust.OpenRoots(append(slices.Clip(c.early), c.st.root.Bytes())); err != nil {
		return err
	}
	for i, b := range c.early {
		c.docs[int64(i)+1] = b
	}
	return nil
}
