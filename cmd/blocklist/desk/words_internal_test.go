package desk

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
)

// Every text is there in every language, with the same verbs and numbers of forms, and every text that a template or the
// code names is in the catalogue.
func TestWords(t *testing.T) {
	t.Parallel()
	w, err := readWords()
	require.NoError(t, err)
	verbs := regexp.MustCompile(`%(\[\d\])?[a-z]`)
	for key, texts := range w.texts {
		require.Len(t, texts, len(languages()), key)
		for _, text := range texts {
			assert.NotEmpty(t, text, key)
			assert.Equal(t, verbs.FindAllString(texts[0], -1), verbs.FindAllString(text, -1), key)
			assert.Equal(t, strings.Count(texts[0], "|"), strings.Count(text, "|"), key)
			assert.False(t, strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }), key)
		}
	}
	for key, where := range namedKeys(t) {
		assert.Contains(t, w.texts, key, where)
	}
	var made []string
	for _, kind := range publish.Kinds() {
		made = append(made, "kind."+kind)
	}
	for _, role := range append(publish.Roles(), owner) {
		made = append(made, "role."+role)
	}
	for _, f := range kinds() {
		made = append(made, f.key, f.key+".how")
	}
	for _, key := range made {
		assert.Contains(t, w.texts, key)
	}
}

// A count shows its number only where its text has a place for it.
func TestCount(t *testing.T) {
	t.Parallel()
	w, err := readWords()
	require.NoError(t, err)
	assert.Equal(t, "1 order has expired", w.count(0, "task.expired", 1))
	assert.Equal(t, "1.200 ordini sono scaduti", w.count(1, "task.expired", 1200))
	assert.Equal(t, "A release is signed, and waits to be pushed", w.count(0, "task.push", 1))
}

// namedKeys returns the keys that templates and code name, and where.
func namedKeys(t *testing.T) map[string]string {
	t.Helper()
	keys := map[string]string{}
	named := regexp.MustCompile(`\b(?:t|count) "([^"]+)"`)
	require.NoError(t, fs.WalkDir(files, "templates", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := files.ReadFile(path)
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			keys[m[1]] = path
		}
		return err
	}))
	return keys
}
