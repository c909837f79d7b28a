package config

import (
	"fmt"
	"strings"
)

// Error is one thing wrong with a settings file.
type Error struct {
	File         string
	Line, Column int // from 1
	Text         string
}

// Error implements error.
func (m Error) Error() string { return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Text) }

// Errors are all that is wrong with a settings file, a line each.
type Errors []Error

// Error implements error.
func (m Errors) Error() string {
	lines := make([]string, len(m))
	for i := range m {
		lines[i] = m[i].Error()
	}
	return strings.Join(lines, "\n")
}

// err returns nil where there is no mistake.
func (m Errors) err() error {
	if len(m) == 0 {
		return nil
	}
	return m
}
