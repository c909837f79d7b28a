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

// checkStrict refuses JSON that parsers interpret differently: null, duplicate keys (ignoring case), keys with
// characters other than printable ASCII, trailing data.
func checkStrict(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := checkValue(dec, maxDepth); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("something follows the end")
	}
	return nil
}

func checkValue(dec *json.Decoder, depth int) error {
	token, err := dec.Token()
	switch {
	case err != nil:
		return err
	case token == nil:
		return fmt.Errorf("null is not allowed")
	case depth == 0:
		return fmt.Errorf("nested too deep")
	case token == json.Delim('{'):
		return checkObject(dec, depth)
	case token == json.Delim('['):
		for dec.More() {
			if err := checkValue(dec, depth-1); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	}
	return err
}

func checkObject(dec *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return fmt.Errorf("key %.80q is not plain ASCII", key)
		}
		if key = strings.ToLower(key); seen[key] {
			return fmt.Errorf("key %.80q is there twice", key)
		}
		seen[key] = true
		if err := checkValue(dec, depth-1); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}
