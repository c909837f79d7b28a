package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// position is where something stands in a file, from 1; zero if nowhere.
type position struct{ line, column int }

func (p position) error(file, text string) Error {
	return Error{File: file, Line: max(p.line, 1), Column: max(p.column, 1), Text: text}
}

// positionOf returns where a node begins; a mapping does with its first key, in flow and block style alike.
func positionOf(n *yaml.Node) position {
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	return position{n.Line, n.Column}
}

// reader walks a YAML file and collects what is wrong with it, so that one run tells everything. Scalars count as they
// are written: YAML's guess of a type (an octal number, a float) is never asked.
type reader struct {
	file   string
	errs   Errors
	checks []func() // that need the whole file
}

// whenRead runs a check when the whole file has been read.
func (r *reader) whenRead(check func()) { r.checks = append(r.checks, check) }

// finish runs them.
func (r *reader) finish() {
	for _, check := range r.checks {
		check()
	}
}

func (r *reader) fail(at position, format string, args ...any) {
	r.errs = append(r.errs, at.error(r.file, fmt.Sprintf(format, args...)))
}

// usable reports whether a node says by itself what it means. Anchors, aliases and tags are refused: a value is written
// where it counts, and a name that begins with * is not taken for an alias.
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

// isNull reports whether a node is no value: nothing, null or ~.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// fields are the keys that a mapping may have, and what reads their values.
type fields map[string]func(*yaml.Node)

// recording returns fields that note in given which of them are read.
func (f fields) recording(given map[string]bool) fields {
	out := fields{}
	for key, read := range f {
		out[key] = func(n *yaml.Node) { given[key] = true; read(n) }
	}
	return out
}

// mapping reads a mapping; keys that are not in known are errs.
func (r *reader) mapping(n *yaml.Node, known fields) {
	r.eachPair(n, func(key, value *yaml.Node) {
		if read, ok := known[key.Value]; ok {
			read(value)
			return
		}
		r.fail(positionOf(key), "unknown key %.100q", key.Value)
	})
}

// eachPair reads a mapping with each.
func (r *reader) eachPair(n *yaml.Node, each func(key, value *yaml.Node)) {
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
			each(key, value)
		}
		lines[key.Value] = key.Line
	}
}

// sequence reads a list with each.
func (r *reader) sequence(n *yaml.Node, each func(*yaml.Node)) {
	if !r.usable(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		r.fail(positionOf(n), "a list is needed here, like [first, second]")
		return
	}
	for _, item := range n.Content {
		each(item)
	}
}

// scalar reads a single value. The line break that ends a block scalar is not part of it.
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

// scalars reads a list of single values.
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

// nonEmpty reads a list of single values that is not empty: one that names nothing is not taken for a list that was
// left out.
func nonEmpty[T any](r *reader, dst *[]T, parse func(string) (T, error)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
			r.fail(positionOf(n), "the list is empty: name one at least, or leave the key out for the default")
		}
		scalars(r, dst, parse)(n)
	}
}
