package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/peers"
)

// containerRoot makes the root of a container whose systemd runs a script and then ends. What it lacks, it has from the
// machine's /usr.
func containerRoot(t *testing.T, script string) string {
	t.Helper()
	peers.Need(t, "systemd-nspawn", "dig")
	if os.Getuid() != 0 {
		t.Skip("only root may start a container")
	}
	root := t.TempDir()
	for _, dir := range []string{"usr/lib", "root", "etc/systemd/system/multi-user.target.wants"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	for _, link := range []string{"bin", "sbin", "lib", "lib64"} {
		require.NoError(t, os.Symlink("usr/"+link, filepath.Join(root, link)))
	}
	for name, text := range map[string]string{
		"usr/lib/os-release": read(t, "/usr/lib/os-release"),
		"root/script":        script,
		"etc/systemd/system/try.service": "[Unit]\nAfter=dnsfilter.service\n[Service]\nType=oneshot\nStandardOutput=append:/root/out\n" +
			"ExecStart=/bin/bash /root/script\nExecStopPost=/bin/bash -c 'systemctl --force --force poweroff &> /dev/null'\n",
		"etc/passwd":        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nmessagebus:x:100:100::/:/bin/false\n",
		"etc/group":         "root:x:0:\nnogroup:x:65534:\nmessagebus:x:100:\n",
		"etc/nsswitch.conf": "passwd: files systemd\ngroup: files systemd\n",
		"etc/machine-id":    "",
	} {
		peers.Write(t, root, name, text)
	}
	require.NoError(t, os.Symlink("../try.service", filepath.Join(root, "etc/systemd/system/multi-user.target.wants/try.service")))
	// A getty that waits for the console has not begun yet: it is a copy of systemd, and would keep its sockets open.
	require.NoError(t, os.Symlink("/dev/null", filepath.Join(root, "etc/systemd/system/console-getty.service")))
	return root
}

// booted boots a container without a network, and returns what its script has printed.
func booted(t *testing.T, root string, flags ...string) string {
	t.Helper()
	args := []string{"120", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "-D", root, "-b"}
	boot := exec.CommandContext(t.Context(), "timeout", append(args, flags...)...)
	boot.WaitDelay = 10 * time.Second
	console, _ := boot.CombinedOutput() // the container is powered off
	out, err := os.ReadFile(filepath.Join(root, "root/out"))
	if err != nil {
		t.Skipf("no container can be booted here: %s", console)
	}
	return string(out)
}
