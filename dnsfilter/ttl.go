package dnsfilter

import "cmp"

// blockTTL is the TTL of answers that the server makes itself, and the default TTL of blocked answers, in seconds. It
// is short, so that unblocking takes effect as fast as blocking.
const blockTTL = 30

// MaxBlockTTL is the maximum of [Rule].TTL, in seconds: a day.
const MaxBlockTTL = 24 * 3600

// ttl returns the TTL of the records in the answer to a query that the rule blocks, in seconds.
func (r *Rule) ttl() uint32 { return cmp.Or(r.TTL, blockTTL) }
