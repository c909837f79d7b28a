package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/peers"
)

// rpmScript installs the packages, with their scripts, replaces dnsfilter by the same version, and removes it.
const rpmScript = `
cd /root
exec 2>> log
ask() { dig +tries=1 +time=5 @127.0.0.1 www.listed.example | grep -oE 'status: [A-Z]*|EDE: .*'; }
pid() { systemctl show -P MainPID dnsfilter; }
rpm -U ./dnsfilter-*.rpm ./blocklist-*.rpm >> log; echo "install: $?"
systemctl is-active dnsfilter; systemctl is-enabled dnsfilter; id -un dnsfilter
echo listed.example > /etc/dnsfilter/local.txt
echo 'lists: [{name: local, file: /etc/dnsfilter/local.txt, action: nxdomain}]' > /etc/dnsfilter/conf.d/local.yaml
echo '# changed' >> /etc/dnsfilter/dnsfilter.yaml
dnsfilter check -c /etc/dnsfilter/dnsfilter.yaml >> log; echo "check: $?"
systemctl enable --now dnsfilter; ask
blocklist lookup /etc/dnsfilter/local.txt listed.example

before=$(pid); echo 'clients: [all]' > /etc/dnsfilter/conf.d/bad.yaml
rpm -U --replacepkgs ./dnsfilter-*.rpm > said 2>&1; echo "upgrade: $?"
grep -oE 'network "all"|NOT RESTARTED|then: .*' said
[ "$before" != "$(pid)" ] || ask
rm /etc/dnsfilter/conf.d/bad.yaml
rpm -U --replacepkgs ./dnsfilter-*.rpm >> log; echo "upgrade: $?"
[ "$before" = "$(pid)" ] || ask
tail -1 /etc/dnsfilter/dnsfilter.yaml; systemctl is-enabled dnsfilter

rpm -e dnsfilter blocklist; echo "remove: $?"
systemctl is-active dnsfilter; ls /usr/bin/dnsfilter /etc/systemd/system/multi-user.target.wants/dnsfilter.service
ls -d /etc/dnsfilter/* /var/lib/dnsfilter
`

// installedByRPM: rpm installs the packages in a container with a real systemd, upgrades and removes them, with their
// scripts.
func installedByRPM(t *testing.T, dist string) {
	t.Helper()
	peers.Installed(t, "rpm")
	root := containerRoot(t, rpmScript)
	peers.Write(t, root, "etc/resolv.conf", "nameserver 192.0.2.53\n")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "var/lib/rpm"), 0o755))
	for _, path := range packages(t, dist, "*.rpm") {
		run(t, "cp", path, filepath.Join(root, "root"))
	}
	out := booted(t, root, "--overlay=/usr:"+t.TempDir()+":/usr")
	assert.Equal(t, `install: 0
inactive
disabled
dnsfilter
check: 0
status: NXDOMAIN
EDE: 15 (Blocked)
listed.example
upgrade: 0
network "all"
NOT RESTARTED
then: systemctl restart dnsfilter
status: NXDOMAIN
EDE: 15 (Blocked)
upgrade: 0
status: NXDOMAIN
EDE: 15 (Blocked)
# changed
enabled
remove: 0
inactive
/etc/dnsfilter/conf.d
/etc/dnsfilter/dnsfilter.yaml.rpmsave
/etc/dnsfilter/local.txt
/var/lib/dnsfilter
`, out, "%s", read(t, filepath.Join(root, "root/log")))
}
