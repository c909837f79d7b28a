package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/peers"
)

// aptScript types the handbook's page, and goes on with an example, an upgrade and a removal.
const aptScript = `
cd /root
exec 2>> log
ask() { dig +tries=1 +time=5 "@$1" www.listed.example | grep -oE 'status: [A-Z]*|EDE: .*'; }
bash -e page > answer; echo "page: $?"
grep -oE 'status: [A-Z]*|EDE: .*' answer
apt -y install ./blocklist_*.deb >> log; echo "blocklist: $?"
blocklist lookup /etc/dnsfilter/local.txt listed.example

cp example.yaml /etc/dnsfilter/dnsfilter.yaml
ip address add 192.0.2.1/32 dev lo
systemctl restart dnsfilter
echo "example: $(ask 192.0.2.1)"

before=$(systemctl show -P MainPID dnsfilter)
cd /etc/dnsfilter; cp dnsfilter.yaml good
echo 'clients: [all]' > new; mv new dnsfilter.yaml; dnsfilter reload -c dnsfilter.yaml 2>> /root/log; echo "mistake: $?"; cd /root
apt -y install ./newer.deb > said 2>&1; echo "upgrade: $?"
grep -oE 'network "all"|NOT RESTARTED|then: .*' said | tr -d '\r'
dpkg-query -W -f '${Version} ${db:Status-Abbrev}\n' dnsfilter
[ "$before" != "$(systemctl show -P MainPID dnsfilter)" ] || systemctl is-active dnsfilter
echo "not upgraded: $(ask 192.0.2.1)"

mkdir /etc/systemd/system/dnsfilter.service.d
printf '[Service]\nDynamicUser=yes\nUser=before\n' > /etc/systemd/system/dnsfilter.service.d/before.conf
mv /etc/dnsfilter/good /etc/dnsfilter/dnsfilter.yaml; systemctl daemon-reload; systemctl restart dnsfilter
stat -c '%F' /var/lib/dnsfilter; sum=$(sha256sum < /var/lib/dnsfilter/salt)
rm -r /etc/systemd/system/dnsfilter.service.d
before=$(systemctl show -P MainPID dnsfilter)
apt -y install ./newest.deb >> log; echo "upgrade: $?"
dpkg-query -W -f '${Version}\n' dnsfilter
[ "$before" = "$(systemctl show -P MainPID dnsfilter)" ] || systemctl is-active dnsfilter
stat -c '%U %a %F' /var/lib/dnsfilter /var/log/dnsfilter; [ "$sum" = "$(sha256sum < /var/lib/dnsfilter/salt)" ] && echo 'the state stays'
echo "upgraded: $(ask 192.0.2.1)"

apt -y remove dnsfilter blocklist >> log; echo "remove: $?"
systemctl is-active dnsfilter; systemctl cat dnsfilter 2>&1 | head -1
ls /usr/bin/dnsfilter /usr/bin/blocklist
cmp example.yaml /etc/dnsfilter/dnsfilter.yaml && echo 'the settings stay'
apt -y purge dnsfilter >> log; echo "purge: $?"
ls -d /etc/dnsfilter/* /var/lib/dnsfilter
`

// installedByApt: apt installs the packages in a container with a real systemd, as the handbook says, upgrades and
// removes them. The settings of an example block there, too.
func installedByApt(t *testing.T, dist string) {
	t.Helper()
	peers.Installed(t, "apt", "dpkg-deb", "ip")
	root := containerRoot(t, aptScript)
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log", "etc/apt/apt.conf.d", "etc/apt/preferences.d"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	peers.Write(t, root, "var/lib/dpkg/status", "")
	peers.Write(t, root, "etc/resolv.conf", "nameserver 192.0.2.53\n")
	peers.Write(t, root, "root/example.yaml", read(t, "../../examples/unbound/dnsfilter.yaml"))
	_, page, _ := strings.Cut(read(t, "RUNNING.md"), "## From a package to a blocked answer\n")
	_, page, _ = strings.Cut(page, "```sh\n")
	page, _, _ = strings.Cut(page, "```")
	require.Contains(t, page, " bind9-dnsutils\n")
	peers.Write(t, root, "root/page", strings.Replace(page, " bind9-dnsutils\n", "\n", 1)) // it is in the machine's /usr

	unpacked := t.TempDir()
	for _, deb := range packages(t, dist, "*.deb") {
		run(t, "cp", deb, filepath.Join(root, "root"))
		if strings.HasPrefix(filepath.Base(deb), "dnsfilter_") {
			run(t, "dpkg-deb", "-R", deb, unpacked)
		}
	}
	for version, file := range map[string]string{"8888": "newer.deb", "9999": "newest.deb"} {
		run(t, "sed", "-i", "s/^Version: .*/Version: "+version+"/", filepath.Join(unpacked, "DEBIAN/control"))
		run(t, "dpkg-deb", "-Zgzip", "-z1", "-b", unpacked, filepath.Join(root, "root", file))
	}

	out := booted(t, root, "--overlay=/usr:"+t.TempDir()+":/usr")
	assert.Equal(t, `page: 0
status: NXDOMAIN
EDE: 15 (Blocked)
blocklist: 0
listed.example
example: status: NXDOMAIN
EDE: 15 (Blocked)
mistake: 1
upgrade: 0
network "all"
NOT RESTARTED
then: systemctl restart dnsfilter
8888 ii 
active
not upgraded: status: NXDOMAIN
EDE: 15 (Blocked)
symbolic link
upgrade: 0
9999
active
dnsfilter 700 directory
dnsfilter 750 directory
the state stays
upgraded: status: NXDOMAIN
EDE: 15 (Blocked)
remove: 0
inactive
No files found for dnsfilter.service.
the settings stay
purge: 0
/etc/dnsfilter/conf.d
/etc/dnsfilter/local.txt
/var/lib/dnsfilter
`, out, "%s", read(t, filepath.Join(root, "root/log")))
}
