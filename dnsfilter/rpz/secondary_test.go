package rpz_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/certtest"
	"github.com/argine-dns/argine/dnsfilter/rpz"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// newSecondary returns a secondary of the zone of the tests.
func newSecondary(t *testing.T, key bool, primaries ...string) *rpz.Secondary {
	t.Helper()
	zone, err := blocklist.ParseName(zoneName)
	require.NoError(t, err)
	s := &rpz.Secondary{Zone: zone, File: filepath.Join(t.TempDir(), "zone")}
	for _, addr := range primaries {
		p, err := upstream.ParseEndpoint(addr)
		require.NoError(t, err)
		s.Primaries = append(s.Primaries, p)
	}
	if key {
		s.Key = &withKey(t).Keys[0]
	}
	return s
}

// zoneLines returns the records of the file of a secondary without SOA, sorted, and without the name of the zone.
func zoneLines(t *testing.T, s *rpz.Secondary) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(s.File)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		rr, err := dns.NewRR(line)
		require.NoError(t, err)
		if rr == nil {
			continue // a comment
		}
		if h := rr.Header(); h.Rrtype != dns.TypeSOA && h.Rrtype != dns.TypeNS {
			data := strings.TrimPrefix(rr.String(), h.String())
			lines = append(lines, strings.TrimSuffix(h.Name, "."+zoneName)+" "+data)
		}
	}
	slices.Sort(lines)
	return lines
}

func names(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s%d.example", prefix, i))
	}
	return all
}

// TestSecondaryOfOurOwn copies a zone of this package, whole and in steps, with and without signatures.
func TestSecondaryOfOurOwn(t *testing.T) {
	t.Parallel()
	for _, signed := range []bool{true, false} {
		c := rpz.Config{}
		if signed {
			c = withKey(t)
		}
		many := names("n", 3000)
		served := one(t, c, many...)
		s := newSecondary(t, signed, "127.0.0.1:9", served.addr)
		update := func() rpz.Update {
			u, err := s.Update(t.Context())
			require.NoError(t, err)
			assert.Equal(t, served.addr, u.From.String())
			assert.Equal(t, u.Copy, s.Copy())
			return u
		}
		u := update()
		assert.True(t, u.Replaced)
		assert.False(t, u.Incremental)
		assert.Equal(t, time.Minute, u.Copy.Refresh)
		first := zoneLines(t, s)
		assert.Len(t, first, 6000)
		assert.Contains(t, first, "n7.example .")
		assert.False(t, update().Replaced, "nothing has changed")

		for step := range 3 {
			served.lists.set(t, "l", slices.Concat(many[step+1:], []string{fmt.Sprintf("new%d.example", step)})...)
			served.awaitLists()
		}
		u = update()
		assert.True(t, u.Replaced)
		assert.True(t, u.Incremental)
		lines := zoneLines(t, s)
		assert.Len(t, lines, 2*(3000-2))
		assert.Contains(t, lines, "new2.example .")
		assert.NotContains(t, lines, "new1.example .")
		assert.NotContains(t, lines, "n2.example .")
		whole := newSecondary(t, signed, served.addr)
		_, err := whole.Update(t.Context())
		require.NoError(t, err)
		assert.Equal(t, zoneLines(t, whole), lines, "as if it were copied as a whole")

		text, err := os.ReadFile(s.File)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(s.File, []byte("n1.example CNAME .\n"), 0o600))
		assert.False(t, update().Incremental, "the file was something else")
		require.NoError(t, os.WriteFile(s.File, text[:len(text)/2], 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(s.File), ".new-zone-1"), text, 0o600))
		served.lists.set(t, "l", many...)
		served.awaitLists()
		u = update()
		assert.False(t, u.Incremental, "the file is damaged")
		assert.Equal(t, first, zoneLines(t, s))
		assert.NoFileExists(t, filepath.Join(filepath.Dir(s.File), ".new-zone-1"))
	}
}

