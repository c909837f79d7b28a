package tuf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// canonicalJSON returns a JSON value in canonical form (OLPC, http://wiki.laptop.org/go/Canonical_JSON), the form that
// signatures cover: sorted keys, no white space, only quotes and backslashes escaped. The only numbers are 64-bit
// integers.
func canonicalJSON(b []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, err
	}
	return appendCanonical(make([]byte, 0, len(b)), value)
}

func appendCanonical(dst []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case string:
		return appendCanonicalString(dst, v), nil
	case json.Number:
		if _, err := v.Int64(); err != nil {
			return nil, fmt.Errorf("canonical JSON has no number like %.40q", v.String())
		}
		return append(dst, v...), nil
	case bool:
		return fmt.Append(dst, v), nil
	case []any:
		return appendCanonicalArray(dst, v)
	case map[string]any:
		return appendCanonicalObject(dst, v)
	}
	return append(dst, "null"...), nil
}

//nolint:gochecknoglobals // it is constant
var canonicalEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func appendCanonicalString(dst []byte, s string) []byte {
	return append(append(append(dst, '"'), canonicalEscapes.Replace(s)...), '"')
}

func appendCanonicalArray(dst []byte, values []any) (_ []byte, err error) {
	dst = append(dst, '[')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendCanonical(dst, v); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func appendCanonicalObject(dst []byte, fields map[string]any) (_ []byte, err error) {
	dst = append(dst, '{')
	for i, key := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendCanonicalString(dst, key), ':')
		if dst, err = appendCanonical(dst, fields[key]); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}
