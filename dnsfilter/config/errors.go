package config

import (
	"fmt"
	"strings"
)

// Error is one error in a settings file.
type Error struct {
	File         string
	Line, Column int // counted from 1
	Text         string
}

// Error implements error.
func (e Error) Error() string { return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text) }

// Errors are all errors in a settings file. Their text has one line per error.
type Errors []Error

// Error implements error.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// err returns the errors as one error, or nil if there are none.
func (e Errors) err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}
