// Package querylog writes queries into a file: those that a list blocks, or a sample of all. Queries are personal data.
// So the log is off unless the operator turns it on, and has no client addresses unless the operator asks for them.
package querylog

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/backlog"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

const (
	backlogSize = 4 << 20                // bytes of lines that wait for the disk
	flushEvery  = 200 * time.Millisecond // lines that come within this time are written together
)

// Config is the configuration of a log.
type Config struct {
	File      string       // path of the file, which is created with mode 0600
	Sample    int          // 1 in so many queries is written, at random; 0: all queries that a list blocks, and no others
	Addresses Addresses    // how the address of a client is written
	Log       *slog.Logger // for errors of writing; nil: none
}

// Log is a [dnsfilter.Tap] that writes a line of JSON for each selected query (see [Config]), once the query is
// answered. No answer waits for the disk: lines that the disk does not take in time are dropped and counted. After the
// file was renamed, the log goes on in a new one.
type Log struct {
	config  Config
	hasher  hasher
	backlog *backlog.Backlog
	written atomic.Uint64
}

// Stats are the counters of a log since it was created.
type Stats struct {
	Written uint64 // lines
	Dropped uint64 // lines that were not written: the disk was full or too slow
}

// type check.
var _ dnsfilter.Tap = (*Log)(nil)

// New creates a log, and starts nothing.
func New(c Config) *Log {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Log{config: c, backlog: backlog.New(backlogSize)}
}

// Stats returns the counters.
func (l *Log) Stats() Stats { return Stats{l.written.Load(), l.backlog.Dropped()} }

// Line is one line of the log.
type Line struct {
	Time      time.Time `json:"time"`             // when the query came, to a millisecond
	Client    string    `json:"client,omitempty"` // as [Addresses] says
	Transport string    `json:"transport"`
	Name      string    `json:"name"` // in lower case
	Type      string    `json:"type"`
	Rcode     string    `json:"rcode,omitempty"`  // empty: no answer was sent
	List      string    `json:"list,omitempty"`   // the list or quorum that decided
	Entry     string    `json:"entry,omitempty"`  // its entry
	Action    string    `json:"action,omitempty"` // what the list did
}

// Client implements [dnsfilter.Tap].
func (l *Log) Client(m dnsfilter.ClientMessage) {
	if m.Answered.IsZero() || !l.wants(&m) {
		return
	}
	name, off, err := dns.UnpackDomainName(m.Question, 0)
	if err != nil || off+4 != len(m.Question) {
		return
	}
	qtype := dns.Type(uint16(m.Question[off])<<8 | uint16(m.Question[off+1]))
	line := Line{
		Time: m.Asked.UTC().Truncate(time.Millisecond), Client: l.config.Addresses.of(m.Client.Addr(), m.Asked, &l.hasher),
		Transport: m.Transport.String(), Name: lower(name), Type: qtype.String(),
	}
	if d := &m.Decided; d.By != "" {
		line.List, line.Entry, line.Action = d.By, d.Entry, d.Action.String()
	}
	if len(m.Packet) >= dnswire.HeaderSize {
		line.Rcode = dns.RcodeToString[dnswire.Rcode(m.Packet)]
	}
	text, err := json.Marshal(&line)
	if err == nil {
		l.backlog.Add(append(text, '\n'))
	}
}

// Upstream implements [dnsfilter.Tap]. Nothing of it is written.
func (l *Log) Upstream(upstream.Message) {}

// wants reports whether an answer is written.
func (l *Log) wants(m *dnsfilter.ClientMessage) bool {
	if n := l.config.Sample; n > 0 {
		return rand.IntN(n) == 0 //nolint:gosec // a sample is no secret
	}
	return m.Decided.Action.Blocks()
}

// lower returns a name without the dot at its end, in lower case.
func lower(name string) string {
	if wire, err := blocklist.ParseName(name); err == nil {
		return wire.String()
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// Run writes lines until ctx ends, and then the lines that are left.
func (l *Log) Run(ctx context.Context) {
	out := file{path: l.config.File, log: l.config.Log}
	defer out.close()
	for {
		select {
		case <-ctx.Done():
		case <-l.backlog.Ready():
			select {
			case <-ctx.Done():
			case <-time.After(flushEvery):
			}
		}
		ended := ctx.Err() != nil
		if l.flush(&out); ended {
			return
		}
	}
}

// flush writes the lines of the backlog.
func (l *Log) flush(out *file) {
	lines := l.backlog.Take()
	all := countLines(lines)
	written := out.write(lines)
	n := countLines(lines[:written])
	l.written.Add(uint64(n))
	l.backlog.Drop(all - n)
}
