package origin

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// rootChain reads the roots of a push in order. A root with the trusted root's version must be the trusted root. Each
// later root must be signed by the officers of the root before it. Earlier roots are not verified at first, since any
// client can send them; they are dropped unless the folder lacks them.
type rootChain struct {
	o     *Origin
	st    *state // state of the list; nil before begin is called
	n     int64  // number of roots read
	root  *trust.Root
	ids   map[int64]string // IDs of the roots by version, from the trusted root on
	docs  map[int64][]byte // roots to publish, by version
	lacks bool             // whether the folder lacks roots before the trusted one
	early [][]byte         // roots of the push before the trusted one; empty unless the folder lacks some
}

// begin loads the published state of the list.
func (c *rootChain) begin(list string) (err error) {
	if c.st, err = c.o.load(list); err != nil {
		return err
	}
	c.ids, c.docs = map[int64]string{}, map[int64][]byte{}
	trusted := c.st.root.Version()
	before := int64(0)
	for _, v := range c.st.dir.Versions("root") {
		if v < trusted {
			before++
		}
	}
	c.lacks = before < trusted-1
	return nil
}

// take reads and checks the next root of the push. If the list is not known yet, the first root names it.
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

// compare returns an error if a root has the version of the trusted root but another content. Its signatures may
// differ.
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

// follows returns an error unless the chain contains the trusted root, and its last root has not expired and names an
// online key of this origin.
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

// verifyEarly verifies the roots in the field early, and adds them to the roots to publish, since a subscriber may
// start from any root. It must be called after the officers' signatures on the push were verified.
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
