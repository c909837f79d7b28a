package desk

import (
	"fmt"
	"io/fs"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
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
	for _, y := range whys() {
		made = append(made, y.key)
	}
	for _, check := range guard.Checks() {
		made = append(made, "guard."+string(check))
	}
	for _, key := range made {
		assert.NotEqual(t, key, w.Text(key))
	}
}

// Findings and errors are texts of the catalogue, in the language of the reader.
func TestWhy(t *testing.T) {
	t.Parallel()
	w, err := words.Read("it")
	require.NoError(t, err)
	g, err := guard.New(guard.Limits{})
	require.NoError(t, err)
	for line, want := range map[string]string{
		"co.uk":          "I nomi sotto co.uk appartengono a molti titolari diversi. Indica quello che si intende.",
		"192.168.7.0/24": "192.168.7.0/24 tocca 192.168.0.0/16: questi indirizzi IP hanno un uso speciale e non sono un sito.",
	} {
		e, err := blocklist.ParseEntry(line)
		require.NoError(t, err)
		found := g.Entry(e)
		require.NotEmpty(t, found, line)
		assert.Equal(t, want, findingText(w, found[0]))
	}
	one := guard.Finding{Check: guard.CheckProtect, Entry: "bank.example", Example: "login.bank.example"}
	assert.Equal(t, "Bloccare bank.example colpirebbe login.bank.example, che è protetto.", findingText(w, one))
	one.Others = 1199
	assert.Equal(t, "Bloccare bank.example bloccherebbe anche 1.200 servizi protetti, tra cui login.bank.example.", findingText(w, one))
	_, err = blocklist.ParseEntry("no name")
	assert.Equal(t, "“no name” non è un nome, un indirizzo IP o un URL che può stare in lista.", whyText(w, err))
	assert.Equal(t, "Non è in lista.", whyText(w, fmt.Errorf("x.example: %w", publish.ErrNotListed)))
	assert.Equal(t, "Qualcosa non ha funzionato", whyText(w, errNotMade))
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
