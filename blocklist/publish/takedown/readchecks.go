package takedown

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/csvtable"
)

// MaxChecks is the maximum length of a file of checks, in bytes.
const MaxChecks = 64 << 20

// ReadChecks reads checks from CSV or JSON. CSV has a header with the columns url, removed and checked. JSON has
// objects with these keys, in an array or one after another. Removed is yes or no, or true or false. Checked is a day
// or a time, in UTC unless it has a time zone. Other columns and keys are ignored.
//
// An error about one line or value wraps [blocklist.ErrMalformed], and more checks may follow. Reading ends at an error
// that makes the rest unreadable, and with [blocklist.ErrTooLarge] beyond [MaxChecks].
func ReadChecks(r io.Reader) iter.Seq2[Check, error] {
	return func(yield func(Check, error) bool) {
		limited := &io.LimitedReader{R: r, N: MaxChecks + 1}
		in := bufio.NewReader(limited)
		csvtable.SkipMark(in)
		read := readCheckTable
		if first, err := firstByte(in); err == nil && (first == '[' || first == '{') {
			read = readCheckValues
		}
		err := read(in, yield)
		if limited.N == 0 {
			err = fmt.Errorf("%w: more than %d MiB; give it in parts", blocklist.ErrTooLarge, MaxChecks>>20)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(Check{}, err)
		}
	}
}

// errStopped ends reading after yield has returned false.
var errStopped = errors.New("stopped")

// firstByte skips white space and returns the next byte without consuming it.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		b, err := in.ReadByte()
		if err != nil || !strings.ContainsRune(" \t\r\n", rune(b)) {
			return b, errors.Join(err, in.UnreadByte())
		}
	}
}

// checkText has the fields of a check before they are parsed.
type checkText struct {
	url, removed, checked string
}

func (t checkText) parse() (c Check, why string) {
	if t.url == "" {
		return c, "there is no url"
	}
	target := t.url
	if !strings.Contains(target, "://") {
		target = "https://" + target
	}
	var err error
	if c.Page, err = blocklist.ParseEntry(target); err != nil || strings.ContainsAny(target, " \t\r\n") {
		if entry := (*blocklist.EntryError)(nil); errors.As(err, &entry) {
			return c, "url: " + entry.Why
		}
		return c, "url: there are blanks in it"
	}
	switch strings.ToLower(t.removed) {
	case "yes", "true":
		c.Removed = true
	case "no", "false":
	default:
		return c, fmt.Sprintf("removed is %.20q: yes or no is needed", t.removed)
	}
	if c.Checked, err = parseCheckTime(t.checked); err != nil {
		return c, fmt.Sprintf("checked is %.30q: a day (2027-05-01) or a time (2027-05-01T08:00:00Z) is needed", t.checked)
	}
	return c, ""
}

func parseCheckTime(text string) (time.Time, error) {
	if at, err := time.Parse(time.DateTime, text); err == nil {
		return at, nil
	}
	return blocklist.ParseTime(text)
}

// give parses the check and yields it, or else an error. The error begins with place, the line or number of the check.
func (t checkText) give(place string, yield func(Check, error) bool) error {
	c, why := t.parse()
	var err error
	if why != "" {
		err = fmt.Errorf("%s: %.80q: %w: %s", place, t.url, blocklist.ErrMalformed, why)
	}
	if !yield(c, err) {
		return errStopped
	}
	return nil
}

// readCheckTable yields the checks of a CSV file.
func readCheckTable(in *bufio.Reader, yield func(Check, error) bool) error {
	var columns map[string]int
	header := func(names []string) (err error) {
		columns, err = checkColumns(names)
		return err
	}
	return csvtable.Read(in, header, func(line int, row []string) error {
		field := func(name string) string {
			if i := columns[name]; i < len(row) {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		text := checkText{url: field("url"), removed: field("removed"), checked: field("checked")}
		return text.give(fmt.Sprintf("line %d", line), yield)
	})
}

// checkColumns returns the index of each column, by its name in lower case. It fails with [blocklist.ErrMalformed] if a
// required column is missing or there twice.
func checkColumns(header []string) (map[string]int, error) {
	columns := map[string]int{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := columns[name]; twice && (name == "url" || name == "removed" || name == "checked") {
			return nil, fmt.Errorf("line 1: %w: the column %q is there twice", blocklist.ErrMalformed, name)
		}
		columns[name] = i
	}
	for _, name := range []string{"url", "removed", "checked"} {
		if _, ok := columns[name]; !ok {
			return nil, fmt.Errorf("line 1: %w: there is no column %q; the header names url, removed and checked",
				blocklist.ErrMalformed, name)
		}
	}
	return columns, nil
}

// readCheckValues yields the checks of a JSON file.
func readCheckValues(in *bufio.Reader, yield func(Check, error) bool) error {
	dec := json.NewDecoder(in)
	array := false
	if first, err := firstByte(in); err == nil && first == '[' {
		array = true
		if _, err := dec.Token(); err != nil {
			return fmt.Errorf("%w: %w", blocklist.ErrMalformed, err)
		}
	}
	for n := 1; !array || dec.More(); n++ {
		var v struct {
			URL     string `json:"url"`
			Removed any    `json:"removed"`
			Checked string `json:"checked"`
		}
		err := dec.Decode(&v)
		if !array && errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("value %d: %w: %w", n, blocklist.ErrMalformed, err)
		}
		text := checkText{url: v.URL, checked: v.Checked}
		if v.Removed != nil {
			text.removed = fmt.Sprint(v.Removed)
		}
		if err := text.give(fmt.Sprintf("value %d", n), yield); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil { // the end of the array
		return fmt.Errorf("%w: the array has no end: %w", blocklist.ErrMalformed, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the array", blocklist.ErrMalformed)
	}
	return nil
}
