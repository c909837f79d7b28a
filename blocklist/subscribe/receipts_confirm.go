package subscribe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/receipt"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

const (
	receiptsFile  = "release.receipts.json" // name of a file in the folder [blocklist.SignedList.Dir]
	maxWaiting    = 64                      // maximum number of unsent receipts; if there are more, the oldest is dropped
	probeWithin   = time.Minute
	firstProbe    = time.Second // first wait between two probes; it doubles up to lastProbe
	lastProbe     = time.Minute
	nothingToDo   = time.Hour
	firstDelivery = 5 * time.Second // first wait between two deliveries; it doubles up to lastDelivery
	lastDelivery  = 15 * time.Minute
	// deliverSpread is the time over which deliveries are spread, since many subscribers get an announcement at once.
	deliverSpread = 3 * time.Second
)

// receiptState is what a subscription stores about its receipts: the last confirmed release, and the unsent receipts.
type receiptState struct {
	Serial   uint64    `json:"serial"`
	Digest   string    `json:"digest"`
	Key      string    `json:"key"` // name and hash of the signing key
	Enforced time.Time `json:"enforced"`
	Waiting  []string  `json:"waiting,omitempty"` // unsent receipts, the oldest first
}

// receiptSender lets the prober verify releases, and signs and sends the receipts of a subscription.
type receiptSender struct {
	receiptState

	config  *Receipts
	sub     enforcer
	path    string // path of the file with receiptState
	origins []*fetch.Origin
	log     *slog.Logger

	probed    uint64 // the last probed serial
	probe     Probe  // the probe for the serial in probed
	probeWait time.Duration
	probeAt   time.Time // earliest time of the next probe
	sendWait  time.Duration
	sendAt    time.Time // earliest time of the next delivery

	probeErr, sendErr error // why the current serial is not confirmed; why receipts wait
}

// enforcer has the methods of a subscription that receipts need.
type enforcer interface {
	// signedInForce returns the signed description of the current release, and the files that led to it.
	signedInForce() (signed trust.Release, kept []trust.File, ok bool)
	keptPath(f trust.File) string
	openKept(f trust.File) (io.ReadCloser, error)
	setStatus(change func(*Status))
}

// sendReceipts confirms releases and delivers receipts until ctx ends.
func (s *Subscription) sendReceipts(ctx context.Context) {
	r := receiptSender{
		config: s.c.Receipts, sub: s, path: filepath.Join(s.list.Dir(), receiptsFile), origins: s.origins, log: s.c.Log,
		probeWait: firstProbe, sendWait: firstDelivery,
	}
	if err := r.load(); err != nil {
		r.log.ErrorContext(ctx, "reading what was confirmed; the release in force is confirmed again", slogErr(err))
	}
	r.updateStatus()
	for {
		wait := min(r.confirm(ctx), r.deliver(ctx))
		select {
		case <-ctx.Done():
			return
		case <-s.applied:
		case <-time.After(wait):
		}
	}
}

// unconfirmed returns the receipt to sign for the current release, and the release files with the changes since the
// last receipt. It returns false if the current release is already confirmed, or if there is none.
func (s *receiptSender) unconfirmed() (next receipt.Receipt, path []trust.File, ok bool) {
	newest, kept, ok := s.sub.signedInForce()
	if !ok || newest.Serial == s.Serial && newest.Digest == s.Digest && s.Key == keyName(s.config.Key) {
		return next, nil, false
	}
	path = since(kept, s.Serial)
	next = receipt.Receipt{List: newest.List, Serial: newest.Serial, Digest: newest.Digest, Received: time.Now()}
	if info, err := os.Stat(s.sub.keptPath(path[len(path)-1])); err == nil {
		next.Received = info.ModTime() // when the last file of the release had arrived and was verified
	}
	return next, path, true
}

func keyName(k note.Signer) string { return fmt.Sprintf("%s+%08x", k.Name(), k.KeyHash()) }

// since returns the release files with the changes after a serial. If no file starts from that serial, it returns
// only the last file.
func since(kept []trust.File, serial uint64) []trust.File {
	for i, f := range kept {
		if serial > 0 && f.Release.Base == serial {
			return kept[i:]
		}
	}
	return kept[len(kept)-1:]
}

