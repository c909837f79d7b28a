#!/bin/sh
# Announces the anycast address while dnsfilter is well: three good answers in a row announce it, three bad ones, or the
# end of this script, take it back. Each is asked after a second.
set -u
address=203.0.113.53 port=53 ready=http://127.0.0.1:9153/readyz
birdc=${BIRDC:-birdc} # with -s SOCKET where it is not the usual one

# localhost is answered by dnsfilter itself; /readyz knows about lists and upstreams.
well() {
	[ "$(dig +short +tries=1 +time=1 -p "$port" "@$address" localhost A)" = 127.0.0.1 ] && curl -sf -m 1 -o /dev/null "$ready"
}
# BIRD is asked each time: with its configuration read again (birdc configure), the protocol is disabled again.
announced() {
	$birdc show protocols anycast | grep -q ' up '
}
withdraw() {
	$birdc disable anycast
}
trap 'withdraw; exit' TERM INT

withdraw
good=0 bad=0
while :; do
	if well; then good=$((good + 1)) bad=0; else bad=$((bad + 1)) good=0; fi
	if [ "$good" -ge 3 ] && ! announced; then
		$birdc enable anycast
	elif [ "$bad" -ge 3 ] && announced; then
		withdraw
	fi
	sleep 1 &
	wait $! # in the background, so that signals count at once
done
