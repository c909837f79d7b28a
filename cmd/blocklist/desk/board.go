package desk

import (
	"context"
	"time"

	"github.com/argine-dns/argine/blocklist/publish/report"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// chartReleases is how many releases the plot has.
const chartReleases = 20

// board reads the receipts, at most once a minute for each state of the list.
func (v *visit) board() (*board, error) {
	return v.boards.get(v.r.Context(), v.now.Head.Hash, func(ctx context.Context) (*board, error) {
		said, err := v.readReceipts(ctx)
		if err != nil {
			return nil, err
		}
		var releases []receipt.Release
		for r, err := range v.ledger.Releases(ctx, 0) {
			if err != nil {
				return nil, err
			}
			if r.Problem == "" {
				releases = append(releases, receipt.Release{Serial: r.Serial, Digest: r.SignedDigest, Created: r.Created})
			}
		}
		b := &board{
			from:      said.From,
			standings: receipt.Judge(releases, said.Subscribers, said.Statements, v.Deadline, time.Now()),
		}
		b.times, err = report.Enforced(ctx, v.ledger, chartReleases, report.Options{Deadline: v.Deadline, Receipts: said})
		return b, err
	})
}