func TestWrongKey(t *testing.T) {
	t.Parallel()
	served := one(t, withKey(t), "a.example")
	for text, want := range map[string]string{
		strings.Replace(keyText, "transfer.example", "other.example", 1): "BADKEY: the primary does not know the key",
		strings.Replace(keyText, "c2VjcmV0", "b3RoZXI0", 1):              "BADSIG: the primary has another secret",
		strings.Replace(keyText, "sha256", "sha512", 1):                  "BADKEY",
	} {
		keys, err := rpz.ParseKeys(text)
		require.NoError(t, err)
		s := newSecondary(t, false, served.addr)
		s.Key = &keys[0]
		_, err = s.Update(t.Context())
		assert.ErrorContains(t, err, want)
		assert.NoFileExists(t, s.File)
	}
	_, err := newSecondary(t, false, served.addr).Update(t.Context())
	assert.ErrorContains(t, err, "the answer is REFUSED")
}

// script is a primary that answers each query by a function of the test.
func script(t *testing.T, answer func(w *scripted, q *dns.Msg)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	scriptAt(t, l, answer)
	return l.Addr().String()
}

// scriptAt is script for a listener.
func scriptAt(t *testing.T, l net.Listener, answer func(w *scripted, q *dns.Msg)) {
	t.Helper()
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				w := &scripted{Conn: conn}
				for {
					var length [2]byte
					if _, err := io.ReadFull(conn, length[:]); err != nil {
						return
					}
					packet := make([]byte, binary.BigEndian.Uint16(length[:]))
					q := new(dns.Msg)
					if _, err := io.ReadFull(conn, packet); err != nil || q.Unpack(packet) != nil {
						return
					}
					w.begin(q)
					answer(w, q)
				}
			}()
		}
	}()
}

// scripted writes the messages of an answer.
type scripted struct {
	net.Conn

	q     *dns.Msg
	mac   string
	later bool
	plain bool // the next messages are not signed
	err   error

	pending []byte // messages that were not signed; the next signature is for them, too
}

// Generate implements [dns.TsigProvider].
func (w *scripted) Generate(m []byte, _ *dns.TSIG) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(secret)
	sum := hmac.New(sha256.New, key)
	before := 2 + len(w.mac)/2
	sum.Write(m[:before])
	sum.Write(w.pending)
	sum.Write(m[before:])
	return sum.Sum(nil), err
}

// Verify implements [dns.TsigProvider].
func (w *scripted) Verify([]byte, *dns.TSIG) error { return nil }

func (w *scripted) begin(q *dns.Msg) {
	w.q, w.later, w.plain, w.pending = q, false, false, nil
	if t := q.IsTsig(); t != nil {
		w.mac = t.MAC
	}
}

