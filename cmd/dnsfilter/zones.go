package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/argine-dns/argine/dnsfilter/rpz"
)

// printZones prints the states of the policy zones.
func printZones(w io.Writer, zones []rpz.Status) {
	for _, z := range zones {
		fmt.Fprintf(w, "zone %s\tserial %d, %d records\n", z.Zone, z.Serial, z.Records)
		fmt.Fprintf(w, "\ttransfers: %d full, %d incremental, %d failed; %d requests refused\n", z.Full, z.Incremental, z.Failed, z.Refused)
		if z.Notified+z.NotifyFailures > 0 {
			fmt.Fprintf(w, "\tnotifications: %d confirmed, %d not\n", z.Notified, z.NotifyFailures)
		}
		for _, why := range slices.Sorted(maps.Keys(z.Unsaid)) {
			fmt.Fprintf(w, "\tnot in the zone: %d entries (%s)\n", z.Unsaid[why], why)
		}
		if z.Error != "" {
			fmt.Fprintf(w, "\tlast error: %s\n", z.Error)
		}
	}
}
