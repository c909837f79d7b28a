package service_test

import (
	"flag"
	"testing"

	"github.com/argine-dns/argine/testdata/fast"
)

// TestMain has more tests run at once than there are processors: most of their time they wait for files that settle,
// for resolvers, and for other programs.
func TestMain(m *testing.M) {
	fast.Prepare()
	flag.Parse()
	_ = flag.Set("test.parallel", "6")
	m.Run()
}
