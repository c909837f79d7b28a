package upstream

import (
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

func TestCaseIsTriedAgain(t *testing.T) {
	t.Parallel()
	var e caseSupport
	now := time.Unix(1_800_000_000, 0)
	assert.False(t, e.isOff(now))
	assert.True(t, e.accepts(true, false))
	e.strike(true, now)
	assert.Zero(t, e.strikes.Load(), "the network loses replies of resolvers that repeat the caseMask")
	for range maxStrikes - 1 {
		assert.False(t, e.accepts(false, false))
		e.strike(false, now)
	}
	assert.True(t, e.accepts(true, true), "a failure, of a resolver that repeats the caseMask otherwise")
	assert.True(t, e.accepts(true, false))
	for range maxStrikes {
		assert.False(t, e.isOff(now))
		e.strike(false, now)
	}
	assert.True(t, e.isOff(now.Add(disableFor-1)))
	assert.False(t, e.isOff(now.Add(disableFor)))
	assert.False(t, e.accepts(true, true), "it has to prove itself again")
	e.strike(false, now.Add(disableFor))
	assert.True(t, e.isOff(now.Add(disableFor)), "once more is enough")
}

func FuzzCaseMask(f *testing.F) {
	f.Add([]byte("\x03www\x07eXample\x00\x00\x01\x00\x01"), uint64(0xdeadbeef))
	f.Add([]byte("\x01\x00\x01@\x00\x00\x01\x00\x01"), uint64(1<<63))
	f.Fuzz(func(t *testing.T, question []byte, bits uint64) {
		query := append(make([]byte, dnswire.HeaderSize), question...)
		sent := append([]byte(nil), query...)
		s := caseMask(bits)
		if _, _, err := dns.UnpackDomainName(query, dnswire.HeaderSize); err != nil || dnswire.QuestionEnd(query) == 0 {
			return
		}
		s.apply(sent)
		assert.True(t, s.matches(sent, query))
		sent[2] |= dnswire.FlagQR >> 8
		query[5], sent[5] = 1, 1
		assert.True(t, isReplyTo(sent, query), "it is the same name")
		assert.Equal(t, query[dnswire.QuestionEnd(query)-4:], sent[dnswire.QuestionEnd(query)-4:], "type and class stay")
		s.apply(sent)
		sent[2] &^= dnswire.FlagQR >> 8
		assert.Equal(t, query, sent, "twice is none")
		for i := dnswire.HeaderSize; i < dnswire.QuestionEnd(query)-4; i++ {
			if (query[i]|0x20)-'a' < 26 {
				sent = append(sent[:0], query...)
				s.apply(sent)
				sent[i] ^= 0x20
				assert.False(t, s.matches(sent, query))
			}
		}
	})
}
