package upstream_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// spelled is a resolver that answers with the name as recase makes it, and remembers how it was asked.
type spelled struct {
	*fake
	mu    sync.Mutex
	asked []string
}

func newRecasing(t *testing.T, recase func(string) string) *spelled {
	t.Helper()
	s := new(spelled)
	s.fake = newFake(t, func(_ string, w dns.ResponseWriter, q *dns.Msg) {
		s.mu.Lock()
		s.asked = append(s.asked, q.Question[0].Name)
		s.mu.Unlock()
		m := reply(q, dns.RcodeSuccess, "192.0.2.1")
		m.Question[0].Name = recase(q.Question[0].Name)
		m.Answer[0].Header().Name = m.Question[0].Name
		_ = w.WriteMsg(m)
	})
	return s
}

// odd counts the queries with a letter in upper case.
func (s *spelled) odd() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.asked {
		if name != strings.ToLower(name) {
			n++
		}
	}
	return n
}

// upperSome puts letters in upper case at random, and at least one that was not.
func upperSome(name string) string {
	b := []byte(strings.ToUpper(name))
	for i := range b {
		if rand.IntN(2) == 0 {
			b[i] = strings.ToLower(name)[i]
		}
	}
	if string(b) == name {
		return strings.ToUpper(name)
	}
	return string(b)
}

func status(f *upstream.Forwarder) upstream.Status { return f.Status()[0] }

func TestSpellingIsRandomAndComesBack(t *testing.T) {
	t.Parallel()
	s := newRecasing(t, func(name string) string { return name })
	f := newForwarder(t, s.fake)
	for range 40 {
		m, err := ask(t, f)
		require.NoError(t, err)
		require.Equal(t, "example.org.", m.Question[0].Name, "in the case that was asked for")
	}
	assert.Greater(t, s.odd(), 30)
	distinct := map[string]bool{}
	for _, name := range s.asked {
		distinct[name] = true
		assert.True(t, strings.EqualFold(name, "example.org."))
	}
	assert.Greater(t, len(distinct), 30)
	assert.Len(t, s.asked, 40, "nothing was asked twice")
	assert.Zero(t, status(f).CaseMismatches)
	assert.False(t, status(f).CaseDisabled)
}

func TestResolverThatDoesNotRepeatTheCase(t *testing.T) {
	t.Parallel()
	for how, recase := range map[string]func(string) string{"lower": strings.ToLower, "some": upperSome} {
		s := newRecasing(t, recase)
		f := newForwarder(t, s.fake)
		for range 20 {
			requireAnswer(t, f, "192.0.2.1")
		}
		assert.True(t, status(f).CaseDisabled, how)
		assert.Equal(t, 3, s.odd(), "%s: it was asked without a mask after three", how)
		assert.EqualValues(t, 3, status(f).CaseMismatches, how)
		assert.EqualValues(t, 23, s.udp.Load(), how)
		assert.Zero(t, s.tcp.Load(), how)
	}
}

// TestResolverThatFailsOddCase has each of the ways in which old middle boxes treat such names.
func TestResolverThatFailsOddCase(t *testing.T) {
	t.Parallel()
	for _, rcode := range []int{dns.RcodeServerFailure, dns.RcodeRefused, dns.RcodeFormatError} {
		f := newForwarder(t, newFake(t, func(_ string, w dns.ResponseWriter, q *dns.Msg) {
			if name := q.Question[0].Name; name != strings.ToLower(name) {
				_ = w.WriteMsg(reply(q, rcode, ""))
				return
			}
			_ = w.WriteMsg(reply(q, dns.RcodeSuccess, "192.0.2.1"))
		}))
		for range 10 {
			requireAnswer(t, f, "192.0.2.1")
		}
		assert.True(t, status(f).CaseDisabled)
	}
}

func TestResolverThatIgnoresOddCase(t *testing.T) {
	t.Parallel()
	f := newForwarder(t, newFake(t, func(_ string, w dns.ResponseWriter, q *dns.Msg) {
		if name := q.Question[0].Name; name == strings.ToLower(name) {
			_ = w.WriteMsg(reply(q, dns.RcodeSuccess, "192.0.2.1"))
		}
	}))
	f.Hurry(t, hurry)
	for range 4 { // without letters there is no other case, and nothing is proved
		_, err := f.Exchange(t.Context(), new(dns.Msg).SetQuestion("1.2.3.", dns.TypeA))
		require.NoError(t, err)
	}
	for range 4 {
		requireAnswer(t, f, "192.0.2.1")
	}
	assert.True(t, status(f).CaseDisabled)
}

// TestForgedCaseIsNotAccepted has a forger that knows id and port, and the true resolver behind it.
func TestForgedCaseIsNotAccepted(t *testing.T) {
	t.Parallel()
	f := newForwarder(t, newFake(t, func(_ string, w dns.ResponseWriter, q *dns.Msg) {
		forged := reply(q, dns.RcodeSuccess, "192.0.2.66")
		if forged.Question[0].Name = strings.ToLower(q.Question[0].Name); forged.Question[0].Name != q.Question[0].Name {
			_ = w.WriteMsg(forged)
		}
		_ = w.WriteMsg(reply(q, dns.RcodeSuccess, "192.0.2.1"))
	}))
	requireAnswer(t, f, "192.0.2.1")
	assert.EqualValues(t, 1, status(f).CaseMismatches)
	assert.False(t, status(f).CaseDisabled, "one is no proof")
}

func TestNoCaseMaskOverTCP(t *testing.T) {
	t.Parallel()
	var overTCP string
	f := newForwarder(t, newFake(t, func(network string, w dns.ResponseWriter, q *dns.Msg) {
		m := reply(q, dns.RcodeSuccess, "192.0.2.1")
		if network == "udp" {
			m.Answer, m.Truncated = nil, true
		} else {
			overTCP = q.Question[0].Name
		}
		_ = w.WriteMsg(m)
	}))
	requireAnswer(t, f, "192.0.2.1")
	assert.Equal(t, "example.org.", overTCP)
}
