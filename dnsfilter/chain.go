package dnsfilter

// chain is the first part of an answer, up to the CNAME record with the denied target. The rcode of an answer applies
// to the last name of its chain (RFC 6604, section 3), so the earlier names are not denied.
type chain struct {
	message []byte
	records int
	target  int // offset of the last target
	size    int // of the target as an uncompressed name, in bytes
}

// maxPointer is the highest offset that a compression pointer can refer to.
const maxPointer = 1<<14 - 1
