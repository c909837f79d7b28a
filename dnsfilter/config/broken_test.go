package config_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// TestIndentation: an item or a key that stands wrong is named itself, and not the mapping that it breaks.
func TestIndentation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for text, at := range map[string]string{
		"state: s\n\nclients: [192.0.2.0/24]\nupstream: [192.0.2.1]\n  - {name: a}\n":             "5:3: the indentation",
		"state: s\nlists:\n  - {name: a, file: a}\n - {name: b, file: b}\n":                       "4:2: the indentation",
		"state: s\nlisten: [udp://127.0.0.1:53\nupstream: [192.0.2.1]\n":                          "2:9: a comma or ]",
		"state: s\nlists:\n  - {name: a, file: a}\nserver_id:\n   nsid: a\n  version: on\nx: y\n": "6:3: the indentation",
	} {
		path := dnstest.WriteFile(t, dir, "dnsfilter.yaml", text)
		_, err := config.Read(path)
		assert.ErrorContains(t, err, path+":"+at)
	}
}

// TestReadState: the state folder is found in spite of mistakes.
func TestReadState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, text := range []string{"listen: [x]\nstate: s\n", "listen: [\nstate: s\n  x\n", "\xff\nstate: 's'\r\n"} {
		path := dnstest.WriteFile(t, dir, "dnsfilter.yaml", text)
		state, err := config.ReadState(path)
		assert.ErrorAs(t, err, new(config.Errors), text)
		assert.Equal(t, filepath.Join(dir, "s"), state, text)
	}
	path := dnstest.WriteFile(t, dir, "dnsfilter.yaml", "state: s\n")
	state, err := config.ReadState(path)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "s"), state)
	_, err = config.ReadState(filepath.Join(dir, "none"))
	assert.ErrorContains(t, err, "reading settings")
}
