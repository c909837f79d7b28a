package tuf

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Object is a JSON object with the fields that the framework knows, those of T, and others, which it keeps: a signature
// covers them, too (4.1, "unrecognized fields").
type Object[T any] struct {
	Known T
	More  map[string]any
}

// checker is implemented by a T that has rules beyond the types of its fields.
type checker interface{ check() error }

// UnmarshalJSON implements [json.Unmarshaler].
func (o *Object[T]) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &o.Known); err != nil {
		return err
	}
	if c, ok := any(&o.Known).(checker); ok {
		if err := c.check(); err != nil {
			return err
		}
	}
	if err := json.Unmarshal(b, &o.More); err != nil {
		return err
	}
	for _, name := range fieldNames(reflect.TypeFor[T]()) {
		delete(o.More, name)
	}
	return nil
}

// MarshalJSON implements [json.Marshaler], with the keys in order.
func (o Object[T]) MarshalJSON() ([]byte, error) {
	known, err := json.Marshal(o.Known)
	if err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(known, &all); err != nil {
		return nil, err
	}
	for name, value := range o.More {
		if all[name], err = json.Marshal(value); err != nil {
			return nil, err
		}
	}
	return json.Marshal(all)
}

// fieldNames returns the JSON names of a struct's fields, those of embedded structs included.
func fieldNames(t reflect.Type) (names []string) {
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}
