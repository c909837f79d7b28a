package dnsfilter

import (
	"hash/maphash"
	"log/slog"
	"math"
	"math/bits"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/argine-dns/argine/blocklist"
)

const (
	alarmEntries  = 200  // an alarm is due when so many different entries have blocked a client's queries in a window
	windowSeconds = 3600 // length of the window: an hour
	logSeconds    = 60   // minimum time between two log lines, in seconds

	sketchSets  = 256 // number of sets of sketches; the hash of a client selects its set
	sketchWays  = 4   // number of sketches in a set
	sketchWords = 8   // number of 64-bit words in the bitmap of a sketch
	alarmBits   = 165 // number of set bits that indicates alarmEntries entries: 512 (1 - exp(-200/512))
)

// enumerationDetector detects list enumeration: a client that is blocked by unusually many different entries of lists
// with the reason [Censored]. Such a client may be trying to find out what is on the list. A client is an IPv4 address,
// or an IPv6 /56 network.
//
// It keeps one sketch per client (linear counting): a hash of the client's address and, for the current hour, a bitmap
// of 512 bits. Each blocking entry sets one bit, by its hash; the number of entries is estimated from the number of set
// bits. Neither hash can be reversed: both have random keys, which exist in this process only. The memory is fixed.
// When there are too many clients, the clients with the fewest bits are evicted.
type enumerationDetector struct {
	seed     maphash.Seed
	alarms   atomic.Uint64 // number of alarms
	logged   atomic.Uint32 // time of the last log line
	sketches [sketchSets][sketchWays]sketch
}

// sketch is the bitmap of one client for one hour. The field owner has 40 bits of the client's hash, and the low 24
// bits of the hour's number.
type sketch struct {
	owner atomic.Uint64
	seen  [sketchWords]atomic.Uint64
}

func newEnumerationDetector() *enumerationDetector {
	return &enumerationDetector{seed: maphash.MakeSeed()}
}

// record counts the entry that blocks a query name, if the reason is [Censored].
func (e *enumerationDetector) record(q *query, d *Decision, now uint32, log *slog.Logger) {
	name, size := q.name(), d.Match.KeySize()
	if d.rule.Reason == Censored && size > 0 && size <= len(name) {
		e.recordEntry(q, name[len(name)-size:], now, log)
	}
}

// recordReached counts the entry that blocks a target in an answer, if the reason is [Censored]. Otherwise a client
// could enumerate a list by CNAME records of its own, with the names to try as targets.
func (e *enumerationDetector) recordReached(q *query, d *Decision, now uint32, log *slog.Logger) {
	if d.rule.Reason != Censored {
		return
	}
	text := strings.TrimPrefix(d.Match.Entry(), "=")
	entry, err := blocklist.AppendName(nil, text)
	if err != nil { // an address
		entry = []byte(text)
	}
	e.recordEntry(q, entry, now, log)
}

func (e *enumerationDetector) recordEntry(q *query, key []byte, now uint32, log *slog.Logger) {
	entry := maphash.Bytes(e.seed, key) % (sketchWords * 64)
	s := e.sketch(q.client, now/windowSeconds)
	word, bit := &s.seen[entry/64], uint64(1)<<(entry%64)
	if word.Load()&bit != 0 || word.Or(bit)&bit != 0 || s.count() != alarmBits {
		return
	}
	n := e.alarms.Add(1)
	if last := e.logged.Load(); (last == 0 || now-last >= logSeconds) && e.logged.CompareAndSwap(last, now) {
		log.Warn("a client was refused by unusually many different entries: it may be finding out what is listed",
			slog.Int("within_an_hour", alarmEntries), slog.Uint64("alarms", n))
	}
}

// sketch returns the sketch of a client in a window. If there is none, it empties a sketch and gives it to the client:
// the one with the fewest bits in the client's set, or one of an earlier window.
func (e *enumerationDetector) sketch(client netip.Addr, window uint32) *sketch {
	hash := maphash.Comparable(e.seed, clientKey(client))
	owner := hash&^0xffffff | uint64(window)&0xffffff
	set := &e.sketches[hash%sketchSets]
	at, least := 0, math.MaxInt
	for i := range set {
		held := set[i].owner.Load()
		if held == owner {
			return &set[i]
		}
		n := 0 // sketches of earlier windows
		if held&0xffffff == owner&0xffffff {
			n = set[i].count()
		}
		if n < least {
			at, least = i, n
		}
	}
	s := &set[at]
	s.owner.Store(owner) // a race with another core may lose a bit or two
	for i := range s.seen {
		s.seen[i].Store(0)
	}
	return s
}

func (s *sketch) count() (n int) {
	for i := range s.seen {
		n += bits.OnesCount64(s.seen[i].Load())
	}
	return n
}
