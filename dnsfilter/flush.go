package dnsfilter

import "github.com/argine-dns/argine/blocklist"

// Flush removes the cached answers about a name and all names below it, of all types. It returns the number of removed
// answers. "." stands for all names. Queries that are in flight still add their answers to the cache. The error is
// [blocklist.ErrMalformed] if name is no domain name.
func (s *Server) Flush(name string) (n int, err error) {
	below := []byte{0}
	if name != "." {
		if below, err = blocklist.AppendName(nil, name); err != nil {
			return 0, err
		}
	}
	return s.cache.Flush(below), nil
}
