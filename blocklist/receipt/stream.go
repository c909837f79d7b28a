package receipt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/argine-dns/argine/blocklist"
)

// Split yields the receipts of a stream, unverified; [Open] verifies them. The last value may be an error.
func Split(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, MaxReceipt), MaxReceipt)
		lines.Split(scanLines)
		var one []byte
		for lines.Scan() {
			if string(lines.Bytes()) == Format+"\n" && len(one) > 0 {
				if !yield(one, nil) {
					return
				}
				one = nil
			}
			if one = append(one, lines.Bytes()...); len(one) > MaxReceipt {
				yield(nil, fmt.Errorf("reading receipts: %w: one has more than %d bytes", blocklist.ErrTooLarge, MaxReceipt))
				return
			}
		}
		err := lines.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("%w: a line has more than %d bytes", blocklist.ErrTooLarge, MaxReceipt)
		}
		if err != nil {
			yield(nil, fmt.Errorf("reading receipts: %w", err))
			return
		}
		if len(one) > 0 {
			yield(one, nil)
		}
	}
}

// scanLines is a [bufio.SplitFunc] that splits after each line feed. The last line may lack the line feed.
func scanLines(data []byte, atEOF bool) (int, []byte, error) {
	for i, c := range data {
		if c == '\n' {
			return i + 1, data[:i+1], nil
		}
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
