package service

import (
	"encoding/json"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

// FileReport describes how the file of a local list was read, and which of its lines were skipped. It is stored with
// the list.
type FileReport struct {
	Format  formats.Format `json:"format"`
	Lines   int            `json:"lines"`
	Skipped []SkippedLines `json:"skipped,omitempty"`

	Triggers map[string]int `json:"triggers,omitempty"` // for a policy zone: number of rules by trigger
}

// SkippedLines describes the lines of a file that were skipped for one reason.
type SkippedLines struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
	Lines  []int  `json:"lines"`          // numbers of the first few lines, at most firstLines
	Hint   string `json:"hint,omitempty"` // advice about the first line
}

// firstLines is the maximum number of line numbers in SkippedLines.
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

// reportOf returns the report stored with a local list, and false if there is none.
func reportOf(store *blocklist.Store, list string) (r FileReport, ok bool) {
	return r, json.Unmarshal(store.Metadata(list), &r) == nil
}
