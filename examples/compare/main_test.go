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
	vectors := []vector{
		{"HTTP://Site.example:8080/a/./b/../%2563", "http://site.example/a/c"}, {"http://3221225991/x?", "http://192.0.2.7/x?"}, {"http://site.example/", "http://site.example/"},
	}
	require.NoError(t, compare(&out, 2000, vectors, false))
	assert.Len(t, regexp.MustCompile(`(?m)^\| .* \| 0 of 8000 \| [^|]* \|$`).FindAllString(out.String(), -1), len(contenders())-1, out.String())
	assert.Contains(t, out.String(), "| 0 of 8000 | 0 of 3, 0 of 6 |\n| Go map", "the set knows each spelling")
	assert.Regexp(t, `(?m)^\| Go map.*\| 2 of 3, 0 of 6 \|$`, out.String())
	assert.Regexp(t, `(?m)^\| trie.*\| - \|$`, out.String())
}

// The published vectors name real hosts, so they are no part of the repository.
func TestPublishedVectors(t *testing.T) {
	vectors, err := readVectors("../../../shared/data/safe-browsing-vectors.tsv")
	if err != nil {
		t.Skip("the published vectors are not here:", err)
	}
	require.Len(t, vectors, 33)
	find, err := setOfURLs(t.TempDir(), vectors)
	require.NoError(t, err)
	missed, mistaken := judge(find, vectors)
	assert.Zero(t, missed)
	assert.Zero(t, mistaken)
}

func TestMeasure(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	asked := 0
	assert.Positive(t, measure(func(string) bool { asked++; return true }, 100, forms[0]))
	assert.Positive(t, asked)
}
