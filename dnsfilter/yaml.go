package dnsfilter

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Mistake is one thing wrong with a settings file.
type Mistake struct {
	File         string
	Line, Column int // from 1
	Text         string
}

// Error implements error.
func (m Mistake) Error() string { return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Text) }

// Mistakes are all that is wrong with a settings file, a line each.
type Mistakes []Mistake

// Error implements error.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i := range m {
		lines[i] = m[i].Error()
	}
	return strings.Join(lines, "\n")
}

// err returns nil where there is no mistake.
func (m Mistakes) err() error {
	if len(m) == 0 {
		return nil
	}
	return m
}

// place is where something stands in a file, from 1; zero if nowhere.
type place struct{ line, column int }

func (p place) mistake(file, text string) Mistake {
	return Mistake{File: file, Line: max(p.line, 1), Column: max(p.column, 1), Text: text}
}

// placeOf returns where a node begins.
func placeOf(n ast.Node) place {
	if m, ok := n.(ast.MapNode); ok { // its own token is the first colon
		if it := m.MapRange(); it.Next() {
			return placeAt(it.Key().GetToken())
		}
	}
	return placeAt(n.GetToken())
}

func placeAt(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{}
	}
	return place{t.Position.Line, t.Position.Column}
}

// reader walks a YAML file and collects what is wrong with it, so that one run tells everything.
type reader struct {
	file     string
	mistakes Mistakes
	checks   []func() // that need the whole file
}

// later runs a check when the whole file has been read.
func (r *reader) later(check func()) { r.checks = append(r.checks, check) }

// finish runs them.
func (r *reader) finish() {
	for _, check := range r.checks {
		check()
	}
}

func (r *reader) fail(at place, format string, args ...any) {
	r.mistakes = append(r.mistakes, at.mistake(r.file, fmt.Sprintf(format, args...)))
}

// document returns the one mapping that text holds; nil if it is empty or no YAML.
func (r *reader) document(text []byte) ast.Node {
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		if known, ok := errors.AsType[yaml.Error](err); ok {
			r.fail(placeAt(known.GetToken()), "%s", known.GetMessage())
		} else {
			r.fail(place{}, "%v", err)
		}
		return nil
	}
	var body ast.Node
	for _, d := range f.Docs {
		switch {
		case d.Body == nil || d.Body.Type() == ast.CommentType:
		case body != nil:
			r.fail(placeOf(d.Body), "a second document begins here; settings are one")
		default:
			body = d.Body
		}
	}
	return body
}

// fields are the keys that a mapping may have, and what reads their values.
type fields map[string]func(ast.Node)

// mapping reads a mapping; keys that are not in known are mistakes.
func (r *reader) mapping(n ast.Node, known fields) {
	r.pairs(n, func(key *token.Token, value ast.Node) {
		if read, ok := known[key.Value]; ok {
			read(value)
			return
		}
		r.fail(placeAt(key), "unknown key %q", key.Value)
	})
}

// pairs reads a mapping with each.
func (r *reader) pairs(n ast.Node, each func(key *token.Token, value ast.Node)) {
	m, ok := n.(ast.MapNode)
	if !ok {
		r.fail(placeOf(n), "keys and values are needed here, like action: nxdomain")
		return
	}
	for it := m.MapRange(); it.Next(); {
		key := it.Key().GetToken()
		if it.Value().Type() == ast.NullType {
			r.fail(placeAt(key), "%q has no value", key.Value)
			continue
		}
		each(key, it.Value())
	}
}

// sequence reads a list with each.
func (r *reader) sequence(n ast.Node, each func(ast.Node)) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fail(placeOf(n), "a list is needed here, like [first, second]")
		return
	}
	for _, item := range s.Values {
		each(item)
	}
}

// one reads a single value.
func one[T any](r *reader, dst *T, parse func(string) (T, error)) func(ast.Node) {
	return func(n ast.Node) {
		scalar, ok := n.(ast.ScalarNode)
		if !ok || n.Type() == ast.NullType {
			r.fail(placeOf(n), "a single value is needed here")
			return
		}
		v, err := parse(fmt.Sprint(scalar.GetValue()))
		if err != nil {
			r.fail(placeOf(n), "%v", err)
			return
		}
		*dst = v
	}
}

// many reads a list of single values.
func many[T any](r *reader, dst *[]T, parse func(string) (T, error)) func(ast.Node) {
	return func(n ast.Node) {
		r.sequence(n, func(item ast.Node) {
			before := len(r.mistakes)
			var v T
			if one(r, &v, parse)(item); len(r.mistakes) == before {
				*dst = append(*dst, v)
			}
		})
	}
}