// send sends one message with records.
func (w *scripted) send(records ...string) {
	m := new(dns.Msg).SetReply(w.q)
	m.Authoritative = true
	for _, text := range records {
		rr, err := dns.NewRR("$ORIGIN " + zoneName + "\n$TTL 60\n" + text)
		if err != nil {
			panic(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	w.sendMsg(m)
}

func (w *scripted) sendMsg(m *dns.Msg) {
	packet, err := m.Pack()
	if t := w.q.IsTsig(); err == nil && t != nil && !w.plain {
		m.SetTsig(t.Hdr.Name, t.Algorithm, 300, time.Now().Unix())
		packet, w.mac, err = dns.TsigGenerateWithProvider(m, w, w.mac, w.later)
		w.later, w.pending = true, nil
	} else if t != nil {
		w.pending = append(w.pending, packet...)
	}
	if err == nil {
		_, err = w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...))
	}
	w.err = err
}

func soaText(serial int) string {
	return fmt.Sprintf("@ SOA ns.example. mail.example. %d 60 30 3600 60", serial)
}

// TestBadPrimaries has primaries that make nothing of the file, each with serial 2 while the file has serial 1.
func TestBadPrimaries(t *testing.T) {
	t.Parallel()
	transfer := func(answer func(w *scripted)) func(w *scripted, q *dns.Msg) {
		return func(w *scripted, q *dns.Msg) {
			if q.Question[0].Qtype == dns.TypeSOA {
				w.send(soaText(2))
				return
			}
			answer(w)
		}
	}
	messages := func(all ...[]string) func(w *scripted, q *dns.Msg) {
		return transfer(func(w *scripted) {
			for _, m := range all {
				w.send(m...)
			}
			_ = w.Close()
		})
	}
	for name, c := range map[string]struct {
		answer func(w *scripted, q *dns.Msg)
		want   string
	}{
		"older":               {func(w *scripted, _ *dns.Msg) { w.send(soaText(0)) }, "its serial 0 is older than 1"},
		"lame":                {func(w *scripted, q *dns.Msg) { w.sendMsg(new(dns.Msg).SetReply(q)) }, "does not have the zone"},
		"another SOA":         {func(w *scripted, _ *dns.Msg) { w.send("other.example. SOA a. b. 2 60 60 60 60") }, "does not have the zone"},
		"refused":             {func(w *scripted, q *dns.Msg) { w.sendMsg(new(dns.Msg).SetRcode(q, dns.RcodeRefused)) }, "the answer is REFUSED"},
		"another zone":        {messages([]string{"other.example. SOA a. b. 2 60 60 60 60", "a CNAME ."}), "the SOA record of another zone"},
		"another zone within": {messages([]string{soaText(2), "a CNAME ."}, []string{"other.example. SOA a. b. 2 60 60 60 60"}), "the SOA record of another zone"},
		"no SOA":              {messages([]string{"a CNAME .", soaText(2)}), "does not begin with the SOA record"},
		"cut":                 {messages([]string{soaText(2), "a CNAME ."}), "closed too early"},
		"two serials":         {messages([]string{soaText(2), "a CNAME .", soaText(3)}), "begins with serial 2 and ends with 3"},
		"more behind":         {messages([]string{soaText(2), "a CNAME .", soaText(2), "b CNAME ."}), "behind the last SOA record"},
		"no records":          {messages([]string{soaText(2), "a CNAME ."}, nil), "without records"},
		"unsigned":            {transfer(func(w *scripted) { w.plain = true; w.send(soaText(2), "a CNAME .", soaText(2)) }), "signature (TSIG) of the primary is missing"},
		"unsigned end": {transfer(func(w *scripted) {
			w.send(soaText(2), "a CNAME .")
			w.plain = true
			w.send(soaText(2))
		}), "missing at the end"},
		"too many unsigned": {transfer(func(w *scripted) {
			w.send(soaText(2), "a CNAME .")
			w.plain = true
			for range 100 {
				w.send("b CNAME .")
			}
			w.plain = false
			w.send(soaText(2))
		}), "is missing"},
		"changed on the way": {transfer(func(w *scripted) {
			w.send(soaText(2), "a CNAME .")
			w.mac = strings.Repeat("00", 32)
			w.send(soaText(2))
		}), "is wrong"},
		"endless": {transfer(func(w *scripted) {
			w.send(soaText(2), "a CNAME .")
			for w.err == nil {
				w.send("b CNAME .")
			}
		}), "more than 1000 records"},
		"heavy": {transfer(func(w *scripted) {
			w.send(soaText(2), "a CNAME .")
			for w.err == nil {
				w.send("b TXT " + strings.Repeat(strings.Repeat("x", 250)+" ", 200))
			}
		}), "more than 0 MiB"},
		"silent": {transfer(func(w *scripted) { w.send(soaText(2), "a CNAME ."); time.Sleep(time.Second) }), "timeout"},
		"slow": {transfer(func(w *scripted) {
			w.send(soaText(2), "a CNAME .")
			for w.err == nil {
				time.Sleep(100 * time.Millisecond)
				w.send("b CNAME .")
			}
		}), "too long"},
		"bytes": {func(w *scripted, _ *dns.Msg) { _, _ = w.Write([]byte("\x00\x0cHTTP/1.1 400")); _ = w.Close() }, "not one to the query"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSecondary(t, true, script(t, c.answer))
			whole, message := time.Minute, time.Minute // not reached, however slow the machine is
			switch name {
			case "silent":
				message = 100 * time.Millisecond
			case "slow":
				whole = time.Second
			}
			s.Limit(1000, 1<<19, whole, message)
			before := zoneName + "\t60\tIN\tSOA\tns.example. mail.example. 1 60 30 3600 60\nold." + zoneName + "\t60\tIN\tCNAME\t.\n; end of the zone\n"
			require.NoError(t, os.WriteFile(s.File, []byte(before), 0o600))
			_, err := s.Update(t.Context())
			require.ErrorContains(t, err, c.want)
			after, err := os.ReadFile(s.File)
			require.NoError(t, err)
			assert.Equal(t, before, string(after))
			left, err := os.ReadDir(filepath.Dir(s.File))
			require.NoError(t, err)
			assert.Len(t, left, 1, "temporary files")
		})
	}
}

