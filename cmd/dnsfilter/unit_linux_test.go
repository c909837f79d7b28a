package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/longtest"
	"github.com/argine-dns/argine/testdata/peers"
)

// unitScript runs in the container, when its systemd has started the unit.
const unitScript = `
systemctl show dnsfilter -p Type -p NRestarts
ask() { echo "$1: $(dig +tries=1 +time=5 @127.0.0.1 "$1" | grep -o 'status: [A-Z]*')"; }
ask listed.example
systemctl is-active dnsfilter
grep -E '^(CapEff|NoNewPrivs):' /proc/$(systemctl show -P MainPID dnsfilter)/status
cd /etc/dnsfilter
sed 's/nxdomain/nodata/' dnsfilter.yaml > new && mv new dnsfilter.yaml && systemctl reload dnsfilter; echo "reload: $?"
ask listed.example
cp dnsfilter.yaml good; echo 'listen: [nonsense]' > new && mv new dnsfilter.yaml; systemctl reload dnsfilter 2> /dev/null; echo "bad reload: $?"
ask listed.example
mv good dnsfilter.yaml
for i in 1 2 3 4 5 6 7 8; do ask "n$i.listed.example"; done > /root/asked &
systemctl restart dnsfilter; wait
echo "answered: $(grep -c NOERROR /root/asked)"
stat -c '%a %F' /var/lib/private/dnsfilter
systemctl disable --now dnsfilter.socket 2> /dev/null; systemctl restart dnsfilter
systemctl enable --now dnsfilter.socket 2> /dev/null; echo "sockets of a running service: $?"
systemctl stop dnsfilter 2> /dev/null
systemctl enable --now dnsfilter.socket 2> /dev/null
systemctl start dnsfilter
systemctl is-active dnsfilter.socket
ask listed.example
`

// TestUnit: a real systemd runs the unit and its sockets in a container without a network. A reload is in force when it
// ends, and fails if the settings are wrong; a restart loses no query.
func TestUnit(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "it boots a container")
	peers.Need(t, "systemd-nspawn", "dig")
	if os.Getuid() != 0 {
		t.Skip("only root may start a container")
	}
	root := unitRoot(t)
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(root, "opt/dnsfilter"), ".").CombinedOutput()
	require.NoError(t, err, string(built))

	boot := exec.CommandContext(t.Context(), "timeout", "120", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network",
		"-D", root, "--bind-ro=/usr", "-b")
	boot.WaitDelay = 10 * time.Second
	console, _ := boot.CombinedOutput() // the container is powered off
	out, err := os.ReadFile(filepath.Join(root, "root/out"))
	if err != nil {
		t.Skipf("no container can be booted here: %s", console)
	}
	assert.Equal(t, `Type=notify
NRestarts=0
listed.example: status: NXDOMAIN
active
CapEff:	0000000000000400
NoNewPrivs:	1
reload: 0
listed.example: status: NOERROR
bad reload: 1
listed.example: status: NOERROR
answered: 8
700 directory
sockets of a running service: 1
active
listed.example: status: NOERROR
`, string(out))
}

// unitRoot makes the root of a container with the unit, its sockets and settings, and another unit that runs the script
// and ends the container. What it lacks, it has from the machine's /usr.
func unitRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"usr/lib", "opt", "root", "etc/dnsfilter", "etc/systemd/system/multi-user.target.wants", "etc/systemd/system/sockets.target.wants"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	for _, link := range []string{"bin", "sbin", "lib", "lib64"} {
		require.NoError(t, os.Symlink("usr/"+link, filepath.Join(root, link)))
	}
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	copied := func(name, from string, words ...string) {
		b, err := os.ReadFile(from)
		require.NoError(t, err)
		write(name, strings.NewReplacer(words...).Replace(string(b)))
	}
	copied("usr/lib/os-release", "/usr/lib/os-release")
	copied("etc/systemd/system/dnsfilter.socket", "packaging/dnsfilter.socket")
	copied("etc/systemd/system/dnsfilter.service", "packaging/dnsfilter.service", "/usr/bin/", "/opt/") // /usr is the machine's
	write("etc/systemd/system/try.service", "[Unit]\nAfter=dnsfilter.service\n[Service]\nType=oneshot\nStandardOutput=append:/root/out\n"+
		"ExecStart=/bin/bash /root/script\nExecStopPost=/bin/bash -c 'systemctl --force --force poweroff &> /dev/null'\n")
	for wants, unit := range map[string]string{"sockets": "dnsfilter.socket", "multi-user": "try.service"} {
		require.NoError(t, os.Symlink("../"+unit, filepath.Join(root, "etc/systemd/system", wants+".target.wants", unit)))
	}
	require.NoError(t, os.Symlink("../dnsfilter.service", filepath.Join(root, "etc/systemd/system/multi-user.target.wants/dnsfilter.service")))
	// A getty that waits for the console has not begun yet: it is a copy of systemd, and would keep its sockets open.
	require.NoError(t, os.Symlink("/dev/null", filepath.Join(root, "etc/systemd/system/console-getty.service")))
	write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nmessagebus:x:100:100::/:/bin/false\n")
	write("etc/group", "root:x:0:\nnogroup:x:65534:\nmessagebus:x:100:\n")
	write("etc/nsswitch.conf", "passwd: files systemd\ngroup: files systemd\n")
	write("etc/machine-id", "")
	write("etc/dnsfilter/dnsfilter.yaml", "listen: [udp://127.0.0.1:53, tcp://127.0.0.1:53]\nupstream: [192.0.2.1]\nstate: /var/lib/dnsfilter\n"+
		"lists:\n  - {name: local, file: /etc/dnsfilter/local.txt, action: nxdomain}\n")
	write("etc/dnsfilter/local.txt", "listed.example\n")
	write("root/script", unitScript)
	return root
}
