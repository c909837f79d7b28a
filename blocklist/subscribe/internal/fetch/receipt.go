package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/httpget"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// noReceiptsPause is the time before the next attempt at an origin that accepts no receipts, such as a file server.
const noReceiptsPause = 15 * time.Minute

var (
	// ErrNoReceipts is returned by [PostReceipt] if no origin accepts receipts.
	ErrNoReceipts = errors.New("it takes no receipts")
	// ErrReceiptRefused is returned by [PostReceipt] if an origin refuses the receipt as invalid.
	ErrReceiptRefused = errors.New("it refuses the receipt")
)

// PostReceipt posts a receipt to the first origin that accepts it. Calls must not overlap.
func PostReceipt(ctx context.Context, origins []*Origin, receipt []byte) error {
	all := fmt.Errorf("none of the origins: %w", ErrNoReceipts)
	for _, o := range origins {
		if o.receipts == nil || time.Now().Before(o.noReceiptsUntil) {
			continue
		}
		err := o.postReceipt(ctx, receipt)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrNoReceipts):
			o.noReceiptsUntil = time.Now().Add(noReceiptsPause)
		default:
			all = fmt.Errorf("%s: %w", o.Name, err)
		}
	}
	return all
}

// postReceipt posts a receipt to one origin. Only the status 201 Created means success, since a file server may answer
// a POST with any other status.
func (o *Origin) postReceipt(ctx context.Context, receipt []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 2*httpget.StallTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.receipts.String(), bytes.NewReader(receipt))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("User-Agent", httpget.UserAgent)
	resp, err := o.client.Do(req)
	if err != nil {
		return httpget.PlainError{Err: err}
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	switch code := resp.StatusCode; {
	case code == http.StatusCreated && resp.Request.Method == http.MethodPost:
		return nil
	case code == http.StatusNotFound, code == http.StatusMethodNotAllowed, code == http.StatusNotImplemented,
		code/100 == 2, code/100 == 3:
		return ErrNoReceipts
	case code/100 == 4 && code != http.StatusTooManyRequests:
		return fmt.Errorf("%w: %d: %s", ErrReceiptRefused, code, utf8text.Plain(string(bytes.TrimSpace(text))))
	default:
		return fmt.Errorf("the answer is %d: %s", code, utf8text.Plain(string(bytes.TrimSpace(text))))
	}
}