// confirm probes the resolver, and signs a receipt if the resolver enforces the current release. It returns the time
// until confirm must be called again.
func (s *receiptSender) confirm(ctx context.Context) time.Duration {
	r, path, ok := s.unconfirmed()
	if !ok {
		return nothingToDo
	}
	if s.probed != r.Serial {
		s.probed, s.probeWait, s.probeAt = r.Serial, firstProbe, time.Time{}
		s.probe = Probe{
			List: r.List,
			Test: blocklist.CanaryName(r.List, r.Serial),
			Gone: blocklist.CanaryName(r.List, s.previousSerial(r.Serial)),
		}
		s.probe.Added, s.probe.Removed = sample(s.sub, path)
	}
	if wait := time.Until(s.probeAt); wait > 0 {
		return wait
	}
	err := s.sign(ctx, r)
	if ctx.Err() != nil {
		return nothingToDo
	}
	if err != nil {
		s.probeErr = fmt.Errorf("confirming serial %d: %w", r.Serial, err)
		s.updateStatus()
		wait := s.probeWait
		s.probeAt, s.probeWait = time.Now().Add(wait), min(2*wait, lastProbe)
		return wait
	}
	s.log.InfoContext(ctx, "the release in force is confirmed", slog.Uint64("serial", r.Serial))
	s.probeErr = nil
	s.updateStatus()
	if len(s.Waiting) == 1 {
		s.sendAt = time.Now().Add(jitter(deliverSpread / 2))
	}
	return 0
}

// sign probes the resolver. After a successful probe, it signs a receipt and saves it with the receipts to send.
func (s *receiptSender) sign(ctx context.Context, r receipt.Receipt) (err error) {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	if r.Asked, err = s.config.Probe(ctx, s.probe); err != nil {
		return err
	}
	r.Enforced = time.Now()
	if r.Received.After(r.Enforced) { // the clock was set back
		r.Received = r.Enforced
	}
	b, err := r.Sign(s.config.Key)
	if err != nil {
		return err
	}
	next := receiptState{
		Serial: r.Serial, Digest: r.Digest, Key: keyName(s.config.Key), Enforced: r.Enforced.UTC().Truncate(time.Second),
		Waiting: append(s.Waiting[max(len(s.Waiting)-maxWaiting+1, 0):len(s.Waiting):len(s.Waiting)], string(b)),
	}
	return s.save(next)
}

// previousSerial returns the serial that was enforced before the given one. This is the last confirmed serial. If none
// is known, it is the given serial minus 1.
func (s *receiptSender) previousSerial(serial uint64) uint64 {
	if s.Serial > 0 && s.Serial != serial {
		return s.Serial
	}
	return serial - 1
}

func (s *receiptSender) save(next receiptState) error {
	b, err := json.Marshal(next)
	if err == nil {
		err = disk.WriteFile(s.path, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keeping receipts: %w", err)
	}
	s.receiptState = next
	return nil
}

func (s *receiptSender) load() error {
	b, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var kept receiptState
	if err == nil {
		err = json.Unmarshal(b, &kept)
	}
	if err != nil || len(kept.Waiting) > maxWaiting {
		return errors.Join(blocklist.ErrDamaged, err)
	}
	s.receiptState = kept
	return nil
}

// updateStatus puts the state of receipts into the subscription's status. It logs an error when it first occurs or
// changes.
func (s *receiptSender) updateStatus() {
	err := errors.Join(s.probeErr, s.sendErr)
	var old *ReceiptStatus
	s.sub.setStatus(func(st *Status) {
		next := ReceiptStatus{Serial: s.Serial, Enforced: s.Enforced, Waiting: len(s.Waiting), Err: err}
		if old = st.Receipts; old != nil {
			next.Delivered = old.Delivered
		}
		st.Receipts = &next
	})
	if err != nil && (old == nil || old.Err == nil || old.Err.Error() != err.Error()) {
		s.log.Warn("what is in force is not confirmed yet", slogErr(err))
	}
}
