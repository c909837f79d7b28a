package tuf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// maxDepth is the maximum nesting depth of a document.
const maxDepth = 12

// decodeStrict decodes JSON, with numbers as they are written. It refuses what parsers interpret differently: null,
// duplicate keys (ignoring case), keys with characters other than printable ASCII, numbers beyond float64, trailing
// data.
func decodeStrict(b []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	value, err := decodeValue(dec, maxDepth)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the end")
	}
	return value, nil
}

func decodeValue(dec *json.Decoder, depth int) (any, error) {
	token, err := dec.Token()
	switch {
	case err != nil:
		return nil, err
	case token == nil:
		return nil, fmt.Errorf("null is not allowed")
	case depth == 0:
		return nil, fmt.Errorf("nested too deep")
	case token == json.Delim('{'):
		return decodeObject(dec, depth)
	case token == json.Delim('['):
		return decodeArray(dec, depth)
	}
	if number, ok := token.(json.Number); ok {
		if _, err := number.Float64(); err != nil {
			return nil, fmt.Errorf("number %.80q is out of range", number)
		}
	}
	return token, nil
}

func decodeArray(dec *json.Decoder, depth int) (values []any, err error) {
	for dec.More() {
		value, err := decodeValue(dec, depth-1)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	_, err = dec.Token()
	return values, err
}

func decodeObject(dec *json.Decoder, depth int) (map[string]any, error) {
	fields, seen := map[string]any{}, map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string)
		if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, fmt.Errorf("key %.80q is not plain ASCII", key)
		}
		folded := strings.ToLower(key)
		if seen[folded] {
			return nil, fmt.Errorf("key %.80q is there twice", folded)
		}
		seen[folded] = true
		if fields[key], err = decodeValue(dec, depth-1); err != nil {
			return nil, err
		}
	}
	_, err := dec.Token()
	return fields, err
}
