#!/bin/sh
# Copies the folder of a mirror to a bucket, in the order in which no reader sees half a release:
#   to-bucket.sh /var/lib/blocklist-mirror REMOTE:BUCKET
# Run it after "blocklist mirror", never beside it. REMOTE is one of rclone's (rclone config).
set -eu
from=$1 to=$2

# 1. Release files, and the documents that name them. 2. Roots. 3. The timestamp, which puts all of them in force.
rclone copy --filter '- .*' --filter '- *.root.json' --filter '- timestamp.json' "$from" "$to"
rclone copy --filter '- .*' --filter '+ *.root.json' --filter '- *' "$from" "$to"
rclone copy --filter '+ timestamp.json' --filter '- *' --ignore-times --header-upload 'Cache-Control: no-cache' "$from" "$to"
# 4. What the mirror has removed, a day after a newer release has replaced it.
rclone sync --filter '- .*' --filter '- timestamp.json' "$from" "$to"
