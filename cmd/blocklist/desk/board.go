package desk

import (
	"context"
	"time"

	"github.com/argine-dns/argine/blocklist/publish/report"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// chartReleases is the number of releases in the chart of enforcement times.
const chartReleases = 20

// board returns how far each subscriber enforces the releases ([receipt.Standing]), as computed from the receipts. It
// computes this again only after the receipts were read again or the ledger has changed.
func (v *visit) board(ctx context.Context) (*board, error) {
	said, err := v.readReceipts(ctx)
	if err != nil {
		return nil, err
	}
	return v.boards.get(ctx, said.at.String()+v.now.Head.Hash, func(ctx context.Context) (*board, error) {
		var releases []receipt.Release
		for r, err := range v.ledger.SignedReleases(ctx, time.Time{}) {
			if err != nil {
				return nil, err
			}
			if r.Problem == "" {
				releases = append(releases, receipt.Release{
					Serial: r.Serial, Digest: r.SignedDigest, Created: r.Created, Published: r.Pushed,
				})
			}
		}
		b := &board{
			read:      said,
			standings: receipt.Judge(releases, said.Subscribers, said.Statements, v.Deadline, time.Now()),
		}
		o := report.Options{Deadline: v.Deadline, Receipts: said.Receipts}
		var err error
		b.times, err = report.Enforced(ctx, v.ledger, chartReleases, o)
		return b, err
	})
}

// readReceipts returns the subscribers' receipts. It reads them again if they are older than [receiptsFor], or if the
// ledger has changed.
func (v *visit) readReceipts(ctx context.Context) (read, error) {
	return v.receipts.get(ctx, v.now.Head.Hash, func(ctx context.Context) (r read, err error) {
		r.at = time.Now()
		r.Receipts, err = v.Receipts(ctx, v.ledger)
		return r, err
	})
}
