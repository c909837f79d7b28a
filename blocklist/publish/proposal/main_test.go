package proposal_test

import (
	"testing"

	"github.com/argine-dns/argine/testdata/fast"
)

func TestMain(m *testing.M) {
	fast.Prepare()
	m.Run()
}
