//go:build linux

package main_test

import (
	"debug/elf"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/longtest"
	"github.com/argine-dns/argine/testdata/peers"
)

const repository = "../.."

// TestContainerfile checks what needs no engine: the files that are copied are there, the images run as a user with a
// number, since there is no /etc/passwd, and the Go of the build is that of the module.
func TestContainerfile(t *testing.T) {
	t.Parallel()
	text := read(t, filepath.Join(repository, "Containerfile"))
	for _, m := range regexp.MustCompile(`(?m)^COPY ([^-\s].*) \S+$`).FindAllStringSubmatch(text, -1) {
		for name := range strings.FieldsSeq(m[1]) {
			assert.FileExists(t, filepath.Join(repository, name, map[bool]string{true: "go.mod"}[name == "."]))
		}
	}
	version := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindStringSubmatch(read(t, filepath.Join(repository, "go.mod")))[1]
	assert.Contains(t, text, "golang:"+version+" AS build")
	images := strings.Split(text, "\nFROM scratch AS ")[1:]
	require.Len(t, images, 2)
	for _, image := range images {
		name, _, _ := strings.Cut(image, "\n")
		assert.Contains(t, image, "\nUSER 65532:65532\n", name)
		assert.Contains(t, image, "COPY --from=build /out/"+name+" /usr/bin/"+name+"\n", name)
		assert.Contains(t, image, "ENTRYPOINT [\"/usr/bin/"+name+"\"]\n", name)
	}
	s, err := config.Read("packaging/container.yaml")
	require.NoError(t, err)
	assert.Len(t, s.Listen, 2)
}

// TestStatic builds both commands as the container does: they need no loader and no library.
func TestStatic(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "it compiles both commands without cgo")
	dir := t.TempDir()
	run(t, "env", "CGO_ENABLED=0", "go", "build", "-C", repository, "-trimpath", "-ldflags=-s -w", "-o", dir, "./cmd/dnsfilter", "./cmd/blocklist")
	for _, command := range []string{"dnsfilter", "blocklist"} {
		f, err := elf.Open(filepath.Join(dir, command))
		require.NoError(t, err)
		libraries, err := f.ImportedLibraries()
		assert.Empty(t, libraries, "%v", err)
		for _, p := range f.Progs {
			assert.NotEqual(t, elf.PT_INTERP, p.Type, command)
		}
		require.NoError(t, f.Close())
	}
	addr := freeport.Addr(t)
	settings := strings.ReplaceAll(read(t, "packaging/container.yaml"), "0.0.0.0:5353", addr)
	settings = strings.ReplaceAll(settings, "/var/lib/dnsfilter", dir+"/state") + "upstream: ['" + peers.Upstream(t) + "']\n"
	require.NoError(t, os.Mkdir(dir+"/state", 0o700))
	peers.Resolver(t, filepath.Join(dir, "dnsfilter"), dir, settings, addr)
}
