package service

import (
	"encoding/json"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

// FileReport says what a local list was read as, and what of its file is not in it. It is kept with the list.
type FileReport struct {
	Format  formats.Format `json:"format"`
	Lines   int            `json:"lines"`
	Skipped []SkippedLines `json:"skipped,omitempty"`
}

// SkippedLines counts the lines that were passed over for one reason, or parts of them.
type SkippedLines struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
	Lines  []int  `json:"lines"`          // the first few line numbers
	Hint   string `json:"hint,omitempty"` // how to write what is in the first of them
}

// firstLines is how many line numbers are told of those that were passed over for one reason.
const firstLines = 5

func fileReport(r formats.Report) FileReport {
	out := FileReport{Format: r.Format, Lines: r.Lines}
	for _, s := range r.Skipped {
		s.Lines = s.Lines[:min(len(s.Lines), firstLines)]
		out.Skipped = append(out.Skipped, SkippedLines(s))
	}
	slices.SortStableFunc(out.Skipped, func(a, b SkippedLines) int { return b.Count - a.Count })
	return out
}

// reportOf returns what was kept with a local list in force; false if nothing was.
func reportOf(store *blocklist.Store, list string) (r FileReport, ok bool) {
	return r, json.Unmarshal(store.Metadata(list), &r) == nil
}
