package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/rpz"
)

// listCollector collects the metrics of the lists in the settings, and of other parts of the running service.
type listCollector running

// Describe implements [prometheus.Collector]. It describes nothing, since the lists can change.
func (s *listCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (s *listCollector) Collect(ch chan<- prometheus.Metric) {
	c := collection{ch}
	c.gauge("dnsfilter_settings_lists", "Lists that the settings in force have.", float64(len(s.active.Load().settings.Lists)), nil)
	c.flag("dnsfilter_settings_current", "1 if the settings in force are those on disk; 0 if those could not be read, take something away, or need a restart.",
		(*running)(s).settingsError() == nil, nil)
	if n, known := kernelDrops(s.inodes); known {
		c.counter("dnsfilter_udp_kernel_dropped_total", "Datagrams that the system dropped before they were read, most often since a buffer was full.", n, nil)
	}
	if pair := s.certificate.pair.Load(); pair != nil {
		c.moment("dnsfilter_certificate_expires_timestamp_seconds", "When the certificate in force expires.", pair.Leaf.NotAfter, nil)
	}
	c.stopPage(s.stopPage.Stats())
	c.logs(&s.logs)
	c.policyZones((*running)(s).zoneStatus())
	for _, l := range s.active.Load().settings.LocalFiles() {
		r, _ := reportOf(s.store, l.List)
		c.file(l, s.active.Load().fetched[l.List], s.local.failure(l.List), r.Skipped)
		c.onHold(l.List, s.local.held.of(l.List) != nil)
	}
	for _, l := range s.active.Load().settings.ZoneLists() {
		state := s.zoneLists.state(l.Rule.Zone)
		r := zoneFileReport(state.report)
		c.file(l.LocalFile(), s.active.Load().fetched[l.Rule.List], state.err, r.Skipped)
		c.onHold(l.Rule.List, s.local.held.of(l.Rule.List) != nil)
		c.zone(l.Rule.List, state.report.Serial, r.Triggers)
	}
	for _, l := range s.active.Load().settings.Lists {
		if len(l.Divert) == 0 {
			c.gauge("dnsfilter_list_urls_not_enforced", "Entries for URLs, which the DNS does not enforce without divert.",
				float64(s.store.CountURLs(l.Rule.List)), labels{"list": l.Rule.List})
		}
	}
	for list, f := range s.active.Load().subscriptions {
		status, l := f.sub.Status(), labels{"list": list}
		c.stale(list, status.Stale)
		c.onHold(list, status.Hold != nil)
		c.counter("dnsfilter_list_holds_total", "Releases that the guards have held since the start.", status.Held, l)
		c.gauge("dnsfilter_list_equivocations", "Proofs on disk that officers have signed two states of one serial.", float64(status.Equivocations), l)
		c.moment("dnsfilter_list_checked_timestamp_seconds", checkedHelp, status.Checked, l)
		c.moment("dnsfilter_list_expires_timestamp_seconds", expiresHelp, status.Expires, l)
		if r := status.Receipts; r != nil {
			c.gauge("dnsfilter_receipt_serial", "Serial that was confirmed last; 0 for none yet.", float64(r.Serial), l)
			c.gauge("dnsfilter_receipts_waiting", "Receipts that no origin has taken yet.", float64(r.Waiting), l)
			c.moment("dnsfilter_receipt_delivered_timestamp_seconds", "When an origin last took a receipt.", r.Delivered, l)
		}
	}
}

// fetch adds the metrics of a fetched list.
func (c collection) fetch(list string, status *FetchStatus) {
	l := labels{"list": list}
	c.moment("dnsfilter_list_checked_timestamp_seconds", checkedHelp, status.Checked, l)
	c.moment("dnsfilter_list_expires_timestamp_seconds", expiresHelp, status.Expires, l)
	c.counter("dnsfilter_list_fetched_total", "Files of a list from another server that differed from the one before.", status.Fetched, l)
	c.counter("dnsfilter_list_fetch_failures_total", "Attempts to fetch a list from another server that failed.", status.Failed, l)
}

// Help texts of metrics that signed lists and fetched lists share.
const (
	checkedHelp = "When an origin, or the server that the list comes from, last proved that this is the newest."
	expiresHelp = "Until when what is held may be taken for the newest."
)

// file adds the metrics of a local list. The argument f is nil if the list is not fetched, and failure is nil if the
// current file is in force.
func (c collection) file(l config.LocalFile, f *fetched, failure error, skipped []SkippedLines) {
	c.stale(l.List, failure != nil || f.isStale())
	if f != nil {
		c.fetch(l.List, f.status())
	}
	c.gauge("dnsfilter_list_info", "1; its labels say which file a local list is made from.", 1, labels{"list": l.List, "file": l.Path})
	for _, s := range skipped {
		c.gauge("dnsfilter_list_skipped_lines", "Lines of the file that are not in the list, by reason.", float64(s.Count), labels{"list": l.List, "reason": s.Reason})
	}
}

// zone adds the metrics of a list that is a policy zone.
func (c collection) zone(list string, serial uint32, triggers map[string]int) {
	c.gauge("dnsfilter_list_serial_in_force", "Serial of a policy zone whose records decide; 0 while there is none.", float64(serial), labels{"list": list})
	for trigger, n := range triggers {
		c.gauge("dnsfilter_list_rules", "Rules of a policy zone whose records decide, by trigger.", float64(n), labels{"list": list, "trigger": trigger})
	}
}

func (c collection) stale(list string, is bool) {
	c.flag("dnsfilter_list_stale", "1 if no origin or other server has proved lately that what is held is the newest, or a file could not be taken in.", is, labels{"list": list})
}

func (c collection) onHold(list string, is bool) {
	c.flag("dnsfilter_list_on_hold", "1 if the guards have stopped an update, or a changed file.", is, labels{"list": list})
}

// policyZones adds the metrics of the policy zones that other resolvers copy.
func (c collection) policyZones(zones []rpz.Status) {
	for _, z := range zones {
		l := labels{"zone": z.Zone}
		c.gauge("dnsfilter_rpz_serial", "Serial of a policy zone; 0 while there is none.", float64(z.Serial), l)
		c.gauge("dnsfilter_rpz_records", "Records of a policy zone, without SOA and NS.", float64(z.Records), l)
		c.flag("dnsfilter_rpz_current", "1 if a policy zone is up to date with its lists.", z.Error == "", l)
		for why, n := range z.Unsaid {
			c.gauge("dnsfilter_rpz_unsaid_entries", "Entries that a policy zone can't say, by reason.", float64(n), labels{"zone": z.Zone, "reason": why})
		}
		for kind, n := range map[string]uint64{"full": z.Full, "incremental": z.Incremental, "failed": z.Failed} {
			c.counter("dnsfilter_rpz_transfers_total", "Transfers of a policy zone; failed ones were cut short.", n, labels{"zone": z.Zone, "kind": kind})
		}
		c.gauge("dnsfilter_rpz_transfers_running", "Transfers of a policy zone at this moment.", float64(z.Running), l)
		c.counter("dnsfilter_rpz_transfer_bytes_total", "Bytes that transfers of a policy zone have sent.", z.Bytes, l)
		c.counter("dnsfilter_rpz_refused_total", "Requests for a policy zone that were refused.", z.Refused, l)
		c.counter("dnsfilter_rpz_notified_total", "Notifications of a changed policy zone that a secondary has confirmed.", z.Notified, l)
		c.counter("dnsfilter_rpz_notify_failures_total", "Changes of a policy zone that a secondary has not confirmed.", z.NotifyFailures, l)
	}
}
