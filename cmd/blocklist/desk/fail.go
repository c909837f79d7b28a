package desk

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

var (
	errNoPage    = errors.New("there is no such page")
	errForbidden = errors.New("your role does not allow this")
)

// failure is what a page says about an error.
type failure struct {
	Key  string // of the text that says what kind of failure it is, and what to do
	Text string // of the error
}

// failures are the kinds of errors, with the status of the answer. The first that fits counts.
func failures() []struct {
	status int
	key    string
	errs   []error
} {
	return []struct {
		status int
		key    string
		errs   []error
	}{
		{http.StatusNotFound, "fail.missing", []error{errNoPage, publish.ErrNoOperation, fs.ErrNotExist}},
		{http.StatusForbidden, "fail.forbidden", []error{errForbidden}},
		{http.StatusConflict, "fail.moved", []error{publish.ErrMoved, publish.ErrNothingPending, publish.ErrUnchanged, publish.ErrPending}},
		{http.StatusServiceUnavailable, "fail.busy", []error{blocklist.ErrBusy, context.DeadlineExceeded, context.Canceled, blocklist.ErrUnavailable}},
		{http.StatusUnprocessableEntity, "fail.refused", []error{
			blocklist.ErrHeld, publish.ErrRules, publish.ErrNotListed, publish.ErrNoOrder, blocklist.ErrUntrusted, blocklist.ErrClock,
			blocklist.ErrSignatures, blocklist.ErrExpired, publish.ErrListed,
		}},
		{http.StatusBadRequest, "fail.malformed", []error{blocklist.ErrMalformed, blocklist.ErrTooLarge}},
	}
}

// fail shows an error.
func (d *Desk) fail(v *visit, err error) {
	status, f := http.StatusInternalServerError, failure{"fail.other", err.Error()}
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		status, f.Key = http.StatusRequestEntityTooLarge, "fail.malformed"
	}
search:
	for _, kind := range failures() {
		for _, known := range kind.errs {
			if errors.Is(err, known) {
				status, f.Key = kind.status, kind.key
				break search
			}
		}
	}
	if status == http.StatusInternalServerError {
		d.Log.ErrorContext(v.r.Context(), "request failed", slog.String("path", v.r.URL.Path), slog.Any("error", err))
	}
	if status == http.StatusServiceUnavailable {
		v.w.Header().Set("Retry-After", "5")
	}
	if err := v.write(status, "fail", f.Key, f); err != nil {
		d.Log.ErrorContext(v.r.Context(), "page failed", slog.Any("error", err))
		http.Error(v.w, "the page can't be made", http.StatusInternalServerError)
	}
}
