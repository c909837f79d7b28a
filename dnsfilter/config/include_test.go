package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/config"
)

// confFolder makes a folder with settings and a folder conf.d with more.
func confFolder(t *testing.T, settings string, included map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "conf.d"), 0o700))
	for name, text := range included {
		writeFile(t, filepath.Join(dir, "conf.d"), name, text)
	}
	return writeFile(t, dir, "dnsfilter.yaml", settings)
}

func TestInclude(t *testing.T) {
	t.Parallel()
	path := confFolder(t, "include: [conf.d/*.yaml, conf.d/last]\nlists:\n  - {name: main, file: main.txt}\nforward: {a.example: [192.0.2.1]}\n", map[string]string{
		"20-b.yaml": "lists:\n  - {name: b, file: lists/b.txt}\nviews:\n  - {clients: [10.0.0.0/8], lists: [main, a]}\ncanaries: {mask.icloud.com: nodata}\n",
		"10-a.yaml": "lists:\n  - {name: a, file: a.txt}\nquorum:\n  - {lists: [main, b], at_least: 2}\ncanaries: {mask-h2.icloud.com: nodata}\nforward: {b.example: [192.0.2.1]}\nallow: [allow.txt]\n",
		"last":      "cache: 1MiB\nallow: [more.txt]\n", "ignored.yml": "colour: red\n", "30-empty.yaml": "# nothing yet\n",
	})
	s, err := config.Read(path)
	require.NoError(t, err)
	dir := filepath.Dir(path)
	in := func(names ...string) (paths []string) {
		for _, name := range names {
			paths = append(paths, filepath.Join(dir, name))
		}
		return paths
	}
	assert.Equal(t, []string{"main", "a", "b"}, s.ListNames())
	assert.Equal(t, in("lists/b.txt")[0], s.Lists[2].File, "relative to the settings file")
	assert.Equal(t, in("allow.txt", "more.txt"), s.Allow)
	assert.Len(t, s.Quorums, 1)
	assert.Len(t, s.Views, 1)
	assert.Len(t, s.Forward, 2)
	assert.Len(t, s.Canaries, 2)
	assert.EqualValues(t, 1<<20, s.Cache)
	included := in("conf.d/10-a.yaml", "conf.d/20-b.yaml", "conf.d/30-empty.yaml", "conf.d/last")
	assert.Equal(t, included, s.Included)
	assert.Subset(t, s.OwnFiles(), included)
	writeFile(t, filepath.Join(dir, "conf.d"), "40-new.yaml", "# new\n")
	assert.NotContains(t, s.OwnFiles(), in("conf.d/40-new.yaml")[0])
	assert.Contains(t, s.WatchedFiles(), in("conf.d/40-new.yaml")[0])
}

// The handbook names the same keys as the error.
func TestHandbookSaysWhatAddsUp(t *testing.T) {
	t.Parallel()
	_, err := config.Read(confFolder(t, "include: [conf.d/*.yaml]\ncache: 1MiB\n", map[string]string{"1.yaml": "cache: 2MiB\n"}))
	require.Error(t, err)
	_, keys, _ := strings.Cut(err.Error(), "in several files may be: ")
	all := strings.Split(keys, ", ")
	require.Contains(t, all, "lists", err)
	last := len(all) - 1
	text, err := os.ReadFile("../../cmd/dnsfilter/README.md")
	require.NoError(t, err)
	assert.Contains(t, string(text), fmt.Sprintf("- `%s` and `%s` may be in several files, and add up;", strings.Join(all[:last], "`, `"), all[last]))
}

func TestMistakesInIncludedFiles(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range 101 {
		many[fmt.Sprintf("%d.yaml", i)] = "# none\n"
	}
	for _, c := range []struct {
		name, settings string
		included       map[string]string
		want           []string
	}{
		{"of each file", "include: [conf.d/*.yaml]\ncache: 1MiB\nlists:\n  - {name: a, file: a}\ncolour: red\n", map[string]string{
			"1.yaml": "# first\nlists:\n  - {name: a, file: b}\n  - {name: b, file: b, action: explode}\n",
			"2.yaml": "cache: 2MiB\nviews:\n  - {clients: [10.0.0.0/8], lists: [none]}\nlists:\n  - {name: s, file: s, action: sinkhole}\n",
		}, []string{
			`dnsfilter.yaml:5:1: unknown setting "colour"`, `conf.d/1.yaml:3:6: list "a" is there already, at DIR/dnsfilter.yaml:4`, `conf.d/1.yaml:4:32: unknown action "explode"`,
			`conf.d/2.yaml:1:8: key "cache" is in another file already`, `conf.d/2.yaml:3:37: there is no list "none"`, `conf.d/2.yaml:5:6: the action sinkhole needs addresses`,
		}},
		{"an included file that includes", "include: [conf.d/*.yaml]\n", map[string]string{"1.yaml": "include: [conf.d/2]\n"}, []string{"conf.d/1.yaml:1:10: an included file includes no others"}},
		{"a cut file", "include: [conf.d/*.yaml]\n", map[string]string{"1.yaml": "lists: [a, b", "2.yaml": ""}, []string{"conf.d/1.yaml:1:8: ", "conf.d/2.yaml:1:1: the file is empty"}},
		{"itself", "include: ['*.yaml']\n", nil, []string{"dnsfilter.yaml:1:11: the settings file includes itself"}},
		{"no file", "include: [conf.d/none]\n", nil, []string{"dnsfilter.yaml:1:11: there is no file DIR/conf.d/none"}},
		{"a folder", "include: [conf.d]\n", nil, []string{"dnsfilter.yaml:1:11: DIR/conf.d: malformed: a file is needed here, and this is a folder"}},
		{"no pattern", "include: ['conf.d/[']\n", nil, []string{`dnsfilter.yaml:1:11: pattern "conf.d/["`}},
		{"many", "include: [conf.d/*.yaml]\n", many, []string{"dnsfilter.yaml:1:11: more than 100 files are included"}},
	} {
		path := confFolder(t, c.settings, c.included)
		_, err := config.Read(path)
		mistakes, ok := errors.AsType[config.Errors](err)
		require.True(t, ok, "%s: %v", c.name, err)
		require.Len(t, mistakes, len(c.want), "%s: %v", c.name, err)
		for i, want := range c.want {
			got := strings.ReplaceAll(mistakes[i].Error(), filepath.Dir(path), "DIR")
			assert.Contains(t, got, "DIR/"+want, c.name)
		}
	}
}

// A mistake that is found later, such as a list file that is missing, is in the file that names it.
func TestMissingFilesOfIncludedFiles(t *testing.T) {
	t.Parallel()
	path := confFolder(t, "include: [conf.d/*]\nupstream: [192.0.2.53]\nstate: state\n", map[string]string{"1": "lists:\n  - {name: a, file: none.txt}\nallow: [none.txt]\n"})
	s, err := config.Read(path)
	require.NoError(t, err)
	mistakes, ok := errors.AsType[config.Errors](s.CheckFiles())
	require.True(t, ok)
	require.Len(t, mistakes, 2)
	for i, line := range []int{2, 3} {
		assert.Equal(t, []any{filepath.Join(filepath.Dir(path), "conf.d", "1"), line}, []any{mistakes[i].File, mistakes[i].Line})
	}
}
