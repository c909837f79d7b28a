package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/argine-dns/argine/blocklist/nearest"
)

// position is a position in a file. Line and column count from 1; zero means that there is no position.
type position struct {
	line, column int
	file         string // empty: the file of the reader
}

func (p position) error(file, text string) Error {
	return Error{File: cmp.Or(p.file, file), Line: max(p.line, 1), Column: max(p.column, 1), Text: text}
}

// positionOf returns the position of a node. The position of a mapping is that of its first key, in flow and block
// style alike.
func positionOf(n *yaml.Node) position {
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	return position{line: n.Line, column: n.Column}
}

// position returns the position of a node with the name of the file. It is for errors that are found after all files
// are read.
func (r *reader) position(n *yaml.Node) position {
	at := positionOf(n)
	at.file = r.file
	return at
}

// where returns a position as text: the line, and also the file unless it is the file of the reader.
func (r *reader) where(at position) string {
	if at.file == r.file {
		return fmt.Sprintf("line %d", at.line)
	}
	return fmt.Sprintf("%s:%d", at.file, at.line)
}

// reader parses a YAML file and collects all errors, so that one run reports all of them. It uses scalars as written
// and ignores the types that YAML assigns, such as octal numbers and floats.
type reader struct {
	file   string
	errs   Errors
	checks []func() // checks that run after all files are parsed
}

// whenRead registers a check that runs after all settings are parsed.
func (r *reader) whenRead(check func()) { r.checks = append(r.checks, check) }

// finish runs the registered checks.
func (r *reader) finish() {
	for _, check := range r.checks {
		check()
	}
}

func (r *reader) fail(at position, format string, args ...any) {
	r.errs = append(r.errs, at.error(r.file, fmt.Sprintf(format, args...)))
}

// usable reports whether a node has no anchor, alias or tag. If it has one, usable adds an error: values have to be
// written where they apply, and an unquoted name that begins with * would be an alias.
func (r *reader) usable(n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		r.fail(positionOf(n), "the alias *%s is not read: write the value itself, or put it in quotes", n.Value)
	case n.Anchor != "":
		r.fail(positionOf(n), "the anchor &%s is not read: leave it out, or put the value in quotes", n.Anchor)
	case n.Style&yaml.TaggedStyle != 0 || n.Tag == "!":
		r.fail(positionOf(n), "the tag %s is not read: leave it out, or put the value in quotes", n.Tag)
	default:
		return true
	}
	return false
}

// isNull reports whether a node has no value: nothing, null or ~.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// fields are the known keys of a mapping and the parser of each value.
type fields map[string]func(*yaml.Node)

// keeping returns a copy of the fields. The parsers in the copy also append the canonical text of the value to
// values[key].
func (f fields) keeping(values map[string]string) fields {
	out := fields{}
	for key, read := range f {
		out[key] = func(n *yaml.Node) { values[key] += textOf(n); read(n) }
	}
	return out
}

// recording returns a copy of the fields. The parsers in the copy also set given[key] to true.
func (f fields) recording(given map[string]bool) fields {
	out := fields{}
	for key, read := range f {
		out[key] = func(n *yaml.Node) { given[key] = true; read(n) }
	}
	return out
}

// mapping parses a mapping with the parsers of the known keys. It adds an error for each other key.
func (r *reader) mapping(n *yaml.Node, known fields) {
	r.eachPair(n, func(key, value *yaml.Node) {
		if read, ok := known[key.Value]; ok {
			read(value)
			return
		}
		hint := nearest.Hint(key.Value, slices.Sorted(maps.Keys(known)))
		r.fail(positionOf(key), "unknown setting %.100q; %s", key.Value, hint)
	})
}

// eachPair calls the function visit for every key of a mapping and its value.
func (r *reader) eachPair(n *yaml.Node, visit func(key, value *yaml.Node)) {
	if !r.usable(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.fail(positionOf(n), "keys and values are needed here, like action: nxdomain")
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !r.usable(key) {
			continue
		}
		first, again := lines[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			r.fail(positionOf(key), "a key is a word, like action: nxdomain")
		case key.Tag == "!!merge":
			r.fail(positionOf(key), "the merge key << is not read: write the keys themselves")
		case again:
			r.fail(positionOf(key), "key %.100q is there already, at line %d", key.Value, first)
		case isNull(value):
			r.fail(positionOf(key), "%.100q has no value", key.Value)
		default:
			visit(key, value)
		}
		lines[key.Value] = key.Line
	}
}

// sequence calls the function visit for every item of a sequence.
func (r *reader) sequence(n *yaml.Node, visit func(*yaml.Node)) {
	if !r.usable(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		r.fail(positionOf(n), "a list is needed here, like [first, second]")
		return
	}
	for _, item := range n.Content {
		visit(item)
	}
}

// scalar returns a parser of a single value, which it stores in dst. It removes the line break at the end of a block
// scalar.
func scalar[T any](r *reader, dst *T, parse func(string) (T, error)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if !r.usable(n) {
			return
		}
		if n.Kind != yaml.ScalarNode || isNull(n) {
			r.fail(positionOf(n), "a single value is needed here; put one with a colon, a bracket or a brace in quotes")
			return
		}
		text := n.Value
		if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			text = strings.TrimRight(text, "\n")
		}
		v, err := parse(text)
		if err != nil {
			r.fail(positionOf(n), "%v", err)
			return
		}
		*dst = v
	}
}

// scalars returns a parser of a sequence of single values, which it stores in dst.
func scalars[T any](r *reader, dst *[]T, parse func(string) (T, error)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		r.sequence(n, func(item *yaml.Node) {
			before := len(r.errs)
			var v T
			if scalar(r, &v, parse)(item); len(r.errs) == before {
				*dst = append(*dst, v)
			}
		})
	}
}

// nonEmpty returns a parser of a sequence of single values, which it stores in dst. It adds an error if the sequence is
// empty, which is not the same as a missing key.
func nonEmpty[T any](r *reader, dst *[]T, parse func(string) (T, error)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
			r.fail(positionOf(n), "the list is empty: name one at least, or leave the key out for the default")
		}
		scalars(r, dst, parse)(n)
	}
}
