package main

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What claims to be exact is, and the table has all its rows.
func TestCompare(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, compare(&out, 2000, false))
	assert.Len(t, regexp.MustCompile(`(?m)^\| .* \| 0 of 8000 \|$`).FindAllString(out.String(), -1), len(contenders())-1, out.String())
}

func TestMeasure(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	asked := 0
	assert.Positive(t, measure(func(string) bool { asked++; return true }, 100, forms[0]))
	assert.Positive(t, asked)
}
