package desk

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// linesError has an error for each malformed line of a form: each line that can't be parsed as an entry.
type linesError struct {
	Errs []error
}

func (e *linesError) Error() string   { return errors.Join(e.Errs...).Error() }
func (e *linesError) Unwrap() []error { return e.Errs }

// linesOf returns the errors about single lines if err is a [linesError], and otherwise nil.
func linesOf(err error) []error {
	if lines := (*linesError)(nil); errors.As(err, &lines) {
		return lines.Errs
	}
	return nil
}

// errNoEntry is returned for a withdrawal that names neither entries nor an order.
var errNoEntry = fmt.Errorf("%w: no entry is named", blocklist.ErrMalformed)

// fieldError is an error about one field of a form.
type fieldError struct {
	Field string // name of the field
	Err   error
}

func (e *fieldError) Error() string { return e.Err.Error() }
func (e *fieldError) Unwrap() error { return e.Err }

// fileError is an error about an uploaded file.
type fileError struct {
	Name string // name of the file
	Err  error
}

func (e *fileError) Error() string { return fmt.Sprintf("%.80q: %v", e.Name, e.Err) }
func (e *fileError) Unwrap() error { return e.Err }

// dayError is returned for a text that is not a day in the form 2027-05-01.
type dayError struct {
	Text string
}

func (e *dayError) Error() string {
	return fmt.Sprintf("day %.40q: %v: a day such as 2027-05-01 is needed", e.Text, blocklist.ErrMalformed)
}
func (e *dayError) Unwrap() error { return blocklist.ErrMalformed }

// hoursError is returned for a text that is not the number of hours for which an urgent order may last.
type hoursError struct {
	Text string
	Most int // maximum number of hours
}

func (e *hoursError) Error() string {
	return fmt.Sprintf("%.20q: %v: a number of hours up to %d is needed, such as 0.5", e.Text, blocklist.ErrMalformed, e.Most)
}
func (e *hoursError) Unwrap() error { return blocklist.ErrMalformed }

// reason returns the key of a text that says why the text is not a day.
func (e *dayError) reason() string {
	for _, layout := range []string{time.DateOnly, "02/01/2006"} {
		wrong := (*time.ParseError)(nil)
		if _, err := time.Parse(layout, e.Text); errors.As(err, &wrong) && strings.HasSuffix(wrong.Message, "out of range") {
			return "why.day.none"
		}
	}
	return "why.day"
}

// entryReason returns the key of a text that explains why a line can't be parsed as an entry. It has explanations for
// common mistakes.
func entryReason(line string) string {
	target, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	name, _, isPage := strings.Cut(target, "/")
	switch {
	case strings.Contains(target, "#"):
		return "why.entry.fragment"
	case !isPage && strings.Contains(target, "@"):
		return "why.entry.mail"
	case strings.HasPrefix(strings.TrimPrefix(target, "="), "*."):
		return "why.entry.star"
	case strings.ContainsAny(name, ",;"):
		return "why.entry.several"
	case rest != "" && !isPage:
		return "why.entry.name"
	case rest != "":
		return "why.entry.space"
	}
	return "why.entry"
}
