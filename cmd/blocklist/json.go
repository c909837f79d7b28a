package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
)

// entryJSON is the JSON form of an entry.
type entryJSON struct {
	Target    string    `json:"target"`
	Scope     string    `json:"scope"`
	Category  string    `json:"category,omitempty"`
	Reference string    `json:"ref,omitempty"`
	Status    string    `json:"status"` // block or monitor
	Expires   time.Time `json:"expires,omitzero"`
	Review    time.Time `json:"review,omitzero"`
	Added     time.Time `json:"added,omitzero"`
}

func toJSON(e blocklist.Entry) entryJSON {
	status := "block"
	if e.Monitor {
		status = "monitor"
	}
	return entryJSON{
		Target: e.Target(), Scope: e.Scope.String(), Category: e.Category, Reference: e.Reference, Status: status,
		Expires: e.Expires, Review: e.Review, Added: e.Added,
	}
}

// changeJSON is the JSON form of a change.
type changeJSON struct {
	Change string `json:"change"` // add or remove
	entryJSON
}

func changeToJSON(c blocklist.Change) changeJSON {
	if c.Removed {
		return changeJSON{"remove", toJSON(c.Entry)}
	}
	return changeJSON{"add", toJSON(c.Entry)}
}

// changeText returns a change as a line of text.
func changeText(c blocklist.Change) string {
	if c.Removed {
		return "-" + c.Entry.String()
	}
	return "+" + c.Entry.String()
}

func jsonFlag(cmd *cobra.Command, on *bool) {
	cmd.Flags().BoolVar(on, "json", false, "write JSON, one value a line")
}

// printAll prints all values to standard output, one per line: as JSON of toJSON, or as text.
func printAll[T, J any](a *app, asJSON bool, all iter.Seq2[T, error], toJSON func(T) J, text func(T) string) error {
	w := bufio.NewWriterSize(a.stdout, 64<<10)
	enc := json.NewEncoder(visibleJSON{w})
	for v, err := range all {
		if err == nil && asJSON {
			err = enc.Encode(toJSON(v))
		} else if err == nil {
			_, err = fmt.Fprintln(w, visible(text(v)))
		}
		if err != nil {
			w.Flush() //nolint:errcheck // the first error is the one to tell
			return err
		}
	}
	return w.Flush()
}

// printJSON prints one value as a line of JSON.
func (a *app) printJSON(v any) error { return json.NewEncoder(visibleJSON{a.stdout}).Encode(v) }

// visibleJSON writes JSON, and escapes what [visible] escapes. The values stay the same. Each Write has whole characters,
// as those of a JSON encoder do.
type visibleJSON struct{ io.Writer }

// Write implements [io.Writer].
func (w visibleJSON) Write(p []byte) (int, error) {
	_, err := io.WriteString(w.Writer, escaped(string(p), func(r rune) string { return fmt.Sprintf("\\u%04x", r) }))
	return len(p), err
}

// each yields the values of a slice.
func each[T any](all []T) func(yield func(T, error) bool) {
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}
