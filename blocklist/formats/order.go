package formats

import (
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// domains reads plain domains. The first line may be the header of an order, as authorities number them.
type domains struct{ begun bool }

func (d *domains) line(t *lineSink, text string) {
	if !d.begun && !blank(text) {
		d.begun = true
		if t.reference = orderHeader(text); t.reference != "" {
			return
		}
	}
	parseDomains(t, text)
}

func (d *domains) end(*lineSink, func(blocklist.Entry) bool) {}

// orderHeader returns the number and the day of an order, in the order year, day, month or year, month, day or day,
// month, year: 0000351_2025.30.08, 12 2026.11.05, 351_2026-05-11, 351_11.05.2026. It is empty for any other line.
func orderHeader(line string) string {
	line = strings.TrimSpace(line)
	i := strings.IndexAny(line, "_ ")
	if i <= 0 || strings.Trim(line[:i], "0123456789") != "" {
		return ""
	}
	for _, layout := range []string{"2006.02.01", "2006.01.02", "2006-01-02", "2006-02-01", "20060102", "02.01.2006",
		"02-01-2006"} {
		if _, err := time.Parse(layout, line[i+1:]); err == nil {
			return line
		}
	}
	return ""
}
