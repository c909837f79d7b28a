package desk

import (
	"io/fs"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/words"
)

// Every text that a template or the code names is in the catalogue.
func TestWords(t *testing.T) {
	t.Parallel()
	w, err := words.Read("it")
	require.NoError(t, err)
	for key, where := range namedKeys(t) {
		assert.NotEqual(t, key, w.Text(key), where)
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
		assert.NotEqual(t, key, w.Text(key))
	}
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