// TestIncremental has IXFRs of all kinds; those that do not fit are followed by an AXFR.
func TestIncremental(t *testing.T) {
	t.Parallel()
	full := []string{soaText(3), "@ NS ns.example.", "full CNAME .", soaText(3)}
	for name, c := range map[string]struct {
		ixfr        []string
		want        []string
		incremental bool
	}{
		"one step":       {[]string{soaText(3), soaText(1), "old CNAME .", soaText(3), "b CNAME .", soaText(3)}, []string{"B ."}, true},
		"two steps":      {[]string{soaText(3), soaText(1), soaText(2), "b CNAME .", "c CNAME .", soaText(2), "b CNAME .", "old CNAME .", soaText(3), "OLD CNAME .", soaText(3)}, []string{"c .", "old ."}, true},
		"nothing":        {[]string{soaText(3), soaText(1), soaText(3), soaText(3)}, []string{"old ."}, true},
		"as a whole":     {full, []string{"full ."}, false},
		"empty":          {[]string{soaText(3), soaText(3)}, nil, false},
		"does not fit":   {[]string{soaText(3), soaText(2), "old CNAME .", soaText(3), soaText(3)}, []string{"full ."}, false},
		"not there":      {[]string{soaText(3), soaText(1), "other CNAME .", soaText(3), soaText(3)}, []string{"full ."}, false},
		"another ttl":    {[]string{soaText(3), soaText(1), "old 61 CNAME .", soaText(3), soaText(3)}, []string{"full ."}, false},
		"new ttl":        {[]string{soaText(3), soaText(1), "old CNAME .", soaText(3), "old 61 CNAME .", soaText(3)}, []string{"old ."}, true},
		"there already":  {[]string{soaText(3), soaText(1), soaText(3), "old CNAME .", soaText(3)}, []string{"full ."}, false},
		"gap":            {[]string{soaText(3), soaText(1), soaText(2), soaText(1), soaText(3), soaText(3)}, []string{"full ."}, false},
		"nothing at all": {nil, []string{"full ."}, false},
		"foreign":        {[]string{soaText(3), "a.other.example. CNAME .", "full CNAME .", soaText(3)}, []string{"full ."}, false},
	} {
		s := newSecondary(t, true, script(t, func(w *scripted, q *dns.Msg) {
			switch {
			case q.Question[0].Qtype == dns.TypeSOA:
				w.send(soaText(3))
			case q.Question[0].Qtype == dns.TypeAXFR:
				w.send(full...)
			case c.ixfr == nil:
				w.sendMsg(new(dns.Msg).SetRcode(q, dns.RcodeNotImplemented))
			default:
				for i, record := range c.ixfr { // of several messages, not all are signed
					w.plain = i%3 == 1 && i < len(c.ixfr)-1
					w.send(record)
				}
			}
		}))
		text := zoneName + "\t60\tIN\tSOA\tns.example. mail.example. 1 60 30 3600 60\nold." + zoneName + "\t60\tIN\tCNAME\t.\n; end of the zone\n"
		require.NoError(t, os.WriteFile(s.File, []byte(text), 0o600))
		u, err := s.Update(t.Context())
		require.NoError(t, err, name)
		assert.True(t, u.Replaced, name)
		assert.Equal(t, c.incremental, u.Incremental, name)
		assert.EqualValues(t, 3, s.Copy().Serial, name)
		for i := range c.want {
			c.want[i] = strings.ToLower(c.want[i])
		}
		assert.Equal(t, c.want, zoneLines(t, s), name)
		if name == "foreign" {
			assert.Equal(t, 1, u.Foreign)
		}
	}
}

