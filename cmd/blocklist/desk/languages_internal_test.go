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
	"github.com/argine-dns/argine/blocklist/publish/proposal"
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
	for _, state := range proposal.States() {
		made = append(made, "pstate."+state, "pstates."+state)
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
	assert.Equal(t, "bank.example è protetto; bloccarlo bloccherebbe 1.200 servizi protetti.",
		findingText(w, guard.Finding{Check: guard.CheckProtect, Entry: "=bank.example", Example: "bank.example", Others: 1199}))
	_, err = blocklist.ParseEntry("no!name")
	assert.Equal(t, "“no!name” non è un nome, un indirizzo IP o un URL che può stare in lista.", whyText(w, err))
	assert.Equal(t, "Non è in lista.", whyText(w, fmt.Errorf("x.example: %w", publish.ErrNotListed)))
	assert.Equal(t, "Qualcosa non ha funzionato", whyText(w, errNotMade))
}

// What programs write into the ledger is said in the language of the reader, and what is for proofs is left out.
func TestSaid(t *testing.T) {
	t.Parallel()
	w, err := words.Read("it")
	require.NoError(t, err)
	for want, o := range map[string]publish.Operation{
		"versione 6, su https://origin.example|": {Kind: publish.KindPush, Reason: "it.example/test serial 6 to https://origin.example"},
		"as ordered|order 17":                    {Kind: publish.KindAdd, Reason: "as ordered", Reference: "order 17"},
		"|":                                      {Kind: publish.KindInit, Reason: "it.example/test, signed by 1 of 1 officers"},
		"so have I|proposte: 3-9, 12":            {Kind: publish.KindConfirm, Reason: "so have I", Reference: "proposals 3-9, 12"},
		"new|carla: addetto":                     {Kind: publish.KindRole, Reason: "new", Reference: "carla clerk"},
		"left|carla: nessun ruolo":               {Kind: publish.KindRole, Reason: "left", Reference: "carla none"},
		"a test|":                                {Kind: publish.KindOverride, Reason: "a test", Reference: "findings 0123"},
	} {
		assert.Equal(t, want, w.Reason(o)+"|"+w.Reference(o))
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
