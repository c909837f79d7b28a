package guard

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// Limits on files of names.
const (
	MaxNames = 1_000_000 // maximum number of lines; blank lines and comments do not count
	MaxBytes = 64 << 20  // maximum size of the file, in bytes
)

// ReadProtected reads a file of protected entries, one a line, in the syntax of [blocklist.ParseEntry]: example.com
// for that name and all names below it, =example.com for that name only, 192.0.2.0/24 for addresses. Comments begin
// with #. It fails with [blocklist.ErrMalformed] at the first line that is invalid, because skipping that line would
// leave a name unprotected. It fails with [blocklist.ErrTooLarge] beyond [MaxNames] or [MaxBytes].
func ReadProtected(r io.Reader) ([]blocklist.Entry, error) {
	var out []blocklist.Entry
	err := readLines(r, func(line string) error {
		e, err := blocklist.ParseEntry(line)
		if err == nil {
			err = protectable(e)
		}
		out = append(out, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the protected names: %w", err)
	}
	return out, nil
}

// ReadPopular reads a file of popular names, most popular first. A line is a name, or rank,name as in public lists. A
// name without a rank is ranked by its position among the names. Comments begin with #. Names whose rank is a number
// above the argument top are omitted. If top is zero, there is no limit. It fails like [ReadProtected].
func ReadPopular(r io.Reader, top int) ([]Popular, error) {
	var out []Popular
	err := readLines(r, func(line string) error {
		p := Popular{Rank: len(out) + 1}
		var err error
		text, _, _ := strings.Cut(line, "#")
		if rank, name, ok := strings.Cut(text, ","); ok {
			if p.Rank, err = strconv.Atoi(strings.TrimSpace(rank)); err != nil || p.Rank < 1 {
				return fmt.Errorf("rank %q: %w: a number from 1 is needed", rank, blocklist.ErrMalformed)
			}
			text = name
		}
		if top > 0 && p.Rank > top {
			return nil
		}
		if p.Name, err = blocklist.ParseName(strings.TrimSpace(text)); err == nil && !p.Name.IsHostname() {
			err = fmt.Errorf("name %q: %w: write a name a line, or rank,name", p.Name, blocklist.ErrMalformed)
		}
		out = append(out, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the popular names: %w", err)
	}
	return out, nil
}

// readLines calls do for each line, except for blank lines and comments.
func readLines(r io.Reader, do func(line string) error) error {
	if r == nil {
		return fmt.Errorf("%w: the reader is nil", blocklist.ErrMalformed)
	}
	limited := &io.LimitedReader{R: r, N: MaxBytes + 1}
	scan := bufio.NewScanner(limited)
	number, names := 0, 0
	for scan.Scan() {
		number++
		line := strings.TrimSpace(scan.Text())
		if number == 1 {
			text, err := utf8text.Decode([]byte(line))
			if err != nil {
				return err
			}
			line = strings.TrimSpace(string(text))
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if names++; names > MaxNames {
			return fmt.Errorf("line %d: %w: more than %d names", number, blocklist.ErrTooLarge, MaxNames)
		}
		if err := do(line); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	switch err := scan.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d: %w: longer than 64 KiB", number+1, blocklist.ErrTooLarge)
	case err != nil:
		return err
	case limited.N == 0:
		return fmt.Errorf("%w: more than %d MiB", blocklist.ErrTooLarge, MaxBytes>>20)
	}
	return nil
}
