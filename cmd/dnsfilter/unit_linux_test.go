package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/longtest"
	"github.com/argine-dns/argine/testdata/peers"
)

// unitScript runs in the container, when its systemd has started the unit.
const unitScript = `
stat -c '%a %U %F' /var/lib/dnsfilter /var/lib/dnsfilter/salt /var/log/dnsfilter
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
dnsfilter=/opt/dnsfilter
$dnsfilter serve --take-over -c dnsfilter.yaml 2>&1 | grep -o 'not trusted: .*restart dnsfilter'
setpriv --reuid=dnsfilter --regid=dnsfilter --init-groups $dnsfilter serve --take-over -c dnsfilter.yaml 2>&1 | grep -o 'systemd runs this server.*restart dnsfilter'
$dnsfilter stats settings_current # of the packaged settings
systemctl is-active dnsfilter; systemctl show dnsfilter -p NRestarts; ask listed.example
systemctl disable --now dnsfilter.socket 2> /dev/null; systemctl restart dnsfilter
systemctl enable --now dnsfilter.socket 2> /dev/null; echo "sockets of a running service: $?"
systemctl stop dnsfilter 2> /dev/null
systemctl enable --now dnsfilter.socket 2> /dev/null
systemctl start dnsfilter
systemctl is-active dnsfilter.socket
ask listed.example
# The scripts of the package with the arguments of rpm: an upgrade, and the removal of the last version.
export PATH=/opt:$PATH; before=$(systemctl show -P MainPID dnsfilter)
sh /root/postinstall.sh 2 &> /dev/null && sh /root/preremove.sh 1 && sh /root/postremove.sh 1; echo "rpm upgrade: $?"
[ "$before" = "$(systemctl show -P MainPID dnsfilter)" ] || systemctl is-active dnsfilter
sh /root/preremove.sh 0 2> /dev/null && sh /root/postremove.sh 0; echo "rpm removal: $?"
systemctl is-active dnsfilter dnsfilter.socket
systemctl is-enabled dnsfilter dnsfilter.socket
`

// TestUnit: a real systemd runs the unit and its sockets in a container without a network. A reload is in force when it
// ends, and fails if the settings are wrong; a restart loses no query.
func TestUnit(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "it boots a container")
	root := unitRoot(t)
	run(t, "go", "build", "-o", filepath.Join(root, "opt/dnsfilter"), ".")
	assert.Equal(t, `700 dnsfilter directory
600 dnsfilter regular file
750 dnsfilter directory
Type=notify
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
not trusted: run this as that user (the service of systemd: systemctl restart dnsfilter
systemd runs this server, and would start another one beside its successor: type systemctl restart dnsfilter
dnsfilter_settings_current  1
active
NRestarts=0
listed.example: status: NOERROR
sockets of a running service: 1
active
listed.example: status: NOERROR
rpm upgrade: 0
active
rpm removal: 0
inactive
inactive
disabled
disabled
`, booted(t, root, "--bind-ro=/usr"))
}

// unitRoot makes the root of a container with the unit, its sockets and settings.
func unitRoot(t *testing.T) string {
	t.Helper()
	root := containerRoot(t, unitScript)
	for _, dir := range []string{"opt", "etc/dnsfilter", "etc/systemd/system/sockets.target.wants", "etc/sysusers.d"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	for wants, unit := range map[string]string{"sockets": "dnsfilter.socket", "multi-user": "dnsfilter.service"} {
		text := strings.ReplaceAll(read(t, "packaging/"+unit), "/usr/bin/", "/opt/") // /usr is the machine's
		peers.Write(t, root, "etc/systemd/system/"+unit, text)
		require.NoError(t, os.Symlink("../"+unit, filepath.Join(root, "etc/systemd/system", wants+".target.wants", unit)))
	}
	for _, name := range []string{"postinstall.sh", "preremove.sh", "postremove.sh"} {
		peers.Write(t, root, "root/"+name, read(t, "packaging/"+name))
	}
	peers.Write(t, root, "etc/sysusers.d/dnsfilter.conf", read(t, "packaging/sysusers.conf"))
	peers.Write(t, root, "etc/dnsfilter/dnsfilter.yaml", "listen: [udp://127.0.0.1:53, tcp://127.0.0.1:53]\nupstream: [192.0.2.1]\nstate: /var/lib/dnsfilter\n"+
		"lists:\n  - {name: local, file: /etc/dnsfilter/local.txt, action: nxdomain}\n")
	peers.Write(t, root, "etc/dnsfilter/local.txt", "listed.example\n")
	return root
}
