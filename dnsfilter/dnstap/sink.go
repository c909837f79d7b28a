package dnstap

import (
	"context"
	"encoding/binary"
	"log/slog"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/backlog"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

const (
	// backlogSize is the maximum size of the messages that wait for the collector, in bytes. Further messages are
	// dropped.
	backlogSize = 4 << 20
	flushEvery  = 200 * time.Millisecond // the messages of this interval are sent together
	firstPause  = time.Second            // first pause before connecting again
	longPause   = 30 * time.Second       // longest pause before connecting again
	endWithin   = time.Second            // time for sending the last messages, after Run was told to end
)

// Config is the configuration of a sink.
type Config struct {
	Target   Target
	Identity string       // name of the server, as in answers with NSID; empty: none
	Version  string       // version of the server; empty: none
	Log      *slog.Logger // log of connections and errors; nil: none
}

// Sink is a [dnsfilter.Tap] that sends messages to a collector, or writes them to a file.
type Sink struct {
	config  Config
	head    []byte // fields that each frame begins with
	backlog *backlog.Backlog

	sent      atomic.Uint64
	connected atomic.Bool
}

// Stats has the state of a sink, and its counters since it was created.
type Stats struct {
	Sent      uint64 // number of messages sent to the collector, or written
	Dropped   uint64 // number of messages dropped, since there was no collector or it was too slow
	Connected bool   // the sink is connected to the collector, or the file is open
}

// Compile-time check.
var _ dnsfilter.Tap = (*Sink)(nil)

// New creates a sink. It starts nothing: call [Sink.Run].
func New(c Config) *Sink {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sink{config: c, backlog: backlog.New(backlogSize)}
	if c.Identity != "" {
		s.head = appendBytes(s.head, fieldIdentity, []byte(c.Identity))
	}
	if c.Version != "" {
		s.head = appendBytes(s.head, fieldVersion, []byte(c.Version))
	}
	s.head = appendNumber(s.head, fieldType, 1)
	return s
}

// Stats returns the state and the counters of the sink.
func (s *Sink) Stats() Stats {
	return Stats{Sent: s.sent.Load(), Dropped: s.backlog.Dropped(), Connected: s.connected.Load()}
}

// usualMessage and usualFrame are the sizes, in bytes, up to which messages and frames need no allocation.
const (
	usualMessage = 2048
	usualFrame   = usualMessage + 512
)

// Client implements [dnsfilter.Tap]. It adds the message to the backlog.
func (s *Sink) Client(m dnsfilter.ClientMessage) {
	var buf [usualMessage]byte
	s.add(appendClient(buf[:0], &m))
}

// Upstream implements [dnsfilter.Tap]. It adds the message to the backlog.
func (s *Sink) Upstream(m upstream.Message) {
	var buf [usualMessage]byte
	s.add(appendUpstream(buf[:0], &m))
}

// add adds a frame with a dnstap Message to the backlog, preceded by the length of the frame.
func (s *Sink) add(message []byte) {
	var buf [usualFrame]byte
	frame := append(append(buf[:0], 0, 0, 0, 0), s.head...)
	frame = protowire.AppendBytes(protowire.AppendTag(frame, fieldMessage, protowire.BytesType), message)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	s.backlog.Add(frame)
}

// Run sends the messages of the backlog until ctx ends, and then the remaining messages. It reconnects after errors.
func (s *Sink) Run(ctx context.Context) {
	pause := firstPause
	for {
		w, err := s.open(ctx)
		if err == nil {
			s.connected.Store(true)
			s.config.Log.Info("dnstap: connected", slog.String("to", s.config.Target.String()))
			pause = firstPause
			stop := context.AfterFunc(ctx, func() { time.AfterFunc(endWithin, w.abort) })
			err = s.send(ctx, w)
			s.connected.Store(false)
			w.close()
			stop()
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.config.Log.Warn("dnstap: messages are dropped until the collector takes them", slog.Any("error", err), slog.Duration("again_in", pause))
			sleep(ctx, pause)
			pause = min(2*pause, longPause)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// send sends messages until ctx ends, sending fails, or the file was renamed.
func (s *Sink) send(ctx context.Context, w *writer) error {
	for {
		select {
		case <-ctx.Done():
			return s.sendBacklog(w)
		case <-s.backlog.Ready():
		}
		sleep(ctx, flushEvery)
		if err := s.sendBacklog(w); err != nil {
			return err
		}
		if w.isMoved() {
			return nil // the next file is made
		}
	}
}

// sendBacklog sends the messages of the backlog, and counts them. After an error, it counts all of them as dropped.
func (s *Sink) sendBacklog(w *writer) error {
	var err error
	n := 0
	for rest := s.backlog.Take(); len(rest) > 0; n++ {
		end := 4 + int(binary.BigEndian.Uint32(rest))
		if err == nil {
			_, err = w.WriteFrame(rest[4:end])
		}
		rest = rest[end:]
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		s.backlog.Drop(n)
		return err
	}
	s.sent.Add(uint64(n))
	return nil
}
