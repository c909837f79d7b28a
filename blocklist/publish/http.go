package publish

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// pushTimeout limits the time of a push. It is long because the origin answers only after it has verified all files.
const pushTimeout = 15 * time.Minute

// maxAnswer is the maximum number of bytes of an origin's answer that are read. It is enough for the paths of all
// files, and for urgent orders.
const maxAnswer = trust.MaxUrgent

// ToHTTP returns a transport that pushes to the origin with this base URL. A nil client means [http.DefaultClient].
func ToHTTP(client *http.Client, base string) Transport {
	if client == nil {
		client = http.DefaultClient
	}
	return func(ctx context.Context, list string, bundle io.Reader) error {
		ctx, cancel := context.WithTimeout(ctx, pushTimeout)
		defer cancel()
		url := strings.TrimSuffix(base, "/") + "/lists/" + list
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bundle)
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", trust.ContentType)
		response, err := client.Do(request)
		if err != nil {
			return fmt.Errorf("the origin is %w: %w", blocklist.ErrUnavailable, err)
		}
		defer response.Body.Close() //nolint:errcheck // it was only read
		// after a redirect, the request could have become a GET
		if response.StatusCode/100 == 2 && response.Request.Method == http.MethodPost {
			return nil
		}
		text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		if response.StatusCode == http.StatusConflict && response.Header.Get("Content-Type") == trust.OrdersType {
			return &trust.OrdersError{Held: text, Err: fmt.Errorf("the origin refused it: %w: it has newer urgent orders",
				blocklist.ErrRollback)}
		}
		if response.StatusCode == http.StatusPreconditionFailed {
			return &trust.MissingError{Paths: strings.Split(strings.TrimSpace(string(text)), "\n")}
		}
		if response.StatusCode == http.StatusConflict {
			return conflict(answer(text))
		}
		if response.StatusCode/100 == 4 {
			return fmt.Errorf("%w: %s (%s)", blocklist.ErrRefused, answer(text), response.Status)
		}
		return fmt.Errorf("the origin is %w: %s (%s)", blocklist.ErrUnavailable, answer(text), response.Status)
	}
}

// conflict returns the error for an answer with status 409 (Conflict): an equivocation if the text of the answer says
// so, otherwise a rollback.
func conflict(text string) error {
	kind := blocklist.ErrRollback
	if strings.Contains(text, blocklist.ErrEquivocation.Error()) {
		kind = blocklist.ErrEquivocation
	}
	return fmt.Errorf("the origin refused it: %w: %s", kind, strings.Replace(text, kind.Error()+": ", "", 1))
}

// answer returns the text of an origin's answer as one line that is safe to print.
func answer(text []byte) string {
	return utf8text.Plain(strings.Join(strings.Fields(string(text)), " "))
}
