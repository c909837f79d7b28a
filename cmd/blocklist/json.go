package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
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
	Source    string    `json:"source,omitempty"`
}

func toJSON(e blocklist.Entry) entryJSON {
	status := "block"
	if e.Monitor {
		status = "monitor"
	}
	return entryJSON{
		Target: e.Target(), Scope: e.Scope.String(), Category: e.Category, Reference: e.Reference, Status: status,
		Expires: e.Expires, Review: e.Review, Added: e.Added, Source: e.Source,
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

// changeText returns a change as a line of a delta: the entry line with its sign.
func changeText(c blocklist.Change) string {
	if c.Removed {
		return "-" + c.Entry.String()
	}
	return "+" + c.Entry.String()
}

// fields are the fields of a JSON object.
type fields map[string]any

// ending is the JSON object that a command with --json prints to standard output at its end.
type ending struct {
	Command string   `json:"command"`          // such as "add" or "urgent push"
	Outcome string   `json:"outcome"`          // the name of the exit code
	Code    int      `json:"code"`             // the exit code
	Result  any      `json:"result,omitempty"` // what was done
	Next    []string `json:"next,omitempty"`   // the next steps, and who takes them
	Error   string   `json:"error,omitempty"`
	Hint    string   `json:"hint,omitempty"` // how to correct the error
}

// result sets the result of the command in its ending.
func (a *app) result(v any) { a.ending.Result = v }

// next prints a next step, and adds it to the ending.
func (a *app) next(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	a.ending.Next = append(a.ending.Next, text)
	a.printf("next: %s", text)
}

// endJSON prints the ending of a command. A command that only prints values has no ending unless it fails.
func (a *app) endJSON(cmd *cobra.Command, o outcome, err error) error {
	e := a.ending
	if err == nil && e.Result == nil && e.Next == nil && cmd.Annotations[changes] == "" {
		return nil
	}
	e.Command, e.Outcome, e.Code = strings.TrimPrefix(cmd.CommandPath(), "blocklist "), o.name, o.code
	if err != nil {
		e.Error, e.Hint = err.Error(), hintFor(err)
	}
	return a.printJSON(e)
}

// wantsJSON reports whether the command was called with --json.
func wantsJSON(cmd *cobra.Command) bool {
	flag := cmd.Flags().Lookup("json")
	return flag != nil && flag.Changed && flag.Value.String() == "true"
}

// changes is the annotation of commands that always print an ending with --json, because they change something.
const changes = "changes"

// changing adds --json to a command that changes something.
func changing(cmd *cobra.Command) *cobra.Command {
	cmd.Annotations = map[string]string{changes: "always"}
	cmd.Flags().Bool("json", false, "write one JSON object at the end: what was done, what is next, or the error")
	return cmd
}

func jsonFlag(cmd *cobra.Command, on *bool) {
	cmd.Flags().BoolVar(on, "json", false, "write JSON, one value a line")
}

// printAll prints all values to standard output, one per line: in JSON, by the function toJSON, or as text, by the
// function text.
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

// visibleJSON is a writer for JSON. It escapes the same characters as [visible], but with JSON escapes, so that the
// values stay the same. No Write may split a character; a JSON encoder does not.
type visibleJSON struct{ io.Writer }

// Write implements [io.Writer].
func (w visibleJSON) Write(p []byte) (int, error) {
	_, err := io.WriteString(w.Writer, escaped(string(p), func(r rune) string { return fmt.Sprintf("\\u%04x", r) }))
	return len(p), err
}

// each yields the values of a slice, with nil errors.
func each[T any](all []T) func(yield func(T, error) bool) {
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}
