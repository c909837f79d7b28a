package dnsfilter

import "github.com/argine-dns/argine/blocklist"

// Flush forgets the cached answers about a name and all names below it, of all types, and returns how many there were;
// "." stands for all names. Questions that wait for the upstream at this moment are cached when they are answered. A
// name that is none is [blocklist.ErrMalformed].
func (s *Server) Flush(name string) (n int, err error) {
	below := []byte{0}
	if name != "." {
		if below, err = blocklist.AppendName(nil, name); err != nil {
			return 0, err
		}
	}
	return s.cache.Flush(below), nil
}
