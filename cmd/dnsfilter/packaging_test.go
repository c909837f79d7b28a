//go:build linux

package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/longtest"
	"github.com/argine-dns/argine/testdata/peers"
)

// TestPackages installs the packages of both commands into an empty folder, upgrades them and removes them, with dpkg and
// with rpm, and in a container with apt. Changed settings stay. What is made again, elsewhere, has the same bytes.
func TestPackages(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "it compiles both commands and the programs that make packages")
	dist, target := t.TempDir(), "linux/"+runtime.GOARCH
	run(t, "../../.ci/package", dist, target)
	t.Run("again", func(t *testing.T) {
		t.Parallel()
		again := t.TempDir()
		run(t, "env", "TZ=Asia/Tokyo", "TMPDIR="+t.TempDir(), "../../.ci/package", again, target)
		assert.Equal(t, read(t, filepath.Join(dist, "SHA256SUMS")), read(t, filepath.Join(again, "SHA256SUMS")))
	})
	t.Run("dpkg", func(t *testing.T) {
		peers.Installed(t, "dpkg", "dpkg-deb")
		root := t.TempDir()
		for _, dir := range []string{"updates", "info"} {
			require.NoError(t, os.MkdirAll(filepath.Join(root, "var/lib/dpkg", dir), 0o755))
		}
		require.NoError(t, os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o644))
		dpkg := []string{"dpkg", "--root=" + root, "--log=/dev/null", "--force-not-root,script-chrootless,depends,confold"}
		install := append(append(dpkg, "-i"), packages(t, dist, "*.deb")...)
		run(t, install...)
		settings := installed(t, root)
		assert.FileExists(t, filepath.Join(root, "usr/share/zsh/vendor-completions/_dnsfilter"))
		answers(t, root)
		run(t, install...)
		assert.FileExists(t, settings)
		assert.Contains(t, read(t, settings), "# changed")
		run(t, append(dpkg, "-r", "dnsfilter", "blocklist")...)
		assert.NoFileExists(t, filepath.Join(root, "usr/bin/dnsfilter"))
		assert.FileExists(t, settings, "what is removed leaves its settings")
		run(t, append(dpkg, "-P", "dnsfilter")...)
		assert.NoFileExists(t, settings)
	})
	t.Run("apt", func(t *testing.T) {
		t.Parallel()
		installedByApt(t, dist)
	})
	t.Run("rpm with scripts", func(t *testing.T) {
		t.Parallel()
		installedByRPM(t, dist)
	})
	t.Run("rpm", func(t *testing.T) {
		peers.Installed(t, "rpm")
		root := t.TempDir()
		rpm := []string{"rpm", "--root", root, "--nodeps", "--noscripts"}
		install := append(append(rpm, "-U", "--replacepkgs"), packages(t, dist, "*.rpm")...)
		run(t, install...)
		settings := installed(t, root)
		assert.FileExists(t, filepath.Join(root, "usr/share/zsh/site-functions/_dnsfilter"))
		run(t, install...)
		assert.Contains(t, read(t, settings), "# changed")
		run(t, append(rpm, "-e", "dnsfilter", "blocklist")...)
		assert.NoFileExists(t, filepath.Join(root, "usr/bin/dnsfilter"))
		assert.FileExists(t, settings+".rpmsave", "what is removed leaves settings that were changed")
	})
}

// TestSandboxOfTheUnit rates the sandbox of the unit: 0 is the best, 100 the worst.
func TestSandboxOfTheUnit(t *testing.T) {
	peers.Installed(t, "systemd-analyze")
	run(t, "systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", "packaging/dnsfilter.service")
}

// installed looks at what is in the folder root after an installation, and changes the settings there. It returns their
// path.
func installed(t *testing.T, root string) string {
	t.Helper()
	for _, path := range []string{
		"usr/bin/blocklist", "usr/lib/systemd/system/dnsfilter.service", "usr/lib/systemd/system/dnsfilter.socket",
		"usr/share/man/man1/blocklist-sign.1.gz", "usr/share/man/man1/dnsfilter-serve.1.gz",
		"usr/share/bash-completion/completions/blocklist", "usr/share/fish/vendor_completions.d/dnsfilter.fish",
		"usr/share/doc/dnsfilter/README.md", "usr/share/doc/blocklist/copyright",
	} {
		assert.FileExists(t, filepath.Join(root, path))
	}
	links(t, root)
	settings := filepath.Join(root, "etc/dnsfilter/dnsfilter.yaml")
	run(t, filepath.Join(root, "usr/bin/dnsfilter"), "check", "-c", settings)
	require.NoError(t, os.WriteFile(settings, []byte(read(t, settings)+"# changed\n"), 0o644))
	return settings
}

// links looks for what the documents of the packages refer to, as far as it is on the disk.
func links(t *testing.T, root string) {
	t.Helper()
	documents, err := filepath.Glob(filepath.Join(root, "usr/share/doc/*/*.md"))
	require.NoError(t, err)
	examples, err := filepath.Glob(filepath.Join(root, "usr/share/doc/*/examples/*/*.md"))
	require.NoError(t, err)
	require.NotEmpty(t, examples)
	first, err := filepath.Glob(filepath.Join(root, "usr/share/doc/*/examples/README.md"))
	require.NoError(t, err)
	require.Len(t, first, 2)
	for _, path := range slices.Concat(documents, examples, first) {
		command, _, _ := strings.Cut(strings.TrimPrefix(path, filepath.Join(root, "usr/share/doc")+"/"), "/")
		assert.NotRegexp(t, "https:[^)]*/cmd/"+command+`/[A-Z]*\.md`, read(t, path), "%s: the handbook is beside it", path)
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(read(t, path), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(path), m[1]))
			assert.NoError(t, err, path)
		}
	}
}

// answers starts what is installed in the folder root, with its settings and the list of RUNNING.md, and asks it.
func answers(t *testing.T, root string) {
	t.Helper()
	dir, addr := t.TempDir(), freeport.Addr(t)
	list := peers.Write(t, dir, "local.txt", "listed.example\n")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "state"), 0o700))
	settings := peers.Exchanged(t, filepath.Join(root, "etc/dnsfilter/dnsfilter.yaml"), "127.0.0.1:53", addr, "/var/lib/dnsfilter", dir+"/state")
	settings += "upstream: ['" + peers.Upstream(t) + "']\nlists:\n  - {name: local, file: " + list + ", action: nxdomain}\n"
	server := peers.Resolver(t, filepath.Join(root, "usr/bin/dnsfilter"), dir, settings, addr)
	peers.Await(t, addr, "www.listed.example", "NXDOMAIN")
	server.Stop()
}

func packages(t *testing.T, dist, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dist, pattern))
	require.NoError(t, err)
	require.Len(t, found, 2)
	return found
}

func run(t *testing.T, command ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
	require.NoError(t, err, "%q: %s", command, out)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
