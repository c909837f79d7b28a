package dnsfilter

// chain is the beginning of an answer, as far as the CNAME record whose target is denied. The rcode of an answer is
// that of the end of its chain (RFC 6604, section 3), so names before the end are not denied.
type chain struct {
	message []byte
	records int
	target  int // where the last target is
	size    int // of the target, in bytes of a name without pointers
}

// maxPointer is the last place in a message that a pointer of a name can reach.
const maxPointer = 1<<14 - 1
