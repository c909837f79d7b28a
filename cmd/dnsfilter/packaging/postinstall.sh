#!/bin/sh
# After an installation nothing is started: the settings come first. After an upgrade, what runs is restarted, but only if
# it can start: with a mistake in the settings on disk, a server that runs goes on with those before.
set -e
[ -z "$DPKG_ROOT" ] || exit 0
! command -v systemd-sysusers >/dev/null || systemd-sysusers dnsfilter.conf
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
user="setpriv --reuid=dnsfilter --regid=dnsfilter --init-groups"
next="systemctl restart dnsfilter"
restart="systemctl restart dnsfilter.service"
if [ -L /var/lib/dnsfilter ]; then # the state of a DynamicUser, which the service had before; systemd does not move it back
	user=
	next="install this package again"
	restart="systemctl start dnsfilter.service"
fi
if ! systemctl --quiet is-active dnsfilter.service; then
	restart=:
elif ! $user dnsfilter check -c /etc/dnsfilter/dnsfilter.yaml; then
	echo "dnsfilter: NOT RESTARTED, since it could not start: see above. The version before goes on, with its settings." >&2
	echo "dnsfilter: mend this until dnsfilter check -c /etc/dnsfilter/dnsfilter.yaml is content, then: $next" >&2
	exit 0
fi
if [ -L /var/lib/dnsfilter ]; then
	systemctl stop dnsfilter.service
	rm /var/lib/dnsfilter
	mv /var/lib/private/dnsfilter /var/lib/dnsfilter
	chown -R dnsfilter: /var/lib/dnsfilter
fi
$restart || echo "dnsfilter: it did not start, see: journalctl -u dnsfilter" >&2
