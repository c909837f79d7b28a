#!/bin/sh
# Fetches a policy zone that dnsfilter serves as a zone file (zone_files), if it has changed:
#   fetch-zone.sh http://192.0.2.1:8053/csam.rpz.example /var/lib/knot-resolver/csam.zone
# The tag, by which an unchanged zone costs nothing, is kept once the whole zone is in place: one that was cut on its way
# is fetched again.
set -eu
url=$1 file=$2

rm -f "$file.new" "$file.newtag"
[ -e "$file" ] && [ -e "$file.tag" ] || : >"$file.tag"
curl -sSf --max-time 600 --etag-compare "$file.tag" --etag-save "$file.newtag" -o "$file.new" "$url"
[ -e "$file.new" ] || exit 0 # unchanged
mv "$file.new" "$file"
mv "$file.newtag" "$file.tag"
