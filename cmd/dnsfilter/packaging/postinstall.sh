#!/bin/sh
# After an installation nothing is started: the settings come first. After an upgrade, what runs is restarted.
set -e
[ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
systemctl try-restart dnsfilter.service