// TestSecondaryOverTLS copies a zone over TLS 1.3 (RFC 9103), and from no one without the right certificate.
func TestSecondaryOverTLS(t *testing.T) {
	t.Parallel()
	cert, key := certtest.New(t)
	pair, err := tls.X509KeyPair(cert, key)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(cert))
	for name, c := range map[string]struct {
		server *tls.Config
		want   string
	}{
		"resolver.example": {&tls.Config{NextProtos: []string{"dot"}}, ""},
		"other.example":    {&tls.Config{NextProtos: []string{"dot"}}, "certificate is valid for resolver.example, not other.example"},
		"Resolver.example": {&tls.Config{NextProtos: []string{"dot"}, MaxVersion: tls.VersionTLS12}, "protocol version"},
		"RESOLVER.example": {&tls.Config{NextProtos: []string{"h2"}}, "no application protocol"},
	} {
		c.server.Certificates = []tls.Certificate{pair}
		l, err := tls.Listen("tcp", "127.0.0.1:0", c.server)
		require.NoError(t, err)
		scriptAt(t, l, func(w *scripted, q *dns.Msg) {
			if q.Question[0].Qtype == dns.TypeSOA {
				w.send(soaText(3))
				return
			}
			w.send(soaText(3), "@ NS ns.example.", "a CNAME .", soaText(3))
		})
		s := newSecondary(t, true, "tls://"+l.Addr().String()+"#"+name)
		s.Primaries[0].Roots = roots
		_, err = s.Update(t.Context())
		if c.want != "" {
			require.ErrorContains(t, err, c.want)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, []string{"a ."}, zoneLines(t, s))
	}
}

