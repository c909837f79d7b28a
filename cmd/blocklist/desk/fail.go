package desk

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

var (
	errNoPage    = errors.New("there is no such page")
	errForbidden = errors.New("your role does not allow this")
	errNoRole    = errors.New("has no role at this desk")
	errNoForm    = errors.New("this address takes a form, and none came")
)

// failure is the data of the page about an error.
type failure struct {
	Key string // key of the text that says what kind of error it is, and what to do
	Err error
}

// fieldOf returns the name of the form field that an error is about; empty if there is none.
func fieldOf(err error) string {
	rule, entry, field := (*publish.RuleError)(nil), (*blocklist.EntryError)(nil), (*fieldError)(nil)
	switch {
	case errors.As(err, &rule):
		return rule.Field
	case errors.As(err, &field):
		return field.Field
	case errors.As(err, &entry), errors.Is(err, publish.ErrNotListed):
		return "entries"
	case errors.Is(err, publish.ErrNoOrder):
		return "reference"
	}
	return ""
}

// kind is a kind of errors that are explained by the same text (key), with the HTTP status of the response.
type kind struct {
	status int
	key    string
	errs   []error
}

// kinds returns the kinds of errors, in the order in which [failureOf] compares them.
func kinds() []kind {
	return []kind{
		{http.StatusNotFound, "fail.missing", []error{errNoPage, publish.ErrNoOperation, publish.ErrNoDecision, fs.ErrNotExist, proposal.ErrNotFound}},
		{http.StatusForbidden, "fail.forbidden", []error{errForbidden, errNoRole}},
		{http.StatusMethodNotAllowed, "fail.unsent", []error{errNoForm}},
		{http.StatusConflict, "fail.moved", []error{publish.ErrMoved, publish.ErrNothingPending, publish.ErrUnchanged, publish.ErrPending}},
		{http.StatusServiceUnavailable, "fail.origin", []error{blocklist.ErrUnavailable}},
		{http.StatusServiceUnavailable, "fail.busy", []error{blocklist.ErrBusy, context.DeadlineExceeded, context.Canceled}},
		{http.StatusUnprocessableEntity, "fail.refused", []error{
			blocklist.ErrHeld, publish.ErrEnds, publish.ErrRules, publish.ErrNotListed, publish.ErrNoOrder,
			blocklist.ErrUntrusted,
			blocklist.ErrClock,
			blocklist.ErrSignatures, blocklist.ErrExpired, publish.ErrListed, blocklist.ErrNoKey,
		}},
		{http.StatusBadRequest, "fail.malformed", []error{blocklist.ErrMalformed, blocklist.ErrTooLarge}},
	}
}

// failureOf returns the first kind that an error matches.
func failureOf(err error) kind {
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return kind{http.StatusRequestEntityTooLarge, "fail.malformed", nil}
	}
	for _, k := range kinds() {
		if slices.ContainsFunc(k.errs, func(known error) bool { return errors.Is(err, known) }) {
			return k
		}
	}
	return kind{http.StatusInternalServerError, "fail.other", nil}
}

// fail shows the page about an error.
func (d *Desk) fail(v *visit, err error) {
	k := failureOf(err)
	switch k.status {
	case http.StatusInternalServerError:
		d.Log.ErrorContext(v.r.Context(), "request failed", slog.String("path", v.r.URL.Path), slog.Any("error", err))
	case http.StatusServiceUnavailable:
		v.w.Header().Set("Retry-After", "5")
	}
	if err := v.write(k.status, "fail", k.key, failure{k.key, err}); err != nil {
		d.Log.ErrorContext(v.r.Context(), "page failed", slog.Any("error", err))
		http.Error(v.w, "the page can't be made", http.StatusInternalServerError)
	}
}
