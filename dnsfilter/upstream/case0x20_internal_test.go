package upstream

import (
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
)

func TestEchoIsTriedAgain(t *testing.T) {
	t.Parallel()
	var e echo
	now := time.Unix(1_800_000_000, 0)
	assert.False(t, e.isPlain(now))
	assert.True(t, e.accepts(true, false))
	e.strike(true, now)
	assert.Zero(t, e.strikes.Load(), "the network loses replies of resolvers that repeat the spelling")
	for range maxStrikes - 1 {
		assert.False(t, e.accepts(false, false))
		e.strike(false, now)
	}
	assert.True(t, e.accepts(true, true), "a failure, of a resolver that repeats the spelling otherwise")
	assert.True(t, e.accepts(true, false))
	for range maxStrikes {
		assert.False(t, e.isPlain(now))
		e.strike(false, now)
	}
	assert.True(t, e.isPlain(now.Add(plainFor-1)))
	assert.False(t, e.isPlain(now.Add(plainFor)))
	assert.False(t, e.accepts(true, true), "it has to prove itself anew")
	e.strike(false, now.Add(plainFor))
	assert.True(t, e.isPlain(now.Add(plainFor)), "once more is enough")
}

func FuzzSpelling(f *testing.F) {
	f.Add([]byte("\x03www\x07eXample\x00\x00\x01\x00\x01"), uint64(0xdeadbeef))
	f.Add([]byte("\x01\x00\x01@\x00\x00\x01\x00\x01"), uint64(1<<63))
	f.Fuzz(func(t *testing.T, question []byte, bits uint64) {
		query := append(make([]byte, headerSize), question...)
		sent := append([]byte(nil), query...)
		s := spelling(bits)
		if _, _, err := dns.UnpackDomainName(query, headerSize); err != nil || questionEnd(query) == 0 {
			return
		}
		s.apply(sent)
		assert.True(t, s.echoed(sent, query))
		sent[2] |= flagQR
		query[5], sent[5] = 1, 1
		assert.True(t, answers(sent, query), "it is the same name")
		assert.Equal(t, query[questionEnd(query)-4:], sent[questionEnd(query)-4:], "type and class stay")
		s.apply(sent)
		sent[2] &^= flagQR
		assert.Equal(t, query, sent, "twice is none")
		for i := headerSize; i < questionEnd(query)-4; i++ {
			if lower(query[i])-'a' < 26 {
				sent = append(sent[:0], query...)
				s.apply(sent)
				sent[i] ^= 0x20
				assert.False(t, s.echoed(sent, query))
			}
		}
	})
}
