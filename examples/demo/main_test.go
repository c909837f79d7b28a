package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out, "../../testdata/lists/demo.txt", "127.0.0.1:0", true))
	for _, want := range []string{
		"7 entries", "the guards hold it: special-address: 192.0.2.66", "enforces its 7 entries",
		"blocked.example.       listed                             -> NXDOMAIN, EDE 16 (Censored)",
		"www.blocked.example.   below a listed name                -> NXDOMAIN, EDE 16 (Censored)",
		"unblocked.example.     a neighbour                        -> NOERROR 192.0.2.4 ",
		"exact.example.org.     listed alone                       -> NOERROR, EDE 16 (Censored)",
		"a.exact.example.org.   below a name that is listed alone  -> NOERROR 192.0.2.3 ",
		"www.example.org.       not listed                         -> NOERROR 192.0.2.1 ",
	} {
		assert.Contains(t, out.String(), want)
	}
}

func TestNoSuchList(t *testing.T) {
	require.ErrorContains(t, demo(t.Context(), &bytes.Buffer{}, "nowhere.txt", "127.0.0.1:0", true), "nowhere.txt")
}
