// Package querylog writes queries into a file: the queries that a list blocks, or a sample of all queries. Queries are
// personal data. So there is no log unless the operator turns it on, and it has no client addresses unless the operator
// chooses a form for them.
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
	// backlogSize is the maximum size of the lines that wait for the disk, in bytes. Further lines are dropped.
	backlogSize = 4 << 20
	flushEvery  = 200 * time.Millisecond // the lines of this interval are written together
)

// Config is the configuration of a log.
type Config struct {
	File      string       // path of the file, which is created with mode 0600
	Sample    int          // N: one in N queries is logged, at random; 0: only the queries that a list blocks
	Addresses Addresses    // form in which client addresses are logged
	Log       *slog.Logger // log of write errors; nil: none
}

// Log is a [dnsfilter.Tap] that writes a line of JSON for each selected query (see [Config]) after it was answered.
// Answers never wait for the disk: lines that can't be written in time are dropped and counted. If the file is renamed,
// the log creates a new one.
type Log struct {
	config  Config
	hasher  hasher
	backlog *backlog.Backlog
	written atomic.Uint64
}

// Stats has the counters of a log since it was created.
type Stats struct {
	Written uint64 // number of lines written
	Dropped uint64 // number of lines dropped, since the disk was full or too slow
}

// Compile-time check.
var _ dnsfilter.Tap = (*Log)(nil)

// New creates a log. It starts nothing: call [Log.Run].
func New(c Config) *Log {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Log{config: c, backlog: backlog.New(backlogSize)}
}

// Stats returns the counters of the log.
func (l *Log) Stats() Stats { return Stats{l.written.Load(), l.backlog.Dropped()} }

// Line is one line of the log.
type Line struct {
	Time      time.Time `json:"time"`             // when the query arrived, truncated to milliseconds
	Client    string    `json:"client,omitempty"` // address of the client, in the form of [Addresses]
	Transport string    `json:"transport"`
	Name      string    `json:"name"` // name in lower case, without the dot at its end
	Type      string    `json:"type"`
	Rcode     string    `json:"rcode,omitempty"`  // rcode of the answer; empty: no answer was sent
	List      string    `json:"list,omitempty"`   // list or quorum that decided; empty: none
	Entry     string    `json:"entry,omitempty"`  // entry that decided
	Action    string    `json:"action,omitempty"` // action of the decision
}

// Client implements [dnsfilter.Tap]. It adds a line for a selected query to the backlog.
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

// Upstream implements [dnsfilter.Tap]. It ignores the message.
func (l *Log) Upstream(upstream.Message) {}

// wants reports whether an answered query is logged.
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

// Run writes the lines of the backlog until ctx ends, and then the remaining lines.
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

// flush writes the lines of the backlog to the file, and counts the lines written and dropped.
func (l *Log) flush(out *file) {
	lines := l.backlog.Take()
	all := countLines(lines)
	written := out.write(lines)
	n := countLines(lines[:written])
	l.written.Add(uint64(n))
	l.backlog.Drop(all - n)
}
