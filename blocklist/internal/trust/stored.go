package trust

import "encoding/json"

// Documents are stored as the received bytes, in base64. They are parsed once, when they are loaded.

// Bytes returns the document as received, or nil if t is nil.
func (t *Timestamp) Bytes() []byte {
	if t == nil {
		return nil
	}
	return t.Raw
}

// Bytes returns the document as received, or nil if s is nil.
func (s *Snapshot) Bytes() []byte {
	if s == nil {
		return nil
	}
	return s.Raw
}

// Bytes returns the document as received, or nil if spec is nil.
func (spec *TargetsSpec) Bytes() []byte {
	if spec == nil {
		return nil
	}
	return spec.doc.Raw
}

// Bytes returns the document as received, or nil if spec is nil.
func (spec *UrgentSpec) Bytes() []byte {
	if spec == nil {
		return nil
	}
	return spec.doc.Raw
}

// MarshalJSON implements [json.Marshaler].
func (r *Root) MarshalJSON() ([]byte, error) { return json.Marshal(r.Bytes()) }

// MarshalJSON implements [json.Marshaler].
func (t *Timestamp) MarshalJSON() ([]byte, error) { return json.Marshal(t.Bytes()) }

// MarshalJSON implements [json.Marshaler].
func (s *Snapshot) MarshalJSON() ([]byte, error) { return json.Marshal(s.Bytes()) }

// MarshalJSON implements [json.Marshaler].
func (spec *TargetsSpec) MarshalJSON() ([]byte, error) { return json.Marshal(spec.Bytes()) }

// MarshalJSON implements [json.Marshaler].
func (spec *UrgentSpec) MarshalJSON() ([]byte, error) { return json.Marshal(spec.Bytes()) }

// UnmarshalJSON implements [json.Unmarshaler]. It fails if the root's own officers have not signed it.
func (r *Root) UnmarshalJSON(b []byte) error { return parseStored(b, r, OpenRoot) }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Timestamp) UnmarshalJSON(b []byte) error { return parseStored(b, t, ParseTimestamp) }

// UnmarshalJSON implements [json.Unmarshaler].
func (s *Snapshot) UnmarshalJSON(b []byte) error { return parseStored(b, s, ParseSnapshot) }

// UnmarshalJSON implements [json.Unmarshaler].
func (spec *TargetsSpec) UnmarshalJSON(b []byte) error {
	return parseStored(b, spec, pointer(ParseTargets))
}

// UnmarshalJSON implements [json.Unmarshaler]. It ignores urgent documents that [ParseUrgent] does not accept: earlier
// versions of this program have stored them in another form.
func (m *Metadata) UnmarshalJSON(b []byte) error {
	type plain Metadata
	stored := struct {
		*plain

		Urgent  []byte `json:"urgent"`
		Refused []byte `json:"refused"`
	}{plain: (*plain)(m)}
	if err := json.Unmarshal(b, &stored); err != nil {
		return err
	}
	m.Urgent, m.Refused = urgentOrNone(stored.Urgent), urgentOrNone(stored.Refused)
	return nil
}

func urgentOrNone(b []byte) *UrgentSpec {
	spec, err := ParseUrgent(b)
	if err != nil {
		return nil
	}
	return &spec
}

func parseStored[T any](b []byte, into *T, parse func([]byte) (*T, error)) error {
	var raw []byte
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	doc, err := parse(raw)
	if err == nil {
		*into = *doc
	}
	return err
}

func pointer[T any](parse func([]byte) (T, error)) func([]byte) (*T, error) {
	return func(b []byte) (*T, error) {
		doc, err := parse(b)
		return &doc, err
	}
}