func TestNotified(t *testing.T) {
	t.Parallel()
	s := newSecondary(t, true, "192.0.2.54", "tls://[2001:db8::54]#ns.example")
	notify := func(zone string, change func(*dns.Msg)) []byte {
		m := new(dns.Msg).SetNotify(zone)
		change(m)
		packet, err := m.Pack()
		if ts := m.IsTsig(); ts != nil {
			packet, _, err = dns.TsigGenerate(m, secret, "", false)
		}
		require.NoError(t, err)
		return packet
	}
	plain := func(*dns.Msg) {}
	sign := func(key string) func(*dns.Msg) {
		return func(m *dns.Msg) { m.SetTsig(key, dns.HmacSHA256, 300, time.Now().Unix()) }
	}
	primary := netip.MustParseAddr("::ffff:192.0.2.54")
	for name, c := range map[string]struct {
		packet []byte
		client netip.Addr
		rcode  int // -1: no answer
		news   bool
	}{
		"unsigned":        {notify(zoneName, plain), primary, dns.RcodeSuccess, true},
		"another primary": {notify("BLOCK.rpz.example.", plain), netip.MustParseAddr("2001:db8::54"), dns.RcodeSuccess, true},
		"with its SOA": {notify(zoneName, func(m *dns.Msg) {
			m.Answer = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: zoneName, Rrtype: dns.TypeSOA, Class: 1}, Ns: ".", Mbox: "."}}
		}), primary, dns.RcodeSuccess, true},
		"signed":       {notify(zoneName, sign("transfer.example.")), primary, dns.RcodeSuccess, true},
		"another key":  {notify(zoneName, sign("other.example.")), primary, dns.RcodeNotAuth, false},
		"a stranger":   {notify(zoneName, plain), netip.MustParseAddr("192.0.2.55"), -1, false},
		"another zone": {notify("other.example.", plain), primary, -1, false},
		"another type": {notify(zoneName, func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeA }), primary, -1, false},
		"an answer":    {notify(zoneName, func(m *dns.Msg) { m.Response = true }), primary, -1, false},
		"cut":          {notify(zoneName, plain)[:20], primary, -1, false},
		"nothing":      {nil, primary, -1, false},
	} {
		answer, news := s.Notified(slices.Clone(c.packet), c.client)
		assert.Equal(t, c.news, news, name)
		if c.rcode < 0 {
			assert.Nil(t, answer, name)
			continue
		}
		m := new(dns.Msg)
		require.NoError(t, m.Unpack(answer), name)
		assert.Equal(t, c.rcode, m.Rcode, name)
		assert.Equal(t, dns.OpcodeNotify, m.Opcode, name)
		assert.True(t, m.Response, name)
		if ts := m.IsTsig(); ts != nil && c.news {
			q := new(dns.Msg)
			require.NoError(t, q.Unpack(c.packet))
			assert.NoError(t, dns.TsigVerify(answer, secret, q.IsTsig().MAC, false), name)
		}
	}
}

// FuzzSecondary reads the bytes of a primary.
func FuzzSecondary(f *testing.F) {
	add := func(messages ...[]string) {
		var b []byte
		for _, records := range messages {
			m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}}
			for _, text := range records {
				rr, err := dns.NewRR("$ORIGIN " + zoneName + "\n$TTL 60\n" + text)
				require.NoError(f, err)
				m.Answer = append(m.Answer, rr)
			}
			packet, err := m.Pack()
			require.NoError(f, err)
			b = append(append(b, byte(len(packet)>>8), byte(len(packet))), packet...)
		}
		f.Add(b, uint32(1))
	}
	add([]string{soaText(3), "a CNAME .", soaText(3)})
	add([]string{soaText(3), soaText(1)}, []string{"old CNAME .", soaText(3), "b TXT \"x\\010y\"", soaText(3)})
	zone, err := blocklist.ParseName(zoneName)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, stream []byte, serial uint32) {
		path := filepath.Join(t.TempDir(), "zone")
		text := fmt.Sprintf("%s\t60\tIN\tSOA\tns.example. mail.example. %d 60 30 3600 60\nold.%s\t60\tIN\tCNAME\t.\n; end of the zone\n", zoneName, serial, zoneName)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		kept := &rpz.Secondary{Zone: zone, File: filepath.Join(t.TempDir(), "zone")}
		require.NoError(t, os.WriteFile(kept.File, []byte(text), 0o600))
		z, report := readCopy(t, kept)
		applies(t, kept, z, &report)
		kept.ReadTransfer(slices.Clone(stream))
		s := &rpz.Secondary{Zone: zone, File: path}
		if !s.ReadTransfer(stream) {
			return
		}
		if kept.Copy() == s.Copy() {
			a, _ := readCopy(t, kept)
			b, _ := readCopy(t, s)
			requireSame(t, a, b)
		}
		written, err := os.ReadFile(path)
		require.NoError(t, err)
		parser := dns.NewZoneParser(strings.NewReader(string(written)), ".", "")
		n := 0
		for _, ok := parser.Next(); ok; _, ok = parser.Next() {
			n++
		}
		assert.NoError(t, parser.Err(), "%s", written)
		assert.Equal(t, strings.Count(string(written), "\n")-1, n, "one record in each line")
	})
}
