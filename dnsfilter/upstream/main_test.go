package upstream_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain has more tests run at once than there are processors: nearly all of their time they wait for resolvers that
// are silent.
func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "16")
	os.Exit(m.Run())
}
