package blocklist_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/blocklist"
)

func TestErrors(t *testing.T) {
	for text, test := range map[string]struct{ err, is error }{
		`entry "x": why`:         {&blocklist.EntryError{Text: "x", Why: "why"}, blocklist.ErrMalformed},
		`line 7: entry "x": why`: {&blocklist.EntryError{Line: 7, Text: "x", Why: "why"}, blocklist.ErrMalformed},
		"it.example/csam: serial 41 is older than what is held (42)": {
			&blocklist.SerialError{List: "it.example/csam", Held: 42, Got: 41, Err: blocklist.ErrRollback}, blocklist.ErrRollback,
		},
		"it.example/csam: delta 43-44 does not continue what is held (serial 42)": {
			&blocklist.SerialError{List: "it.example/csam", Held: 42, Base: 43, Got: 44, Err: blocklist.ErrGap}, blocklist.ErrGap,
		},
	} {
		assert.EqualError(t, test.err, text)
		assert.ErrorIs(t, fmt.Errorf("applying: %w", test.err), test.is)
	}
}
