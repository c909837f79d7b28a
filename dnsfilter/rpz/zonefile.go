package rpz

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
)

// writeFile writes the zone file of the configuration, unless that file already has the current serial.
func (z *Zone) writeFile() error {
	c, s := z.config.Load(), z.current.Load()
	if c.File == "" || s == nil {
		return nil
	}
	key := c.File + " " + strconv.FormatUint(uint64(s.Serial), 10)
	if z.written == key {
		return nil
	}
	if err := replaceFile(c.File, s.writeText); err != nil {
		return fmt.Errorf("writing the zone file: %w", err)
	}
	z.written = key
	return nil
}

// writeText writes the zone in the form of a zone file (RFC 1035, section 5).
func (s *snapshot) writeText(to io.Writer) error {
	walk := s.walk()
	w := bufio.NewWriterSize(to, bufferSize)
	fmt.Fprintf(w, "$ORIGIN %s.\n$TTL %d\n@ SOA localhost. nobody.invalid. %d %d %d %d %d\n@ NS localhost.\n", s.Zone, ttl, s.Serial,
		refresh, retry, expire, ttl)
	if s.Digest != nil {
		fmt.Fprintf(w, "@ ZONEMD %d %d %d %x\n", s.Serial, dns.ZoneMDSchemeSimple, dns.ZoneMDHashAlgSHA384, s.Digest)
	}
	texts := make([][]string, len(s.Verdicts))
	for i, v := range s.Verdicts {
		for _, d := range v.Records {
			texts[i] = append(texts[i], d.text())
		}
	}
	var wire []byte
	for {
		o, err := walk.next()
		if errors.Is(err, io.EOF) {
			return w.Flush()
		}
		if err != nil {
			return err
		}
		wire = appendRecord(wire[:0], o, nil)
		wire = append(wire[:len(wire)-len(toZone)], 0)
		for _, text := range texts[o.verdict] {
			line := appendOwnerText(w.AvailableBuffer(), wire)
			_, _ = w.Write(append(append(line, text...), '\n')) // Flush returns the error
		}
	}
}

// appendOwnerText appends an owner name in presentation form, relative to the zone. The asterisk of a wildcard is not
// escaped.
func appendOwnerText(dst, wire []byte) []byte {
	if wire[0] == 1 && wire[1] == '*' {
		dst, wire = append(dst, "*."...), wire[2:]
	}
	return append(blocklist.Name(wire).Append(dst), ' ')
}

// text returns a record in presentation form, without its owner name.
func (d data) text() string {
	text := ""
	if own := binary.BigEndian.Uint32(d[4:]); own != ttl {
		text = strconv.FormatUint(uint64(own), 10) + " "
	}
	rdata := []byte(d[fixedData:])
	switch d.rrtype() {
	case dns.TypeA, dns.TypeAAAA:
		a, _ := netip.AddrFromSlice(rdata)
		return text + dns.TypeToString[d.rrtype()] + " " + a.String()
	}
	if string(rdata) == toNoData {
		return text + "CNAME *."
	}
	return text + "CNAME " + dns.Fqdn(blocklist.Name(rdata).String())
}

// ServeHTTP serves the zone as a zone file to the clients that may copy the zone. The ETag is the serial.
func (z *Zone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !z.config.Load().allows(from.Addr()) {
		z.refused(from.Addr(), "zone file", false, dns.RcodeRefused, dns.RcodeSuccess)
		http.Error(w, "this zone is not for this client: name its address under allow", http.StatusForbidden)
		return
	}
	s := z.current.Load()
	if s == nil {
		http.Error(w, "the zone is not ready yet", http.StatusServiceUnavailable)
		return
	}
	tag := fmt.Sprintf(`"%d"`, s.Serial)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Type", "text/dns")
	w.Header().Set("Last-Modified", s.Created.Format(http.TimeFormat))
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if r.Method == http.MethodHead {
		return
	}
	if err := s.writeText(w); err != nil {
		panic(http.ErrAbortHandler) // so that the client does not take the part for the whole
	}
	z.count(func(n *counts) { n.Full++ })
}
