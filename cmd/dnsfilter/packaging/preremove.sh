#!/bin/sh
# dpkg calls this with "remove" or "upgrade", rpm with the number of versions that stay.
set -e
[ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ] || exit 0
case "$1" in
remove | 0) systemctl --no-reload disable --now dnsfilter.service dnsfilter.socket ;;
esac
