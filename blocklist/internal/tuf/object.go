package tuf

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Object is a JSON object with the known fields of T, and its unknown fields. Unknown fields are kept, because
// signatures cover them too (4.1, "unrecognized fields").
type Object[T any] struct {
	Known T
	More  map[string]any
}

// checker is implemented by a type T of an [Object] if T has rules beyond the types of its fields.
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
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	for _, name := range fieldNames(reflect.TypeFor[T]()) {
		delete(fields, name)
	}
	o.More = make(map[string]any, len(fields))
	for name, text := range fields {
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			return err
		}
		o.More[name] = value
	}
	return nil
}

// MarshalJSON implements [json.Marshaler], with sorted keys.
func (o Object[T]) MarshalJSON() ([]byte, error) {
	known, err := json.Marshal(o.Known)
	if err != nil || len(o.More) == 0 && slices.IsSorted(fieldNames(reflect.TypeFor[T]())) {
		return known, err
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

// namesOfTypes caches the result of fieldNames for each type.
//
//nolint:gochecknoglobals // what is in it is constant
var namesOfTypes sync.Map

// fieldNames returns the JSON names of a struct's fields, including those of embedded structs, in their order.
func fieldNames(t reflect.Type) (names []string) {
	if known, ok := namesOfTypes.Load(t); ok {
		return known.([]string)
	}
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	namesOfTypes.Store(t, names)
	return names
}
